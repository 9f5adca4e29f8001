"""Streamlit's static files, served from memory and compressed.

Streamlit reads each of its sixty files from the disk again, uncompressed, and a browser asks for
those that draw a page only when the page has come. Here they are cached, compressed once, and the
first document names what the pages are drawn with, so that the browser has it when they come.
"""

import asyncio
import gzip
import html
import json
import mimetypes
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = "/static/"
FIRST = ("Html", "PageLink", "ButtonGroup", "Selectbox", "Checkbox", "Button")
"""The parts of Streamlit that draw the inbox, by its names: a browser loads them at once."""
ICONS = "MaterialSymbols-Rounded"

_NO_PAGES = ("/_stcore/", "/media/", "/component/")
_INDEX, _MANIFEST = "index.html", "manifest.json"
_COMPRESSIBLE = {
    "text/javascript",
    "application/javascript",
    "text/css",
    "text/html",
    "application/json",
}
_FOREVER = "public, immutable, max-age=31536000"
"""The names of these files hold digests of their content."""
_LEVEL = 6

_HEAD = """<title>Penstock</title>
    <meta name="color-scheme" content="light dark">
    <style>
      html { background: #ffffff; }
      @media (prefers-color-scheme: dark) { html { background: #0f161c; } }
    </style>"""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A static file, and its compressed body where it is of a kind that compresses."""

    body: bytes
    compressed: bytes | None
    media_type: str


class StaticFiles:
    """Streamlit's static files, each read and compressed once."""

    def __init__(self, folder: Path) -> None:
        """Serve the files in `folder`; nothing but the first document is read yet."""
        self._paths = {
            f"/{path.relative_to(folder).as_posix()}": path
            for path in folder.rglob("*")
            if path.is_file()
        }
        self._cached: dict[str, StaticFile] = {}
        found = (folder / _INDEX).read_bytes()
        document = index(found.decode(), folder)
        self._preloads = [f"/{name}" for name in re.findall(r'"\./(static/[^"]+)"', document)]
        self.index = _compressed(document.encode(), "text/html")
        self.replaced_size = len(found)

    def __contains__(self, path: str) -> bool:
        """Tell whether a path is that of a file that never changes."""
        return path.startswith(STATIC) and path in self._paths

    def cached(self, path: str) -> StaticFile | None:
        """Return a file, if it is cached."""
        return self._cached.get(path)

    def get(self, path: str) -> StaticFile:
        """Return a file; the first time, it is read and compressed."""
        cached = self._cached.get(path)
        if cached is None:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            cached = self._cached[path] = _compressed(self._paths[path].read_bytes(), kind)
        return cached

    def preload(self) -> None:
        """Cache the files that the first document asks for."""
        for path in self._preloads:
            if path in self:
                self.get(path)


class Assets:
    """Answers with Streamlit's static files; an ASGI middleware."""

    def __init__(self, app: ASGIApp, *, files: StaticFiles) -> None:
        """Answer with `files`, and pass other requests on to the app."""
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file, or let the app answer; its first document is replaced."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), str(scope["path"])
        if path in self._files and "range" not in headers:
            cached = self._files.cached(path)
            file = cached or await asyncio.to_thread(self._files.get, path)
            answer = _answer(file, headers, cache_control=_FOREVER)
            await answer(scope, receive, send)
            return
        if not path.startswith(_NO_PAGES):
            # Streamlit would compress its document, which then could not be told by its length.
            uncompressed = [
                (name, value) for name, value in scope["headers"] if name != b"accept-encoding"
            ]
            scope = {**scope, "headers": uncompressed}
        await self._app(scope, receive, self._send_own_document(scope, receive, send, headers))

    def _send_own_document(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers
    ) -> Send:
        """Return a `send` that replaces Streamlit's first document by our own."""
        is_replaced = False

        async def send_own(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start":
                answer_headers = MutableHeaders(raw=message["headers"])
                is_html = answer_headers.get("content-type", "").startswith("text/html")
                is_replaced = is_html and answer_headers.get("content-length") == str(
                    self._files.replaced_size
                )
                if is_replaced:
                    answer = _answer(self._files.index, headers, cache_control="no-cache")
                    # Whoever approves something sees it on a page of its own, not inside another.
                    answer.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
                    answer.headers["X-Content-Type-Options"] = "nosniff"
                    answer.headers["Referrer-Policy"] = "same-origin"
                    await answer(scope, receive, send)
            if not is_replaced:
                await send(message)

        return send_own


def index(found: str, folder: Path) -> str:
    """Return Streamlit's first document with our title, backgrounds and preloads."""
    files = _manifest(folder)
    known = set(re.findall(r'"\./(static/[^"]+)"', found))
    first = [file for file in _needed(files, FIRST) if file not in known]
    fonts = [f"static/media/{path.name}" for path in folder.glob(f"static/media/{ICONS}*.woff2")]
    links = [
        *(f'<link rel="modulepreload" crossorigin href="./{_quoted(file)}">' for file in first),
        *(
            f'<link rel="preload" as="font" type="font/woff2" crossorigin href="./{_quoted(file)}">'
            for file in fonts
        ),
    ]
    begins = found.replace("<title>Streamlit</title>", _HEAD, 1)
    ends = "\n    ".join(["", *links])
    return begins.replace("\n  </head>", f"{ends}\n  </head>", 1)


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        return json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Then a browser finds out by itself what it needs.
        return {}


def _needed(manifest: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return the scripts of parts of Streamlit, with the scripts that these import."""
    wanted = set(names)
    begin = [
        key
        for key, entry in manifest.items()
        if entry.get("name") in wanted and entry.get("file", "").endswith(".js")
    ]
    return sorted(dict.fromkeys(_with_imports(manifest, begin)))


def _with_imports(manifest: Mapping[str, Any], begin: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    left = list(begin)
    while left:
        key = left.pop()
        if key not in seen and key in manifest:
            seen.add(key)
            left += manifest[key].get("imports", [])
            if key != _INDEX:
                yield manifest[key]["file"]


def _compressed(body: bytes, media_type: str) -> StaticFile:
    compressed = gzip.compress(body, _LEVEL, mtime=0) if media_type in _COMPRESSIBLE else None
    return StaticFile(body, compressed, media_type)


def _answer(file: StaticFile, headers: Headers, *, cache_control: str) -> Response:
    takes_gzip = "gzip" in headers.get("accept-encoding", "")
    body = file.compressed if file.compressed is not None and takes_gzip else file.body
    answer_headers = {"Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if body is not file.body:
        answer_headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=file.media_type, headers=answer_headers)


def _quoted(file: str) -> str:
    return html.escape(file, quote=True)
