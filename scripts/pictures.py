"""Pictures of the control room, to look at: `make pictures`.

Every page that the frame knows is taken full and empty, light and dark, wide and narrow, from a
room of its own on a free port. `--only run` takes the pages whose names begin so.
"""

import os

# LangGraph reads it when it is first imported.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import argparse
import asyncio
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import Browser, async_playwright

from support import showroom
from support.browsers import PATIENCE_MS, find_chromium, launch
from support.looks import registered, still
from support.rooms import pages

ROOT = Path(__file__).resolve().parent.parent
INTO = ROOT / "build" / "pictures"
THEMES = ("light", "dark")
WIDTHS = (1440, 800)
HEIGHT, HIGHEST = 900, 8000
AT_ONCE = 2

HEIGHT_OF = """() => Math.max(document.documentElement.scrollHeight,
  ...[...document.querySelectorAll('[data-testid="stMain"], [data-testid="stSidebarContent"]')]
    .map(each => each.scrollHeight))"""
"""The page scrolls inside itself, so a picture of all of it needs a window of its height."""


def main() -> None:
    """Take the pictures, and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="pages whose names begin so")
    parser.add_argument("--into", type=Path, default=INTO, help="the folder for the pictures")
    wanted = parser.parse_args()
    program = find_chromium()
    if program is None:
        sys.exit("Chromium was not found: install chromium")
    wanted.into.mkdir(parents=True, exist_ok=True)
    with _rooms() as rooms:
        count = asyncio.run(_take(program, rooms, wanted.into, only=wanted.only))
    print(f"{count} pictures are in {wanted.into}")


@contextmanager
def _rooms() -> Generator[Mapping[str, Mapping[str, str]]]:
    """Open a full room and an empty one; give the address of each page by its name."""
    with ExitStack() as opened:
        full, empty = (Path(opened.enter_context(TemporaryDirectory())) for _ in range(2))
        told = opened.enter_context(showroom.filled(full))
        yield {
            "full": _addresses(
                opened.enter_context(pages(full, told)),
                showroom.addresses(told["PENSTOCK_STORE_URL"]),
            ),
            "empty": _addresses(opened.enter_context(pages(empty, showroom.project(empty))), {}),
        }


def _addresses(url: str, more: Mapping[str, str]) -> Mapping[str, str]:
    found = {name: f"{url}/{path}" for name, path in registered().items()}
    return found | {name: f"{url}/{address}" for name, address in more.items()}


async def _take(
    program: str, rooms: Mapping[str, Mapping[str, str]], into: Path, *, only: str
) -> int:
    taken = [
        (theme, width, into / f"{name}-{store}-{theme}-{width}.png", url)
        for theme, width in product(THEMES, WIDTHS)
        for store, addresses in rooms.items()
        for name, url in addresses.items()
        if name.startswith(only)
    ]
    async with async_playwright() as playwright:
        browser = await launch(playwright, program)
        at_once = asyncio.Semaphore(AT_ONCE)

        async def one(theme: str, width: int, file: Path, url: str) -> None:
            async with at_once:
                await _picture(browser, theme, width, file, url)

        async with asyncio.TaskGroup() as tasks:
            for theme, width, file, url in taken:
                tasks.create_task(one(theme, width, file, url))
        await browser.close()
    return len(taken)


async def _picture(browser: Browser, theme: str, width: int, file: Path, url: str) -> None:
    page = await browser.new_page(
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(url)
    await still(page)
    for _ in range(2):
        height: int = await page.evaluate(HEIGHT_OF)
        await page.set_viewport_size({"width": width, "height": min(max(height, HEIGHT), HIGHEST)})
        await still(page)
    await page.screenshot(path=file)
    await page.close()


if __name__ == "__main__":
    main()
