"""The page about spend: its sums, its filters, and who sees what."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from penstock.contracts.budget import (
    Account,
    AccountKind,
    Amounts,
    Budget,
    Money,
    day_account,
)
from penstock.contracts.clock import SystemClock
from penstock.contracts.policy import Spend
from penstock.ui.pages import spend as page
from penstock.ui.project import Project
from support.pages import cells, look_at, open_pages, people, said
from support.runs import NOW
from support.spending import Spender, came_to_a_cap, hold, spender, tokens, use


@pytest.fixture
def desk(sqlite_url: str) -> Iterator[Project]:
    """A room over a store with nothing in it."""
    with open_pages(sqlite_url) as opened:
        yield opened


def spent(desk: Project) -> Spender:
    """Have runs of two graphs spend in two currencies; return the last one."""
    first = spender(desk.store, "one", graph="desk")
    use(desk.store, first, "a", Amounts(tokens=70, money=Money(micros=1_250_001, currency="USD")))
    last = spender(desk.store, "two", graph="research")
    use(desk.store, last, "b", Amounts(tokens=30, money=Money(micros=10, currency="EUR")))
    use(desk.store, last, "c", Amounts(tool_calls=1, tool_spend=Spend(minor=999, currency="JPY")))
    return last


@pytest.mark.usefixtures("desk")
def test_empty_page_says_what_would_appear() -> None:
    app = look_at("spend")
    assert "Nothing was used in this span" in said(app)
    assert "Days are of UTC" in said(app)
    assert not app.exception


def test_sums_and_table_are_what_was_used(desk: Project) -> None:
    spent(desk)
    app = look_at("spend")
    assert not app.exception
    assert {each.label: each.value for each in app.metric} == {
        "Tokens": "100",
        "Money for models, EUR": "0.00001 EUR",
        "Money for models, USD": "1.250001 USD",
        "Spent by tools, JPY": "999 JPY",
        "Tool calls": "1",
    }
    columns = cells(app, 0)
    assert columns["All graphs"] == ["100", "100"]
    assert (columns["desk "][0], columns["research "][0]) == ("70", "30")


def test_measure_and_graph_come_from_the_url(desk: Project) -> None:
    spent(desk)
    app = look_at("spend", measure="money.USD", days="7")
    assert cells(app, 0)["All graphs"] == ["1.250001 USD", "1.250001 USD"]
    assert cells(app, 1)["Graph"] == ["desk"]
    app = look_at("spend", graph="research")
    assert cells(app, 0)["All graphs"] == ["30", "30"]


@pytest.mark.parametrize("measure", ["money", "tokens.USD", "steps", "<b>", "money.[x](y)"])
def test_measure_that_is_none_is_tokens(desk: Project, measure: str) -> None:
    spent(desk)
    app = look_at("spend", measure=measure, days="-1")
    assert not app.exception
    assert cells(app, 0)["All graphs"] == ["100", "100"]


def test_budget_of_the_day_is_a_bar(desk: Project) -> None:
    day = Account(
        id=day_account("acme", SystemClock().now().date().isoformat()),
        kind=AccountKind.DAY,
        tenant="acme",
        budget=Budget(tokens=400, tool_calls=None),
    )
    who = spender(desk.store, "one")
    use(desk.store, Spender(who.fence, [*who.accounts, day]), "a", tokens(100))
    app = look_at("spend")
    assert "100 of 400" in said(app)


def test_runs_that_came_to_a_cap_and_what_is_held_are_listed(
    desk: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ended = spender(desk.store, "one"), spender(desk.store, "two", graph="research")
    came_to_a_cap(desk.store, asked, ended)
    hold(desk.store, asked)
    monkeypatch.setattr(page, "first_day", _the_day_of_tests)
    app = look_at("spend")
    assert not app.exception
    tables = [cells(app, number) for number in range(len(app.dataframe))]
    (capped,) = [table for table in tables if "What came of it" in table]
    assert capped["What came of it"] == [
        "ended: no tokens are left",
        "gate about time at work: open",
    ]
    (reserved,) = [table for table in tables if "At most" in table]
    assert reserved["At most"] == ["7 tokens"]


def test_nothing_is_seen_of_another_tenant(desk: Project, sqlite_url: str, tmp_path: Path) -> None:
    spent(desk)
    file = people(tmp_path, '[users.vera]\ntenant = "other"\n')
    with open_pages(sqlite_url, person="vera", tenant="other", people=file):
        app = look_at("spend")
    assert "Nothing was used in this span" in said(app)
    assert "research" not in said(app)
    with open_pages(sqlite_url, person="vera", people=file):
        app = look_at("spend")
    assert "does not know" in said(app)
    assert not app.metric


def _the_day_of_tests(_: int) -> date:
    return NOW.date()
