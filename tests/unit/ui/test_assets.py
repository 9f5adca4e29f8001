"""What browsers load first: what is sent, how it is packed, and what is left to the app."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.file_util import get_static_dir

from penstock.ui.assets import FIRST, Assets, StaticFiles

STREAMLIT = Path(get_static_dir())


async def _page(request: Request) -> Response:
    del request
    return FileResponse(STREAMLIT / "index.html")


async def _own(request: Request) -> Response:
    del request
    return HTMLResponse("<p>our own</p>")


async def _elsewhere(request: Request) -> Response:
    return PlainTextResponse(f"the app was asked for {request.url.path}")


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """Asks an app that serves Streamlit's first document as Streamlit does."""
    routes = [
        Route("/", _page),
        Route("/login", _own),
        Route("/{path:path}", _elsewhere, methods=["GET", "POST"]),
    ]
    middleware = [Middleware(Assets, files=StaticFiles(STREAMLIT))]
    with TestClient(Starlette(routes=routes, middleware=middleware)) as opened:
        yield opened


def a_script() -> str:
    return f"/static/js/{next((STREAMLIT / 'static' / 'js').glob('index.*.js')).name}"


def test_script_is_packed_and_kept_by_the_browser_for_ever(client: TestClient) -> None:
    answer = client.get(a_script())
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content == (STREAMLIT / a_script()[1:]).read_bytes()


def test_browser_that_takes_nothing_packed_gets_it_as_it_is(client: TestClient) -> None:
    answer = client.get(a_script(), headers={"accept-encoding": "identity"})
    assert "content-encoding" not in answer.headers
    assert answer.content == (STREAMLIT / a_script()[1:]).read_bytes()


@pytest.mark.parametrize("path", ["/static/../index.html", "/static/js/none.js", "/manifest.json"])
def test_what_is_no_file_that_never_changes_is_the_apps(client: TestClient, path: str) -> None:
    assert client.get(path).text.startswith("the app was asked for")


def test_nothing_is_answered_to_a_post(client: TestClient) -> None:
    assert client.post(a_script()).text.startswith("the app was asked for")


def test_page_of_the_apps_own_is_left_as_it_is(client: TestClient) -> None:
    assert client.get("/login").text == "<p>our own</p>"


def test_first_document_is_ours_and_is_shown_inside_no_other(client: TestClient) -> None:
    answer = client.get("/")
    assert "<title>Penstock</title>" in answer.text
    assert "Streamlit</title>" not in answer.text
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert answer.headers["cache-control"] == "no-cache"
    assert int(answer.headers["content-length"]) == len(gzip.compress(answer.content, 6, mtime=0))


def test_all_that_the_inbox_is_drawn_with_is_named_and_is_there(client: TestClient) -> None:
    """A contract with Streamlit: its manifest says which of its files draws what."""
    told = client.get("/").text
    named = re.findall(r'(?:href|src)="\./(static/[^"]+)"', told)
    assert len(named) == len(set(named))
    assert all((STREAMLIT / name).is_file() for name in named)
    for part in FIRST:
        assert any(re.match(rf"static/js/{part}\.", name) for name in named), part
    assert any("MaterialSymbols-Rounded" in name for name in named)


def test_folder_without_a_manifest_serves_pages_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes((STREAMLIT / "index.html").read_bytes())
    assert b"<title>Penstock</title>" in StaticFiles(tmp_path).index.body
