"""Ports of this machine: whether one is free, which program has it, and whether it answers."""

import contextlib
import shlex
import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx

HOST = "127.0.0.1"
_ANSWER_S = 5.0
_LISTENING = "0A"


def is_free(port: int) -> bool:
    """Tell whether a program could listen at a port now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as trial:
        trial.bind((HOST, 0))
        port: int = trial.getsockname()[1]
        return port


def holder(port: int) -> str:
    """Return the program that listens at a port, and its process id, if this user may see them."""
    wanted = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        # Processes of other users cannot be read, and any process may end meanwhile.
        with contextlib.suppress(OSError):
            if any(str(link.readlink()) in wanted for link in (process / "fd").iterdir()):
                words = (process / "cmdline").read_text(errors="replace").split("\0")
                command = shlex.join(word for word in words if word)
                return f"`{_short(command)}` (process {process.name})"
    return "another program"


def answers(port: int, path: str) -> bool:
    """Tell whether an HTTP server at a port answers a request for `path` with 200."""
    try:
        # A proxy of the environment is for other machines, and would answer in place of this one.
        answer = httpx.get(f"http://{HOST}:{port}{path}", timeout=_ANSWER_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code == HTTPStatus.OK


def _listening(port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen at a port, from Linux's tables."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _short(command: str) -> str:
    return command if len(command) <= 100 else f"{command[:99]}…"
