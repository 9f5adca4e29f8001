"""Tools and policies in a real browser: read, tried out, and activated by who may."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from penstock.checkpoints import policies
from support.browsers import Windows
from support.rooms import Room, open_room

LABEL = "The candidate"
NASTY = "<img src=x onerror=document.title='owned'> [link](http://evil)"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room for all of these tests."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


def candidate(name: str) -> str:
    """Return one that allows everything and says so in a way that means something elsewhere."""
    return (
        f'--- allow/{name}.cedar\n// {NASTY}\n@id("{name}")\n@doc("{NASTY.replace(chr(39), "")}")\n'
        "permit (principal, action, resource);\n"
    )


async def deciding(room: Room) -> str:
    """Return the name of the version that decides."""
    return (await room.store.read(lambda tx: policies.active(tx, "paying"))).name


async def try_out(room: Room, page: Page, who: str, text: str) -> None:
    """Have somebody try a candidate."""
    await room.log_in(page, who, "/policies?graph=paying&view=try")
    await page.get_by_label(LABEL).fill(text)
    await page.get_by_role("button", name="Check and try it").click()
    await expect(page.get_by_role("heading", name="What it would have come to")).to_be_visible()


async def test_a_tool_is_read_from_its_link(room: Room, page: Page) -> None:
    await room.run("paying", order="P-1", cents=100)
    await room.log_in(page, "vera", "/tools?tool=pay&of=paying")
    await expect(page.get_by_text("its run waits until a person has said")).to_be_visible()
    await expect(page.get_by_role("cell", name="whole number")).to_be_visible()
    await page.get_by_role("link", name="Policy").click()
    await page.wait_for_url("**/policies?graph=paying")
    await expect(page.get_by_text("all enforced")).to_be_visible()


async def test_viewer_tries_a_candidate_and_is_offered_nothing_more(room: Room, page: Page) -> None:
    await room.run("paying", order="P-2", cents=100)
    before = await deciding(room)
    await try_out(room, page, "vera", candidate("tried"))
    await expect(page.get_by_text("It is looser")).to_be_visible()
    await expect(page.get_by_text("members of admins load policies")).to_be_visible()
    await expect(page.get_by_role("button", name="Load and activate")).to_have_count(0)
    await expect(page.locator("img[src=x]")).to_have_count(0)
    assert await page.title() != "owned"
    assert await deciding(room) == before


async def test_mistake_is_shown_at_its_line(room: Room, page: Page) -> None:
    await room.log_in(page, "vera", "/policies?graph=paying&view=try")
    rule = '@id("a") permit (principal, action == Penstock::Action::"payy", resource);'
    text = f"--- allow/a.cedar\n// a comment\n{rule}"
    await page.get_by_label(LABEL).fill(text)
    await page.get_by_role("button", name="Check and try it").click()
    await expect(page.get_by_text("allow/a.cedar, line 2")).to_be_visible()
    await expect(page.locator(".pen-cedar .hit")).to_contain_text("payy")


async def test_of_two_admins_the_second_is_told_that_the_first_was_quicker(
    room: Room, windows: Windows
) -> None:
    before = await deciding(room)
    one, other = await windows.open(), await windows.open()
    await try_out(room, one, "alma", candidate("first"))
    await try_out(room, other, "alma", candidate("second"))
    await other.get_by_role("button", name="Load and activate").click()
    await one.get_by_role("button", name="Load and activate").click()
    await one.get_by_role("button", name="Do it").click()
    await expect(one.get_by_text("decides from now on")).to_be_visible()
    after = await deciding(room)
    assert after != before
    # The other window has heard of it by itself, and says so before anybody asks.
    await expect(other.get_by_text("Check it again to compare with that")).to_be_visible()
    do_it = other.get_by_role("button", name="Do it")
    if not await do_it.is_visible():
        await other.get_by_role("button", name="Load and activate").click()
    await do_it.click()
    await expect(other.get_by_text("Somebody was quicker; nothing was loaded")).to_be_visible()
    assert await deciding(room) == after


async def test_versions_are_compared_and_one_decides_again(room: Room, page: Page) -> None:
    await try_out(room, page, "alma", candidate("third"))
    await page.get_by_role("button", name="Load and activate").click()
    await page.get_by_role("button", name="Do it").click()
    await expect(page.get_by_text("decides from now on")).to_be_visible()
    await page.goto(f"{room.url}/policies?graph=paying&view=versions&before=1")
    await expect(page.locator(".pen-cedar .add").first).to_be_visible()
    await page.get_by_role("button", name="Have paying@1 decide again").click()
    await page.get_by_role("button", name="Do it").click()
    await expect(page.get_by_text("decides from now on")).to_be_visible()
    assert await deciding(room) == "paying@1"
