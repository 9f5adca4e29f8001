"""How often each rule of a policy decided."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.contracts.policy import DecisionTally, Verdict
from penstock.policies import DenialReason

NOTHING = ""
"""Stands for what decided where nothing permitted a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule decided, each call counted once for each thing that was said of it."""

    counts: Counter[Verdict] = field(default_factory=Counter[Verdict])
    shadow_count: int = 0
    """Of calls for which it would have made a difference; it is in shadow mode."""
    tallies: Sequence[DecisionTally] = ()


def by_rule(tallies: Iterable[DecisionTally]) -> Mapping[str, Ruling]:
    """Return what was decided because of what: ids of rules, reasons of our own, and `NOTHING`."""
    found: dict[str, Ruling] = {}
    for tally in tallies:
        decision = tally.decision
        for name in decision.reasons or (NOTHING,):
            was = found.get(name, Ruling())
            found[name] = Ruling(
                counts=was.counts + Counter({decision.verdict: tally.call_count}),
                shadow_count=was.shadow_count,
                tallies=(*was.tallies, tally),
            )
        for name in decision.shadow_reasons:
            was = found.get(name, Ruling())
            found[name] = Ruling(
                counts=was.counts,
                shadow_count=was.shadow_count + tally.call_count,
                tallies=(*was.tallies, tally),
            )
    return found


SAID: Mapping[str, str] = {
    NOTHING: "nothing permits it",
    DenialReason.TENANT: "whoever the run acts for is of another tenant",
    DenialReason.SCOPES: "a scope is missing",
    DenialReason.UNKNOWN_TOOL: "the policy was made without this tool",
    DenialReason.TOO_LARGE: "a number was too large or too fine to compare",
    DenialReason.UNFIT: "an argument or a fact was not what the contract says",
    DenialReason.FACT: "a fact could not be computed",
    DenialReason.ERROR: "a rule could not be evaluated",
}
"""What decided where no rule did, in words."""
