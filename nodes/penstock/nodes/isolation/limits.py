"""What a tool's process may use, and how it is cut off from what started it. Linux."""

import ctypes
import math
import os
import resource
import signal
from dataclasses import dataclass
from typing import Any

_MIB = 1 << 20

_SET_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVILEGES = 38
_GET_NO_NEW_PRIVILEGES = 39


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What each tool's process may use. Where a limit is None, the worker's own stands."""

    core_count: int = 1
    """Cores that a call may keep busy: it gets as many times its remaining time as CPU seconds."""
    memory_bytes: int | None = 4096 * _MIB
    """Of address space, which also counts what is only reserved; for each process."""
    open_file_count: int | None = 256
    file_bytes: int | None = 1024 * _MIB
    """Of any one file that it writes."""
    process_count: int | None = None
    """Processes and threads of the whole user, not of one tool; root is not bound by it."""
    message_bytes: int = 16 * _MIB
    """Of the arguments or of a result, as they go between the processes."""
    output_bytes: int = 8192
    """How much is kept of the end of what a tool prints."""


def bound(limits: Limits) -> None:
    """Set all limits that do not depend on the call, for this process and what it starts."""
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_AS, limits.memory_bytes)
    _set(resource.RLIMIT_NOFILE, limits.open_file_count)
    _set(resource.RLIMIT_FSIZE, limits.file_bytes)
    _set(resource.RLIMIT_NPROC, limits.process_count)


def bound_cpu(limits: Limits, *, remaining_s: float) -> None:
    """Limit the CPU seconds, which end a process even where nobody is left to kill it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = used.ru_utime + used.ru_stime
    _set(resource.RLIMIT_CPU, math.ceil(spent_s + remaining_s * limits.core_count) + 1)


def die_with_parent(parent_id: int) -> None:
    """Have this process killed when the thread ends that started it; end now if it has."""
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent_id:
        os._exit(0)


def outlive_parent() -> None:
    """Take `die_with_parent` back."""
    _prctl(_SET_DEATH_SIGNAL, 0)


def adopt_orphans() -> None:
    """Make this process the parent of what its children leave behind, sessions or not."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def give_up_privileges() -> None:
    """Keep this process, and what it starts, from gaining rights by starting programs."""
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)


def has_prctl() -> bool:
    """Tell whether the calls that this module rests on are there."""
    try:
        _prctl(_GET_NO_NEW_PRIVILEGES, 0)
    except (OSError, AttributeError):
        return False
    return True


def _set(kind: int, value: int | None) -> None:
    if value is None:
        return
    _, hard = resource.getrlimit(kind)
    wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (wanted, wanted))


def _prctl(option: int, value: int) -> None:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    long = ctypes.c_ulong
    if libc.prctl(option, long(value), long(0), long(0), long(0)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
