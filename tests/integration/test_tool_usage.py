"""What the ledger knows of tools, whether or not their graphs are at hand."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, update

from penstock.checkpoints import Store, ledger
from penstock.checkpoints.schema import effects
from penstock.contracts.effect import EffectStatus
from penstock.contracts.run import Fence
from penstock.contracts.tool import EffectClass
from support.ledgers import new_effect
from support.runs import NOW, Runs

WEEK = NOW - timedelta(days=7)


class Calls:
    """Begins calls of one run."""

    def __init__(self, store: Store, fence: Fence) -> None:
        self._store = store
        self._fence = fence

    def begin(
        self,
        key: str,
        *,
        tool: str = "pay",
        effect: EffectClass = EffectClass.UNSAFE,
        at: datetime = NOW,
    ) -> None:
        """Begin a call as if it were then."""
        new = replace(new_effect(self._fence, key, effect=effect), tool=tool)

        def change(connection: Connection) -> None:
            ledger.begin(connection, new, fence=self._fence, at=at, actor="worker")
            moved = update(effects).where(effects.c.key == key)
            connection.execute(moved.values(started_at=at))

        self._store.write_blocking(change)


@pytest.fixture
def calls(store: Store, runs: Runs) -> Calls:
    """Calls of a run of the graph `demo`."""
    return Calls(store, runs.start("thread-1"))


def test_tools_are_known_from_their_newest_calls(store: Store, calls: Calls) -> None:
    calls.begin("a", tool="look", effect=EffectClass.READ)
    calls.begin("b", effect=EffectClass.UNSAFE, at=NOW - timedelta(days=1))
    calls.begin("c", effect=EffectClass.KEYED)
    found = store.read_blocking(lambda tx: ledger.used_tools(tx, tenant="acme"))
    assert [(each.name, each.effect, each.call_count) for each in found] == [
        ("look", EffectClass.READ, 1),
        ("pay", EffectClass.KEYED, 2),
    ]
    assert not store.read_blocking(lambda tx: ledger.used_tools(tx, tenant="other"))


def test_outcomes_are_of_one_tool_in_its_graph_and_time(store: Store, calls: Calls) -> None:
    calls.begin("a")
    calls.begin("b")
    calls.begin("c", at=NOW - timedelta(days=9))
    calls.begin("d", tool="look", effect=EffectClass.READ)

    def started(graph: str | None) -> int:
        found = store.read_blocking(
            lambda tx: ledger.outcomes_of_tool(tx, "pay", tenant="acme", graph=graph, since=WEEK)
        )
        assert set(found) == set(EffectStatus)
        return found[EffectStatus.STARTED]

    assert (started(None), started("demo"), started("other")) == (2, 2, 0)


def test_calls_of_a_tool_come_newest_first_of_one_graph_or_all(store: Store, calls: Calls) -> None:
    calls.begin("a")
    calls.begin("b", at=NOW + timedelta(seconds=1))
    calls.begin("c", tool="look", effect=EffectClass.READ)

    def keys(graph: str | None = None) -> list[str]:
        found = store.read_blocking(
            lambda tx: ledger.calls_of_tool(tx, "pay", tenant="acme", graph=graph, limit=9)
        )
        return [each.key for each in found]

    assert (keys(), keys("demo"), keys("other")) == (["b", "a"], ["b", "a"], [])


def test_calls_in_doubt_are_those_of_one_tool_and_graph(store: Store, calls: Calls) -> None:
    for key, tool in (("a", "pay"), ("b", "pay"), ("c", "wire")):
        calls.begin(key, tool=tool)
    store.write_blocking(
        lambda tx: tx.execute(
            update(effects)
            .where(effects.c.key != "b")
            .values(
                status=EffectStatus.IN_DOUBT,
                ended_at=NOW,
                error_code="unknown",
                error_message="the answer was lost",
            )
        )
    )

    def keys(graph: str | None = None) -> list[str]:
        found = store.read_blocking(
            lambda tx: ledger.doubts_of_tool(tx, "pay", tenant="acme", graph=graph, limit=9)
        )
        return [each.key for each in found]

    assert (keys(), keys("demo"), keys("other")) == (["a"], ["a"], [])
