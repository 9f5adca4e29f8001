"""What a candidate for a policy would have said of the calls that were decided about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.contracts.policy import Decided, Decision
from penstock.policies import CompiledPolicy, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Redecided:
    """A call, what was said of it, and what the candidate says."""

    before: Decided
    after: Decision
    is_certain: bool
    """Whether the candidate says the same of everything that the run called before it.

    From the first call of a run on that would have come to something else, nobody knows what the
    run would have done: its model would have been told other things.
    """

    @property
    def why_not(self) -> str | None:
        """Why the call cannot be decided anew, as a sentence; None where it can.

        What it would come to is not known then, and counts as no change.
        """
        found = _NOT_ANEW.keys() & set(self.after.reasons) - set(self.before.decision.reasons)
        return _NOT_ANEW[min(found)] if found else None

    @property
    def is_changed(self) -> bool:
        """Whether the candidate says something else: another verdict, or other gates."""
        if self.why_not is not None:
            return False
        was = self.before.decision
        return (was.verdict, _asked(was)) != (self.after.verdict, _asked(self.after))


def redecide(recorded: Sequence[Decided], candidate: CompiledPolicy) -> Sequence[Redecided]:
    """Decide anew about recorded calls, in the order in which they were decided about."""
    changed_runs: set[str] = set()
    found: list[Redecided] = []
    for decided in recorded:
        is_certain = decided.run_id not in changed_runs
        after = candidate.decide(decided.request)
        one = Redecided(before=decided, after=after, is_certain=is_certain)
        if one.is_changed or one.why_not:
            changed_runs.add(decided.run_id)
        found.append(one)
    return found


def _asked(decision: Decision) -> frozenset[tuple[str, int]]:
    return frozenset((rule.group, rule.approval_count) for rule in decision.rules)


_NOT_ANEW: Mapping[str, str] = {
    Reason.UNKNOWN_TOOL: "The graph has no such tool any more.",
    Reason.UNFIT: (
        "What was recorded does not fit the tool's contract of today: the candidate looks at an"
        " argument or a fact that the call did not have."
    ),
}
