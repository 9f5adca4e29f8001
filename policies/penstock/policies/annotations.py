"""What the annotations of a policy may say, and what those of a gate policy come to."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum

from penstock.contracts.policy import DenialReason, GateRule, OnExpiry, PolicySetName
from penstock.policies.statements import Parsed, Problem, suggestion


class Annotation(StrEnum):
    """Their names; Cedar itself takes any."""

    ID = "id"
    """What the policy is called by, once in both sets."""
    DOC = "doc"
    """What it is for, in a sentence."""
    MODE = "mode"
    """`shadow`: it is recorded what it would do; `enforce`, as without it: it does it."""
    GATE = "gate"
    """The group whose members decide."""
    APPROVALS = "approvals"
    """How many of them must approve; else 1."""
    EXPIRES = "expires"
    """How long they have for it, such as `PT4H` or `P1DT12H`; else a day."""
    ON_EXPIRY = "on_expiry"
    """`deny`, as without it, the call when that time is over, or `fail` the run."""
    SELF = "self"
    """`allowed`: whoever the run acts for may approve; else, and with `refused`, not."""
    ESCALATE_AFTER = "escalate_after"
    """After how long another group may decide as well; shorter than `expires`."""
    ESCALATE_TO = "escalate_to"
    """That group."""


class Mode(StrEnum):
    """Whether a policy does what it says."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


