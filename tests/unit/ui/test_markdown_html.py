"""Our Markdown as HTML: what somebody has said is shown as they said it, and is never HTML."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ui.components.badges import badge
from penstock.ui.components.markdown import escaped, to_html


class Read(HTMLParser):
    """What a browser reads of it."""

    def __init__(self, told: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.feed(told)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)


@given(st.text())
def test_what_somebody_said_is_read_as_they_said_it(text: str) -> None:
    read = Read(to_html(f"**{escaped(text)}**"))
    assert read.text == " ".join(text.split()).replace("\u2060", "")
    assert read.tags == ["strong"]


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "&lt;b&gt;", "</strong><b>x"])
def test_markup_that_somebody_said_is_text(text: str) -> None:
    read = Read(to_html(f"**{escaped(text)}**"))
    assert (read.text, read.tags) == (text, ["strong"])


@given(st.text())
def test_nothing_in_a_badge_leaves_it(text: str) -> None:
    read = Read(to_html(badge("red", escaped(text))))
    assert read.tags == ["span"]


@pytest.mark.parametrize("name", ["pay", "<img src=x onerror=alert(1)>", "a & b", "]:red[x]"])
def test_name_between_backticks_is_a_name(name: str) -> None:
    read = Read(to_html(f"Did `{name}` happen?"))
    assert read.text == f"Did {name} happen?"
    assert read.tags == ["code"]


def test_words_of_our_own_have_their_looks() -> None:
    told = to_html(":red[:material/timer: **3h left**] · done")
    assert told == (
        '<span class="pen-text pen-red"><span class="pen-icon" aria-hidden="true">timer</span>'
        " <strong>3h left</strong></span> · done"
    )


@given(st.text())
def test_nothing_that_was_not_made_plain_is_html_either(text: str) -> None:
    assert set(Read(to_html(text)).tags) <= {"strong", "code", "span"}
