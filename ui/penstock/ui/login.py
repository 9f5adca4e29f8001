"""Who may enter the control room: hosts, origins, the login page, and what proves a login.

Whoever is not logged in is served neither a page nor the stream that pages live on. A session by
password is a signed token in a cookie that no script can read and no other site sends; the store
holds nothing of it. A session by OpenID Connect rests on the claims of the identity provider.
"""

import asyncio
import hashlib
import html
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files
from urllib.parse import parse_qs, quote, urlsplit

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import NotAllowed, PenstockError
from penstock.runs.settings import Settings
from penstock.ui.accounts import Accounts

COOKIE = "penstock_session"
_SALT = "penstock.session.v1"
_TOKEN_LIMIT = 1000
LOGIN, LOGOUT = "/login", "/logout"
_OPEN = (LOGIN, LOGOUT, "/_stcore/health")
_FORM_LIMIT = 10_000
_WAIT_S = 1.0
"""A wrong password is answered after this delay."""
_LOGOUT = f"""<p>Log out of the control room?</p>
<form method="post" action="{LOGOUT}"><button>Log out</button></form>
<p class="small"><a href="/">Back</a></p>"""


class Sessions:
    """Begins sessions, and returns the person of each."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        secret: SecretStr | None,
        lasts_s: float,
        clock: Clock | None = None,
    ) -> None:
        """Sign with `secret`; without one, with a random secret that ends with this process."""
        key = secrets.token_hex(32) if secret is None else secret.get_secret_value()
        self.accounts = accounts
        self.lasts_s = lasts_s
        self._clock = clock or SystemClock()
        self._serializer = URLSafeSerializer(
            key,
            salt=_SALT,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def begin(self, name: str, password: str) -> str | None:
        """Return the token of a new session; None where the password is wrong.

        Raises:
            InvalidAccounts: the file of accounts cannot be used.
        """
        mark = self.accounts.mark(name)
        if not self.accounts.admits(name, password) or mark is None:
            return None
        until = int(self._clock.now().timestamp() + self.lasts_s)
        session = _Session(name=name, mark=mark, until=until)
        return str(self._serializer.dumps(session.model_dump()))

    def person(self, token: str | None) -> str | None:
        """Return the person who is logged in by a token; None where nobody is any more.

        Raises:
            InvalidAccounts: the file of accounts cannot be used.
        """
        if token is None or len(token) > _TOKEN_LIMIT or not token.isascii():
            return None
        try:
            session = _Session.model_validate(self._serializer.loads(token))
        except (BadData, ValidationError):
            return None
        is_over = self._clock.now().timestamp() >= session.until
        return None if is_over or self.accounts.mark(session.name) != session.mark else session.name


class LoginMiddleware:
    """Passes on requests of people who are logged in, and none that another site has a page send.

    An ASGI middleware; `access_middleware` puts the check of the host before it.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions | None) -> None:
        """Demand one of `sessions` for each request; with None, anybody may look."""
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not _is_same_origin(scope, headers):
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

    def _is_logged_in(self, scope: Scope, headers: Headers) -> bool:
        if scope["path"] in _OPEN:
            return True
        return self._sessions is not None and _person(self._sessions, headers) is not None


def access_middleware(
    hosts: Collection[str] | None, sessions: Sessions | None
) -> Sequence[Middleware]:
    """Return the middleware that each request passes first: its host, its origin, its session.

    The room answers to the names in `hosts` alone, or to any with None. That keeps another site
    from leading its own name to a room that nobody logs in to.
    """
    allowed = ["*"] if hosts is None else sorted(map(_bracketed, hosts))
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False),
        Middleware(LoginMiddleware, sessions=sessions),
    ]


def login_routes(sessions: Sessions, *, is_secure: bool) -> list[Route]:
    """Return the pages to log in and out; `is_secure` where they are served by HTTPS."""

    async def login(request: Request) -> Response:
        wanted = _inside(request.query_params.get("next", "/"))
        if request.method == "GET":
            return _page(_login_form(wanted))
        form = parse_qs((await _body(request)).decode("utf-8", "replace"), keep_blank_values=True)
        name, password = form.get("name", [""])[0].strip(), form.get("password", [""])[0]
        try:
            token = await asyncio.to_thread(sessions.begin, name, password)
        except PenstockError as error:
            return _page(_login_form(wanted, name, problem=str(error)), status=503)
        if token is None:
            await asyncio.sleep(_WAIT_S)
            problem = "This is not the name and the password of an account."
            return _page(_login_form(wanted, name, problem=problem), status=401)
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


def claimed_login(claims: Mapping[str, object], settings: Settings, now: datetime) -> str | None:
    """Return the login that claims prove; None where they are too old, or not meant for this room.

    Signature, issuer, nonce and expiry were checked when they came. But Streamlit keeps them for a
    month, and takes a token that names another client if it says that this one may use it.

    Raises:
        NotAllowed: the provider has not made sure that the address is theirs.
    """
    ours, meant_for = settings.oidc_client_id, claims.get("aud")
    if ours is None or not (
        meant_for == ours or (isinstance(meant_for, list) and ours in meant_for)
    ):
        return None
    begun = claims.get("iat")
    if not isinstance(begun, int | float) or isinstance(begun, bool):
        return None
    if now.timestamp() - begun >= settings.ui_session_s:
        return None
    login = claims.get(settings.oidc_claim)
    if not isinstance(login, str) or not login:
        return None
    if settings.oidc_claim == "email" and claims.get("email_verified") is False:
        raise NotAllowed(
            f"the identity provider has not made sure that `{login}` is yours; have it verified"
            " there, then log in again"
        )
    return login


class _Session(BaseModel):
    """The content of a token, which is signed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    name: str
    mark: str
    """The mark of the account when the session began: another password ends the session."""
    until: int
    """Seconds since the epoch."""


def _is_same_origin(scope: Scope, headers: Headers) -> bool:
    """Tell whether a request is the room's own, or one that can change nothing."""
    origin = headers.get("origin")
    if origin is None or (scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}):
        return True
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def _person(sessions: Sessions, headers: Headers) -> str | None:
    """Return the person whose session the cookies of a request hold."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
        return sessions.person(cookies[COOKIE].value) if COOKIE in cookies else None
    except (CookieError, PenstockError):
        return None


def _bracketed(host: str) -> str:
    """Return a host as it stands in a URL and in the header of a request."""
    return f"[{host}]" if ":" in host else host


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
    """Return the address after the login: a page of the room, never another site."""
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


def _login_form(wanted: str, name: str = "", *, problem: str | None = None) -> str:
    alert = "" if problem is None else f'<p role="alert">{html.escape(problem)}</p>'
    return f"""{alert}
<form method="post" action="{LOGIN}?next={quote(wanted, safe="")}">
  <label for="name">Name</label>
  <input id="name" name="name" autocomplete="username" required autofocus
    value="{html.escape(name, quote=True)}">
  <label for="password">Password</label>
  <input id="password" name="password" type="password" autocomplete="current-password" required>
  <button>Log in</button>
</form>
<p class="small">Accounts are made with <code>penstock account NAME</code>.</p>"""
