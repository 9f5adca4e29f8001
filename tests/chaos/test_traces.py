"""A run whose worker was killed has one tree all the same."""

import signal
import subprocess
import sys
from pathlib import Path

from penstock.checkpoints import Store
from penstock.contracts.ids import RunId
from penstock.contracts.run import RunStatus
from penstock.traces import segment_span_id
from support.checkout import ROOT, import_path
from support.rounds import Log
from support.shops import Shop
from support.spans import Spans, span_id, told
from support.traced import calling

PROGRAM = Path(__file__).parent / "traced_kill.py"


async def test_what_a_killed_worker_left_open_is_written_by_whoever_takes_over(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    done = subprocess.run(  # noqa: ASYNC221  (nothing else is on this loop)
        [sys.executable, PROGRAM, database_url, tmp_path],
        env={"PYTHONPATH": import_path(), "LANGGRAPH_STRICT_MSGPACK": "true", "PATH": ""},
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
