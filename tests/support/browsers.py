"""A real Chromium for tests, and what its pages ask of whom."""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Playwright, Request, WebSocket

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

# Nothing but the page under test may ask the network for anything.
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OWN_HOST = "127.0.0.1"
PATIENCE_MS = 90_000
"""What a page may take for what is waited for: a loaded machine is slow, not wrong."""


def find_chromium() -> str | None:
    """Give the path of the Chromium that is installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


async def launch(playwright: Playwright, program: str) -> Browser:
    """Start the browser, as root without its sandbox, which root cannot have."""
    return await playwright.chromium.launch(
        executable_path=program, args=QUIET, chromium_sandbox=os.geteuid() != 0
    )


class Windows:
    """Windows of one browser that share nothing, as those of several people do not."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._asked: list[str] = []

    async def open(self, *, width: int = 1440, height: int = 900, dark: bool = False) -> Page:
        """Open one, of a size in pixels."""
        context = await self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            locale="en-GB",
            timezone_id="UTC",
        )
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", self._note)
        context.on("page", lambda page: page.on("websocket", self._note))
        self._contexts.append(context)
        return await context.new_page()

    async def close(self) -> None:
        """Close all of them."""
        for context in self._contexts:
            await context.close()

    def strangers(self) -> Iterator[str]:
        """Give what was asked of any host but this machine."""
        for url in self._asked:
            parts = urlsplit(url)
            if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != OWN_HOST:
                yield url

    def _note(self, asked: Request | WebSocket) -> None:
        self._asked.append(asked.url)
