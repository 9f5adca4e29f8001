"""A small identity provider that speaks OpenID Connect: over real HTTP, and wrongly if told to."""

import base64
import hashlib
import html
import json
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "control-room", "a secret of the tests"
LASTS_S = 300


class Wrong(StrEnum):
    """What a token, or the way back, can have wrong with it."""

    EXPIRED = "it has expired"
    FOR_ANOTHER = "it is for another client"
    FOR_ANOTHER_BY_US = "it is for another client, and says that this one may use it"
    OF_ANOTHER = "another provider has issued it"
    FOREIGN_KEY = "it is signed with another key"
    UNSIGNED = "it is not signed, and says so"
    CUT = "its signature is cut off"
    CHANGED = "somebody has written another name into it"
    NONCE = "it has the nonce of another login"
    NO_NONCE = "it has no nonce"
    STATE = "the way back has the state of another login"
    CODE = "the code is of nobody"
    MISSING = "there is none"


@dataclass
class Provider:
    """What it knows, and what it does wrong."""

    url: str
    key: RSAKey
    wrong: Wrong | None = None
    email: str = "fay@example.org"
    is_verified: bool = True
    age_s: float = 0.0
    """So long ago somebody logged in, as it says."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    logged_out: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def discovery(self) -> dict[str, Any]:
        """Return what it says of itself."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def allow(self, asked: dict[str, str]) -> str:
        """Return where somebody is sent who has logged in."""
        code = secrets.token_hex(16)
        if self.wrong is not Wrong.CODE:
            self.codes[code] = asked
        state = secrets.token_hex(16) if self.wrong is Wrong.STATE else asked["state"]
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': state})}"

    def token(self, asked: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return the tokens for a code, once, to the client that began; None if it is not."""
        begun = self.codes.pop(asked.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if begun is None or authorization != f"Basic {basic}":
            return None
        proof = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != begun["code_challenge"]:
            return None
        told = {"access_token": secrets.token_hex(16), "token_type": "Bearer"}
        return told if self.wrong is Wrong.MISSING else told | {"id_token": self._signed(begun)}

    def _signed(self, begun: dict[str, str]) -> str:
        now = time.time()  # noqa: TID251  (a party of its own)
        claims: dict[str, Any] = {
            "iss": self.url,
            "sub": self.email,
            "aud": CLIENT,
            "iat": int(now - self.age_s),
            "exp": int(now + LASTS_S),
            "nonce": begun["nonce"],
            "email": self.email,
            "email_verified": self.is_verified,
        }
        claims |= _twisted(self.wrong, now)
        if self.wrong is Wrong.NO_NONCE:
            del claims["nonce"]
        kid = str(self.key.kid)
        is_foreign = self.wrong is Wrong.FOREIGN_KEY
        key = RSAKey.generate_key(2048, {"kid": kid}) if is_foreign else self.key
        signed = jwt.encode({"alg": "RS256", "kid": kid}, claims, key)
        head, body, signature = signed.split(".")
        match self.wrong:
            case Wrong.UNSIGNED:
                return f"{_part({'alg': 'none'})}.{body}."
            case Wrong.CUT:
                return f"{head}.{body}."
            case Wrong.CHANGED:
                return f"{head}.{_part(claims | {'email': 'olga@example.org'})}.{signature}"
            case _:
                return signed


def _twisted(wrong: Wrong | None, now: float) -> dict[str, Any]:
    """Return the claims that are not as they should be."""
    match wrong:
        case Wrong.EXPIRED:
            return {"iat": int(now - 7200), "exp": int(now - 3600)}
        case Wrong.FOR_ANOTHER:
            return {"aud": "the-wiki"}
        case Wrong.FOR_ANOTHER_BY_US:
            return {"aud": "the-wiki", "azp": CLIENT}
        case Wrong.OF_ANOTHER:
            return {"iss": "https://accounts.example"}
        case Wrong.NONCE:
            return {"nonce": secrets.token_hex(8)}
        case _:
            return {}


@contextmanager
def provider() -> Generator[Provider]:
    """Have one answer, on this machine."""
    key = RSAKey.generate_key(2048, {"kid": "one"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    made = Provider(url=f"http://127.0.0.1:{server.server_port}", key=key)
    server.provider = made  # type: ignore[attr-defined]
    serving = Thread(target=server.serve_forever)
    serving.start()
    try:
        yield made
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    @property
    def _provider(self) -> Provider:
        return self.server.provider  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        given = _first(asked.query)
        match asked.path:
            case "/.well-known/openid-configuration":
                self._json(self._provider.discovery())
            case "/jwks":
                public = self._provider.key.as_dict(private=False)
                self._json({"keys": [public | {"alg": "RS256", "use": "sig"}]})
            case "/authorize":
                self._page(f"/allow?{asked.query}")
            case "/allow":
                self._redirect(self._provider.allow(given))
            case "/logout":
                self._provider.logged_out.append(given)
                self._redirect(given["post_logout_redirect_uri"])
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        told = self._provider.token(_first(body), self.headers.get("Authorization", ""))
        if told is None:
            self._json({"error": "invalid_grant"}, status=400)
        else:
            self._json(told)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _json(self, told: dict[str, Any], *, status: int = 200) -> None:
        self._send(json.dumps(told).encode(), "application/json", status)

    def _page(self, way: str) -> None:
        link = f'<a href="{html.escape(way, quote=True)}">Go on as {self._provider.email}</a>'
        self._send(f"<!doctype html><title>Provider</title>{link}".encode(), "text/html", 200)

    def _send(self, body: bytes, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, url: str) -> None:
        self.send_response(302)
        self.send_header("Location", url)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _first(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _part(told: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()
