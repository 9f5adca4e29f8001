"""A process of its own that dies in a conversation, or takes one up again: for `recovery`.

`python -m bench.revival die NAME FILE COUNT` holds a conversation and is killed by itself in the
step after the COUNT-th message. `python -m bench.revival revive NAME FILE COUNT` does that step,
and writes as JSON how long it took from opening the database until the node ran, and until the
step was durable. Interpreter and imports are not counted: they are everybody's.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from bench.contestants import ASYNC_SQLITE, PENSTOCK, THREADED_SQLITE, Contestant
from bench.disk import Tally
from bench.graphs import chat, drive, lines_of_text

THREAD = "chat"

CONTESTANTS: tuple[Contestant, ...] = (ASYNC_SQLITE, THREADED_SQLITE, PENSTOCK)


def main() -> None:
    """Read the command line and do what it says."""
    what, name, path, count = sys.argv[1:]
    (contestant,) = (one for one in CONTESTANTS if one.name == name)
    if what == "die":
        asyncio.run(_die(contestant, Path(path), int(count)))
    else:
        sys.stdout.write(json.dumps(asyncio.run(_revive(contestant, Path(path), int(count)))))


async def _die(contestant: Contestant, path: Path, count: int) -> None:
    def heard(number: int) -> None:
        if number == count:
            os.kill(os.getpid(), signal.SIGKILL)

    async with contestant.open(path, Tally(0)) as opened:
        graph = chat(opened.saver, lines_of_text(count + 1), heard=heard)
        await drive(graph, {"messages": [], "wanted": count + 1}, thread_id=THREAD)


async def _revive(contestant: Contestant, path: Path, count: int) -> dict[str, float]:
    lines = lines_of_text(count + 1)
    reached: list[float] = []
    began = time.perf_counter()
    async with contestant.open(path, Tally(0)) as opened:
        graph = chat(opened.saver, lines, heard=lambda _: reached.append(time.perf_counter()))
        result = await drive(graph, None, thread_id=THREAD)
        ended = time.perf_counter()
    if len(reached) != 1 or len(result["messages"]) != count + 1:
        msg = f"{contestant.name} made {len(reached)} steps, to {len(result['messages'])} messages"
        raise RuntimeError(msg)
    return {"node_s": reached[0] - began, "durable_s": ended - began}


if __name__ == "__main__":
    main()
