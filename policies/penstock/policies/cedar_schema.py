"""The Cedar schema of some tools: against it policies are checked when they are loaded."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from penstock.contracts.policy import Fact, FactType, Taint
from penstock.contracts.tool import EffectClass, ToolContract
from penstock.policies.cedar import NAMESPACE
from penstock.policies.runtime_facts import (
    RUNTIME_FACTS,
    RuntimeFact,
    RuntimeType,
    reserved_facts,
)
from penstock.policies.shapes import (
    Field,
    LeftOut,
    RecordOf,
    Scalar,
    SetOf,
    Shape,
    read_arguments,
)

K = TypeVar("K", bound=str)
V = TypeVar("V")

ENTITY_TYPES = ("User", "Role", "Group", "Agent", "Tenant")
"""The types of entities that a policy may name, beside `Action`."""

CLOSED_GROUPS = frozenset(
    {f"effect_{each}" for each in EffectClass} | {f"taint_{each}" for each in Taint}
)
"""Groups of tools that a policy may name though no tool is in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolShape:
    """What a policy can see of the calls of one tool."""

    name: str
    scopes: frozenset[str]
    groups: frozenset[str]
    """The groups of tools that it is in."""
    args: RecordOf
    facts: Mapping[str, Fact]
    """Those of its contract."""
    runtime_facts: Mapping[RuntimeFact, RuntimeType]
    """Those that the runtime gives."""
    left_out: tuple[LeftOut, ...]

    def seeing(self, args: Collection[str] | None, facts: Collection[str] | None) -> "ToolShape":
        """Return the same with these arguments and facts alone; None for all of them."""
        return replace(
            self,
            args=RecordOf(fields=_only(self.args.fields, args)),
            facts=_only(self.facts, facts),
            runtime_facts=_only(self.runtime_facts, facts),
        )


def read_tool(contract: ToolContract) -> ToolShape:
    """Read what a policy can see of a tool's calls."""
    args = read_arguments(contract)
    return ToolShape(
        name=contract.name,
        scopes=contract.scopes,
        groups=frozenset(
            {f"tag_{tag}" for tag in contract.tags}
            | {f"effect_{contract.effect}"}
            | {f"taint_{taint}" for taint in contract.taints}
        ),
        args=args.record,
        facts=MappingProxyType(dict(contract.facts)),
        runtime_facts=RUNTIME_FACTS,
        left_out=args.left_out,
    )


def groups_of(tools: Iterable[ToolShape]) -> frozenset[str]:
    """Return every group of tools that a policy may name."""
    return CLOSED_GROUPS.union(*(tool.groups for tool in tools))


def problems_of_names(tools: Collection[ToolShape]) -> tuple[str, ...]:
    """Return, in sentences, which names of tools and facts a policy could not tell apart."""
    names, found = [tool.name for tool in tools], list[str]()
    groups = groups_of(tools)
    for name in sorted(set(names)):
        if names.count(name) > 1:
            found.append(f"There are {names.count(name)} tools `{name}`; rename all but one.")
        if name in groups:
            found.append(
                f"The tool `{name}` has the name of a group of tools, and a policy could not tell"
                " them apart; rename the tool, or the tag."
            )
    for tool in tools:
        found += [
            f"The tool `{tool.name}` has a fact `{name}`, which is the runtime's own; rename it."
            for name in reserved_facts(tool.facts)
        ]
    return tuple(found)


def schema_json(tools: Collection[ToolShape]) -> str:
    """Write the schema of some tools, as Cedar's JSON has it."""
    actions: dict[str, object] = {group: {} for group in sorted(groups_of(tools))}
    for tool in tools:
        actions[tool.name] = {
            "memberOf": [{"id": group} for group in sorted(tool.groups)],
            "appliesTo": {
                "principalTypes": ["User"],
                "resourceTypes": ["Tenant"],
                "context": _context(tool),
            },
        }
    user = {
        "tenant": {"type": "Entity", "name": "Tenant"},
        "scopes": {"type": "Set", "element": {"type": "String"}},
    }
    types: dict[str, object] = {name: {} for name in ENTITY_TYPES}
    types["User"] = {"memberOfTypes": ["Role", "Group"], "shape": _record(user)}
    return json.dumps({NAMESPACE: {"entityTypes": types, "actions": actions}})


def _context(tool: ToolShape) -> dict[str, object]:
    facts: dict[str, object] = {name: _fact(kind) for name, kind in tool.runtime_facts.items()}
    for name, fact in tool.facts.items():
        facts[name] = {**_fact(fact.type), "required": not fact.is_optional}
    return _record(
        {
            "agent": {"type": "Entity", "name": "Agent"},
            "args": _shape(tool.args),
            "facts": _record(facts),
        }
    )


def _shape(shape: Shape) -> dict[str, object]:
    match shape:
        case Scalar.DECIMAL:
            return {"type": "Extension", "name": "decimal"}
        case Scalar():
            return {"type": str(shape)}
        case SetOf():
            return {"type": "Set", "element": _shape(shape.element)}
        case RecordOf():
            return _record({name: _field(each) for name, each in shape.fields.items()})


def _field(field: Field) -> dict[str, object]:
    return {**_shape(field.shape), "required": field.is_required}


def _fact(kind: FactType | RuntimeType) -> dict[str, object]:
    match kind:
        case FactType.TEXT:
            return {"type": "String"}
        case FactType.WHOLE | RuntimeType.WHOLE:
            return {"type": "Long"}
        case FactType.TRUTH | RuntimeType.TRUTH:
            return {"type": "Boolean"}
        case FactType.TEXTS | RuntimeType.TEXTS:
            return {"type": "Set", "element": {"type": "String"}}
        case RuntimeType.DATETIME:
            return {"type": "Extension", "name": "datetime"}


def _only(named: Mapping[K, V], names: Collection[str] | None) -> Mapping[K, V]:
    if names is None:
        return named
    return {name: each for name, each in named.items() if name in names}


def _record(attributes: Mapping[str, object]) -> dict[str, object]:
    return {"type": "Record", "attributes": dict(attributes)}
