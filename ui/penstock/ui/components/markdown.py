"""Markdown of the pages, in which all texts of others are escaped, and its rendering as HTML."""

import html
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from penstock.ui import text

SHORT = 160
_ID_CHARS = 13
JOINER = "\u2060"
"""A character without width, which keeps Markdown from making a link of an address."""
_ADDRESS = re.compile(r"(@|://|(?<=\bwww)\.)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~&^=@/])")
_TOKEN = re.compile(
    r"\\(?P<said>.)"
    r"|`(?P<code>[^`]+)`"
    r"|(?P<strong>\*\*)"
    r"|:material/(?P<icon>[a-z_0-9]+):"
    r"|:(?P<colour>[a-z]+)(?P<badge>-badge)?\["
    r"|(?P<ends>\])",
    re.DOTALL,
)


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it literally, on one line."""
    return _escaped_line(" ".join(text.split()))


def sentence(text: str) -> str:
    """Return one of Penstock's own sentences as Markdown, with names between backticks."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return "".join(
        f"`{part}`" if number % 2 and part else _escaped_line(part)
        for number, part in enumerate(parts)
    )


def code(name: str) -> str:
    """Return a name as Markdown from which it can be copied as it is."""
    line = " ".join(name.split()).replace("`", "'")
    return f"`{line}`"


def short(text: str, limit: int = SHORT) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def as_text(value: Any) -> str:
    """Return a value as people read it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value, fallback=repr).decode()


def short_id(id_: str) -> str:
    """Return the beginning of an id, by which people tell runs and gates apart."""
    return id_[:_ID_CHARS]


def node_name(node: str) -> str:
    """Return a node of a graph as people read it, with the subgraphs that it is in."""
    return node.replace("|", " / ")


def argument_line(arguments: Mapping[str, Any]) -> str:
    """Return arguments in one line of plain text, as far as there is room."""
    parts = (f"{name} {short(as_text(value), 40)}" for name, value in arguments.items())
    return short(" · ".join(parts), 120)


def age(at: datetime, now: datetime) -> str:
    """Return for how long something has been."""
    return text.age(max((now - at).total_seconds(), 1))


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago something was."""
    return f"{age(at, now)} ago"


def remaining(at: datetime, now: datetime) -> str:
    """Return how long something still takes."""
    seconds = (at - now).total_seconds()
    return "no time" if seconds <= 0 else text.age(max(seconds, 1))


def utc_instant(at: datetime | None) -> str:
    """Return an instant as people read it, in UTC."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def to_html(markdown: str) -> str:
    """Return a line of the pages' own Markdown as HTML, which a browser draws much faster.

    It knows only what these pages use: an escaped text stays as it was written, and whatever is not
    of the pages is escaped.
    """
    return "".join(_parts(markdown.replace(JOINER, "")))


def _escaped_line(line: str) -> str:
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub(rf"\1{JOINER}", line))


def _parts(markdown: str) -> Iterator[str]:
    is_strong, open_count, at = False, 0, 0
    for token in _TOKEN.finditer(markdown):
        yield html.escape(markdown[at : token.start()])
        at = token.end()
        match token.lastgroup:
            case "said":
                yield html.escape(token["said"])
            case "code":
                yield f"<code>{html.escape(token['code'])}</code>"
            case "strong":
                yield "</strong>" if is_strong else "<strong>"
                is_strong = not is_strong
            case "icon":
                yield f'<span class="pen-icon" aria-hidden="true">{token["icon"]}</span>'
            case "ends" if open_count:
                open_count -= 1
                yield "</span>"
            case "ends":
                yield "]"
            case _:
                open_count += 1
                kind = "pen-badge" if token["badge"] else "pen-text"
                yield f'<span class="{kind} pen-{token["colour"]}">'
    yield html.escape(markdown[at:])
