"""A gate: a question to people that a run waits for, and the votes that answer it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from penstock.contracts.budget import Unit
from penstock.contracts.ids import GateId, IdempotencyKey, RunId
from penstock.contracts.policy import OnExpiry

OPERATORS = "operators"
"""The group that is asked where nothing says another: about effects in doubt, for one."""

BREAK_GLASS = "break-glass"
"""The group whose members may approve alone, in an emergency, and have to say why."""


class GateKind(StrEnum):
    """What is asked."""

    APPROVAL = "approval"
    """May this call happen?"""
    QUESTION = "question"
    """The graph asks something of its own: a plain LangGraph `interrupt`."""
    IN_DOUBT = "in_doubt"
    """Did this call happen? The runtime cannot know."""
    BUDGET = "budget"
    """A cap was reached: raise it, finish or stop?"""


class GateStatus(StrEnum):
    """Where a gate stands."""

    OPEN = "open"
    DECIDED = "decided"
    EXPIRED = "expired"
    """Nobody answered in time; its default took effect."""
    CANCELLED = "cancelled"
    """The run ended before anybody answered."""
    SUPERSEDED = "superseded"
    """What it asked is not what waits any more: the call was edited, a policy changed, or its
    approval did not count any more when the call was to begin."""


class VoteKind(StrEnum):
    """What a person says at a gate of kind `approval`."""

    APPROVE = "approve"
    REJECT = "reject"
    """One is enough."""
    RESPOND = "respond"
    """The call is not made; the graph is given these words in place of its result."""


class BudgetAnswer(StrEnum):
    """What a person says at a gate of kind `budget`."""

    RAISE = "raise"
    """The cap, by so much: whatever waits at the gate is tried again."""
    FINISH = "finish"
    """What does not fit the cap is refused from now on, and the graph goes on without it."""
    STOP = "stop"
    """The run ends."""


class Channel(StrEnum):
    """How a vote came in."""

    API = "api"
    CLI = "cli"
    UI = "ui"
    BREAK_GLASS = "break_glass"
    """Alone, in an emergency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a gate of kind `question` asks, as the graph put it."""

    id: GateId
    question: str
    """What the graph asks, as JSON."""
    answer_schema: str | None
    """JSON Schema of the answer, where the graph gave one."""
    effect_key: IdempotencyKey | None = None
    """The call whose function asks; None where a node does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Other arguments that a person has put in place of those that a model gave."""

    of_digest: str
    """Of the arguments in whose place they stand, as they came from the graph."""
    arguments: str
    """As JSON, without what nobody is to be shown: those stay as they were."""
    by: str
    """Who edited them last; may not approve them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who decides at a gate of kind `approval`, by when, and what happens otherwise."""

    approvals: Mapping[str, int]
    """How many members of each group must approve, by its name; all of them."""
    requester: str
    """For whom the run acts; may not approve."""
    may_confirm_self: bool
    """Whether the requester may approve all the same."""
    expires_s: float
    on_expiry: OnExpiry
    escalates_s: float | None = None
    """After how long members of `escalates_to` count for every group."""
    escalates_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApproval:
    """What has to be known to ask people about a tool call."""

    id: GateId
    tenant: str
    run_id: RunId
    effect_key: IdempotencyKey
    """Of the call; nothing is begun under it yet."""
    binding: str
    """Stands for exactly what is asked: 64 hex digits. A vote names the binding that it saw."""
    policy_digest: str
    """Of the policy that asks."""
    question: str
    """What people are shown, as JSON."""
    terms: Terms
    edit: Edit | None = None
    """Only where a person has changed the arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One person's vote, as it comes in."""

    person: str
    kind: VoteKind
    binding: str
    """Of what they saw."""
    reason: str | None
    """Why; a rejection needs one, and of a response it is the text itself."""
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A vote as it is stored."""

    gate_id: GateId
    person: str
    seat: str
    """For whom they voted: themselves, or whoever has delegated to them."""
    kind: VoteKind
    reason: str | None
    channel: Channel
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """One person's seat at gates, lent to another for a time. What is lent is not lent on."""

    id: int
    tenant: str
    from_person: str
    to_person: str
    gate_id: GateId | None
    """At this gate only; None for all."""
    starts_at: datetime
    ends_at: datetime
    created_by: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A gate as it is stored."""

    id: GateId
    tenant: str
    run_id: RunId
    kind: GateKind
    status: GateStatus
    question: str
    """What is asked, as JSON."""
    answer_schema: str | None
    """JSON Schema of the answer, where there is one."""
    answer: str | None
    """The answer, as JSON; only a gate that was decided has one."""
    decided_by: str | None
    """Whose answer closed it; only a gate that was decided has one."""
    opened_at: datetime
    expires_at: datetime | None
    """From when on no vote is taken, and an approval is not good for anything."""
    closed_at: datetime | None
    """When it was decided, expired, cancelled or superseded."""
    effect_key: IdempotencyKey | None
    """The call that it asks about, or that asks."""
    wakes_at: datetime | None
    """When the run is to go on all the same, to look for itself; None if it is not."""
    binding: str | None = None
    """What a vote must have seen; only a gate of kind `approval` has one, and all that follows."""
    policy_digest: str | None = None
    approvals: Mapping[str, int] | None = None
    """How many members of each group must approve."""
    requester: str | None = None
    may_confirm_self: bool = False
    on_expiry: OnExpiry | None = None
    escalates_at: datetime | None = None
    escalates_to: str | None = None
    escalated_at: datetime | None = None
    """Since when members of `escalates_to` count for every group."""
    consumed_at: datetime | None = None
    """When the call began for which it was given."""
    edit: Edit | None = None
    cap: Unit | None = None
    """Which cap was reached; only a gate of kind `budget` has one."""

    @property
    def is_approved(self) -> bool:
        """Whether its votes came to an approval."""
        return self.decision is VoteKind.APPROVE

    @property
    def decision(self) -> VoteKind | None:
        """What its votes came to; only of a gate of kind `approval` that was decided."""
        if self.kind is not GateKind.APPROVAL or self.answer is None:
            return None
        return VoteKind(json.loads(self.answer)["decision"])

    @property
    def reason(self) -> str | None:
        """What whoever decided has said; only of a gate of kind `approval` that was decided."""
        if self.kind is not GateKind.APPROVAL or self.answer is None:
            return None
        return json.loads(self.answer)["reason"]


class NoticeKind(StrEnum):
    """What people are told about a gate."""

    OPENED = "opened"
    EXPIRING = "expiring"
    """It nears its expiry, and nobody has decided."""
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a group is to be told about a gate."""

    id: int
    tenant: str
    gate_id: GateId
    kind: NoticeKind
    group: str
    due_at: datetime
    attempt_count: int
    """How often it was taken, this time included."""
    delivered: frozenset[str] = frozenset()
    """Marks of the channels that have been told, where others have not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeCounts:
    """How the sending of notices goes, about gates that are still open."""

    due: int
    """To be sent now: nobody has, or it did not work yet."""
    given_up: int
    """Tried as often as it is tried, without success."""
