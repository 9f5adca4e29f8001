"""Runs in a real browser: started, looked at and steered there, by who may."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from penstock.checkpoints import runs
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import RunStatus
from support.browsers import Windows
from support.rooms import Room, open_room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room for all of these tests."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


async def test_run_is_started_from_a_form_and_followed_to_its_gate(room: Room, page: Page) -> None:
    await room.log_in(page, "ada", "/graphs?graph=paying")
    await page.get_by_label("Order").fill("B-1")
    await page.get_by_label("Cents").fill("4200")
    await page.get_by_role("button", name="Start").click()
    await page.wait_for_url("**/run?run=*")
    await expect(page.get_by_text("Waits:")).to_be_visible()
    await page.get_by_role("link", name="Look at it").click()
    await expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    await expect(page.get_by_role("cell", name="4200")).to_be_visible()
    await expect(page.get_by_text("You look on")).to_be_visible()


async def test_viewer_starts_and_steers_nothing(room: Room, page: Page) -> None:
    run = await room.run("asking", order="B-2")
    await room.log_in(page, "vera", "/graphs?graph=paying")
    await expect(page.get_by_text("You may look, and start nothing")).to_be_visible()
    await page.goto(f"{room.url}/run?run={run.id}")
    await expect(page.get_by_role("button", name="Cancel")).to_be_disabled()


async def test_run_is_cancelled_with_a_reason_and_says_so(room: Room, page: Page) -> None:
    run = await room.run("slow", until=RunStatus.RUNNING, order="B-3")
    await room.log_in(page, "olga", f"/run?run={run.id}")
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_label("Why (may be left empty)").fill("It never ends.")
    await page.get_by_role("button", name="Cancel this run").click()
    await room.until(run, RunStatus.CANCELLED)
    await expect(page.get_by_text("Cancelled by olga")).to_be_visible()
    await expect(page.get_by_text("It never ends.").first).to_be_visible()


async def test_run_is_paused_and_resumed(room: Room, page: Page) -> None:
    run = await room.run("asking", order="B-4")
    await room.log_in(page, "ada", f"/run?run={run.id}")
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_role("button", name="Pause this run").click()
    await expect(page.get_by_text("Paused by ada")).to_be_visible()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert (await room.runtime.get(run.id)).pause_by is None


async def test_link_to_a_run_leads_there_after_the_login_and_after_a_reload(
    room: Room, page: Page
) -> None:
    run = await room.run("asking", order="B-5")
    await room.log_in(page, "vera", f"/run?run={run.id}")
    for _ in range(2):
        await expect(page.get_by_role("heading", name="Where it is")).to_be_visible()
        assert page.url == f"{room.url}/run?run={run.id}"
        await page.reload()


async def test_filters_stand_in_the_address(room: Room, windows: Windows) -> None:
    await room.run("asking", order="B-6")
    page = await windows.open()
    await room.log_in(page, "olga", "/runs")
    await page.get_by_text("Waiting (").click()
    await page.wait_for_url("**/runs?state=waiting")
    other = await windows.open()
    await room.log_in(other, "olga", "/runs?state=failed")
    await expect(other.get_by_text("No run fits")).to_be_visible()
    wanted = RunFilter(tenant="default", statuses=(RunStatus.FAILED,))
    assert await room.store.read(lambda tx: runs.page(tx, wanted, limit=9)) == []


async def test_unknown_run_is_a_sentence(room: Room, page: Page) -> None:
    await room.log_in(page, "olga", "/run?run=01234567-0000-7000-8000-000000000000")
    await expect(page.get_by_text("no run has the id")).to_be_visible()
    await expect(page.get_by_text("Traceback")).to_have_count(0)
