"""The words of a policy's text, told apart for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.policies import builtin_policy
from penstock.policies.tokens import Kind, tokens

PIECES = st.sampled_from(
    [
        '"',
        "\\",
        "\n",
        "//",
        "@id",
        "(",
        "::",
        "permit",
        "Penstock::Action",
        "1",
        " ",
        ".in",
        "ä",
        "<",
    ]
)


def kinds(text: str) -> list[tuple[Kind, str]]:
    """Return the pieces that are something."""
    return [(each.kind, each.text) for each in tokens(text) if each.kind is not Kind.OTHER]


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_pieces_are_the_text_whatever_it_is(text: str) -> None:
    assert "".join(each.text for each in tokens(text)) == text


def test_words_are_told_apart() -> None:
    text = '@id("a") forbid (principal, action == Penstock::Action::"pay", resource)'
    assert kinds(text) == [
        (Kind.ANNOTATION, "@id"),
        (Kind.TEXT, '"a"'),
        (Kind.FORBID, "forbid"),
        (Kind.SUBJECT, "principal"),
        (Kind.SUBJECT, "action"),
        (Kind.TYPE, "Penstock::Action::"),
        (Kind.TEXT, '"pay"'),
        (Kind.SUBJECT, "resource"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"a // b"', [(Kind.TEXT, '"a // b"')]),
        ('// a "b\nin', [(Kind.COMMENT, '// a "b'), (Kind.KEYWORD, "in")]),
        (r'"a\"b" in', [(Kind.TEXT, r'"a\"b"'), (Kind.KEYWORD, "in")]),
        ('"open\nin', [(Kind.TEXT, '"open'), (Kind.KEYWORD, "in")]),
        ("context.in", [(Kind.SUBJECT, "context")]),
        ("inner permits", []),
        ('decimal("1.0")', [(Kind.TYPE, "decimal"), (Kind.TEXT, '"1.0"')]),
        ("amount > 100", [(Kind.NUMBER, "100")]),
    ],
)
def test_what_stands_in_something_else_is_nothing(text: str, found: list[tuple[Kind, str]]) -> None:
    assert kinds(text) == found


def test_every_rule_of_the_builtin_policy_has_its_words() -> None:
    text = "".join(file.text for file in builtin_policy().files)
    assert [kind for kind, _ in kinds(text)].count(Kind.PERMIT) == 3
