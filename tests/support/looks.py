"""Looking at pages as a whole: which there are, and when one is still."""

import asyncio
from collections.abc import Mapping
from inspect import signature
from types import SimpleNamespace
from typing import Any
from unittest import mock

from playwright.async_api import Page

from penstock.ui import frame, navigation

STILL_S = 120.0
"""A page may take so long, on a machine that has much else to do."""

STILL = """async () => {
  const app = document.querySelector('[data-testid="stApp"]');
  const busy = () => app?.dataset.testScriptState !== "notRunning"
    || app.dataset.testConnectionState !== "CONNECTED"
    || document.querySelector('[data-stale="true"], [data-testid="stSkeleton"]')
    || !document.querySelector('[data-testid="stHeading"], [data-testid="stAlert"]');
  const frame = () => new Promise(requestAnimationFrame);
  for (let calm = 0, seen = ""; calm < 12; await frame()) {
    const now = document.body.innerHTML.length + ":" + document.body.scrollHeight;
    calm = !busy() && now === seen ? calm + 1 : 0;
    seen = now;
  }
  await document.fonts.ready;
}"""
"""Waits until the script has run, and nothing moves for a dozen frames."""


def registered() -> Mapping[str, str]:
    """Return the pages that the frame registers, by their names: how each is called in a URL."""
    known: dict[str, Any] = {}

    def page(*_: Any, url_path: str = "", **__: Any) -> Any:
        return SimpleNamespace(url_path=url_path)

    with (
        mock.patch("streamlit.Page", page),
        mock.patch("streamlit.navigation"),
        mock.patch.object(navigation, "register", known.update),
    ):
        make = frame._pages  # pyright: ignore[reportPrivateUsage]
        make(*(0 for _ in signature(make).parameters))
    return {name: place.url_path for name, place in known.items()}


async def still(page: Page) -> None:
    """Wait until a page has all that it shows, and nothing moves on it."""
    async with asyncio.timeout(STILL_S):
        await page.evaluate(STILL)
