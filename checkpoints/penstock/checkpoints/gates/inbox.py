"""The inbox: gates as one person sees them, on four shelves.

The shelf of a gate is decided in SQL, so that a page of a long list costs no more than a page.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from penstock.checkpoints.gates.queries import gates_of
from penstock.checkpoints.schema import delegations, gate_approvals, gate_votes, gates, runs
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.ids import GateId
from penstock.contracts.inbox import GateFilter, ListedGate, Seat, Shelf, Viewer

COUNT_LIMIT = 1_000
"""Counts stop here: nobody reads whether there are more."""

_RISK = {
    GateKind.IN_DOUBT: 0,
    GateKind.APPROVAL: 1,
    GateKind.BUDGET: 2,
    GateKind.QUESTION: 3,
}
"""The order of gates that expire together: calls that may have happened come first."""


def shelf(
    connection: Connection,
    viewer: Viewer,
    which: Shelf,
    wanted: GateFilter,
    *,
    limit: int,
    offset: int = 0,
) -> Sequence[ListedGate]:
    """Return a page of a shelf, ordered by expiry, then by risk.

    Decided gates are ordered by their decision, the last first.
    """
    ids = select(gates.c.id).where(*_where(viewer, which, wanted))
    found = connection.execute(ids.order_by(*_order(which)).limit(limit).offset(offset))
    return of_ids(connection, [GateId(row.id) for row in found])


def count(connection: Connection, viewer: Viewer, which: Shelf, wanted: GateFilter) -> int:
    """Return how many gates lie on a shelf; of many, not all are counted."""
    ids = select(gates.c.id).where(*_where(viewer, which, wanted))
    some = ids.limit(COUNT_LIMIT).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def of_ids(connection: Connection, gate_ids: Sequence[GateId]) -> Sequence[ListedGate]:
    """Return these gates with the graph and principal of their runs, in this order."""
    statement: Select[Any] = (
        select(*gates.c, runs.c.graph, runs.c.principal)
        .join(runs, runs.c.id == gates.c.run_id)
        .where(gates.c.id.in_(gate_ids))
    )
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    about = {row["id"]: (row.pop("graph"), row.pop("principal")) for row in rows}
    known = {gate.id: gate for gate in gates_of(connection, rows)}
    return [
        ListedGate(gate=known[gate_id], graph=about[gate_id][0], principal=about[gate_id][1])
        for gate_id in gate_ids
        if gate_id in known
    ]


def counts(connection: Connection, viewer: Viewer, wanted: GateFilter) -> Mapping[Shelf, int]:
    """Return how many gates lie on each shelf; of what was decided, not all are counted."""
    lies_on = case(
        (_is_mine(viewer), Shelf.MINE.value),
        (_is_asked(viewer.seats, own_only=True), Shelf.TEAMS.value),
        else_=Shelf.OTHERS.value,
    ).label("shelf")
    lie = select(lies_on).where(*_where(viewer, None, wanted)).subquery()
    rows = connection.execute(
        select(lie.c.shelf, func.count().label("number")).group_by(lie.c.shelf)
    )
    found = {Shelf(row.shelf): row.number for row in rows}
    decided = count(connection, viewer, Shelf.DECIDED, wanted)
    return {Shelf.MINE: 0, Shelf.TEAMS: 0, Shelf.OTHERS: 0, **found, Shelf.DECIDED: decided}


def is_mine(connection: Connection, viewer: Viewer, gate_id: GateId) -> bool:
    """Tell whether a gate lies on the shelf of those that a person may decide now."""
    conditions = _where(viewer, Shelf.MINE, GateFilter())
    found = select(gates.c.id).where(gates.c.id == gate_id, *conditions)
    return connection.execute(found).first() is not None


def graphs_asking(connection: Connection, *, tenant: str) -> Mapping[str, int]:
    """Return the graphs that wait at gates, each with at how many."""
    asking = (
        select(runs.c.graph, func.count().label("number"))
        .join(gates, gates.c.run_id == runs.c.id)
        .where(gates.c.status == GateStatus.OPEN, gates.c.tenant == tenant)
        .group_by(runs.c.graph)
        .order_by(runs.c.graph)
    )
    return {row.graph: row.number for row in connection.execute(asking)}


def seats_lent_to(
    connection: Connection, person: str, *, tenant: str, now: datetime
) -> Sequence[tuple[str, GateId | None]]:
    """Return whose seats were lent to a person, each with its gate, or None for all gates."""
    lent = select(delegations.c.from_person, delegations.c.gate_id).where(
        delegations.c.tenant == tenant,
        delegations.c.to_person == person,
        delegations.c.revoked_at.is_(None),
        delegations.c.starts_at <= now,
        delegations.c.ends_at > now,
    )
    return [
        (row.from_person, None if row.gate_id is None else GateId(row.gate_id))
        for row in connection.execute(lent.order_by(delegations.c.id))
    ]


def _where(viewer: Viewer, which: Shelf | None, wanted: GateFilter) -> list[ColumnElement[bool]]:
    """Return the conditions of gates on a shelf; without a shelf, of all open gates."""
    conditions = [gates.c.tenant == viewer.tenant]
    is_over = and_(
        gates.c.status == GateStatus.OPEN,
        gates.c.expires_at.is_not(None),
        gates.c.expires_at <= viewer.now,
    )
    if which is Shelf.DECIDED:
        conditions.append(or_(gates.c.status != GateStatus.OPEN, is_over))
    else:
        conditions += [gates.c.status == GateStatus.OPEN, not_(is_over)]
        mine, teams = _is_mine(viewer), _is_asked(viewer.seats, own_only=True)
        match which:
            case Shelf.MINE:
                conditions.append(mine)
            case Shelf.TEAMS:
                conditions += [not_(mine), teams]
            case Shelf.OTHERS:
                conditions += [not_(mine), not_(teams)]
            case None:
                pass
    if wanted.kinds:
        conditions.append(gates.c.kind.in_(sorted(wanted.kinds)))
    if wanted.graph is not None:
        # Looked up gate by gate: a join might begin with all the runs of the graph.
        conditions.append(exists().where(runs.c.id == gates.c.run_id, runs.c.graph == wanted.graph))
    return conditions


def _is_mine(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a person may decide an open gate now."""
    persons = sorted({viewer.person, *(seat.person for seat in viewer.seats)})
    has_voted = exists().where(
        gate_votes.c.gate_id == gates.c.id,
        or_(gate_votes.c.person == viewer.person, gate_votes.c.seat == viewer.person),
    )
    edited = gates.alias("edited")
    has_edited = exists().where(
        edited.c.run_id == gates.c.run_id,
        edited.c.effect_key == gates.c.effect_key,
        edited.c.edit_of_digest == gates.c.edit_of_digest,
        edited.c.edit_by.in_(persons),
    )
    is_own = and_(
        gates.c.requester == viewer.person,
        or_(gates.c.may_confirm_self == 0, gates.c.edit_by.is_not(None)),
    )
    may_vote = and_(
        gates.c.kind == GateKind.APPROVAL,
        _is_asked(viewer.seats, own_only=False),
        not_(has_voted),
        not_(is_own),
        or_(gates.c.edit_by.is_(None), not_(has_edited)),
    )
    acts_for_them = exists().where(runs.c.id == gates.c.run_id, runs.c.principal == viewer.person)
    may_answer = (
        gates.c.kind != GateKind.APPROVAL
        if viewer.is_operator
        else and_(gates.c.kind == GateKind.QUESTION, acts_for_them)
    )
    return or_(may_vote, may_answer)


def _is_asked(seats: Collection[Seat], *, own_only: bool) -> ColumnElement[bool]:
    """Return the condition under which a gate asks one of the groups that seats belong to."""
    asked = [_asks(seat) for seat in list(seats)[: 1 if own_only else None]]
    return and_(gates.c.kind == GateKind.APPROVAL, or_(false(), *asked))


def _asks(seat: Seat) -> ColumnElement[bool]:
    here = true() if seat.gate_id is None else gates.c.id == seat.gate_id
    if seat.groups is None:
        return here
    groups = sorted(seat.groups)
    named = exists().where(
        gate_approvals.c.gate_id == gates.c.id, gate_approvals.c.group_name.in_(groups)
    )
    escalated = and_(gates.c.escalated_at.is_not(None), gates.c.escalates_to.in_(groups))
    return and_(here, or_(named, escalated))


def _order(which: Shelf) -> list[ColumnElement[Any]]:
    if which is Shelf.DECIDED:
        return [gates.c.closed_at.desc(), gates.c.id]
    risk = case(_RISK, value=gates.c.kind, else_=9)
    return [gates.c.expires_at.asc().nulls_last(), risk, gates.c.opened_at, gates.c.id]
