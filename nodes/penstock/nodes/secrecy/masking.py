"""What nobody is to be shown, taken out of what is shown."""

import json
from collections.abc import Iterable
from typing import Any, cast

HIDDEN = "[hidden]"
"""Stands where a sensitive field was."""


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
