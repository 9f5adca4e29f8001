"""What tool contracts mark as sensitive, hidden wherever it turns up in a trace.

A value is known once a call has carried it, or a message that asks for one. From then on it is
hidden in everything of that trace which has not left the process: in the argument that it was, in
what a model says of it, in an error.

What nobody is to be shown, taken out of what is shown.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic_core import to_jsonable_python

HIDDEN = "[hidden]"
"""Stands where a sensitive value was."""

SHORTEST = 4
"""Of a text that is hidden wherever it stands: shorter ones are parts of anything."""

PIECE = 1_000
"""A long text is known by its pieces: a span may show a part of it."""

_ARGUMENTS = ("args", "arguments", "input")
"""Under which a message has the arguments of a call, beside its `name`."""


class Masking:
    """The sensitive values of one run."""

    def __init__(self, fields: Mapping[str, Collection[str]]) -> None:
        """Hide these dotted fields of the calls of these tools."""
        self._fields = {tool: [path.split(".") for path in paths] for tool, paths in fields.items()}
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def plain(self, value: object) -> object:
        """Return a value as plain data, without what is sensitive in the calls that it asks for."""
        plain = to_jsonable_python(value, fallback=str, serialize_unknown=True)
        return self._within(plain) if self._fields else plain

    def arguments(self, tool: str, arguments: object) -> object:
        """Return the arguments of a call, as plain data, without what is sensitive."""
        plain = to_jsonable_python(arguments, fallback=str, serialize_unknown=True)
        for path in self._fields.get(tool, ()):
            plain = self._hidden(plain, path)
        return plain

    def clean(self, text: str) -> str:
        """Return a text without what is known to be sensitive. From any thread."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(HIDDEN, text)

    def _within(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return [self._within(each) for each in cast("list[Any]", plain)]
        if not isinstance(plain, dict):
            return plain
        found = {name: self._within(each) for name, each in cast("dict[str, Any]", plain).items()}
        tool = found.get("name")
        if isinstance(tool, str) and tool in self._fields:
            for name in _ARGUMENTS:
                if name in found:
                    found[name] = self._call(tool, found[name])
        return found

    def _call(self, tool: str, arguments: Any) -> Any:
        if not isinstance(arguments, str):
            return self.arguments(tool, arguments)
        try:
            return json.dumps(self.arguments(tool, json.loads(arguments)))
        except ValueError:
            # A part of what is streamed: nobody can tell which field it is of.
            return HIDDEN

    def _hidden(self, found: Any, path: Sequence[str]) -> Any:
        """Return `found` with a field hidden, in lists too."""
        if isinstance(found, list):
            return [self._hidden(each, path) for each in cast("list[Any]", found)]
        if not isinstance(found, dict) or path[0] not in found:
            return cast("Any", found)
        fields = cast("dict[str, Any]", found)
        name, *rest = path
        if rest:
            return {**fields, name: self._hidden(fields[name], rest)}
        self._learn(fields[name])
        return {**fields, name: HIDDEN}

    def _learn(self, value: Any) -> None:
        texts = {
            part
            for text in _texts(value)
            if text != HIDDEN
            for part in (text[at : at + PIECE] for at in range(0, len(text), PIECE))
            if len(part) >= SHORTEST
        }
        if texts <= self._known:
            return
        self._known |= texts
        forms = {form for text in self._known for form in (text, json.dumps(text)[1:-1])}
        # The longest first: one may begin with another.
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered)))


def hide_fields(document: str, fields: Iterable[str]) -> str:
    """Return a JSON document with these dotted fields hidden, in lists too."""
    paths = [path.split(".") for path in fields]
    if not paths:
        return document
    shown = json.loads(document)
    for path in paths:
        _hide(shown, path)
    return json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def without_fields(document: str, fields: Iterable[str]) -> dict[str, object]:
    """Return a JSON object without these dotted fields, in lists too."""
    left: dict[str, object] = json.loads(document)
    for path in fields:
        _drop(left, path.split("."))
    return left


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in cast("dict[str, Any]", value).values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in cast("list[Any]", value) for text in _texts(each)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def _drop(found: Any, path: list[str]) -> None:
    if isinstance(found, list):
        for each in cast("list[Any]", found):
            _drop(each, path)
    elif isinstance(found, dict):
        fields = cast("dict[str, Any]", found)
        name, *rest = path
        if rest and name in fields:
            _drop(fields[name], rest)
        elif not rest:
            fields.pop(name, None)


def _hide(found: Any, path: list[str]) -> None:
    if isinstance(found, list):
        for each in cast("list[Any]", found):
            _hide(each, path)
    elif isinstance(found, dict):
        fields = cast("dict[str, Any]", found)
        name, *rest = path
        if name in fields:
            if rest:
                _hide(fields[name], rest)
            else:
                fields[name] = HIDDEN
