"""Delegation: a person lends their seat at gates to another, for a time."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from penstock.checkpoints import audit
from penstock.checkpoints.gates.queries import get
from penstock.checkpoints.schema import delegations
from penstock.contracts.audit import AuditEvent
from penstock.contracts.errors import VoteRefused
from penstock.contracts.gate import OPERATORS, Delegation, Gate
from penstock.contracts.ids import GateId

IsTenantMember = Callable[[str, str, str], bool]
"""Whether a group has a person of a tenant in it, now."""


def delegate(
    connection: Connection,
    *,
    tenant: str,
    from_person: str,
    to_person: str,
    gate_id: GateId | None,
    starts_at: datetime,
    ends_at: datetime,
    at: datetime,
    by: str,
) -> Delegation:
    """Lend one person's seat to another, at one gate or at all.

    Raises:
        VoteRefused: it is not theirs, the two are one, or the dates are not in order.
        UnknownGate: there is no such gate.
    """
    if by != from_person:
        raise VoteRefused(f"`{by}` cannot lend the seat of `{from_person}`: only they can")
    if gate_id is not None:
        get(connection, gate_id)
    if from_person == to_person:
        raise VoteRefused(f"`{from_person}` cannot delegate to themselves")
    if not starts_at < ends_at:
        raise VoteRefused(
            f"a delegation ends after it begins; this one would end at {ends_at.isoformat()}"
        )
    row = connection.execute(
        delegations.insert()
        .values(
            tenant=tenant,
            from_person=from_person,
            to_person=to_person,
            gate_id=gate_id,
            starts_at=starts_at,
            ends_at=ends_at,
            created_by=by,
            created_at=at,
        )
        .returning(delegations.c.id)
    ).scalar_one()
    _record_event(connection, "created", tenant, row, at=at, actor=by, to=to_person, of=from_person)
    return _get(connection, row)


def revoke(
    connection: Connection, delegation_id: int, *, has: IsTenantMember, at: datetime, by: str
) -> None:
    """Revoke a delegation; from now on the other person has no vote for the seat.

    Raises:
        VoteRefused: they are neither of the two, nor an operator.
    """
    wanted = select(delegations).where(delegations.c.id == delegation_id)
    lent = connection.execute(wanted.with_for_update()).first()
    if lent is None:
        return
    if by not in {lent.from_person, lent.to_person} and not has(OPERATORS, by, lent.tenant):
        raise VoteRefused(
            f"`{by}` cannot take back what `{lent.from_person}` has lent `{lent.to_person}`: wanted"
            f" is one of them, or a member of `{OPERATORS}`"
        )
    revoked = connection.execute(
        update(delegations)
        .where(delegations.c.id == delegation_id, delegations.c.revoked_at.is_(None))
        .values(revoked_at=at)
        .returning(delegations.c.tenant)
    ).scalar()
    if revoked is not None:
        _record_event(connection, "revoked", revoked, delegation_id, at=at, actor=by)


def listed(connection: Connection, *, tenant: str, at: datetime) -> Sequence[Delegation]:
    """Return the delegations of a tenant that are not over."""
    statement = select(delegations).where(
        delegations.c.tenant == tenant,
        delegations.c.revoked_at.is_(None),
        delegations.c.ends_at > at,
    )
    return [_delegation(row) for row in connection.execute(statement.order_by(delegations.c.id))]


def lenders(connection: Connection, gate: Gate, person: str, *, now: datetime) -> Sequence[str]:
    """Return the people who have lent a person their seat at a gate, now.

    A lent seat cannot be lent on.
    """
    statement = select(delegations.c.from_person).where(
        delegations.c.tenant == gate.tenant,
        delegations.c.to_person == person,
        delegations.c.revoked_at.is_(None),
        delegations.c.starts_at <= now,
        delegations.c.ends_at > now,
        or_(delegations.c.gate_id.is_(None), delegations.c.gate_id == gate.id),
    )
    return connection.execute(statement.order_by(delegations.c.id)).scalars().all()


def _get(connection: Connection, delegation_id: int) -> Delegation:
    return _delegation(
        connection.execute(select(delegations).where(delegations.c.id == delegation_id)).one()
    )


def _delegation(row: object) -> Delegation:
    names = Delegation.__dataclass_fields__
    return Delegation(**{name: getattr(row, name) for name in names})


def _record_event(
    connection: Connection,
    action: str,
    tenant: str,
    delegation_id: int,
    *,
    at: datetime,
    actor: str,
    **detail: str,
) -> None:
    audit.append(
        connection,
        AuditEvent(
            tenant=tenant,
            at=at,
            actor=actor,
            action=f"delegation.{action}",
            run_id=None,
            detail={"delegation": delegation_id, **detail},
        ),
    )
