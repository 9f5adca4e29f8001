"""Policies and decisions in words."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from penstock.contracts.policy import Decision, PolicySetName, RecordedDecision
from penstock.policies import CompiledPolicy, builtin_policy
from penstock.runs.policies import ABOUT_BUILTIN, Redecision
from penstock.ui import text
from penstock.ui.cli.output import table

KEY_CHARS = 12


def of_compiled(graph: str, policy: CompiledPolicy) -> dict[str, Any]:
    """Return a policy that was found to be sound as JSON has it."""
    return {
        "graph": graph,
        "digest": policy.digest,
        "is_builtin": _is_builtin(policy),
        "rules": [to_jsonable_python(rule) for rule in policy.rules],
        "left_out": [to_jsonable_python(each) for each in policy.left_out],
    }


def checked(graph: str, policy: CompiledPolicy) -> Sequence[str]:
    """Say what was found of a sound policy, and what it cannot see."""
    count = Counter(rule.set for rule in policy.rules)
    allow, gates = count[PolicySetName.ALLOW], count[PolicySetName.GATES]
    lines = [f"{graph}: sound, {allow} policies allow or forbid, {gates} ask people"]
    if _is_builtin(policy):
        lines.append(f"  it is {ABOUT_BUILTIN}")
    shadows = [rule.id for rule in policy.rules if rule.annotations.get("mode") == "shadow"]
    if shadows:
        lines.append(f"  in shadow mode, recorded and not enforced: {', '.join(shadows)}")
    lines += [
        f"  not in context.args: {each.field} of {each.tool}: {each.why}"
        for each in policy.left_out
    ]
    return lines


def explained(decided: RecordedDecision) -> Sequence[str]:
    """Say what was decided about one call, and on what grounds."""
    request, decision = decided.request, decided.decision
    principal = request.principal
    lines = [
        f"{text.instant(decided.at)}  {request.tool}  {decision.verdict}",
        f"  call {decided.effect_key[:KEY_CHARS]}, policy {decided.policy_digest[:KEY_CHARS]}",
        f"  {decision.message}",
        f"  because of: {', '.join(decision.reasons) or 'nothing permits it'}",
        *(f"  asks: {rule.approval_count} of {rule.group} ({rule.id})" for rule in decision.rules),
        f"  for {principal.user} through {principal.agent}, of tenant {principal.tenant}",
        f"  args:  {json.dumps(request.args, ensure_ascii=False)}",
        f"  facts: {json.dumps(request.facts, ensure_ascii=False)}",
    ]
    if decision.shadow is not None:
        ids = ", ".join(decision.shadow_reasons)
        lines.append(f"  in shadow mode it would be: {decision.shadow}, because of {ids}")
    return lines


def of_what_if(found: Sequence[Redecision]) -> dict[str, Any]:
    """Return what a candidate would change as JSON has it."""
    changed = [each for each in found if each.is_changed]
    counts = Counter(
        (_name(each.before.decision), _name(each.after)) for each in found if not each.why_not
    )
    return {
        "call_count": len(found),
        "changed_count": len(changed),
        "not_decided_anew": Counter(each.why_not for each in found if each.why_not),
        "counts": [
            {"before": before, "after": after, "count": count}
            for (before, after), count in sorted(counts.items())
        ],
        "changed": [
            {
                "run_id": each.before.run_id,
                "call": each.before.effect_key,
                "tool": each.before.request.tool,
                "at": each.before.at,
                "is_certain": each.is_certain,
                "before": to_jsonable_python(each.before.decision),
                "after": to_jsonable_python(each.after),
            }
            for each in changed
        ],
    }


def what_if(found: Sequence[Redecision]) -> Sequence[Any]:
    """Say what a candidate would change: counts, then call by call."""
    changed = [each for each in found if each.is_changed]
    if not found:
        return ["no calls were decided about"]
    counts = Counter(
        (_name(each.before.decision), _name(each.after)) for each in found if not each.why_not
    )
    rows = [(before, after, str(count)) for (before, after), count in sorted(counts.items())]
    said: list[Any] = [table("was", "would be", "calls", rows=rows)]
    left_out = Counter(each.why_not for each in found if each.why_not)
    said += [f"{count} calls were left out: {why}" for why, count in left_out.items()]
    if not changed:
        return [*said, f"it would change nothing about {len(found)} calls"]
    calls = [
        (
            each.before.run_id,
            each.before.request.tool,
            _name(each.before.decision),
            _name(each.after),
            ", ".join(each.after.reasons) or "nothing permits it",
            text.short(json.dumps(each.before.request.args, ensure_ascii=False)),
            "" if each.is_certain else "?",
        )
        for each in changed
    ]
    uncertain = sum(not each.is_certain for each in found)
    said += [
        "",
        table("run", "tool", "was", "would be", "because of", "args", "", rows=calls),
        "",
        f"it would change {len(changed)} of {len(found)} calls",
    ]
    if uncertain:
        said.append(
            f"{uncertain} calls come after one of their run that would have come to something else"
            " (`?`): what their run would have done then, nobody knows"
        )
    return said


def _name(decision: Decision) -> str:
    groups = sorted({f"{rule.approval_count} of {rule.group}" for rule in decision.rules})
    return f"{decision.verdict} {' and '.join(groups)}".strip()


def _is_builtin(policy: CompiledPolicy) -> bool:
    return policy.digest == builtin_policy().digest
