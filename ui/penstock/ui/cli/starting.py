"""`penstock run`: start a run, and with `--wait` see it through."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from penstock.contracts.budget import Budget
from penstock.contracts.errors import InvalidInput, PenstockError
from penstock.contracts.gate import Gate
from penstock.contracts.run import Run, RunMode, RunStatus, WhenBusy
from penstock.graphs import Catalog, Graph
from penstock.runs.policies import ABOUT_BUILTIN
from penstock.runs.settings import Settings
from penstock.traces import Tracing
from penstock.ui.cli import rendering
from penstock.ui.cli.exits import Exit
from penstock.ui.cli.given import read_json
from penstock.ui.cli.output import Output, dump
from penstock.ui.cli.progress import Progress
from penstock.ui.cli.showing import result
from penstock.ui.project import Project, load_graphs, open_project
from penstock.ui.signals import KILLED, stopped_by_signals
from penstock.ui.telemetry import open_tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How a run is waited for."""

    drive: bool
    """Whether this process drives it itself."""
    timeout_s: float | None


def start(
    settings: Settings,
    output: Output,
    *,
    graph: str,
    given: str,
    key: str | None,
    thread: str | None,
    when_busy: WhenBusy,
    mode: RunMode,
    traceparent: str | None,
    deadline_s: float | None,
    budget: Budget,
    parent: str | None,
    tags: Collection[str],
    waiting: Waiting | None,
) -> int:
    """Queue a run; wait for it if that is asked for."""
    value = read_json(given, what="input", refusal=InvalidInput)
    catalog = load_graphs(settings)
    known = catalog.get(graph)
    try:
        known.budget.tightened(budget)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    with open_project(settings, catalog) as desk:

        async def begin() -> int:
            above = None if parent is None else await desk.run(parent)
            run = await desk.runtime.start(
                graph,
                value,
                actor=desk.person(),
                key=key,
                thread_id=thread,
                when_busy=when_busy,
                mode=mode,
                tenant=settings.tenant,
                traceparent=traceparent,
                deadline_s=deadline_s,
                budget=budget,
                parent_id=None if above is None else above.id,
                tags=tags,
            )
            if waiting is None:
                output.answer(
                    {"run": rendering.of_run(run)},
                    f"run {run.id} is {run.status}",
                    f"next: penstock show {run.id} (a `penstock worker` drives it)",
                )
                return Exit.OK
            return await _see_through(desk, known, run, output, waiting=waiting)

        return asyncio.run(begin())


async def _see_through(
    desk: Project, graph: Graph, run: Run, output: Output, *, waiting: Waiting
) -> int:
    """Wait until the run is over or waits itself; say what came of it."""
    heard: list[int] = []
    watching = asyncio.create_task(_watch(desk, graph, run, output, timeout_s=waiting.timeout_s))

    def stop(number: int) -> None:
        heard.append(number)
        watching.cancel()

    # What nodes print must not mix with the answer.
    with stopped_by_signals(stop), contextlib.redirect_stdout(sys.stderr):
        if waiting.drive:
            if run.fingerprint != graph.fingerprint:
                output.note(
                    f"run {run.id} was started with another form of graph `{graph.name}`, which"
                    " this command does not have: it waits for a worker that does"
                )
            for name in await desk.policing.unpoliced([graph]):
                output.note(f"graph `{name}` has {ABOUT_BUILTIN}")
            with open_tracing(desk.settings) as tracing:
                await _drive_until(watching, desk, graph, tracing)
        else:
            await asyncio.wait({watching})
    if watching.cancelled():
        output.note(f"run {run.id} was left as it is; next: penstock show {run.id}")
        return KILLED + (heard[0] if heard else signal.SIGINT)
    return await _tell(desk, watching.result(), output)


async def _drive_until(
    watching: "asyncio.Task[Run]", desk: Project, graph: Graph, tracing: Tracing
) -> None:
    """Be a worker for one graph until the watch is over, or the worker fails.

    It may take up other runs of that graph; what it has not finished goes back to the queue.
    """
    worker = desk.worker(tracing, Catalog.of(graph))
    working = asyncio.create_task(worker.work())
    try:
        await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        worker.drain()
        try:
            await working
        finally:
            if not watching.done():
                watching.cancel()
                await asyncio.wait({watching})


async def _watch(
    desk: Project, graph: Graph, run: Run, output: Output, *, timeout_s: float | None
) -> Run:
    """Show how the run comes on until it is over, waits, or the time is up."""
    compiled = graph.compile(desk.checkpointer)
    config: Any = {"configurable": {"thread_id": run.thread_id}}

    async def nodes() -> list[str]:
        return list((await compiled.aget_state(config)).next)

    progress = Progress(desk.runtime, output, nodes=nodes)
    try:
        async with asyncio.timeout(timeout_s):
            return await progress.until_over(run)
    except TimeoutError:
        return await desk.runtime.get(run.id)


async def _tell(desk: Project, run: Run, output: Output) -> Exit:
    gates: list[Gate] = list(await desk.runtime.gates(run.id))
    data: dict[str, Any] = {
        "run": rendering.of_run(run),
        "gates": [rendering.of_gate(gate) for gate in gates],
        "result": None,
        "result_missing": None,
    }
    head = f"run {run.id} is {run.status}"
    match run.status:
        case RunStatus.SUCCEEDED:
            try:
                data["result"] = await result(desk, run)
                output.answer(data, head, dump(data["result"]))
            except PenstockError as error:
                # A later run of the thread was quicker; this one succeeded all the same.
                data["result_missing"] = str(error)
                output.answer(data, head, f"the result cannot be shown: {error}")
            return Exit.OK
        case RunStatus.FAILED | RunStatus.CANCELLED:
            why = "" if run.failure is None else f" ({run.failure.code}): {run.failure.message}"
            output.answer(data, head + why, *rendering.failure_hints(run))
            return Exit.NOT_SUCCEEDED
        case RunStatus.WAITING:
            output.answer(data, head, *rendering.open_gate_hints(gates))
            return Exit.NOT_OVER
        case RunStatus.QUEUED | RunStatus.RUNNING:
            output.answer(data, f"{head}: the time was up", f"next: penstock show {run.id}")
            return Exit.NOT_OVER
