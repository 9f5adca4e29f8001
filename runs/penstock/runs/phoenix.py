"""Writes back to Phoenix how people decided and how runs ended; never in the way of a run."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from sqlalchemy import Connection

from penstock.checkpoints import Store, annotations, gates, runs
from penstock.contracts.clock import Clock
from penstock.contracts.errors import PhoenixUnreachable
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.redaction import redact
from penstock.contracts.run import ENDED, Run
from penstock.contracts.trace import Annotation, TraceContent
from penstock.traces import gate_span_id, span_hex
from penstock.traces.phoenix_links import Annotator, PhoenixAnnotation

log = logging.getLogger(__name__)

TAKE_LIMIT = 5
"""So many are taken at once: they must be told before they are anybody's again."""
LOOK_BACK = timedelta(days=1)
"""What happened longer ago is not found any more."""
TROUBLE_S = 30.0
"""So long nothing is tried after nobody was there."""


class AnnotationTarget(Protocol):
    """Where it is told: `penstock.traces.phoenix_links.Phoenix`."""

    async def tell(self, note: PhoenixAnnotation) -> str | None:
        """Tell; return why it was not taken, None if it was.

        Raises:
            PhoenixUnreachable: nobody answers.
        """
        ...


class AnnotationService:
    """Tells a Phoenix what happened in one store, as one worker of perhaps many."""

    def __init__(
        self,
        store: Store,
        phoenix: AnnotationTarget,
        clock: Clock,
        content: Callable[[Run], TraceContent],
    ) -> None:
        """Tell `phoenix`; `content` says how much of texts the traces of a run's graph show."""
        self._store = store
        self._phoenix = phoenix
        self._clock = clock
        self._content = content
        self._stopping = asyncio.Event()
        self._is_troubled = False

    async def work(self, *, every_s: float) -> None:
        """Tell what is due, again and again, until `stop`; no failure of it ends a worker."""
        while not self._stopping.is_set():
            wait_s = every_s
            try:
                if await self.tell_due():
                    continue
            except PhoenixUnreachable as error:
                if not self._is_troubled:
                    log.warning("%s What was decided is told later.", error)
                self._is_troubled = True
                wait_s = TROUBLE_S
            except Exception:
                # The top of a task of a worker: runs go on, whatever is wrong here.
                log.exception("Phoenix could not be told; it is tried again")
                wait_s = TROUBLE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()

    def stop(self) -> None:
        """Tell nothing more after what is being told now."""
        self._stopping.set()

    async def tell_due(self) -> int:
        """Tell what is due, a few at most; return how many were taken.

        Raises:
            PhoenixUnreachable: nobody is there; what was not told by then is told later.
        """
        since = self._clock.now() - LOOK_BACK
        if not await self._store.read(lambda tx: annotations.any_due(tx, since=since)):
            return 0
        taken = await self._store.write(
            lambda tx: annotations.take(tx, since=since, limit=TAKE_LIMIT)
        )
        for number, annotation in enumerate(taken):
            try:
                await self._tell(annotation)
            except PhoenixUnreachable:
                await self._put_back(taken[number:])
                raise
            self._is_troubled = False
        return len(taken)

    async def _tell(self, annotation: Annotation) -> None:
        note = await self._store.read(lambda tx: self._note(tx, annotation))
        if note is None:
            await self._store.write(
                lambda tx: annotations.record_sent(tx, annotation, outcome="the run goes on")
            )
            return
        why = await self._phoenix.tell(note)
        await self._store.write(
            lambda tx: (
                annotations.record_sent(tx, annotation)
                if why is None
                else annotations.record_failure(tx, annotation, why=why)
            )
        )

    async def _put_back(self, left: Sequence[Annotation]) -> None:
        def change(connection: Connection) -> None:
            for annotation in left:
                annotations.release(connection, annotation, wait_s=TROUBLE_S)

        await self._store.write(change)

    def _note(self, connection: Connection, annotation: Annotation) -> PhoenixAnnotation | None:
        """Return what is to be told as it stands now; None if there is nothing any more."""
        run = runs.get(connection, annotation.run_id)
        shows_texts = self._content(run) is not TraceContent.DIGESTS
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
    said = run.cancel_reason if run.failure is None else run.failure.message
    return PhoenixAnnotation(
        run_id=run.id,
        span_id=None,
        name="outcome",
        by=Annotator.CODE,
        label=run.status if run.failure is None else f"{run.status}: {run.failure.code}",
        explanation=redact(said) if said and shows_texts else None,
        metadata={"epoch": run.epoch, "cancelled_by": run.cancel_by},
    )
