"""Views of gates: what people are asked, who may decide, and what they have said."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.contracts.gate import Delegation, Gate, Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """A gate."""

    id: str
    tenant: str
    run_id: str
    kind: str
    status: str
    question: Any
    answer_schema: Any
    answer: Any
    decided_by: str | None
    opened_at: datetime
    expires_at: datetime | None
    closed_at: datetime | None
    effect_key: str | None
    binding: str | None
    """What a vote names, to say what was seen; only a gate that asks for an approval has one."""
    approvals: Mapping[str, int] | None
    """How many members of each group must approve."""
    requester: str | None
    on_expiry: str | None
    escalates_at: datetime | None
    escalates_to: str | None
    escalated_at: datetime | None
    decision: str | None
    """What its votes came to."""
    edited_by: str | None
    """Who has put other arguments in place of the call's own."""
    consumed_at: datetime | None
    """When the call began that was approved."""
    cap: str | None
    """Which cap was reached; only a gate about a budget has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteView:
    """A vote at a gate."""

    person: str
    seat: str
    kind: str
    reason: str | None
    channel: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDocument:
    """A gate that was acted on."""

    gate: GateView


@dataclass(frozen=True, slots=True, kw_only=True)
class GateList:
    """The open gates."""

    gates: Sequence[GateView]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDetails:
    """A gate with its votes."""

    gate: GateView
    votes: Sequence[VoteView]


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationDocument:
    """A seat that was lent."""

    delegation: Delegation


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationList:
    """The seats that are lent."""

    delegations: Sequence[Delegation]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedDelegation:
    """The number of a delegation that was taken back."""

    revoked: int


def gate_view(gate: Gate) -> GateView:
    """Return the view of a gate."""
    return GateView(
        id=gate.id,
        tenant=gate.tenant,
        run_id=gate.run_id,
        kind=gate.kind,
        status=gate.status,
        question=json.loads(gate.question),
        answer_schema=None if gate.answer_schema is None else json.loads(gate.answer_schema),
        answer=None if gate.answer is None else json.loads(gate.answer),
        decided_by=gate.decided_by,
        opened_at=gate.opened_at,
        expires_at=gate.expires_at,
        closed_at=gate.closed_at,
        effect_key=gate.effect_key,
        binding=gate.binding,
        approvals=gate.approvals,
        requester=gate.requester,
        on_expiry=gate.on_expiry,
        escalates_at=gate.escalates_at,
        escalates_to=gate.escalates_to,
        escalated_at=gate.escalated_at,
        decision=gate.decision,
        edited_by=None if gate.edit is None else gate.edit.by,
        consumed_at=gate.consumed_at,
        cap=gate.cap,
    )


def vote_view(vote: Vote) -> VoteView:
    """Return the view of a vote."""
    return VoteView(
        person=vote.person,
        seat=vote.seat,
        kind=vote.kind,
        reason=vote.reason,
        channel=vote.channel,
        at=vote.at,
    )


def gate_details(gate: Gate, votes: Sequence[Vote]) -> GateDetails:
    """Return a gate with its votes."""
    return GateDetails(gate=gate_view(gate), votes=[vote_view(each) for each in votes])
