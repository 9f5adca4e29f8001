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
from sqlalchemy.exc import DBAPIError

from penstock.checkpoints.schema import audit_events, audit_heads, audit_marks, run_keys
from penstock.checkpoints.statements import insert_or_keep, prepared
from penstock.contracts.audit import GENESIS, AuditEvent, ChainedEvent, Head, chain_event
from penstock.contracts.errors import AuditBroken

KEY_BYTES = 32

_CACHED_KEYS = "penstock_run_keys"
_CACHED_KEYS_LIMIT = 512

_PENDING = "penstock_audit"
"""Where a connection keeps the pending events of its transaction."""

_LOCK_TENANT = text("SELECT pg_advisory_xact_lock(:place, hashtext(:tenant))")
_CHAIN_LOCK = 0x61756474
# PostgreSQL: one transaction begins the chain of a tenant; the namespace of such advisory locks.

_COLUMNS = tuple(column.name for column in audit_events.c)


def keys_of_runs(connection: Connection, run_ids: Sequence[str]) -> Mapping[str, bytes]:
    """Return the keys of runs, and make the missing ones.

    Events without a run use the key of the empty id. Keys are made in the order of `run_ids`, so
    two writers with sorted ids do not wait for each other.
    """
    # A connection whose transaction was lost is opened again, so every cached key is stored.
    keys: dict[str, bytes] = connection.info.setdefault(_CACHED_KEYS, {})
    if len(keys) > _CACHED_KEYS_LIMIT:
        keys.clear()
    for run_id in run_ids:
        if run_id not in keys:
            keys[run_id] = _stored_key(connection, run_id)
    return {run_id: keys[run_id] for run_id in run_ids}


def forget_cached_keys(connection: Connection) -> None:
    """Drop the keys that a connection has cached."""
    connection.info.pop(_CACHED_KEYS, None)


def find_key(connection: Connection, run_id: str) -> bytes | None:
    """Return the key of a run; None where it was erased, or never needed."""
    found = _find_key.first(connection, {"of_run": run_id})
    return None if found is None else bytes(found["key"])


def begin(connection: Connection) -> None:
    """Begin a transaction without pending events."""
    if _PENDING in connection.info:
        # The transaction before did not commit, so a key that it made is not stored.
        forget_cached_keys(connection)
    connection.info[_PENDING] = []


def end(connection: Connection) -> None:
    """End a transaction that has committed."""
    del connection.info[_PENDING]


def append(connection: Connection, event: AuditEvent) -> None:
    """Append `event` to the chain of its tenant as the transaction commits."""
    _pending(connection).append(event)


def pending_count(connection: Connection) -> int:
    """Return how many events are pending."""
    return len(_pending(connection))


def rollback_to(connection: Connection, count: int) -> None:
    """Drop the events after the first `count`: the change that appended them was undone."""
    del _pending(connection)[count:]


def seal(connection: Connection) -> None:
    """Write the pending events to their chains; the last step of a transaction before its commit.

    Raises:
        AuditBroken: the stored chain is inconsistent; nothing may be added to it.
    """
    pending = _pending(connection)
    if not pending:
        return
    with_codes = {
        event.run_id or "" for event in pending if event.texts or event.reason is not None
    }
    keys = keys_of_runs(connection, sorted(with_codes))
    by_tenant: dict[str, list[AuditEvent]] = {}
    for event in pending:
        by_tenant.setdefault(event.tenant, []).append(event)
    for tenant in sorted(by_tenant):
        last = _locked_head(connection, tenant)
        rows: list[ChainedEvent] = []
        for event in by_tenant[tenant]:
            row = chain_event(event, after=last, key=keys.get(event.run_id or "", b""))
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
def _add_key(dialect: Dialect) -> Insert:
    return insert_or_keep(dialect, run_keys).inline()


def _pending(connection: Connection) -> list[AuditEvent]:
    return connection.info[_PENDING]


def _locked_head(connection: Connection, tenant: str) -> Head:
    """Return a tenant's head, locked until this transaction is over."""
    found = _lock.first(connection, {"of_tenant": tenant})
    if found is None:
        _begin(connection, tenant)
        found = _lock.first(connection, {"of_tenant": tenant})
    if found is None:
        raise AuditBroken(f"the head of the audit chain of tenant `{tenant}` cannot be written")
    return Head(tenant=tenant, number=found["number"], hash=found["hash"])


def _begin(connection: Connection, tenant: str) -> None:
    """Begin a tenant's chain, unless another transaction has meanwhile.

    PostgreSQL runs the triggers before it detects a conflict, and they refuse a head where there
    are events. So whoever begins a chain holds a lock, and looks for the head once more.
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
    """Tell whether a trigger or a unique constraint has refused a row."""
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
def _begin_chain(dialect: Dialect) -> Insert:
    return insert_or_keep(dialect, audit_heads).inline()


@prepared("tenant")
def _begin_marks(dialect: Dialect) -> Insert:
    return insert_or_keep(dialect, audit_marks).inline()


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
