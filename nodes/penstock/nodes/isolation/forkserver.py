"""The fork server of a pool: it asks its zygote for processes, and learns when they end.

A thread of its own starts the zygote, reads from it and outlives it. So calls may come from any
event loop, and the zygote dies with that thread while it imports.
"""

import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from penstock.nodes.isolation import sandbox
from penstock.nodes.isolation.errors import NotStarted
from penstock.nodes.isolation.sandbox import Limits
from penstock.nodes.isolation.zygote import PACKET_BYTES
from penstock.nodes.secrets import RedactedTail, SecretRedactor

_BOOT = (
    "import json,socket,sys;"
    "control=socket.socket(fileno=int(sys.argv[1]));"
    "order=json.loads(control.recv(1<<17));"
    "sys.path[:]=order['path'];"
    "from penstock.nodes.isolation.zygote import main;"
    "main(control,order)"
)

_SEND_S = 2.0
_LEAVE_S = 10.0
_ERRORS_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnd:
    """The end of a process and of all that it started."""

    status: int | None
    """The status of `waitpid`; None where nobody saw it."""
    is_late: bool = False
    """Whether it was killed at its deadline."""
    why: str = ""
    """Why it could not be forked, or its end could not be seen."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Child:
    """A process for one job; it may not have been forked yet."""

    number: int
    channel: socket.socket
    """Does not block. Whoever takes the child closes it."""
    output: int
    """Descriptor of what it prints; does not block. Whoever takes the child closes it."""
    ended: "Future[ProcessEnd]"
    """Cannot be cancelled."""

    def close(self) -> None:
        """Close this end of its descriptors."""
        self.channel.close()
        os.close(self.output)


class ForkServer:
    """Forks processes for jobs, through one zygote at a time, from its start to its end."""

    def __init__(self, preload: Sequence[str], limits: Limits) -> None:
        """Start the zygote in the background."""
        self._preload = list(preload)
        self._limits = limits
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._living: dict[int, Child] = {}
        self._process_ids: dict[int, int] = {}
        self._is_closing = False
        self._left_out: dict[str, str] = {}
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._home = Path()
        self.ready: Future[Mapping[str, str]] = _running()
        """The modules that could not be imported ahead, with the reason; raises `NotStarted`."""
        self.gone: Future[None] = _running()
        """Done when the zygote and all processes that it forked have ended."""
        self._thread = threading.Thread(target=self._run, name="penstock-forkserver", daemon=True)
        self._thread.start()

    @property
    def is_usable(self) -> bool:
        """Whether it may still be asked for processes."""
        return not self._is_closing and not self.gone.done()

    def fork(self, *, deadline_s: float | None = None) -> Child:
        """Ask for a process. Whatever is sent to its channel before it runs waits there.

        Args:
            deadline_s: The time when it is killed, by the machine's monotonic clock.
        """
        near, far = socket.socketpair()
        try:
            output, far_output = os.pipe()
        except OSError:
            near.close()
            far.close()
            raise
        near.setblocking(False)  # noqa: FBT003  (socket's own)
        os.set_blocking(output, False)
        child = Child(number=next(self._numbers), channel=near, output=output, ended=_running())
        with self._lock:
            is_usable = self.is_usable
            if is_usable:
                self._living[child.number] = child
        try:
            if is_usable:
                self._send("fork", child, deadline_s, descriptors=(far.fileno(), far_output))
            else:
                child.ended.set_result(ProcessEnd(status=None, why="the pool's processes are gone"))
        finally:
            far.close()
            os.close(far_output)
        return child

    def arm(self, child: Child, *, deadline_s: float) -> None:
        """Set the time when a process is killed."""
        self._send("arm", child, deadline_s)

    def kill(self, child: Child) -> None:
        """Kill a process and all processes that it started."""
        if not child.ended.done():
            self._send("kill", child)

    def close(self) -> None:
        """Kill all processes; `gone` is done when they have ended."""
        with self._lock:
            self._is_closing = True
            if self._control is not None:
                with suppress(OSError):
                    self._control.shutdown(socket.SHUT_WR)
            if self._process is not None and not self.ready.done():
                # It still imports, and does not read; nothing has been forked.
                self._process.kill()

    def join(self) -> None:
        """Wait for the thread, once `gone` is done."""
        self._thread.join()

    def _send(
        self,
        do: str,
        child: Child,
        deadline_s: float | None = None,
        *,
        descriptors: Sequence[int] = (),
    ) -> None:
        order = {"do": do, "number": child.number, "deadline_s": deadline_s}
        control = self._control
        with suppress(OSError):
            # Sending fails only where the zygote is gone, and then all its children have ended.
            if control is not None:
                socket.send_fds(control, [json.dumps(order).encode()], descriptors)

    def _run(self) -> None:
        try:
            with tempfile.TemporaryDirectory(
                prefix="penstock-tools-", ignore_cleanup_errors=True
            ) as home:
                self._home = Path(home)
                self._start_without_threads()
        except OSError as error:
            self._end_all(f"its processes could not be started: {error.strerror}")
        finally:
            self._end_all("the pool was closed")

    def _start_without_threads(self) -> None:
        """Start zygotes until one imports no module that starts threads."""
        while (module := self._run_zygote()) is not None:
            self._preload.remove(module)
            self._left_out[module] = "its import starts threads"

    def _run_zygote(self) -> str | None:
        """Run one zygote to its end; return the module that must be left out, if any."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.settimeout(_SEND_S)
        errors, far_errors = os.pipe()
        os.set_blocking(errors, False)
        with contextlib.ExitStack() as open_:
            open_.callback(os.close, errors)
            open_.enter_context(near)
            with far:
                process = self._spawn(far, far_errors)
            with suppress(OSError):
                # If it has died already, its output says more.
                near.send(self._order())
            with self._lock:
                self._control, self._process = near, process
                if self._is_closing:
                    process.kill()
            try:
                return self._read_messages(near, errors, process)
            finally:
                with self._lock:
                    self._control = self._process = None

    def _spawn(self, control: socket.socket, errors: int) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(  # noqa: S603  (this Python, and our own program)
                [sys.executable, "-I", "-c", _BOOT, str(control.fileno())],
                env=sandbox.clean_environment(self._home),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=(control.fileno(),),
                # Signals to the worker's group are handled by the worker.
                start_new_session=True,
            )
        finally:
            os.close(errors)

    def _order(self) -> bytes:
        order = {
            "path": [str(Path(each).absolute()) for each in sys.path],
            "preload": self._preload,
            "home": str(self._home),
            "parent": os.getpid(),
            "limits": asdict(self._limits),
        }
        return json.dumps(order).encode()

    def _read_messages(
        self, control: socket.socket, errors: int, process: "subprocess.Popen[bytes]"
    ) -> str | None:
        tail = RedactedTail(SecretRedactor(()), size_bytes=_ERRORS_BYTES)
        poll = select.poll()
        poll.register(control, select.POLLIN)
        poll.register(errors, select.POLLIN)
        threaded: str | None = None
        while True:
            ready = dict(poll.poll())
            if ready.get(errors, 0) and not _drain(errors, tail):
                poll.unregister(errors)
            if not ready.get(control.fileno(), 0):
                continue
            try:
                packet = control.recv(PACKET_BYTES)
            except OSError:
                packet = b""
            if not packet:
                break
            message: dict[str, Any] = json.loads(packet)
            if message["say"] == "threads":
                threaded = message["module"]
            else:
                self._handle(message)
        self._await_end(process)
        _drain(errors, tail)
        if threaded is None and not self._is_closing:
            self._end_all(
                f"the process that forks them ended ({process.returncode}): {tail.text()}"
            )
        return None if self._is_closing else threaded

    def _handle(self, message: Mapping[str, Any]) -> None:
        match message["say"]:
            case "ready":
                self.ready.set_result({**self._left_out, **message["left_out"]})
            case "forked":
                self._process_ids[message["number"]] = message["id"]
            case "ended":
                number: int = message["number"]
                self._process_ids.pop(number, None)
                end = ProcessEnd(
                    status=message["status"],
                    is_late=message.get("is_late", False),
                    why=message.get("why", ""),
                )
                self._end_child(number, end)
                shutil.rmtree(self._home / str(number), ignore_errors=True)
            case _:
                raise ValueError(message["say"])

    def _end_child(self, number: int, end: ProcessEnd) -> None:
        with self._lock:
            child = self._living.pop(number, None)
        if child is not None:
            child.ended.set_result(end)

    def _await_end(self, process: "subprocess.Popen[bytes]") -> None:
        try:
            process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for process_id in self._process_ids.values():
            # The zygote was killed: its children died with it, but not the processes they started.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process_id, signal.SIGKILL)

    def _end_all(self, why: str) -> None:
        """End all children and futures: no more messages will come."""
        with self._lock:
            self._is_closing = True
            numbers = list(self._living)
        for number in numbers:
            self._end_child(number, ProcessEnd(status=None, why=why))
        if not self.ready.done():
            self.ready.set_exception(NotStarted(f"No tool can run in a subprocess: {why}."))
        if not self.gone.done():
            self.gone.set_result(None)


def _running() -> "Future[Any]":
    """Return a future that one waiter cannot cancel for all others."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def _drain(descriptor: int, tail: RedactedTail) -> bool:
    """Read what was printed; return whether more may come."""
    try:
        while data := os.read(descriptor, 1 << 16):
            tail.feed(data)
    except BlockingIOError:
        return True
    return False
