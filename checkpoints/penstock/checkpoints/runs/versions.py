"""The versions of a graph that runs were started with, and the nodes in which runs wait."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from penstock.checkpoints.runs.fitting import STANDING
from penstock.checkpoints.schema import runs, steps
from penstock.contracts.inbox import GraphVersion, WaitingNode
from penstock.contracts.run import RunStatus


def versions(connection: Connection, *, tenant: str, graph: str) -> Sequence[GraphVersion]:
    """Return the forms in which a tenant has had runs of a graph, the last used first."""
    number = func.count().label("number")
    counted = (
        select(
            runs.c.graph_version,
            runs.c.fingerprint,
            runs.c.status,
            number,
            func.min(runs.c.created_at).label("first_at"),
            func.max(runs.c.created_at).label("last_at"),
        )
        .where(runs.c.tenant == tenant, runs.c.graph == graph)
        .group_by(runs.c.graph_version, runs.c.fingerprint, runs.c.status)
    )
    found: dict[str, GraphVersion] = {}
    for row in connection.execute(counted):
        before = found.get(row.fingerprint)
        counts: Mapping[RunStatus, int] = {} if before is None else before.counts
        found[row.fingerprint] = GraphVersion(
            version=row.graph_version,
            fingerprint=row.fingerprint,
            counts={**counts, RunStatus(row.status): row.number},
            first_at=row.first_at if before is None else min(before.first_at, row.first_at),
            last_at=row.last_at if before is None else max(before.last_at, row.last_at),
        )
    return sorted(found.values(), key=lambda each: each.last_at, reverse=True)


def waiting_nodes(connection: Connection, *, tenant: str, graph: str) -> Sequence[WaitingNode]:
    """Return the nodes of a graph in which runs wait, those of most runs first.

    A run that waits in several nodes is counted in each.
    """
    number = func.count(runs.c.id.distinct()).label("number")
    counted = (
        select(steps.c.node, runs.c.graph_version, runs.c.fingerprint, number)
        .join(runs, (steps.c.run_id == runs.c.id) & (steps.c.epoch == runs.c.epoch))
        .where(
            runs.c.tenant == tenant,
            runs.c.graph == graph,
            runs.c.status == RunStatus.WAITING,
            steps.c.status.in_(STANDING),
        )
        .group_by(steps.c.node, runs.c.graph_version, runs.c.fingerprint)
        .order_by(number.desc(), steps.c.node)
    )
    return [
        WaitingNode(
            node=row.node, version=row.graph_version, fingerprint=row.fingerprint, count=row.number
        )
        for row in connection.execute(counted)
    ]
