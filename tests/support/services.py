"""Running a service as a worker does."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from penstock.contracts.ids import WorkerId
from penstock.runs.services import Service, ServiceLoops

WORKER = WorkerId("keeper")


@asynccontextmanager
async def serving(*services: Service, beat_s: float = 0.01) -> AsyncGenerator[None]:
    """Run services for a worker, and stop them as one that drains does."""
    loops = ServiceLoops(services, WORKER, beat_s=beat_s)
    async with asyncio.TaskGroup() as group:
        loops.start(group)
        yield
        loops.begin_stop()
        await loops.stop()
