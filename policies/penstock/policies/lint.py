"""What is wrong with one policy: what Cedar finds, in plain words, and what it lets through.

Cedar checks types, and not names of roles or of annotations, nor what is asked for with `has`. A
condition that can never hold (`when { false }`) is let through here too.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from cedarpy import pst

from penstock.contracts.policy import PolicySetName
from penstock.policies import cedar
from penstock.policies.annotations import problems_of_annotations
from penstock.policies.cedar_schema import ENTITY_TYPES, ToolShape, groups_of
from penstock.policies.references import Path, References, nodes_of, references_of, tools_of
from penstock.policies.runtime_facts import RuntimeFact
from penstock.policies.shapes import RecordOf
from penstock.policies.statements import Parsed, Problem, suggestion

NO_CALL = "unable to find an applicable action"
"""What Cedar says of a policy that is about no tool: right for a group that no tool is in yet."""

_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "neg": "-"}
_PRINCIPAL = ("tenant", "scopes")
_CONDITION = ("when", "unless")
"""Where a wrong type is looked for: Cedar does not say more."""
_CONTEXT = ("agent", "args", "facts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a policy may speak of."""

    tools: tuple[ToolShape, ...]
    schema: cedar.Schema
    roles: Collection[str] | None
    """None where nobody knows them; likewise the groups."""
    groups: Collection[str] | None


def problems_of(policy: Parsed, known: Known) -> tuple[Problem, ...]:
    """Return all that is wrong with a policy, by lines."""
    tools = tools_of(policy.tree, known.tools)
    looks = references_of(policy.tree)
    found = problems_of_annotations(policy, known.groups)
    found += _problems_of_arithmetic(policy)
    unknown = [*_problems_of_entities(policy, known), *_problems_of_types(policy)]
    found += unknown
    if tools:
        found += _problems_of_questions(policy, looks, tools)
    found += _problems_of_cedar(policy, known, tools, has_unknown=bool(unknown))
    return tuple(sorted(dict.fromkeys(found), key=lambda problem: problem.line))


def _problems_of_arithmetic(policy: Parsed) -> Iterator[Problem]:
    # An overflow is an error, and Cedar skips what errs: then a forbid does not forbid, nor does a
    # gate gate. A decision with an error is a deny; here it is said before anybody is hurt.
    if policy.tree.effect != "forbid" and policy.statement.set is not PolicySetName.GATES:
        return
    for node in nodes_of(policy.tree.clauses):
        if isinstance(node, pst.UnaryOp | pst.BinaryOp) and node.op in _ARITHMETIC:
            sign = _ARITHMETIC[node.op]
            yield policy.problem(
                f"It calculates (`{sign}`), and an overflow makes Cedar skip a policy."
                " Wanted are comparisons alone. Compare with a number, or let a fact calculate.",
                *_words_of(node),
            )


def _problems_of_entities(policy: Parsed, known: Known) -> Iterator[Problem]:
    for entity in sorted(pst.entity_uids(policy.tree), key=str):
        kind, name = str(entity.type).removeprefix(f"{cedar.NAMESPACE}::"), entity.id
        match kind:
            case "Action":
                yield from _problems_of_action(policy, name, known)
            case "Role" | "Group":
                names = known.roles if kind == "Role" else known.groups
                if names is not None and name not in names:
                    text = f"There is no {kind.lower()} `{name}`."
                    yield policy.problem(f"{text} {suggestion(name, names)} Correct it.", name)
            case _:
                continue


def _problems_of_action(policy: Parsed, name: str, known: Known) -> Iterator[Problem]:
    tools, groups = {tool.name for tool in known.tools}, groups_of(known.tools)
    if name not in tools | groups:
        text = f"There is no tool, and no group of tools, `{name}`."
        yield policy.problem(f"{text} {suggestion(name, tools | groups)} Correct it.", name)
    is_group_alone = isinstance(policy.tree.action, pst.ActionEq) and name in groups
    if is_group_alone and policy.tree.action == pst.ActionEq(_action(name)):
        text = f"`{name}` is a group of tools, and no call is equal to one."
        yield policy.problem(f"{text} Wanted is `action in`. Write that.", name)


