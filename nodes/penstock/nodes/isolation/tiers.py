"""Which isolation tiers work on this machine."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from penstock.contracts.tool import IsolationTier
from penstock.nodes.isolation import limits


def available() -> Mapping[IsolationTier, str | None]:
    """Return each tier with why it does not work here; None where it does.

    A call whose tier is missing is refused. It never runs in a lower one.
    """
    return {
        IsolationTier.IN_PROCESS: None,
        IsolationTier.SUBPROCESS: _subprocess(),
    }


def _subprocess() -> str | None:
    if sys.platform != "linux":
        return (
            f"it needs Linux, and this is `{sys.platform}`, which has no pidfd, no PR_SET_PDEATHSIG"
            " and no PR_SET_CHILD_SUBREAPER: a tool could outlive its deadline or its worker"
        )
    if not sys.executable:
        return "Python does not know its own program (`sys.executable` is empty)"
    if not _has_pidfd():
        return "the kernel has no `pidfd_open`, or forbids it; it came with Linux 5.3"
    if not limits.has_prctl():
        return "the C library has no `prctl`, or a filter of system calls forbids it"
    if not Path("/proc/self/task").is_dir():
        return "`/proc` is not mounted"
    return None if _has_packets() else "sockets of the kind AF_UNIX, SOCK_SEQPACKET are not there"


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return False
    return True


def _has_packets() -> bool:
    try:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        return False
    one.close()
    other.close()
    return True
