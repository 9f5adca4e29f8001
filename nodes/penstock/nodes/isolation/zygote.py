"""The process that the processes of tools are forked from.

It has one thread and has imported what tools need, so that a fork is cheap and safe, which in the
worker itself, with its threads, it would never be. It sees no job and no secret. It kills what is
past its deadline and whatever a job leaves behind, also when nobody is left to tell it to: the
worker's death closes the other end of its socket, and a descriptor of the worker's process tells
it, too.
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
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from penstock.nodes.isolation import limits
from penstock.nodes.isolation.child import Birth, live
from penstock.nodes.isolation.limits import Limits

PACKET_BYTES = 1 << 17
"""What one packet to or from it may hold."""

_LEAVE_S = 5.0


@dataclass(slots=True, kw_only=True)
class _Process:
    """A process that was forked, until nothing of it is left."""

    number: int
    id: int
    descriptor: int
    deadline_s: float | None = None
    is_late: bool = False
    status: int | None = None
    """As `waitpid` has it, once it has ended."""
    orphans: set[int] = field(default_factory=set[int])
    """Ids of the processes it left behind, which were killed and have not ended yet."""


def main(control: socket.socket, order: Mapping[str, Any]) -> NoReturn:
    """Be the zygote of the pool at the other end of a socket, for as long as that is there."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # While it imports, it cannot look whether the worker is still there.
    limits.die_with_parent(order["parent"])
    limits.adopt_orphans()
    worker = os.pidfd_open(order["parent"])
    left_out: dict[str, str] = {}
    for module in order["preload"]:
        try:
            importlib.import_module(module)
        except BaseException as error:
            left_out[module] = f"its import failed with `{type(error).__name__}`"
        if _thread_count() > 1:
            # A lock that another thread holds would be held in each fork for ever.
            control.send(json.dumps({"say": "threads", "module": module}).encode())
            _flush()
            os._exit(0)
    gc.collect()
    gc.freeze()
    limits.outlive_parent()
    zygote = Zygote(control, worker, Path(order["home"]), Limits(**order["limits"]))
    zygote.tell("ready", left_out=left_out)
    zygote.serve()
    _flush()
    # What the imported modules would do at an end is the worker's to do.
    os._exit(0)


class Zygote:
    """Forks, kills and buries."""

    def __init__(self, control: socket.socket, worker: int, home: Path, bounds: Limits) -> None:
        self._control = control
        self._worker = worker
        self._home = home
        self._limits = bounds
        self._processes: dict[int, _Process] = {}
        """By their numbers."""
        self._watched: dict[int, tuple[_Process, int]] = {}
        """By descriptors of processes: for which of ours it is watched, and its id."""
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(worker, select.POLLIN)

    def tell(self, say: str, **what: object) -> None:
        """Say something to the pool; it may be gone."""
        with suppress(OSError):
            self._control.send(json.dumps({"say": say, **what}).encode())

    def serve(self) -> None:
        """Do what the pool says until it is gone."""
        while True:
            for descriptor, _ in self._poll.poll(self._wait_ms()):
                if descriptor == self._worker:
                    return self._leave()
                if descriptor == self._control.fileno():
                    if not self._obey():
                        return self._leave()
                else:
                    self._bury(descriptor)
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
        birth = Birth(
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
                live(birth)
        except OSError as error:
            self.tell("ended", number=number, status=None, why=os.strerror(error.errno or 0))
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
        self.tell("forked", number=number, id=process_id)

    def _watch(self, process: _Process, process_id: int, descriptor: int) -> None:
        self._watched[descriptor] = (process, process_id)
        self._poll.register(descriptor, select.POLLIN)

    def _bury(self, descriptor: int) -> None:
        """Take away a process that has ended, and kill what it leaves behind."""
        process, process_id = self._watched.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        if process_id == process.id:
            # Before it is waited for: until then nobody else can have its number.
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
            self.tell(
                "ended", number=process.number, status=process.status, is_late=process.is_late
            )

    def _orphans(self) -> Iterator[int]:
        """Yield children that were not forked here: what a process left behind became ours.

        While a job's process lives, it adopts them itself.
        """
        known = {process_id for _, process_id in self._watched.values()}
        yield from (child for child in _children() if child not in known)

    def _wait_ms(self) -> int | None:
        ahead = [
            each.deadline_s for each in self._processes.values() if each.deadline_s is not None
        ]
        if not ahead:
            return None
        return max(int((min(ahead) - time.monotonic()) * 1000) + 1, 0)

    def _kill_late(self) -> None:
        now_s = time.monotonic()
        for process in self._processes.values():
            if process.deadline_s is not None and process.deadline_s <= now_s:
                process.deadline_s = None
                process.is_late = True
                _kill(process)

    def _leave(self) -> None:
        """Kill everything, see it end, and take the files away."""
        for process in self._processes.values():
            _kill(process)
        self._poll.unregister(self._control)
        self._poll.unregister(self._worker)
        until_s = time.monotonic() + _LEAVE_S
        while self._watched and (left_s := until_s - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(int(left_s * 1000) + 1):
                self._bury(descriptor)
        shutil.rmtree(self._home, ignore_errors=True)


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
        # A kernel without it (CONFIG_PROC_CHILDREN) tells the parent of each process all the same.
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
    """Write out what is buffered, or each fork would write it too."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
