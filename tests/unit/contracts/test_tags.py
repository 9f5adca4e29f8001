"""What a tag of a run is, and is not."""

import pytest

from penstock.contracts.errors import InvalidInput
from penstock.contracts.run import TAG_CHARS, TAG_COUNT, read_tags


def test_tags_are_kept_once_without_blanks_around_them_and_sorted() -> None:
    assert read_tags([" nightly ", "a b", "nightly"]) == ("a b", "nightly")
    assert read_tags([]) == ()


def test_a_tag_that_looks_the_same_is_the_same() -> None:
    assert read_tags(["café", "cafe\u0301"]) == ("café",)


@pytest.mark.parametrize(
    "tag", ["", "  ", "a,b", "a\nb", "a\u202eb", "a\u200bb", "\x1b[31m", "x" * (TAG_CHARS + 1)]
)
def test_what_cannot_be_seen_or_told_apart_is_no_tag(tag: str) -> None:
    with pytest.raises(InvalidInput, match="is no tag"):
        read_tags([tag])


def test_a_run_has_a_handful_of_tags_at_most() -> None:
    assert len(read_tags(map(str, range(TAG_COUNT)))) == TAG_COUNT
    with pytest.raises(InvalidInput, match="8 at most"):
        read_tags(map(str, range(TAG_COUNT + 1)))
