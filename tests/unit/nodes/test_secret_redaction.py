"""Secrets are taken out of what comes back, whole and in every form they were put into."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.nodes.secrets import PLACEHOLDER, RedactedTail, SecretRedactor

SECRET = "s3cret/\"é\n'\\"  # noqa: S105  (a canary)


@pytest.mark.parametrize(
    "form", [SECRET, repr(SECRET)[1:-1], json.dumps(SECRET)[1:-1], quote(SECRET, safe="")]
)
def test_a_secret_is_found_as_it_is_and_escaped(form: str) -> None:
    assert SecretRedactor([SECRET]).text(f"a {form} b") == f"a {PLACEHOLDER} b"


def test_of_two_secrets_that_begin_alike_nothing_is_left() -> None:
    assert SecretRedactor(["abc", "abcdef"]).text("abcdef abc") == f"{PLACEHOLDER} {PLACEHOLDER}"


def test_without_secrets_nothing_is_changed() -> None:
    assert SecretRedactor(["", ""]).text("a") == "a"
    assert SecretRedactor([]).json('{"a": 1}') == '{"a": 1}'


def test_json_stays_json() -> None:
    told = {"12": [12, "x12", {"a": 1.5, "b": None}], "c": True}
    clean = json.loads(SecretRedactor(["12"]).json(json.dumps(told)))
    assert clean == {PLACEHOLDER: [12, f"x{PLACEHOLDER}", {"a": 1.5, "b": None}], "c": True}


@given(
    before=st.text(alphabet="xyab"),
    after=st.text(alphabet="xyab"),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    size=st.integers(1, 40),
)
def test_a_tail_holds_no_part_of_a_secret_however_it_was_read(
    before: str, after: str, cuts: list[int], size: int
) -> None:
    secrets = ["QRSTUVW", "QRSTUVWXYZ"]
    data = f"{before}QRSTUVWXYZ{after}QRSTUVW".encode()
    tail = RedactedTail(SecretRedactor(secrets), size_bytes=size)
    begin = 0
    for cut in sorted({*cuts, len(data)}):
        tail.feed(data[begin:cut])
        begin = max(begin, cut)
    told = tail.text()
    assert not set(told) & set("QRSTUVWXYZ")
    assert (before + PLACEHOLDER + after + PLACEHOLDER).encode()[-size:].decode(
        errors="replace"
    ).strip() == told


def test_a_tail_keeps_the_end() -> None:
    tail = RedactedTail(SecretRedactor([]), size_bytes=4)
    for part in (b"abc", b"def", b"gh"):
        tail.feed(part)
    assert tail.text() == "efgh"
