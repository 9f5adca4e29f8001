"""A pool of warm processes, each for one job."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, assert_never, cast

from penstock.contracts.errors import (
    InvalidResult,
    Permanent,
    RefusedByService,
    Retryable,
    ToolError,
)
from penstock.nodes.isolation import wire
from penstock.nodes.isolation.ends import NotStarted, PoolClosed, Raised, Unfit
from penstock.nodes.isolation.job import Job, write_job
from penstock.nodes.isolation.limits import Limits
from penstock.nodes.isolation.line import Line, end_of
from penstock.nodes.isolation.nursery import Child, Ending, Nursery
from penstock.nodes.secrets import SecretRedactor

E = TypeVar("E", bound=ToolError)

_BURY_S = 5.0
"""How long the end of a process that was killed is waited for."""


class Pool:
    """Runs jobs, each in a process of its own that is killed at the job's deadline.

    Processes are made ahead, have imported what they need, and do one job each. Calls may come from
    any event loop. Use it as an asynchronous context, or `close` it.
    """

    def __init__(
        self,
        *,
        preload: Iterable[str] = (),
        idle_count: int = 2,
        limits: Limits | None = None,
    ) -> None:
        """Make a pool; nothing is started yet.

        Args:
            preload: Import paths of tools (`module:name`) whose modules are imported ahead.
            idle_count: How many processes wait for jobs.
            limits: What each process may use.
        """
        self._preload = tuple(dict.fromkeys(each.partition(":")[0] for each in preload))
        self._idle_count = idle_count
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._nursery: Nursery | None = None
        self._idle: deque[Child] = deque()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> Mapping[str, str]:
        """Start what forks the processes; a first `run` would do it, at the cost of its job's time.

        Returns:
            The modules that were not imported ahead, with why; their tools work, but slowly.

        Raises:
            NotStarted: It cannot be started here.
            PoolClosed: The pool was closed.
        """
        _, left_out = await self._ready()
        return left_out

    async def run(self, job: Job) -> str:
        """Do a job, and return the result as its tool's codec has written it.

        However this ends, its process and all that it started are killed. Where this raises they
        are dead by then; one that the kernel itself holds fast is waited for 5 seconds. No text
        that comes back, also in an error, holds a secret of the job.

        Raises:
            Retryable, Permanent, RefusedByService, ToolError: The tool says that nothing happened.
            InvalidResult: The function returned what cannot be recorded.
            NotStarted: The function was not called. `Unfit` if it would not be next time either.
            TimedOut: It had not returned at the deadline.
            Died: Its process ended without an answer.
            Raised: It raised anything else.
        """
        deadline_s = time.monotonic() + job.remaining_s
        body = write_job(job)
        if len(body) > self._limits.message_bytes:
            raise Unfit(
                f"The job for `{job.import_path}` takes {len(body)} bytes, of"
                f" {self._limits.message_bytes} allowed. Store what is large, and say where."
            )
        try:
            async with asyncio.timeout(job.remaining_s):
                nursery, _ = await self._ready()
        except TimeoutError as error:
            raise NotStarted("The deadline came before the pool was ready.") from error
        redaction = SecretRedactor(job.secrets.values())
        child = self._take(nursery, deadline_s)
        with Line(child, redaction, self._limits) as line:
            said = await self._converse(nursery, child, line, body, deadline_s)
            if isinstance(said, wire.Returned):
                return redaction.json(said.result)
            # Nothing of this attempt may still act when the caller makes another.
            await _buried(child)
            line.drain()
            raise _error(said, redaction, line.output())

    async def close(self) -> None:
        """End every process; calls that are running end as `Died`. May be called again."""
        with self._lock:
            self._is_closed = True
            nursery, self._nursery = self._nursery, None
            idle = self._drop_idle()
        for child in idle:
            child.close()
        if nursery is not None:
            nursery.close()
            await _despite_cancellation(asyncio.wrap_future(nursery.gone), limit_s=None)
            nursery.join()

    async def _converse(
        self, nursery: Nursery, child: Child, line: Line, body: bytes, deadline_s: float
    ) -> wire.Returned | wire.Problem:
        broken = ""
        try:
            try:
                async with asyncio.timeout(max(deadline_s - time.monotonic(), 0)):
                    return await line.ask(body)
            finally:
                # Its answer is the last that is wanted of it.
                nursery.kill(child)
        except wire.Broken as error:
            broken = str(error)
        except TimeoutError:
            pass
        except BaseException:
            await _buried(child)
            raise
        ending = await _buried(child)
        line.drain()
        raise end_of(line, ending, broken=broken)

    async def _ready(self) -> tuple[Nursery, Mapping[str, str]]:
        nursery = self._use()
        left_out = await asyncio.wrap_future(nursery.ready)
        self._fill(nursery)
        return nursery, left_out

    def _use(self) -> Nursery:
        with self._lock:
            if self._is_closed:
                raise PoolClosed("The pool is closed: nothing was started.")
            if self._nursery is None or not self._nursery.is_usable:
                # The idle ones, if any, have died with what forked them.
                for child in self._drop_idle():
                    child.close()
                self._nursery = Nursery(self._preload, self._limits)
            return self._nursery

    def _take(self, nursery: Nursery, deadline_s: float) -> Child:
        """Take a process that waits, or have one made, and have another made in its place."""
        child = self._take_idle(nursery)
        if child is not None:
            nursery.arm(child, deadline_s=deadline_s)
        else:
            try:
                child = nursery.fork(deadline_s=deadline_s)
            except OSError as error:
                raise NotStarted(f"There was no process to be had: {error.strerror}.") from error
        self._fill(nursery)
        return child

    def _take_idle(self, nursery: Nursery) -> Child | None:
        with self._lock:
            # Those that wait belong to the present one.
            while self._nursery is nursery and self._idle:
                child = self._idle.popleft()
                if not child.ended.done():
                    return child
                child.close()
        return None

    def _fill(self, nursery: Nursery) -> None:
        """Have processes made until enough of them wait."""
        # Who needs one and cannot have it is told so.
        with self._lock, suppress(OSError):
            while self._nursery is nursery and len(self._idle) < self._idle_count:
                self._idle.append(nursery.fork())

    def _drop_idle(self) -> list[Child]:
        idle = list(self._idle)
        self._idle.clear()
        return idle


async def _buried(child: Child) -> Ending | None:
    """Wait for the end of a process that was killed; None where it could not be seen."""
    waiting = asyncio.wrap_future(child.ended)
    await _despite_cancellation(waiting, limit_s=_BURY_S)
    return waiting.result() if waiting.done() else None


async def _despite_cancellation(waiting: "asyncio.Future[Any]", *, limit_s: float | None) -> None:
    """Wait for something that soon comes by itself, and be cancelled only then."""
    until_s = None if limit_s is None else time.monotonic() + limit_s
    cancelled: asyncio.CancelledError | None = None
    while not waiting.done():
        left_s = None if until_s is None else until_s - time.monotonic()
        if left_s is not None and left_s <= 0:
            break
        try:
            await asyncio.wait({waiting}, timeout=left_s)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _error(said: wire.Problem, redaction: SecretRedactor, output: str) -> Exception:
    """Make the error anew that was raised in the other process."""
    # What a tool's process says of itself is not relied on: it is redacted again.
    name, message = redaction.text(said.type_name), redaction.text(said.message)
    traceback = redaction.text(said.traceback)
    match said.what:
        case "retryable":
            return _kind(Retryable, said)(message, after_s=said.after_s)
        case "permanent":
            return _kind(Permanent, said)(message)
        case "refused":
            return _kind(RefusedByService, said)(message)
        case "tool_error":
            return _kind(ToolError, said)(message)
        case "invalid_result":
            return InvalidResult(message)
        case "not_started":
            return Unfit(f"The function was not called, `{name}`: {message}")
        case "raised":
            return Raised(name, message, traceback=traceback, output=output)
        case _:
            assert_never(said.what)


def _kind(kind: type[E], said: wire.Problem) -> type[E]:
    """Return a kind of error, with the code of the one that was raised where it has its own."""
    if said.code in {"", kind.code}:
        return kind
    return cast(type[E], type(kind.__name__, (kind,), {"code": said.code}))
