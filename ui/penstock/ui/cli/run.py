"""`penstock run`: start a run, and with `--wait` see it through."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.contracts.amounts import read_budget
from penstock.contracts.budget import OnExhaustion
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import InvalidInput, PenstockError
from penstock.contracts.run import ENDED, LIVE, Run, RunMode, RunStatus, WhenBusy
from penstock.ui.cli.options import AsJson, read_json
from penstock.ui.cli.output import Exit, Output
from penstock.ui.cli.rendering import failure_hints, open_gate_hints
from penstock.ui.cli.runs import result_of
from penstock.ui.project import Project, load_graphs, open_project, read_settings
from penstock.ui.signals import KILLED, stopped_by_signals
from penstock.ui.text import age
from penstock.ui.views.documents import json_data, json_text
from penstock.ui.views.gates import gate_view
from penstock.ui.views.runs import RunDocument, RunOutcome, run_view

if TYPE_CHECKING:
    from penstock.graphs import Graph
    from penstock.runs.queries import Queries
    from penstock.traces import Tracing

POLL_S = 0.1
"""Between two looks at a run that is waited for."""

_NODES_EVERY = 5
"""Looks at the run for one at its nodes, which costs more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """How a run is waited for."""

    drive: bool
    """Whether this process drives it itself."""
    timeout_s: float | None


def run(
    *,
    graph: Annotated[str, typer.Argument(help="The graph's name in `langgraph.json`.")],
    given: Annotated[
        str,
        typer.Argument(metavar="[INPUT]", help="The input as JSON; `@file` or `-` reads it."),
    ] = "{}",
    key: Annotated[
        str | None, typer.Option(help="Your name for the run: the same key is the same run.")
    ] = None,
    thread: Annotated[
        str | None, typer.Option(help="The thread to run on; without one, a new one.")
    ] = None,
    when_busy: Annotated[
        WhenBusy, typer.Option(help="What to do while another run is on the thread.")
    ] = WhenBusy.WAIT,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Let its tools only read; refuse all else.")
    ] = False,
    deadline_s: Annotated[
        float | None, typer.Option(help="Seconds it may take; time at gates does not count.")
    ] = None,
    caps: Annotated[
        list[str] | None,
        typer.Option(
            "--budget",
            metavar="CAP",
            help="What it may use: `tokens=500000`, `money=2.50 USD`, `tool_calls=`, `tool_spend=`,"
            " `steps=`, `wall_s=`; may be repeated.",
        ),
    ] = None,
    when_exhausted: Annotated[
        OnExhaustion | None,
        typer.Option(help="What a cap that is reached does; without it, as the graph says."),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="The run that starts it, and whose budget it uses too."),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="What to sort it by; may be repeated.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Drive the run here and show how it comes on.")
    ] = False,
    no_drive: Annotated[
        bool, typer.Option("--no-drive", help="With --wait: leave the driving to workers.")
    ] = False,
    timeout_s: Annotated[
        float | None, typer.Option(min=0, help="With --wait: seconds to wait at most.")
    ] = None,
    traceparent: Annotated[
        str | None, typer.Option(help="The span that the run's trace is to link to.")
    ] = None,
    as_json: AsJson = False,
) -> int | None:
    """Start a run of a graph."""
    if not wait and (no_drive or timeout_s is not None):
        raise typer.BadParameter("--no-drive and --timeout-s need --wait")
    try:
        budget = replace(read_budget(caps or ()), on_exhaustion=when_exhausted)
    except ValueError as error:
        raise typer.BadParameter(f"--budget: {error}") from None
    settings, output = read_settings(), Output(as_json=as_json)
    value = read_json(given, what="input", refusal=InvalidInput)
    catalog = load_graphs(settings)
    known = catalog.get(graph)
    try:
        known.budget.tightened(budget)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    with open_project(settings, catalog) as project:

        async def begin() -> int:
            above = None if parent is None else await project.run(parent)
            started = await project.runtime.start(
                graph,
                value,
                actor=project.person(),
                key=key,
                thread_id=thread,
                when_busy=when_busy,
                mode=RunMode.SIMULATE if simulate else RunMode.LIVE,
                tenant=settings.tenant,
                traceparent=traceparent,
                deadline_s=deadline_s,
                budget=budget,
                parent_id=None if above is None else above.id,
                tags=tag or (),
            )
            if not wait:
                output.answer(
                    RunDocument(run=run_view(started)),
                    f"run {started.id} is {started.status}",
                    f"next: penstock show {started.id} (a `penstock worker` drives it)",
                )
                return Exit.OK
            waiting = _Waiting(drive=not no_drive, timeout_s=timeout_s)
            return await _see_through(project, known, started, output, waiting=waiting)

        return asyncio.run(begin())


