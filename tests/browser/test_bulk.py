"""Many runs in a real browser: ticked in the list, looked over, and cancelled; a graph's runs."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from penstock.contracts.run import RunStatus
from support.rooms import Room, open_room

TICK_X, FIRST_Y, ROW_PX = 16, 38 + 17, 35
"""Where the boxes are in which rows are ticked: the list is one picture."""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room for all of these tests."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


async def test_runs_that_are_ticked_are_cancelled_and_no_others(room: Room, page: Page) -> None:
    kept, second, first = [await room.run("asking", order=f"B-{number}") for number in range(3)]
    await room.log_in(page, "olga", "/runs?graph=asking&state=waiting")
    rows = page.get_by_test_id("stDataFrame")
    await expect(rows).to_be_visible()
    for row in range(2):
        await rows.click(position={"x": TICK_X, "y": FIRST_Y + row * ROW_PX})
        await expect(page.get_by_text(f"{row + 1} ticked.")).to_be_visible()
    # What comes now moves every row by one, and the ticks stay with their runs.
    late = await room.run("asking", order="late")
    await page.get_by_role("button", name="Cancel them").click()
    await expect(page.get_by_text("Cancel 2 runs?")).to_be_visible()
    await page.get_by_label("Why (may be left empty)").fill("not wanted")
    await page.get_by_role("button", name="Cancel these 2 runs").dblclick()
    await expect(page.get_by_text("Done: 2 applied, 0 skipped, 0 stale")).to_be_visible()
    for run in (first, second):
        assert (await room.runtime.get(run.id)).status is RunStatus.CANCELLED
        moves = [event.action for event in await room.runtime.history(run.id)]
        assert moves.count("run.cancelled") == 1
    for run in (kept, late):
        assert (await room.runtime.get(run.id)).status is RunStatus.WAITING


async def test_graph_is_left_for_the_runs_that_wait_in_a_node(room: Room, page: Page) -> None:
    run = await room.run("paying", order="B-9", cents=50_000)
    await room.log_in(page, "vera", "/graphs?graph=paying")
    await expect(page.get_by_text("refund · 1 run waits")).to_be_visible()
    await expect(page.get_by_role("heading", name="Where runs wait")).to_be_visible()
    nodes = page.get_by_test_id("stDataFrame").last
    await nodes.click(position={"x": 40, "y": FIRST_Y})
    await page.wait_for_url("**/runs?graph=paying&node=refund&shape=*")
    await expect(page.get_by_role("button", name="Waits in refund")).to_be_visible()
    await page.get_by_test_id("stDataFrame").click(position={"x": 150, "y": FIRST_Y})
    await page.wait_for_url(f"**/run?run={run.id}")


async def test_run_is_started_with_tags_and_limits(room: Room, page: Page) -> None:
    await room.log_in(page, "ada", "/graphs?graph=asking")
    await page.get_by_label("Order").fill("B-10")
    await page.get_by_text("Tags and limits").click()
    await page.get_by_role("textbox", name="Tags").fill("nightly, customer-7")
    await page.get_by_label("Money at most").fill("0.50 USD")
    await page.get_by_role("button", name="Start").click()
    await page.wait_for_url("**/run?run=*")
    await expect(page.get_by_text("customer-7")).to_be_visible()
    (run,) = await room.runtime.list(tags=["nightly", "customer-7"])
    budget, _ = await room.runtime.budget(run.id)
    assert budget is not None
    assert "500000" in str(budget.balances)
