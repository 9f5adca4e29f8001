"""Calls that are under way when their run is cancelled: stopped, settled, or in doubt."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypedDict

import pytest
from sqlalchemy import Connection, create_engine

from penstock.checkpoints import Store, leases, ledger
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.errors import InvalidAnswer
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Run, RunStatus
from penstock.contracts.tool import EffectClass
from penstock.nodes import Retryable, RetryPlan, Tool, tool
from penstock.nodes.calls.context import Halt
from penstock.nodes.stages.execute import Execute
from penstock.nodes.tools.terms import EffectName
from penstock.runs import heartbeat
from support import isolated
from support.ledgers import new_effect
from support.pools import Note, Watched
from support.runs import NOW
from support.shops import QUICK, Shop, chain_of

SOON_S = 60.0
"""Far less than any tool here may take, and far more than a busy machine needs."""

NO_BEATS = replace(QUICK, beat_s=600.0, lease_s=1200.0)
"""A worker that sees nothing by itself within a test."""


class State(TypedDict, total=False):
    said: str


def calling(called: Tool[Any], **arguments: Any) -> Callable[[State], Any]:
    """Return a node whose code calls a tool."""

    async def act(_: State) -> State:
        return {"said": str(await called.ainvoke(arguments))}

    return act


async def cancelled(shop: Shop, run: Run) -> Run:
    """Cancel a run that is driven, and return it when that is done, which takes no time."""
    async with asyncio.timeout(SOON_S):
        asked = await shop.runtime.cancel(run.id, by="ann", reason="wrong order")
        assert asked.status is RunStatus.RUNNING
        return await shop.until(run, RunStatus.CANCELLED)


async def effect_of(shop: Shop, run: Run) -> Effect:
    """Return the only call of a run."""
    (effect,) = await shop.runtime.effects(run_id=run.id)
    return effect


async def until_effect(shop: Shop, run: Run, status: EffectStatus) -> None:
    """Wait until the only call of a run is in this state."""
    async with asyncio.timeout(SOON_S):
        while (await effect_of(shop, run)).status is not status:  # noqa: ASYNC110  (the store tells)
            await asyncio.sleep(0.01)


class Slow:
    """Tools that take longer than a test."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.ended: list[str] = []

    def waits(self, effect: EffectName) -> Tool[Any]:
        """Return an asynchronous tool that ends only when it is stopped."""

        @tool(name="wait", effect=effect, timeout_s=600.0)
        async def wait() -> str:
            """Wait."""
            self.entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.append("stopped")
            return "never"

        return wait