def _problems_of_types(policy: Parsed) -> Iterator[Problem]:
    types = {str(node) for node in nodes_of(policy.tree) if isinstance(node, pst.EntityType)}
    known = {f"{cedar.NAMESPACE}::{name}" for name in (*ENTITY_TYPES, "Action")}
    for name in sorted(types - known):
        full = f"{cedar.NAMESPACE}::{name}"
        hint = f"Did you mean `{full}`?" if full in known else suggestion(name, known)
        yield policy.problem(f"There is no type `{name}`. {hint} Correct it.", name)


def _problems_of_questions(
    policy: Parsed, looks: References, tools: Collection[ToolShape]
) -> Iterator[Problem]:
    """Find what is asked for with `has` and never there: Cedar takes it for false."""
    for path in sorted(looks.asked):
        match path:
            case ("context", "args", *fields):
                yield from _problems_of_argument(policy, tuple(fields), tools)
            case ("context", "facts", name, *_):
                facts = {*RuntimeFact, *(fact for tool in tools for fact in tool.facts)}
                if name not in facts:
                    text = f"It asks for the fact `{name}`, which none of its tools has."
                    yield policy.problem(f"{text} {suggestion(name, facts)} Correct it.", name)
            case ("context" | "principal", name, *_):
                of = _CONTEXT if path[0] == "context" else _PRINCIPAL
                if name not in of:
                    text = f"It asks for `{name}`, which `{path[0]}` never has."
                    yield policy.problem(f"{text} {suggestion(name, of)} Correct it.", name)
            case _:
                continue


def _problems_of_argument(
    policy: Parsed, path: Path, tools: Collection[ToolShape]
) -> Iterator[Problem]:
    if not path:
        return
    dotted = ".".join(path)
    lacking = [tool for tool in tools if not _has(tool.args, path)]
    # What a policy cannot see may be there all the same: then `has` would be wrongly false.
    out = [left for tool in lacking for left in tool.left_out if _is_within(dotted, left.field)]
    if out:
        left = out[0]
        yield policy.problem(
            f"It asks for `{dotted}`, which no policy sees of `{left.tool}`: {left.why}. Give the"
            " tool a fact that carries it, or leave the tool out.",
            path[-1],
        )
    elif len(lacking) == len(tools):
        names = {name for tool in tools for name in tool.args.fields}
        text = f"It asks for the argument `{dotted}`, which none of its tools has."
        yield policy.problem(f"{text} {suggestion(dotted, names)} Correct it.", path[-1])


def _problems_of_cedar(
    policy: Parsed, known: Known, tools: Collection[ToolShape], *, has_unknown: bool
) -> Iterator[Problem]:
    for error in cedar.validate(policy.statement.text, known.schema):
        said = error.partition("\n")[0].removeprefix("for policy `policy0`, ")
        if NO_CALL in said and (has_unknown or not tools):
            continue
        if said.startswith("unrecognized") and has_unknown:
            continue
        for pattern, tell in _TOLD:
            if match := re.search(pattern, said):
                yield tell(policy, match, tools)
                break
        else:
            words = [found.strip('"') for found in re.findall(r"`([^`]+)`", said)]
            text = f"Cedar says: {said}. Wanted is what its types allow. Correct it."
            yield policy.problem(text, *words, *_CONDITION)


