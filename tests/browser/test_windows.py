"""The browser tests' own windows: they show pages, share nothing, and tell on strangers."""

from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest
from playwright.async_api import Browser, Page, expect

from support.browsers import Windows

PAGE = """
<!doctype html><title>Sluice</title><h1>Open</h1>
<script>localStorage.seen = (Number(localStorage.seen) || 0) + 1</script>
<p id="seen"></p><script>seen.textContent = localStorage.seen</script>
"""
STRANGE = (
    PAGE
    + """<img src="http://stranger.invalid/pixel.png">
<script>new WebSocket("ws://stranger.invalid/socket")</script>"""
)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a few pages."""
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "strange.html").write_text(STRANGE)
    server = HTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    serving = Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


async def test_page_is_shown(page: Page, site: str) -> None:
    await page.goto(site)
    await expect(page.get_by_role("heading")).to_have_text("Open")


async def test_windows_share_nothing(windows: Windows, site: str) -> None:
    for _ in range(2):
        page = await windows.open()
        await page.goto(site)
        await expect(page.locator("#seen")).to_have_text("1")


async def test_stranger_that_a_page_asks_is_told(browser: Browser, site: str) -> None:
    windows = Windows(browser)
    page = await windows.open()
    async with page.expect_event("websocket"):
        await page.goto(f"{site}/strange.html")
    await windows.close()
    assert set(windows.strangers()) == {
        "http://stranger.invalid/pixel.png",
        "ws://stranger.invalid/socket",
    }
