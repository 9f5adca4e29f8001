"""What the trace of a segment is told of the time before it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from penstock.checkpoints import Store, audit, gates, steps
from penstock.contracts.audit import AuditEvent
from penstock.contracts.gate import Gate
from penstock.contracts.run import Run
from penstock.contracts.step import Step
from penstock.traces import SegmentTrace

_Told = tuple[Sequence[AuditEvent], Sequence[Gate], Sequence[Step]]


async def tell_before(store: Store, run: Run, trace: SegmentTrace) -> None:
    """Have a trace write down what was before its segment: who called, waiting, what was lost."""
    if not trace.is_on:
        return

    def look(connection: Connection) -> _Told:
        return (
            audit.of_run(connection, run.id),
            gates.of_run(connection, run.id),
            steps.of_run(connection, run.id),
        )

    trace.goes_on(*await store.read(look))
