"""The keys of runs: what an event does not tell is a code made with its run's.

A plain hash of arguments could be guessed by whoever knows what they may be. When the key is
erased, the code says nothing any more, and the chain still holds.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from penstock.checkpoints.schema import run_keys
from penstock.checkpoints.statements import prepared

KEY_BYTES = 32

_KNOWN = "penstock_run_keys"
_KNOWN_LIMIT = 512


def of_runs(connection: Connection, run_ids: Sequence[str]) -> Mapping[str, bytes]:
    """Return the keys of runs, making those that have none yet.

    What is of no run is under an empty id. Two writers do not wait for each other: they ask for
    the keys in order.
    """
    # A connection whose transaction was lost is opened anew, so what it knows is stored.
    known: dict[str, bytes] = connection.info.setdefault(_KNOWN, {})
    if len(known) > _KNOWN_LIMIT:
        known.clear()
    for run_id in run_ids:
        if run_id not in known:
            known[run_id] = _kept(connection, run_id)
    return {run_id: known[run_id] for run_id in run_ids}


def forget_known(connection: Connection) -> None:
    """Trust nothing that a connection knows of keys."""
    connection.info.pop(_KNOWN, None)


def find(connection: Connection, run_id: str) -> bytes | None:
    """Return the key of a run; None where it was erased, or never needed."""
    found = _find.first(connection, {"of_run": run_id})
    return None if found is None else bytes(found["key"])


def _kept(connection: Connection, run_id: str) -> bytes:
    found = find(connection, run_id)
    if found is not None:
        return found
    _add.execute(connection, {"run_id": run_id, "key": secrets.token_bytes(KEY_BYTES)})
    made = find(connection, run_id)
    if made is None:
        raise LookupError(run_id)
    return made


@prepared()
def _find(_: Dialect) -> Executable:
    return select(run_keys.c.key).where(run_keys.c.run_id == bindparam("of_run"))


@prepared("run_id", "key")
def _add(dialect: Dialect) -> Any:
    insert = (sqlite if dialect.name == "sqlite" else postgresql).insert(run_keys)
    return insert.on_conflict_do_nothing()
