"""A pool of warm processes, each of which makes one attempt of a tool call."""

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
from penstock.nodes.isolation import protocol
from penstock.nodes.isolation.conversation import Conversation, error_of_end
from penstock.nodes.isolation.errors import NotStarted, PoolClosed, Raised, Unfit
from penstock.nodes.isolation.forkserver import Child, ForkServer, ProcessEnd
from penstock.nodes.isolation.protocol import Job, encode_job
from penstock.nodes.isolation.sandbox import Limits
from penstock.nodes.secrets import SecretRedactor

E = TypeVar("E", bound=ToolError)

_REAP_S = 5.0
"""The time to wait for the end of a process that was killed."""


class Pool:
    """Runs jobs, each in a process of its own that is killed at the job's deadline.

    Processes are forked ahead, have imported the tools' modules, and do one job each. Calls may
    come from any event loop. Use it as an asynchronous context, or `close` it.
    """

    def __init__(
        self,
        *,
        preload: Iterable[str] = (),
        idle_count: int = 2,
        limits: Limits | None = None,
    ) -> None:
        """Make a pool without starting it.

        Args:
            preload: Import paths of tools (`module:name`) whose modules are imported ahead.
            idle_count: The number of processes that wait for jobs.
            limits: The resources that each process may use.
        """
        self._preload = tuple(dict.fromkeys(each.partition(":")[0] for each in preload))
        self._idle_count = idle_count
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._server: ForkServer | None = None
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
        """Start the fork server; else the first `run` does, in the time of its job.

        Returns:
            The modules that were not imported ahead, with the reason; their tools work, but slowly.

        Raises:
            NotStarted: The fork server cannot be started here.
            PoolClosed: The pool was closed.
        """
        _, left_out = await self._ready()
        return left_out

    async def run(self, job: Job) -> str:
        """Do a job, and return the result as its tool's codec has written it.

        However this ends, the process and all processes that it started are killed. Where this
        raises, they have ended by then; it waits 5 seconds for one that the kernel does not end.
        No text that it returns or raises contains a secret of the job.

        Raises:
            Retryable, Permanent, RefusedByService, ToolError: The tool raised it.
            InvalidResult: The function returned what cannot be recorded.
            NotStarted: The function was not called. `Unfit` if it would not be next time either.
            TimedOut: It had not returned at the deadline.
            Died: Its process ended without an answer.
            Raised: It raised anything else.
        """
        deadline_s = time.monotonic() + job.remaining_s
        body = encode_job(job)
        if len(body) > self._limits.message_bytes:
            raise Unfit(
                f"The job for `{job.import_path}` takes {len(body)} bytes, of"
                f" {self._limits.message_bytes} allowed. Store what is large, and say where."
            )
        try:
            async with asyncio.timeout(job.remaining_s):
                server, _ = await self._ready()
        except TimeoutError as error:
            raise NotStarted("The deadline came before the pool was ready.") from error
        redaction = SecretRedactor(job.secrets.values())
        child = self._take(server, deadline_s)
        with Conversation(child, redaction, self._limits) as conversation:
            message = await self._ask(server, child, conversation, body, deadline_s)
            if isinstance(message, protocol.Returned):
                return redaction.json(message.result)
            # No process of this attempt may still act when the caller makes another.
            await _reaped(child)
            conversation.drain()
            raise _error(message, redaction, conversation.output())

    async def close(self) -> None:
        """End every process; calls that are running end as `Died`. May be called again."""
        with self._lock:
            self._is_closed = True
            server, self._server = self._server, None
            idle = self._drop_idle()
        for child in idle:
            child.close()
        if server is not None:
            server.close()
            await _despite_cancellation(asyncio.wrap_future(server.gone), limit_s=None)
            server.join()

    async def _ask(
        self,
        server: ForkServer,
        child: Child,
        conversation: Conversation,
        body: bytes,
        deadline_s: float,
    ) -> protocol.Returned | protocol.Problem:
        broken = ""
        try:
            try:
                async with asyncio.timeout(max(deadline_s - time.monotonic(), 0)):
                    return await conversation.ask(body)
            finally:
                # The process has done all that it was forked for.
                server.kill(child)
        except protocol.ProtocolError as error:
            broken = str(error)
        except TimeoutError:
            pass
        except BaseException:
            await _reaped(child)
            raise
        ending = await _reaped(child)
        conversation.drain()
        raise error_of_end(conversation, ending, broken=broken)

    async def _ready(self) -> tuple[ForkServer, Mapping[str, str]]:
        server = self._use()
        left_out = await asyncio.wrap_future(server.ready)
        self._fill(server)
        return server, left_out

    def _use(self) -> ForkServer:
        with self._lock:
            if self._is_closed:
                raise PoolClosed("The pool is closed: nothing was started.")
            if self._server is None or not self._server.is_usable:
                # The idle processes, if any, have died with the server that forked them.
                for child in self._drop_idle():
                    child.close()
                self._server = ForkServer(self._preload, self._limits)
            return self._server

    def _take(self, server: ForkServer, deadline_s: float) -> Child:
        """Take an idle process, or fork one, and fork another in its place."""
        child = self._take_idle(server)
        if child is not None:
            server.arm(child, deadline_s=deadline_s)
        else:
            try:
                child = server.fork(deadline_s=deadline_s)
            except OSError as error:
                raise NotStarted(f"There was no process to be had: {error.strerror}.") from error
        self._fill(server)
        return child

    def _take_idle(self, server: ForkServer) -> Child | None:
        with self._lock:
            # Idle processes belong to the present server.
            while self._server is server and self._idle:
                child = self._idle.popleft()
                if not child.ended.done():
                    return child
                child.close()
        return None

    def _fill(self, server: ForkServer) -> None:
        """Fork processes until enough of them are idle."""
        # A job that then finds none raises `NotStarted`.
        with self._lock, suppress(OSError):
            while self._server is server and len(self._idle) < self._idle_count:
                self._idle.append(server.fork())

    def _drop_idle(self) -> list[Child]:
        idle = list(self._idle)
        self._idle.clear()
        return idle


