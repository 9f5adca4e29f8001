"""Code is found by its structure, and other code is put in its place."""

import ast

import pytest

from support.code_patterns import Change

CODE = '''
def charge(amount, account):
    """Charge an account."""
    if amount > account.limit and not account.is_open:  # Ask first.
        raise OverLimit(account=account.id, amount=amount)
    rows = select(charges).where(
        charges.c.account == account.id,
    ).order_by(charges.c.at)
    match account.kind:
        case Kind.CARD:
            pay(amount)
        case _:
            send(amount)
    try:
        settle(rows)
    except Busy:
        again(rows)
'''


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("amount > account.limit", "amount >= account.limit", "if amount >= account.limit and"),
        ("not account.is_open", "", "if amount > account.limit:"),
        ("amount=amount", "", "raise OverLimit(account=account.id)"),
        ("pay(amount)", "", "        pass"),
        (".order_by(...)", "", "rows = select(charges).where(charges.c.account == account.id)"),
        (".where(...)", ".all()", "rows = select(charges).all().order_by(charges.c.at)"),
        ("case Kind.CARD: ...", "case Kind.CASH: ...", "case Kind.CASH:"),
        ("except Busy: ...", "except Exception: ...", "except Exception:"),
        ("if ... and not account.is_open: ...", "if ...: ...", "if amount > account.limit:"),
        ("OverLimit(account=...,\n  amount=amount)", "Other(...)", "raise Other(account.id)"),
    ],
)
def test_new_code_stands_where_the_old_was_found(old: str, new: str, line: str) -> None:
    assert line in _changed(old, new)


@pytest.mark.parametrize(
    "pattern",
    [
        "amount < account.limit",
        "charges.c.account == account",
        "raise OverLimit(account=account.id)",
        "if ... and not account.is_open: pass",
        "pay(total)",
    ],
)
def test_code_of_another_structure_is_not_found(pattern: str) -> None:
    assert not Change(pattern, "").find(ast.parse(CODE))


def test_all_places_are_found_once() -> None:
    assert len(Change("account.id", "None").find(ast.parse(CODE))) == 2
    assert len(Change("pay(amount)", "").find(ast.parse(CODE))) == 1


def test_code_is_found_under_other_names() -> None:
    changed = _changed("total > card.limit", "total >= card.limit", may_rename=True)
    assert "if amount >= account.limit and" in changed


@pytest.mark.parametrize(
    "pattern",
    [
        "OverLimit(account=total.id, amount=account)",  # One name for two.
        "OverLimit(account=card.id, amount=card)",  # Two names for one.
        "len(total)",  # A name of Python itself.
    ],
)
def test_a_renaming_is_consistent(pattern: str) -> None:
    assert not Change(pattern, "").find(ast.parse(CODE), may_rename=True)


def test_the_tree_is_as_before_afterwards() -> None:
    tree = ast.parse(CODE)
    change = Change("pay(amount)", "send(amount)")
    (match,) = change.find(tree)
    with change.made(match):
        assert ast.dump(tree) != ast.dump(ast.parse(CODE))
    assert ast.dump(tree) == ast.dump(ast.parse(CODE))


def _changed(old: str, new: str, *, may_rename: bool = False) -> str:
    tree = ast.parse(CODE)
    change = Change(old, new)
    (match,) = change.find(tree, may_rename=may_rename)
    with change.made(match):
        return ast.unparse(tree)
