"""Browser tests: one Chromium for all of them, windows of its own for each.

They are asynchronous, all on one loop: Playwright's synchronous face keeps a loop running in the
thread it was started in, in which no other test could run one of its own.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from support.browsers import PATIENCE_MS, Windows, find_chromium, launch
from support.phoenixes import Running, find_phoenix, running

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests of this folder run on the loop that the browser belongs to."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser; tests want a `page` or `windows`."""
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium was not found: install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        launched = await launch(playwright, program)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser) -> AsyncIterator[Windows]:
    """Opens windows; the test fails if a page asks any host but 127.0.0.1 for anything."""
    opened = Windows(browser)
    yield opened
    await opened.close()
    strangers = sorted(set(opened.strangers()))
    assert not strangers, "pages asked other hosts"


@pytest_asyncio.fixture(loop_scope="session")
async def page(windows: Windows) -> Page:
    """A window."""
    return await windows.open()


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Phoenix that lives as long as the session; it takes a while to begin."""
    found = find_phoenix()
    if found is None:
        pytest.skip("Phoenix was not found: make phoenix")
    with running(found, tmp_path_factory.mktemp("phoenix")) as begun:
        yield begun