async def _reaped(child: Child) -> ProcessEnd | None:
    """Wait for the end of a process that was killed; None where it could not be seen."""
    waiting = asyncio.wrap_future(child.ended)
    await _despite_cancellation(waiting, limit_s=_REAP_S)
    return waiting.result() if waiting.done() else None


async def _despite_cancellation(waiting: "asyncio.Future[Any]", *, limit_s: float | None) -> None:
    """Wait for a future that is done soon, and be cancelled only then."""
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


def _error(problem: protocol.Problem, redaction: SecretRedactor, output: str) -> Exception:
    """Return the error that was raised in the other process."""
    # A tool's process is not trusted to have redacted its message: it is redacted again.
    name, message = redaction.text(problem.type_name), redaction.text(problem.message)
    traceback = redaction.text(problem.traceback)
    match problem.what:
        case "retryable":
            return _class_with_code(Retryable, problem)(message, after_s=problem.after_s)
        case "permanent":
            return _class_with_code(Permanent, problem)(message)
        case "refused":
            return _class_with_code(RefusedByService, problem)(message)
        case "tool_error":
            return _class_with_code(ToolError, problem)(message)
        case "invalid_result":
            return InvalidResult(message)
        case "not_started":
            return Unfit(f"The function was not called, `{name}`: {message}")
        case "raised":
            return Raised(name, message, traceback=traceback, output=output)
        case _:
            assert_never(problem.what)


def _class_with_code(kind: type[E], problem: protocol.Problem) -> type[E]:
    """Return a class of error, with the code of the raised one where that has its own."""
    if problem.code in {"", kind.code}:
        return kind
    return cast(type[E], type(kind.__name__, (kind,), {"code": problem.code}))
