"""Putting the tools of a graph that knows nothing of Penstock under their contracts.

A `ToolNode` has its tools in a dictionary, and beside it what it injects into each. In a copy of
the graph both are of the tools with contracts. What a node calls from its own code is not seen:
such tools are declared with `tool`, or adopted by whoever writes the node.
"""

import copy
from collections.abc import Mapping
from typing import Any, cast

from langgraph.prebuilt.tool_node import (
    ToolNode,
    _get_all_injected_args,  # pyright: ignore[reportPrivateUsage]  (held by a contract test)
)
from langgraph.pregel import Pregel

from penstock.nodes import Tool, adopt


def governed(compiled: Any, tools: Mapping[str, Tool[Any]]) -> Any:
    """Return the graph with each tool of its `ToolNode`s, and its subgraphs', under a contract.

    The graph itself is not changed. Without a tool that has none it is returned as it is.
    """
    nodes = {name: _node(node, tools) for name, node in compiled.nodes.items()}
    if all(nodes[name] is node for name, node in compiled.nodes.items()):
        return compiled
    ours: Any = copy.copy(compiled)
    ours.nodes = nodes
    return ours


def _node(node: Any, tools: Mapping[str, Tool[Any]]) -> Any:
    bound: Any = node.bound
    if isinstance(bound, ToolNode):
        ours = _tool_node(bound, tools)
        return node if ours is bound else node.copy({"bound": ours})
    if isinstance(bound, Pregel):
        inner: Any = governed(bound, tools)
        return node if inner is bound else node.copy({"bound": inner, "subgraphs": [inner]})
    return node


def _tool_node(found: Any, tools: Mapping[str, Tool[Any]]) -> Any:
    known: dict[str, Any] = found._tools_by_name
    if all(isinstance(each, Tool) for each in known.values()):
        return found
    ours = copy.copy(found)
    contracted = {name: _contracted(each, tools) for name, each in known.items()}
    ours._tools_by_name = contracted
    ours._injected_args = {name: _get_all_injected_args(each) for name, each in contracted.items()}
    # These are methods of the node it was copied from.
    ours.func, ours.afunc = ours._func, ours._afunc
    return ours


def _contracted(found: Any, tools: Mapping[str, Tool[Any]]) -> Tool[Any]:
    """Return a tool under the contract that was declared for it, or under the worst one."""
    if isinstance(found, Tool):
        return cast("Tool[Any]", found)
    known = tools.get(found.name)
    return known if known is not None and known.adopted is found else adopt(found)
