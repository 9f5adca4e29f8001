"""The text of policies in its words, so that people can be shown which is what.

It only tells words apart; whether they make a policy is for Cedar to say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a piece of the text is."""

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
    """Names, signs, blanks, and what is nothing that Cedar knows."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text."""

    kind: Kind
    text: str


def tokens(text: str) -> Iterator[Token]:
    """Return the pieces of a text in their order; together they are the text, whatever it is."""
    at = 0
    for found in _TOKEN.finditer(text):
        if found.start() > at:
            yield Token(Kind.OTHER, text[at : found.start()])
        yield Token(_kind(found), found.group())
        at = found.end()
    if at < len(text):
        yield Token(Kind.OTHER, text[at:])


_WORDS = {
    "permit": Kind.PERMIT,
    "forbid": Kind.FORBID,
    **dict.fromkeys(("principal", "action", "resource", "context"), Kind.SUBJECT),
    **dict.fromkeys(
        ("when", "unless", "if", "then", "else", "in", "is", "has", "like", "true", "false"),
        Kind.KEYWORD,
    ),
}
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


def _kind(found: re.Match[str]) -> Kind:
    match found.lastgroup:
        case "word":
            return _WORDS.get(found.group(), Kind.OTHER)
        case "field" | None:
            # A field may be called like a word of the language.
            return Kind.OTHER
        case name:
            return Kind(name)
