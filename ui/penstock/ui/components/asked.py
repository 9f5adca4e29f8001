"""Gates in words: what each asks, of whom, and what there is to be careful of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pydantic_core import from_json

from penstock.contracts.call import Refused
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.policy import OnExpiry
from penstock.contracts.tool import EffectClass
from penstock.graphs import Catalog
from penstock.nodes import Tool
from penstock.policies.facts.money import spell
from penstock.ui.components.words import ago, badge, left, plain, sentence, short, spelled

SOON_S = 15 * 60
"""With so little time left a gate is urgent."""

EFFECTS: Mapping[str, tuple[str, str]] = {
    EffectClass.READ: ("gray", "only reads"),
    EffectClass.IDEMPOTENT: ("gray", "can be repeated"),
    EffectClass.TRANSACTIONAL: ("gray", "in our own database"),
    EffectClass.KEYED: ("orange", "acts outside, once by its key"),
    EffectClass.PROBE: ("orange", "acts outside, can be looked up"),
    EffectClass.UNSAFE: ("red", "acts outside, cannot be looked up"),
}
"""How careful one has to be with a tool of a class, as a colour and in words."""
_KINDS: Mapping[GateKind, tuple[str, str, str]] = {
    GateKind.APPROVAL: ("blue", "approval", "verified_user"),
    GateKind.QUESTION: ("violet", "question", "help"),
    GateKind.IN_DOUBT: ("red", "in doubt", "warning"),
    GateKind.BUDGET: ("yellow", "budget", "savings"),
}


def question(gate: Gate) -> Mapping[str, Any]:
    """Return what a gate asks, as an object; what is none is under `question`."""
    found: Any = from_json(gate.question)
    if isinstance(found, dict):
        return cast("Mapping[str, Any]", found)
    return {"question": found}


def is_forgotten(gate: Gate) -> bool:
    """Tell whether what a gate asked was erased with its run."""
    return gate.question == "null"


def title(gate: Gate) -> str:
    """Return what a gate asks, as a headline in Markdown."""
    asked = question(gate)
    if is_forgotten(gate):
        return "What was asked is forgotten"
    match gate.kind:
        case GateKind.APPROVAL:
            does = f": {plain(asked['does'])}" if asked.get("does") else ""
            return f"`{_code(asked['may_it_happen'])}`{does}"
        case GateKind.IN_DOUBT:
            return f"Did `{_code(asked['did_it_happen'])}` happen?"
        case GateKind.BUDGET:
            return sentence(_headline(asked, gate))
        case GateKind.QUESTION:
            return plain(short(_headline(asked, gate)))


def line(gate: Gate) -> str:
    """Return in one line what will really happen, or what there is to know, as Markdown."""
    asked = question(gate)
    if is_forgotten(gate):
        return ""
    match gate.kind:
        case GateKind.APPROVAL | GateKind.IN_DOUBT:
            return arguments(asked["arguments"])
        case GateKind.BUDGET:
            return ""
        case GateKind.QUESTION:
            rest = {
                name: value
                for name, value in asked.items()
                if name not in {"question", "action_requests", "review_configs", "args"}
            }
            return arguments(rest)


def badges(gate: Gate, *, amount: str | None = None, is_simulated: bool = False) -> str:
    """Return what there is to be careful of, as badges."""
    asked = question(gate)
    colour, name, icon = _KINDS[gate.kind]
    found = [badge(colour, name, icon)]
    if amount is not None:
        found.append(badge("green", plain(amount), "payments"))
    if gate.kind is GateKind.APPROVAL and not is_forgotten(gate):
        colour, name = EFFECTS.get(asked["effect"], ("gray", plain(str(asked["effect"]))))
        found.append(badge(colour, name))
        facts: Mapping[str, Any] = asked.get("facts", {})
        if facts.get("saw_untrusted"):
            found.append(badge("orange", "has read untrusted content", "bug_report"))
        if facts.get("saw_private"):
            found.append(badge("violet", "has read private data", "lock"))
    if gate.edit is not None:
        found.append(badge("blue", f"edited by {plain(gate.edit.by)}", "edit"))
    if is_simulated:
        found.append(badge("gray", "simulated"))
    return " ".join(found)


def money(gate: Gate, graph: str, catalog: Catalog) -> str | None:
    """Return what a call spends, where its tool is at hand and says so."""
    tool = tool_of(gate, graph, catalog)
    if tool is None:
        return None
    checked = tool.check(question(gate)["arguments"])
    spend = None if isinstance(checked, Refused) else tool.spend(checked)
    return None if spend is None else spell(spend)


def tool_of(gate: Gate, graph: str, catalog: Catalog) -> Tool[Any] | None:
    """Return the tool that a gate asks about, where the project's graphs are at hand."""
    asked = question(gate)
    name = asked.get("may_it_happen") or asked.get("did_it_happen")
    if gate.effect_key is None or name is None or graph not in catalog:
        return None
    return catalog.get(graph).tools.get(name)


