"""Serves the control room: `penstock ui`."""

import gc
import importlib
import ipaddress
import logging
import socket
import threading
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import streamlit as st
from starlette.middleware import Middleware
from streamlit.file_util import get_static_dir

from penstock.contracts.errors import InvalidSettings, PenstockError
from penstock.graphs import Catalog
from penstock.runs.settings import PREFIX, LoginBy, Settings
from penstock.ui.accounts import Accounts
from penstock.ui.assets import Assets, StaticFiles
from penstock.ui.components.feedback import show_error
from penstock.ui.login import Sessions, access_middleware, login_routes
from penstock.ui.project import load_graphs, open_project
from penstock.ui.session import ControlRoom, open_control_room
from penstock.ui.stale_reruns import ignore_stale_reruns

SCRIPT = Path(__file__).parent / "app" / "main.py"
LOOPBACK = "localhost"
WANTED_FIRST = ("penstock.ui.frame", "numpy", "PIL.ImageFile", "streamlit.material_icon_names")
WANTED_THEN = ("pandas", "pyarrow")
"""What Streamlit imports only when a page needs it: the inbox first, then pages with tables."""
LATER_S = 15.0

log = logging.getLogger(__name__)


def serve(settings: Settings, *, who: str | None = None) -> None:
    """Serve the control room until a signal; `who` looks where nobody logs in.

    Raises:
        InvalidSettings: it would be served to others without a login, or the login is not set up.
        MigrationNeeded, StoreError, InvalidDirectory: as `open_project`.
        UnknownPerson, VoteRefused: as `Desk.person`.
    """
    check_access(settings)
    catalog, missing = _graphs(settings)
    with open_project(settings, catalog) as desk:
        # Pages ask for them from threads of their own.
        desk.make_services()
        sessions = _sessions(settings)
        person = desk.person(who) if settings.ui_login is LoginBy.NOTHING else None
        open_control_room(
            ControlRoom(desk=desk, person=person, sessions=sessions, graphs_missing=missing)
        )
        port = free_port(settings.ui_host, settings.ui_port)
        log.info("the control room is at http://%s:%s", _spelled(settings.ui_host), port)
        _app(settings, sessions).run(config=streamlit_config(settings, port=port))


def check_access(settings: Settings) -> None:
    """Refuse settings under which others would reach the room without a login.

    Raises:
        InvalidSettings: others would reach it without a login, or the login is not set up.
    """
    match settings.ui_login:
        case LoginBy.NOTHING:
            if not is_loopback(settings.ui_host):
                raise InvalidSettings(
                    f"the control room is not served at `{settings.ui_host}`, where others reach"
                    f" it, without a login; set `{PREFIX}UI_LOGIN` to `password` or `oidc`, or"
                    " listen at 127.0.0.1"
                )
        case LoginBy.PASSWORD:
            # The file says by itself what is wrong with it.
            Accounts(settings.ui_accounts).mark("")
        case LoginBy.OIDC:
            wanted = ("ui_url", "oidc_url", "oidc_client_id", "oidc_client_secret", "ui_secret")
            missing = [name for name in wanted if getattr(settings, name) is None]
            if missing:
                named = ", ".join(f"`{PREFIX}{name.upper()}`" for name in missing)
                raise InvalidSettings(f"a login by OpenID Connect needs {named} as well")


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == LOOPBACK


def free_port(host: str, port: int) -> int:
    """Return a port to listen at; for 0, one that is free.

    Raises:
        InvalidSettings: the port is taken, or the address is not one of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            # As the server does: a port that was released just now counts as free.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
            return int(tried.getsockname()[1])
    except OSError as error:
        raise InvalidSettings(
            f"the control room cannot listen at `{host}:{port}` ({error.strerror}); is another one"
            f" running? Choose another port with `--port` or `{PREFIX}UI_PORT`"
        ) from error


def streamlit_config(settings: Settings, *, port: int) -> Mapping[str, Any]:
    """Return the settings of Streamlit: it calls no other host, and watches no file."""
    return {
        "server.address": settings.ui_host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": 1,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "runner.magicEnabled": False,
        # A whole collection after each run of the script would delay what the run has found.
        "runner.postScriptGC": False,
        "server.enableAgentApi": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        **_flat(tomllib.loads(files("penstock.ui").joinpath("theme.toml").read_text("utf-8"))),
    }


def _app(settings: Settings, sessions: Sessions | None) -> Any:
    ignore_stale_reruns()
    is_secure = (settings.ui_url or "").startswith("https://")
    routes = [] if sessions is None else login_routes(sessions, is_secure=is_secure)
    static = StaticFiles(Path(get_static_dir()))
    _warm(static)
    return st.App(
        SCRIPT,
        secrets=_secrets(settings),
        routes=routes,
        middleware=[
            *access_middleware(_hosts(settings), sessions),
            Middleware(Assets, files=static),
        ],
        on_script_error=show_error,
    )


def _warm(files: StaticFiles) -> None:
    """Do in advance what the first page load would wait for; what later ones would, soon after."""
    for name in WANTED_FIRST:
        importlib.import_module(name)
    files.preload()
    _keep_for_good()
    later = threading.Timer(LATER_S, _warm_more)
    later.daemon = True
    later.start()


def _warm_more() -> None:
    for name in WANTED_THEN:
        importlib.import_module(name)
    _keep_for_good()


def _keep_for_good() -> None:
    """Have the garbage collector skip what is there: to scan it takes a tenth of a second."""
    gc.collect()
    gc.freeze()


def _hosts(settings: Settings) -> frozenset[str] | None:
    """Return the host names that the room answers to; None for any, where people log in."""
    if settings.ui_url is not None:
        return frozenset({urlsplit(settings.ui_url).hostname or "", "127.0.0.1", LOOPBACK, "::1"})
    if settings.ui_login is LoginBy.NOTHING:
        return frozenset({settings.ui_host, "127.0.0.1", LOOPBACK, "::1"})
    return None


def _sessions(settings: Settings) -> Sessions | None:
    if settings.ui_login is not LoginBy.PASSWORD:
        return None
    accounts = Accounts(settings.ui_accounts)
    return Sessions(accounts, secret=settings.ui_secret, lasts_s=settings.ui_session_s)


def _secrets(settings: Settings) -> Mapping[str, Any] | None:
    """Return the settings of Streamlit's own login by OpenID Connect."""
    if settings.ui_login is not LoginBy.OIDC:
        return None
    client, cookie = settings.oidc_client_secret, settings.ui_secret
    auth = {
        "redirect_uri": f"{(settings.ui_url or '').rstrip('/')}/oauth2callback",
        "cookie_secret": "" if cookie is None else cookie.get_secret_value(),
        "client_id": settings.oidc_client_id,
        "client_secret": "" if client is None else client.get_secret_value(),
        "server_metadata_url": settings.oidc_url,
    }
    return {"auth": auth}


def _graphs(settings: Settings) -> tuple[Catalog, str | None]:
    """Return the project's graphs, or why they cannot be loaded: most pages do without them."""
    try:
        return load_graphs(settings), None
    except PenstockError as error:
        log.warning("the control room does without the project's graphs: %s", error)
        return Catalog.of(), str(error)


def _spelled(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _flat(table: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Return the values of nested tables under dotted names."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= _flat(cast("dict[str, Any]", value), f"{within}{name}.")
        else:
            found[f"{within}{name}"] = value
    return found
