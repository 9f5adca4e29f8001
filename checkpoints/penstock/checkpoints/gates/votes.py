"""Votes at gates of kind `approval`: who may cast one, what decides the gate, and its use.

Each function runs in one transaction on a locked gate: two votes cast at once count one after the
other. An approval is used once, for exactly the call that it was given for, in the transaction that
begins that call.
"""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, or_, update

from penstock.checkpoints.gates.closure import closed_message, expired_message
from penstock.checkpoints.gates.delegation import lenders
from penstock.checkpoints.gates.queries import editors_of, get, get_locked, record_event, votes_of
from penstock.checkpoints.schema import gate_votes, gates
from penstock.contracts.errors import GateClosed, GateStale, VoteRefused
from penstock.contracts.gate import (
    BREAK_GLASS,
    Ballot,
    Channel,
    Gate,
    GateKind,
    GateStatus,
    Vote,
    VoteKind,
)
from penstock.contracts.ids import GateId

IsMember = Callable[[str, str], bool]
"""Tells whether a group has a person as a member, now."""


def vote(
    connection: Connection, gate_id: GateId, ballot: Ballot, *, has: IsMember, at: datetime
) -> tuple[Gate, bool]:
    """Cast a vote; return the gate, and whether this vote decided it.

    The same vote of the same person again changes nothing and is no error. A rejection and a
    response decide at once; an approval does when every group has as many as it needs.

    Raises:
        GateClosed: it takes no votes any more: the message says who decided, and when.
        GateStale: the ballot is about something else than what the gate asks.
        VoteRefused: this person may not vote here, or not so.
        UnknownGate: there is no such gate.
    """
    gate, now = get_locked(connection, gate_id)
    votes = votes_of(connection, gate_id)
    earlier = next((vote for vote in votes if vote.person == ballot.person), None)
    if earlier is not None and _is_same(earlier, ballot):
        return gate, False
    require_open(gate, ballot.binding, now=now)
    if ballot.channel is Channel.BREAK_GLASS:
        raise VoteRefused(
            f"the vote at gate `{gate.id}` was not taken: who breaks the glass says so, and why"
        )
    if earlier is not None:
        raise VoteRefused(
            f"`{ballot.person}` voted already at gate `{gate.id}`, {earlier.kind} at"
            f" {earlier.at.isoformat(timespec='seconds')}; a vote is not changed"
        )
    if ballot.kind is not VoteKind.APPROVE and not (ballot.reason or "").strip():
        what = (
            "a rejection needs its reason"
            if ballot.kind is VoteKind.REJECT
            else ("a response needs the words that the graph is to be given")
        )
        raise VoteRefused(f"the vote at gate `{gate.id}` was not taken: {what}")
    seat = seat_of(connection, gate, ballot.person, has=has, now=now)
    if ballot.kind is not VoteKind.REJECT:
        _refuse_interested(connection, gate, {ballot.person, seat})
    taken = next((vote for vote in votes if vote.seat == seat), None)
    if taken is not None:
        raise VoteRefused(
            f"`{taken.person}` has voted at gate `{gate.id}` for `{seat}`, whose vote this would"
            " be as well"
        )
    return _cast(connection, gate, ballot, seat, has=has, at=at)


def break_glass(
    connection: Connection, gate_id: GateId, ballot: Ballot, *, has: IsMember, at: datetime
) -> tuple[Gate, bool]:
    """Approve alone, in place of everybody who would have to, because there is no time.

    Raises:
        GateClosed, GateStale, UnknownGate: as `vote`.
        VoteRefused: this person is not of the group for it, has a part in the call, or says no
            reason.
    """
    gate, now = get_locked(connection, gate_id)
    if gate.is_approved and gate.decided_by == ballot.person:
        return gate, False
    require_open(gate, ballot.binding, now=now)
    if not has(BREAK_GLASS, ballot.person):
        raise VoteRefused(
            f"`{ballot.person}` is not in the group `{BREAK_GLASS}`, whose members alone may"
            " approve alone"
        )
    _refuse_interested(connection, gate, {ballot.person})
    if not (ballot.reason or "").strip():
        raise VoteRefused("who approves alone has to say why")
    is_own = or_(gate_votes.c.person == ballot.person, gate_votes.c.seat == ballot.person)
    connection.execute(gate_votes.delete().where(gate_votes.c.gate_id == gate.id, is_own))
    _write(connection, gate, ballot, ballot.person, at=at)
    record_event(connection, gate, "glass_broken", at=at, actor=ballot.person, reason=ballot.reason)
    return _decide(connection, gate, ballot, at=at), True


def require_open(gate: Gate, binding: str, *, now: datetime) -> None:
    """Require that a gate is open, and asks what the voter has seen.

    Raises:
        GateClosed, GateStale, VoteRefused: as `vote`.
    """
    if gate.kind is not GateKind.APPROVAL:
        raise VoteRefused(
            f"gate `{gate.id}` is of kind `{gate.kind}` and takes an answer, not a vote"
        )
    if gate.status is not GateStatus.OPEN:
        raise GateClosed(closed_message(gate))
    if gate.expires_at is not None and now >= gate.expires_at:
        raise GateClosed(expired_message(gate.id, gate.expires_at))
    if binding != gate.binding:
        raise GateStale(
            f"what was seen is not what waits at gate `{gate.id}` now; look at it again"
        )


