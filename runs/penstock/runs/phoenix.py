"""Annotations in Phoenix: how people decided at gates, and how runs ended.

Nothing here delays a run. What is due is found in the store; what Phoenix does not take is tried
again.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from sqlalchemy import Connection
from typing_extensions import override

from penstock.checkpoints import Store, annotations, gates, runs
from penstock.contracts.clock import Clock
from penstock.contracts.errors import PhoenixUnreachable
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import WorkerId
from penstock.contracts.redaction import redact
from penstock.contracts.run import ENDED, Run
from penstock.contracts.trace import Annotation, TraceContent
from penstock.runs.services import Service
from penstock.traces import gate_span_id, span_hex
from penstock.traces.phoenix_links import Annotator, PhoenixAnnotation

TAKE_LIMIT = 5
"""So many annotations are taken at once; a take expires if they are not sent in time."""

LOOK_BACK = timedelta(days=1)
"""What happened longer ago is not annotated."""

RETRY_S = 30.0
"""Seconds until the next attempt, when Phoenix could not be reached."""


class AnnotationTarget(Protocol):
    """Where annotations are sent: `penstock.traces.phoenix.PhoenixClient`."""

    async def annotate(self, note: PhoenixAnnotation) -> str | None:
        """Send an annotation; return why it was refused, None if it was accepted.

        Raises:
            PhoenixUnreachable: nobody answers.
        """
        ...


class AnnotationService(Service):
    """Sends the annotations of a store that are due to Phoenix.

    Several workers may do so: each takes annotations of its own.
    """

    name = "annotations in Phoenix"
    backoff_s = RETRY_S

    def __init__(
        self,
        store: Store,
        phoenix: AnnotationTarget,
        clock: Clock,
        trace_content: Callable[[str], TraceContent],
    ) -> None:
        """Send to `phoenix`; `trace_content` says how much of texts the traces of a graph show."""
        self._store = store
        self._phoenix = phoenix
        self._clock = clock
        self._trace_content = trace_content

    @override
    async def run_once(self, worker: WorkerId) -> bool:
        """Send annotations that are due; return whether there were any.

        Raises:
            PhoenixUnreachable: nobody answers.
        """
        return await self.send_due() > 0

    async def send_due(self) -> int:
        """Send annotations that are due, at most `TAKE_LIMIT`; return how many were taken.

        Raises:
            PhoenixUnreachable: nobody answers; what was not sent by then is sent later.
        """
        since = self._clock.now() - LOOK_BACK
        if not await self._store.read(lambda tx: annotations.any_due(tx, since=since)):
            return 0
        taken = await self._store.write(
            lambda tx: annotations.take(tx, since=since, limit=TAKE_LIMIT)
        )
        for number, annotation in enumerate(taken):
            try:
                await self._send(annotation)
            except PhoenixUnreachable:
                await self._put_back(taken[number:])
                raise
        return len(taken)

    async def _send(self, annotation: Annotation) -> None:
        note = await self._store.read(lambda tx: self._note(tx, annotation))
        if note is None:
            await self._store.write(
                lambda tx: annotations.record_sent(tx, annotation, outcome="the run goes on")
            )
            return
        refusal = await self._phoenix.annotate(note)
        await self._store.write(
            lambda tx: (
                annotations.record_sent(tx, annotation)
                if refusal is None
                else annotations.record_failure(tx, annotation, why=refusal)
            )
        )

    async def _put_back(self, unsent: Sequence[Annotation]) -> None:
        def change(connection: Connection) -> None:
            for annotation in unsent:
                annotations.release(connection, annotation, wait_s=RETRY_S)

        await self._store.write(change)

    def _note(self, connection: Connection, annotation: Annotation) -> PhoenixAnnotation | None:
        """Return an annotation as it stands now; None if there is nothing to annotate any more."""
        run = runs.get(connection, annotation.run_id)
        shows_texts = self._trace_content(run.graph) is not TraceContent.DIGESTS
        if annotation.gate_id is not None:
            return _decision(gates.get(connection, annotation.gate_id), shows_texts=shows_texts)
        return _outcome(run, shows_texts=shows_texts) if run.status in ENDED else None


def _decision(gate: Gate, *, shows_texts: bool) -> PhoenixAnnotation:
    is_decided = gate.status is GateStatus.DECIDED
    label = gate.status if gate.decision is None else gate.decision
    return PhoenixAnnotation(
        run_id=gate.run_id,
        span_id=span_hex(gate_span_id(gate.id)),
        name="decision",
        by=Annotator.HUMAN if is_decided else Annotator.CODE,
        label=label,
        explanation=redact(gate.reason) if gate.reason and shows_texts else None,
        metadata={"gate": gate.id, "kind": gate.kind, "decided_by": gate.decided_by},
    )


def _outcome(run: Run, *, shows_texts: bool) -> PhoenixAnnotation:
    text = run.cancel_reason if run.failure is None else run.failure.message
    return PhoenixAnnotation(
        run_id=run.id,
        span_id=None,
        name="outcome",
        by=Annotator.CODE,
        label=run.status if run.failure is None else f"{run.status}: {run.failure.code}",
        explanation=redact(text) if text and shows_texts else None,
        metadata={"epoch": run.epoch, "cancelled_by": run.cancel_by},
    )