def _no_attribute(policy: Parsed, match: re.Match[str], tools: Collection[ToolShape]) -> Problem:
    path, of = match.group("path"), match.group("tool")
    where, _, dotted = path.partition(".")
    tool = next((tool for tool in tools if tool.name == of), None)
    last = path.rpartition(".")[2]
    if tool is not None and where == "args":
        for left in tool.left_out:
            if _is_within(dotted, left.field):
                text = f"No policy sees the argument `{dotted}` of `{of}`: {left.why}."
                return policy.problem(f"{text} Give the tool a fact that carries it.", last)
        text = f"`{of}` has no argument `{dotted}`. {suggestion(dotted, tool.args.fields)}"
        return policy.problem(f"{text} Correct it, or ask `context.args has …` first.", last)
    if tool is not None and where == "facts":
        facts = {*RuntimeFact, *tool.facts}
        text = f"`{of}` has no fact `{dotted}`. {suggestion(dotted, facts)}"
        return policy.problem(f"{text} Correct it, or ask `context.facts has …` first.", last)
    text = f"There is no `context.{path}` in a call of `{of}`. {suggestion(where, _CONTEXT)}"
    return policy.problem(f"{text} Correct it.", last)


def _no_property(policy: Parsed, match: re.Match[str], _: Collection[ToolShape]) -> Problem:
    name = match.group("path")
    text = f"`{match.group('type')}` has no `{name}`. {suggestion(name, _PRINCIPAL)} Correct it."
    return policy.problem(text, name)


def _optional(policy: Parsed, match: re.Match[str], _: Collection[ToolShape]) -> Problem:
    where, _dot, name = match.group("path").rpartition(".")
    said = f"context.{where}" if where else "context"
    return policy.problem(
        f"A call of `{match.group('tool')}` may lack `{name}`. Wanted is a question first. Write"
        f" `{said} has {name} && …`, or `if {said} has {name} then … else …`.",
        name,
    )


def _wrong_type(policy: Parsed, match: re.Match[str], _: Collection[ToolShape]) -> Problem:
    text = f"It compares what is not of one type: {match.group(0)}."
    if "decimal" in text:
        text += ' Compare decimals as in `context.args.amount.lessThan(decimal("5.0"))`.'
    return policy.problem(f"{text} Correct it.", *_CONDITION)


def _no_call(policy: Parsed, _: re.Match[str], __: Collection[ToolShape]) -> Problem:
    return policy.problem(
        f"It is about no call at all: the principal is a `{cedar.NAMESPACE}::User`, the resource a"
        f" `{cedar.NAMESPACE}::Tenant`, and the action a tool. Correct its first line."
    )


Tell = Callable[[Parsed, re.Match[str], Collection[ToolShape]], Problem]
_ACTION = rf'{cedar.NAMESPACE}::Action::"(?P<tool>[^"]*)"'
_TOLD: tuple[tuple[str, Tell], ...] = (
    (rf"attribute `(?P<path>[^`]+)` in context for {_ACTION} not found", _no_attribute),
    (r"attribute `(?P<path>[^`]+)` .*?type `?(?P<type>[\w:]+)`? not found", _no_property),
    (rf"optional attribute `(?P<path>[^`]+)` in context for {_ACTION}", _optional),
    (r"expected .* but saw .*|the types .* are not compatible", _wrong_type),
    (NO_CALL, _no_call),
)


def _action(name: str) -> pst.EntityUid:
    return pst.EntityUid(pst.EntityType("Action", (cedar.NAMESPACE,)), name)


def _is_within(dotted: str, left: str) -> bool:
    """Tell whether a path is one that was left out, or within one; `*` is every field there."""
    begin, _, last = left.rpartition(".")
    if last == "*":
        return not begin or dotted.startswith(f"{begin}.")
    return dotted == left or dotted.startswith(f"{left}.")


def _has(record: RecordOf, path: Path) -> bool:
    name, *rest = path
    field = record.fields.get(name)
    if field is None or not rest:
        return field is not None
    return isinstance(field.shape, RecordOf) and _has(field.shape, tuple(rest))


def _words_of(node: object) -> list[str]:
    return [each.attr for each in nodes_of(node) if isinstance(each, pst.GetAttr)][-1:]
