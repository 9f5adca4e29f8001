"""Tags of runs: names that people and programs sort runs by."""

import unicodedata
from collections.abc import Iterable

from penstock.contracts.errors import InvalidInput

TAG_CHARS = 40
"""A tag is no longer."""
TAG_COUNT = 8
"""A run is given so many at most; what it inherits comes on top."""


def read_tags(given: Iterable[str]) -> tuple[str, ...]:
    """Return tags as they are kept: without blanks around them, each once, sorted.

    Raises:
        InvalidInput: one is empty, too long, or has something that cannot be seen, or a comma,
            which stands between tags; or there are too many.
    """
    tags = tuple(sorted({_read(each) for each in given}))
    if len(tags) > TAG_COUNT:
        raise InvalidInput(f"{len(tags)} tags were given; a run has {TAG_COUNT} at most")
    return tags


def _read(given: str) -> str:
    tag = unicodedata.normalize("NFC", given.strip())
    if not 0 < len(tag) <= TAG_CHARS or not tag.isprintable() or "," in tag:
        raise InvalidInput(
            f"{given[: 2 * TAG_CHARS]!r} is no tag; wanted are 1 to {TAG_CHARS} characters that can"
            " be seen, and no comma"
        )
    return tag
