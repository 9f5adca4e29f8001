"""Sensitive fields of tool calls, hidden in the ledger, in spans and on pages.

Contracts mark them, by their dotted paths within the arguments; a path leads into lists as well. A
`Masking` also remembers the values that it hid: from the first call that carried one, that value is
hidden wherever it turns up, such as in what a model says of it, or in an error.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic_core import to_jsonable_python

HIDDEN = "[hidden]"
"""Stands in the place of a sensitive value."""

SHORTEST = 4
"""Shorter texts are not hidden outside of their field: they are parts of anything."""

PIECE = 1_000
"""A long text is remembered in pieces of so many characters: a span may show a part of it."""

_ARGUMENTS = ("args", "arguments", "input")
"""Under which a message has the arguments of a call, beside its `name`."""


class Masking:
    """Hides the sensitive values of one run."""

    def __init__(self, fields: Mapping[str, Collection[str]], *known: object) -> None:
        """Hide these dotted fields of the calls of these tools.

        `known` is data whose calls are read first, such as the newest state of the run: what is
        sensitive in them is then hidden in older data as well.
        """
        self._fields = {tool: [path.split(".") for path in paths] for tool, paths in fields.items()}
        self._values: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        for each in known:
            self.mask_calls(each)

    def mask(self, *documents: object) -> list[Any]:
        """Return plain data without sensitive values, neither in calls nor anywhere else.

        The calls of all documents are read before any text is: it may be in an earlier one.
        """
        plain = [self.mask_calls(document) for document in documents]
        return [self._mask_texts(each) for each in plain]

    def mask_calls(self, value: object) -> object:
        """Return a value as plain data, without sensitive values in the calls that it asks for."""
        plain = to_jsonable_python(value, fallback=str, serialize_unknown=True)
        return self._mask_calls(plain) if self._fields else plain

    def mask_arguments(self, tool: str, arguments: object) -> object:
        """Return the arguments of a call as plain data, without sensitive values."""
        plain = to_jsonable_python(arguments, fallback=str, serialize_unknown=True)
        for path in self._fields.get(tool, ()):
            for owner in _owners(plain, path):
                self._remember(owner[path[-1]])
                owner[path[-1]] = HIDDEN
        return plain

    def mask_text(self, text: str) -> str:
        """Return a text without the sensitive values that are known by now. From any thread."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(HIDDEN, text)

    def _mask_texts(self, value: Any) -> Any:
        match value:
            case str():
                return self.mask_text(value)
            case list():
                return [self._mask_texts(part) for part in cast("list[Any]", value)]
            case dict():
                named = cast("dict[str, Any]", value)
                return {name: self._mask_texts(part) for name, part in named.items()}
            case _:
                return value

    def _mask_calls(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._mask_calls(each) for each in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        named = cast("dict[str, Any]", value)
        masked = {name: self._mask_calls(each) for name, each in named.items()}
        tool = masked.get("name")
        if isinstance(tool, str) and tool in self._fields:
            for name in _ARGUMENTS:
                if name in masked:
                    masked[name] = self._mask_call(tool, masked[name])
        return masked

    def _mask_call(self, tool: str, arguments: Any) -> Any:
        if not isinstance(arguments, str):
            return self.mask_arguments(tool, arguments)
        try:
            return json.dumps(self.mask_arguments(tool, json.loads(arguments)))
        except ValueError:
            # A part of a stream: nobody can tell which field it belongs to.
            return HIDDEN

    def _remember(self, value: Any) -> None:
        pieces = {
            piece
            for text in _texts(value)
            if text != HIDDEN
            for piece in (text[at : at + PIECE] for at in range(0, len(text), PIECE))
            if len(piece) >= SHORTEST
        }
        if pieces <= self._values:
            return
        self._values |= pieces
        forms = {form for text in self._values for form in (text, json.dumps(text)[1:-1])}
        # The longest first: one may begin with another.
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered)))


def hide_fields(document: str, fields: Iterable[str]) -> str:
    """Return a JSON document with these dotted fields hidden, in lists too."""
    paths = [path.split(".") for path in fields]
    if not paths:
        return document
    masked = json.loads(document)
    for path in paths:
        for owner in _owners(masked, path):
            owner[path[-1]] = HIDDEN
    return json.dumps(masked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def without_fields(document: str, fields: Iterable[str]) -> dict[str, object]:
    """Return a JSON object without these dotted fields, in lists too."""
    rest: dict[str, object] = json.loads(document)
    for path in (path.split(".") for path in fields):
        for owner in _owners(rest, path):
            del owner[path[-1]]
    return rest


def _owners(value: Any, path: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield each object that has the field at the end of a path, in lists too."""
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _owners(each, path)
    elif isinstance(value, dict) and path[0] in value:
        fields = cast("dict[str, Any]", value)
        if len(path) == 1:
            yield fields
        else:
            yield from _owners(fields[path[0]], path[1:])


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in cast("dict[str, Any]", value).values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in cast("list[Any]", value) for text in _texts(each)]
    return [] if value is None or isinstance(value, bool) else [str(value)]
