"""The zygote, from which a process is forked for each job, and the life of such a process.

The zygote has one thread and has imported the tools' modules, so that a fork is cheap and safe; in
the worker itself, with its threads, it would be neither. It sees no job and no secret. It kills
processes that are past their deadline, and whatever a job leaves behind, also when the worker is
dead: it learns of that from the end of its socket, and from a descriptor of the worker's process.
"""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from penstock.nodes.isolation import protocol, sandbox
from penstock.nodes.isolation.protocol import decode_job
from penstock.nodes.isolation.runner import run_job
from penstock.nodes.isolation.sandbox import Limits

_BROKEN_EXIT_CODE = 70
PACKET_BYTES = 1 << 17
"""The size of a packet to or from the zygote."""
_SHUT_DOWN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSetup:
    """What the zygote hands to a process that it has forked."""

    channel: int
    """The descriptor of its end of the socket to the pool."""
    output: int
    """The descriptor of the pipe for its output."""
    close: Iterable[int]
    """The descriptors of the zygote, which it closes."""
    home: Path
    """Its own directory, which does not exist yet."""
    parent_id: int
    limits: Limits


@dataclass(slots=True, kw_only=True)
class _Process:
    """A process that was forked, until it and its orphans have ended."""

    number: int
    id: int
    descriptor: int
    deadline_s: float | None = None
    is_late: bool = False
    status: int | None = None
    """The status of `waitpid`, once it has ended."""
    orphans: set[int] = field(default_factory=set[int])
    """The ids of the processes it left behind, which were killed and have not ended yet."""


