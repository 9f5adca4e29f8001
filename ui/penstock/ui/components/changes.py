"""What is different between two states, place by place, as people compare texts."""

from collections.abc import Sequence
from html import escape
from typing import Any, cast

import streamlit as st
from pydantic_core import to_json

from penstock.contracts.difference import CHANGES_LIMIT, Change, ChangeKind, around
from penstock.ui.components.drawing import drawing

_SHOWN_CHARS = 1_500
_WORDS = {ChangeKind.ADDED: "new", ChangeKind.REMOVED: "gone", ChangeKind.CHANGED: "changed"}


def changes(found: Sequence[Change], *, key: str, otherwise: str) -> None:
    """Show what is different; say something else where nothing is."""
    if not found:
        st.caption(otherwise)
        return
    drawing(f'<div class="changes">{"".join(map(_change, found))}</div>', key=key)
    if len(found) == CHANGES_LIMIT:
        st.caption(f"There are more places; these are the first {CHANGES_LIMIT}.")


def _change(change: Change) -> str:
    before, after = _spelled(change.before), _spelled(change.after)
    if change.kind is ChangeKind.CHANGED:
        before, after = around(before, after)
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
    """Return a value as people read it; of a message who says what, and what it calls."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        if isinstance(named.get("type"), str) and "content" in named:
            return _message(named)
    return to_json(value, indent=2).decode()


def _message(message: dict[str, Any]) -> str:
    content = message["content"]
    said = content if isinstance(content, str) else to_json(content, indent=2).decode()
    lines = [f"{message['type']}: {said}" if said else f"{message['type']}"]
    calls = cast("list[dict[str, Any]]", message.get("tool_calls") or [])
    lines += [f"calls {each.get('name')} {to_json(each.get('args')).decode()}" for each in calls]
    return "\n".join(lines)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
