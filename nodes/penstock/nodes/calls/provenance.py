"""The provenance of arguments: which of them stand word for word in the input of the run.

The caller has given those. The others come from a model, which may have been persuaded by what it
has read. So an argument counts as given only where that is certain. A part of a longer word, path,
number or sentence does not count, nor does a number in another notation, an object or a boolean.

Values are compared, not what they were meant for: in "pay Ann, not Bob" Bob was given.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from penstock.contracts.tool import JsonSchema

MIN_CHARS = 3
"""A shorter text that is no number stands in any longer text by chance."""
MAX_CHARS = 50_000
"""An input with more characters is a document, which the caller has not written word by word."""
MAX_PARTS = 100
"""A value of more parts is not looked up: other calls wait for the database meanwhile."""

_SPEAKERS = frozenset({"human", "user", "system", "developer"})
"""The roles of messages that the caller has written. Other messages may quote anybody."""
_ROLES = _SPEAKERS | {"ai", "assistant", "tool", "function", "remove"}

# A word is bounded by space and punctuation: `/srv` was not given where `/srv/data` was.
_OPEN = r"(?<![^\s(\[{<\"'\u201c\u2018\u00ab\u201e`])"
_CLOSE = r"(?=[)\]}>\"'\u201d\u2019\u00bb`.,;:!?]{0,8}(?:\s|\Z))"
# A number stands beside no other: 1 000 is a thousand.
_NO_DIGIT_BEFORE, _NO_DIGIT_AFTER = r"(?<!\d[\s'\u2019])", r"(?![\s'\u2019]\d)"
# Several words are given as a whole: as a line, after a colon to the end of the line, or in quotes.
# `pay him` was not given where `do not pay him` was.
_LINE = (r"(?:\A|\n|:[ \t])", r"[.!?]{0,3}[ \t\r]{0,8}(?:\n|\Z)")
_QUOTE = (
    r"(?:\A|[\s:(])[\"'\u201c\u2018\u00ab\u201e`]",
    r"[.!?]{0,3}[\"'\u201d\u2019\u00bb`]" + _CLOSE,
)
# No separator but one point, and not three decimals: 1.000 is a thousand in some countries.
_NUMBER = re.compile(
    r"(?<![^\s(\[{<\"'\u201c\u2018\u00ab\u201e`$€£¥])"
    + _NO_DIGIT_BEFORE
    + r"-?(?:0|[1-9][0-9]{0,30})(?:\.(?:[0-9]{1,2}|[0-9]{4,30}))?"
    + _NO_DIGIT_AFTER
    + r"(?=[$€£¥]?"
    + _CLOSE
    + ")"
)


class RunInput:
    """The input of a run, in which values are looked up."""

    def __init__(self, text: str) -> None:
        """Read the input of a run, which is JSON."""
        parts = list(_input_parts(json.loads(text)))
        if sum(len(part) for part in parts if isinstance(part, str)) > MAX_CHARS:
            parts = []
        self._texts = [part for part in parts if isinstance(part, str)]
        self._numbers = {part for part in parts if isinstance(part, Decimal)}
        for text in self._texts:
            self._numbers.update(Decimal(number) for number in _NUMBER.findall(text))

    def given_names(self, arguments: Mapping[str, object]) -> list[str]:
        """Return the names of the arguments, sorted, of which every part was given."""
        return sorted(name for name, value in arguments.items() if self._has(value))

    def _has(self, value: object) -> bool:
        for place, part in enumerate(_argument_parts(value)):
            if part is None or place >= MAX_PARTS or not self._has_part(part):
                return False
        return True

    def _has_part(self, part: str | Decimal) -> bool:
        if isinstance(part, Decimal):
            return part in self._numbers
        if part != part.strip():
            return False
        literal, is_number = re.escape(part), part.isascii() and part.isdecimal()
        if is_number:
            # Compared as text: 7 was not given where 007 was.
            wanted = [_OPEN + _NO_DIGIT_BEFORE + literal + _NO_DIGIT_AFTER + _CLOSE]
        elif len(part) < MIN_CHARS:
            return False
        elif any(char.isspace() for char in part):
            wanted = [before + literal + after for before, after in (_LINE, _QUOTE)]
        else:
            wanted = [_OPEN + literal + _CLOSE]
        return any(
            part in text and re.search(pattern, text) for text in self._texts for pattern in wanted
        )


def are_all_given(
    names: Collection[str], arguments: Mapping[str, object], schema: JsonSchema
) -> bool:
    """Tell whether every argument is among the given names, and there is at least one.

    An argument that is null, or has its default by the schema, is left out.
    """
    fields = cast("Mapping[str, Any]", schema.get("properties") or {})
    wanted = {
        name
        for name, value in arguments.items()
        if value is not None and not _is_default(value, fields.get(name))
    }
    return bool(wanted) and wanted <= set(names)


def _argument_parts(value: object) -> Iterator[str | Decimal | None]:
    """Yield every text and number of an argument, and None for a part that cannot be looked up."""
    match value:
        case str():
            yield value
        case bool():
            yield None
        case int() | float():
            yield Decimal(repr(value))
        case list() if value:
            for each in cast("list[object]", value):
                yield from _argument_parts(each)
        case _:
            # In an object, the names of the fields and which field has which value matter as well.
            yield None


def _input_parts(value: object) -> Iterator[str | Decimal]:
    """Yield every text and number of an input, without messages that others have written."""
    match value:
        case str():
            yield value
        case bool():
            pass
        case int() | float():
            yield Decimal(repr(value))
        case list() | dict():
            for each in _written_by_caller(cast("list[object] | dict[str, object]", value)):
                yield from _input_parts(each)
        case _:
            pass


def _written_by_caller(value: list[object] | dict[str, object]) -> Iterable[object]:
    """Return the values to search: of a message its content, if the caller wrote it; else all."""
    match value:
        case [str() as role, str() as text] if role in _ROLES:
            return [text] if role in _SPEAKERS else []
        case {"lc": _}:
            # LangChain's own form of an object, which does not show who has written it.
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
