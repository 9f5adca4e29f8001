"""Policies in the store: every version that was ever loaded, and which one decides.

Versions are never changed or deleted. A rollback activates an earlier version again.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, Dialect, Executable, RowMapping, bindparam, func, select, text

from penstock.checkpoints import audit
from penstock.checkpoints.gates import recheck_approvals
from penstock.checkpoints.schema import policy_activations, policy_versions
from penstock.checkpoints.statements import prepared
from penstock.contracts.audit import AuditEvent
from penstock.contracts.errors import PolicyChanged, UnknownPolicy
from penstock.contracts.policy import (
    Activation,
    PolicyFile,
    PolicySource,
    PolicyVersion,
)

EVERYBODY = "*"
"""The tenant of events that concern all tenants: a policy belongs to its graph."""

_FILES = TypeAdapter(tuple[PolicyFile, ...])
_LOCK_GRAPH = text("SELECT pg_advisory_xact_lock(:place, hashtext(:graph))")
_POLICY_LOCK = 0x706F6C69
"""PostgreSQL: one transaction changes a graph's policy; the namespace of such advisory locks."""


def load(
    connection: Connection, graph: str, source: PolicySource, *, at: datetime, by: str
) -> tuple[PolicyVersion, bool]:
    """Store a version of a graph's policy and activate it, unless it was stored before.

    Returns it, and whether it is new. A version that was stored before is left as it is: only
    `activate` activates it, so that a worker that starts does not undo a rollback.
    """
    _lock_graph(connection, graph)
    known = _number(connection, graph, source)
    if known is not None:
        return get(connection, graph, known), False
    number = _add(connection, graph, source, at=at, by=by)
    return activate(connection, graph, number, at=at, by=by), True


def replace(
    connection: Connection,
    graph: str,
    source: PolicySource,
    *,
    seen: str | None,
    at: datetime,
    by: str,
) -> PolicyVersion:
    """Activate a version in place of the one with the digest `seen`; None where none decided.

    The version is stored, unless it was stored before.

    Raises:
        PolicyChanged: another version decides by now; nothing was changed.
    """
    _lock_graph(connection, graph)
    if active_digest(connection, graph) != seen:
        raise PolicyChanged(_changed(connection, graph))
    number = _number(connection, graph, source)
    if number is None:
        number = _add(connection, graph, source, at=at, by=by)
    return activate(connection, graph, number, at=at, by=by)


def activate(
    connection: Connection, graph: str, number: int, *, at: datetime, by: str
) -> PolicyVersion:
    """Make a version decide from now on; calls that wait for an approval are decided again.

    Raises:
        UnknownPolicy: there is no such version.
    """
    _lock_graph(connection, graph)
    source = get(connection, graph, number).source
    connection.execute(policy_activations.insert().values(graph=graph, number=number, at=at, by=by))
    _record_event(connection, "activated", graph, number, source.digest, at=at, actor=by)
    recheck_approvals(connection, graph=graph)
    return get(connection, graph, number)


def active_digest(connection: Connection, graph: str) -> str | None:
    """Return the digest of the version that decides about a graph's calls; None without one."""
    found = _active.first(connection, {"of_graph": graph})
    return None if found is None else found["digest"]


def active(connection: Connection, graph: str) -> PolicyVersion:
    """Return the version that decides about a graph's calls.

    Raises:
        UnknownPolicy: none was loaded.
    """
    found = _active.first(connection, {"of_graph": graph})
    if found is None:
        raise UnknownPolicy(
            f"no policy was loaded for graph `{graph}` yet; a worker that starts loads it, or"
            f" `penstock policy load {graph}`"
        )
    return get(connection, graph, found["number"])


def get(connection: Connection, graph: str, number: int) -> PolicyVersion:
    """Return a version.

    Raises:
        UnknownPolicy: there is none; the message says which there are.
    """
    found = [version for version in versions(connection, graph) if version.number == number]
    if not found:
        known = ", ".join(f"`{each.name}`" for each in versions(connection, graph)) or "none"
        raise UnknownPolicy(f"there is no policy `{graph}@{number}`; loaded are {known}")
    return found[0]


