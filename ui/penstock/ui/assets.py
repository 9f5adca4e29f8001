"""What browsers load before there is a page: Streamlit's own files, from memory and packed.

Streamlit reads each of its sixty files from the disk anew, unpacked, and a browser asks for those
that draw a page only when the page has come. Here they are kept, packed once, and the first
document names what the pages are drawn with, so that it is there when they come.
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
"""What the inbox is drawn with, by Streamlit's names: loaded beside what it begins with."""
ICONS = "MaterialSymbols-Rounded"

_NO_PAGES = ("/_stcore/", "/media/", "/component/")
_INDEX, _MANIFEST = "index.html", "manifest.json"
_PACKED = {"text/javascript", "application/javascript", "text/css", "text/html", "application/json"}
_FOREVER = "public, immutable, max-age=31536000"
"""Their names hold digests of what is in them."""
_LEVEL = 6

_HEAD = """<title>Penstock</title>
    <meta name="color-scheme" content="light dark">
    <style>
      html { background: #ffffff; }
      @media (prefers-color-scheme: dark) { html { background: #0f161c; } }
    </style>"""


@dataclass(frozen=True, slots=True)
class File:
    """One of them."""

    body: bytes
    packed: bytes | None
    media_type: str


class Files:
    """Streamlit's own files, each read and packed once."""

    def __init__(self, folder: Path) -> None:
        """Keep what lies in `folder`; nothing but the first document is read yet."""
        self._paths = {
            f"/{path.relative_to(folder).as_posix()}": path
            for path in folder.rglob("*")
            if path.is_file()
        }
        self._kept: dict[str, File] = {}
        found = (folder / _INDEX).read_bytes()
        told = index(found.decode(), folder)
        self._begins_with = [f"/{name}" for name in re.findall(r'"\./(static/[^"]+)"', told)]
        self.index = _packed(told.encode(), "text/html")
        self.replaced_size = len(found)

    def __contains__(self, path: str) -> bool:
        """Tell whether a path is that of a file which never changes."""
        return path.startswith(STATIC) and path in self._paths

    def kept(self, path: str) -> File | None:
        """Return a file, if it was packed already."""
        return self._kept.get(path)

    def get(self, path: str) -> File:
        """Return a file; the first time, it is read and packed."""
        kept = self._kept.get(path)
        if kept is None:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            kept = self._kept[path] = _packed(self._paths[path].read_bytes(), kind)
        return kept

    def pack(self) -> None:
        """Make ready what the first document asks for."""
        for path in self._begins_with:
            if path in self:
                self.get(path)


class Assets:
    """Answers with Streamlit's own files; an ASGI middleware."""

    def __init__(self, app: ASGIApp, *, files: Files) -> None:
        """Answer with `files`; what is not among them is the app's."""
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for a file, or let the app answer; its first document is replaced."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), str(scope["path"])
        if path in self._files and "range" not in headers:
            kept = self._files.kept(path)
            file = kept or await asyncio.to_thread(self._files.get, path)
            answer = _answer(file, headers, cached=_FOREVER)
            await answer(scope, receive, send)
            return
        if not path.startswith(_NO_PAGES):
            # Streamlit would pack its document, which is then not known for what it is.
            plain = [(name, told) for name, told in scope["headers"] if name != b"accept-encoding"]
            scope = {**scope, "headers": plain}
        await self._app(scope, receive, self._instead(scope, receive, send, headers))

    def _instead(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> Send:
        """Return what sends our first document where the app would send its own."""
        is_replaced = False

        async def instead(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start":
                said = MutableHeaders(raw=message["headers"])
                is_html = said.get("content-type", "").startswith("text/html")
                is_replaced = is_html and said.get("content-length") == str(
                    self._files.replaced_size
                )
                if is_replaced:
                    answer = _answer(self._files.index, headers, cached="no-cache")
                    # Whoever approves something sees it on a page of its own, not inside another.
                    answer.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
                    answer.headers["X-Content-Type-Options"] = "nosniff"
                    answer.headers["Referrer-Policy"] = "same-origin"
                    await answer(scope, receive, send)
            if not is_replaced:
                await send(message)

        return instead


def index(found: str, folder: Path) -> str:
    """Return Streamlit's first document with our name, our grounds, and what is to be loaded."""
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
    """Return the scripts of parts of Streamlit, and those that they begin by importing."""
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


def _packed(body: bytes, media_type: str) -> File:
    packed = gzip.compress(body, _LEVEL, mtime=0) if media_type in _PACKED else None
    return File(body, packed, media_type)


def _answer(file: File, headers: Headers, *, cached: str) -> Response:
    takes_packed = "gzip" in headers.get("accept-encoding", "")
    body = file.packed if file.packed is not None and takes_packed else file.body
    said = {"Cache-Control": cached, "Vary": "Accept-Encoding"}
    if body is not file.body:
        said["Content-Encoding"] = "gzip"
    return Response(body, media_type=file.media_type, headers=said)


def _quoted(file: str) -> str:
    return html.escape(file, quote=True)
