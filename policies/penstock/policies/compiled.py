"""Policies that are ready to decide: compiled once from their text, for the tools of a graph."""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import (
    Decision,
    DenialReason,
    GateRule,
    PolicySetName,
    PolicySource,
    Request,
    Verdict,
)
from penstock.contracts.tool import ToolContract
from penstock.policies import cedar
from penstock.policies.annotations import Annotation, Mode, is_shadow
from penstock.policies.cedar_schema import ToolShape, problems_of_names, read_tool, schema_json
from penstock.policies.judge import Judge, Judgement
from penstock.policies.lint import Known, problems_of
from penstock.policies.shapes import LeftOut
from penstock.policies.statements import Parsed, Problem, parse, split

COMPILED_LIMIT = 16
"""How many policies stay compiled in a process, and how many stay read for pages."""

_OWN = frozenset[str](DenialReason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One policy of either set, for people."""

    id: str
    set: PolicySetName
    effect: Literal["permit", "forbid"]
    mode: Mode
    annotations: Mapping[str, str]
    file: str
    """Within the policy's folder: `gates/payments.cedar`."""
    line: int
    text: str


class CompiledPolicy:
    """Decides about calls of the tools that it was made for. Made by `compile_policy`.

    It holds nothing that changes but the principals it has seen, and any thread may ask it.
    """

    def __init__(
        self, policies: Sequence[Parsed], tools: Sequence[ToolShape], *, digest: str
    ) -> None:
        """Take policies in which nothing was found wrong."""
        self.digest = digest
        """The version's."""
        self.left_out: tuple[LeftOut, ...] = tuple(each for tool in tools for each in tool.left_out)
        """The fields of arguments that no policy can see."""
        self.rules = tuple(rule_of(policy) for policy in policies)
        """Every policy of both sets."""
        self.groups = frozenset(
            rule.annotations[name]
            for rule in self.rules
            for name in (Annotation.GATE, Annotation.ESCALATE_TO)
            if name in rule.annotations
        )
        """Every group that its gates ask."""
        self._scopes = {tool.name: tool.scopes for tool in tools}
        shadow = frozenset(policy.id for policy in policies if is_shadow(policy))
        self._judge = Judge([policy for policy in policies if policy.id not in shadow], tools)
        self._in_shadow = shadow
        self._shadow = Judge(policies, tools) if shadow else None

    def decide(self, request: Request) -> Decision:
        """Say what becomes of a call. Whatever goes wrong is a deny, and nothing is raised."""
        if (refused := self._refuse(request)) is not None:
            return refused
        judged = self._judge.judge(request)
        decision = Decision(
            verdict=judged.verdict,
            reasons=judged.reasons,
            message=_message(judged, request),
            rules=judged.rules,
        )
        if self._shadow is None:
            return decision
        other = self._shadow.judge(request)
        if (other.verdict, other.rules) == (judged.verdict, judged.rules):
            return decision
        named = dict.fromkeys((*other.reasons, *other.matched))
        reasons = tuple(name for name in named if name in self._in_shadow or name in _OWN)
        return replace(decision, shadow=other.verdict, shadow_reasons=reasons)

    def _refuse(self, request: Request) -> Decision | None:
        """Refuse what no policy can permit."""
        tool, who = request.tool, request.principal
        scopes = self._scopes.get(tool)
        if scopes is None:
            return _refusal(
                DenialReason.UNKNOWN_TOOL,
                f"`{tool}` is denied: the policy was made without it"
                f" (`{DenialReason.UNKNOWN_TOOL}`).",
            )
        if not who.tenant or who.tenant != request.tenant:
            return _refusal(
                DenialReason.TENANT,
                f"`{tool}` is denied: `{who.user}` does not belong to the tenant"
                f" `{request.tenant}` (`{DenialReason.TENANT}`).",
            )
        missing = frozenset[str]() if who.has_every_scope else scopes - who.scopes
        if missing:
            listed = ", ".join(f"`{scope}`" for scope in sorted(missing))
            return _refusal(
                DenialReason.SCOPES,
                f"`{tool}` is denied: `{who.user}` and the agent `{who.agent}` do not both have"
                f" {listed} (`{DenialReason.SCOPES}`).",
            )
        return None


@lru_cache(COMPILED_LIMIT)
def read_rules(source: PolicySource) -> Sequence[Rule]:
    """Return the rules of a policy, without those that are no Cedar; no tools are needed."""
    found = [parse(statement) for file in source.files for statement in split(file)]
    return tuple(rule_of(each) for each in found if isinstance(each, Parsed))


def rule_of(policy: Parsed) -> Rule:
    """Return a policy for people."""
    where = policy.statement
    return Rule(
        id=policy.id,
        set=where.set,
        effect="permit" if policy.tree.effect == "permit" else "forbid",
        mode=Mode.SHADOW if is_shadow(policy) else Mode.ENFORCE,
        annotations=policy.tree.annotations,
        file=where.file,
        line=where.line,
        text=where.text,
    )


def compile_policy(
    source: PolicySource,
    contracts: Iterable[ToolContract],
    *,
    roles: Collection[str] | None,
    groups: Collection[str] | None,
) -> CompiledPolicy:
    """Return a policy that is ready to decide about the calls of some tools. From any thread.

    A process compiles each version once for the same tools, roles and groups, and keeps those that
    were asked for last.

    Args:
        source: Its text.
        contracts: Those of the tools, each with a name of its own.
        roles: Every role there is; None where nobody knows. Likewise the groups.
        groups: Every group there is.

    Raises:
        InvalidPolicy: Names all that is wrong, each with file and line.
    """
    tools = tuple(read_tool(contract) for contract in contracts)
    version = _Version(
        digest=source.digest,
        schema=schema_json(tools),
        scopes=tuple(tool.scopes for tool in tools),
        left_out=tuple(each for tool in tools for each in tool.left_out),
        roles=None if roles is None else frozenset(roles),
        groups=None if groups is None else frozenset(groups),
    )
    # The lock is held while a version is compiled: two threads that want it compile it once.
    with _lock:
        compiled = _compiled.pop(version, None)
        if compiled is None:
            compiled = compile_uncached(source, tools, roles=roles, groups=groups)
        _compiled[version] = compiled
        while len(_compiled) > COMPILED_LIMIT:
            del _compiled[next(iter(_compiled))]
    return compiled


def compile_uncached(
    source: PolicySource,
    tools: Sequence[ToolShape],
    *,
    roles: Collection[str] | None,
    groups: Collection[str] | None,
) -> CompiledPolicy:
    """Compile a policy for some tools; `compile_policy` does so once a version.

    Raises:
        InvalidPolicy: Names all that is wrong, each with file and line.
    """
    if clashes := problems_of_names(tools):
        raise InvalidPolicy("\n".join(clashes))
    known = Known(
        tools=tuple(tools),
        schema=cedar.Schema.from_json_str(schema_json(tools)),
        roles=roles,
        groups=groups,
    )
    policies: list[Parsed] = []
    problems: list[Problem] = []
    for file in source.files:
        for statement in split(file):
            match parse(statement):
                case Parsed() as policy:
                    policies.append(policy)
                    problems += problems_of(policy, known)
                case Problem() as problem:
                    problems.append(problem)
    problems += _problems_of_ids(policies)
    if problems:
        problems.sort(key=lambda problem: (problem.file, problem.line))
        raise InvalidPolicy("\n".join(map(str, problems)))
    return CompiledPolicy(policies, tools, digest=source.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """All that a compiled policy follows from."""

    digest: str
    """Of the policy's text."""
    schema: str
    """Of the tools."""
    scopes: tuple[frozenset[str], ...]
    left_out: tuple[LeftOut, ...]
    roles: frozenset[str] | None
    groups: frozenset[str] | None


_compiled: dict[_Version, CompiledPolicy] = {}
"""The version that was asked for last stands last."""
_lock = threading.Lock()


def _refusal(reason: DenialReason, message: str) -> Decision:
    return Decision(verdict=Verdict.DENY, reasons=(reason,), message=message)


def _message(judged: Judgement, request: Request) -> str:
    tool = request.tool
    named = " and ".join(f"`{reason}`" for reason in judged.reasons)
    match judged.verdict:
        case Verdict.ALLOW:
            return f"`{tool}` is allowed by {named}."
        case Verdict.ASK:
            wanted = "; ".join(_wish(rule) for rule in judged.rules)
            return f"`{tool}` needs approval: {wanted}."
        case Verdict.DENY if judged.why:
            return f"`{tool}` is denied: {judged.why} (`{judged.reasons[0]}`)."
        case Verdict.DENY if judged.reasons:
            return f"`{tool}` is denied by {named}."
        case Verdict.DENY:
            who = request.principal
            return (
                f"`{tool}` is denied: no policy permits it to `{who.user}` through `{who.agent}`."
            )


def _wish(rule: GateRule) -> str:
    count = "one approval" if rule.approval_count == 1 else f"{rule.approval_count} approvals"
    return f"`{rule.id}` wants {count} by `{rule.group}`"


def _problems_of_ids(policies: Sequence[Parsed]) -> list[Problem]:
    first: dict[str, Parsed] = {}
    found: list[Problem] = []
    for policy in policies:
        before = first.setdefault(policy.id, policy)
        if policy.id and before is not policy:
            where = f"{before.statement.file}:{before.statement.line}"
            text = (
                f"Its `@id` is `{policy.id}`, as at {where}. Wanted is one of its own. Rename it."
            )
            found.append(policy.problem(text, "@id"))
    return found
