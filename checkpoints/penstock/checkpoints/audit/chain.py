"""Writing to the audit chains: a transaction gathers events, and chains them as it commits.

The events of a tenant stand in one order, so a writer is alone from the lock of the chain's head to
the commit. On PostgreSQL the head is the last row that a transaction locks, after the keys of runs,
and heads are locked in the order of their tenants: a transaction that holds a head waits for
nothing else.

An event does not hold sensitive texts, only a code of each, made with the key of its run. A plain
hash of arguments could be guessed by whoever knows what they may be. Once the key is erased, the
code says nothing any more, and the chain still holds.
"""

import secrets
from collections.abc import Mapping, Sequence
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

from penstock.checkpoints.schema import audit_events, audit_heads, audit_marks, run_keys
from penstock.checkpoints.statements import prepared
from penstock.contracts.audit import GENESIS, AuditEvent, ChainedEvent, Head, chain_event
from penstock.contracts.errors import AuditBroken

KEY_BYTES = 32

_CACHED_KEYS = "penstock_run_keys"
_CACHED_KEYS_LIMIT = 512

_PENDING = "penstock_audit"
"""Where a connection keeps what its transaction has to tell."""

_LOCK_TENANT = text("SELECT pg_advisory_xact_lock(:place, hashtext(:tenant))")
_CHAIN_LOCK = 0x61756474
# PostgreSQL: one transaction begins the chain of a tenant; the namespace of such advisory locks.

_COLUMNS = tuple(column.name for column in audit_events.c)


def keys_of_runs(connection: Connection, run_ids: Sequence[str]) -> Mapping[str, bytes]:
    """Return the keys of runs, making those that have none yet.

    What is of no run is under an empty id. Two writers do not wait for each other: they ask for
    the keys in order.
    """
    # A connection whose transaction was lost is opened anew, so what it knows is stored.
    known: dict[str, bytes] = connection.info.setdefault(_CACHED_KEYS, {})
    if len(known) > _CACHED_KEYS_LIMIT:
        known.clear()
    for run_id in run_ids:
        if run_id not in known:
            known[run_id] = _stored_key(connection, run_id)
    return {run_id: known[run_id] for run_id in run_ids}


def forget_cached_keys(connection: Connection) -> None:
    """Trust nothing that a connection knows of keys."""
    connection.info.pop(_CACHED_KEYS, None)


def find_key(connection: Connection, run_id: str) -> bytes | None:
    """Return the key of a run; None where it was erased, or never needed."""
    found = _find_key.first(connection, {"of_run": run_id})
    return None if found is None else bytes(found["key"])


def begin(connection: Connection) -> None:
    """Have nothing to tell: a transaction begins."""
    if _PENDING in connection.info:
        # The one before did not commit, so a key that it made is not stored.
        forget_cached_keys(connection)
    connection.info[_PENDING] = []


def end(connection: Connection) -> None:
    """Have nothing more to tell: the transaction has committed."""
    del connection.info[_PENDING]


def append(connection: Connection, event: AuditEvent) -> None:
    """Write `event` in the transaction of what it tells of, when that commits."""
    _pending(connection).append(event)


def pending_count(connection: Connection) -> int:
    """Return how much there is to tell by now."""
    return len(_pending(connection))


def rollback_to(connection: Connection, count: int) -> None:
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
    known = keys_of_runs(connection, sorted(hiding))
    by_tenant: dict[str, list[AuditEvent]] = {}
    for event in pending:
        by_tenant.setdefault(event.tenant, []).append(event)
    for tenant in sorted(by_tenant):
        last = _locked_head(connection, tenant)
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


def _stored_key(connection: Connection, run_id: str) -> bytes:
    found = find_key(connection, run_id)
    if found is not None:
        return found
    _add_key.execute(connection, {"run_id": run_id, "key": secrets.token_bytes(KEY_BYTES)})
    made = find_key(connection, run_id)
    if made is None:
        raise LookupError(run_id)
    return made


@prepared()
def _find_key(_: Dialect) -> Executable:
    return select(run_keys.c.key).where(run_keys.c.run_id == bindparam("of_run"))


@prepared("run_id", "key")
def _add_key(dialect: Dialect) -> Any:
    insert = (sqlite if dialect.name == "sqlite" else postgresql).insert(run_keys)
    return insert.on_conflict_do_nothing()


def _pending(connection: Connection) -> list[AuditEvent]:
    return connection.info[_PENDING]


def _locked_head(connection: Connection, tenant: str) -> Head:
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
        connection.execute(_LOCK_TENANT, {"place": _CHAIN_LOCK, "tenant": tenant})
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
