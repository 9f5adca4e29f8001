"""A run's states are read as plain data, without its graph, and nothing in them is run."""

from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel

from penstock.checkpoints import Store, states, steps
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.redaction import Masking
from penstock.contracts.run import Run, RunStatus
from penstock.graphs import declare
from penstock.nodes import tool
from support.shops import Shop, chain_of


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    count: int
    place: Any


@dataclass
class Place:
    """A type that only the project knows."""

    name: str


class Model(BaseModel):
    """Another one."""

    number: int


async def say(state: Talk) -> dict[str, Any]:
    del state
    return {"messages": [AIMessage("hello", id="m1")], "place": [Place("here"), Model(number=3)]}


async def count(state: Talk) -> Talk:
    return {"count": state.get("count", 0) + 1}


def points_of(store: Store, run: Run) -> list[CheckpointInfo]:
    return list(store.read_blocking(lambda tx: states.points(tx, run.id, limit=100)))


async def test_checkpoints_of_a_run_are_listed_with_what_ran_from_them(store: Store) -> None:
    run = await Shop(store, chain_of(Talk, say, count)).run(given={"messages": []})
    found = points_of(store, run)
    assert [(point.number, point.source) for point in found] == [
        (-1, "input"),
        (0, "loop"),
        (1, "loop"),
        (2, "loop"),
    ]
    assert [point.parent_id for point in found[1:]] == [point.id for point in found[:-1]]
    taken = store.read_blocking(lambda tx: steps.of_run(tx, run.id))
    assert [point.tasks for point in found[1:3]] == [(step.task_id,) for step in taken]
    assert [step.node for step in taken] == ["say", "count"]
    assert found[0].at <= found[-1].at


async def test_state_is_plain_data_and_types_of_the_project_are_what_they_were_made_of(
    store: Store,
) -> None:
    run = await Shop(store, chain_of(Talk, say, count)).run(given={"messages": []})
    last = points_of(store, run)[-1]
    found = store.read_blocking(lambda tx: states.state(tx, last))
    assert found.values["count"] == 1
    (said,) = found.values["messages"]
    assert (said["type"], said["content"], said["id"]) == ("ai", "hello", "m1")
    assert found.values["place"] == [{"name": "here"}, {"number": 3}]
    assert set(found.values) == {"count", "messages", "place"}


async def test_state_before_is_that_of_the_checkpoint_before(store: Store) -> None:
    run = await Shop(store, chain_of(Talk, say, count)).run(given={"messages": []})
    first, *_, last = points_of(store, run)
    before = store.read_blocking(lambda tx: states.state_before(tx, last))
    assert "count" not in before.values
    assert store.read_blocking(lambda tx: states.state_before(tx, first)).values == {}


async def test_step_has_what_it_wrote_and_what_it_was_sent(store: Store) -> None:
    async def plan(state: Talk) -> Command[Any]:
        del state
        return Command(goto=[Send("work", {"count": 7}), Send("work", {"count": 8})])

    async def work(state: Talk) -> Talk:
        return {"place": state.get("count")} if state.get("count") == 7 else {"count": 8}

    graph: Any = StateGraph(Talk)
    graph.add_node("plan", plan, destinations=("work",))
    graph.add_node("work", work)
    graph.add_edge(START, "plan")
    run = await Shop(store, declare(graph, name="chain")).run(given={"messages": []})
    assert run.status is RunStatus.SUCCEEDED, run.failure
    point = next(each for each in points_of(store, run) if len(each.tasks) == 2)
    found = [
        store.read_blocking(lambda tx, task=task: states.execution(tx, point, task))
        for task in point.tasks
    ]
    assert [(each.was_sent, each.sent) for each in found] == [
        (True, {"count": 7}),
        (True, {"count": 8}),
    ]
    assert [[(one.channel, one.value) for one in each.written] for each in found] == [
        [("place", 7)],
        [("count", 8)],
    ]


async def test_step_that_waits_has_begun_at_the_last_checkpoint(store: Store) -> None:
    async def ask(state: Talk) -> Talk:
        del state
        return {"place": interrupt("where?")}

    run = await Shop(store, chain_of(Talk, ask)).run(given={"messages": []})
    (step,) = store.read_blocking(lambda tx: steps.of_run(tx, run.id))
    last = points_of(store, run)[-1]
    assert step.task_id in last.tasks
    found = store.read_blocking(lambda tx: states.execution(tx, last, step.task_id))
    assert found.written == []


async def test_no_more_checkpoints_are_listed_than_asked_for_and_the_newest_are(
    store: Store,
) -> None:
    run = await Shop(store, chain_of(Talk, say, count)).run(given={"messages": []})
    found = store.read_blocking(lambda tx: states.points(tx, run.id, limit=2))
    assert [point.number for point in found] == [1, 2]


def test_what_contracts_mark_is_hidden_wherever_it_stands() -> None:
    @tool(effect="unsafe", sensitive=["iban"])
    async def pay(iban: str, cents: int) -> str:
        """Pay."""
        return f"{iban} {cents}"

    graph = chain_of(Talk, say, tools=[pay])
    call: Any = {"name": "pay", "args": {"iban": "DE0012", "cents": 5}, "id": "c"}
    before: Any = {"messages": [], "place": "my account is DE0012"}
    after = {
        "messages": [AIMessage("", tool_calls=[call]), ToolMessage("to DE0012", tool_call_id="c")]
    }
    first, second = Masking(graph.sensitive).mask(before, after)
    assert first["place"] == "my account is [hidden]"
    assert second["messages"][0]["tool_calls"][0]["args"] == {"iban": "[hidden]", "cents": 5}
    assert second["messages"][1]["content"] == "to [hidden]"
    (early,) = Masking(graph.sensitive, after).mask(before)
    assert early["place"] == "my account is [hidden]"
