"""The text of policies: with its tokens in colours, compared, and with the problems found in it.

Everything is escaped: whatever stands in a policy, the page shows it as text. The tokenizer only
tells words apart; whether they make a policy is for Cedar to say.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from itertools import islice

import streamlit as st

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import PolicySource
from penstock.policies import CompiledPolicy
from penstock.ui import session
from penstock.ui.components.markdown import escaped, sentence

# A text that is not closed ends with its line: what comes after it is to be read all the same.
_TOKEN = re.compile(
    r"""
      (?P<comment>//[^\n]*)
    | (?P<text>"(?:\\[^\n]|[^"\\\n])*(?:"|(?=\n)|\Z|\\\Z))
    | (?P<annotation>@[A-Za-z_]\w*)
    | (?P<type>[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+(?:::(?="))?|(?:decimal|datetime|duration|ip)(?=\())
    | (?P<field>\.\s*[A-Za-z_]\w*)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<number>\d+)
    """,
    re.VERBOSE,
)
DIFF_ROWS = 2000
"""Longer differences are cut, with a note."""
_AROUND = 3
SHOWN = 20
"""At most so many problems are shown with their lines; of the others, only their number."""
_CHECKED = "policy-checked"
_WHERE = re.compile(r"(?P<file>(?:allow|gates)/.+?\.cedar):(?P<line>\d+): (?P<said>.*)", re.DOTALL)


class TokenKind(StrEnum):
    """The kind of a token."""

    COMMENT = "comment"
    ANNOTATION = "annotation"
    """`@id`, without its value."""
    PERMIT = "permit"
    FORBID = "forbid"
    KEYWORD = "keyword"
    """`when`, `unless`, `in`, `has` …"""
    SUBJECT = "subject"
    """`principal`, `action`, `resource`, `context`."""
    TYPE = "type"
    """`Penstock::Action`, `decimal`: what makes a value of the text after it."""
    TEXT = "text"
    NUMBER = "number"
    OTHER = "other"
    """Names, signs, blanks, and what Cedar does not know."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text of a policy."""

    kind: TokenKind
    text: str


_WORDS = {
    "permit": TokenKind.PERMIT,
    "forbid": TokenKind.FORBID,
    **dict.fromkeys(("principal", "action", "resource", "context"), TokenKind.SUBJECT),
    **dict.fromkeys(
        ("when", "unless", "if", "then", "else", "in", "is", "has", "like", "true", "false"),
        TokenKind.KEYWORD,
    ),
}


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of a text in their order; joined they are the text, whatever it is."""
    at = 0
    for found in _TOKEN.finditer(text):
        if found.start() > at:
            yield Token(TokenKind.OTHER, text[at : found.start()])
        yield Token(_kind(found), found.group())
        at = found.end()
    if at < len(text):
        yield Token(TokenKind.OTHER, text[at:])


def show_code(text: str, *, first: int = 1) -> None:
    """Show the text of a policy, with line numbers from `first`."""
    lines = [_line(number, html, "") for number, html in enumerate(highlighted(text), first)]
    _show_lines(lines, height_rem=75)


def show_excerpt(text: str, line: int) -> None:
    """Show one line of a text, marked, between its neighbours."""
    begin = max(line - 2, 0)
    lines = list(islice(highlighted(text), begin, line + 1))
    found = [
        _line(number, html, "hit" if number == line else "")
        for number, html in enumerate(lines, begin + 1)
    ]
    _show_lines(found, height_rem=10)


def show_difference(before: PolicySource, after: PolicySource) -> bool:
    """Show what changes from one policy to another, file by file; tell whether anything does."""
    old = {f"{file.set}/{file.name}": file.text for file in before.files}
    new = {f"{file.set}/{file.name}": file.text for file in after.files}
    left = DIFF_ROWS
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        what = "is new" if name not in old else "is taken away" if name not in new else "changes"
        lines = list(islice(_changes(old.get(name, ""), new.get(name, "")), left + 1))
        st.markdown(f"**{escaped(name)}** {what}")
        if lines:
            _show_lines(lines[:left], height_rem=30)
        else:
            st.caption("Only in how its lines end.")
        if len(lines) > left:
            st.caption(f"Only the first {DIFF_ROWS:,} lines of what changes are shown.")
            return True
        left -= len(lines)
    return before.digest != after.digest


def highlighted(text: str) -> Iterator[str]:
    """Yield the lines of a text as HTML with its tokens in colours, all of the text escaped."""
    line: list[str] = []
    for token in tokenize(text):
        for number, part in enumerate(token.text.split("\n")):
            if number:
                yield "".join(line)
                line = []
            if part and token.kind is TokenKind.OTHER:
                line.append(escape(part))
            elif part:
                line.append(f'<span class="{token.kind}">{escape(part)}</span>')
    if line or not text:
        yield "".join(line)


def show_findings(graph: str, source: PolicySource) -> None:
    """Show whether the active policy fits the tools as they are now."""
    if graph not in session.desk().catalog:
        st.caption("Its graph is not at hand, so it cannot be checked against the tools.")
        return
    found = check(graph, source)
    if isinstance(found, InvalidPolicy):
        st.warning(
            "**It does not fit the graph's tools as they are now.** A worker that has these tools"
            " refuses every call. Mend what is found here, and load that.",
            icon=":material/rule:",
        )
        show_problems(str(found), source)
        return
    if found.left_out:
        with st.expander(f"What no rule can see ({len(found.left_out)})"):
            st.markdown(
                "\n".join(
                    f"- **{escaped(each.field)}** of {escaped(each.tool)}: {escaped(each.why)}"
                    for each in found.left_out
                )
            )


def check(graph: str, source: PolicySource) -> CompiledPolicy | InvalidPolicy:
    """Compile a policy for a graph's tools; the result is kept while neither changes."""
    desk = session.desk()
    people = desk.people
    fingerprint = desk.catalog.get(graph).fingerprint
    known = (graph, fingerprint, source.digest, _names(people.roles), _names(people.groups))
    kept = st.session_state.get(_CHECKED)
    if kept is not None and kept[0] == known:
        return kept[1]
    try:
        found = desk.policies.compiled(graph, source)
    except InvalidPolicy as error:
        found = error
    st.session_state[_CHECKED] = (known, found)
    return found


def show_problems(message: str, source: PolicySource | None) -> None:
    """Show problems, each as a sentence, with the line that it is about."""
    texts = {f"{file.set}/{file.name}": file.text for file in source.files} if source else {}
    lines = message.splitlines()
    for line in lines[:SHOWN]:
        where = _WHERE.fullmatch(line)
        if where is None or where["file"] not in texts:
            st.markdown(f":red[:material/error:] {sentence(line)}")
            continue
        number = int(where["line"])
        st.markdown(
            f":red[:material/error:] **{escaped(where['file'])}, line {number}.**"
            f" {sentence(where['said'])}"
        )
        show_excerpt(texts[where["file"]], number)
    if len(lines) > SHOWN:
        st.caption(f"And {len(lines) - SHOWN:,} more.")


def _kind(found: re.Match[str]) -> TokenKind:
    match found.lastgroup:
        case "word":
            return _WORDS.get(found.group(), TokenKind.OTHER)
        case "field" | None:
            # A field may be called like a word of the language.
            return TokenKind.OTHER
        case name:
            return TokenKind(name)


def _changes(before: str, after: str) -> Iterator[str]:
    old, new = before.splitlines(), after.splitlines()
    for line in islice(difflib.unified_diff(old, new, n=_AROUND, lineterm=""), 2, None):
        sign, text = line[:1], line[1:]
        if sign == "@":
            yield f'<span class="l hunk">{escape(line)}</span>'
            continue
        html = "".join(highlighted(text))
        kind = {"+": "add", "-": "del"}.get(sign, "")
        yield f'<span class="l {kind}">{sign} {html}</span>'


def _line(number: int, html: str, kind: str) -> str:
    return f'<span class="l {kind}"><span class="n">{number}</span>{html}</span>'


def _show_lines(lines: Sequence[str], *, height_rem: float) -> None:
    # Lines are blocks: a line break between two of them would be a line of its own.
    st.html(
        f'<div class="pen-cedar" style="max-height: {height_rem:g}rem" tabindex="0">'
        f"{''.join(lines)}</div>"
    )


def _names(known: Collection[str] | None) -> Sequence[str] | None:
    return None if known is None else sorted(known)
