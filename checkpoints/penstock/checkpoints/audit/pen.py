"""Writing to the chains: events are gathered while a transaction lasts, and chained at its end.

A tenant's events are in one order, so whoever writes them is alone from the lock of the head to
the commit. On PostgreSQL the head is the last row that a transaction locks, after the keys of runs,
and heads are locked in the order of their tenants: nobody who holds one waits for anything else.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Executable,
    Insert,
    Update,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from penstock.checkpoints.audit import keys
from penstock.checkpoints.schema import audit_events, audit_heads, audit_marks
from penstock.checkpoints.statements import prepared
from penstock.contracts.audit import GENESIS, AuditEvent, ChainedEvent, Head, chain_event
from penstock.contracts.errors import AuditBroken

_PENDING = "penstock_audit"
"""Where a connection keeps what its transaction has to tell."""
_ALONE = text("SELECT pg_advisory_xact_lock(:place, hashtext(:tenant))")
_BEGINNING = 0x61756474
# PostgreSQL: one transaction begins the chain of a tenant; the place of such locks among others.


def begin(connection: Connection) -> None:
    """Have nothing to tell: a transaction begins."""
    if _PENDING in connection.info:
        # The one before did not commit, so a key that it made is not stored.
        keys.forget_known(connection)
    connection.info[_PENDING] = []


def end(connection: Connection) -> None:
    """Have nothing more to tell: the transaction has committed."""
    del connection.info[_PENDING]


def append(connection: Connection, event: AuditEvent) -> None:
    """Write `event` in the transaction of what it tells of, when that commits."""
    _pending(connection).append(event)


def count(connection: Connection) -> int:
    """Return how much there is to tell by now."""
    return len(_pending(connection))


def back_to(connection: Connection, count: int) -> None:
    """Forget what was told since there was so much: a change was undone."""
    del _pending(connection)[count:]


def seal(connection: Connection) -> None:
    """Chain what there is to tell; the last that a transaction does before it commits.

    Raises:
        AuditBroken: what is stored does not fit together; nothing may be added to it.
    """
    pending = _pending(connection)
    if not pending:
        return
    hiding = {event.run_id or "" for event in pending if event.texts or event.reason is not None}
    known = keys.of_runs(connection, sorted(hiding))
    by_tenant: dict[str, list[AuditEvent]] = {}
    for event in pending:
        by_tenant.setdefault(event.tenant, []).append(event)
    for tenant in sorted(by_tenant):
        last = _locked(connection, tenant)
        rows: list[ChainedEvent] = []
        for event in by_tenant[tenant]:
            row = chain_event(event, after=last, key=known.get(event.run_id or "", b""))
            last = Head(tenant=tenant, number=row.number, hash=row.hash)
            rows.append(row)
        try:
            _write(connection, rows, last)
        except Exception as error:
            if not _is_refused(error):
                raise
            raise _broken(tenant, error) from error


def _pending(connection: Connection) -> list[AuditEvent]:
    return connection.info[_PENDING]


def _locked(connection: Connection, tenant: str) -> Head:
    """Return a tenant's head, which nobody else moves until this transaction is over."""
    found = _lock.first(connection, {"of_tenant": tenant})
    if found is None:
        _begin(connection, tenant)
        found = _lock.first(connection, {"of_tenant": tenant})
    if found is None:
        raise AuditBroken(f"the head of the audit chain of tenant `{tenant}` cannot be written")
    return Head(tenant=tenant, number=found["number"], hash=found["hash"])


def _begin(connection: Connection, tenant: str) -> None:
    """Begin a tenant's chain, unless somebody else has meanwhile.

    PostgreSQL asks the triggers before it looks for a conflict, and they refuse a head where there
    are events. So whoever begins a chain is alone, and looks again before.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE, {"place": _BEGINNING, "tenant": tenant})
        if _lock.first(connection, {"of_tenant": tenant}) is not None:
            return
    try:
        _begin_chain.execute(connection, {"tenant": tenant, "number": 0, "hash": GENESIS})
        _begin_marks.execute(connection, {"tenant": tenant})
    except Exception as error:
        if not _is_refused(error):
            raise
        raise _broken(tenant, error) from error


def _write(connection: Connection, rows: Sequence[ChainedEvent], last: Head) -> None:
    _add.on(connection).execute_many(
        connection, [{name: getattr(row, name) for name in _COLUMNS} for row in rows]
    )
    _advance.execute(
        connection, {"of_tenant": last.tenant, "to_number": last.number, "to_hash": last.hash}
    )


def _is_refused(error: BaseException) -> bool:
    """Tell whether the triggers have refused what was written, or its place is taken."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    state: object = getattr(cause, "sqlstate", None)
    is_refused = type(cause).__name__ == "IntegrityError" if state is None else False
    return is_refused or (isinstance(state, str) and state.startswith("23"))


def _broken(tenant: str, error: BaseException) -> AuditBroken:
    found = str(error).splitlines()[0]
    return AuditBroken(
        f"nothing was written: {found}; `penstock audit verify` says where the chain of tenant"
        f" `{tenant}` is not as it was written"
    )


_COLUMNS = tuple(column.name for column in audit_events.c)


@prepared()
def _lock(_: Dialect) -> Executable:
    found = select(audit_heads.c.number, audit_heads.c.hash)
    return found.where(audit_heads.c.tenant == bindparam("of_tenant")).with_for_update()


@prepared("tenant", "number", "hash")
def _begin_chain(dialect: Dialect) -> Any:
    insert = (sqlite if dialect.name == "sqlite" else postgresql).insert(audit_heads)
    return insert.on_conflict_do_nothing()


@prepared("tenant")
def _begin_marks(dialect: Dialect) -> Any:
    insert = (sqlite if dialect.name == "sqlite" else postgresql).insert(audit_marks)
    return insert.on_conflict_do_nothing()


@prepared(*_COLUMNS)
def _add(_: Dialect) -> Insert:
    return audit_events.insert().inline()


@prepared()
def _advance(_: Dialect) -> Update:
    return (
        update(audit_heads)
        .where(audit_heads.c.tenant == bindparam("of_tenant"))
        .values(number=bindparam("to_number"), hash=bindparam("to_hash"))
    )
