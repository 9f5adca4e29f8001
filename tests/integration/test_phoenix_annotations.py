"""What Phoenix is told of decisions and ends: what it reads, and what becomes of troubles."""

import asyncio
import logging
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, select, update

from penstock.checkpoints import Store
from penstock.checkpoints.runs import claim, move, redrive, wake
from penstock.checkpoints.schema import annotations as rows
from penstock.checkpoints.statements import database_now
from penstock.contracts.errors import PhoenixUnreachable
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Failure, FailureCode, Fence, RunStatus
from penstock.contracts.trace import TraceContent
from penstock.runs.phoenix import AnnotationService
from penstock.traces import gate_span_id, span_hex
from penstock.traces.phoenix_links import Annotator, PhoenixAnnotation
from support.approvals import open_approval, reject
from support.runs import NOW, Runs
from support.services import serving

LATER = NOW + timedelta(minutes=1)
GONE = PhoenixUnreachable("nobody is there")


class Later:
    """A clock that stands, a little after all that happens here."""

    def now(self) -> datetime:
        """Return its instant."""
        return LATER


class Reader:
    """Stands for Phoenix: hears what is told, and answers as it is to."""

    def __init__(self) -> None:
        self.heard: list[PhoenixAnnotation] = []
        self.answers: list[str | Exception | None] = []

    async def annotate(self, note: PhoenixAnnotation) -> str | None:
        """Hear a note."""
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            self.heard.append(note)
        return answer


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def annotating(store: Store, reader: Reader) -> AnnotationService:
    return make(store, reader, TraceContent.REDACTED)


def make(store: Store, reader: Reader, content: TraceContent) -> AnnotationService:
    return AnnotationService(store, reader, Later(), lambda _: content)


def rejected(store: Store, runs: Runs) -> Fence:
    """Have a person say no at a gate, and the run go on."""
    fence = runs.start("one")
    gate = open_approval(store, fence)
    runs.park(fence)
    reject(store, gate)

    def go_on(tx: Connection) -> Fence:
        wake(tx, fence.run_id, at=NOW, actor="test")
        claimed = claim(tx, fence.run_id, WorkerId("two"), lease_s=60, at=LATER)
        assert claimed is not None
        return claimed.fence

    return store.write_blocking(go_on)


def failed(store: Store, runs: Runs, message: str) -> Fence:
    """Have a run fail."""
    fence = runs.start("one")
    failure = Failure(code=FailureCode.TOOL_FAILED, message=message, redrivable=True)
    store.write_blocking(
        lambda tx: move(tx, fence, RunStatus.FAILED, at=NOW, actor="test", failure=failure)
    )
    return fence


def outcomes(store: Store) -> list[str | None]:
    return [row.outcome for row in store.read_blocking(lambda tx: tx.execute(select(rows)).all())]


def be_due(store: Store) -> None:
    """Have everything that waits be due now."""
    store.write_blocking(
        lambda tx: tx.execute(update(rows).values(due_at=database_now(tx.dialect, plus_s=-1.0)))
    )


async def test_a_decision_is_told_of_the_span_of_its_gate(
    store: Store, runs: Runs, annotating: AnnotationService, reader: Reader
) -> None:
    fence = rejected(store, runs)
    assert await annotating.send_due() == 1
    (note,) = reader.heard
    gate_id = note.metadata["gate"]
    assert note == PhoenixAnnotation(
        run_id=fence.run_id,
        span_id=span_hex(gate_span_id(gate_id)),
        name="decision",
        by=Annotator.HUMAN,
        label="reject",
        explanation="no",
        metadata={"gate": gate_id, "kind": "approval", "decided_by": "eve"},
    )
    assert outcomes(store) == ["told"]
    assert await annotating.send_due() == 0


async def test_an_end_is_told_of_the_trace_of_its_run(
    store: Store, runs: Runs, annotating: AnnotationService, reader: Reader
) -> None:
    fence = failed(store, runs, "the shop is closed")
    await annotating.send_due()
    (note,) = reader.heard
    assert (note.run_id, note.span_id, note.by) == (fence.run_id, None, Annotator.CODE)
    assert (note.name, note.label) == ("outcome", "failed: tool_failed")
    assert note.explanation == "the shop is closed"


async def test_secrets_in_words_are_not_told(
    store: Store, runs: Runs, annotating: AnnotationService, reader: Reader
) -> None:
    failed(store, runs, "refused: password=hunter2hunter2 of ann@example.com")
    await annotating.send_due()
    (note,) = reader.heard
    assert note.explanation is not None
    assert "hunter2" not in note.explanation
    assert "ann@example.com" not in note.explanation


async def test_where_traces_show_digests_no_words_are_told(
    store: Store, runs: Runs, reader: Reader
) -> None:
    failed(store, runs, "the shop is closed")
    await make(store, reader, TraceContent.DIGESTS).send_due()
    (note,) = reader.heard
    assert (note.label, note.explanation) == ("failed: tool_failed", None)


async def test_a_run_that_was_redriven_since_is_not_said_to_have_ended(
    store: Store, runs: Runs, annotating: AnnotationService, reader: Reader
) -> None:
    fence = failed(store, runs, "the shop is closed")
    reader.answers = ["it is not there"]
    await annotating.send_due()
    store.write_blocking(lambda tx: redrive(tx, fence.run_id, at=LATER, by="ann"))
    be_due(store)
    await annotating.send_due()
    assert reader.heard == []
    assert outcomes(store) == ["the run goes on"]


async def test_a_span_that_comes_late_is_told_of_later(
    store: Store, runs: Runs, annotating: AnnotationService, reader: Reader
) -> None:
    rejected(store, runs)
    reader.answers = ["it is not there"]
    assert await annotating.send_due() == 1
    assert outcomes(store) == [None]
    assert await annotating.send_due() == 0
    be_due(store)
    await annotating.send_due()
    assert len(reader.heard) == 1


async def test_nobody_there_costs_no_attempt(
    store: Store, runs: Runs, annotating: AnnotationService, reader: Reader
) -> None:
    rejected(store, runs)
    for _ in range(3):
        reader.answers = [GONE]
        with pytest.raises(PhoenixUnreachable):
            await annotating.send_due()
        assert await annotating.send_due() == 0
        be_due(store)
    await annotating.send_due()
    assert len(reader.heard) == 1
    counts = select(rows.c.attempt_count)
    assert store.read_blocking(lambda tx: tx.execute(counts).scalars().all()) == [1]


async def test_it_works_until_it_is_stopped_and_says_a_trouble_once(
    store: Store,
    runs: Runs,
    annotating: AnnotationService,
    reader: Reader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    annotating.backoff_s = 0.05
    caplog.set_level(logging.WARNING, logger="penstock.runs.services")
    rejected(store, runs)
    reader.answers = [GONE, GONE, ValueError("what")]
    async with asyncio.timeout(60), serving(annotating):
        while not reader.heard:
            be_due(store)
            await asyncio.sleep(0.02)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
