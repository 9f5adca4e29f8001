"""Let the disk fail in the middle of a run, then go on from what it holds.

A program: `broken_disk.py FOLDER (sync|full) STORED`. The worker's disk fails after so many
checkpoints were stored. It prints the error that the run's driver was given.
"""

import asyncio
import sys
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata

from penstock.checkpoints import Store
from penstock.contracts.errors import StoreError
from support import disk_faults, forks
from support.databases import migrated_sqlite
from support.graphs import on_thread
from support.rounds import Log, TellingCheckpointer, check, go_on, opened, rounds

WANTED = 6
FAULTS = {"sync": disk_faults.sync_fails, "full": disk_faults.disk_is_full}


class BreakingCheckpointer(TellingCheckpointer):
    """Breaks the disk after so many checkpoints."""

    def __init__(self, store: Store, log: Log, fault: str, left: int) -> None:
        super().__init__(store, log)
        self._fault = fault
        self._left = left

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, and break the disk if it was the last."""
        stored = await super().aput(config, checkpoint, metadata, new_versions)
        self._left -= 1
        if self._left == 0:
            FAULTS[self._fault]()
        return stored


def live(url: str, log: Log, fault: str, left: int) -> None:
    """Run into the fault and write down what the driver was told, twice."""
    store = Store.open(url)
    graph = rounds(BreakingCheckpointer(store, log, fault, left), log)
    for _ in range(2):
        try:
            asyncio.run(go_on(graph, on_thread("t"), wanted=WANTED))
        except StoreError as error:
            log.write("told", error.code, str(error))
        else:
            raise RuntimeError("the run came to its end on a broken disk")


def examine(url: str, log: Log) -> None:
    """Go on from what was stored, on a disk that works again."""
    with opened(url, log) as (graph, _):
        asyncio.run(check(graph, log, "t", wanted=WANTED))


def main(folder: Path, fault: str, left: int) -> None:
    """Break the disk once, then check."""
    url, log = migrated_sqlite(folder), Log(folder / "log")
    forks.run(lambda: live(url, log, fault, left))
    forks.run(lambda: examine(url, log))
    for told in log.read("told"):
        print("told:", *told)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
