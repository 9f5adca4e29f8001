"""The document about a run is bounded, says where it was cut, and hides what contracts mark."""

import json
from datetime import timedelta
from typing import Any

import pytest

from penstock.checkpoints import Store, erasure
from penstock.contracts.run import Run
from penstock.graphs import Graph
from penstock.ui import exports as module
from penstock.ui.exports import document_text, run_document
from support.helping import IBAN, helping
from support.runs import NOW
from support.shops import Shop


async def helped(store: Store, graph: Graph) -> Run:
    return await Shop(store, graph).run(given={"ticket": f"Pay A-1 to {IBAN}"})


def made(store: Store, run: Run, graph: Graph) -> dict[str, Any]:
    return store.read_blocking(lambda tx: run_document(tx, run, graph))


async def test_what_contracts_mark_is_nowhere_in_it(store: Store) -> None:
    graph = helping()
    told = made(store, await helped(store, graph), graph)
    assert IBAN not in document_text(told)
    assert told["run"]["input"] == {"ticket": "Pay A-1 to [hidden]"}
    assert len(told["checkpoints"]) == 9
    assert told["checkpoints"][-1]["state"]["values"]["note"] == "checked"


async def test_states_that_are_too_large_are_left_out_the_oldest_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = helping()
    run = await helped(store, graph)
    monkeypatch.setattr(module, "STATES_BYTES", 4_000)
    told = made(store, run, graph)
    held = [each["state"] is not None for each in told["checkpoints"]]
    assert held == sorted(held)
    assert not held[0]
    assert held[-1]
    assert told["cut"] == [f"states: of the newest {sum(held)} of 9 or more checkpoints"]
    assert IBAN not in document_text(told)


async def test_more_rows_than_anybody_reads_are_cut_and_it_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = helping()
    run = await helped(store, graph)
    monkeypatch.setattr(module, "ROWS", 3)
    told = made(store, run, graph)
    assert len(told["steps"]) == 3
    assert told["steps"][-1]["node"] == "check"
    assert "steps: the newest 3 of 7" in told["cut"]


async def test_what_was_erased_is_not_in_it(store: Store) -> None:
    graph = helping()
    run = await helped(store, graph)
    later = NOW + timedelta(days=1)
    await store.write(lambda tx: erasure.forget(tx, run.id, at=later, actor="olga"))
    told = made(store, await Shop(store, graph).runtime.get(run.id), graph)
    assert told["checkpoints"] == []
    assert "A-1" not in json.dumps([told["run"], told["effects"], told["decisions"]])
