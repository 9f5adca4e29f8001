"""A run whose worker was killed, or only stopped, has one tree all the same."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan

from penstock.checkpoints import Store
from penstock.contracts.ids import RunId
from penstock.contracts.run import RunStatus
from penstock.traces import segment_span_id
from penstock.ui.dev.supervisor import tied_to_parent
from support.checkout import ROOT, import_path
from support.rounds import Log
from support.shops import Shop
from support.spans import Spans, span_id, told
from support.traced import calling

HERE = Path(__file__).parent
ENV = {"PYTHONPATH": import_path(), "LANGGRAPH_STRICT_MSGPACK": "true", "PATH": ""}
PATIENCE_S = 60.0


async def test_what_a_killed_worker_left_open_is_written_by_whoever_takes_over(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    done = subprocess.run(  # noqa: ASYNC221  (nothing else is on this loop)
        tied_to_parent([sys.executable, str(HERE / "traced_kill.py"), database_url, str(tmp_path)]),
        env=ENV,
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    log, spans = Log(tmp_path / "log"), Spans()
    ((run_id,),) = log.read("run")
    shop = Shop(store, calling(lambda: None), tracing=spans.pipeline)
    run = await shop.go_on(await shop.runtime.get(RunId(run_id)))
    assert run.status is RunStatus.SUCCEEDED, run.failure

    before = log.read("span")
    assert sorted(name for name, _, _ in before) == [
        *("agent.step", "policy.check", "policy.check", "policy.check"),
        *("tool.call", "tool.call"),
    ]
    after = [
        (span.name, span_id(span), None if span.parent is None else span.parent.span_id)
        for span in spans.all()
    ]
    ids = {int(number) for _, number, _ in before} | {number for _, number, _ in after}
    assert len(ids) == len(before) + len(after), "a span was written twice"
    hanging = {
        (name, parent)
        for name, _, parent in [
            *(
                (name, int(number), None if above == "-" else int(above))
                for name, number, above in before
            ),
            *after,
        ]
        if parent is not None and parent not in ids
    }
    # The call that it was killed in: what it had decided about it was written, and it was not.
    assert {name for name, _ in hanging} == {"policy.check"}
    assert len(hanging) == 1

    lost = spans.root(run, 1)
    assert lost.status.description == "its worker was lost"
    (cut,) = [
        span
        for span in spans.named("agent.step")
        if span.parent is not None and span.parent.span_id == segment_span_id(run.id, 1)
    ]
    assert told(cut)["penstock.node"] == "second"
    assert [event.name for event in spans.root(run, 2).events] == ["takeover"]


async def test_a_call_of_a_worker_that_was_only_stopped_says_that_its_lease_was_lost(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    log, spans = Log(tmp_path / "log"), Spans()
    first = subprocess.Popen(  # noqa: ASYNC220  (nothing else is on this loop)
        tied_to_parent([sys.executable, str(HERE / "traced_stop.py"), database_url, str(tmp_path)]),
        env=ENV,
        cwd=ROOT,
    )
    try:
        _, status = os.waitpid(first.pid, os.WUNTRACED)  # noqa: ASYNC222  (nothing else is here)
        assert os.WIFSTOPPED(status), status
        ((run_id,),) = log.read("run")
        shop = Shop(store, calling(lambda: None), tracing=spans.pipeline)
        run = await shop.go_on(await shop.runtime.get(RunId(run_id)))
        assert run.status is RunStatus.SUCCEEDED, run.failure
        first.send_signal(signal.SIGCONT)
        async with asyncio.timeout(PATIENCE_S):
            while not log.read("lost"):  # noqa: ASYNC110  (a file tells)
                await asyncio.sleep(0.05)
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE_S) == 0
    finally:
        first.kill()
        first.wait()

    theirs = {int(number): (name, above) for name, number, above in log.read("span")}
    ours = {span_id(span): span for span in spans.all()}
    assert not theirs.keys() & ours.keys(), "a span was written twice"
    assert len(theirs) == len(log.read("span"))
    ((name, refused, event),) = log.read("event")
    assert (name, event) == ("tool.call", "lease_lost")
    # It hangs below what was written for it: nothing of its own is in the air.
    (step,) = [each for each in ours.values() if is_lost_step(each)]
    assert theirs[int(refused)] == ("tool.call", str(span_id(step)))
    ids = theirs.keys() | ours.keys()
    assert all(above != "-" and int(above) in ids for _, above in theirs.values())
    assert all(span.parent is None or span.parent.span_id in ids for span in ours.values())
    assert "agent.run" not in {name for name, _ in theirs.values()}
    assert spans.root(run, 1).status.description == "its worker was lost"


def is_lost_step(span: ReadableSpan) -> bool:
    """Tell whether a span is a step that was written for a worker that was lost."""
    return span.name == "agent.step" and span.status.description == "its worker was lost"
