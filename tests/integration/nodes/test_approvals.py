"""Calls that wait for people: who is asked, what they can do, and what comes of the call."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import BaseTool
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt
from pydantic_core import from_json
from sqlalchemy import update

from penstock.checkpoints import Store, gates, policies
from penstock.checkpoints.schema import gates as gates_table
from penstock.contracts.call import InDoubt, Outcome, Refused
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import GateClosed, VoteRefused
from penstock.contracts.gate import Gate, GateKind, GateStatus, NewApproval
from penstock.contracts.ids import GateId
from penstock.contracts.policy import GateRule, Principal
from penstock.contracts.run import FailureCode, Run, RunMode, RunStatus
from penstock.graphs import Graph, declare
from penstock.nodes import fact, tool
from penstock.nodes.calls.call import ApprovedCall
from penstock.nodes.gates.approvals import covers, terms_of
from penstock.policies import read_source
from support.allowing import DESK, OPEN
from support.council import Council
from support.ledgers import lands_no_more
from support.people import Staff
from support.runs import NOW
from support.shops import Shop, chain_of


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """A store for what is tried in every order."""
    with Store.open(sqlite_url) as opened:
        yield opened


class State(TypedDict, total=False):
    said: str


@dataclass
class Desk:
    """A shop whose only tool pays, and what it has paid."""

    shop: Shop
    staff: Staff
    paid: list[int] = field(default_factory=list[int])

    async def gate(self, run: Run) -> Gate:
        """Return the open gate of a run."""
        (gate,) = [
            gate for gate in await self.shop.runtime.gates(run.id) if gate.status is GateStatus.OPEN
        ]
        return gate

    async def approve(self, gate: Gate, *people: str) -> Gate:
        """Have people approve what a gate asks."""
        for person in people:
            gate = await self.shop.approvals.approve(gate.id, by=person, binding=gate.binding or "")
        return gate


def desk(store: Store, amount: int) -> Desk:
    """Return a desk whose graph pays an amount."""
    paid: list[int] = []

    @tool(effect="unsafe", tags={"money"})
    async def pay(amount: int, note: str = "") -> str:
        """Pay somebody."""
        paid.append(amount)
        del note
        return f"paid {amount}"

    async def act(_: State) -> State:
        return {"said": await pay(amount=amount)}

    staff = Staff()
    graph = chain_of(State, act, tools=[pay])
    return Desk(Shop(store, graph, policy=DESK, people=staff), staff, paid)


async def test_a_call_that_needs_nobody_happens(store: Store) -> None:
    at = desk(store, 100)
    run = await at.shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert at.paid == [100]


async def test_a_call_that_is_denied_does_not_happen(store: Store) -> None:
    at = desk(store, 20000)
    run = await at.shop.run()
    assert run.failure is not None
    assert "ceiling" in run.failure.message
    assert at.paid == []


async def test_a_call_happens_once_all_have_approved(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    assert run.status is RunStatus.WAITING
    gate = await at.gate(run)
    assert gate.kind is GateKind.APPROVAL
    assert gate.approvals == {"finance": 2}
    assert from_json(gate.question)["arguments"] == {"amount": 900, "note": ""}
    gate = await at.approve(gate, "bob")
    assert gate.status is GateStatus.OPEN
    gate = await at.approve(gate, "eve")
    assert gate.status is GateStatus.DECIDED
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert at.paid == [900]


async def test_whoever_the_run_acts_for_cannot_approve(store: Store) -> None:
    at = desk(store, 900)
    gate = await at.gate(await at.shop.run())
    with pytest.raises(VoteRefused, match="acts for `ann`"):
        await at.approve(gate, "ann")


async def test_an_edited_call_is_made_with_the_new_arguments(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    gate = await at.gate(run)
    edited = await at.shop.approvals.edit(
        gate.id, {"amount": 700}, by="bob", binding=gate.binding or ""
    )
    with pytest.raises(VoteRefused, match="has edited"):
        await at.approve(edited, "bob")
    at.staff.in_group["finance"].add("fay")
    await at.approve(edited, "eve", "fay")
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert at.paid == [700]


# ---- what people can do at a gate ----


def told(values: Any) -> dict[str, str]:
    """Return what the tools told the model, by the call's id."""
    return {each.tool_call_id: each.text for each in values["messages"] if each.type == "tool"}


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]


