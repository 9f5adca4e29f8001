"""One run in a real browser: what is chosen in one place is chosen in all, and in the address."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Locator, Page, expect

from penstock.contracts.run import Run, RunMode, RunStatus
from support.browsers import Windows
from support.rooms import Room, open_room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room for all of these tests."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


async def paid(room: Room, order: str) -> Run:
    """Return a run that was approved and is over."""
    run = await room.run("paying", order=order, cents=50)
    gate = await room.gate(run)
    await room.approvals.approve(gate.id, by="fay", binding=gate.binding or "")
    return await room.until(run, RunStatus.SUCCEEDED)


def node(page: Page, name: str) -> Locator:
    return page.locator(f'[data-pick="node:{name}"]')


def chosen(page: Page, what: str) -> Locator:
    return page.locator(f'[data-pick^="{what}"][aria-pressed="true"]')


async def test_node_that_is_picked_is_chosen_on_the_timeline_in_the_table_and_in_the_address(
    room: Room, page: Page, windows: Windows
) -> None:
    run = await paid(room, "R-1")
    await room.log_in(page, "olga", f"/run?run={run.id}")
    await node(page, "refund").click()
    await page.wait_for_url("**step=**")
    # It was executed twice, as it waited: two bars on the timeline, and two rows of the table.
    await expect(chosen(page, "step:")).to_have_count(4)
    await expect(page.get_by_text("What that has changed")).to_be_visible()
    await expect(page.get_by_text("paid 50").first).to_be_visible()
    other = await windows.open(width=800)
    await room.log_in(other, "vera", page.url.removeprefix(room.url))
    await expect(chosen(other, "step:")).to_have_count(4)
    await expect(other.get_by_text("What that has changed")).to_be_visible()


async def test_call_is_reached_and_chosen_with_the_keyboard(room: Room, page: Page) -> None:
    run = await paid(room, "R-2")
    await room.log_in(page, "olga", f"/run?run={run.id}&show=calls")
    row = page.locator('tr[data-pick^="call:"]')
    await row.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**call=**")
    await expect(row).to_have_attribute("aria-pressed", "true")
    await expect(node(page, "refund")).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("link", name="Made in step refund")).to_be_visible()


async def test_what_others_wrote_is_shown_as_they_wrote_it(room: Room, page: Page) -> None:
    nasty = '<img src=x onerror="document.title=1">'
    run = await room.run("asking", order=nasty)
    await room.log_in(page, "olga", f"/run?run={run.id}&show=states")
    await expect(page.get_by_text(nasty).first).to_be_visible()
    await expect(page.locator("img[src=x]")).to_have_count(0)


async def test_views_stand_in_the_address(room: Room, page: Page) -> None:
    run = await room.run("asking", order="R-3")
    await room.log_in(page, "olga", f"/run?run={run.id}")
    await page.get_by_text("States", exact=True).click()
    await page.wait_for_url(re.compile("show=states"))
    await expect(page.get_by_label("against this one")).to_be_visible()


async def test_run_is_forked_and_the_fork_leads_back(room: Room, page: Page) -> None:
    run = await paid(room, "R-4")
    await room.log_in(page, "ada", f"/run?run={run.id}")
    await page.get_by_role("link", name="Fork", exact=True).click()
    await expect(page.get_by_text("Runs first:")).to_be_visible()
    await expect(page.get_by_text("its recorded result is given")).to_be_visible()
    await page.get_by_role("button", name="Fork, simulated").click()
    await page.get_by_role("link", name="The run it was forked from").click()
    await expect(page.get_by_role("link", name="Forked as")).to_be_visible()
    await expect(page).to_have_url(re.compile(f"run={run.id}"))
    forks = [each for each in await room.runtime.list() if each.thread_id != run.thread_id]
    fork = await room.until(forks[0], RunStatus.SUCCEEDED)
    assert fork.mode is RunMode.SIMULATE
    assert room.paid().count("R-4 50") == 1


async def test_who_only_looks_is_offered_no_fork(room: Room, page: Page) -> None:
    run = await paid(room, "R-5")
    await room.log_in(page, "vera", f"/run?run={run.id}")
    await expect(page.get_by_role("link", name="Compare")).to_be_visible()
    await expect(page.get_by_role("link", name="Fork", exact=True)).to_have_count(0)
