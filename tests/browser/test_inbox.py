"""The inbox in a real browser: what people decide there is what happens."""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.run import ENDED, Run, RunStatus
from support.approvals import pass_time
from support.browsers import Windows
from support.rooms import Room, open_room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room for all of these tests."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


async def asked(room: Room, order: str, cents: int = 12_900) -> tuple[Run, Gate]:
    """Have a payment wait for finance."""
    run = await room.run("paying", order=order, cents=cents)
    return run, await room.gate(run)


async def ended(room: Room, run: Run, status: RunStatus = RunStatus.SUCCEEDED) -> Run:
    """Wait until a run is over."""
    return await room.until(run, status)


async def left(room: Room, gate: Gate) -> Gate:
    """Return a gate as it is now."""
    return await room.runtime.gate(gate.id)


async def choose(page: Page, name: str) -> None:
    """Choose what to do at a gate."""
    await page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).click()


async def test_call_is_approved_from_the_inbox(room: Room, page: Page) -> None:
    run, gate = await asked(room, "A-1")
    await room.log_in(page, "fay")
    card = page.locator(f".st-key-card-{gate.id}")
    await expect(card).to_contain_text("A-1")
    await expect(card).to_contain_text("129.00 EUR")
    await expect(card).to_contain_text("1 of finance")
    await card.get_by_role("link", name="Review").click()
    await expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    await page.get_by_role("button", name="Approve this call").click()
    await expect(page.get_by_text("The run goes on and makes the call")).to_be_visible()
    await ended(room, run)
    assert "A-1 12900" in room.paid()
    assert (await left(room, gate)).decided_by == "fay"


async def test_rejection_wants_its_reason(room: Room, page: Page) -> None:
    run, gate = await asked(room, "A-2")
    await room.log_in(page, "fay", f"/gate?gate={gate.id}")
    await choose(page, "Reject")
    await page.get_by_role("button", name="Reject this call").click()
    await expect(page.get_by_text("A rejection needs its reason")).to_be_visible()
    assert (await left(room, gate)).status is GateStatus.OPEN
    await page.get_by_label("Why (the graph is told)").fill("The box was never opened.")
    await page.get_by_role("button", name="Reject this call").click()
    await expect(page.get_by_text("Rejected. The run goes on without")).to_be_visible()
    assert (await left(room, gate)).reason == "The box was never opened."
    await room.until(run, *ENDED)
    assert not any(line.startswith("A-2 ") for line in room.paid())


async def test_edit_is_checked_shown_and_approved_by_somebody_else(
    room: Room, windows: Windows
) -> None:
    run, gate = await asked(room, "A-3")
    fay = await windows.open()
    await room.log_in(fay, "fay", f"/gate?gate={gate.id}")
    await choose(fay, "Edit")
    cents = fay.get_by_label("Cents")
    await expect(cents).to_have_value("12900")
    await cents.fill("6000")
    await fay.get_by_role("button", name="Check the change").click()
    await expect(fay.get_by_role("cell", name="6000")).to_be_visible()
    assert (await left(room, gate)).status is GateStatus.OPEN
    await fay.get_by_role("button", name="Send the edit").click()
    await expect(fay.get_by_text("somebody else has to approve it")).to_be_visible()
    await expect(fay.get_by_role("button", name="Approve this call")).to_have_count(0)
    assert (await left(room, gate)).status is GateStatus.SUPERSEDED
    finn = await windows.open()
    await room.log_in(finn, "finn", f"/gate?gate={gate.id}")
    await finn.get_by_role("button", name="Open the gate that asks now").click()
    await finn.get_by_role("button", name="Approve this call").click()
    await ended(room, run)
    assert "A-3 6000" in room.paid()


