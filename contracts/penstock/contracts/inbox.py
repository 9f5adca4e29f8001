"""What pages list: gates as one person sees them, runs and calls in doubt as somebody looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from penstock.contracts.budget import Money
from penstock.contracts.effect import DoubtAnswer, Effect
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.ids import GateId
from penstock.contracts.run import Run, RunStatus


class Shelf(StrEnum):
    """Where a gate lies for one person. Each gate lies on one shelf."""

    MINE = "mine"
    """Open, and this person may decide it now."""
    TEAMS = "teams"
    """Open and asked of a group of theirs, but not of them: they have voted, or have a part in the
    call."""
    OTHERS = "others"
    """Open, and asked of others."""
    DECIDED = "decided"
    """Decided, expired, cancelled or superseded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A seat at gates that a person votes for: their own, or one that was lent to them."""

    person: str
    """Whose seat it is."""
    groups: frozenset[str] | None
    """The groups that it belongs to; None for all."""
    gate_id: GateId | None = None
    """At this gate only; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks into the inbox, and what follows from who they are."""

    person: str
    tenant: str
    seats: Sequence[Seat]
    """Their own first, then those that were lent to them."""
    is_operator: bool
    """Whether they answer what graphs ask, and what became of calls in doubt."""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGate:
    """A gate in a list, with what is shown of its run."""

    gate: Gate
    graph: str
    principal: str
    """For whom the run acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFilter:
    """Which gates of a shelf; what is None does not matter."""

    kinds: Sequence[GateKind] = ()
    """Empty for all."""
    graph: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs of a tenant; what is None does not matter."""

    tenant: str
    statuses: Sequence[RunStatus] = ()
    """Empty for all."""
    graph: str | None = None
    fingerprint: str | None = None
    """Of the graph's shape that they were started with."""
    thread_id: str | None = None
    since: datetime | None = None
    """Created then or later."""
    tags: Sequence[str] = ()
    """Has all of these."""
    is_redrivable: bool = False
    """Has failed, and a redrive may help."""
    tokens: int | None = None
    """Has used so many at least, with its children."""
    money: Money | None = None
    """Has cost so much at least, in this currency, with its children."""
    waits_for: str | None = None
    """Waits at an open gate for the approval of this group."""
    node: str | None = None
    """Waits in this node of its graph."""
    text: str | None = None
    """The beginning of its id, or its key, its thread, or for whom it acts, whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRun:
    """A run in a list, with the gates that it waits at, and what it has used."""

    run: Run
    open_gates: Sequence[Gate]
    tokens: int
    """What it has used, with its children."""
    money: Money | None
    """What it has cost, with them; None where nothing with a price was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDoubt:
    """A call in doubt, with the gate that asks about it and what is shown of its run."""

    effect: Effect
    gate: Gate | None
    """Decided already where somebody wants the call undone."""
    graph: str
    principal: str
    """For whom the run acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedDoubt:
    """A gate about a call that was in doubt, and how it was closed."""

    listed: ListedGate
    tool: str
    answer: DoubtAnswer | None
    """None where it was forgotten with its run."""
    is_by_person: bool
    """Somebody said so; otherwise its probe did, or whoever carried it out, later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphVersion:
    """A form of a graph that runs were started with."""

    version: str
    fingerprint: str
    """Of its shape: a worker whose graph differs does not drive the runs."""
    counts: Mapping[RunStatus, int]
    """Its runs by state; a state without any is missing."""
    first_at: datetime
    """When its first run was created."""
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingNode:
    """A node in which runs of one form of a graph wait."""

    node: str
    """Its path from the top."""
    version: str
    fingerprint: str
    count: int
