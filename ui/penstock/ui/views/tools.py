"""Views of tools: what may be called in a graph, and under which contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.contracts.tool import ToolContract
from penstock.ui.views.documents import json_data

_SETS = ("scopes", "tags", "taints", "sensitive", "secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDetails:
    """A tool of a graph."""

    graph: str
    tool: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolList:
    """The tools of graphs, each with the name of its graph."""

    tools: Sequence[Mapping[str, Any]]


def tool_view(contract: ToolContract) -> dict[str, Any]:
    """Return a tool's contract, field by field; sets are sorted."""
    view = json_data(contract)
    return {**view, **{name: sorted(view[name]) for name in _SETS}}


def tool_list(tools: Sequence[tuple[str, ToolContract]]) -> ToolList:
    """Return the tools of graphs, by the graphs' names."""
    return ToolList(tools=[{"graph": of, **tool_view(contract)} for of, contract in tools])
