"""What every page is to everybody: readable, in order, named, and all of it by keyboard."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from support.browsers import Windows
from support.looks import registered, still
from support.rooms import pages
from support.showroom import addresses, filled, project

CONTRAST = (Path(__file__).parents[1] / "support" / "contrast.js").read_text("utf-8")
WRITTEN = 10
"""A page that says less than this was not there yet."""

HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  .filter(each => each.checkVisibility()).map(each => Number(each.tagName[1]))"""

# Streamlit's tables are canvases that have no name; what is in them has.
UNNAMED = """() => [...document.querySelectorAll("a[href], button, textarea, select,"
    + "input:not([tabindex='-1']), [role=button], [role=tab], [role=checkbox],"
    + "[tabindex='0']:not(canvas)")]
  .filter(each => each.checkVisibility({ visibilityProperty: true }) && !each.closest("[inert]"))
  .filter(each => !(each.getAttribute("aria-label") || each.getAttribute("aria-labelledby")
    || each.getAttribute("title") || each.textContent.trim() || each.labels?.length
    || each.getAttribute("placeholder") || each.querySelector("[aria-label]")
    || each.querySelector("input, button, canvas, table")))
  .map(each => each.outerHTML.slice(0, 160))"""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The addresses of all pages, full and empty."""

    full: dict[str, str]
    empty: dict[str, str]
    seen: dict[bool, dict[str, "Seen"]] = field(default_factory=dict[bool, dict[str, "Seen"]])
    """All pages as they were seen, light and dark."""

    def all(self) -> dict[str, str]:
        """Return them by names of their own."""
        return {
            **{f"{name}, full": url for name, url in self.full.items()},
            **{f"{name}, empty": url for name, url in self.empty.items()},
        }


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    """A room with something of everything, and one with nothing."""
    full, empty = tmp_path_factory.mktemp("full"), tmp_path_factory.mktemp("empty")
    with (
        filled(full) as told,
        pages(full, told) as url,
        pages(empty, project(empty)) as other,
    ):
        known = registered()
        more = addresses(told["PENSTOCK_STORE_URL"])
        yield Rooms(
            full={name: f"{url}/{path}" for name, path in {**known, **more}.items()},
            empty={name: f"{other}/{path}" for name, path in known.items()},
        )


async def look(page: Page, url: str) -> None:
    """Look at a page, until it is still."""
    await page.goto(url)
    await still(page)


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to know of a page."""

    written: list[dict[str, Any]]
    levels: list[int]
    unnamed: list[str]
    title: str
    language: str | None


async def seen_of(rooms: Rooms, windows: Windows, *, dark: bool) -> dict[str, Seen]:
    """Look at all pages once, for all of these tests."""
    if dark not in rooms.seen:
        page = await windows.open(dark=dark)
        found: dict[str, Seen] = {}
        for name, url in rooms.all().items():
            await look(page, url)
            found[name] = Seen(
                written=await page.evaluate(CONTRAST),
                levels=await page.evaluate(HEADINGS),
                unnamed=await page.evaluate(UNNAMED),
                title=await page.title(),
                language=await page.locator("html").get_attribute("lang"),
            )
        rooms.seen[dark] = found
    return rooms.seen[dark]


def of_each(seen: dict[str, Seen], ask: Callable[[Seen], object]) -> dict[str, object]:
    """Return what is answered of pages, where anything is."""
    answers = {name: ask(each) for name, each in seen.items()}
    return {name: answer for name, answer in answers.items() if answer}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_whatever_is_written_can_be_read(
    rooms: Rooms, windows: Windows, *, dark: bool
) -> None:
    seen = await seen_of(rooms, windows, dark=dark)
    assert not of_each(seen, lambda each: len(each.written) < WRITTEN)
    assert not of_each(
        seen, lambda each: [one for one in each.written if one["contrast"] < one["needs"]]
    )


@pytest.mark.timeout(900)
async def test_headings_are_in_order_and_begin_with_one(rooms: Rooms, windows: Windows) -> None:
    def wrong(each: Seen) -> object:
        skips = any(after > before + 1 for before, after in pairwise(each.levels))
        return each.levels if each.levels[:1] != [1] or each.levels.count(1) != 1 or skips else None

    assert not of_each(await seen_of(rooms, windows, dark=False), wrong)


@pytest.mark.timeout(900)
async def test_pages_are_named_and_say_their_language(rooms: Rooms, windows: Windows) -> None:
    seen = await seen_of(rooms, windows, dark=False)
    assert not of_each(seen, lambda each: each.language != "en")
    assert not of_each(seen, lambda each: None if " · Penstock" in each.title else each.title)
    assert re.match(r"Inbox \(\d+\) · ", seen["inbox, full"].title)


@pytest.mark.timeout(900)
async def test_whatever_can_be_used_has_a_name(rooms: Rooms, windows: Windows) -> None:
    seen = await seen_of(rooms, windows, dark=False)
    assert not of_each(seen, lambda each: each.unnamed)


async def focused(page: Page) -> dict[str, Any]:
    """Return what the keyboard is at, and whether that is to be seen."""
    return await page.evaluate(
        """() => {
          const each = document.activeElement;
          const around = ["label", "[data-baseweb]", "[data-testid]"].map(one => each.closest(one));
          const seen = [each, each.parentElement, ...around].filter(Boolean).some(one => {
              const style = getComputedStyle(one);
              return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
                || style.boxShadow !== "none";
            });
          const name = each.getAttribute("aria-label") || each.innerText || each.name || "";
          const html = each.outerHTML.slice(0, 120);
          return { name: name.trim(), tag: each.tagName, seen, html };
        }"""
    )


async def tab_to(page: Page, name: str, limit: int = 80) -> None:
    """Go by Tab until something of this name is reached; all on the way is to be seen."""
    passed: list[str] = []
    for _ in range(limit):
        await page.keyboard.press("Tab")
        at = await focused(page)
        passed.append(at["name"] or at["html"])
        assert at["seen"] or at["tag"] == "BODY", at
        if name in at["name"] and at["tag"] in {"A", "BUTTON"}:
            return
    raise AssertionError(f"Tab never came to {name!r}, but to {passed}")


async def test_decision_is_made_by_keyboard_alone(rooms: Rooms, page: Page) -> None:
    await look(page, rooms.full["inbox"])
    await tab_to(page, "Review")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    await still(page)
    await tab_to(page, "Approve this call")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("The run goes on and makes the call")).to_be_visible()
