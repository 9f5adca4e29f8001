"""What a span shows of texts and values: as text, and not too long."""

import json

from penstock.traces.names import INPUT, INPUT_TYPE, JSON_TYPE, OUTPUT, OUTPUT_TYPE, TEXT_TYPE

SHOWN_CHARS = 8_000
"""So much of a text is exported."""

MARGIN_CHARS = 4_000
"""So much more of it is looked at: a secret that begins before the cut is seen whole."""

Value = str | bool | int | float | tuple[str, ...]
"""What an attribute may be."""


def text_of(plain: object) -> str:
    """Return plain data as a text that may be put on a span; what is too long is cut later."""
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, default=str)
    return text[: SHOWN_CHARS + MARGIN_CHARS]


def shown_input(plain: object) -> dict[str, Value]:
    """Return the attributes that show what was given."""
    return {INPUT: text_of(plain), INPUT_TYPE: _type_of(plain)}


def shown_output(plain: object) -> dict[str, Value]:
    """Return the attributes that show what came of it."""
    return {OUTPUT: text_of(plain), OUTPUT_TYPE: _type_of(plain)}


def cut(text: str) -> str:
    """Return what is exported of a text."""
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… (cut)"


def _type_of(plain: object) -> str:
    return TEXT_TYPE if isinstance(plain, str) else JSON_TYPE