class Progress:
    """Shows a run on standard error: live on a terminal, else a line for each new state."""

    def __init__(
        self, queries: "Queries", output: Output, *, nodes: Callable[[], Awaitable[Sequence[str]]]
    ) -> None:
        """Look through `queries`; `nodes` finds which nodes come next."""
        self._queries = queries
        self._output = output
        self._nodes = nodes
        self._clock = SystemClock()

    async def until_over(self, run: Run) -> Run:
        """Show the run until it has ended or waits at a gate; return it as it is then."""
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        began, last, look = self._clock.now(), "", 0
        nodes: Sequence[str] = ()
        live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)
        is_watched = self._output.is_watched
        with live if is_watched else contextlib.nullcontext():
            while True:
                run = await self._queries.get(run.id)
                if run.status in ENDED or run.status is RunStatus.WAITING:
                    return run
                behind = await self._behind(run) if run.status is RunStatus.QUEUED else None
                state = state_line(run, behind=behind)
                if is_watched:
                    if look % _NODES_EVERY == 0 and run.status is RunStatus.RUNNING:
                        nodes = await self._nodes()
                    elapsed = age((self._clock.now() - began).total_seconds())
                    live.update(Text(live_line(state, nodes, elapsed=elapsed)), refresh=True)
                elif state != last:
                    self._output.note(state)
                last, look = state, look + 1
                await asyncio.sleep(POLL_S)

    async def _behind(self, run: Run) -> Run | None:
        """Return the run before this one on its thread, if that is not over."""
        found = await self._queries.list(
            statuses=LIVE, thread_id=run.thread_id, before=run.id, limit=1
        )
        return found[0] if found else None


def state_line(run: Run, *, behind: Run | None) -> str:
    """Return where a run stands, in a line."""
    state = f"run {run.id} is {run.status}"
    if behind is not None:
        return f"{state} behind run {behind.id} of its thread, which is {behind.status}"
    if run.status is RunStatus.QUEUED:
        return state
    return f"{state}, epoch {run.epoch}, driven by {run.worker_id}"


def live_line(state: str, nodes: Sequence[str], *, elapsed: str) -> str:
    """Return a line for a terminal: the state, the nodes that come next, the time it took."""
    at = f", at {', '.join(nodes)}" if nodes else ""
    return f"{state}{at}, {elapsed}"


async def _see_through(
    project: Project, graph: "Graph", run: Run, output: Output, *, waiting: _Waiting
) -> int:
    """Wait until the run is over or waits itself; say what came of it."""
    from penstock.runs.policies import ABOUT_BUILTIN
    from penstock.ui.telemetry import open_tracing

    signals: list[int] = []
    watching = asyncio.create_task(_watch(project, graph, run, output, timeout_s=waiting.timeout_s))

    def stop(number: int) -> None:
        signals.append(number)
        watching.cancel()

    # What nodes print must not mix with the answer.
    with stopped_by_signals(stop), contextlib.redirect_stdout(sys.stderr):
        if waiting.drive:
            if run.fingerprint != graph.fingerprint:
                output.note(
                    f"run {run.id} was started with another form of graph `{graph.name}`, which"
                    " this command does not have: it waits for a worker that does"
                )
            for name in await project.policies.unpoliced([graph]):
                output.note(f"graph `{name}` has {ABOUT_BUILTIN}")
            with open_tracing(project.settings) as tracing:
                await _drive_until(watching, project, graph, tracing)
        else:
            await asyncio.wait({watching})
    if watching.cancelled():
        output.note(f"run {run.id} was left as it is; next: penstock show {run.id}")
        return KILLED + (signals[0] if signals else signal.SIGINT)
    return await _answer(project, watching.result(), output)


async def _drive_until(
    watching: "asyncio.Task[Run]", project: Project, graph: "Graph", tracing: "Tracing"
) -> None:
    """Be a worker for one graph until the watch is over, or the worker fails.

    It may take up other runs of that graph; what it has not finished goes back to the queue.
    """
    from penstock.graphs import Catalog

    worker = project.worker(tracing, Catalog.of(graph))
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
    project: Project, graph: "Graph", run: Run, output: Output, *, timeout_s: float | None
) -> Run:
    """Show how the run comes on until it is over, waits, or the time is up."""
    compiled = graph.compile(project.checkpointer)
    config: Any = {"configurable": {"thread_id": run.thread_id}}

    async def nodes() -> list[str]:
        return list((await compiled.aget_state(config)).next)

    progress = Progress(project.queries, output, nodes=nodes)
    try:
        async with asyncio.timeout(timeout_s):
            return await progress.until_over(run)
    except TimeoutError:
        return await project.queries.get(run.id)


async def _answer(project: Project, run: Run, output: Output) -> Exit:
    gates = await project.queries.gates(run.id)
    document = RunOutcome(run=run_view(run), gates=[gate_view(gate) for gate in gates])
    head = f"run {run.id} is {run.status}"
    match run.status:
        case RunStatus.SUCCEEDED:
            try:
                document = replace(document, result=json_data(await result_of(project, run)))
                output.answer(document, head, json_text(document.result))
            except PenstockError as error:
                # A later run of the thread was quicker; this one succeeded all the same.
                document = replace(document, result_missing=str(error))
                output.answer(document, head, f"the result cannot be shown: {error}")
            return Exit.OK
        case RunStatus.FAILED | RunStatus.CANCELLED:
            why = "" if run.failure is None else f" ({run.failure.code}): {run.failure.message}"
            output.answer(document, head + why, *failure_hints(run))
            return Exit.NOT_SUCCEEDED
        case RunStatus.WAITING:
            output.answer(document, head, *open_gate_hints(gates))
            return Exit.NOT_OVER
        case RunStatus.QUEUED | RunStatus.RUNNING:
            output.answer(document, f"{head}: the time was up", f"next: penstock show {run.id}")
            return Exit.NOT_OVER
