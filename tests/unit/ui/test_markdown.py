"""What people, models and tools have said means nothing on a page but what it says."""

import re

import pytest

from penstock.ui.components.markdown import JOINER, escaped, sentence

NASTY = [
    "**bold** _it_ `code` # head",
    "[a link](https://evil.example/x) ![a picture](https://evil.example/p.png)",
    "https://evil.example and www.evil.example and eve@evil.example",
    "<b onclick=x>html</b> &lt;",
    ":red[said] :material/home: :smile: $x^2$ ~~gone~~",
    "| a | b |\n|---|---|",
    "1. one\n- two\n> three",
]


@pytest.mark.parametrize("text", NASTY)
def test_nothing_in_a_plain_text_is_special(text: str) -> None:
    shown = escaped(text)
    assert not re.search(r"(?<!\\)[`*_\[\]<>|$:~#!&]", shown)
    assert "\n" not in shown


@pytest.mark.parametrize("text", NASTY)
def test_plain_text_reads_as_it_was_written(text: str) -> None:
    unescaped = re.sub(r"\\(.)", r"\1", escaped(text)).replace(JOINER, "")
    assert unescaped == " ".join(text.split())


@pytest.mark.parametrize(
    "address", ["https://evil.example", "www.evil.example", "eve@evil.example"]
)
def test_no_address_becomes_a_link(address: str) -> None:
    assert JOINER in escaped(address)


def test_names_in_a_sentence_are_names_and_the_rest_is_plain() -> None:
    assert sentence("gate `a*b` is *gone*") == r"gate `a*b` is \*gone\*"


def test_sentence_with_half_a_name_is_plain() -> None:
    assert "`" not in sentence("a `b").replace("\\`", "")