def seat_of(
    connection: Connection, gate: Gate, person: str, *, has: IsMember, now: datetime
) -> str:
    """Return whose seat a person votes with: their own, or one that was lent to them.

    Raises:
        VoteRefused: they have no seat there.
    """
    groups = groups_of(gate)
    if any(has(group, person) for group in groups):
        return person
    for lender in lenders(connection, gate, person, now=now):
        if any(has(group, lender) for group in groups):
            return lender
    named = ", ".join(f"`{group}`" for group in groups)
    raise VoteRefused(
        f"`{person}` may not decide at gate `{gate.id}`: its groups are {named}, and they are in"
        " none of them"
    )


def groups_of(gate: Gate) -> Sequence[str]:
    """Return the groups whose members may vote now."""
    groups = list(gate.approvals or {})
    if gate.escalated_at is not None and gate.escalates_to is not None:
        groups.append(gate.escalates_to)
    return groups


def has_quorum(gate: Gate, votes: Collection[Vote], *, has: IsMember) -> bool:
    """Tell whether a gate has enough approvals, by the present members of its groups."""
    approving = [vote for vote in votes if vote.kind is VoteKind.APPROVE]
    if any(
        vote.channel is Channel.BREAK_GLASS and has(BREAK_GLASS, vote.person) for vote in approving
    ):
        return True
    beside = [gate.escalates_to] if gate.escalated_at and gate.escalates_to else []
    return bool(gate.approvals) and all(
        sum(any(has(each, vote.seat) for each in (group, *beside)) for vote in approving) >= count
        for group, count in (gate.approvals or {}).items()
    )


def consume(
    connection: Connection,
    gate_id: GateId,
    binding: str,
    *,
    has: IsMember,
    at: datetime,
    actor: str,
) -> str | None:
    """Use an approval for the call that begins in this transaction; return why it cannot be used.

    The people who approved must still be in their groups. The approval of a call that began before
    was used then: further attempts of the same call need no approval of their own.
    """
    gate, now = get_locked(connection, gate_id)
    if gate.binding != binding:
        return "what was approved is not what is called"
    if gate.consumed_at is not None:
        return None
    if gate.status is not GateStatus.DECIDED or not gate.is_approved:
        return f"its gate is {gate.status}, and not approved"
    if gate.expires_at is not None and now >= gate.expires_at:
        return f"its approval expired at {gate.expires_at.isoformat(timespec='seconds')}"
    if not has_quorum(gate, votes_of(connection, gate.id), has=has):
        return "somebody who approved is not in their group any more, and the rest are too few"
    connection.execute(
        update(gates)
        .where(
            gates.c.id == gate_id,
            gates.c.status == GateStatus.DECIDED,
            gates.c.consumed_at.is_(None),
        )
        .values(consumed_at=at)
    )
    record_event(connection, gate, "consumed", at=at, actor=actor)
    return None


def _is_same(earlier: Vote, ballot: Ballot) -> bool:
    """Tell whether a ballot repeats a vote, so that a double click does no harm."""
    says_same = ballot.kind is not VoteKind.RESPOND or ballot.reason == earlier.reason
    return earlier.kind is ballot.kind and says_same


def _refuse_interested(connection: Connection, gate: Gate, concerned: Collection[str]) -> None:
    """Refuse people with an interest in the call: its requester and its editors."""
    is_edited = gate.edit is not None
    for editor in editors_of(connection, gate):
        if editor in concerned:
            raise VoteRefused(
                f"`{editor}` has edited the call at gate `{gate.id}`; somebody else has to"
                " approve it"
            )
    if gate.requester in concerned and (is_edited or not gate.may_confirm_self):
        raise VoteRefused(
            f"the run acts for `{gate.requester}`, so somebody else has to decide at gate"
            f" `{gate.id}`"
        )


def _cast(
    connection: Connection, gate: Gate, ballot: Ballot, seat: str, *, has: IsMember, at: datetime
) -> tuple[Gate, bool]:
    _write(connection, gate, ballot, seat, at=at)
    record_event(
        connection,
        gate,
        "voted",
        at=at,
        actor=ballot.person,
        reason=ballot.reason,
        vote=ballot.kind,
        seat=seat,
        channel=ballot.channel,
    )
    is_approval = ballot.kind is VoteKind.APPROVE
    if is_approval and not has_quorum(gate, votes_of(connection, gate.id), has=has):
        return gate, False
    return _decide(connection, gate, ballot, at=at), True


def _write(connection: Connection, gate: Gate, ballot: Ballot, seat: str, *, at: datetime) -> None:
    connection.execute(
        gate_votes.insert().values(
            gate_id=gate.id,
            seat=seat,
            person=ballot.person,
            kind=ballot.kind,
            reason=ballot.reason,
            channel=ballot.channel,
            at=at,
        )
    )


def _decide(connection: Connection, gate: Gate, ballot: Ballot, *, at: datetime) -> Gate:
    answer = {"decision": ballot.kind, "reason": ballot.reason}
    connection.execute(
        update(gates)
        .where(gates.c.id == gate.id, gates.c.status == GateStatus.OPEN)
        .values(
            status=GateStatus.DECIDED,
            answer=json.dumps(answer),
            decided_by=ballot.person,
            closed_at=at,
            wakes_at=None,
        )
    )
    decided = get(connection, gate.id)
    record_event(connection, decided, "decided", at=at, actor=ballot.person, decision=ballot.kind)
    return decided
