"""The text of policies with its words in colours, and what changes between two of them.

Everything is escaped: whatever stands in a policy, the page reads it as text.
"""

import difflib
from collections.abc import Iterator, Sequence
from html import escape
from itertools import islice

import streamlit as st

from penstock.contracts.policy import PolicySource
from penstock.policies.tokens import Kind, tokens
from penstock.ui.components.words import plain

DIFF_ROWS = 2000
"""Longer differences are cut, and say so."""

_AROUND = 3


def code(text: str, *, first: int = 1) -> None:
    """Show policies; their lines are counted from `first`."""
    lines = [_line(number, html, "") for number, html in enumerate(coloured(text), first)]
    _show(lines, height_rem=75)


def excerpt(text: str, line: int) -> None:
    """Show one line of a text, marked, with those around it."""
    begin = max(line - 2, 0)
    lines = list(islice(coloured(text), begin, line + 1))
    found = [
        _line(number, html, "hit" if number == line else "")
        for number, html in enumerate(lines, begin + 1)
    ]
    _show(found, height_rem=10)


def difference(before: PolicySource, after: PolicySource) -> bool:
    """Show what changes from one policy to another, file by file; tell whether anything does."""
    old = {f"{file.set}/{file.name}": file.text for file in before.files}
    new = {f"{file.set}/{file.name}": file.text for file in after.files}
    left = DIFF_ROWS
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        what = "is new" if name not in old else "is taken away" if name not in new else "changes"
        lines = list(islice(_changes(old.get(name, ""), new.get(name, "")), left + 1))
        st.markdown(f"**{plain(name)}** {what}")
        if lines:
            _show(lines[:left], height_rem=30)
        else:
            st.caption("Only in how its lines end.")
        if len(lines) > left:
            st.caption(f"Only the first {DIFF_ROWS:,} lines of what changes are shown.")
            return True
        left -= len(lines)
    return before.digest != after.digest


def coloured(text: str) -> Iterator[str]:
    """Return the lines of a text as HTML, in which all of the text is escaped."""
    line: list[str] = []
    for token in tokens(text):
        for number, part in enumerate(token.text.split("\n")):
            if number:
                yield "".join(line)
                line = []
            if part and token.kind is Kind.OTHER:
                line.append(escape(part))
            elif part:
                line.append(f'<span class="{token.kind}">{escape(part)}</span>')
    if line or not text:
        yield "".join(line)


def _changes(before: str, after: str) -> Iterator[str]:
    old, new = before.splitlines(), after.splitlines()
    for line in islice(difflib.unified_diff(old, new, n=_AROUND, lineterm=""), 2, None):
        sign, text = line[:1], line[1:]
        if sign == "@":
            yield f'<span class="l hunk">{escape(line)}</span>'
            continue
        html = "".join(coloured(text))
        kind = {"+": "add", "-": "del"}.get(sign, "")
        yield f'<span class="l {kind}">{sign} {html}</span>'


def _line(number: int, html: str, kind: str) -> str:
    return f'<span class="l {kind}"><span class="n">{number}</span>{html}</span>'


def _show(lines: Sequence[str], *, height_rem: float) -> None:
    # Lines are blocks: a line break between two of them would be a line of its own.
    st.html(
        f'<div class="pen-cedar" style="max-height: {height_rem:g}rem" tabindex="0">'
        f"{''.join(lines)}</div>"
    )
