"""`penstock tools`: what may be called in the project's graphs, and under which contracts."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.contracts.errors import UnknownTool
from penstock.contracts.tool import Cost, ToolContract
from penstock.ui.cli.options import AsJson
from penstock.ui.cli.output import Output, field_table, table
from penstock.ui.project import load_graphs, read_settings
from penstock.ui.views import tools as views
from penstock.ui.views.documents import json_data, json_text

if TYPE_CHECKING:
    from penstock.graphs import Graph

_MICROS = 1_000_000


def tools(
    *,
    graph: Annotated[
        str | None, typer.Argument(help="The graph's name in `langgraph.json`; else all.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[TOOL]", help="One of its tools, to show it whole.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the tools of the project's graphs, with their contracts."""
    output = Output(as_json=as_json)
    catalog = load_graphs(read_settings())
    graphs = list(catalog) if graph is None else [catalog.get(graph)]
    if name is not None:
        contract = _find(graphs[0], name)
        document = views.ToolDetails(graph=graphs[0].name, tool=views.tool_view(contract))
        output.answer(document, *_details(contract))
        return
    found = [(each.name, tool.contract) for each in graphs for tool in each.tools.values()]
    text = [_tool_table(found), *_warnings(found)] if found else ["no tools"]
    output.answer(views.tool_list(found), *text)


def _find(graph: "Graph", name: str) -> ToolContract:
    if name in graph.tools:
        return graph.tools[name].contract
    known = ", ".join(f"`{each}`" for each in sorted(graph.tools)) or "none at all"
    near = difflib.get_close_matches(name, graph.tools, n=1)
    meant = f" Did you mean `{near[0]}`?" if near else ""
    raise UnknownTool(f"Graph `{graph.name}` has no tool `{name}`. Known are {known}.{meant}")


def _tool_table(found: Sequence[tuple[str, ToolContract]]) -> Any:
    return table(
        "tool",
        "graph",
        "version",
        "effect",
        "timeout",
        "isolation",
        "scopes and tags",
        "warnings",
        rows=[
            (
                contract.name,
                of,
                contract.version,
                contract.effect,
                f"{contract.timeout_s:g}s",
                contract.isolation,
                ", ".join([*sorted(contract.scopes), *sorted(contract.tags)]),
                str(len(contract.warnings) or ""),
            )
            for of, contract in found
        ],
    )


def _warnings(found: Sequence[tuple[str, ToolContract]]) -> Sequence[str]:
    warnings = dict.fromkeys(warning for _, contract in found for warning in contract.warnings)
    return [f"warning: {warning}" for warning in warnings]


def _details(contract: ToolContract) -> Sequence[Any]:
    retry = contract.retry
    fields = {
        "tool": f"{contract.name}, version {contract.version}",
        "does": contract.description,
        "effect": contract.effect,
        "isolation": contract.isolation,
        "timeout": f"{contract.timeout_s:g}s, and {contract.margin_s:g}s until nothing can land",
        "key lives": f"{contract.key_lifetime_s:g}s" if contract.key_lifetime_s else "",
        "attempts": f"{retry.attempt_limit}, after {retry.after} failures",
        "cost": _cost(contract.cost),
        "scopes": ", ".join(sorted(contract.scopes)),
        "tags": ", ".join(sorted(contract.tags)),
        "taints": ", ".join(sorted(contract.taints)),
        "facts": "; ".join(
            f"{name}: {each.description}" for name, each in sorted(contract.facts.items())
        ),
        "sensitive": ", ".join(sorted(contract.sensitive)),
        "secrets": ", ".join(sorted(contract.secrets)),
        "has": ", ".join(_has(contract)),
        "undone by": contract.compensate or "",
    }
    return [
        field_table(fields),
        "",
        "arguments:",
        json_text(json_data(contract.arguments_schema)),
        "result:",
        json_text(json_data(contract.result_schema)),
        *(f"warning: {warning}" for warning in contract.warnings),
    ]


def _has(contract: ToolContract) -> Sequence[str]:
    parts = {
        "business key": contract.has_key,
        "probe": contract.has_probe,
        "check of results": contract.has_verify,
    }
    return [name for name, is_there in parts.items() if is_there]


def _cost(cost: Cost | None) -> str:
    return "" if cost is None else f"{cost.amount_micros / _MICROS:g} {cost.currency}"