class Zygote:
    """Forks processes, kills them, and waits for their ends."""

    def __init__(self, control: socket.socket, worker: int, home: Path, bounds: Limits) -> None:
        self._control = control
        self._worker = worker
        self._home = home
        self._limits = bounds
        self._processes: dict[int, _Process] = {}
        """The forked processes, by their numbers."""
        self._watched: dict[int, tuple[_Process, int]] = {}
        """By the descriptor of a watched process: the forked process it belongs to, and its id."""
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(worker, select.POLLIN)

    def send(self, say: str, **fields: object) -> None:
        """Send a message to the pool, which may be gone."""
        with suppress(OSError):
            self._control.send(json.dumps({"say": say, **fields}).encode())

    def serve(self) -> None:
        """Obey the pool until it is gone."""
        while True:
            for descriptor, _ in self._poll.poll(self._wait_ms()):
                if descriptor == self._worker:
                    return self._shut_down()
                if descriptor == self._control.fileno():
                    if not self._obey():
                        return self._shut_down()
                else:
                    self._reap(descriptor)
            self._kill_late()

    def _obey(self) -> bool:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._control, PACKET_BYTES, 2)
        except OSError:
            return False
        if not packet:
            return False
        order: dict[str, Any] = json.loads(packet)
        number: int = order["number"]
        match order["do"]:
            case "fork":
                self._fork(number, order["deadline_s"], descriptors)
            case "arm":
                if process := self._processes.get(number):
                    process.deadline_s = order["deadline_s"]
            case "kill":
                if process := self._processes.get(number):
                    _kill(process)
            case _:
                raise ValueError(order["do"])
        return True

    def _fork(self, number: int, deadline_s: float | None, descriptors: Sequence[int]) -> None:
        channel, output = descriptors
        setup = ChildSetup(
            channel=channel,
            output=output,
            close=(self._control.fileno(), self._worker, *self._watched),
            home=self._home / str(number),
            parent_id=os.getpid(),
            limits=self._limits,
        )
        _flush()
        try:
            process_id = os.fork()
            if process_id == 0:
                run_child(setup)
        except OSError as error:
            self.send("ended", number=number, status=None, why=os.strerror(error.errno or 0))
            return
        finally:
            os.close(channel)
            os.close(output)
        process = _Process(
            number=number,
            id=process_id,
            descriptor=os.pidfd_open(process_id),
            deadline_s=deadline_s,
        )
        self._processes[number] = process
        self._watch(process, process_id, process.descriptor)
        self.send("forked", number=number, id=process_id)

    def _watch(self, process: _Process, process_id: int, descriptor: int) -> None:
        self._watched[descriptor] = (process, process_id)
        self._poll.register(descriptor, select.POLLIN)

    def _reap(self, descriptor: int) -> None:
        """Wait for a process that has ended, and kill what it leaves behind."""
        process, process_id = self._watched.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        if process_id == process.id:
            # Before it is waited for: until then no other process can have its id.
            _kill(process)
            process.status = os.waitpid(process_id, 0)[1]
            process.deadline_s = None
        else:
            os.waitpid(process_id, 0)
            process.orphans.discard(process_id)
        for orphan in self._orphans():
            process.orphans.add(orphan)
            os.kill(orphan, signal.SIGKILL)
            self._watch(process, orphan, os.pidfd_open(orphan))
        if process.status is not None and not process.orphans:
            del self._processes[process.number]
            self.send(
                "ended", number=process.number, status=process.status, is_late=process.is_late
            )

    def _orphans(self) -> Iterator[int]:
        """Yield the children that the zygote did not fork: processes that a job left behind.

        While a job's process lives, it adopts them itself.
        """
        known = {process_id for _, process_id in self._watched.values()}
        yield from (child for child in _children() if child not in known)

    def _wait_ms(self) -> int | None:
        deadlines = [
            each.deadline_s for each in self._processes.values() if each.deadline_s is not None
        ]
        if not deadlines:
            return None
        return max(int((min(deadlines) - time.monotonic()) * 1000) + 1, 0)

    def _kill_late(self) -> None:
        now_s = time.monotonic()
        for process in self._processes.values():
            if process.deadline_s is not None and process.deadline_s <= now_s:
                process.deadline_s = None
                process.is_late = True
                _kill(process)

    def _shut_down(self) -> None:
        """Kill all processes, wait for their ends, and remove their files."""
        for process in self._processes.values():
            _kill(process)
        self._poll.unregister(self._control)
        self._poll.unregister(self._worker)
        until_s = time.monotonic() + _SHUT_DOWN_S
        while self._watched and (left_s := until_s - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(int(left_s * 1000) + 1):
                self._reap(descriptor)
        shutil.rmtree(self._home, ignore_errors=True)


def run_child(setup: ChildSetup) -> NoReturn:
    """Wait for a job, do it, answer, and exit without the exit handlers of the zygote.

    Runs in a process that was just forked.
    """
    try:
        _confine(setup)
        with socket.socket(fileno=setup.channel) as channel:
            _serve(channel, setup)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(_BROKEN_EXIT_CODE)


def main(control: socket.socket, order: Mapping[str, Any]) -> NoReturn:
    """Serve as the zygote of the pool at the other end of a socket, until that is closed."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # While it imports, it cannot check whether the worker is alive.
    sandbox.die_with_parent(order["parent"])
    sandbox.adopt_orphans()
    worker = os.pidfd_open(order["parent"])
    left_out: dict[str, str] = {}
    for module in order["preload"]:
        try:
            importlib.import_module(module)
        except BaseException as error:
            left_out[module] = f"its import failed with `{type(error).__name__}`"
        if _thread_count() > 1:
            # A lock that another thread holds would stay locked in each fork for ever.
            control.send(json.dumps({"say": "threads", "module": module}).encode())
            _flush()
            os._exit(0)
    gc.collect()
    gc.freeze()
    sandbox.outlive_parent()
    zygote = Zygote(control, worker, Path(order["home"]), Limits(**order["limits"]))
    zygote.send("ready", left_out=left_out)
    zygote.serve()
    _flush()
    # The exit handlers of the imported modules are left to the worker.
    os._exit(0)


def _confine(setup: ChildSetup) -> None:
    os.setsid()
    sandbox.die_with_parent(setup.parent_id)
    sandbox.adopt_orphans()
    sandbox.give_up_privileges()
    # A service manager signals every process of a service when it stops; a call under way ends by
    # itself, or at its deadline. Handlers, unlike ignored signals, are not inherited by programs.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _pass)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for descriptor in setup.close:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (setup.output, 1), (setup.output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(setup.output)
    for stream in (sys.stdout, sys.stderr):
        # So that its output is complete when it is killed.
        getattr(stream, "reconfigure", dict)(line_buffering=True)
    setup.home.mkdir(mode=0o700)
    os.chdir(setup.home)
    sandbox.reset_environment(setup.home)
    tempfile.tempdir = None
    sandbox.set_limits(setup.limits)


def _pass(number: int, frame: FrameType | None) -> None:
    del number, frame


def _serve(channel: socket.socket, setup: ChildSetup) -> None:
    body = protocol.receive_blocking(channel)
    if body is None:
        return
    job = decode_job(body)
    sandbox.set_cpu_limit(setup.limits, remaining_s=job.remaining_s)
    own_id = os.getpid()
    message = run_job(
        job,
        calling=lambda: channel.sendall(protocol.frame(protocol.encode(protocol.Calling()))),
        result_bytes=setup.limits.message_bytes,
    )
    if os.getpid() != own_id:
        # The tool forked, and this is the copy of its process.
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    channel.sendall(protocol.frame(protocol.encode(message)))


def _kill(process: _Process) -> None:
    if process.status is not None:
        return
    # Right after a fork it is not yet in a group of its own.
    with suppress(ProcessLookupError):
        os.kill(process.id, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(process.id, signal.SIGKILL)


def _children() -> list[int]:
    """Return the ids of this process's children."""
    own_id = os.getpid()
    try:
        listed = Path(f"/proc/self/task/{own_id}/children").read_text()
    except FileNotFoundError:
        # A kernel without it (CONFIG_PROC_CHILDREN) still shows the parent of each process.
        found = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]
        return [each for each in found if _parent(each) == own_id]
    return [int(each) for each in listed.split()]


def _parent(process_id: int) -> int | None:
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def _thread_count() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _flush() -> None:
    """Flush the buffers, or each fork would write them too."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
