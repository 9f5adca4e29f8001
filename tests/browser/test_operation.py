"""Spend and the audit in a real browser: what was used is drawn, and a chain is verified."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from penstock.checkpoints import spending
from penstock.contracts.clock import SystemClock
from support.browsers import Windows
from support.chains import change, tamper
from support.rooms import Room, open_room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room for all of these tests."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


async def test_viewer_sees_what_was_used_and_takes_it_out(room: Room, windows: Windows) -> None:
    run = await room.run("asking", order="B-1")
    used = {"used_tokens": 1234, "used_money": 2_500_001, "money_currency": "USD"}
    await room.store.write(
        lambda connection: spending.add(connection, run.id, used, at=SystemClock().now())
    )
    for is_dark in (False, True):
        page = await windows.open(width=800 if is_dark else 1440, dark=is_dark)
        await room.log_in(page, "vera", "/spend?measure=money.USD&days=7")
        await expect(page.get_by_text("2.500001 USD").first).to_be_visible()
        await expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    async with page.expect_download() as taken:
        await page.get_by_role("button", name="Take out as CSV").click()
    file = await (await taken.value).path()
    assert ",asking,money,USD,2500001,2.500001 USD" in file.read_text()


async def test_chain_is_verified_and_says_where_it_is_broken(room: Room, page: Page) -> None:
    await room.run("asking", order="B-2")
    await room.log_in(page, "vera", "/audit")
    await page.get_by_role("button", name="Verify all of it").click()
    await expect(page.get_by_text(re.compile(r"Verified up to #\d+")).first).to_be_visible()
    await expect(page.get_by_text("is as it was written")).to_be_visible()
    tamper(f"sqlite:///{room.folder / 'penstock.db'}", change(2, tenant="default", actor="eve"))
    await page.get_by_role("button", name="Verify all of it").click()
    await expect(page.get_by_text("The chain is broken")).to_be_visible()
    await expect(page.get_by_text("row 2 of tenant").first).to_be_visible()
    await page.goto(f"{room.url}/audit?event=2")
    await expect(page.get_by_text("was changed after it was written")).to_be_visible()
    await page.goto(f"{room.url}/audit?action=run.queued")
    await expect(page.get_by_test_id("stDataFrame")).to_be_visible()
