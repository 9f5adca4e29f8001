"""Workers in a real browser: seen alive, had to drain, and what nobody takes then."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from penstock.contracts.run import RunStatus
from penstock.runs import Fleet
from support.browsers import Windows
from support.rooms import Room, open_room


@pytest.fixture
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room whose worker a test may have drain."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


async def test_worker_is_had_to_drain_and_the_queue_is_said_to_be_nobodys(
    room: Room, windows: Windows
) -> None:
    run = await room.run("slow", until=RunStatus.RUNNING, order="W-1")
    other = await windows.open()
    await room.log_in(other, "vera", "/workers")
    await expect(other.get_by_text("1 alive")).to_be_visible()
    await expect(other.get_by_role("link", name=f"Run {run.id[:13]}")).to_be_visible()
    await expect(other.get_by_role("button", name="Drain")).to_be_disabled()
    await other.close()
    page = await windows.open()
    await room.log_in(page, "olga", "/workers")
    await page.get_by_role("button", name="Drain").click()
    # It stays open while the page looks again by itself.
    await page.wait_for_timeout(5_000)
    await page.get_by_role("button", name="Have it drain").click()
    await expect(page.get_by_text("asked it to drain")).to_be_visible()
    await expect(page.get_by_text("1 draining")).to_be_visible()
    # Until it has heard, with its next beat, it takes what is queued.
    await room.until_logged("worker", "olga asked the worker to drain")
    await room.runtime.start("asking", {"order": "W-2"}, actor="ada")
    await expect(page.get_by_text("Nobody will take 1 queued run of asking")).to_be_visible()
    await room.runtime.cancel(run.id, by="olga")
    await expect(page.get_by_text("Ended in the last day (1)")).to_be_visible()
    (worker,) = Fleet(room.store).workers()
    assert worker.drain_by == "olga"
