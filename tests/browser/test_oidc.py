"""Logging in with an identity provider, in a real browser: who comes in, and who does not."""

import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from support.browsers import Windows
from support.provider import CLIENT, SECRET, Provider, Wrong, provider
from support.rooms import make_project, pages

PEOPLE = """
[users.fay]
groups = ["finance"]
logins = ["fay@example.org"]
[users.olga]
groups = ["operators"]
logins = ["olga@example.org"]
"""


@dataclass(frozen=True, slots=True)
class House:
    """A room and the provider that says who comes in."""

    url: str
    provider: Provider


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The room, for all of these tests."""
    folder = tmp_path_factory.mktemp("oidc")
    told = make_project(folder)
    (folder / "people.toml").write_text(PEOPLE)
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    with provider() as made:
        told |= {
            "PENSTOCK_UI_LOGIN": "oidc",
            "PENSTOCK_UI_URL": f"http://127.0.0.1:{port}",
            "PENSTOCK_UI_SECRET": secrets.token_hex(32),
            "PENSTOCK_OIDC_URL": f"{made.url}/.well-known/openid-configuration",
            "PENSTOCK_OIDC_CLIENT_ID": CLIENT,
            "PENSTOCK_OIDC_CLIENT_SECRET": SECRET,
        }
        with pages(folder, told, "--port", str(port)) as url:
            yield House(url, made)


@pytest.fixture
def house(opened: House) -> House:
    """The room, with a provider that does as it should."""
    told = opened.provider
    told.wrong, told.email, told.is_verified, told.age_s = None, "fay@example.org", True, 0.0
    return opened


async def log_in(page: Page, house: House, path: str = "/") -> None:
    """Go to the room, and on to the provider and back."""
    await page.goto(house.url + path)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_role("link", name="Go on as").click()


async def is_outside(page: Page) -> None:
    """Wait until the room asks to log in, and shows nothing of itself."""
    await expect(page.get_by_role("button", name="Log in")).to_be_visible()
    await expect(page.get_by_role("heading", name="Inbox")).to_have_count(0)
    await expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)


async def test_somebody_whom_the_provider_knows_logs_in_and_out(house: House, page: Page) -> None:
    await page.goto(house.url)
    await is_outside(page)
    await log_in(page, house)
    await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    await expect(page.get_by_test_id("stSidebar")).to_contain_text("fay")
    await page.reload()
    await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    await page.get_by_role("button", name="Log out").click()
    await is_outside(page)
    assert house.provider.logged_out[-1]["client_id"] == CLIENT
    await page.goto(f"{house.url}/runs")
    await is_outside(page)


async def test_login_of_nobody_is_refused_with_a_sentence(house: House, page: Page) -> None:
    house.provider.email = "eve@example.org"
    await log_in(page, house)
    await expect(page.get_by_role("alert")).to_contain_text("eve@example.org")
    await expect(page.get_by_role("heading", name="Inbox")).to_have_count(0)
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()


async def test_address_that_nobody_has_verified_is_refused(house: House, page: Page) -> None:
    house.provider.is_verified = False
    await log_in(page, house)
    await expect(page.get_by_role("alert")).to_contain_text("has not made sure")
    await expect(page.get_by_role("heading", name="Inbox")).to_have_count(0)


async def test_session_is_over_when_its_time_is_up(house: House, page: Page) -> None:
    house.provider.age_s = 12 * 3600
    await log_in(page, house)
    await is_outside(page)


@pytest.mark.parametrize("wrong", list(Wrong))
async def test_token_that_is_not_right_lets_nobody_in(
    house: House, windows: Windows, wrong: Wrong
) -> None:
    page = await windows.open()
    house.provider.wrong = wrong
    await log_in(page, house)
    await is_outside(page)
    await page.goto(house.url)
    await is_outside(page)


async def test_way_back_that_this_browser_did_not_begin_leads_nowhere(
    house: House, windows: Windows
) -> None:
    """Somebody is sent the end of another's login, to act under their name unknowingly."""
    begun, page = await windows.open(), await windows.open()
    await begun.goto(house.url)
    await begun.get_by_role("button", name="Log in").click()
    link = begun.get_by_role("link", name="Go on as")
    way = await link.get_attribute("href")
    answer = await begun.context.request.get(house.provider.url + str(way), max_redirects=0)
    await page.goto(answer.headers["location"])
    await is_outside(page)
