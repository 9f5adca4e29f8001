"""Notices to people about gates: written with the gate, sent later, and never in its way.

A notice is sent by whichever worker claims it. It is an effect of the runtime's own: claimed for a
time, retried with growing waits, and given up in the end. It may be sent twice: a worker that dies
between sending and recording it leaves a notice that another worker claims.

The link in a notice leads to its gate once: the first person who follows it has used it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Update, delete, exists, func, or_, select, update

from penstock.checkpoints.gates.queries import get
from penstock.checkpoints.schema import gates, notices, used_links
from penstock.checkpoints.statements import database_now, insert_or_keep
from penstock.contracts.errors import InvalidLink
from penstock.contracts.gate import OPERATORS, Gate, GateStatus, Notice, NoticeCounts, NoticeKind
from penstock.contracts.ids import GateId

WARNING_SHARE = 0.2
"""A warning is due when this share of a gate's time is left, or `WARNING_S` if that is shorter."""

WARNING_S = 3600.0

LEAST_WARNING_S = 60.0
"""No warning is sent that would come nearer to the expiry than this."""

TAKEN_S = 60.0
"""How long a notice belongs to the worker that took it; longer than sending may take."""

FIRST_WAIT_S = 30.0
"""After a failure; each further wait is twice as long."""

ATTEMPT_LIMIT = 8
"""A notice is given up after so many failures."""

DROP_LIMIT = 100
"""How many void notices are closed at a time."""

_GIVEN_UP = "given up: "


def announce(connection: Connection, gate: Gate, *, expires_s: float | None = None) -> None:
    """Schedule notices to a gate's groups: that it is open, and before it expires, if it does.

    For a gate without groups, the operators are notified. For a gate whose life is so short that
    the warning would come at its very end, there is no warning.
    """
    ahead_s = min((expires_s or 0.0) * WARNING_SHARE, WARNING_S)
    for group in gate.approvals or (OPERATORS,):
        _add(connection, gate, NoticeKind.OPENED, group, due_s=0.0)
        if expires_s is not None and ahead_s >= LEAST_WARNING_S:
            _add(connection, gate, NoticeKind.EXPIRING, group, due_s=expires_s - ahead_s)


def announce_escalation(connection: Connection, gate: Gate) -> None:
    """Schedule a notice to the group that a gate was escalated to."""
    if gate.escalates_to is not None:
        _add(connection, gate, NoticeKind.ESCALATED, gate.escalates_to, due_s=0.0)


def any_due(connection: Connection) -> bool:
    """Tell whether `take` has something to do."""
    due = select(notices.c.id).where(*_due(connection)).limit(1)
    return connection.execute(due).first() is not None


