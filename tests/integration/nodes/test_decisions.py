"""What decisions about calls rest on, and what is kept of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.types import interrupt

from penstock.checkpoints import Store, audit, decisions
from penstock.contracts.call import Stage
from penstock.contracts.errors import ToolFailed
from penstock.contracts.policy import RecordedDecision, Verdict
from penstock.contracts.run import Run, RunMode, RunStatus
from penstock.nodes import Retryable, minor_units, real_path, tool
from penstock.nodes.tools.messages import WHAT_NEXT
from support.people import Staff
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: str
    wanted: str


@tool(effect="read", taints={"untrusted"}, description="Read a page.")
async def browse(page: str) -> str:
    return f"the page {page}"


@tool(effect="read", taints={"private"}, description="Read a page that is gone.")
async def browse_in_vain(page: str) -> str:
    raise Retryable(f"{page} is gone")


@tool(
    effect="unsafe",
    facts={"minor": minor_units("amount", currency="EUR")},
    description="Pay somebody.",
)
async def pay(amount: int, to: str) -> str:
    return f"paid {amount} to {to}"


@tool(effect="unsafe", facts={"path": real_path("file")}, description="Remove a file.")
async def remove(file: str) -> str:
    return f"removed {file}"


@tool(effect="unsafe", sensitive={"pin"}, description="Open the safe.")
async def unlock(pin: str) -> str:
    return "open" if pin else "shut"


def policy(folder: Path, allow: str, gates: str = "") -> Path:
    """Write a policy and return its folder."""
    for name, text in (("allow", allow), ("gates", gates)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        if text:
            (folder / name / "rules.cedar").write_text(text)
    return folder


ALL = '@id("all") permit(principal, action, resource);'


async def decided(store: Store, run: Run) -> Sequence[RecordedDecision]:
    """Return what was decided about the calls of a run."""
    return await store.read(lambda connection: decisions.of_run(connection, run.id))


async def facts(store: Store, run: Run, name: str) -> list[Any]:
    """Return what a fact was in each decision of a run, in their order."""
    return [each.request.facts[name] for each in await decided(store, run)]


async def test_what_was_read_taints_what_comes_after_it_in_the_same_node(store: Store) -> None:
    async def act(_: State) -> State:
        await pay(amount=1, to="bob")
        await browse(page="a")
        return {"said": await pay(amount=2, to="bob")}

    shop = Shop(store, chain_of(State, act, tools=[pay, browse]))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    found = {
        each.request.args["amount"]: each.request.facts["saw_untrusted"]
        for each in await decided(store, run)
        if each.request.tool == "pay"
    }
    assert found == {1: False, 2: True}


async def test_a_taint_survives_its_worker(store: Store) -> None:
    async def look(_: State) -> State:
        return {"said": await browse(page="a")}

    async def wait(_: State) -> State:
        return {"said": interrupt("go on?")}

    async def act(_: State) -> State:
        return {"said": await pay(amount=1, to="bob")}

    shop = Shop(store, chain_of(State, look, wait, act, tools=[pay, browse]))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    await shop.runtime.decide(gate.id, "yes", by="ann")
    # Another worker, which has seen nothing of it.
    run = await shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (await facts(store, run, "saw_untrusted"))[-1] is True


async def test_a_later_run_of_the_thread_and_a_copy_of_it_are_tainted(store: Store) -> None:
    async def act(state: State) -> State:
        done = browse(page="a") if state.get("wanted") == "read" else pay(amount=1, to="bob")
        return {"said": await done}

    shop = Shop(store, chain_of(State, act, tools=[pay, browse]))
    first = await shop.run(given={"wanted": "read"})
    await shop.saver.acopy_thread(first.thread_id, "copy")
    for thread in (first.thread_id, "copy", "other"):
        run = await shop.runtime.start("chain", {"wanted": "pay"}, actor="ann", thread_id=thread)
        await shop.go_on(run)
        assert await facts(store, run, "saw_untrusted") == [thread != "other"]


async def test_a_read_that_failed_taints_as_well(store: Store) -> None:
    async def act(_: State) -> State:
        with pytest.raises(ToolFailed):
            await browse_in_vain(page="a")
        return {"said": await pay(amount=1, to="bob")}

    async def again(_: State) -> State:
        return {"said": await pay(amount=2, to="bob")}

    shop = Shop(store, chain_of(State, act, again, tools=[pay, browse_in_vain]))
    run = await shop.run()
    assert (await facts(store, run, "saw_private"))[-2:] == [True, True]


async def test_a_graph_whose_input_is_untrusted_begins_tainted_and_has_nothing_given(
    store: Store,
) -> None:
    async def act(_: State) -> State:
        return {"said": await pay(amount=1000, to="bob@ourco.com")}

    given = {"wanted": "pay 1000 to bob@ourco.com"}
    trusting = Shop(store, chain_of(State, act, tools=[pay]))
    wary = Shop(store, chain_of(State, act, name="wary", tools=[pay], taints={"untrusted"}))
    run = await trusting.run(given=given)
    assert await facts(store, run, "given") == [["amount", "to"]]
    assert await facts(store, run, "saw_untrusted") == [False]
    run = await wary.run(given=given)
    assert await facts(store, run, "given") == [[]]
    assert await facts(store, run, "saw_untrusted") == [True]


async def test_what_was_spent_today_and_called_just_now_is_counted_over_runs(
    store: Store,
) -> None:
    async def act(_: State) -> State:
        return {"said": await pay(amount=3, to="bob")}

    shop = Shop(store, chain_of(State, act, tools=[pay]))
    told: list[list[int]] = []
    for _ in range(3):
        run = await shop.run()
        told += await facts(store, run, "spent_today"), await facts(store, run, "calls_last_minute")
    assert told == [[0], [0], [300], [1], [600], [2]]


async def test_a_call_that_is_denied_is_recorded_and_told_to_the_audit(
    store: Store, tmp_path: Path
) -> None:
    async def act(_: State) -> State:
        return {"said": await pay(amount=1, to="bob")}

    strict = policy(tmp_path, '@id("none") forbid(principal, action, resource);')
    shop = Shop(store, chain_of(State, act, tools=[pay]), policy=strict)
    run = await shop.run()
    assert run.failure is not None
    assert "none" in run.failure.message
    (one,) = await decided(store, run)
    assert (one.decision.verdict, one.decision.reasons) == (Verdict.DENY, ("none",))
    events = await store.read(lambda connection: audit.of_run(connection, run.id))
    (denied,) = [event for event in events if event.action == "call.denied"]
    assert denied.detail["because"] == "none"


async def test_what_is_in_shadow_mode_is_recorded_and_not_enforced(
    store: Store, tmp_path: Path
) -> None:
    async def act(_: State) -> State:
        return {"said": await pay(amount=1, to="bob")}

    shadowed = policy(
        tmp_path, f'{ALL}\n@id("new") @mode("shadow") forbid(principal, action, resource);'
    )
    run = await Shop(store, chain_of(State, act, tools=[pay]), policy=shadowed).run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    (one,) = await decided(store, run)
    assert (one.decision.shadow, one.decision.shadow_reasons) == (Verdict.DENY, ("new",))


async def test_a_fact_that_cannot_be_computed_denies_the_call(store: Store) -> None:
    async def act(_: State) -> State:
        return {"said": await remove(file="a\0b")}

    run = await Shop(store, chain_of(State, act, tools=[remove])).run()
    assert run.failure is not None
    assert "`path` cannot be computed" in run.failure.message
    (one,) = await decided(store, run)
    assert one.decision.verdict is Verdict.DENY


async def test_nothing_that_nobody_is_shown_is_in_a_record(store: Store) -> None:
    async def act(_: State) -> State:
        return {"said": await unlock(pin="4711")}

    run = await Shop(store, chain_of(State, act, tools=[unlock])).run()
    (one,) = await decided(store, run)
    assert one.request.args == {}


async def test_a_tool_that_the_graph_was_not_declared_with_is_decided_about_all_the_same(
    store: Store, tmp_path: Path
) -> None:
    async def act(_: State) -> State:
        return {"said": await pay(amount=1, to="bob")}

    small = policy(
        tmp_path,
        '@id("writes") permit(principal, action in Penstock::Action::"effect_unsafe", resource);',
    )
    run = await Shop(store, chain_of(State, act), policy=small).run()
    assert run.status is RunStatus.SUCCEEDED, run.failure


async def test_two_tools_of_one_name_are_not_taken_for_each_other(store: Store) -> None:
    @tool(effect="unsafe", name="pay", description="Pay more.")
    async def other(amount: int) -> str:
        return f"paid {amount}"

    async def act(_: State) -> State:
        return {"said": await other(amount=1)}

    run = await Shop(store, chain_of(State, act, tools=[pay])).run()
    assert run.failure is not None
    assert "two tools are named `pay`" in run.failure.message


async def test_a_run_that_only_simulates_asks_nobody_and_decides_nothing(store: Store) -> None:
    async def act(_: State) -> State:
        return {"said": await pay(amount=1, to="bob")}

    shop = Shop(store, chain_of(State, act, tools=[pay]))
    run = await shop.runtime.start("chain", {}, actor="ann", mode=RunMode.SIMULATE)
    await shop.go_on(run)
    assert await decided(store, run) == []


async def test_who_has_no_tenant_here_is_denied(store: Store) -> None:
    left: list[str] = []

    class Leaving(Staff):
        def principal(self, user: str, agent: str, tenant: str) -> Any:
            return super().principal(user, agent, f"not {tenant}" if left else tenant)

    async def act(_: State) -> State:
        left.append("ann")
        return {"said": await pay(amount=1, to="bob")}

    run = await Shop(store, chain_of(State, act, tools=[pay]), people=Leaving()).run()
    assert run.failure is not None
    (one,) = await decided(store, run)
    assert one.decision.reasons == ("tenant",)


def test_each_kind_of_refusal_says_what_may_be_tried() -> None:
    assert set(WHAT_NEXT) == set(Stage)


@pytest.mark.parametrize("count", [1, 3])
async def test_reads_are_decided_about_and_recorded(store: Store, count: int) -> None:
    async def act(_: State) -> State:
        return {"said": "".join([await browse(page=str(page)) for page in range(count)])}

    run = await Shop(store, chain_of(State, act, tools=[browse])).run()
    assert len(await decided(store, run)) == count
