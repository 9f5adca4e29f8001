"""Which arguments of a call stand word for word in what a run was given.

Whoever starts a run has said those themselves. The rest came from a model, which what it read may
have talked into it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

LEAST_CHARS = 3
"""A shorter text stands in any longer one by chance."""


class Given:
    """What a run was given, as text to look things up in."""

    def __init__(self, given: str) -> None:
        """Take in the input of a run, as JSON."""
        self._text = "\n".join(_texts(json.loads(given)))

    def names(self, arguments: Mapping[str, object]) -> list[str]:
        """Return the names of those arguments, sorted, of which every part was given."""
        return sorted(name for name, value in arguments.items() if self._has(value))

    def _has(self, value: object) -> bool:
        parts = list(_texts(value))
        return bool(parts) and all(self._has_text(part) for part in parts)

    def _has_text(self, text: str) -> bool:
        if len(text) < LEAST_CHARS and not text.isdigit():
            return False
        # Not within a longer word or number: 10 was not given where 1000 was.
        found = rf"(?<![\w.,@-]){re.escape(text)}(?![\w@-]|[.,]\w)"
        return re.search(found, self._text) is not None


def _texts(value: object) -> Iterator[str]:
    """Give every text and number of plain data, as they are written."""
    match value:
        case str():
            yield value
        case bool() | None:
            # Neither says anything that could be recognised.
            yield ""
        case int() | float():
            yield f"{value:g}" if isinstance(value, float) else str(value)
        case list():
            for each in cast("list[Any]", value):
                yield from _texts(each)
        case dict():
            for each in cast("dict[str, Any]", value).values():
                yield from _texts(each)
        case _:
            yield ""
