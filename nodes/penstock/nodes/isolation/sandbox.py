"""The sandbox of a tool's process: its limits, its environment, and its parent. Linux only."""

import ctypes
import math
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.contracts.tool import IsolationTier

_MIB = 1 << 20
_SET_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVILEGES = 38
_GET_NO_NEW_PRIVILEGES = 39
INHERITED_VARIABLES = frozenset({"PATH", "LANG", "LANGUAGE", "TZ"})
"""The variables that a tool's process inherits from the worker, beside `LC_*`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The resources that each tool's process may use; None leaves the worker's own limit."""

    core_count: int = 1
    """Cores that a call may keep busy: its CPU seconds are its remaining time times this number."""
    memory_bytes: int | None = 4096 * _MIB
    """Address space of each process, which includes what is only reserved."""
    open_file_count: int | None = 256
    file_bytes: int | None = 1024 * _MIB
    """The size of any one file that it writes."""
    process_count: int | None = None
    """Processes and threads of the whole user, not of one tool; root is exempt."""
    message_bytes: int = 16 * _MIB
    """The size of the arguments or of a result, as they are sent between the processes."""
    output_bytes: int = 8192
    """The size of the end of a tool's output that is kept."""


def set_limits(limits: Limits) -> None:
    """Set the limits that do not depend on the call, for this process and its descendants."""
    _set_limit(resource.RLIMIT_CORE, 0)
    _set_limit(resource.RLIMIT_AS, limits.memory_bytes)
    _set_limit(resource.RLIMIT_NOFILE, limits.open_file_count)
    _set_limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _set_limit(resource.RLIMIT_NPROC, limits.process_count)


def set_cpu_limit(limits: Limits, *, remaining_s: float) -> None:
    """Limit the CPU seconds, which end a process even where no other is left to kill it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = used.ru_utime + used.ru_stime
    _set_limit(resource.RLIMIT_CPU, math.ceil(spent_s + remaining_s * limits.core_count) + 1)


def die_with_parent(parent_id: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; exit if it has."""
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent_id:
        os._exit(0)


def outlive_parent() -> None:
    """Undo `die_with_parent`."""
    _prctl(_SET_DEATH_SIGNAL, 0)


def adopt_orphans() -> None:
    """Make this process the parent of its descendants whose own parents end, in any session."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def give_up_privileges() -> None:
    """Keep this process and its descendants from gaining privileges by starting programs."""
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)


def has_prctl() -> bool:
    """Tell whether the system has `prctl`, which this module rests on."""
    try:
        _prctl(_GET_NO_NEW_PRIVILEGES, 0)
    except (OSError, AttributeError):
        return False
    return True


def clean_environment(home: Path) -> dict[str, str]:
    """Return the environment of a tool's process: the inherited variables, and a home of its own.

    LangGraph's strict mode is on: it is read when a tool's module imports LangGraph.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED_VARIABLES or name.startswith("LC_")
    }
    return {
        **kept,
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANGGRAPH_STRICT_MSGPACK": "true",
    }


def reset_environment(home: Path) -> None:
    """Reset this process's environment, to which imported modules may have added variables."""
    cleaned = clean_environment(home)
    os.environ.clear()
    os.environ.update(cleaned)


def add_variables(variables: Mapping[str, str]) -> None:
    """Add variables to this process's environment."""
    os.environ.update(variables)


def available_tiers() -> Mapping[IsolationTier, str | None]:
    """Return each isolation tier with the reason why it does not work here; None where it does.

    A call whose tier is missing is refused. It never runs in a lower one.
    """
    return {
        IsolationTier.IN_PROCESS: None,
        IsolationTier.SUBPROCESS: _why_no_subprocess(),
    }


def _set_limit(kind: int, value: int | None) -> None:
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


def _why_no_subprocess() -> str | None:
    if sys.platform != "linux":
        return (
            f"it needs Linux, and this is `{sys.platform}`, which has no pidfd, no PR_SET_PDEATHSIG"
            " and no PR_SET_CHILD_SUBREAPER: a tool could outlive its deadline or its worker"
        )
    if not sys.executable:
        return "Python does not know its own program (`sys.executable` is empty)"
    if not _has_pidfd():
        return "the kernel has no `pidfd_open`, or forbids it; it came with Linux 5.3"
    if not has_prctl():
        return "the C library has no `prctl`, or a filter of system calls forbids it"
    if not Path("/proc/self/task").is_dir():
        return "`/proc` is not mounted"
    return (
        None
        if _has_packet_sockets()
        else "sockets of the kind AF_UNIX, SOCK_SEQPACKET are not there"
    )


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return False
    return True


def _has_packet_sockets() -> bool:
    try:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        return False
    one.close()
    other.close()
    return True
