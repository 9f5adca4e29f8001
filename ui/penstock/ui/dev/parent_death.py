"""Becomes another program that ends when its parent dies; `supervisor` runs this by its path.

The kernel keeps the promise, so it holds when the parent is killed and can stop nobody any more.
Only Linux has such a kernel; elsewhere the program runs all the same.
"""

import ctypes
import os
import signal
import sys

_SET_DEATH_SIGNAL = 1


def main() -> None:
    """Take the parent's process id and a command, and become that command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("whoever started this has ended")
    try:
        os.execvp(command[0], command)  # noqa: S606  (that is its purpose)
    except OSError as error:
        sys.exit(f"`{command[0]}` cannot be started: {error.strerror}")


if __name__ == "__main__":
    main()