def of_whom(gate: Gate, principal: str) -> str:
    """Say who decides at a gate, as Markdown."""
    match gate.kind:
        case GateKind.APPROVAL:
            groups = [f"{n} of **{plain(name)}**" for name, n in (gate.approvals or {}).items()]
            more = ""
            if gate.escalated_at is not None and gate.escalates_to is not None:
                more = f", escalated to **{plain(gate.escalates_to)}**"
            return f"asks {' and '.join(groups)}{more}"
        case GateKind.QUESTION:
            whom = f"**{plain(principal)}**, whom the run acts for, or " if principal else ""
            return f"asks {whom}an operator"
        case _:
            return "asks an operator"


def time_left(gate: Gate, now: datetime) -> str:
    """Say how long there is for a decision and what happens then, as Markdown."""
    if gate.expires_at is None:
        return f"asked {ago(gate.opened_at, now)}, and waits until somebody answers"
    then = "then the run fails" if gate.on_expiry is OnExpiry.FAIL else "then it is denied"
    told = f"{left(gate.expires_at, now)} left, {then}"
    is_soon = (gate.expires_at - now).total_seconds() < SOON_S
    return f":red[:material/timer: **{told}**]" if is_soon else f":material/timer: {told}"


def outcome(gate: Gate, now: datetime) -> str:
    """Say how a gate was closed, as Markdown."""
    if gate.status is GateStatus.OPEN and gate.expires_at is not None and gate.expires_at <= now:
        return f"expired {ago(gate.expires_at, now)}, before anybody had decided"
    at = "" if gate.closed_at is None else f" {ago(gate.closed_at, now)}"
    match gate.status:
        case GateStatus.DECIDED:
            what = gate.decision.value if gate.decision is not None else "answer"
            reason = f": {plain(short(gate.reason))}" if gate.reason else ""
            verb = {"approve": "approved", "reject": "rejected", "respond": "answered"}
            return f"{verb.get(what, 'answered')} by **{plain(gate.decided_by or '')}**{at}{reason}"
        case GateStatus.EXPIRED:
            return f"expired{at}, before anybody had decided"
        case GateStatus.CANCELLED:
            return f"closed{at}, because its run ended"
        case GateStatus.SUPERSEDED:
            return f"replaced{at}: another gate asks in its place, or what it allowed had changed"
        case _:
            return "open"


def is_over(gate: Gate, now: datetime) -> bool:
    """Tell whether nobody can decide a gate any more."""
    has_expired = gate.expires_at is not None and gate.expires_at <= now
    return gate.status is not GateStatus.OPEN or has_expired


def calls(gate: Gate) -> Sequence[Mapping[str, Any]]:
    """Return the calls that one of LangChain's requests for review is about; none of others."""
    asked = question(gate)
    if isinstance(asked.get("action_requests"), list):
        return cast("Sequence[Mapping[str, Any]]", asked["action_requests"])
    return [asked] if asked.get("type") == "tool_approval" else []


def _headline(asked: Mapping[str, Any], gate: Gate) -> str:
    said = asked.get("question")
    if isinstance(said, str):
        return said
    reviewed = calls(gate)
    if reviewed:
        names = ", ".join(str(call.get("name")) for call in reviewed)
        return f"Review {len(reviewed)} calls: {names}" if len(reviewed) > 1 else f"Review {names}"
    return spelled(said) if said is not None else gate.question


def arguments(given: Mapping[str, Any]) -> str:
    """Return arguments in a line of Markdown, as far as there is room."""
    told = [
        f"{plain(name)} **{plain(short(spelled(value), 60))}**"
        for name, value in given.items()
        if value not in (None, "")
    ]
    return " · ".join(told[:6]) + (f" · {len(told) - 6} more" if len(told) > 6 else "")


def _code(text: str) -> str:
    """Return a name for a place between backticks."""
    return text.replace("`", "'")
