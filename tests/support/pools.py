"""Jobs for pools, and watching the processes that come of them."""

import asyncio
import json
import os
import select
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from penstock.nodes.isolation import Job, Pool
from penstock.nodes.secrets import SecretValues
from support.calls import ATTEMPT

TOOLS = "support.isolated"
DEADLINE_S = 60.0


def job(
    name: str,
    *,
    remaining_s: float = DEADLINE_S,
    secrets: Mapping[str, str] | None = None,
    call_id: str | None = None,
    module: str = TOOLS,
    **arguments: object,
) -> Job:
    """Make the job of one call of a tool."""
    return Job(
        import_path=f"{module}:{name}",
        arguments=json.dumps(arguments),
        attempt=ATTEMPT,
        remaining_s=remaining_s,
        call_id=call_id,
        secrets=SecretValues(secrets or {}),
    )


async def ask(pool: Pool, name: str, **arguments: Any) -> Any:
    """Make one call, and return what came back as plain data."""
    return json.loads(await pool.run(job(name, **arguments)))


class Note:
    """A named pipe: a process writes to its path, and whoever waits for that reads it."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.path = str(folder / "note")
        os.mkfifo(self.path)
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    async def read(self) -> Any:
        """Return what was written first, as JSON."""
        loop = asyncio.get_running_loop()
        written = asyncio.Event()
        loop.add_reader(self._descriptor, written.set)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await written.wait()
        finally:
            loop.remove_reader(self._descriptor)
        return self._take()

    def read_blocking(self) -> Any:
        """Return what was written first, as JSON."""
        ready, _, _ = select.select([self._descriptor], [], [], DEADLINE_S)
        assert ready, "nothing was written in time"
        return self._take()

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._descriptor)

    def _take(self) -> Any:
        return json.loads(os.read(self._descriptor, 4096))


class Watched:
    """Processes that are there now, to be seen ending; their numbers may be given to others."""

    def __init__(self, process_ids: Iterable[int]) -> None:
        """Open a descriptor on each that has not ended yet."""
        self._descriptors: list[int] = []
        for each in process_ids:
            with suppress(ProcessLookupError):
                self._descriptors.append(os.pidfd_open(each))

    def have_ended(self, *, within_s: float = 0.0) -> bool:
        """Wait for their ends, and tell whether all have come."""
        try:
            return all(select.select([each], [], [], within_s)[0] for each in self._descriptors)
        finally:
            for each in self._descriptors:
                os.close(each)


def names_in(folder: Path) -> list[str]:
    """List what is in a folder."""
    return sorted(each.name for each in folder.iterdir())


def descriptor_count() -> int:
    """Count the open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (names)


def child_count() -> int:
    """Count the children of this process, dead ones that nobody has waited for among them."""
    count = 0
    for each in Path("/proc/self/task").iterdir():
        # A thread may end meanwhile; its children are then another's.
        with suppress(FileNotFoundError, ProcessLookupError):
            count += len((each / "children").read_text().split())
    return count
