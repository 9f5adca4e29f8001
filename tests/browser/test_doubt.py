"""Calls in doubt in a real browser: the evidence, an answer, and one that comes second."""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from penstock.checkpoints import ledger
from penstock.contracts.ids import IdempotencyKey
from penstock.contracts.run import Run, RunStatus
from support.browsers import Windows
from support.rooms import Room, open_room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room for all of these tests."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


async def in_doubt(room: Room, order: str) -> tuple[Run, IdempotencyKey]:
    """Have a call be in doubt that cannot land any more; return its run and its key."""
    run = await room.run("wiring", order=order)
    (effect,) = await room.runtime.effects(run_id=run.id)
    while True:
        found = await room.store.read(lambda tx: ledger.find_with_clock(tx, effect.key))
        assert found is not None
        if found[1] > found[0].settles_at:
            return run, effect.key
        await asyncio.sleep(0.1)


async def test_call_is_found_in_the_list_and_answered_with_its_result(
    room: Room, page: Page
) -> None:
    run, key = await in_doubt(room, "D-1")
    await room.log_in(page, "olga", "/doubt")
    await expect(page.get_by_role("heading", name="In doubt (1)")).to_be_visible()
    await page.get_by_role("link", name="Look at it").first.click()
    await page.wait_for_url(f"**/doubt?effect={key}")
    await expect(page.get_by_text("Why nobody can know.")).to_be_visible()
    await expect(page.get_by_text("Its tool has no probe")).to_be_visible()
    await page.get_by_text("It happened", exact=True).click()
    await page.get_by_label("The result").fill("wired by hand")
    await page.get_by_role("button", name="Answer: it happened").click()
    await expect(page.get_by_text("Nothing is to be answered any more")).to_be_visible()
    await room.until(run, RunStatus.SUCCEEDED)
    assert (await room.runtime.result(run))["said"] == "wired by hand"
    await page.get_by_role("main").get_by_role("link", name="In doubt").click()
    await page.wait_for_url("**/doubt")
    await expect(page.get_by_text("Nothing is in doubt.")).to_be_visible()


async def test_second_answer_is_not_sent_and_the_page_says_who_was_quicker(
    room: Room, windows: Windows
) -> None:
    run, key = await in_doubt(room, "D-2")
    page = await windows.open()
    await room.log_in(page, "olga", f"/doubt?effect={key}")
    await page.get_by_text("Try again", exact=True).click()
    await room.runtime.decide((await room.gate(run)).id, {"answer": "did_not"}, by="olga")
    await expect(page.get_by_text("Nothing is to be answered any more")).to_be_visible()
    (effect,) = await room.runtime.effects(run_id=run.id)
    assert not effect.error_retryable


async def test_who_is_no_operator_sees_the_evidence_and_no_form(room: Room, page: Page) -> None:
    _, key = await in_doubt(room, "D-3")
    await room.log_in(page, "vera", f"/doubt?effect={key}")
    await expect(page.get_by_text("answered by an operator")).to_be_visible()
    await expect(page.get_by_text("Why nobody can know.")).to_be_visible()
    await expect(page.get_by_role("radio")).to_have_count(0)
