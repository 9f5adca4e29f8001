"""The tools of a graph: those in its `ToolNode`s, and those that its nodes call themselves.

Importing this imports LangChain; `declare` does when it is first given a graph.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool

from penstock.contracts.errors import InvalidGraph
from penstock.graphs.walk import walk
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


def _with_contract(found: BaseTool) -> Tool[Any]:
    known: Any = found
    return known if isinstance(found, Tool) else adopt(found)


def _in_tool_nodes(compiled: "Compiled") -> Iterator[BaseTool]:
    for _, graph in walk(compiled):
        for node in graph.nodes.values():
            tools: Mapping[str, BaseTool] = getattr(node.bound, "tools_by_name", {})
            yield from tools.values()
