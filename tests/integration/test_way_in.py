"""Whoever is not logged in reaches nothing, and no other site acts through somebody's browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from penstock.contracts.errors import InvalidAccounts, InvalidSettings
from penstock.runs.settings import LoginBy, Settings
from penstock.ui.accounts import Accounts
from penstock.ui.login import COOKIE, Sessions, access_middleware, login_routes
from penstock.ui.server import check_access

PASSWORD = "a password of the tests"  # noqa: S105  (it opens nothing else)
HOME = "http://127.0.0.1:8501"
STREAM = "ws://127.0.0.1:8501/stream"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    found = Accounts(tmp_path / "accounts.toml")
    found.put("fay", PASSWORD)
    return found


@pytest.fixture
def sessions(accounts: Accounts) -> Sessions:
    return Sessions(accounts, secret=None, lasts_s=60)


async def _inside(_: Request) -> Response:
    return PlainTextResponse("inside")


async def _stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("inside")
    await socket.close()


def room(sessions: Sessions | None, hosts: frozenset[str] | None) -> Starlette:
    """Return a room with one page and one stream, behind the door."""
    routes = [Route("/page", _inside, methods=["GET", "POST"]), WebSocketRoute("/stream", _stream)]
    if sessions is not None:
        routes = [*login_routes(sessions, is_secure=False), *routes]
    return Starlette(routes=routes, middleware=access_middleware(hosts, sessions))


@pytest.fixture
def outside(sessions: Sessions) -> Iterator[TestClient]:
    with TestClient(room(sessions, None), base_url=HOME, follow_redirects=False) as client:
        yield client


@pytest.fixture
def alone() -> Iterator[TestClient]:
    """A client of a room without a login."""
    with TestClient(room(None, frozenset({"127.0.0.1"})), base_url=HOME) as client:
        yield client


def log_in(client: TestClient, *, wanted: str = "/page", password: str = PASSWORD) -> Any:
    told = {"name": "fay", "password": password}
    return client.post(f"/login?next={wanted}", data=told, headers={"Origin": HOME})


def test_page_leads_to_the_login_and_back(outside: TestClient) -> None:
    sent = outside.get("/page?gate=1")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fpage%3Fgate%3D1")
    assert "Log in" in outside.get(sent.headers["location"]).text
    back = log_in(outside, wanted="%2Fpage%3Fgate%3D1")
    assert (back.status_code, back.headers["location"]) == (303, "/page?gate=1")
    assert outside.get("/page").text == "inside"


def test_session_is_in_a_cookie_that_no_script_reads_and_no_other_site_sends(
    outside: TestClient,
) -> None:
    cookie = log_in(outside).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_stream_and_what_changes_something_are_closed_without_a_login(outside: TestClient) -> None:
    assert outside.post("/page").status_code == 403
    with pytest.raises(WebSocketDisconnect), outside.websocket_connect(STREAM):
        pass


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "x"]
)
def test_login_leads_to_no_other_site(outside: TestClient, wanted: str) -> None:
    assert log_in(outside, wanted=wanted).headers["location"] == "/"


def test_wrong_password_opens_nothing(outside: TestClient) -> None:
    answer = log_in(outside, password="another password")  # noqa: S106  (it is wrong)
    assert answer.status_code == 401
    assert COOKIE not in outside.cookies


def test_session_ends_with_the_password_it_was_begun_by(
    accounts: Accounts, sessions: Sessions
) -> None:
    token = sessions.begin("fay", PASSWORD)
    assert sessions.person(token) == "fay"
    accounts.put("fay", "another password")
    assert sessions.person(token) is None


def test_session_ends_with_its_account_and_its_time(accounts: Accounts, sessions: Sessions) -> None:
    token = sessions.begin("fay", PASSWORD)
    over = Sessions(accounts, secret=None, lasts_s=0)
    assert over.person(over.begin("fay", PASSWORD)) is None
    accounts.remove("fay")
    assert sessions.person(token) is None


def test_session_of_another_room_counts_for_nothing(accounts: Accounts, sessions: Sessions) -> None:
    other = Sessions(accounts, secret=None, lasts_s=60)
    assert sessions.person(other.begin("fay", PASSWORD)) is None
    assert sessions.person("forged") is None


def test_logout_forgets_the_session(outside: TestClient) -> None:
    log_in(outside)
    outside.post("/logout", headers={"Origin": HOME})
    assert outside.get("/page").status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_room_without_a_login_answers_to_its_own_name_alone(alone: TestClient, host: str) -> None:
    assert alone.get("/page", headers={"Host": host}).status_code == 400
    with (
        pytest.raises(WebSocketDisconnect),
        alone.websocket_connect(STREAM, headers={"Host": host}),
    ):
        pass
    assert alone.get("/page").text == "inside"


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "LOCALHOST", "[::1]:8501"])
def test_port_case_and_brackets_do_not_make_another_name(host: str) -> None:
    names = frozenset({"127.0.0.1", "localhost", "::1"})
    with TestClient(room(None, names), base_url=HOME) as client:
        assert client.get("/page", headers={"Host": host}).text == "inside"


def test_page_of_another_site_opens_no_stream_and_posts_nothing(alone: TestClient) -> None:
    stranger = {"Origin": "http://evil.example"}
    assert alone.post("/page", headers=stranger).status_code == 403
    with pytest.raises(WebSocketDisconnect), alone.websocket_connect(STREAM, headers=stranger):
        pass
    with alone.websocket_connect(STREAM, headers={"Origin": HOME}) as socket:
        assert socket.receive_text() == "inside"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "penstock.example"])  # noqa: S104
def test_room_is_not_served_to_others_without_a_login(host: str) -> None:
    with pytest.raises(InvalidSettings, match="without a login"):
        check_access(Settings(ui_host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_room_is_served_on_this_machine_without_a_login(host: str) -> None:
    check_access(Settings(ui_host=host))


def test_login_by_password_wants_its_accounts(tmp_path: Path) -> None:
    told = Settings(ui_login=LoginBy.PASSWORD, ui_accounts=tmp_path / "none.toml")
    with pytest.raises(InvalidAccounts, match="penstock account NAME"):
        check_access(told)


def test_login_by_openid_connect_names_what_it_wants() -> None:
    with pytest.raises(InvalidSettings, match="PENSTOCK_OIDC_URL"):
        check_access(Settings(ui_login=LoginBy.OIDC))


def test_accounts_are_readable_by_their_owner_alone_and_hold_no_password(
    accounts: Accounts, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.toml"
    assert file.stat().st_mode & 0o077 == 0
    assert PASSWORD not in file.read_text()
    assert accounts.admits("fay", PASSWORD)
    assert not accounts.admits("fin", PASSWORD)


@pytest.mark.parametrize(
    ("name", "password"), [("fay", "short"), ("a b", PASSWORD), ("", PASSWORD)]
)
def test_name_and_password_that_cannot_be_used_change_nothing(
    accounts: Accounts, name: str, password: str
) -> None:
    with pytest.raises(InvalidAccounts):
        accounts.put(name, password)
    assert accounts.admits("fay", PASSWORD)
