"""The differences of two states, place by place: how they are found, and how they are shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from itertools import islice
from typing import Any, cast

import streamlit as st
from pydantic_core import to_json

from penstock.ui.components.drawing import draw

CHANGES_LIMIT = 200
"""At most so many changes are listed; a value that changed in more places is another value."""
AROUND_CHARS = 80
"""So much of a long text is shown on each side of its change."""
_SHOWN_CHARS = 1_500


class ChangeKind(StrEnum):
    """What happened to a place."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One place at which two values differ."""

    path: str
    """Names with dots between, places in lists as `[3]`, what has an id as `[#id]`."""
    kind: ChangeKind
    before: Any = None
    after: Any = None


_WORDS = {ChangeKind.ADDED: "new", ChangeKind.REMOVED: "gone", ChangeKind.CHANGED: "changed"}


def differences(before: Any, after: Any) -> Sequence[Change]:
    """Return where two values of plain data differ, at most `CHANGES_LIMIT` of the places.

    Lists of which all parts have an id of their own, such as messages, are compared by it: a part
    that has moved has not changed. Of other lists the same beginning and the same end are left
    out, and what lies between is compared place by place.
    """
    return list(islice(_differences("", before, after), CHANGES_LIMIT))


def excerpts(before: str, after: str) -> tuple[str, str]:
    """Return two texts without most of what they share at the beginning and the end."""
    head = _shared(before, after)
    tail = min(_shared(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    return _cut(before, head, tail), _cut(after, head, tail)


def show_changes(found: Sequence[Change], *, key: str, otherwise: str) -> None:
    """Show changes; where there are none, the text `otherwise`."""
    if not found:
        st.caption(otherwise)
        return
    draw(f'<div class="changes">{"".join(map(_change, found))}</div>', key=key)
    if len(found) == CHANGES_LIMIT:
        st.caption(f"There are more places; these are the first {CHANGES_LIMIT}.")


def _differences(path: str, before: Any, after: Any) -> Iterator[Change]:
    if _is_same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _of_mappings(
            path, cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after)
        )
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(path, cast("list[Any]", before), cast("list[Any]", after))
    else:
        yield Change(path=path, kind=ChangeKind.CHANGED, before=before, after=after)


def _of_mappings(
    path: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    for name in before:
        if name not in after:
            place = _named(path, name)
            yield Change(path=place, kind=ChangeKind.REMOVED, before=before[name])
    for name, value in after.items():
        place = _named(path, name)
        if name in before:
            yield from _differences(place, before[name], value)
        else:
            yield Change(path=place, kind=ChangeKind.ADDED, after=value)


def _of_lists(path: str, before: list[Any], after: list[Any]) -> Iterator[Change]:
    first, second = _by_id(before), _by_id(after)
    if first is not None and second is not None:
        yield from _of_parts(path, first, second)
        return
    head = _shared(before, after)
    tail = min(_shared(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    for at, (one, other) in enumerate(zip(old, new, strict=False), start=head):
        yield from _differences(f"{path}[{at}]", one, other)
    for at, one in enumerate(old[len(new) :], start=head + len(new)):
        yield Change(path=f"{path}[{at}]", kind=ChangeKind.REMOVED, before=one)
    for at, one in enumerate(new[len(old) :], start=head + len(old)):
        yield Change(path=f"{path}[{at}]", kind=ChangeKind.ADDED, after=one)


def _of_parts(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for id_, part in before.items():
        if id_ not in after:
            yield Change(path=f"{path}[#{id_}]", kind=ChangeKind.REMOVED, before=part)
    for id_, part in after.items():
        place = f"{path}[#{id_}]"
        if id_ in before:
            yield from _differences(place, before[id_], part)
        else:
            yield Change(path=place, kind=ChangeKind.ADDED, after=part)


def _by_id(parts: list[Any]) -> dict[str, Any] | None:
    """Return the parts of a list by their ids; None where they have none of their own."""
    found: dict[str, Any] = {}
    for part in parts:
        id_ = cast("dict[str, Any]", part).get("id") if isinstance(part, dict) else None
        if not isinstance(id_, str) or id_ in found:
            return None
        found[id_] = part
    return found


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are one and the same; `1` is neither `true` nor `1.0`."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        mine, theirs = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return mine.keys() == theirs.keys() and all(
            _is_same(value, theirs[name]) for name, value in mine.items()
        )
    if isinstance(one, list):
        ours, others = cast("list[Any]", one), cast("list[Any]", other)
        return len(ours) == len(others) and all(map(_is_same, ours, others))
    return one == other


def _shared(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Return how long the beginning is that two sequences share."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if not _is_same(mine, theirs):
            break
        count += 1
    return count


def _cut(text: str, head: int, tail: int) -> str:
    begin, end = max(head - AROUND_CHARS, 0), min(len(text) - tail + AROUND_CHARS, len(text))
    return f"{'…' * (begin > 0)}{text[begin:end]}{'…' * (end < len(text))}"


def _named(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _change(change: Change) -> str:
    before, after = _spelled(change.before), _spelled(change.after)
    if change.kind is ChangeKind.CHANGED:
        before, after = excerpts(before, after)
    parts: list[str] = []
    if change.kind is not ChangeKind.ADDED:
        parts.append(f"<del>{escape(_short(before))}</del>")
    if change.kind is not ChangeKind.REMOVED:
        parts.append(f"<ins>{escape(_short(after))}</ins>")
    return (
        f'<div class="change {change.kind}"><b>{escape(change.path or "all of it")}</b>'
        f" <span>{_WORDS[change.kind]}</span>{''.join(parts)}</div>"
    )


def _spelled(value: Any) -> str:
    """Return a value as people read it; of a message, its author, its text and its calls."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        if isinstance(named.get("type"), str) and "content" in named:
            return _message(named)
    return to_json(value, indent=2).decode()


def _message(message: dict[str, Any]) -> str:
    content = message["content"]
    text = content if isinstance(content, str) else to_json(content, indent=2).decode()
    lines = [f"{message['type']}: {text}" if text else f"{message['type']}"]
    calls = cast("list[dict[str, Any]]", message.get("tool_calls") or [])
    lines += [f"calls {each.get('name')} {to_json(each.get('args')).decode()}" for each in calls]
    return "\n".join(lines)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