@pytest.mark.parametrize("effect", ["unsafe", "idempotent"])
async def test_a_running_async_tool_is_stopped_and_in_doubt(
    store: Store, effect: EffectName
) -> None:
    slow = Slow()
    shop = Shop(store, chain_of(State, calling(slow.waits(effect))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await slow.entered.wait()
        run = await cancelled(shop, run)
    assert slow.ended == ["stopped"]
    found = await effect_of(shop, run)
    assert found.status is EffectStatus.IN_DOUBT
    (gate,) = await shop.runtime.gates(run.id)
    assert (gate.kind, gate.status) == (GateKind.IN_DOUBT, GateStatus.OPEN)


async def test_the_doubt_says_that_the_run_was_cancelled(store: Store) -> None:
    slow = Slow()
    shop = Shop(store, chain_of(State, calling(slow.waits("unsafe"))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await slow.entered.wait()
        run = await cancelled(shop, run)
    found = await effect_of(shop, run)
    assert found.error_message == "attempt 1 was to stop, because its run was cancelled"


async def test_a_running_read_is_stopped_and_leaves_nothing(store: Store) -> None:
    slow = Slow()
    shop = Shop(store, chain_of(State, calling(slow.waits("read"))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await slow.entered.wait()
        run = await cancelled(shop, run)
    assert slow.ended == ["stopped"]
    assert await shop.runtime.effects(run_id=run.id) == []


async def test_what_ends_in_its_own_way_when_it_is_stopped_is_settled(store: Store) -> None:
    entered = asyncio.Event()

    @tool(effect="unsafe", timeout_s=600.0)
    async def pay() -> str:
        """Pay, and say what came of it even when it is stopped."""
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "paid all the same"
        return "never"

    shop = Shop(store, chain_of(State, calling(pay)))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await entered.wait()
        run = await cancelled(shop, run)
    found = await effect_of(shop, run)
    assert (found.status, found.result) == (EffectStatus.SUCCEEDED, '"paid all the same"')


async def test_what_blocks_a_thread_goes_on_and_settles_when_it_ends(store: Store) -> None:
    entered, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @tool(effect="unsafe", timeout_s=600.0)
    def pay() -> str:
        """Pay."""
        loop.call_soon_threadsafe(entered.set)
        go_on.wait()
        return "receipt"

    shop = Shop(store, chain_of(State, calling(pay)))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await entered.wait()
        run = await cancelled(shop, run)
        found = await effect_of(shop, run)
        assert found.status is EffectStatus.IN_DOUBT
        assert "goes on: what blocks cannot be stopped" in str(found.error_message)
        go_on.set()
        await until_effect(shop, run, EffectStatus.SUCCEEDED)
    assert (await shop.runtime.gates(run.id))[0].status is GateStatus.DECIDED
    assert (await shop.runtime.get(run.id)).status is RunStatus.CANCELLED


async def test_a_transaction_that_cannot_be_stopped_is_in_doubt_until_it_ends(
    store: Store,
) -> None:
    entered, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    database = create_engine("sqlite://")

    @tool(effect="transactional", database=database, timeout_s=600.0)
    def book(connection: Connection) -> str:
        """Book."""
        del connection
        loop.call_soon_threadsafe(entered.set)
        go_on.wait()
        raise Retryable("the account is locked")

    shop = Shop(store, chain_of(State, calling(book)))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await entered.wait()
        run = await cancelled(shop, run)
        assert (await effect_of(shop, run)).status is EffectStatus.IN_DOUBT
        go_on.set()
        await until_effect(shop, run, EffectStatus.FAILED)


async def test_a_tool_in_a_process_of_its_own_is_killed(store: Store, tmp_path: Any) -> None:
    note = Note(tmp_path)
    spin = tool(
        isolated.spin.function, name="spin", effect="unsafe", isolation="subprocess", timeout_s=600
    )
    shop = Shop(store, chain_of(State, calling(spin, note=note.path)))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        told = await note.read()
        process = Watched([told])
        run = await cancelled(shop, run)
        # It was dead before the run was said to be cancelled.
        assert process.have_ended()
    note.close()
    assert (await effect_of(shop, run)).status is EffectStatus.IN_DOUBT


async def test_a_retry_that_waits_is_not_made_any_more(store: Store) -> None:
    entered = asyncio.Event()
    tries: list[int] = []

    @tool(
        effect="unsafe",
        retry=RetryPlan(attempt_limit=5, first_wait_s=600.0, longest_wait_s=600.0),
    )
    async def pay() -> str:
        """Pay."""
        tries.append(1)
        entered.set()
        raise Retryable("busy")

    shop = Shop(store, chain_of(State, calling(pay)))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await entered.wait()
        run = await cancelled(shop, run)
    assert tries == [1]
    assert (await effect_of(shop, run)).status is EffectStatus.FAILED


async def test_a_call_that_comes_after_its_run_was_cancelled_is_not_begun(store: Store) -> None:
    entered = asyncio.Event()
    done: list[str] = []

    @tool(effect="unsafe")
    async def pay() -> str:
        """Pay."""
        done.append("paid")
        return "receipt"

    async def act(_: State) -> State:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # Code that does not let itself be stopped.
            await pay.ainvoke({})
        return {}

    shop = Shop(store, chain_of(State, act))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker():
        await entered.wait()
        run = await cancelled(shop, run)
    assert done == []
    assert await shop.runtime.effects(run_id=run.id) == []


async def test_a_call_that_was_begun_and_not_started_has_failed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    execute, halts = Execute.__call__, list[Halt]()

    async def halt_first(self: Execute, attempted: Any) -> Any:
        # Between the claim, which is stored, and the function.
        self.context.halt.request("its run was cancelled")
        halts.append(self.context.halt)
        return await execute(self, attempted)

    monkeypatch.setattr(Execute, "__call__", halt_first)

    @tool(effect="unsafe")
    async def pay() -> str:
        """Pay."""
        done.append("paid")
        return "receipt"

    shop = Shop(store, chain_of(State, calling(pay)))
    run = await shop.run()
    assert (len(halts), done) == (1, [])
    found = await effect_of(shop, run)
    assert (found.status, found.error_code) == (EffectStatus.FAILED, "stopped")


async def test_a_worker_in_the_same_process_sees_it_without_a_beat(store: Store) -> None:
    slow = Slow()
    shop = Shop(store, chain_of(State, calling(slow.waits("unsafe"))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(NO_BEATS):
        await slow.entered.wait()
        run = await cancelled(shop, run)
    assert (run.cancel_by, run.cancel_reason) == ("ann", "wrong order")


async def test_a_worker_that_drains_does_not_wait_for_the_calls_of_a_cancelled_run(
    store: Store,
) -> None:
    slow = Slow()
    shop = Shop(store, chain_of(State, calling(slow.waits("unsafe"))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker() as worker:
        await slow.entered.wait()
        worker.drain()
        run = await cancelled(shop, run)
    assert (await effect_of(shop, run)).status is EffectStatus.IN_DOUBT


def begin_and_vanish(shop: Shop, effect: EffectClass) -> None:
    """Have a worker claim the only run, begin a call, and never be heard of again."""
    worker = WorkerId("lost")
    graphs = [(shop.graph.name, str(shop.graph.fingerprint))]

    def change(connection: Connection) -> None:
        (run,) = leases.claim(connection, worker, graphs=graphs, limit=1, lease_s=-1, at=NOW)
        new = new_effect(run.fence, effect=effect)
        ledger.begin(connection, new, fence=run.fence, at=NOW, actor=worker)

    shop.store.write_blocking(change)


@pytest.mark.parametrize("effect", [EffectClass.UNSAFE, EffectClass.IDEMPOTENT])
async def test_a_call_whose_worker_died_is_in_doubt_when_its_run_is_cancelled_in_its_place(
    store: Store, effect: EffectClass
) -> None:
    shop = Shop(store, chain_of(State, calling(Slow().waits("unsafe"))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    begin_and_vanish(shop, effect)
    assert (await shop.runtime.cancel(run.id, by="ann")).status is RunStatus.RUNNING
    async with shop.worker():
        run = await shop.until(run, RunStatus.CANCELLED)
    assert (await effect_of(shop, run)).status is EffectStatus.IN_DOUBT
    (gate,) = await shop.runtime.gates(run.id)
    assert (gate.kind, gate.status) == (GateKind.IN_DOUBT, GateStatus.OPEN)


async def test_a_call_of_a_queued_run_is_in_doubt_when_that_is_cancelled(store: Store) -> None:
    shop = Shop(store, chain_of(State, calling(Slow().waits("unsafe"))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    begin_and_vanish(shop, EffectClass.UNSAFE)
    store.write_blocking(
        lambda connection: leases.sweep(connection, lost_limit=9, at=NOW, actor="test")
    )
    run = await shop.runtime.cancel(run.id, by="ann")
    assert run.status is RunStatus.CANCELLED
    assert (await effect_of(shop, run)).status is EffectStatus.IN_DOUBT


async def test_the_doubt_of_a_cancelled_run_can_be_decided(store: Store) -> None:
    shop = Shop(store, chain_of(State, calling(Slow().waits("unsafe"))))
    run = await shop.runtime.start("chain", {}, actor="ann")
    begin_and_vanish(shop, EffectClass.UNSAFE)
    await shop.runtime.cancel(run.id, by="ann")
    async with shop.worker():
        run = await shop.until(run, RunStatus.CANCELLED)
    (gate,) = await shop.runtime.gates(run.id)
    with pytest.raises(InvalidAnswer):
        await shop.runtime.decide(gate.id, {"answer": "retry"}, by="bob")
    await shop.runtime.decide(gate.id, {"answer": "happened", "result": {"paid": 5}}, by="bob")
    found = await effect_of(shop, run)
    assert (found.status, found.result) == (EffectStatus.SUCCEEDED, '{"paid":5}')


async def test_a_node_that_does_not_let_itself_be_stopped_does_not_keep_its_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "STOP_GRACE_S", 0.5)
    entered, let_go = asyncio.Event(), asyncio.Event()

    async def hold_on(_: State) -> State:
        entered.set()
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()
        return {}

    shop = Shop(store, chain_of(State, hold_on))
    run = await shop.runtime.start("chain", {}, actor="ann")
    async with shop.worker(replace(QUICK, lease_s=2.0)):
        await asyncio.wait_for(entered.wait(), SOON_S)
        await shop.runtime.cancel(run.id, by="bob")
        try:
            async with asyncio.timeout(SOON_S):
                run = await shop.until(run, RunStatus.CANCELLED)
        finally:
            let_go.set()
    assert run.cancel_by == "bob"


async def test_a_node_that_blocks_the_loop_is_told_of(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "BLOCKED_S", 0.1)

    async def block(_: State) -> State:
        ends_s = time.monotonic() + SOON_S
        while "event loop has been blocked" not in caplog.text and time.monotonic() < ends_s:
            time.sleep(0.05)  # noqa: ASYNC251, TID251  (what is told of)
        return {}

    shop = Shop(store, chain_of(State, block))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    told = [each for each in caplog.messages if "event loop has been blocked" in each]
    assert len(told) == 1
    assert f"run {run.id} in block" in told[0]
