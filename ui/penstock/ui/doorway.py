"""The way into the control room: which hosts and origins it answers, and the page to log in at.

Nothing of the room is served to whoever is not logged in: neither a page nor the stream that pages
live on. A session is in a cookie that no script can read and that no other site sends along.
"""

import asyncio
import html
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from penstock.contracts.errors import PenstockError
from penstock.ui.sessions import COOKIE, Sessions

LOGIN, LOGOUT = "/login", "/logout"
_OPEN = (LOGIN, LOGOUT, "/_stcore/health")
_FORM_LIMIT = 10_000
_WAIT_S = 1.0
"""What a wrong password costs, beside the time that looking at it takes."""


class Doorway:
    """Lets through whom the room may answer; an ASGI middleware."""

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] | None, sessions: Sessions | None
    ) -> None:
        """Answer to these names only, or to any with None; with `sessions`, who is logged in."""
        self._app = app
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._is_known(headers) or not self._is_from_here(scope, headers):
            await _refuse(scope, receive, send)
        elif self._sessions is None or self._is_logged_in(scope, headers):
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "GET":
            query = scope.get("query_string", b"").decode("latin-1")
            wanted = scope["path"] + (f"?{query}" if query else "")
            answer = RedirectResponse(f"{LOGIN}?next={quote(wanted, safe='')}", status_code=303)
            await answer(scope, receive, send)
        else:
            await _refuse(scope, receive, send)

    def _is_known(self, headers: Headers) -> bool:
        """Tell whether the room is called by a name of its own; another site's may lead here."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        return self._hosts is None or host.lower() in self._hosts

    def _is_from_here(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether what changes something was asked for by a page of the room itself."""
        origin = headers.get("origin")
        if origin is None or (scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}):
            return True
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()

    def _is_logged_in(self, scope: Scope, headers: Headers) -> bool:
        if scope["path"] in _OPEN:
            return True
        return self._sessions is not None and _whose(self._sessions, headers) is not None


def login_routes(sessions: Sessions, *, is_secure: bool) -> list[Route]:
    """Return the pages to log in and out at; `is_secure` where they are served by HTTPS."""

    async def login(request: Request) -> Response:
        wanted = _inside(request.query_params.get("next", "/"))
        if request.method == "GET":
            return _page(_login_form(wanted))
        form = parse_qs((await _body(request)).decode("utf-8", "replace"), keep_blank_values=True)
        name, password = form.get("name", [""])[0].strip(), form.get("password", [""])[0]
        try:
            token = await asyncio.to_thread(sessions.begin, name, password)
        except PenstockError as error:
            return _page(_login_form(wanted, name, told=str(error)), status=503)
        if token is None:
            await asyncio.sleep(_WAIT_S)
            told = "This is not the name and the password of an account."
            return _page(_login_form(wanted, name, told=told), status=401)
        answer = RedirectResponse(wanted, status_code=303)
        answer.set_cookie(
            COOKIE,
            token,
            max_age=int(sessions.lasts_s),
            httponly=True,
            samesite="lax",
            secure=is_secure,
        )
        return answer

    async def logout(request: Request) -> Response:
        if request.method == "GET":
            return _page(_LOGOUT)
        answer = RedirectResponse(LOGIN, status_code=303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=is_secure)
        return answer

    return [
        Route(LOGIN, login, methods=["GET", "POST"]),
        Route(LOGOUT, logout, methods=["GET", "POST"]),
    ]


def _whose(sessions: Sessions, headers: Headers) -> str | None:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
        return sessions.whose(cookies[COOKIE].value) if COOKIE in cookies else None
    except (CookieError, PenstockError):
        return None


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(code=4403)(scope, receive, send)
    else:
        await PlainTextResponse("The control room does not answer this.", 403)(scope, receive, send)


async def _body(request: Request) -> bytes:
    gathered = b""
    async for part in request.stream():
        gathered += part
        if len(gathered) > _FORM_LIMIT:
            return b""
    return gathered


def _inside(wanted: str) -> str:
    """Return where to go after the login: a page of the room, never another site."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_ours and not parts.scheme and not parts.netloc else "/"


def _page(body: str, *, status: int = 200) -> HTMLResponse:
    shell = files("penstock.ui").joinpath("login.html").read_text(encoding="utf-8")
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
            " frame-ancestors 'none'"
        ),
    }
    return HTMLResponse(shell.replace("<!-- body -->", body), status_code=status, headers=headers)


def _login_form(wanted: str, name: str = "", *, told: str | None = None) -> str:
    trouble = "" if told is None else f'<p role="alert">{html.escape(told)}</p>'
    return f"""{trouble}
<form method="post" action="{LOGIN}?next={quote(wanted, safe="")}">
  <label for="name">Name</label>
  <input id="name" name="name" autocomplete="username" required autofocus
    value="{html.escape(name, quote=True)}">
  <label for="password">Password</label>
  <input id="password" name="password" type="password" autocomplete="current-password" required>
  <button>Log in</button>
</form>
<p class="small">Accounts are made with <code>penstock account NAME</code>.</p>"""


_LOGOUT = f"""<p>Log out of the control room?</p>
<form method="post" action="{LOGOUT}"><button>Log out</button></form>
<p class="small"><a href="/">Back</a></p>"""