def take(connection: Connection, *, limit: int) -> Sequence[Notice]:
    """Take notices that are due, for `TAKEN_S`, those that have waited longest first.

    Some void notices are closed on the way: those of gates that are not open any more, and those
    that were taken too often by workers that died while sending.
    """
    _drop(connection, ~_asks(connection), outcome="the gate does not ask any more")
    _drop(
        connection,
        notices.c.attempt_count >= ATTEMPT_LIMIT,
        outcome=f"{_GIVEN_UP}who took it has not said what came of it",
    )
    due = (
        select(notices.c.id)
        .where(*_due(connection), notices.c.attempt_count < ATTEMPT_LIMIT, _asks(connection))
        .order_by(notices.c.due_at, notices.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(due).scalars().all()
    if not found:
        return []
    rows = connection.execute(
        update(notices)
        .where(notices.c.id.in_(found))
        .values(
            due_at=database_now(connection.dialect, plus_s=TAKEN_S),
            attempt_count=notices.c.attempt_count + 1,
        )
        .returning(*notices.c)
    )
    taken = {row.id: row for row in rows}
    return [_notice(taken[notice_id]) for notice_id in found]


def record_sent(connection: Connection, notice: Notice, *, outcome: str) -> None:
    """Close a notice that was sent, with its outcome.

    A late report is accepted too: that it was sent is true all the same.
    """
    connection.execute(_open(notice).values(closed_at=_now(connection), outcome=outcome))


def record_failure(
    connection: Connection, notice: Notice, *, why: str, delivered: Collection[str] = ()
) -> None:
    """Schedule another attempt of a notice that some channel has not received, or give it up.

    `delivered` names the channels that have received it. The report of a worker is ignored if
    another worker has taken the notice since.
    """
    is_own = notices.c.attempt_count == notice.attempt_count
    if notice.attempt_count >= ATTEMPT_LIMIT:
        given_up = f"{_GIVEN_UP}{why}"
        connection.execute(
            _open(notice).where(is_own).values(closed_at=_now(connection), outcome=given_up)
        )
        return
    wait_s = FIRST_WAIT_S * 2 ** (notice.attempt_count - 1)
    connection.execute(
        _open(notice)
        .where(is_own)
        .values(
            due_at=database_now(connection.dialect, plus_s=wait_s),
            told=" ".join(sorted({*notice.delivered, *delivered})) or None,
        )
    )


def counts(connection: Connection, *, tenant: str) -> NoticeCounts:
    """Return how many of a tenant's notices are due and were given up."""
    of_tenant = (notices.c.tenant == tenant, _asks(connection))
    count = select(func.count()).select_from(notices)
    due = connection.execute(count.where(*of_tenant, *_due(connection))).scalar()
    is_given_up = notices.c.outcome.startswith(_GIVEN_UP)
    given_up = connection.execute(count.where(*of_tenant, is_given_up)).scalar()
    return NoticeCounts(due=due or 0, given_up=given_up or 0)


def purge(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete at most `limit` notices of gates closed before an instant; return how many.

    Notices that were never taken are deleted too, as where no worker has a channel. A notice that
    was given up stays as long as its gate is open, to be seen.
    """
    is_over = exists().where(gates.c.id == notices.c.gate_id, gates.c.closed_at < before)
    old = (
        select(notices.c.id)
        .where(is_over)
        .order_by(notices.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(old).scalars().all()
    if not found:
        return 0
    return connection.execute(delete(notices).where(notices.c.id.in_(found))).rowcount


def use_link(
    connection: Connection, nonce: str, *, gate_id: GateId, until: datetime, person: str
) -> None:
    """Use a link for a person; the person who used it first may follow it until it expires.

    Raises:
        InvalidLink: it is too old, by the database's clock, or somebody else has used it.
        UnknownGate: there is no such gate.
    """
    get(connection, gate_id)
    now = connection.execute(select(database_now(connection.dialect))).scalar_one()
    if now >= until:
        raise InvalidLink(
            f"the link was good until {until.isoformat(timespec='seconds')}; find the gate in the"
            " list of open ones, if it is still there"
        )
    connection.execute(
        insert_or_keep(connection.dialect, used_links).values(
            nonce=nonce, gate_id=gate_id, used_by=person, used_at=now
        )
    )
    used_by = select(used_links.c.used_by).where(used_links.c.nonce == nonce)
    if connection.execute(used_by).scalar_one() != person:
        raise InvalidLink(
            "the link was followed by somebody else already, and leads there once; find the gate"
            " in the list of open ones"
        )


def purge_links(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete at most `limit` records of links used before an instant; return how many.

    `before` is longer ago than a link is valid if its gate has no expiry. The record of a link that
    may still be valid stays, or the link could be used again.
    """
    may_be_good = exists().where(gates.c.id == used_links.c.gate_id, gates.c.expires_at >= before)
    old = (
        select(used_links.c.nonce)
        .where(used_links.c.used_at < before, ~may_be_good)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(old).scalars().all()
    if not found:
        return 0
    return connection.execute(delete(used_links).where(used_links.c.nonce.in_(found))).rowcount


def _now(connection: Connection) -> ColumnElement[Any]:
    return database_now(connection.dialect)


def _due(connection: Connection) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return notices.c.closed_at.is_(None), notices.c.due_at <= _now(connection)


def _asks(connection: Connection) -> ColumnElement[bool]:
    """Return the condition that the gate of a notice can still be decided."""
    return (
        select(gates.c.id)
        .where(
            gates.c.id == notices.c.gate_id,
            gates.c.status == GateStatus.OPEN,
            or_(gates.c.expires_at.is_(None), gates.c.expires_at > _now(connection)),
        )
        .exists()
    )


def _open(notice: Notice) -> Update:
    return update(notices).where(notices.c.id == notice.id, notices.c.closed_at.is_(None))


def _drop(connection: Connection, is_void: ColumnElement[bool], *, outcome: str) -> None:
    void = (
        select(notices.c.id)
        .where(*_due(connection), is_void)
        .order_by(notices.c.due_at)
        .limit(DROP_LIMIT)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(void).scalars().all()
    if found:
        connection.execute(
            update(notices)
            .where(notices.c.id.in_(found))
            .values(closed_at=_now(connection), outcome=outcome)
        )


def _notice(row: Any) -> Notice:
    return Notice(
        id=row.id,
        tenant=row.tenant,
        gate_id=GateId(row.gate_id),
        kind=NoticeKind(row.kind),
        group=row.group_name,
        due_at=row.due_at,
        attempt_count=row.attempt_count,
        delivered=frozenset((row.told or "").split()),
    )


def _add(connection: Connection, gate: Gate, kind: NoticeKind, group: str, *, due_s: float) -> None:
    connection.execute(
        insert_or_keep(connection.dialect, notices).values(
            tenant=gate.tenant,
            gate_id=gate.id,
            kind=kind,
            group_name=group,
            due_at=database_now(connection.dialect, plus_s=due_s),
            attempt_count=0,
        )
    )
