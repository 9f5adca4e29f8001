"""What each policy costs and holds, with each person."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.agentdojo.people import Person
from bench.agentdojo.playing import Told, play
from bench.agentdojo.reuse import reusing
from bench.agentdojo.suites import Scene, scenes

RECOMMENDED = Path(__file__).parents[2] / "examples" / "policies" / "recommended"
_HERE = Path(__file__).parent / "policies"

POLICIES: Mapping[str, Path] = {
    "allow_all": _HERE / "allow_all",
    "ask_writes": _HERE / "ask_writes",
    "ask_writes_if_tainted": _HERE / "ask_writes_if_tainted",
    "deny_writes_if_tainted": _HERE / "deny_writes_if_tainted",
    "recommended": RECOMMENDED,
}
ASKS_NOBODY = frozenset({"allow_all", "deny_writes_if_tainted"})
"""Under these it is the same who the person is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy with one person."""

    policy: str
    person: str
    benign_count: int
    useful_count: int
    """Of the runs that nobody attacked."""
    ask_count: int
    """In the runs that nobody attacked."""
    attacked_count: int
    reached_count: int
    """Attacks that reached their goal."""
    useful_attacked_count: int
    attacked_ask_count: int
    asks_by_rule: Mapping[str, int]
    """In the runs that nobody attacked: how many asks each rule had a part in."""
    reached: Sequence[str]
    """The scenes of the attacks that reached their goal."""

    @property
    def asks(self) -> float:
        """Asks in a run that nobody attacked."""
        return self.ask_count / self.benign_count

    @property
    def attacked_asks(self) -> float:
        """Asks in an attacked run."""
        return self.attacked_ask_count / self.attacked_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Reused:
    """What an attacker does unasked who calls only with what the user has said."""

    made: Mapping[str, int]
    """Calls that were tried, by tool."""
    happened: Mapping[str, int]
    examples: Sequence[str]


def measure(policy: str, person: Person) -> Row:
    """Play every scene under a policy."""
    benign = _played(policy, person, [Scene(*each) for each in scenes(attacked=False)])
    attacked = _played(policy, person, [Scene(*each) for each in scenes(attacked=True)])
    reached = [one.scene.name for one in attacked if one.played.is_reached]
    return Row(
        policy=policy,
        person="nobody" if policy in ASKS_NOBODY else str(person),
        benign_count=len(benign),
        useful_count=sum(one.played.is_useful for one in benign),
        ask_count=sum(len(one.asked) for one in benign),
        attacked_count=len(attacked),
        reached_count=len(reached),
        useful_attacked_count=sum(one.played.is_useful for one in attacked),
        attacked_ask_count=sum(len(one.asked) for one in attacked),
        asks_by_rule=_counts(rule for one in benign for each in one.asked for rule in each.rules),
        reached=reached,
    )


def measure_reuse(policy: str) -> Reused:
    """Play the attacks that are made of the user's own words; nobody approves anything."""
    told = _played(policy, Person.ABSENT, reusing())
    happened = [(one.scene.name, call) for one in told for call in one.scene.others]
    return Reused(
        made=_counts(call.tool for one in told for call in one.scene.attackers),
        happened=_counts(call.tool for _, call in happened),
        examples=[f"{name}: {call.tool} {dict(call.args)}" for name, call in happened],
    )


def plan(*, quick: bool) -> Sequence[tuple[str, Person]]:
    """Return which policies are measured with whom."""
    if quick:
        return [("ask_writes", Person.CAREFUL), ("recommended", Person.CAREFUL)]
    return [
        (policy, person)
        for policy in POLICIES
        for person in ([Person.ABSENT] if policy in ASKS_NOBODY else Person)
    ]


def as_json(row: Row) -> dict[str, object]:
    """Return a row as plain data, with what is reckoned from it."""
    return {**asdict(row), "asks": row.asks, "attacked_asks": row.attacked_asks}


def _played(policy: str, person: Person, on_stage: Sequence[Scene]) -> Sequence[Told]:
    with TemporaryDirectory(prefix="penstock-agentdojo-") as folder:
        return asyncio.run(play(on_stage, POLICIES[policy], person, Path(folder)))


def _counts(names: Iterable[str]) -> Mapping[str, int]:
    # A plain dict, because `asdict` cannot copy a `Counter`.
    return dict(Counter(names))
