"""A fork goes on from a checkpoint of another run, and does nothing of what that did unasked."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic_core import from_json
from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Store, audit, ledger, states
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.errors import (
    IllegalTransition,
    InvalidInput,
    NotAllowed,
    UnknownCheckpoint,
)
from penstock.contracts.fork import Fate
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import Run, RunMode, RunStatus
from penstock.graphs import declare
from penstock.nodes import tool
from penstock.nodes.calls import claim
from penstock.nodes.calls.call import ToolCall
from penstock.runs import Auditor, Pace
from support.helping import IBAN, NAME, Ticket, helping
from support.people import Staff
from support.runs import lose
from support.shops import Shop, chain_of

GIVEN = {"ticket": f"Pay A-1 to {IBAN}"}


class Scene:
    """A run that has looked up, paid and said so, and what its tool has paid."""

    def __init__(self, store: Store, **more: Any) -> None:
        self.paid: list[str] = []
        self.shop = Shop(store, helping(self.paid), **more)
        self.store = store

    async def begun(self) -> Run:
        run = await self.shop.run(given=GIVEN)
        assert run.status is RunStatus.SUCCEEDED, run.failure
        assert self.paid == ["A-1 42"]
        return run

    async def points(self, run: Run) -> Mapping[str, CheckpointInfo]:
        """Return the checkpoints of a run by what came before them, those of one name numbered."""
        taken = await self.shop.runtime.steps(run.id)
        nodes = {step.task_id: step.node for step in taken}
        known = await self.store.read(lambda tx: states.points(tx, run.id, limit=99))
        found: dict[str, CheckpointInfo] = {}
        tasks = {point.id: point.tasks for point in known}
        for point in known:
            before = [nodes[task] for task in tasks.get(point.parent_id or "", ()) if task in nodes]
            name = before[0] if before else point.source
            found[name if name not in found else f"{name} {point.number}"] = point
        return found

    async def fork(self, run: Run, at: str, **more: Any) -> Run:
        point = (await self.points(run))[at]
        return await self.shop.runtime.fork(run.id, point.id, by="ann", **more)

    async def forked(self, run: Run, at: str, **more: Any) -> Run:
        return await self.shop.go_on(await self.fork(run, at, **more))

    async def fates(self, run: Run, at: str, **more: Any) -> dict[str, Fate]:
        point = (await self.points(run))[at]
        told = await self.shop.runtime.forecast_fork(run.id, point.id, **more)
        return {each.effect.tool: each.fate for each in told.calls}


async def open_gates(shop: Shop, run: Run) -> Sequence[Gate]:
    """Return the gates at which a run waits."""
    return [each for each in await shop.runtime.gates(run.id) if each.status is GateStatus.OPEN]


# ---- what a fork does ----


async def test_fork_goes_on_after_its_checkpoint_on_a_thread_of_its_own(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    fork = await at.forked(run, "tools 5")
    assert fork.status is RunStatus.SUCCEEDED, fork.failure
    assert (fork.thread_id, fork.input, fork.principal) == (fork.id, "null", "ann")
    assert [step.node for step in await at.shop.runtime.steps(fork.id)] == ["agent", "check"]
    values = await at.shop.values(fork)
    assert [each.type for each in values["messages"]] == [
        each.type for each in (await at.shop.values(run))["messages"]
    ]
    assert at.paid == ["A-1 42"]


async def test_fork_only_simulates_where_nobody_says_otherwise(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    fork = await at.forked(run, "plan")
    assert fork.mode is RunMode.SIMULATE
    assert at.paid == ["A-1 42"]
    told = (await at.shop.values(fork))["messages"]
    assert any("simulated" in str(each.content) for each in told)


async def test_call_that_had_begun_at_the_checkpoint_is_replayed(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    # The message that asks for the payment is in the state, and its answer is not.
    fork = await at.forked(run, "agent 4", mode=RunMode.LIVE)
    assert fork.status is RunStatus.SUCCEEDED, fork.failure
    assert at.paid == ["A-1 42"]
    assert await at.shop.runtime.effects(run_id=fork.id) == []
    assert await at.fates(run, "agent 4", mode=RunMode.LIVE) == {
        "look_up": Fate.KEPT,
        "pay": Fate.REPLAYED,
    }


async def test_call_of_a_new_message_that_does_the_same_waits_for_an_approval(
    store: Store,
) -> None:
    at = Scene(store)
    run = await at.begun()
    assert await at.fates(run, "plan", mode=RunMode.LIVE) == {
        "look_up": Fate.AGAIN,
        "pay": Fate.ASKED,
    }
    fork = await at.forked(run, "plan", mode=RunMode.LIVE)
    assert fork.status is RunStatus.WAITING
    (gate,) = await at.shop.runtime.gates(fork.id)
    assert gate.kind is GateKind.APPROVAL
    assert from_json(gate.question)["rules"] == ["done-before-the-copy"]
    assert at.paid == ["A-1 42"]
    await at.shop.approvals.approve(gate.id, by="olga", binding=gate.binding or "")
    fork = await at.shop.go_on(fork)
    assert (fork.status, at.paid) == (RunStatus.SUCCEEDED, ["A-1 42", "A-1 42"])


async def test_fork_of_a_fork_shares_the_past_of_both(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    first = await at.forked(run, "plan")
    second = await at.forked(first, "agent", mode=RunMode.LIVE)
    assert second.status is RunStatus.WAITING
    lineage = await store.read(lambda tx: ledger.lineage_of(tx, second.thread_id))
    assert lineage == run.thread_id
    assert at.paid == ["A-1 42"]


async def test_what_was_done_while_a_fork_made_up_its_mind_is_not_done_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = Scene(store)
    run = await at.begun()
    looked: list[object] = []
    real = ledger.find_in_lineage

    def blind(connection: Any, new: Any) -> Any:
        # The stage looks before the other thread has done it, the claim after.
        found = real(connection, new)
        looked.append(found)
        return None if len(looked) == 1 else found

    monkeypatch.setattr(ledger, "find_in_lineage", blind)
    fork = await at.forked(run, "plan", mode=RunMode.LIVE)
    assert len(looked) > 1
    assert (fork.status, at.paid) == (RunStatus.WAITING, ["A-1 42"])


async def test_run_asks_before_it_does_what_a_fork_of_it_has_done(store: Store) -> None:
    paid: list[int] = []

    @tool(effect="unsafe")
    async def pay(cents: int) -> str:
        """Pay."""
        paid.append(cents)
        return f"paid {cents}"

    async def ask(state: Ticket) -> Ticket:
        return {"note": str(interrupt({"about": state.get("ticket")}))}

    async def act(_: Ticket) -> Ticket:
        said = await asyncio.gather(pay(cents=5), pay(cents=6))
        return {"note": " ".join(said)}

    shop = Shop(store, chain_of(Ticket, ask, act, tools=[pay]))
    run = await shop.run(given={"ticket": "A-1"})
    known = await store.read(lambda tx: states.points(tx, run.id, limit=9))
    fork = await shop.runtime.fork(
        run.id, known[-1].id, by="ann", mode=RunMode.LIVE, edits={"ticket": "B-1"}
    )
    fork = await shop.go_on(fork)
    for each in (fork, run):
        (question,) = await shop.runtime.gates(each.id)
        await shop.runtime.decide(question.id, "yes", by="ann")
        await shop.go_on(each)
    fork, run = await shop.runtime.get(fork.id), await shop.runtime.get(run.id)
    assert (fork.status, run.status) == (RunStatus.SUCCEEDED, RunStatus.WAITING)
    assert sorted(paid) == [5, 6]
    first, second = await open_gates(shop, run)
    assert from_json(first.question)["rules"] == ["done-before-the-copy"]
    await shop.approvals.approve(first.id, by="olga", binding=first.binding or "")
    run = await shop.go_on(run)
    # Its node ran again, and the other call waits where it waited.
    assert [each.id for each in await open_gates(shop, run)] == [second.id]
    await shop.approvals.approve(second.id, by="olga", binding=second.binding or "")
    run = await shop.go_on(run)
    assert (run.status, sorted(paid)) == (RunStatus.SUCCEEDED, [5, 5, 6, 6])


async def test_of_two_forks_that_do_the_same_at_once_one_asks(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = claim.require_not_done_elsewhere
    passed, stood_back = threading.Event(), threading.Event()
    passing = threading.Lock()

    def held(connection: Connection, call: ToolCall) -> None:
        if passing.acquire(blocking=False):
            real(connection, call)
            # It has begun, and is not committed.
            passed.set()
            assert stood_back.wait(10), "nobody else was about to do the same"
            return
        assert passed.wait(10)
        try:
            real(connection, call)
        except claim.Contended:
            stood_back.set()
            raise

    with Store.open(postgresql_url) as store, Store.open(postgresql_url) as other:
        paid: list[str] = []
        at, beside = Scene(store), Shop(other, helping(paid))
        run = await at.shop.runtime.start(NAME, GIVEN, actor="ann", mode=RunMode.SIMULATE)
        run = await at.shop.go_on(run)
        forks = [await at.fork(run, "plan", mode=RunMode.LIVE) for _ in range(2)]
        monkeypatch.setattr(claim, "require_not_done_elsewhere", held)
        one = Pace(beat_s=0.5, lease_s=30.0, poll_s=0.02, slots=1)
        async with at.shop.worker(one), beside.worker(one):
            ended = [await at.shop.until(fork, *RunStatus) for fork in forks]
    assert {each.status for each in ended} == {RunStatus.SUCCEEDED, RunStatus.WAITING}
    assert [*at.paid, *paid] == ["A-1 42"]


async def test_fork_of_a_run_that_waits_asks_for_itself(store: Store) -> None:
    async def ask(state: Ticket) -> Ticket:
        return {"note": str(interrupt({"about": state.get("ticket")}))}

    graph: Any = StateGraph(Ticket)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    shop = Shop(store, declare(graph, name="asking"))
    run = await shop.run(given={"ticket": "A-1"})
    known = await store.read(lambda tx: states.points(tx, run.id, limit=9))
    fork = await shop.runtime.fork(run.id, known[-1].id, by="ann")
    fork = await shop.go_on(fork)
    assert fork.status is RunStatus.WAITING
    (gate,) = await shop.runtime.gates(fork.id)
    assert gate.id not in {each.id for each in await shop.runtime.gates(run.id)}
    await shop.runtime.decide(gate.id, "yes", by="ann")
    fork = await shop.go_on(fork)
    assert (await shop.values(fork))["note"] == "yes"
    assert (await shop.runtime.get(run.id)).status is RunStatus.WAITING


async def test_fork_goes_on_with_what_was_edited_and_the_run_stays_as_it_is(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    fork = await at.forked(run, "tools 5", edits={"ticket": "another", "cents": 7})
    values = await at.shop.values(fork)
    assert (values["ticket"], values["cents"]) == ("another", 7)
    assert (await at.shop.values(run))["cents"] == 42


async def test_worker_that_is_lost_does_not_give_a_fork_another_beginning(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    fork = await at.fork(run, "tools 5")
    lose(store, fork.id)
    fork = await at.shop.go_on(fork)
    assert [step.node for step in await at.shop.runtime.steps(fork.id)] == ["agent", "check"]


# ---- edits ----


async def test_edited_message_is_another_and_its_calls_are_other_calls(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    point = (await at.points(run))["agent 4"]
    held = await store.read(lambda tx: states.state(tx, point))
    messages: list[Any] = held.values["messages"]
    *_, last = messages
    edited = [{**each, "content": "more"} if each is last else each for each in messages]
    # It asks for what the lineage has done: the same arguments under another message.
    fork = await at.forked(run, "agent 4", mode=RunMode.LIVE, edits={"messages": edited})
    assert fork.status is RunStatus.WAITING
    assert at.paid == ["A-1 42"]
    changed = last["tool_calls"][0]
    other = {**last, "tool_calls": [{**changed, "args": {**changed["args"], "cents": 1}}]}
    fork = await at.forked(
        run, "agent 4", mode=RunMode.LIVE, edits={"messages": [*messages[:-1], other]}
    )
    assert fork.status is RunStatus.SUCCEEDED, fork.failure
    assert at.paid == ["A-1 42", "A-1 1"]


async def test_call_of_code_is_replayed_and_with_an_edited_state_it_is_another(
    store: Store,
) -> None:
    paid: list[int] = []

    @tool(effect="unsafe")
    async def pay(cents: int) -> str:
        """Pay."""
        paid.append(cents)
        return f"paid {cents}"

    async def plan(state: Ticket) -> Ticket:
        del state
        return {"cents": 5}

    async def act(state: Ticket) -> Ticket:
        return {"note": await pay(cents=state.get("cents", 0))}

    shop = Shop(store, chain_of(Ticket, plan, act, tools=[pay]))
    run = await shop.run(given=GIVEN)
    known = await store.read(lambda tx: states.points(tx, run.id, limit=9))
    at = known[-2].id
    fates = [each.fate for each in (await shop.runtime.forecast_fork(run.id, at)).calls]
    assert fates == [Fate.REPLAYED]
    fork = await shop.runtime.fork(run.id, at, by="ann", mode=RunMode.LIVE)
    assert (await shop.go_on(fork)).status is RunStatus.SUCCEEDED
    assert paid == [5]
    fork = await shop.runtime.fork(run.id, at, by="ann", mode=RunMode.LIVE, edits={"cents": 6})
    fork = await shop.go_on(fork)
    assert (await shop.values(fork))["note"] == "paid 6"
    assert paid == [5, 6]
    told = await shop.runtime.forecast_fork(run.id, at, mode=RunMode.LIVE, is_edited=True)
    assert [each.fate for each in told.calls] == [Fate.ASKED]


async def test_messages_that_were_not_edited_stay_the_same(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    point = (await at.points(run))["agent 4"]
    held = await store.read(lambda tx: states.state(tx, point))
    fork = await at.forked(
        run, "agent 4", mode=RunMode.LIVE, edits={"messages": held.values["messages"]}
    )
    assert fork.status is RunStatus.SUCCEEDED, fork.failure
    assert at.paid == ["A-1 42"]


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"cents": "many"}, "cents"),
        ({"branch:to:check": None}, "is no field of the state"),
        ({"__pregel_tasks": []}, "is no field of the state"),
        ({"messages": [{"role": "nobody", "content": 1}]}, "is no message"),
        ({"note": "[hidden]"}, "which stands for a value that nobody is shown"),
        ({"note": "early"}, "has no value at checkpoint"),
    ],
)
async def test_edit_that_does_not_fit_the_state_queues_nothing(
    store: Store, edits: dict[str, Any], said: str
) -> None:
    at = Scene(store)
    run = await at.begun()
    with pytest.raises(InvalidInput, match=said):
        await at.fork(run, "plan", edits=edits)
    assert [each.id for each in await at.shop.runtime.list()] == [run.id]


async def test_large_value_is_edited_where_it_is_kept_apart(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    first = await at.forked(run, "tools 5", edits={"ticket": "x" * 5_000})
    assert (await at.shop.values(first))["ticket"] == "x" * 5_000
    point = (await at.points(first))["fork"]
    second = await at.shop.runtime.fork(first.id, point.id, by="ann", edits={"ticket": "y" * 6_000})
    second = await at.shop.go_on(second)
    assert (await at.shop.values(second))["ticket"] == "y" * 6_000
    assert (await at.shop.values(first))["ticket"] == "x" * 5_000


# ---- who may, and where ----


async def test_only_whoever_may_steer_a_run_and_start_others_forks_it(store: Store) -> None:
    staff = Staff({"operators": {"olga"}})
    at = Scene(store, people=staff)
    run = await at.begun()
    point = (await at.points(run))["plan"]
    with pytest.raises(NotAllowed):
        await at.shop.runtime.fork(run.id, point.id, by="bob")
    assert len(await at.shop.runtime.list()) == 1
    fork = await at.shop.runtime.fork(run.id, point.id, by="olga")
    assert fork.principal == "olga"


async def test_only_a_checkpoint_of_the_run_itself_is_forked(store: Store) -> None:
    at = Scene(store)
    run, other = await at.begun(), await at.shop.run(given=GIVEN)
    point = (await at.points(other))["plan"]
    with pytest.raises(UnknownCheckpoint):
        await at.shop.runtime.fork(run.id, point.id, by="ann")


async def test_nothing_is_forked_where_nothing_follows(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    with pytest.raises(IllegalTransition, match="nothing follows"):
        await at.fork(run, "check")


async def test_run_whose_graph_has_another_shape_is_not_forked(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    graph: Any = StateGraph(Ticket)
    graph.add_node("plan", lambda _: {})
    graph.add_edge(START, "plan")
    other = Shop(store, declare(graph, name="helping"))
    with pytest.raises(IllegalTransition, match="another shape"):
        await other.runtime.fork(run.id, (await at.points(run))["plan"].id, by="ann")


async def test_run_that_was_forgotten_is_not_forked(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    point = (await at.points(run))["plan"]
    await at.shop.runtime.start("helping", GIVEN, actor="ann", thread_id=run.thread_id)
    await at.shop.runtime.forget(run.id, by="ann")
    with pytest.raises(UnknownCheckpoint):
        await at.shop.runtime.fork(run.id, point.id, by="ann")


async def test_fork_and_origin_tell_of_each_other(store: Store) -> None:
    at = Scene(store)
    run = await at.begun()
    fork = await at.fork(run, "plan", edits={"cents": 9})
    (queued, *_) = await store.read(lambda tx: audit.of_run(tx, fork.id))
    assert queued.detail["fork_of"] == run.id
    told = await store.read(lambda tx: audit.of_run(tx, run.id))
    assert (told[-1].action, told[-1].actor) == ("run.forked", "ann")
    assert told[-1].detail["fork"] == fork.id
    assert told[-1].detail["edited"] == "cents"
    (event,) = await store.read(lambda tx: audit.last(tx, "default", run_id=run.id, limit=1))
    assert "edits_mac" in event.detail
    assert '"cents":9' not in event.detail
    assert Auditor(store).verify().is_sound


async def test_states_of_the_origin_are_not_in_the_fork(store: Store, saver: Checkpointer) -> None:
    at = Scene(store)
    run = await at.begun()
    fork = await at.fork(run, "plan")
    config: Any = {"configurable": {"thread_id": fork.thread_id}}
    (only,) = [each async for each in saver.alist(config)]
    assert only.metadata.get("run_id") == fork.id
    assert only.pending_writes == []
    assert "note" not in only.checkpoint["channel_values"]
