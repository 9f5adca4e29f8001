"""What is kept running: a program, and how it is known to work and to end."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One program that runs beside the others."""

    name: str
    """What its lines in the log begin with."""
    command: tuple[str, ...]
    env: Mapping[str, str]
    stop_s: float
    """So long it has to end after a SIGTERM; then it is killed, with all that it started."""
    restarts: bool
    """Whether it is started again when it ends by itself."""
    health: tuple[int, str] | None = None
    """A port and a path of this machine that answer with 200 when it works."""
    up: str = ""
    """What is said when they first do."""
    quiet: bool = False
    """What it says before it works is said only if it ends instead."""
    todo: str = ""
    """What to do where it ended and is not started again."""