_OF_ALL = frozenset({Annotation.ID, Annotation.DOC, Annotation.MODE})
ALLOWED: Mapping[PolicySetName, frozenset[Annotation]] = {
    PolicySetName.ALLOW: _OF_ALL,
    PolicySetName.GATES: frozenset(Annotation),
}
"""Which of them a policy of each set may have."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_COUNT = re.compile(r"[1-9]\d?")
_DURATION = re.compile(
    r"P(?=.)(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,4})H)?(?:(?P<minutes>\d{1,4})M)?(?:(?P<seconds>\d{1,5})S)?)?"
)
_SECONDS = {"days": 24 * 60 * 60, "hours": 60 * 60, "minutes": 60, "seconds": 1}


def is_shadow(policy: Parsed) -> bool:
    """Tell whether it is only recorded what a policy would do."""
    return policy.tree.annotations.get(Annotation.MODE) == Mode.SHADOW


def gate_rule(annotations: Mapping[str, str]) -> GateRule:
    """Return what a gate policy without problems asks for."""
    escalates = annotations.get(Annotation.ESCALATE_AFTER)
    expires = annotations.get(Annotation.EXPIRES)
    default = GateRule(id="", group="")
    return GateRule(
        id=annotations[Annotation.ID],
        group=annotations[Annotation.GATE],
        approval_count=int(annotations.get(Annotation.APPROVALS, default.approval_count)),
        expires_s=default.expires_s if expires is None else _seconds(expires) or 0.0,
        on_expiry=OnExpiry(annotations.get(Annotation.ON_EXPIRY, default.on_expiry)),
        may_confirm_self=annotations.get(Annotation.SELF) == "allowed",
        escalates_s=None if escalates is None else _seconds(escalates),
        escalates_to=annotations.get(Annotation.ESCALATE_TO),
    )


def problems_of_annotations(policy: Parsed, groups: Collection[str] | None) -> list[Problem]:
    """Return what is wrong with a policy's annotations.

    Args:
        policy: The policy.
        groups: Every group there is; None where nobody knows.
    """
    told, allowed = policy.tree.annotations, ALLOWED[policy.statement.set]
    found: list[Problem] = []
    for name in told:
        if name not in allowed:
            hint = suggestion(name, allowed)
            of = f"`{policy.statement.set}`"
            text = f"A policy of {of} has no annotation `@{name}`. {hint} Correct or remove it."
            found.append(policy.problem(text, f"@{name}"))
    found += [_bad_value(policy, name, wanted) for name, wanted in _bad_values(told)]
    if Annotation.ID not in told:
        found.append(
            policy.problem('It has no `@id`. Wanted is one like `@id("pay-ceiling")`. Add it.')
        )
    if policy.statement.set is PolicySetName.GATES:
        found += _problems_of_gate(policy, groups)
    return found


def _bad_values(told: Mapping[str, str]) -> list[tuple[Annotation, str]]:
    """Return the annotations whose values are no such values, with what is wanted."""
    found: list[tuple[Annotation, str]] = []
    duration = "a duration like `PT4H`, `P1D` or `P1DT12H`, and more than nothing"
    tests = {
        Annotation.ID: (_is_id, "letters, digits, `_`, `.` and `-`, and no name of our own"),
        Annotation.MODE: (_is_mode, "`shadow` or `enforce`"),
        Annotation.GATE: (bool, "the name of a group"),
        Annotation.APPROVALS: (_COUNT.fullmatch, "a number from 1 to 99"),
        Annotation.EXPIRES: (_seconds, duration),
        Annotation.ON_EXPIRY: (_is_end, "`deny` or `fail`"),
        Annotation.SELF: ({"allowed", "refused"}.__contains__, "`allowed` or `refused`"),
        Annotation.ESCALATE_AFTER: (_seconds, duration),
        Annotation.ESCALATE_TO: (bool, "the name of a group"),
    }
    for name, (is_good, wanted) in tests.items():
        if name in told and not is_good(told[name]):
            found.append((name, wanted))
    return found


def _bad_value(policy: Parsed, name: Annotation, wanted: str) -> Problem:
    value = policy.tree.annotations[name]
    text = f'Its `@{name}` is "{value}". Wanted is {wanted}. Correct it.'
    return policy.problem(text, f"@{name}")


def _problems_of_gate(policy: Parsed, groups: Collection[str] | None) -> list[Problem]:
    told = policy.tree.annotations
    found: list[Problem] = []
    if policy.tree.effect != "permit":
        text = (
            "It is a forbid among the gates. Wanted are permits there, which mean that a call needs"
            " a gate. Make it a permit, or move it to `allow`."
        )
        found.append(policy.problem(text, "forbid"))
    if Annotation.GATE not in told:
        text = 'It has no `@gate`. Wanted is the group that decides: `@gate("finance")`. Add it.'
        found.append(policy.problem(text))
    for name in (Annotation.GATE, Annotation.ESCALATE_TO):
        if groups is not None and told.get(name) and told[name] not in groups:
            text = f'Its `@{name}` is "{told[name]}", and there is no such group.'
            found.append(policy.problem(f"{text} {suggestion(told[name], groups)}", f"@{name}"))
    return found + _problems_of_escalation(policy)


def _problems_of_escalation(policy: Parsed) -> list[Problem]:
    told = policy.tree.annotations
    after, to = told.get(Annotation.ESCALATE_AFTER), told.get(Annotation.ESCALATE_TO)
    if (after is None) != (to is None):
        has, lacks = Annotation.ESCALATE_AFTER, Annotation.ESCALATE_TO
        if after is None:
            has, lacks = lacks, has
        text = f"It has `@{has}` and no `@{lacks}`. Wanted are both, or none. Add or remove one."
        return [policy.problem(text, f"@{has}")]
    if after is None:
        return []
    expires = told.get(Annotation.EXPIRES)
    limit_s = GateRule(id="", group="").expires_s if expires is None else _seconds(expires)
    after_s = _seconds(after)
    if after_s is not None and limit_s is not None and after_s >= limit_s:
        text = (
            f'Its `@escalate_after` is "{after}", when it has expired. Wanted is less. Correct it.'
        )
        return [policy.problem(text, "@escalate_after")]
    if to == told.get(Annotation.GATE):
        text = f'It escalates to "{to}", which decides already. Wanted is another group.'
        return [policy.problem(text, "@escalate_to")]
    return []


def _seconds(duration: str) -> float | None:
    """Return the seconds of an ISO 8601 duration of days and less; None for none, or for zero."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        return None
    parts = found.groupdict(default="0")
    return float(sum(int(parts[name]) * each for name, each in _SECONDS.items())) or None


def _is_id(value: str) -> bool:
    return _ID.fullmatch(value) is not None and value not in frozenset(DenialReason)


def _is_mode(value: str) -> bool:
    return value in frozenset(Mode)


def _is_end(value: str) -> bool:
    return value in frozenset(OnExpiry)
