"""What runs have used day by day is what their accounts say, counted once."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import create_engine, inspect, text
from typer.testing import CliRunner

from penstock.checkpoints import Store, budgets, migrate, spending
from penstock.checkpoints.schema import budget_uses, run_tags
from penstock.contracts.budget import (
    Amounts,
    Money,
    Unit,
)
from penstock.contracts.clock import SystemClock
from penstock.contracts.policy import Spend
from penstock.contracts.run import RunStatus
from penstock.contracts.spend import CostlyRun, DailySpend, Measure, SpendFilter
from penstock.ui.cli.app import app
from penstock.ui.measures import as_csv, total
from support.runs import NOW, Runs
from support.spending import Spender, came_to_a_cap, drive, hold, spender, tokens, use

EVER = date(2000, 1, 1)
TOKENS = Measure(unit=Unit.TOKENS)
USD = Measure(unit=Unit.MONEY, currency="USD")


def found(store: Store, *, tenant: str = "acme", graph: str | None = None) -> Sequence[DailySpend]:
    """Return what was used ever."""
    wanted = SpendFilter(tenant=tenant, since=EVER, graph=graph)
    return store.read_blocking(lambda tx: spending.by_day(tx, wanted))


def dear(
    store: Store, measure: Measure = TOKENS, *, graph: str | None = None
) -> Sequence[CostlyRun]:
    """Return the dearest runs."""
    wanted = SpendFilter(tenant="acme", since=EVER, graph=graph)
    return store.read_blocking(lambda tx: spending.dearest(tx, wanted, measure, limit=3))


def test_sums_are_those_of_penstock_budget_over_all_runs(store: Store, database_url: str) -> None:
    chance = random.Random(20260101)
    family: list[Spender] = []
    for number in range(12):
        above = chance.choice([None, None, *family])
        graph = chance.choice(["desk", "research"])
        family.append(spender(store, f"thread-{number}", graph=graph, above=above))
    for number in range(150):
        who = chance.choice(family)
        # The same call again is held anew: what it had used before stays used.
        name = f"call-{chance.randint(0, 120)}-{who.fence.run_id}"
        use(store, who, name, *_chance_amounts(chance))
        if number % 10 == 0:
            drive(store, who, chance.randint(1, 5000))
    wanted: dict[str, Any] = {"tokens": 0, "tool_calls": 0, "wall_ms": 0}
    in_first: dict[tuple[str, str], int] = {}
    for who in family:
        shown = _penstock(database_url, "budget", who.fence.run_id)
        units = {each["unit"]: each for each in shown["accounts"][0]["units"]}
        wanted["wall_ms"] += units["wall_ms"]["spent"]
        if len(who.accounts) > 1:
            # It is on the account of the first run of its family.
            continue
        wanted["tokens"] += units["tokens"]["spent"]
        wanted["tool_calls"] += units["tool_calls"]["spent"]
        for unit in ("money", "tool_spend"):
            key = (unit, units[unit]["currency"])
            in_first[key] = in_first.get(key, 0) + units[unit]["spent"]
    spent = _penstock(database_url, "spend", "--by", "graph", "--days", "3660")["total"]
    assert {name: spent[name] for name in wanted} == wanted
    assert {(u, c): spent[u][c] for u, c in in_first if c is not None} == {
        key: amount for key, amount in in_first.items() if key[1] is not None
    }
    assert min(wanted.values()) > 0
    assert min(in_first.values()) > 0


def _penstock(database_url: str, *typed: str) -> Any:
    """Run a command and return its JSON document."""
    settings = {"PENSTOCK_STORE_URL": database_url, "PENSTOCK_TENANT": "acme"}
    result = CliRunner().invoke(app, [*typed, "--json"], env=settings)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def _chance_amounts(chance: random.Random) -> tuple[Amounts, Amounts | None]:
    most = chance.randint(1, 10**6)

    def amounts(limit: int) -> Amounts:
        return Amounts(
            tokens=chance.randint(0, limit),
            tool_calls=1,
            money=Money(micros=chance.randint(0, limit), currency="USD"),
            tool_spend=Spend(minor=chance.randint(0, limit), currency="EUR"),
        )

    return amounts(most), chance.choice([amounts(most), None])


def test_amounts_in_two_currencies_are_never_added(store: Store) -> None:
    who = spender(store, "one")
    for name, currency in (("a", "USD"), ("b", "EUR"), ("c", "USD")):
        money = Amounts(money=Money(micros=1_000_000, currency=currency))
        use(store, who, name, money, None)
    sums = total(found(store))
    assert sums[USD] == 2_000_000
    assert sums[Measure(unit=Unit.MONEY, currency="EUR")] == 1_000_000
    assert [each.amount for each in dear(store, USD)] == [2_000_000]
    assert "2.00 USD" in as_csv(found(store))


def test_what_a_child_has_used_counts_once(store: Store) -> None:
    above = spender(store, "one", graph="desk")
    child = spender(store, "two", graph="research", above=above)
    use(store, child, "a", tokens(70), None)
    use(store, above, "b", tokens(30), None)
    assert {each.graph: each.amount for each in found(store)} == {"desk": 30, "research": 70}
    assert [(each.run_id, each.amount) for each in dear(store)] == [
        (child.fence.run_id, 70),
        (above.fence.run_id, 30),
    ]


def test_a_call_that_is_made_again_counts_as_often_as_it_was_made(store: Store) -> None:
    who = spender(store, "one")
    for _ in range(3):
        use(store, who, "same", Amounts(tokens=5, tool_calls=1), None)
    sums = total(found(store))
    assert sums[TOKENS] == 15
    assert sums[Measure(unit=Unit.TOOL_CALLS)] == 3


def test_each_day_has_its_own_by_utc(store: Store) -> None:
    who = spender(store, "one")
    last, first = datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    for at, count in ((last, 1), (first, 10), (first, 100)):
        store.write_blocking(
            lambda tx, at=at, count=count: spending.add(
                tx, who.fence.run_id, {"used_tokens": count}, at=at
            )
        )
    assert [(each.day.day, each.amount) for each in found(store)] == [(1, 1), (2, 110)]
    wanted = SpendFilter(tenant="acme", since=date(2026, 1, 2))
    since = store.read_blocking(lambda tx: spending.by_day(tx, wanted))
    assert [each.amount for each in since] == [110]


def test_a_call_counts_on_the_day_on_which_the_database_settled_it(store: Store) -> None:
    before = SystemClock().now().date()
    use(store, spender(store, "one"), "a", tokens(1), None)
    (used,) = found(store)
    assert before <= used.day <= SystemClock().now().date()


def test_nothing_is_shown_of_another_tenant(store: Store) -> None:
    theirs = spender(store, "one", tenant="other")
    use(store, theirs, "a", tokens(1), None)
    hold(store, theirs)
    wanted = SpendFilter(tenant="acme", since=EVER)
    assert found(store) == []
    assert dear(store) == []
    assert store.read_blocking(lambda tx: spending.capped(tx, wanted, limit=9)) == []
    assert store.read_blocking(lambda tx: spending.reserved(tx, tenant="acme", limit=9)) == []


def test_graphs_are_told_apart(store: Store) -> None:
    for number, graph in enumerate(("desk", "research")):
        use(store, spender(store, graph, graph=graph), graph, tokens(number + 1), None)
    assert [each.amount for each in found(store, graph="research")] == [2]
    assert [each.graph for each in dear(store, graph="research")] == ["research"]


def test_who_came_to_a_cap_is_found_at_the_gate_or_the_end(store: Store) -> None:
    asked, ended = spender(store, "one"), spender(store, "two", graph="research")
    gate_id = came_to_a_cap(store, asked, ended)
    wanted = SpendFilter(tenant="acme", since=EVER)
    last, first = store.read_blocking(lambda tx: spending.capped(tx, wanted, limit=9))
    assert (first.run_id, first.gate_id, first.unit) == (asked.fence.run_id, gate_id, Unit.WALL_MS)
    assert (last.run_id, last.gate_id, last.graph) == (ended.fence.run_id, None, "research")
    later = SpendFilter(tenant="acme", since=NOW.date() + timedelta(days=2))
    assert store.read_blocking(lambda tx: spending.capped(tx, later, limit=9)) == []
    of_graph = SpendFilter(tenant="acme", since=EVER, graph="research")
    (one,) = store.read_blocking(lambda tx: spending.capped(tx, of_graph, limit=9))
    assert one.run_id == ended.fence.run_id


def test_what_is_held_is_reserved_until_it_is_settled(store: Store) -> None:
    who = spender(store, "one")
    hold(store, who)
    (held,) = store.read_blocking(lambda tx: spending.reserved(tx, tenant="acme", limit=9))
    assert (held.hold.worst.tokens, held.graph) == (7, "demo")
    assert found(store) == []
    store.write_blocking(lambda tx: budgets.settle(tx, "held", tokens(3)))
    assert store.read_blocking(lambda tx: spending.reserved(tx, tenant="acme", limit=9)) == []
    assert total(found(store)) == {TOKENS: 3}


def test_work_counts_on_the_day_on_which_it_ended_and_only_where_there_is_an_account(
    store: Store,
) -> None:
    who = spender(store, "one")
    drive(store, who, 1500)
    drive(store, who, 0)
    (used,) = found(store)
    assert (used.day, used.amount) == (NOW.date(), 1500)
    bare = Runs(store).start("two")
    drive(store, Spender(bare, ()), 1500)
    assert len(found(store)) == 1


def test_what_was_used_before_is_on_the_day_on_which_its_run_ended(
    store: Store, database_url: str
) -> None:
    above = spender(store, "one", graph="desk")
    child = spender(store, "two", graph="research", above=above)
    money = Amounts(tokens=5, money=Money(micros=9, currency="USD"))
    use(store, child, "a", money, None)
    use(store, above, "b", tokens(3), None)
    drive(store, above, 20)
    Runs(store).move(child.fence, RunStatus.SUCCEEDED)
    before = {(each.graph, each.measure): each.amount for each in found(store)}
    store.close()
    _back_to_before(database_url)
    migrate(database_url)
    with Store.open(database_url) as again:
        used = found(again)
    assert {(each.graph, each.measure): each.amount for each in used} == before
    assert {each.day for each in used} == {NOW.date()}


def _back_to_before(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        budget_uses.drop(connection)
        for index in (
            *("ix_budget_holds_held", "ix_gates_budget", "ix_gates_escalates_at"),
            "ix_runs_exhausted",
        ):
            connection.execute(text(f"DROP INDEX {index}"))
        for name in ("action", "actor"):
            connection.execute(text(f"DROP INDEX ix_audit_events_{name}"))
        for column in inspect(connection).get_columns("audit_marks"):
            if column["name"].startswith(("ship_", "verified_", "shipped_to")):
                connection.execute(text(f"ALTER TABLE audit_marks DROP COLUMN {column['name']}"))
        run_tags.drop(connection)
        connection.execute(text("ALTER TABLE runs DROP COLUMN tags"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0013'"))
    engine.dispose()
