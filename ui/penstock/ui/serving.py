"""Serving the control room: `penstock ui`."""

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

from starlette.middleware import Middleware

from penstock.contracts.errors import InvalidSettings, PenstockError
from penstock.graphs import Catalog
from penstock.runs.settings import PREFIX, LoginBy, Settings
from penstock.ui.accounts import Accounts
from penstock.ui.assets import Assets, Files
from penstock.ui.front import Front, open_front
from penstock.ui.project import load_graphs, open_project
from penstock.ui.sessions import Sessions

SCRIPT = Path(__file__).parent / "app" / "main.py"
LOOPBACK = "localhost"
WANTED_FIRST = ("penstock.ui.frame", "numpy", "PIL.ImageFile", "streamlit.material_icon_names")
WANTED_THEN = ("pandas", "pyarrow")
"""What Streamlit imports only when a page wants it: the inbox, and pages with tables."""
LATER_S = 15.0

log = logging.getLogger(__name__)


def serve(settings: Settings, *, who: str | None = None) -> None:
    """Serve the control room until a signal; `who` looks where nobody logs in.

    Raises:
        InvalidSettings: it would be served to others without a login, or the login is not set up.
        MigrationNeeded, StoreError, InvalidDirectory: as `open_project`.
        UnknownPerson, VoteRefused: as `Desk.person`.
    """
    check_way_in(settings)
    catalog, missing = _graphs(settings)
    with open_project(settings, catalog) as desk:
        sessions = _sessions(settings)
        person = desk.person(who) if settings.ui_login is LoginBy.NOTHING else None
        open_front(Front(desk=desk, person=person, sessions=sessions, graphs_missing=missing))
        port = free_port(settings.ui_host, settings.ui_port)
        log.info("the control room is at http://%s:%s", _spelled(settings.ui_host), port)
        _app(settings, sessions).run(config=config(settings, port=port))


def check_way_in(settings: Settings) -> None:
    """Let pass settings under which nobody reaches the room who should not.

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
            # It says itself what is wrong with it.
            Accounts(settings.ui_accounts).mark("")
        case LoginBy.OIDC:
            wanted = ("ui_url", "oidc_url", "oidc_client_id", "oidc_client_secret", "ui_secret")
            missing = [name for name in wanted if getattr(settings, name) is None]
            if missing:
                named = ", ".join(f"`{PREFIX}{name.upper()}`" for name in missing)
                raise InvalidSettings(f"a login by OpenID Connect needs {named} as well")


def is_loopback(host: str) -> bool:
    """Tell whether nobody but this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == LOOPBACK


def free_port(host: str, port: int) -> int:
    """Return a port that can be listened at; with 0, one that is free.

    Raises:
        InvalidSettings: it is taken, or the address is none of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            # As the server does: what has only just been let go is free.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
            return int(tried.getsockname()[1])
    except OSError as error:
        raise InvalidSettings(
            f"the control room cannot listen at `{host}:{port}` ({error.strerror}); is another one"
            f" running? Choose another port with `--port` or `{PREFIX}UI_PORT`"
        ) from error


def config(settings: Settings, *, port: int) -> Mapping[str, Any]:
    """Return how Streamlit is set: nothing is asked of other hosts, and nothing is watched."""
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
        # A whole collection after each look would hold up what the look has found.
        "runner.postScriptGC": False,
        "server.enableAgentApi": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        **_flat(tomllib.loads(files("penstock.ui").joinpath("theme.toml").read_text("utf-8"))),
    }


def _app(settings: Settings, sessions: Sessions | None) -> Any:
    # They take a second, and look at the settings above when they are imported.
    import streamlit as st  # noqa: PLC0415
    from streamlit.file_util import get_static_dir  # noqa: PLC0415

    from penstock.ui.doorway import Doorway, login_routes  # noqa: PLC0415
    from penstock.ui.left_pages import look_no_more_at_left_pages  # noqa: PLC0415
    from penstock.ui.troubles import tell  # noqa: PLC0415

    look_no_more_at_left_pages()
    is_secure = (settings.ui_url or "").startswith("https://")
    routes = [] if sessions is None else login_routes(sessions, is_secure=is_secure)
    begins_with = Files(Path(get_static_dir()))
    _warm(begins_with)
    doorway = Middleware(Doorway, hosts=_hosts(settings), sessions=sessions)
    return st.App(
        SCRIPT,
        secrets=_secrets(settings),
        routes=routes,
        middleware=[doorway, Middleware(Assets, files=begins_with)],
        on_script_error=tell,
    )


def _warm(files: Files) -> None:
    """Do beforehand what the first look would wait for; what others would, a little later."""
    for name in WANTED_FIRST:
        importlib.import_module(name)
    files.pack()
    _keep_for_good()
    later = threading.Timer(LATER_S, _warm_more)
    later.daemon = True
    later.start()


def _warm_more() -> None:
    for name in WANTED_THEN:
        importlib.import_module(name)
    _keep_for_good()


def _keep_for_good() -> None:
    """Have the collector pass over what is there: to look through it takes a tenth of a second."""
    gc.collect()
    gc.freeze()


def _hosts(settings: Settings) -> frozenset[str] | None:
    """Return the names that the room answers to; None for any, where people log in."""
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
    """Return what Streamlit's own login by OpenID Connect wants to know."""
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
    """Return the project's graphs; without them there is still much to see."""
    try:
        return load_graphs(settings), None
    except PenstockError as error:
        log.warning("the control room does without the project's graphs: %s", error)
        return Catalog.of(), str(error)


def _spelled(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _flat(told: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            found |= _flat(cast("dict[str, Any]", value), f"{within}{name}.")
        else:
            found[f"{within}{name}"] = value
    return found
