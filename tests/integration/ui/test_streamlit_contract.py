"""What the room relies on that Streamlit does not promise, held against the one that is here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from streamlit.file_util import get_static_dir
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from penstock.ui.accounts import Accounts
from support.checkout import import_path
from support.rooms import PASSWORD, make_project, pages

STATIC = Path(get_static_dir())
SCRIPT = f"/static/js/{next((STATIC / 'static' / 'js').glob('index.*.js')).name}"
CLOSED = (
    "/",
    "/runs",
    SCRIPT,
    "/manifest.json",
    "/favicon.png",
    "/_stcore/host-config",
    "/_stcore/metrics",
    "/_stcore/script-health-check",
    "/_stcore/agent/openapi.json",
    "/media/x.png",
    "/component/x/y.js",
    "/auth/login",
    "/oauth2callback",
)
"""Whatever Streamlit answers to, and what it might."""

FIRST_LOOK = """
import importlib, json, os, sys
from streamlit.testing.v1 import AppTest
from penstock.graphs import Catalog
from penstock.ui.project import open_project, read_settings
from penstock.ui.session import ControlRoom, open_control_room
from penstock.ui.server import SCRIPT, WANTED_FIRST

for name in WANTED_FIRST:
    importlib.import_module(name)
with open_project(read_settings(), Catalog.of()) as desk:
    open_control_room(
        ControlRoom(desk=desk, person="fay", sessions=None, graphs_missing=None)
    )
    before = set(sys.modules)
    assert not AppTest.from_file(str(SCRIPT), default_timeout=60).run().exception
    print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a room at which people log in by a password."""
    folder = tmp_path_factory.mktemp("room")
    told = {**make_project(folder), "PENSTOCK_UI_LOGIN": "password"}
    Accounts(folder / "accounts.toml").put("fay", PASSWORD)
    with pages(folder, told) as url:
        yield url


@pytest.fixture
def inside(room: str) -> Iterator[httpx.Client]:
    """Asks as somebody who is logged in."""
    with httpx.Client(base_url=room, timeout=30) as client:
        client.post("/login", data={"name": "fay", "password": PASSWORD}, headers={"Origin": room})
        yield client


@pytest.mark.parametrize("path", CLOSED)
def test_nothing_of_streamlit_is_answered_before_the_door(room: str, path: str) -> None:
    answer = httpx.get(room + path, timeout=30)
    assert (answer.status_code, answer.headers.get("location", "")[:6]) == (303, "/login")


def test_stream_of_the_pages_is_closed_before_the_door(room: str) -> None:
    url = f"ws{room.removeprefix('http')}/_stcore/stream"
    with pytest.raises(InvalidStatus), connect(url, subprotocols=[Subprotocol("streamlit")]):
        pass


def test_stream_is_where_pages_look_for_it(inside: httpx.Client) -> None:
    told = "; ".join(f"{name}={value}" for name, value in inside.cookies.items())
    url = f"ws{str(inside.base_url).removeprefix('http').rstrip('/')}/_stcore/stream"
    with connect(
        url,
        subprotocols=[Subprotocol("streamlit")],
        additional_headers={"Cookie": told, "Origin": str(inside.base_url).rstrip("/")},
    ) as socket:
        assert socket.subprotocol == "streamlit"


def test_streamlit_says_that_it_is_well_without_a_login(room: str) -> None:
    assert httpx.get(f"{room}/_stcore/health", timeout=30).text == "ok"


@pytest.mark.parametrize("path", ["/", "/gate", "/runs"])
def test_first_document_of_every_page_is_ours(inside: httpx.Client, path: str) -> None:
    answer = inside.get(path, headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert "<title>Penstock</title>" in answer.text
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert answer.headers["content-encoding"] == "gzip"


def test_scripts_come_from_memory_and_packed(inside: httpx.Client) -> None:
    answer = inside.get(SCRIPT)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == (STATIC / SCRIPT[1:]).read_bytes()


def test_pages_are_not_offered_to_programs(inside: httpx.Client) -> None:
    """Its interface for agents would let programs press what people are asked to."""
    origin = str(inside.base_url).rstrip("/")
    answer = inside.post("/_stcore/agent/interact", json={}, headers={"Origin": origin})
    assert answer.status_code in {403, 404, 405}


def test_first_look_imports_nothing_that_takes_long(tmp_path: Path) -> None:
    told = make_project(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", FIRST_LOOK],
        env={
            **os.environ,
            "PYTHONPATH": import_path(),
            "LANGGRAPH_STRICT_MSGPACK": "true",
            "PENSTOCK_STORE_URL": told["PENSTOCK_STORE_URL"],
        },
        capture_output=True,
        check=True,
        text=True,
    )
    imported: list[str] = json.loads(ran.stdout.splitlines()[-1])
    known = {"numpy", "PIL", "pandas", "pyarrow", "penstock", "langgraph", "langchain_core"}
    late = {name.partition(".")[0] for name in imported} & known
    assert not late, imported
