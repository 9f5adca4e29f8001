"""Looking over many runs at once, each no more than is needed to act on exactly what was seen."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, RowMapping, select

from penstock.checkpoints.runs.fitting import fits
from penstock.checkpoints.schema import runs
from penstock.contracts.bulk import SeenRun
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import RunStatus


def look_over(
    connection: Connection,
    wanted: RunFilter,
    *,
    ids: Collection[RunId] | None = None,
    before: RunId | None = None,
    limit: int,
) -> Sequence[SeenRun]:
    """Return what is seen of runs that fit, newest first: of these, if `ids` names some."""
    statement = select(*_COLUMNS).where(*fits(wanted)).order_by(runs.c.id.desc()).limit(limit)
    if ids is not None:
        statement = statement.where(runs.c.id.in_(sorted(ids)))
    if before is not None:
        statement = statement.where(runs.c.id < before)
    return [_seen(row) for row in connection.execute(statement).mappings()]


_COLUMNS = (
    *(runs.c.id, runs.c.graph, runs.c.principal, runs.c.status, runs.c.epoch),
    *(runs.c.changed_at, runs.c.cancel_by, runs.c.failure_redrivable),
)


def _seen(row: RowMapping) -> SeenRun:
    values = dict(row)
    is_redrivable = bool(values.pop("failure_redrivable"))
    status = RunStatus(values.pop("status"))
    return SeenRun(status=status, is_redrivable=is_redrivable, **values)
