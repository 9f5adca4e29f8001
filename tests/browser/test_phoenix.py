"""A run of the refund desk in a real Phoenix: one tree, across a gate and the death of a worker."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from penstock.checkpoints.schema import annotations
from penstock.contracts.clock import SystemClock
from penstock.contracts.ids import RunId, new_run_id
from penstock.contracts.run import Erased, Run, RunStatus
from penstock.traces.phoenix import PhoenixClient
from penstock.traces.phoenix_links import Annotator, PhoenixAnnotation, PhoenixLinks
from penstock.ui.dev.supervisor import tied_to_parent
from support.checkout import ROOT
from support.phoenixes import Running
from support.refund_desk import desk, environment
from support.shops import Shop
from world import World

pytestmark = pytest.mark.timeout(600)  # Phoenix makes its database first

PATIENCE_S = 120
ESPRESSO = "02-espresso-machine"

WORKS = """
import sys
from penstock.ui.cli.app import main
sys.argv = ["penstock", "worker"]
main()
"""
DIES_BEFORE_IT_PAYS = """
import asyncio, os, signal
from desk.payments import Payments

async def refund(*_, **__):
    # What has ended by now is sent meanwhile; what has not is lost with the worker.
    await asyncio.sleep(1.5)
    os.kill(os.getpid(), signal.SIGKILL)

Payments.refund = refund
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The services of the refund desk, in a folder that it looks into."""
    monkeypatch.setenv("REFUND_DESK_HOME", str(tmp_path))
    for name in ("PENSTOCK_MODEL", "REFUND_DESK_MAIL"):
        monkeypatch.delenv(name, raising=False)
    with World(tmp_path) as world:
        yield world


def start_worker(phoenix_url: str, *, program: str = WORKS) -> "subprocess.Popen[bytes]":
    """Start `penstock worker` for the desk, which tells Phoenix what it does."""
    told = {
        "PENSTOCK_GRAPHS": str(ROOT / "examples" / "refund_desk" / "langgraph.json"),
        "PENSTOCK_PHOENIX_URL": phoenix_url,
        "PENSTOCK_WORKER_BEAT_S": "0.2",
        "PENSTOCK_WORKER_LEASE_S": "2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": phoenix_url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    return subprocess.Popen(
        tied_to_parent([sys.executable, "-c", program]), env={**environment(), **told}
    )


@contextmanager
def worker(phoenix_url: str) -> Generator[None]:
    """Have a worker work, and end as it does at a SIGTERM."""
    process = start_worker(phoenix_url)
    try:
        yield
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait(PATIENCE_S)


async def until(office: Shop, run: Run, status: RunStatus) -> Run:
    """Wait until a run is in a state."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := await office.runtime.get(run.id)).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return found


async def until_told(office: Shop, count: int) -> None:
    """Wait until so much was written back to Phoenix."""
    query = select(annotations.c.subject).where(annotations.c.outcome == "told")
    async with asyncio.timeout(PATIENCE_S):
        while len(await office.store.read(lambda tx: tx.execute(query).all())) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def note(run_id: RunId, *, span_id: str | None = None) -> PhoenixAnnotation:
    """Return what could be told of a span, or of a trace."""
    return PhoenixAnnotation(
        run_id=run_id,
        span_id=span_id,
        name="decision",
        by=Annotator.HUMAN,
        label="approve",
        explanation=None,
        metadata={},
    )


async def test_a_run_is_one_tree_across_a_gate_and_a_sigkill(
    world: World, phoenix: Running, page: Page
) -> None:
    with desk() as office:
        run = await office.runtime.start(office.graph.name, {"ticket": ESPRESSO}, actor="ann")
        with worker(phoenix.url):
            await until(office, run, RunStatus.WAITING)
        (gate,) = await office.runtime.gates(run.id)
        await office.approvals.approve(gate.id, by="fay", binding=gate.binding or "")

        dying = start_worker(phoenix.url, program=DIES_BEFORE_IT_PAYS + WORKS)
        assert await asyncio.to_thread(dying.wait, PATIENCE_S) == -signal.SIGKILL

        with worker(phoenix.url):
            run = await until(office, run, RunStatus.SUCCEEDED)
            await until_told(office, 2)
    assert [each.cents for each in world.evidence.refunds()] == [489_00]

    links = PhoenixLinks(url=phoenix.url)
    await page.goto(links.trace(run.id))
    tree = page.locator("ul[data-testid=trace-tree]")
    segments = tree.get_by_text("agent.run", exact=True)
    await expect(segments).to_have_count(3)
    _, waiting, lost, last = (await tree.inner_text()).split("agent.run\n")
    assert all("tool.call" in segment for segment in (waiting, lost, last))
    assert "approval.wait" not in waiting
    # The wait is told where the run went on, with what a person decided; the end, of the trace.
    assert re.search(r"approval\.wait\n.*\ndecision\napprove\n", lost)
    assert "approval.wait" not in last
    await expect(page.get_by_text("outcome", exact=True).first).to_be_visible()
    await expect(page.get_by_text("succeeded", exact=True).first).to_be_visible()

    await segments.nth(1).click()
    await expect(page.get_by_text("its worker was lost").first).to_be_visible()
    await page.goto(links.session(run.thread_id))
    await expect(page.get_by_text(run.thread_id).first).to_be_visible()
    await page.goto(links.project("refund_desk"))
    await expect(page.get_by_role("link", name="refund_desk", exact=True)).to_be_visible()

    client = PhoenixClient(phoenix.url)
    assert await client.forget(run.id) == Erased(store="traces", count=1)
    assert await client.forget(run.id) == Erased(store="traces", count=0)
    assert await client.annotate(note(run.id)) == "it is not there"


@pytest.mark.skipif(sys.platform != "linux", reason="who listens where is asked of Linux")
def test_phoenix_listens_on_this_machine_only(phoenix: Running) -> None:
    assert phoenix.addresses() == {"0100007F", "0000000000000000FFFF00000100007F"}


def test_phoenix_keeps_traces_for_30_days_and_answers_to_no_page_of_others(
    phoenix: Running,
) -> None:
    asked = {
        "query": "{ defaultProjectTraceRetentionPolicy { rule { ...on"
        " TraceRetentionRuleMaxDays { maxDays } } } }"
    }
    with httpx.Client(base_url=phoenix.url, timeout=60) as http:
        answer = http.post("/graphql", json=asked).json()
        assert answer["data"]["defaultProjectTraceRetentionPolicy"]["rule"] == {"maxDays": 30.0}
        strange = http.post("/graphql", json=asked, headers={"Origin": "https://stranger.example"})
        assert strange.status_code == 401


async def test_what_phoenix_does_not_know_is_not_there(phoenix: Running) -> None:
    client, run_id = PhoenixClient(phoenix.url), new_run_id(SystemClock().now())
    assert await client.annotate(note(run_id)) == "it is not there"
    assert await client.annotate(note(run_id, span_id="0123456789abcdef")) == "it is not there"
    assert await client.forget(run_id) == Erased(store="traces", count=0)
