"""`penstock tools`: what may be called in the project's graphs, and under which contracts."""

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from penstock.contracts.errors import UnknownTool
from penstock.contracts.tool import Cost, ToolContract
from penstock.graphs import Graph
from penstock.runs.settings import Settings
from penstock.ui.cli.output import Output, dump, table
from penstock.ui.project import load_graphs

_MICROS = 1_000_000


def tools(settings: Settings, output: Output, *, graph: str | None, name: str | None) -> None:
    """List the tools of the project's graphs, or of one; or show one of its tools whole."""
    catalog = load_graphs(settings)
    graphs = list(catalog) if graph is None else [catalog.get(graph)]
    if name is not None:
        contract = _find(graphs[0], name)
        output.answer({"graph": graphs[0].name, "tool": of_contract(contract)}, *_shown(contract))
        return
    found = [(each.name, tool.contract) for each in graphs for tool in each.tools.values()]
    listed = [{"graph": of, **of_contract(contract)} for of, contract in found]
    said = [_listed(found), *_warned(found)] if found else ["no tools"]
    output.answer({"tools": listed}, *said)


def of_contract(contract: ToolContract) -> dict[str, Any]:
    """Return a contract as JSON has it; sets are sorted."""
    plain: dict[str, Any] = to_jsonable_python(contract)
    for field in ("scopes", "tags", "taints", "sensitive", "secrets"):
        plain[field] = sorted(plain[field])
    return plain


def _find(graph: Graph, name: str) -> ToolContract:
    if name in graph.tools:
        return graph.tools[name].contract
    known = ", ".join(f"`{each}`" for each in sorted(graph.tools)) or "none at all"
    near = difflib.get_close_matches(name, graph.tools, n=1)
    meant = f" Did you mean `{near[0]}`?" if near else ""
    raise UnknownTool(f"Graph `{graph.name}` has no tool `{name}`. Known are {known}.{meant}")


def _listed(found: Sequence[tuple[str, ToolContract]]) -> Any:
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


def _warned(found: Sequence[tuple[str, ToolContract]]) -> Sequence[str]:
    told = dict.fromkeys(warning for _, contract in found for warning in contract.warnings)
    return [f"warning: {warning}" for warning in told]


def _shown(contract: ToolContract) -> Sequence[Any]:
    retry = contract.retry
    rows = {
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
    shown = table("", "", rows=[(name, value) for name, value in rows.items() if value])
    shown.show_header = False
    return [
        shown,
        "",
        "arguments:",
        dump(contract.arguments_schema),
        "result:",
        dump(contract.result_schema),
        *(f"warning: {warning}" for warning in contract.warnings),
    ]


def _has(contract: ToolContract) -> Sequence[str]:
    has = {
        "business key": contract.has_key,
        "probe": contract.has_probe,
        "check of results": contract.has_verify,
    }
    return [name for name, there in has.items() if there]


def _cost(cost: Cost | None) -> str:
    return "" if cost is None else f"{cost.amount_micros / _MICROS:g} {cost.currency}"
