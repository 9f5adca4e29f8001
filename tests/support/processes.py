"""Processes that others have started: whether they are there, and when they are gone."""

import asyncio
from pathlib import Path

PATIENCE_S = 60


def is_alive(process: int) -> bool:
    """Tell whether a process is there and has not ended, as Linux tells it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until_gone(process: int) -> None:
    """Wait until a process has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while is_alive(process):  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.05)