def talking(name: str, calls: Sequence[dict[str, Any]], *tools: BaseTool, **options: Any) -> Graph:
    """Declare a graph whose one message calls a tool so often, in an ordinary `ToolNode`."""
    asked: Any = [
        {"name": name, "args": arguments, "id": f"call-{number}"}
        for number, arguments in enumerate(calls)
    ]
    graph: Any = StateGraph(Talk)
    graph.add_node("plan", lambda _: {"messages": [AIMessage("", id="plan", tool_calls=asked)]})
    graph.add_node("tools", ToolNode(tools, **options))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "tools")
    return declare(graph, name="chain", tools=tools)


def model_desk(store: Store, *amounts: int, policy: Path = DESK) -> Desk:
    """Return a desk at which a model asks for payments, all in one message."""
    paid: list[int] = []

    @tool(effect="unsafe", tags={"money"})
    async def pay(amount: int) -> str:
        """Pay somebody."""
        paid.append(amount)
        return f"paid {amount}"

    staff = Staff()
    graph = talking("pay", [{"amount": amount} for amount in amounts], pay)
    return Desk(Shop(store, graph, policy=policy, people=staff), staff, paid)


def asks(folder: Path, gate_policy: str, *, allow: str = "", name: str = "asks") -> Path:
    """Return a policy that allows all but what `allow` says, and asks what its gate policy says."""
    for part, text in (
        ("allow", f'@id("all") permit(principal, action, resource);\n{allow}'),
        ("gates", gate_policy),
    ):
        (folder / name / part).mkdir(parents=True)
        (folder / name / part / "rules.cedar").write_text(text)
    return folder / name


ONE = '@id("one") @gate("finance") {more} permit(principal, action, resource);'
NOBODY = '@id("nobody") forbid(principal, action, resource);'


async def swap(at: Desk, policy: Path) -> None:
    """Have another policy decide."""
    source = read_source(policy)
    await at.shop.store.write(
        lambda tx: policies.load(tx, at.shop.graph.name, source, at=NOW, by="test")
    )


async def turn_back(store: Store, gate: Gate, column: str) -> None:
    """Have an instant of a gate be over."""
    past = datetime(2020, 1, 1, tzinfo=UTC)
    await store.write(
        lambda tx: tx.execute(
            update(gates_table).where(gates_table.c.id == gate.id).values({column: past})
        )
    )


async def test_a_rejection_reaches_the_model_with_its_reason(store: Store) -> None:
    at = model_desk(store, 900)
    run = await at.shop.run(given={"messages": []})
    gate = await at.gate(run)
    await at.approve(gate, "eve")
    await at.shop.approvals.reject(
        gate.id, by="bob", binding=gate.binding or "", reason="that is no invoice"
    )
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    said = from_json(told(await at.shop.values(run))["call-0"])
    assert said["code"] == "rejected"
    assert said["message"] == "`bob` rejected it: that is no invoice"
    assert at.paid == []


