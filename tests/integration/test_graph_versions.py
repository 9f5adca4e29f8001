"""How the runs of a graph stand: versions, where they wait, and what they have used."""

from typing import Any

from sqlalchemy import Connection, update

from penstock.checkpoints import Store, runs, steps
from penstock.checkpoints.schema import budget_accounts
from penstock.checkpoints.schema import runs as run_rows
from penstock.contracts.budget import CALL_UNITS, AccountKind, Money, run_account
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter, WaitingNode
from penstock.contracts.run import Fence, RunStatus
from penstock.contracts.step import Step, StepKind, StepStatus
from support.runs import NOW, Runs


def wait_in(
    store: Store, fence: Fence, *nodes: str, status: StepStatus = StepStatus.PARKED
) -> None:
    """Have a run wait in nodes."""
    noted = [
        Step(
            run_id=fence.run_id,
            epoch=fence.epoch,
            task_id=f"{node}-{fence.epoch}",
            namespace="",
            node=node,
            kind=StepKind.OTHER,
            status=status,
            started_at=NOW,
            ended_at=None if status is StepStatus.STARTED else NOW,
            error=None,
        )
        for node in nodes
    ]
    store.write_blocking(lambda connection: steps.record(connection, noted))
    Runs(store).park(fence)


def change_form(store: Store, fence: Fence, **values: str) -> None:
    changed = update(run_rows).where(run_rows.c.id == fence.run_id).values(**values)
    store.write_blocking(lambda connection: connection.execute(changed))


def used(store: Store, fence: Fence, *, tokens: int, micros: int, currency: str | None) -> None:
    account: dict[str, Any] = {
        "id": run_account(fence.run_id),
        "tenant": "acme",
        "kind": AccountKind.RUN,
        **{f"{what}_{unit}": 0 for what in ("spent", "held") for unit in CALL_UNITS},
    }
    account |= {"spent_tokens": tokens, "spent_money": micros, "money_currency": currency}
    store.write_blocking(lambda tx: tx.execute(budget_accounts.insert().values(**account)))


def found(store: Store, **more: Any) -> list[RunId]:
    wanted = RunFilter(tenant="acme", **more)

    def look(connection: Connection) -> list[RunId]:
        page = runs.page(connection, wanted, limit=9)
        assert sum(runs.counts(connection, wanted).values()) == len(page)
        return sorted(each.run.id for each in page)

    return store.read_blocking(look)


def test_versions_have_their_runs_by_state(store: Store) -> None:
    made = Runs(store)
    old, new, other = made.start("old"), made.start("new"), made.start("other")
    made.move(new, RunStatus.SUCCEEDED)
    change_form(store, old, graph_version="0", fingerprint="a" * 64)
    change_form(store, other, graph="another")
    told = store.read_blocking(lambda tx: runs.versions(tx, tenant="acme", graph="demo"))
    assert {each.fingerprint: (each.version, each.counts) for each in told} == {
        "f": ("1", {RunStatus.SUCCEEDED: 1}),
        "a" * 64: ("0", {RunStatus.RUNNING: 1}),
    }
    assert all(each.first_at == each.last_at == NOW for each in told)
    assert found(store, fingerprint="a" * 64) == [old.run_id]


def waiting(store: Store) -> list[WaitingNode]:
    return list(store.read_blocking(lambda tx: runs.waiting_nodes(tx, tenant="acme", graph="demo")))


def test_nodes_have_the_runs_that_wait_in_them_now(store: Store) -> None:
    made = Runs(store)
    one, two, was = made.start("one"), made.start("two"), made.start("was")
    wait_in(store, one, "pay", "ask")
    wait_in(store, two, "pay")
    wait_in(store, was, "ask")
    # It waited in `ask` before, and waits in `pay` now, left where it stood.
    made.move(was, RunStatus.QUEUED)
    wait_in(store, made.claim(was), "pay", status=StepStatus.STARTED)
    assert waiting(store) == [
        WaitingNode(node="pay", version="1", fingerprint="f", count=3),
        WaitingNode(node="ask", version="1", fingerprint="f", count=1),
    ]
    assert found(store, node="pay") == sorted([one.run_id, two.run_id, was.run_id])
    assert found(store, node="ask") == [one.run_id]
    assert found(store, node="gone") == []


def test_runs_are_found_by_what_they_used_at_least(store: Store) -> None:
    made = Runs(store)
    small, large, none = made.start("small"), made.start("large"), made.start("none")
    used(store, small, tokens=10, micros=500_000, currency="USD")
    used(store, large, tokens=5_000, micros=2_000_000, currency="EUR")
    assert found(store, tokens=10) == sorted([small.run_id, large.run_id])
    assert found(store, tokens=11) == [large.run_id]
    assert found(store, money=Money(micros=500_000, currency="USD")) == [small.run_id]
    assert found(store, money=Money(micros=500_001, currency="USD")) == []
    assert found(store, tokens=11, money=Money(micros=1, currency="EUR")) == [large.run_id]
    listed = store.read_blocking(lambda tx: runs.page(tx, RunFilter(tenant="acme"), limit=9))
    assert {each.run.id: (each.tokens, each.money) for each in listed} == {
        small.run_id: (10, Money(micros=500_000, currency="USD")),
        large.run_id: (5_000, Money(micros=2_000_000, currency="EUR")),
        none.run_id: (0, None),
    }