def name_of(connection: Connection, graph: str, digest: str) -> str | None:
    """Return what people call the version of this digest: `desk@2`; None where none is kept."""
    wanted = select(policy_versions.c.number).where(
        policy_versions.c.graph == graph, policy_versions.c.digest == digest
    )
    number = connection.execute(wanted).scalar()
    return None if number is None else f"{graph}@{number}"


def versions(connection: Connection, graph: str) -> Sequence[PolicyVersion]:
    """Return the versions of a graph's policy, the newest first."""
    found = _active.first(connection, {"of_graph": graph})
    now = None if found is None else found["number"]
    statement = select(policy_versions).where(policy_versions.c.graph == graph)
    rows = connection.execute(statement.order_by(policy_versions.c.number.desc())).mappings()
    return [_version(row, is_active=row["number"] == now) for row in rows]


def activations(connection: Connection, graph: str, *, limit: int) -> Sequence[Activation]:
    """Return which versions were made to decide, the newest first: the first of them decides."""
    statement = (
        select(policy_activations)
        .where(policy_activations.c.graph == graph)
        .order_by(policy_activations.c.id.desc())
        .limit(limit)
    )
    return [
        Activation(number=row.number, at=row.at, by=row.by) for row in connection.execute(statement)
    ]


def graphs(connection: Connection) -> Sequence[str]:
    """Return the names of the graphs for which a policy was ever loaded."""
    named = select(policy_versions.c.graph).distinct().order_by(policy_versions.c.graph)
    return connection.execute(named).scalars().all()


@prepared()
def _active(_: Dialect) -> Executable:
    newest = (
        select(policy_activations.c.number)
        .where(policy_activations.c.graph == bindparam("of_graph"))
        .order_by(policy_activations.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(policy_versions.c.number, policy_versions.c.digest).where(
        policy_versions.c.graph == bindparam("of_graph"), policy_versions.c.number == newest
    )


def _lock_graph(connection: Connection, graph: str) -> None:
    """Keep other transactions from changing a graph's policy until this one ends."""
    # On SQLite whoever writes is alone.
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK_GRAPH, {"place": _POLICY_LOCK, "graph": graph})


def _number(connection: Connection, graph: str, source: PolicySource) -> int | None:
    """Return under which number a version is kept; None where it is not."""
    same = select(policy_versions.c.number).where(
        policy_versions.c.graph == graph, policy_versions.c.digest == source.digest
    )
    return connection.execute(same).scalar()


def _add(connection: Connection, graph: str, source: PolicySource, *, at: datetime, by: str) -> int:
    """Add a version under the next number."""
    last = select(func.max(policy_versions.c.number)).where(policy_versions.c.graph == graph)
    number = (connection.execute(last).scalar() or 0) + 1
    connection.execute(
        policy_versions.insert().values(
            graph=graph,
            number=number,
            digest=source.digest,
            source=_FILES.dump_json(source.files).decode(),
            loaded_at=at,
            loaded_by=by,
        )
    )
    _record_event(connection, "loaded", graph, number, source.digest, at=at, actor=by)
    return number


def _changed(connection: Connection, graph: str) -> str:
    newest = activations(connection, graph, limit=1)
    if not newest:
        return f"no policy of graph `{graph}` decides any more"
    return (
        f"`{graph}@{newest[0].number}` decides by now, which `{newest[0].by}` activated at"
        f" {newest[0].at:%Y-%m-%d %H:%M:%S} UTC. Look at what changed, and compare with that"
    )


def _version(row: RowMapping, *, is_active: bool) -> PolicyVersion:
    return PolicyVersion(
        graph=row["graph"],
        number=row["number"],
        source=PolicySource(files=_FILES.validate_json(row["source"]), digest=row["digest"]),
        loaded_at=row["loaded_at"],
        loaded_by=row["loaded_by"],
        is_active=is_active,
    )


def _record_event(
    connection: Connection,
    action: str,
    graph: str,
    number: int,
    digest: str,
    *,
    at: datetime,
    actor: str,
) -> None:
    audit.append(
        connection,
        AuditEvent(
            tenant=EVERYBODY,
            at=at,
            actor=actor,
            action=f"policy.{action}",
            run_id=None,
            detail={"policy": digest, "version": f"{graph}@{number}"},
        ),
    )
