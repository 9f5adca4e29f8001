"""Ports of this machine: whether one is free, who has it, and whether something answers there."""

import contextlib
import http.client
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

HOST = "127.0.0.1"
_ANSWER_S = 5.0
_LISTENING = "0A"


def is_free(port: int) -> bool:
    """Tell whether a program could listen there now."""
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
    """Say who listens there, as far as this user may know: a program and its process id."""
    wanted = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        # Those of others cannot be looked into, and any may end meanwhile.
        with contextlib.suppress(OSError):
            if any(str(link.readlink()) in wanted for link in (process / "fd").iterdir()):
                words = (process / "cmdline").read_text(errors="replace").split("\0")
                command = shlex.join(word for word in words if word)
                return f"`{_short(command)}` (process {process.name})"
    return "another program"


def answers(port: int, path: str) -> bool:
    """Tell whether an HTTP server there answers to `path` with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listening(port: int) -> Iterator[str]:
    """Give the inodes of the sockets that listen on a port, as Linux tells them."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _short(command: str) -> str:
    return command if len(command) <= 100 else f"{command[:99]}…"
