"""A disk that fails: system calls of this process are refused by the kernel from now on.

A seccomp filter does it, so the database meets the very error a broken or full disk gives, in the
midst of its own work. It needs no rights and nothing installed, holds for all threads, and cannot
be taken back: use it in a child.
"""

import ctypes
import errno
import os
import platform
import struct

# From the kernel's headers: linux/prctl.h, linux/seccomp.h, linux/filter.h, linux/audit.h.
_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_ALL_THREADS = 1
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06

# machine -> (audit architecture, seccomp, calls that write out, calls that write)
_NUMBERS = {
    "x86_64": (0xC000003E, 317, (74, 75), (18, 20, 296)),
    "aarch64": (0xC00000B7, 277, (82, 83), (68, 66, 70)),
}


def sync_fails() -> None:
    """From now on nothing can be brought to the disk: fsync and fdatasync fail with EIO."""
    _refuse(_numbers()[2], errno.EIO)


def disk_is_full() -> None:
    """From now on nothing can be written at a place in a file: it fails with ENOSPC."""
    _refuse(_numbers()[3], errno.ENOSPC)


def is_possible() -> bool:
    """Tell whether this machine's kernel calls are known."""
    return platform.machine() in _NUMBERS and platform.system() == "Linux"


def _numbers() -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    return _NUMBERS[platform.machine()]


def _refuse(calls: tuple[int, ...], error: int) -> None:
    architecture, seccomp, _, _ = _numbers()
    program = [
        (_LOAD, 0, 0, 4),
        (_JUMP_IF_EQUAL, 0, len(calls) + 1, architecture),
        (_LOAD, 0, 0, 0),
    ]
    for position, call in enumerate(calls):
        program.append((_JUMP_IF_EQUAL, len(calls) - position, 0, call))
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | error)]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(
        seccomp, _SET_MODE_FILTER, _ALL_THREADS, filter_
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
