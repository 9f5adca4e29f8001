"""Services run beside a worker's runs, and none of them ends the worker."""

import asyncio
import logging

import pytest
from typing_extensions import override

from penstock.contracts.errors import PhoenixUnreachable
from penstock.contracts.ids import WorkerId
from penstock.runs import services
from penstock.runs.services import Service, ServiceLoops
from support.services import WORKER, serving

IDLE, BUSY = (False, True)


class Script(Service):
    """A service whose runs end as they are told to, and then without anything to do."""

    name = "script"
    backoff_s = 0.0

    def __init__(self, *ends: bool | Exception) -> None:
        self._ends = list(ends)
        self.done = asyncio.Event()
        self.run_count = 0
        self.last_count = 0

    @override
    async def run_once(self, worker: WorkerId) -> bool:
        assert worker == WORKER
        self.run_count += 1
        if not self._ends:
            self.done.set()
            return False
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    @override
    async def run_last(self) -> None:
        self.last_count += 1


class Last(Script):
    stops_last = True


async def test_service_runs_again_at_once_as_long_as_more_is_due() -> None:
    script = Script(BUSY, BUSY)
    async with serving(script, beat_s=3600.0):
        await script.done.wait()
    assert script.run_count == 3


async def test_service_runs_again_after_its_period() -> None:
    script = Script(IDLE, IDLE)
    async with serving(script):
        await script.done.wait()
    assert script.run_count >= 3


async def test_failure_is_logged_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    gone = PhoenixUnreachable("gone")
    script = Script(gone, gone, IDLE, gone)
    async with serving(script):
        await script.done.wait()
    message = "script failed, and will be tried again: gone"
    assert [each.message for each in caplog.records] == [message, message]


async def test_failure_that_nobody_expected_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = Script(LookupError("what"))
    async with serving(script):
        await script.done.wait()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


async def test_failure_waits_longer_than_the_period() -> None:
    script = Script(LookupError("what"))
    script.backoff_s = 3600.0
    async with serving(script):
        async with asyncio.timeout(60):
            while not script.run_count:  # noqa: ASYNC110  (the script counts)
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)
    assert script.run_count == 1


async def test_service_that_stops_last_runs_while_runs_are_given_back() -> None:
    first, last = Script(), Last()
    loops = ServiceLoops([first, last], WORKER, beat_s=0.001)
    async with asyncio.TaskGroup() as group:
        loops.start(group)
        await asyncio.gather(first.done.wait(), last.done.wait())
        loops.begin_stop()
        async with asyncio.timeout(60):
            while not first.last_count:  # noqa: ASYNC110  (the script counts)
                await asyncio.sleep(0)
        ran, last.done = last.run_count, asyncio.Event()
        await last.done.wait()
        await loops.stop()
    assert last.run_count > ran
    assert (first.last_count, last.last_count) == (1, 1)


async def test_service_that_does_not_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LAST_RUN_S", 0.01)

    class Hanging(Script):
        @override
        async def run_once(self, worker: WorkerId) -> bool:
            self.done.set()
            await asyncio.Event().wait()
            return False

    hanging = Hanging()
    async with asyncio.timeout(60), serving(hanging):
        await hanging.done.wait()
    assert hanging.last_count == 0
