"""The tools of a graph, and how those without a contract are put under one.

The tools are those in its `ToolNode`s and those that its nodes call themselves. A `ToolNode` has
its tools in a dictionary, and beside it what it injects into each; in a copy of the graph, both are
of the tools with contracts. What a node calls from its own code is not seen: such tools are
declared with `tool`, or adopted by whoever writes the node.

Importing this imports LangChain and LangGraph; `declare` does so when it is first given a graph.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from langchain_core.tools import BaseTool
from langgraph.prebuilt.tool_node import (
    ToolNode,
    _get_all_injected_args,  # pyright: ignore[reportPrivateUsage]  (held by a contract test)
)
from langgraph.pregel import Pregel

from penstock.contracts.errors import InvalidGraph
from penstock.graphs.structure import walk_subgraphs
from penstock.nodes import Tool, adopt

if TYPE_CHECKING:
    from penstock.graphs.compiled import Compiled


def tools_of(compiled: "Compiled", named: Iterable[BaseTool] = ()) -> Mapping[str, Tool[Any]]:
    """Return a graph's tools by their names.

    A tool without a contract is adopted with the worst one, unless `named` has one that stands for
    it. Two of them may share a name, as the
    hand-offs of several agents do, and the first stands for both: neither is known beyond its
    calls. A tool with a contract shares its name with nobody.

    Raises:
        InvalidGraph: Two tools have one name.
        InvalidContract: A tool without a contract cannot be given one.
    """
    found: dict[str, BaseTool] = {}
    for each in (*_in_tool_nodes(compiled), *named):
        other = found.setdefault(each.name, each)
        if isinstance(each, Tool) and each.adopted is not None and each.adopted is other:
            found[each.name] = each
        elif other is not each and (isinstance(each, Tool) or isinstance(other, Tool)):
            raise InvalidGraph(
                f"Two tools of the graph are named `{each.name}`. Calls are recorded under the"
                " name: rename one of them."
            )
    return MappingProxyType({name: _with_contract(each) for name, each in found.items()})


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


def _with_contract(found: BaseTool) -> Tool[Any]:
    known: Any = found
    return known if isinstance(found, Tool) else adopt(found)


def _in_tool_nodes(compiled: "Compiled") -> Iterator[BaseTool]:
    for _, graph in walk_subgraphs(compiled):
        for node in graph.nodes.values():
            tools: Mapping[str, BaseTool] = getattr(node.bound, "tools_by_name", {})
            yield from tools.values()


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
