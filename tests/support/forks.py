"""Children that may be killed, forked from a process that has everything imported already."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager

from support.processes import end_with_parent


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a child process and return the child's id.

    The caller must not have threads: a child would inherit their locks and not them.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    end_with_parent(signal.SIGKILL)
    try:
        work()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def ended(child: int) -> int:
    """Wait for a child; return its exit code, or the signal that killed it, negative."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@contextmanager
def children() -> Generator[Callable[[Callable[[], None]], int]]:
    """Give a `fork` whose children are killed at the end, if they are still there, or stopped."""
    started: list[int] = []

    def start(work: Callable[[], None]) -> int:
        started.append(fork(work))
        return started[-1]

    try:
        yield start
    finally:
        for child in started:
            try:
                is_there = os.waitpid(child, os.WNOHANG)[0] == 0
            except ChildProcessError:
                continue
            if is_there:
                os.kill(child, signal.SIGKILL)
                ended(child)


def run(work: Callable[[], None]) -> None:
    """Run `work` in a child and make sure that it succeeds."""
    code = ended(fork(work))
    if code != 0:
        raise RuntimeError(f"a child ended with {code}: its output is above")


def kill_here() -> None:
    """Die at once, as a machine does whose power is cut."""
    os.kill(os.getpid(), signal.SIGKILL)
