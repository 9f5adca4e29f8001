"""A policy that is ready to decide."""

from collections.abc import Sequence
from dataclasses import replace

from penstock.contracts.policy import Decision, GateRule, Request, Verdict
from penstock.policies.annotations import Annotation, is_shadow
from penstock.policies.cedar_schema import ToolShape
from penstock.policies.judge import Judge, Judgement
from penstock.policies.reasons import Reason
from penstock.policies.rules import rule_of
from penstock.policies.shapes import LeftOut
from penstock.policies.statements import Parsed


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
                Reason.UNKNOWN_TOOL,
                f"`{tool}` is denied: the policy was made without it (`{Reason.UNKNOWN_TOOL}`).",
            )
        if not who.tenant or who.tenant != request.tenant:
            return _refusal(
                Reason.TENANT,
                f"`{tool}` is denied: `{who.user}` does not belong to the tenant"
                f" `{request.tenant}` (`{Reason.TENANT}`).",
            )
        missing = frozenset[str]() if who.has_every_scope else scopes - who.scopes
        if missing:
            listed = ", ".join(f"`{scope}`" for scope in sorted(missing))
            return _refusal(
                Reason.SCOPES,
                f"`{tool}` is denied: `{who.user}` and the agent `{who.agent}` do not both have"
                f" {listed} (`{Reason.SCOPES}`).",
            )
        return None


_OWN = frozenset[str](Reason)


def _refusal(reason: Reason, message: str) -> Decision:
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
