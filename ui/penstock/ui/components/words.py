"""Words on pages. What people, models and tools have said is shown as they said it."""

import re
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from penstock.ui import text

SHORT = 160

JOINER = "\u2060"
"""Has no width. Parts an address, so that Markdown does not make a link of it."""

_ADDRESS = re.compile(r"(@|://|(?<=\bwww)\.)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~&^=@/])")


def plain(text: str) -> str:
    """Return a text for a place where Markdown is read, in which nothing of it means anything."""
    return _escaped(" ".join(text.split()))


def sentence(text: str) -> str:
    """Return one of Penstock's own sentences as Markdown: what is between backticks is a name."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        return plain(text)
    return "".join(
        f"`{part}`" if number % 2 and part else _escaped(part) for number, part in enumerate(parts)
    )


def code(name: str) -> str:
    """Return a name as Markdown from which it can be copied as it is."""
    line = " ".join(name.split()).replace("`", "'")
    return f"`{line}`"


def short(text: str, limit: int = SHORT) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def spelled(value: Any) -> str:
    """Return a value as people read it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value, fallback=repr).decode()


def age(at: datetime, now: datetime) -> str:
    """Say for how long something has been."""
    return text.age(max((now - at).total_seconds(), 1))


def ago(at: datetime, now: datetime) -> str:
    """Say how long ago something was."""
    return f"{age(at, now)} ago"


def left(at: datetime, now: datetime) -> str:
    """Say how long something still takes."""
    seconds = (at - now).total_seconds()
    return "no time" if seconds <= 0 else text.age(max(seconds, 1))


def instant(at: datetime | None) -> str:
    """Return an instant as people read it, in UTC."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def badge(colour: str, text: str, icon: str | None = None) -> str:
    """Return a badge as Markdown; the text is ours, or plain already."""
    drawn = f":material/{icon}: " if icon else ""
    return f":{colour}-badge[{drawn}{text}]"


def _escaped(line: str) -> str:
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub(rf"\1{JOINER}", line))
