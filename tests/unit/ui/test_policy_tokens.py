"""The words of a policy's text, told apart for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.policies import builtin_policy
from penstock.ui.components.policy_text import TokenKind, tokenize

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


def kinds(text: str) -> list[tuple[TokenKind, str]]:
    """Return the pieces that are something."""
    return [(each.kind, each.text) for each in tokenize(text) if each.kind is not TokenKind.OTHER]


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_pieces_are_the_text_whatever_it_is(text: str) -> None:
    assert "".join(each.text for each in tokenize(text)) == text


def test_words_are_told_apart() -> None:
    text = '@id("a") forbid (principal, action == Penstock::Action::"pay", resource)'
    assert kinds(text) == [
        (TokenKind.ANNOTATION, "@id"),
        (TokenKind.TEXT, '"a"'),
        (TokenKind.FORBID, "forbid"),
        (TokenKind.SUBJECT, "principal"),
        (TokenKind.SUBJECT, "action"),
        (TokenKind.TYPE, "Penstock::Action::"),
        (TokenKind.TEXT, '"pay"'),
        (TokenKind.SUBJECT, "resource"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"a // b"', [(TokenKind.TEXT, '"a // b"')]),
        ('// a "b\nin', [(TokenKind.COMMENT, '// a "b'), (TokenKind.KEYWORD, "in")]),
        (r'"a\"b" in', [(TokenKind.TEXT, r'"a\"b"'), (TokenKind.KEYWORD, "in")]),
        ('"open\nin', [(TokenKind.TEXT, '"open'), (TokenKind.KEYWORD, "in")]),
        ("context.in", [(TokenKind.SUBJECT, "context")]),
        ("inner permits", []),
        ('decimal("1.0")', [(TokenKind.TYPE, "decimal"), (TokenKind.TEXT, '"1.0"')]),
        ("amount > 100", [(TokenKind.NUMBER, "100")]),
    ],
)
def test_what_stands_in_something_else_is_nothing(
    text: str, found: list[tuple[TokenKind, str]]
) -> None:
    assert kinds(text) == found


def test_every_rule_of_the_builtin_policy_has_its_words() -> None:
    text = "".join(file.text for file in builtin_policy().files)
    assert [kind for kind, _ in kinds(text)].count(TokenKind.PERMIT) == 3