async def test_a_rejection_reaches_code_as_an_error(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    gate = await at.gate(run)
    await at.shop.approvals.reject(gate.id, by="bob", binding=gate.binding or "", reason="not now")
    run = await at.shop.go_on(run)
    assert run.failure is not None
    assert "`bob` rejected it: not now" in run.failure.message
    assert at.paid == []


async def test_a_response_stands_in_place_of_the_result(store: Store) -> None:
    at = model_desk(store, 900)
    run = await at.shop.run(given={"messages": []})
    gate = await at.gate(run)
    await at.shop.approvals.respond(
        gate.id, "pay in two parts", by="bob", binding=gate.binding or ""
    )
    run = await at.shop.go_on(run)
    said = from_json(told(await at.shop.values(run))["call-0"])
    assert (said["code"], said["message"]) == ("responded", "pay in two parts")
    assert at.paid == []


async def test_a_call_that_nobody_decided_about_is_denied_in_the_end(store: Store) -> None:
    at = model_desk(store, 900)
    run = await at.shop.run(given={"messages": []})
    gate = await at.approve(await at.gate(run), "bob")
    await turn_back(store, gate, "expires_at")
    async with at.shop.worker():
        run = await at.shop.until(run, RunStatus.SUCCEEDED)
    assert from_json(told(await at.shop.values(run))["call-0"])["code"] == "gate_expired"
    assert at.paid == []


async def test_a_run_fails_where_the_policy_says_so_and_a_redrive_asks_again(
    store: Store, tmp_path: Path
) -> None:
    policy = asks(tmp_path, ONE.format(more='@on_expiry("fail")'))
    at = model_desk(store, 900, policy=policy)
    run = await at.shop.run(given={"messages": []})
    gate = await at.gate(run)
    await turn_back(store, gate, "expires_at")
    async with at.shop.worker():
        run = await at.shop.until(run, RunStatus.FAILED)
    assert run.failure is not None
    assert run.failure.code is FailureCode.GATE_EXPIRED
    assert run.epoch == 1, "it failed where it waited"
    run = await at.shop.runtime.redrive(run.id, by="olga")
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.WAITING, run.failure
    again = await at.gate(run)
    assert (again.id != gate.id, again.binding) == (True, gate.binding)
    await at.approve(again, "bob")
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert at.paid == [900]


async def test_a_tool_node_that_swallows_errors_does_not_go_on_past_a_gate_that_fails_the_run(
    store: Store, tmp_path: Path
) -> None:
    at = model_desk(store, 600, 700, policy=asks(tmp_path, ONE.format(more='@on_expiry("fail")')))
    graph = talking(
        "pay",
        [{"amount": 600}, {"amount": 700}],
        *at.shop.graph.tools.values(),
        handle_tool_errors=True,
    )
    at.shop = Shop(store, graph, policy=at.shop.policy, people=at.staff)
    run = await at.shop.run(given={"messages": []})
    first, second = await at.shop.runtime.gates(run.id)
    await at.approve(first, "bob")
    await turn_back(store, second, "expires_at")
    # Its run is on its way, so that nobody fails it where it waits.
    await store.write(lambda tx: gates.expire(tx, limit=10, at=NOW, actor="test"))
    run = await at.shop.go_on(run)
    assert run.failure is not None, await at.shop.values(run)
    assert run.failure.code is FailureCode.GATE_EXPIRED


async def test_whom_it_was_escalated_to_decides_for_every_group(
    store: Store, tmp_path: Path
) -> None:
    terms = '@escalate_after("PT1H") @escalate_to("managers")'
    at = model_desk(store, 900, policy=asks(tmp_path, ONE.format(more=terms)))
    run = await at.shop.run(given={"messages": []})
    gate = await at.gate(run)
    await turn_back(store, gate, "escalates_at")
    async with at.shop.worker(), asyncio.timeout(30):
        while (gate := await at.gate(run)).escalated_at is None:  # noqa: ASYNC110  (the store tells)
            await asyncio.sleep(0.01)
    gate = await at.approve(gate, "max")
    assert gate.is_approved
    run = await at.shop.go_on(run)
    assert at.paid == [900]


async def test_whoever_was_lent_a_seat_approves_for_it(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    gate = await at.gate(run)
    await at.shop.approvals.delegate(
        tenant="default",
        from_person="eve",
        to_person="dan",
        ends_at=SystemClock().now() + timedelta(days=1),
        by="eve",
    )
    gate = await at.approve(gate, "bob", "dan")
    assert gate.is_approved
    assert [(vote.person, vote.seat) for vote in await at.shop.approvals.votes(gate.id)] == [
        ("bob", "bob"),
        ("dan", "eve"),
    ]
    await at.shop.go_on(run)
    assert at.paid == [900]


async def test_one_alone_approves_in_an_emergency_and_the_audit_tells_of_it(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    gate = await at.gate(run)
    gate = await at.shop.approvals.break_glass(
        gate.id, by="bea", binding=gate.binding or "", reason="the plant is on fire"
    )
    assert gate.is_approved
    await at.shop.go_on(run)
    assert at.paid == [900]
    (told_of,) = [
        event
        for event in await at.shop.runtime.history(run.id)
        if event.action == "gate.glass_broken"
    ]
    assert (told_of.actor, told_of.detail["reason"]) == ("bea", "the plant is on fire")


# ---- several at once ----


@pytest.mark.parametrize("order", sorted(itertools.permutations((600, 700, 800))))
async def test_calls_of_one_message_are_decided_in_any_order_and_never_crossed(
    sqlite_store: Store, order: Sequence[int]
) -> None:
    at = model_desk(sqlite_store, 600, 700, 800)
    run = await at.shop.run(given={"messages": []})
    found = await at.shop.runtime.gates(run.id)
    by_amount = {from_json(gate.question)["arguments"]["amount"]: gate for gate in found}
    assert sorted(by_amount) == [600, 700, 800]
    for amount in order:
        gate = by_amount[amount]
        if amount == 700:
            await at.shop.approvals.reject(
                gate.id, by="bob", binding=gate.binding or "", reason="not this one"
            )
        else:
            await at.approve(gate, "bob", "eve")
        run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    said = told(await at.shop.values(run))
    assert (said["call-0"], said["call-2"]) == ("paid 600", "paid 800")
    assert from_json(said["call-1"])["code"] == "rejected"
    assert sorted(at.paid) == [600, 800]


async def test_calls_that_are_decided_before_anybody_goes_on_are_not_crossed(store: Store) -> None:
    at = model_desk(store, 600, 700, 800)
    run = await at.shop.run(given={"messages": []})
    for gate in await at.shop.runtime.gates(run.id):
        if from_json(gate.question)["arguments"]["amount"] == 600:
            await at.shop.approvals.reject(
                gate.id, by="bob", binding=gate.binding or "", reason="not this one"
            )
        else:
            await at.approve(gate, "bob", "eve")
    await at.shop.go_on(run)
    assert sorted(at.paid) == [700, 800]


async def test_a_call_that_was_approved_happens_once_while_another_waits(store: Store) -> None:
    at = model_desk(store, 600, 700, 800)
    run = await at.shop.run(given={"messages": []})
    first, second, third = sorted(
        await at.shop.runtime.gates(run.id),
        key=lambda gate: from_json(gate.question)["arguments"]["amount"],
    )
    await at.approve(first, "bob", "eve")
    run = await at.shop.go_on(run)
    assert (run.status, at.paid) == (RunStatus.WAITING, [600])
    await at.shop.approvals.reject(second.id, by="bob", binding=second.binding or "", reason="no")
    run = await at.shop.go_on(run)
    assert (run.status, at.paid) == (RunStatus.WAITING, [600])
    await at.approve(third, "bob", "eve")
    run = await at.shop.go_on(run)
    assert (run.status, at.paid) == (RunStatus.SUCCEEDED, [600, 800])


# ---- what changes while people are asked ----


async def test_another_policy_that_asks_asks_anew(store: Store, tmp_path: Path) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    before = await at.approve(await at.gate(run), "bob")
    await swap(at, asks(tmp_path, ONE.format(more="")))
    run = await at.shop.go_on(run)
    async with at.shop.worker():
        gate = await gate_after(at, run, before)
    assert gate.approvals == {"finance": 1}
    assert at.paid == []
    with pytest.raises(GateClosed, match="superseded"):
        await at.approve(before, "eve")
    await at.approve(gate, "bob")
    await at.shop.go_on(run)
    assert at.paid == [900]


async def gate_after(at: Desk, run: Run, before: Gate) -> Gate:
    """Return the gate that a run asks at in place of another."""
    async with asyncio.timeout(30):
        while True:
            found = await at.shop.runtime.gates(run.id)
            asking = [gate for gate in found if gate.status is GateStatus.OPEN]
            if asking and asking[-1].id != before.id:
                return asking[-1]
            await asyncio.sleep(0.01)


async def test_another_policy_that_allows_lets_the_call_happen(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    gate = await at.gate(run)
    await swap(at, OPEN)
    async with at.shop.worker():
        run = await at.shop.until(run, RunStatus.SUCCEEDED)
    assert at.paid == [900]
    (gate,) = await at.shop.runtime.gates(run.id)
    assert gate.status is GateStatus.SUPERSEDED, "it asks about what has happened"


async def test_another_policy_that_denies_refuses_what_was_asked(
    store: Store, tmp_path: Path
) -> None:
    at = model_desk(store, 900)
    run = await at.shop.run(given={"messages": []})
    await swap(at, asks(tmp_path, "", allow=NOBODY))
    async with at.shop.worker():
        run = await at.shop.until(run, RunStatus.SUCCEEDED)
    assert from_json(told(await at.shop.values(run))["call-0"])["code"] == "denied"
    assert at.paid == []
    (gate,) = await at.shop.runtime.gates(run.id)
    assert gate.status is GateStatus.SUPERSEDED


async def test_a_rejected_call_does_not_happen_under_a_policy_that_would_allow_it(
    store: Store,
) -> None:
    at = model_desk(store, 900)
    run = await at.shop.run(given={"messages": []})
    gate = await at.gate(run)
    await at.shop.approvals.reject(gate.id, by="bob", binding=gate.binding or "", reason="no")
    await swap(at, OPEN)
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert from_json(told(await at.shop.values(run))["call-0"])["code"] == "rejected"
    assert at.paid == []


async def test_a_rejected_call_does_not_happen_because_nobody_would_be_asked_any_more(
    store: Store, tmp_path: Path
) -> None:
    paid: list[int] = []
    risky = [True]

    def is_risky(amount: int) -> bool:
        return risky[0] and amount > 0

    @tool(effect="unsafe", facts={"risky": fact(is_risky, type="truth")})
    async def pay(amount: int) -> str:
        """Pay somebody."""
        paid.append(amount)
        return f"paid {amount}"

    policy = asks(
        tmp_path,
        '@id("risky") @gate("finance") permit(principal, action, resource)'
        " when { context.facts.risky };",
    )
    staff = Staff()
    graph = talking("pay", [{"amount": 900}], pay)
    at = Desk(Shop(store, graph, policy=policy, people=staff), staff, paid)
    run = await at.shop.run(given={"messages": []})
    gate = await at.gate(run)
    await at.shop.approvals.reject(gate.id, by="bob", binding=gate.binding or "", reason="no")
    risky[0] = False
    run = await at.shop.go_on(run)
    assert from_json(told(await at.shop.values(run))["call-0"])["code"] == "rejected"
    assert paid == []


class Swapping(Staff):
    """People who act when a call is decided about, before anything comes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.then: list[Callable[[], object]] = []

    def principal(self, user: str, agent: str, tenant: str) -> Principal:
        """Return them, and act once."""
        while self.then and agent:
            self.then.pop()()
        return super().principal(user, agent, tenant)


async def test_a_call_is_decided_anew_where_its_policy_changes_before_it_begins(
    store: Store, tmp_path: Path
) -> None:
    at = model_desk(store, 100)
    staff = Swapping()
    at.shop = Shop(store, at.shop.graph, policy=DESK, people=staff)
    source = read_source(asks(tmp_path, "", allow=NOBODY))
    staff.then.append(
        lambda: store.write_blocking(lambda tx: policies.load(tx, "chain", source, at=NOW, by="x"))
    )
    run = await at.shop.run(given={"messages": []})
    assert from_json(told(await at.shop.values(run))["call-0"])["code"] == "denied"
    assert at.paid == []


async def test_nobody_is_asked_under_a_policy_that_is_not_any_more(
    store: Store, tmp_path: Path
) -> None:
    at = model_desk(store, 900)
    staff = Swapping()
    at.shop = Shop(store, at.shop.graph, policy=DESK, people=staff)
    source = read_source(asks(tmp_path, ONE.format(more="")))
    staff.then.append(
        lambda: store.write_blocking(lambda tx: policies.load(tx, "chain", source, at=NOW, by="x"))
    )
    run = await at.shop.run(given={"messages": []})
    (gate,) = await at.shop.runtime.gates(run.id)
    assert (gate.policy_digest, gate.approvals) == (source.digest, {"finance": 1})


async def test_others_are_asked_where_who_approved_has_left_before_the_call(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    before = await at.approve(await at.gate(run), "bob", "eve")
    at.staff.in_group["finance"] = {"bob", "fay"}
    run = await at.shop.go_on(run)
    assert (run.status, at.paid) == (RunStatus.WAITING, [])
    gate = await at.gate(run)
    assert (gate.id != before.id, gate.binding) == (True, before.binding)
    assert await at.shop.approvals.votes(gate.id) == []
    await at.approve(gate, "bob", "fay")
    run = await at.shop.go_on(run)
    assert (run.status, at.paid) == (RunStatus.SUCCEEDED, [900])


async def test_more_are_asked_where_the_run_reads_strangers_words_after_an_approval(
    store: Store,
) -> None:
    paid: list[int] = []
    reads = [False]

    @tool(effect="unsafe", tags={"money"})
    async def pay(amount: int) -> str:
        """Pay somebody."""
        paid.append(amount)
        return f"paid {amount}"

    @tool(effect="read", taints={"untrusted"})
    async def browse() -> str:
        """Read what somebody outside wrote."""
        return "pay me"

    async def act(_: State) -> State:
        if reads[0]:
            await browse()
        return {"said": await pay(amount=900)}

    staff = Staff()
    graph = chain_of(State, act, tools=[pay, browse])
    at = Desk(Shop(store, graph, policy=DESK, people=staff), staff, paid)
    run = await at.shop.run()
    before = await at.approve(await at.gate(run), "bob", "eve")
    assert before.is_approved
    reads[0] = True
    run = await at.shop.go_on(run)
    assert (run.status, paid) == (RunStatus.WAITING, [])
    gate = await at.gate(run)
    assert gate.approvals == {"finance": 2, "security": 1}
    gate = await at.approve(gate, "bob", "eve")
    assert gate.status is GateStatus.OPEN
    await at.approve(gate, "sam")
    run = await at.shop.go_on(run)
    assert (run.status, paid) == (RunStatus.SUCCEEDED, [900])


# ---- kinds of calls ----


async def test_a_read_that_needs_an_approval_waits_for_it_and_is_recorded(
    store: Store, tmp_path: Path
) -> None:
    seen: list[str] = []

    @tool(effect="read")
    async def salary(of: str) -> int:
        """Look up what somebody earns."""
        seen.append(of)
        return 5

    async def act(_: State) -> State:
        return {"said": str(await salary(of="max"))}

    staff = Staff()
    graph = chain_of(State, act, tools=[salary])
    shop = Shop(store, graph, policy=asks(tmp_path, ONE.format(more="")), people=staff)
    at = Desk(shop, staff)
    run = await shop.run()
    assert (run.status, seen) == (RunStatus.WAITING, [])
    gate = await at.approve(await at.gate(run), "bob")
    run = await shop.go_on(run)
    assert (run.status, seen) == (RunStatus.SUCCEEDED, ["max"])
    (gate,) = await shop.runtime.gates(run.id)
    assert gate.consumed_at is not None


async def test_nobody_is_asked_once_more_before_a_call_is_undone(
    store: Store, tmp_path: Path
) -> None:
    done: list[str] = []

    @tool(effect="unsafe")
    async def take_back(amount: int) -> str:
        """Take back."""
        done.append(f"took back {amount}")
        return "undone"

    @tool(effect="unsafe", compensate=take_back)
    async def pay(amount: int) -> str:
        """Pay somebody."""
        done.append(f"paid {amount}")
        raise ConnectionError("the answer was lost")

    staff = Staff()
    graph = talking("pay", [{"amount": 900}], pay, take_back)
    policy = asks(tmp_path, ONE.format(more=""))
    at = Desk(Shop(store, graph, policy=policy, people=staff), staff)
    run = await at.shop.run(given={"messages": []})
    await at.approve(await at.gate(run), "bob")
    run = await at.shop.go_on(run)
    gate = await at.gate(run)
    assert gate.kind is GateKind.IN_DOUBT
    lands_no_more(store)
    await at.shop.runtime.decide(gate.id, {"answer": "compensate"}, by="olga")
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert done == ["paid 900", "took back 900"]


async def test_an_approval_still_counts_when_the_function_itself_asks(
    store: Store, tmp_path: Path
) -> None:
    paid: list[str] = []

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay somebody, from an account that is asked for."""
        account = interrupt("which account?")
        paid.append(f"{amount} from {account}")
        return "paid"

    staff = Staff()
    graph = talking("pay", [{"amount": 900}], pay)
    at = Desk(Shop(store, graph, policy=asks(tmp_path, ONE.format(more="")), people=staff), staff)
    run = await at.shop.run(given={"messages": []})
    await at.approve(await at.gate(run), "bob")
    run = await at.shop.go_on(run)
    question = await at.gate(run)
    assert (question.kind, paid) == (GateKind.QUESTION, [])
    await at.shop.runtime.decide(question.id, "ours", by="ann")
    run = await at.shop.go_on(run)
    assert (run.status, paid) == (RunStatus.SUCCEEDED, ["900 from ours"])
    kinds = Counter(gate.kind for gate in await at.shop.runtime.gates(run.id))
    assert kinds == {GateKind.APPROVAL: 1, GateKind.QUESTION: 1}


async def test_a_simulated_run_asks_nobody_about_what_it_does_not_do(store: Store) -> None:
    at = model_desk(store, 900)
    given: Any = {"messages": []}
    run = await at.shop.runtime.start("chain", given, actor="ann", mode=RunMode.SIMULATE)
    run = await at.shop.go_on(run)
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert await at.shop.runtime.gates(run.id) == []
    assert at.paid == []


# ---- copies of threads ----


async def test_a_copy_asks_for_itself_and_leaves_the_gate_of_the_other_run_alone(
    store: Store,
) -> None:
    at = model_desk(store, 900)
    first = await at.shop.run(given={"messages": []})
    gate = await at.gate(first)
    await at.shop.saver.acopy_thread(first.thread_id, "copy")
    second = await at.shop.runtime.start("chain", {"messages": []}, actor="ann", thread_id="copy")
    second = await at.shop.go_on(second)
    other = await at.gate(second)
    assert other.id != gate.id
    assert other.effect_key == gate.effect_key
    assert (await at.gate(first)).id == gate.id
    await at.approve(gate, "bob", "eve")
    first = await at.shop.go_on(first)
    assert (first.status, at.paid) == (RunStatus.SUCCEEDED, [900])
    await at.approve(other, "bob", "eve")
    second = await at.shop.go_on(second)
    assert (second.status, at.paid) == (RunStatus.SUCCEEDED, [900])


async def test_a_copy_that_does_the_same_asks_everybody_at_one_gate(store: Store) -> None:
    at = desk(store, 900)
    run = await at.shop.run()
    await at.approve(await at.gate(run), "bob", "eve")
    run = await at.shop.go_on(run)
    await at.shop.saver.acopy_thread(run.thread_id, "copy")
    copied = await at.shop.runtime.start("chain", {}, actor="ann", thread_id="copy")
    copied = await at.shop.go_on(copied)
    gate = await at.gate(copied)
    assert from_json(gate.question)["rules"] == ["large", "done-before-the-copy"]
    await at.approve(gate, "bob", "eve", "olga")
    copied = await at.shop.go_on(copied)
    assert (copied.status, at.paid) == (RunStatus.SUCCEEDED, [900, 900])
    assert len(await at.shop.runtime.gates(copied.id)) == 1


async def test_a_copy_of_a_thread_is_given_what_an_edited_call_came_to(store: Store) -> None:
    at = model_desk(store, 900)
    run = await at.shop.run(given={"messages": []})
    gate = await at.gate(run)
    at.staff.in_group["finance"].add("fay")
    edited = await at.shop.approvals.edit(
        gate.id, {"amount": 700}, by="bob", binding=gate.binding or ""
    )
    await at.approve(edited, "eve", "fay")
    await at.shop.go_on(run)
    await at.shop.saver.acopy_thread(run.thread_id, "copy")
    copied = await at.shop.runtime.start("chain", {"messages": []}, actor="ann", thread_id="copy")
    copied = await at.shop.go_on(copied)
    assert told(await at.shop.values(copied)) == {"call-0": "paid 700"}
    assert at.paid == [700]


# ---- calls that have begun ----


async def test_a_call_that_began_and_is_denied_then_is_in_doubt_and_not_refused(
    store: Store, tmp_path: Path
) -> None:
    council = Council(store)
    call = await council.start()
    gate = await council.gate(call)
    await council.approvals.approve(gate.id, by="bob", binding=gate.binding or "")
    await council.claim(call, gate)
    source = read_source(asks(tmp_path, "", allow=NOBODY))
    await store.write(lambda tx: policies.load(tx, council.graph.name, source, at=NOW, by="test"))
    outcome = await council.through(call, nothing)
    assert isinstance(outcome, InDoubt)
    assert "may not be repeated" in outcome.message


async def nothing(approved: ApprovedCall) -> Outcome:
    """Fail where a call gets through that should not."""
    raise AssertionError(f"`{approved.call.tool.name}` got through")


async def test_an_approval_counts_for_every_attempt_of_its_call(store: Store) -> None:
    council = Council(store)
    call = await council.start()
    gate = await council.gate(call)
    await council.approvals.approve(gate.id, by="bob", binding=gate.binding or "")
    effect, _ = await council.claim(call, gate)
    await council.failed(effect)
    council.staff.in_group["finance"].remove("bob")
    effect, is_begun = await council.claim(call, gate)
    assert (effect.attempt, is_begun) == (2, True)


async def test_a_gate_is_not_enough_that_asks_more_people_than_are_wanted(store: Store) -> None:
    council = Council(store)
    gate = await council.gate(await council.start("slow"))
    rule = GateRule(id="slow", group="finance", escalates_s=3600.0, escalates_to="managers")
    assert covers(gate, terms_of([rule], "ann"))
    strict = replace(rule, escalates_s=None, escalates_to=None)
    assert not covers(gate, terms_of([strict], "ann")), "`managers` are not asked"


async def test_what_is_asked_already_is_left_as_it_is(store: Store) -> None:
    council = Council(store)
    call = await council.start()
    gate = await council.gate(call)
    again = NewApproval(
        id=GateId("another"),
        tenant=gate.tenant,
        run_id=gate.run_id,
        effect_key=call.key,
        binding=gate.binding or "",
        policy_digest=gate.policy_digest or "",
        question="{}",
        terms=terms_of([GateRule(id="one", group="security")], "ann"),
    )
    found = await store.write(lambda tx: gates.open_approval(tx, again, at=NOW, actor="worker"))
    assert found == gate


async def test_an_edit_asks_all_who_were_asked_before_it(store: Store) -> None:
    council = Council(store)
    gate = await council.gate(await council.start("two"))
    edited = await council.approvals.edit(
        gate.id, {"amount": 900, "note": "one"}, by="bob", binding=gate.binding or ""
    )
    assert edited.approvals == {"finance": 2}


async def test_what_was_refused_stays_refused_though_others_were_asked_about(store: Store) -> None:
    council = Council(store)
    call = await council.start()
    gate = await council.gate(call)
    await council.approvals.reject(gate.id, by="bob", binding=gate.binding or "", reason="no")
    await council.gate(replace(call, arguments={"amount": 901, "note": "one"}))
    outcome = await council.through(call, nothing)
    assert isinstance(outcome, Refused)
    assert outcome.code == "rejected"


async def test_the_last_edit_counts_where_one_before_was_used_up(
    store: Store, tmp_path: Path
) -> None:
    council = Council(store)
    call = await council.start()
    gate = await council.gate(call)
    gate = await council.approvals.edit(
        gate.id, {"amount": 700, "note": "one"}, by="bob", binding=gate.binding or ""
    )
    gate = await council.approvals.approve(gate.id, by="eve", binding=gate.binding or "")
    edited = replace(call, arguments={"amount": 700, "note": "one"})
    effect, _ = await council.claim(edited, gate)
    await council.failed(effect)
    source = read_source(asks(tmp_path, ONE.format(more="")))
    await store.write(lambda tx: policies.load(tx, council.graph.name, source, at=NOW, by="test"))
    gate = await council.gate(call)
    last = await council.approvals.edit(
        gate.id, {"amount": 600, "note": "one"}, by="eve", binding=gate.binding or ""
    )
    assert (await council.gate(call)).id == last.id