async def test_whoever_comes_second_is_told_who_decided(room: Room, windows: Windows) -> None:
    run, gate = await asked(room, "A-4")
    fay, finn = await windows.open(), await windows.open()
    for page, who in ((fay, "fay"), (finn, "finn")):
        await room.log_in(page, who, f"/gate?gate={gate.id}")
        await expect(page.get_by_role("button", name="Approve this call")).to_be_visible()
    await fay.get_by_role("button", name="Approve this call").click(click_count=2)
    await expect(fay.get_by_text("The run goes on and makes the call")).to_be_visible()
    await expect(finn.get_by_text("approved by fay")).to_be_visible()
    await expect(finn.get_by_role("button", name="Approve this call")).to_have_count(0)
    await ended(room, run)
    assert room.paid().count("A-4 12900") == 1


async def test_gate_that_expires_while_somebody_looks_says_so(room: Room, page: Page) -> None:
    _, gate = await asked(room, "A-5")
    await room.log_in(page, "fay", f"/gate?gate={gate.id}")
    await expect(page.get_by_role("button", name="Approve this call")).to_be_visible()
    await asyncio.to_thread(pass_time, room.store, 5 * 3600)
    await expect(page.get_by_text("before anybody had decided")).to_be_visible()
    await expect(page.get_by_role("button", name="Approve this call")).to_have_count(0)


async def test_several_are_decided_together_and_what_changed_is_left_alone(
    room: Room, page: Page
) -> None:
    both = [await asked(room, order) for order in ("A-6", "A-7")]
    await room.log_in(page, "fay")
    for _, gate in both:
        await page.locator(f".st-key-pick-{gate.id} label").click()
    await page.get_by_role("button", name="Review them together").click()
    await expect(page.get_by_role("heading", name="2 calls of pay")).to_be_visible()
    (first, first_gate), (second, second_gate) = both
    await room.approvals.reject(
        first_gate.id, by="finn", binding=first_gate.binding or "", reason="Not this one."
    )
    await page.get_by_role("button", name="Approve these 2").click()
    await expect(page.get_by_role("heading", name="1 applied")).to_be_visible()
    await expect(page.get_by_role("cell", name="stale")).to_be_visible()
    await ended(room, second)
    assert (await left(room, second_gate)).decided_by == "fay"
    assert (await left(room, first_gate)).decided_by == "finn"
    await room.until(first, *ENDED)
    assert not any(line.startswith("A-6 ") for line in room.paid())


async def test_question_of_a_graph_is_answered_by_its_form(room: Room, page: Page) -> None:
    run = await room.run("asking", order="A-8")
    gate = await room.gate(run)
    await room.log_in(page, "ada", f"/gate?gate={gate.id}")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("is wanted")).to_be_visible()
    await page.get_by_text("Yes", exact=True).click()
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("goes on with your answer")).to_be_visible()
    await ended(room, run)


async def test_call_in_doubt_is_answered_by_an_operator_alone(room: Room, windows: Windows) -> None:
    run = await room.run("wiring", order="A-9")
    gate = await room.gate(run)
    fay = await windows.open()
    await room.log_in(fay, "fay", f"/gate?gate={gate.id}")
    await expect(fay.get_by_text("this is answered by an operator")).to_be_visible()
    olga = await windows.open()
    await room.log_in(olga, "olga", f"/gate?gate={gate.id}")
    await expect(olga.get_by_text("the answer was lost").first).to_be_visible()
    await olga.get_by_role("radiogroup").get_by_text("It happened").click()
    await olga.get_by_label("The result").fill("wired by hand")
    await olga.get_by_role("button", name="Answer: it happened").click()
    await expect(olga.get_by_text("goes on with that result")).to_be_visible()
    await ended(room, run)


async def test_whoever_is_not_logged_in_sees_nothing(room: Room, page: Page) -> None:
    await page.goto(room.url + "/runs?state=failed")
    await expect(page.get_by_role("heading", name="Penstock")).to_be_visible()
    await page.get_by_label("Name").fill("fay")
    await page.get_by_label("Password").fill("not her password")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not the name and the password")
    await room.log_in(page, "vera", "/runs?state=failed")
    await expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    assert "state=failed" in page.url


async def test_people_are_told_what_they_are(room: Room, page: Page) -> None:
    await room.log_in(page, "fay", "/")
    await expect(page.get_by_text("approver in finance")).to_be_visible()
