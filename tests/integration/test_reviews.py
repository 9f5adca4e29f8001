"""Requests to review tool calls, as LangChain's middleware makes them: asked, refused, answered."""

import itertools
import json
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt

from penstock.checkpoints import Store
from penstock.contracts.errors import InvalidAnswer
from penstock.contracts.gate import GateStatus
from penstock.contracts.run import RunStatus
from penstock.graphs import declare
from penstock.nodes import tool
from support.shops import Shop, chain_of

ACTIONS = [
    {"name": "pay", "args": {"cents": 5}, "description": "Tool execution requires approval"},
    {"name": "wipe", "args": {"disk": "a"}},
    {"name": "pay", "args": {"cents": 7}},
]
PAY, WIPE = ["approve", "edit", "reject", "respond"], ["approve", "reject"]
BATCH = {
    "action_requests": ACTIONS,
    "review_configs": [
        {"action_name": "pay", "allowed_decisions": PAY},
        {"action_name": "wipe", "allowed_decisions": WIPE},
        {"action_name": "pay", "allowed_decisions": PAY},
    ],
}
APPROVE: dict[str, Any] = {"type": "approve"}
REJECT: dict[str, Any] = {"type": "reject", "message": "not today"}
EDIT: dict[str, Any] = {"type": "edit", "edited_action": {"name": "pay", "args": {"cents": 1}}}


class State(TypedDict, total=False):
    decided: Annotated[list[Any], operator.add]


def ask_for_all(_: State) -> State:
    return {"decided": interrupt(BATCH)["decisions"]}


async def test_all_calls_of_a_message_are_reviewed_at_one_gate(store: Store) -> None:
    shop = Shop(store, chain_of(State, ask_for_all))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    for refused, where in (
        ({"decisions": [APPROVE]}, r"`\$\.decisions`: 1 were given, and 3 are wanted"),
        ({"decisions": [APPROVE, EDIT, APPROVE]}, r"`\$\.decisions\[1\]`: its `type` must be one"),
        ("approve", r"`\$`: 'approve' is not of type 'object'"),
    ):
        with pytest.raises(InvalidAnswer, match=where):
            await shop.runtime.decide(gate.id, refused, by="ann")
    decisions = [EDIT, REJECT, APPROVE]
    await shop.runtime.decide(gate.id, {"decisions": decisions}, by="ann")
    run = await shop.go_on(run)
    assert (await shop.values(run))["decided"] == decisions


async def test_each_call_is_reviewed_at_a_gate_of_its_own_in_any_order(store: Store) -> None:
    def ask_for_one(given: Any) -> State:
        decision = interrupt(given)
        return {"decided": [(given["tool_call_id"], decision["type"])]}

    requests = [
        {**action, "type": "tool_approval", "tool_call_id": f"c{number}"}
        for number, action in enumerate(ACTIONS)
    ]
    graph: Any = StateGraph(State)
    graph.add_node("ask", ask_for_one)
    graph.add_conditional_edges(START, lambda _: [Send("ask", each) for each in requests], ["ask"])
    shop = Shop(store, declare(graph, name="chain"))
    said = {"c0": APPROVE, "c1": REJECT, "c2": APPROVE}
    for order in itertools.permutations(said):
        run = await shop.run()
        found = {
            json.loads(gate.question)["tool_call_id"]: gate
            for gate in await shop.runtime.gates(run.id)
        }
        for call_id in order:
            with pytest.raises(InvalidAnswer, match="must be one of `approve`, `reject`"):
                await shop.runtime.decide(found[call_id].id, EDIT, by="ann")
            await shop.runtime.decide(found[call_id].id, said[call_id], by="ann")
            run = await shop.go_on(run)
        assert run.status is RunStatus.SUCCEEDED, (order, run.failure)
        decided = (await shop.values(run))["decided"]
        assert [tuple(each) for each in decided] == [
            (call_id, decision["type"]) for call_id, decision in said.items()
        ], order


async def test_a_tool_may_ask_for_a_review(store: Store) -> None:
    @tool(effect="unsafe")
    async def clean() -> str:
        """Clean."""
        return str([each["type"] for each in interrupt(BATCH)["decisions"]])

    async def act(_: State) -> State:
        return {"decided": [await clean.ainvoke({})]}

    shop = Shop(store, chain_of(State, act, tools=[clean]))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    with pytest.raises(InvalidAnswer, match="1 were given, and 3 are wanted"):
        await shop.runtime.decide(gate.id, {"decisions": [APPROVE]}, by="ann")
    await shop.runtime.decide(gate.id, {"decisions": [APPROVE, REJECT, EDIT]}, by="ann")
    run = await shop.go_on(run)
    assert (await shop.values(run))["decided"] == ["['approve', 'reject', 'edit']"]


async def test_a_request_that_nobody_can_read_is_a_plain_question(store: Store) -> None:
    def ask(_: State) -> State:
        return {"decided": [interrupt({"action_requests": ACTIONS})]}

    shop = Shop(store, chain_of(State, ask))
    run = await shop.run()
    (gate,) = await shop.runtime.gates(run.id)
    assert (gate.status, gate.answer_schema) == (GateStatus.OPEN, None)
