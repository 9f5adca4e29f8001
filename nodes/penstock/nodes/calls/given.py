"""Which arguments of a call stand word for word in what a run was given.

Whoever starts a run has said those themselves. The rest came from a model, which what it read may
have talked into it. So whatever is not sure was not given: a part of a longer word, path, number or
sentence, a number in another notation, an object, a truth.

It is about values, not about what they were said for: in "pay Ann, not Bob" Bob was said.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from penstock.contracts.tool import JsonSchema

LEAST_CHARS = 3
"""A shorter text that is no number stands in any longer one by chance."""
MOST_CHARS = 50_000
"""An input with more text is a document, and nobody has said all that a document says."""
MOST_PARTS = 100
"""A value of more parts is not looked up: others wait for the database meanwhile."""

_SPEAKERS = frozenset({"human", "user", "system", "developer"})
"""The roles of messages that whoever starts a run has written. Others may quote anybody."""
_ROLES = _SPEAKERS | {"ai", "assistant", "tool", "function", "remove"}

# Beside a word stands nothing but space and punctuation: `/srv` was not said where `/srv/data` was.
_OPEN = r"(?<![^\s(\[{<\"'\u201c\u2018\u00ab\u201e`])"
_CLOSE = r"(?=[)\]}>\"'\u201d\u2019\u00bb`.,;:!?]{0,8}(?:\s|\Z))"
# Beside a number stands no other: 1 000 is a thousand.
_NO_DIGIT_BEFORE, _NO_DIGIT_AFTER = r"(?<!\d[\s'\u2019])", r"(?![\s'\u2019]\d)"
# Several words are said as a whole: as a line, after a colon to the end of the line, or in quotes.
# `pay him` was not said where `do not pay him` was.
_LINE = (r"(?:\A|\n|:[ \t])", r"[.!?]{0,3}[ \t\r]{0,8}(?:\n|\Z)")
_QUOTE = (
    r"(?:\A|[\s:(])[\"'\u201c\u2018\u00ab\u201e`]",
    r"[.!?]{0,3}[\"'\u201d\u2019\u00bb`]" + _CLOSE,
)
# No separators but one point, and not three decimals: 1.000 is a thousand to some.
_NUMBER = re.compile(
    r"(?<![^\s(\[{<\"'\u201c\u2018\u00ab\u201e`$€£¥])"
    + _NO_DIGIT_BEFORE
    + r"-?(?:0|[1-9][0-9]{0,30})(?:\.(?:[0-9]{1,2}|[0-9]{4,30}))?"
    + _NO_DIGIT_AFTER
    + r"(?=[$€£¥]?"
    + _CLOSE
    + ")"
)


class Given:
    """What a run was given, to look things up in."""

    def __init__(self, given: str) -> None:
        """Take in the input of a run, as JSON."""
        said = list(_said(json.loads(given)))
        if sum(len(each) for each in said if isinstance(each, str)) > MOST_CHARS:
            said = []
        self._texts = [each for each in said if isinstance(each, str)]
        self._numbers = {each for each in said if isinstance(each, Decimal)}
        for text in self._texts:
            self._numbers.update(Decimal(number) for number in _NUMBER.findall(text))

    def names(self, arguments: Mapping[str, object]) -> list[str]:
        """Return the names of those arguments, sorted, of which every part was given."""
        return sorted(name for name, value in arguments.items() if self._has(value))

    def _has(self, value: object) -> bool:
        for place, part in enumerate(_parts(value)):
            if part is None or place >= MOST_PARTS or not self._has_part(part):
                return False
        return True

    def _has_part(self, part: str | Decimal) -> bool:
        if isinstance(part, Decimal):
            return part in self._numbers
        if part != part.strip():
            return False
        literal, is_number = re.escape(part), part.isascii() and part.isdecimal()
        if is_number:
            # Looked for as text: 7 was not said where 007 was.
            wanted = [_OPEN + _NO_DIGIT_BEFORE + literal + _NO_DIGIT_AFTER + _CLOSE]
        elif len(part) < LEAST_CHARS:
            return False
        elif any(char.isspace() for char in part):
            wanted = [before + literal + after for before, after in (_LINE, _QUOTE)]
        else:
            wanted = [_OPEN + literal + _CLOSE]
        return any(
            part in text and re.search(pattern, text) for text in self._texts for pattern in wanted
        )


def are_all(names: Collection[str], arguments: Mapping[str, object], schema: JsonSchema) -> bool:
    """Tell whether every argument is among those names, which were given, and there is one.

    Left aside is what nobody said: what is null, or as the schema has it by default.
    """
    fields = cast("Mapping[str, Any]", schema.get("properties") or {})
    said = [
        name
        for name, value in arguments.items()
        if value is not None and not _is_default(value, fields.get(name))
    ]
    return bool(said) and set(said) <= set(names)


def _parts(value: object) -> Iterator[str | Decimal | None]:
    """Give every text and number of an argument, and None for what cannot be recognised."""
    match value:
        case str():
            yield value
        case bool():
            yield None
        case int() | float():
            yield Decimal(repr(value))
        case list() if value:
            for each in cast("list[object]", value):
                yield from _parts(each)
        case _:
            # Of an object, what its fields are called and which has which value matters as well.
            yield None


def _said(value: object) -> Iterator[str | Decimal]:
    """Give every text and number of an input, without messages that others have written."""
    match value:
        case str():
            yield value
        case bool():
            pass
        case int() | float():
            yield Decimal(repr(value))
        case list() | dict():
            for each in _spoken(cast("list[object] | dict[str, object]", value)):
                yield from _said(each)
        case _:
            pass


def _spoken(value: list[object] | dict[str, object]) -> Iterable[object]:
    """Return what to look for words in: all of it, and of a message what a person says."""
    match value:
        case [str() as role, str() as text] if role in _ROLES:
            return [text] if role in _SPEAKERS else []
        case {"lc": _}:
            # LangChain's own form of an object: who has written it is not plain to see.
            return []
        case {"content": content, "type": role} | {"content": content, "role": role}:
            return [content] if role in _SPEAKERS else []
        case dict():
            return value.values()
        case _:
            return value


def _is_default(value: object, field: object) -> bool:
    # As JSON, because to Python 1 is True.
    return (
        isinstance(field, Mapping)
        and "default" in field
        and json.dumps(field["default"], sort_keys=True) == json.dumps(value, sort_keys=True)
    )
