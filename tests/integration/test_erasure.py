"""Forgetting in the store: whose state it is, what stays, and what else is asked to forget."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.checkpoints import Checkpointer, Store, erasure
from penstock.checkpoints.fence import fenced
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import IllegalTransition, UnknownRun
from penstock.contracts.ids import RunId
from penstock.contracts.run import Erased, RunStatus
from penstock.runs.retention import forget
from support import chains
from support.databases import migrated_sqlite
from support.graphs import chat, on_thread
from support.ledgers import Book, new_effect
from support.runs import NOW, Runs


class Traces:
    """Stands for another place that knows of runs."""

    name = "traces"

    def __init__(self, error: Exception | None = None) -> None:
        self.forgotten: list[RunId] = []
        self._error = error

    async def forget(self, run_id: RunId) -> Erased:
        if self._error is not None:
            raise self._error
        self.forgotten.append(run_id)
        return Erased(store=self.name, count=3)


async def forgotten(store: Store, run_id: str, *elsewhere: Traces) -> Sequence[Erased]:
    return await forget(store, elsewhere, RunId(run_id), clock=SystemClock(), by="ann")


async def test_nothing_is_left_where_pages_were_split_and_used_again(tmp_path: Path) -> None:
    url = migrated_sqlite(tmp_path)
    with Store.open(url) as store:
        runs, saver, told = Runs(store), Checkpointer(store), dict[str, RunId]()
        for number in range(24):
            canary = f"canary-{number:03}-"
            fence = runs.start(f"t{number}")
            graph = chat(saver, line=canary * (3 + 2 * (number % 5)))
            config = fenced(on_thread(f"t{number}"), fence)
            await graph.ainvoke({"messages": [], "wanted": 6}, config, durability="sync")
            runs.move(fence, RunStatus.SUCCEEDED)
            told[canary] = fence.run_id
            if number % 3 == 2:
                await forgotten(store, told[f"canary-{number - 1:03}-"])
        for canary in list(told)[::2]:
            await forgotten(store, told[canary])
        left = _found(tmp_path, told)
        gone = {*list(told)[::2], *(f"canary-{number - 1:03}-" for number in range(2, 24, 3))}
        assert left
        assert not gone & left
        assert chains.verified(store).faults == []
        assert chains.differences(store) == []


def _found(folder: Path, texts: Iterable[str]) -> set[str]:
    content = b"".join(file.read_bytes() for file in folder.glob("penstock.db*"))
    return {text for text in texts if text.encode() in content}


async def test_the_ledger_keeps_that_it_happened_and_the_chain_still_holds(store: Store) -> None:
    run_id = chains.live_through(store)
    report = await forgotten(store, run_id)
    paid = Book.of(store).get("paid")
    assert (paid.key, paid.status, paid.arguments, paid.result) == (
        "paid",
        "succeeded",
        "{}",
        "null",
    )
    assert {each.store: each.count for each in report}["effects"] == 2
    assert chains.verified(store).faults == []
    assert chains.differences(store) == []
    last = store.read_blocking(chains.rows)[-1]
    assert (last.action, last.actor, last.run_id) == ("run.forgotten", "ann", run_id)


async def test_forgetting_again_tells_of_it_once(store: Store) -> None:
    run_id = chains.live_through(store)
    await forgotten(store, run_id)
    await forgotten(store, run_id)
    told = [row.action for row in store.read_blocking(chains.rows)]
    assert told.count("run.forgotten") == 1


async def test_a_run_that_is_alive_is_not_forgotten(store: Store) -> None:
    fence = Runs(store).start("t")
    for status in (None, RunStatus.WAITING):
        if status is not None:
            Runs(store).move(fence, status)
        with pytest.raises(IllegalTransition, match="only a run that is over can"):
            await forgotten(store, fence.run_id)
    with pytest.raises(UnknownRun):
        await forgotten(store, "nobody")


async def test_a_run_with_a_call_in_doubt_is_not_forgotten(store: Store) -> None:
    runs, book = Runs(store), Book.of(store)
    fence = runs.start("t")
    new = new_effect(fence)
    book.doubt(book.begun(new, fence), new)
    runs.move(fence, RunStatus.CANCELLED)
    with pytest.raises(IllegalTransition, match="nobody has said yet what became of its call"):
        await forgotten(store, fence.run_id)
    assert book.get().arguments == '{"to": "a"}'


async def test_a_run_that_was_forgotten_is_not_due_again(store: Store) -> None:
    run_id = chains.live_through(store)
    await forgotten(store, run_id)
    due = store.read_blocking(
        lambda connection: erasure.due(connection, before=NOW + timedelta(days=1), limit=9)
    )
    assert due == []


async def test_other_places_are_told_and_one_that_fails_is_in_the_report(store: Store) -> None:
    run_id = chains.live_through(store)
    good, bad = Traces(), Traces(ConnectionError("nobody there"))
    report = await forgotten(store, run_id, bad, good)
    assert good.forgotten == [run_id]
    assert report[-2].kept == (
        "it could not be erased (ConnectionError: nobody there); forget the run again"
    )
    assert report[-1] == Erased(store="traces", count=3)
