"""How a run comes on, as somebody sees who waits for it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext

from rich.console import Console
from rich.live import Live
from rich.text import Text

from penstock.contracts.clock import SystemClock
from penstock.contracts.run import ENDED, LIVE, Run, RunStatus
from penstock.runs import Runtime
from penstock.ui import text
from penstock.ui.cli.output import Output

POLL_S = 0.1
"""Between two looks at the run."""

_NODES_EVERY = 5
"""Looks at the run for one at its nodes, which costs more."""


class Progress:
    """Shows a run on standard error: live on a terminal, else a line for each new state."""

    def __init__(
        self, runtime: Runtime, output: Output, *, nodes: Callable[[], Awaitable[Sequence[str]]]
    ) -> None:
        """Look through `runtime`; `nodes` tells which nodes come next."""
        self._runtime = runtime
        self._output = output
        self._nodes = nodes
        self._clock = SystemClock()

    async def until_over(self, run: Run) -> Run:
        """Show the run until it has ended or waits at a gate; return it as it is then."""
        began, last, look = self._clock.now(), "", 0
        nodes: Sequence[str] = ()
        live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)
        is_watched = self._output.is_watched
        with live if is_watched else nullcontext():
            while True:
                run = await self._runtime.get(run.id)
                if run.status in ENDED or run.status is RunStatus.WAITING:
                    return run
                behind = await self._behind(run) if run.status is RunStatus.QUEUED else None
                said = state_line(run, behind=behind)
                if is_watched:
                    if look % _NODES_EVERY == 0 and run.status is RunStatus.RUNNING:
                        nodes = await self._nodes()
                    elapsed = text.age((self._clock.now() - began).total_seconds())
                    live.update(Text(live_line(said, nodes, elapsed=elapsed)), refresh=True)
                elif said != last:
                    self._output.note(said)
                last, look = said, look + 1
                await asyncio.sleep(POLL_S)

    async def _behind(self, run: Run) -> Run | None:
        """Return the run before this one on its thread, if that is not over."""
        found = await self._runtime.list(
            statuses=LIVE, thread_id=run.thread_id, before=run.id, limit=1
        )
        return found[0] if found else None


def state_line(run: Run, *, behind: Run | None) -> str:
    """Return where a run stands, in a line."""
    told = f"run {run.id} is {run.status}"
    if behind is not None:
        return f"{told} behind run {behind.id} of its thread, which is {behind.status}"
    if run.status is RunStatus.QUEUED:
        return told
    return f"{told}, epoch {run.epoch}, driven by {run.worker_id}"


def live_line(said: str, nodes: Sequence[str], *, elapsed: str) -> str:
    """Return a line for a terminal: the state, the nodes that come next, the time it took."""
    at = f", at {', '.join(nodes)}" if nodes else ""
    return f"{said}{at}, {elapsed}"
