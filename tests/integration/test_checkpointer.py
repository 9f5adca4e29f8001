"""What the checkpointer promises beyond LangGraph's conformance suite."""

import asyncio
import operator
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import CheckpointTuple, empty_checkpoint
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel
from sqlalchemy import delete, func, select, update

from penstock.checkpoints import Checkpointer, Store
from penstock.checkpoints.saver.deltas import LINKS
from penstock.checkpoints.schema import (
    checkpoint_namespaces,
    checkpoint_values,
    checkpoint_writes,
    checkpoints,
)
from penstock.contracts.errors import (
    CheckpointCorrupt,
    StoreBroken,
    ThreadExists,
    UnstorableValue,
    WriteLost,
)
from support.faults import CommitFails, Held
from support.graphs import LINE, Counted, chain, chat, delta_chat, on_thread


class Order(BaseModel):
    number: int


class Ordering(TypedDict):
    order: Order | None


TABLES = (checkpoint_namespaces, checkpoints, checkpoint_values, checkpoint_writes)


def row_counts(store: Store) -> dict[str, int]:
    """Return how many rows each of the checkpointer's tables holds."""
    return store.read_blocking(
        lambda connection: {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in TABLES
        }
    )


async def history(saver: Checkpointer, thread_id: str) -> list[CheckpointTuple]:
    """Return a thread's checkpoints, newest first."""
    return [found async for found in saver.alist(on_thread(thread_id))]


def said(found: CheckpointTuple | None) -> list[str]:
    """Return the ids of the messages in a checkpoint."""
    assert found is not None
    return [message.id for message in found.checkpoint["channel_values"]["messages"]]


async def talk(saver: Checkpointer, thread_id: str, *, until: int) -> None:
    """Have a conversation go on until it is so long."""
    await chat(saver).ainvoke(
        {"messages": [], "wanted": until}, on_thread(thread_id), durability="sync"
    )


# ---- what is stored ----


async def test_every_version_of_a_long_conversation_comes_back(saver: Checkpointer) -> None:
    wanted = LINKS * 3 + 5
    await talk(saver, "t", until=wanted)
    lengths = [
        len(found.checkpoint["channel_values"].get("messages", []))
        for found in await history(saver, "t")
    ]
    assert lengths == [*range(wanted, -1, -1), 0]
    assert said(await saver.aget_tuple(on_thread("t"))) == [str(n) for n in range(wanted)]


async def test_a_conversation_grows_by_what_is_said(store: Store, saver: Checkpointer) -> None:
    def stored_bytes() -> int:
        size = func.sum(func.length(checkpoint_values.c.data))
        return store.read_blocking(lambda c: c.execute(select(size)).scalar_one())

    await talk(saver, "t", until=100)
    first = stored_bytes()
    await talk(saver, "t", until=200)
    # The square of the length would make the second hundred three times the first.
    assert stored_bytes() - first < 2 * first


async def test_after_a_restart_the_chain_of_versions_goes_on(
    store: Store, saver: Checkpointer
) -> None:
    def whole_count() -> int:
        whole = select(func.count()).where(checkpoint_values.c.base_version.is_(None))
        return store.read_blocking(lambda connection: connection.execute(whole).scalar_one())

    await talk(saver, "t", until=20)
    before = whole_count()
    for until in range(21, 30):
        await talk(Checkpointer(store), "t", until=until)
    assert whole_count() == before
    assert said(await Checkpointer(store).aget_tuple(on_thread("t"))) == [str(n) for n in range(29)]


async def test_a_large_channel_that_does_not_change_is_stored_once(
    store: Store, saver: Checkpointer
) -> None:
    class State(TypedDict):
        document: str
        count: int

    graph: Any = StateGraph(State)
    graph.add_node("n", lambda state: {"count": state["count"] + 1})
    graph.add_edge(START, "n")
    graph.add_conditional_edges("n", lambda state: "n" if state["count"] % 5 else END)
    document = LINE * 100
    for each in (saver, Checkpointer(store)):
        compiled = graph.compile(checkpointer=each)
        state: Any = {"document": document, "count": 0} if each is saver else {"count": 0}
        await compiled.ainvoke(state, on_thread("t"), durability="sync")
        found = await each.aget_tuple(on_thread("t"))
        assert found is not None
        assert found.checkpoint["channel_values"]["document"] == document
    stored = select(func.count()).where(checkpoint_values.c.channel == "document")
    assert store.read_blocking(lambda connection: connection.execute(stored).scalar_one()) == 1


async def test_a_delta_channel_comes_back_at_every_checkpoint(saver: Checkpointer) -> None:
    graph = delta_chat(saver)
    await graph.ainvoke({"said": [], "wanted": 23}, on_thread("t"), durability="sync")
    lengths = [
        len(state.values.get("said", []))
        async for state in graph.aget_state_history(on_thread("t"))
    ]
    assert lengths == [*range(23, -1, -1), 0]
    again = delta_chat(Checkpointer(saver._store))
    assert len((await again.aget_state(on_thread("t"))).values["said"]) == 23
    more = await again.ainvoke({"said": [], "wanted": 30}, on_thread("t"), durability="sync")
    assert [part.split(":")[0] for part in more["said"]] == [str(n) for n in range(30)]


async def test_the_synchronous_face_does_the_same(saver: Checkpointer) -> None:
    graph: Any = StateGraph(Counted)
    graph.add_node("n", lambda state: {"count": state["count"] + 1, "path": ["n"]})
    graph.add_edge(START, "n")
    graph.add_conditional_edges("n", lambda state: "n" if state["count"] < 5 else END)
    compiled = graph.compile(checkpointer=saver)
    start: Any = {"count": 0, "path": []}
    assert compiled.invoke(start, on_thread("t"), durability="sync")["count"] == 5
    assert compiled.get_state(on_thread("t")).values["count"] == 5
    assert len(list(saver.list(on_thread("t")))) == 7
    assert len(list(saver.list(on_thread("t"), limit=3))) == 3
    saver.copy_thread("t", "u")
    saver.prune(["u"])
    assert len(list(saver.list(on_thread("u")))) == 1
    saver.delete_for_runs([])
    saver.delete_thread("t")
    assert saver.get_tuple(on_thread("t")) is None


async def test_types_of_the_graphs_state_come_back_as_they_were(saver: Checkpointer) -> None:
    graph: Any = StateGraph(Ordering)
    graph.add_node("n", lambda _: {"order": Order(number=7)})
    graph.add_edge(START, "n")
    compiled = graph.compile(checkpointer=saver)
    await compiled.ainvoke({"order": None}, on_thread("t"), durability="sync")
    assert (await compiled.aget_state(on_thread("t"))).values["order"] == Order(number=7)


async def test_sends_and_interrupts_are_kept(saver: Checkpointer) -> None:
    class State(TypedDict):
        got: Annotated[list[str], operator.add]

    class Part(TypedDict):
        name: str

    graph: Any = StateGraph(State)

    async def ask(part: Part) -> dict[str, list[str]]:
        return {"got": [f"{part['name']}={interrupt(part['name'])}"]}

    graph.add_node("ask", ask)
    graph.add_conditional_edges(START, lambda _: [Send("ask", {"name": n}) for n in "ab"], ["ask"])
    compiled = graph.compile(checkpointer=saver)
    await compiled.ainvoke({"got": []}, on_thread("t"), durability="sync")
    waiting = graph.compile(checkpointer=Checkpointer(saver._store))
    asked = (await waiting.aget_state(on_thread("t"))).interrupts
    answers = {one.id: str(one.value).upper() for one in asked}
    done = await waiting.ainvoke(Command(resume=answers), on_thread("t"), durability="sync")
    assert done["got"] == ["a=A", "b=B"]


async def test_a_fork_and_its_origin_keep_their_own_values(saver: Checkpointer) -> None:
    graph = chat(saver)
    await talk(saver, "t", until=6)
    third = next(found for found in await history(saver, "t") if len(said(found)) == 3)
    await graph.aupdate_state(
        third.config, {"messages": [AIMessage(LINE * 20, id="fork")]}, as_node="speak"
    )
    assert said(await saver.aget_tuple(on_thread("t"))) == ["0", "1", "2", "fork"]
    await graph.ainvoke(None, on_thread("t"), durability="sync")
    assert said(await saver.aget_tuple(on_thread("t"))) == ["0", "1", "2", "fork", "4", "5"]
    lengths = [len(said(found)) for found in (await history(saver, "t"))[:-2]]
    assert lengths == [6, 5, 4, 6, 5, 4, 3, 2, 1][: len(lengths)]


async def test_the_newest_checkpoint_is_the_last_to_arrive_whatever_clock_made_its_id(
    saver: Checkpointer,
) -> None:
    config = on_thread("t", checkpoint_ns="")
    for number, checkpoint_id in enumerate(("f", "b", "d")):
        checkpoint = {**empty_checkpoint(), "id": checkpoint_id}
        metadata: Any = {"source": "loop", "step": number, "parents": {}}
        config = await saver.aput(config, checkpoint, metadata, {})  # type: ignore[arg-type]
    newest = await saver.aget_tuple(on_thread("t"))
    assert newest is not None
    assert newest.checkpoint["id"] == "d"
    assert [found.checkpoint["id"] for found in await history(saver, "t")] == ["d", "b", "f"]
    before = on_thread("t", checkpoint_id="b")
    earlier = [found async for found in saver.alist(on_thread("t"), before=before)]
    assert [found.checkpoint["id"] for found in earlier] == ["f"]


async def test_a_long_history_is_listed_page_by_page(saver: Checkpointer) -> None:
    await chain(saver, length=150).ainvoke(
        {"count": 0, "path": []}, on_thread("t"), durability="sync"
    )
    assert len(await history(saver, "t")) == 152
    some = [found async for found in saver.alist(on_thread("t"), limit=70)]
    assert len(some) == 70
    step_9 = [found async for found in saver.alist(None, filter={"step": 9})]
    assert [found.metadata.get("step") for found in step_9] == [9]
    assert [found async for found in saver.alist(on_thread("t"), limit=0)] == []


# ---- one commit a step ----


@pytest.mark.parametrize("kind", [chat, delta_chat])
async def test_a_step_takes_one_commit(store: Store, saver: Checkpointer, kind: Any) -> None:
    channel = "messages" if kind is chat else "said"
    before = store.commit_count
    await kind(saver).ainvoke({channel: [], "wanted": 60}, on_thread("t"), durability="sync")
    assert (store.commit_count - before) / 60 <= 1.15


# ---- what cannot be stored ----


async def test_a_value_that_cannot_be_stored_fails_the_step_and_names_its_channel(
    store: Store, saver: Checkpointer
) -> None:
    class State(TypedDict):
        count: int
        tool: Any

    graph: Any = StateGraph(State)
    graph.add_node("good", lambda state: {"count": state["count"] + 1})
    graph.add_node("bad", lambda _: {"tool": {"run": len}})
    graph.add_edge(START, "good")
    graph.add_edge("good", "bad")
    compiled = graph.compile(checkpointer=saver)
    with pytest.raises(UnstorableValue, match=r"channel `tool` .* `tool\['run'\]`"):
        await compiled.ainvoke({"count": 0, "tool": None}, on_thread("t"), durability="sync")
    state = await compiled.aget_state(on_thread("t"))
    assert (state.values["count"], state.next) == (1, ("bad",))
    with pytest.raises(UnstorableValue, match=r"`__start__\['count'\]` is of type `int`"):
        await compiled.ainvoke({"count": 2**100}, on_thread("u"), durability="sync")
    assert row_counts(store)["checkpoint_namespaces"] == 1


async def test_a_thread_of_another_checkpointer_is_refused_with_the_reason(
    saver: Checkpointer,
) -> None:
    checkpoint: Any = {
        **empty_checkpoint(),
        "channel_values": {"text": LINE * 100},
        "channel_versions": {"text": "00001.5"},
    }
    with pytest.raises(UnstorableValue, match="another checkpointer"):
        await saver.aput(on_thread("t"), checkpoint, {}, {"text": "00001.5"})


# ---- writes answered early ----


async def test_a_reader_sees_every_write_that_was_answered(
    store: Store, saver: Checkpointer
) -> None:
    config = await saver.aput(on_thread("t"), empty_checkpoint(), {}, {})
    held = Held(store)
    await saver.aput_writes(config, [("text", "hello")], "task")
    reading = asyncio.create_task(saver.aget_tuple(on_thread("t")))
    await asyncio.sleep(0.01)
    assert not reading.done()
    held.let_go()
    found = await reading
    assert found is not None
    assert found.pending_writes == [("task", "text", "hello")]


async def test_writes_that_say_how_a_task_ended_are_durable_when_answered(
    store: Store, saver: Checkpointer
) -> None:
    config = await saver.aput(on_thread("t"), empty_checkpoint(), {}, {})
    for channel in ("__error__", "__interrupt__", "__resume__", "__new_in_a_later_version__"):
        held = Held(store)
        writing = asyncio.create_task(saver.aput_writes(config, [(channel, "x")], "task"))
        await asyncio.sleep(0.01)
        assert not writing.done()
        held.let_go()
        await writing


async def test_nothing_is_built_on_an_early_write_that_was_lost(
    store: Store, saver: Checkpointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = await saver.aput(on_thread("t"), empty_checkpoint(), {}, {})
    with CommitFails(monkeypatch, store):
        await saver.aput_writes(config, [("text", "lost")], "task")
        with pytest.raises(StoreBroken):
            await store.write(lambda _: None)
    for _ in range(2):
        with pytest.raises(WriteLost, match="did not reach the store"):
            await saver.aput(config, empty_checkpoint(), {}, {})
        await saver.aput_writes(config, [("text", "more")], "task2")
        with pytest.raises(WriteLost):
            await saver.aput(config, empty_checkpoint(), {}, {})
    found = await saver.aget_tuple(on_thread("t"))
    assert found is not None
    assert found.pending_writes == []
    await saver.aput(config, empty_checkpoint(), {}, {})


async def test_a_reader_is_told_of_an_early_write_that_was_lost(
    store: Store, saver: Checkpointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = await saver.aput(on_thread("t"), empty_checkpoint(), {}, {})
    with CommitFails(monkeypatch, store):
        await saver.aput_writes(config, [("text", "lost")], "task")
        with pytest.raises(WriteLost):
            await saver.aget_tuple(on_thread("t"))
    assert await saver.aget_tuple(on_thread("t")) is not None


async def test_a_graph_goes_on_from_its_last_checkpoint_after_a_failed_commit(
    store: Store, saver: Checkpointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = chat(saver)
    broken = CommitFails(monkeypatch, store)
    spoken = 0
    async for _ in graph.astream({"messages": [], "wanted": 9}, on_thread("t"), durability="sync"):
        spoken += 1
        if spoken == 4:
            break
    with broken, pytest.raises((StoreBroken, WriteLost)):
        await graph.ainvoke(None, on_thread("t"), durability="sync")
    done = await graph.ainvoke(None, on_thread("t"), durability="sync")
    assert [message.id for message in done["messages"]] == [str(n) for n in range(9)]
    fresh = await Checkpointer(store).aget_tuple(on_thread("t"))
    assert said(fresh) == [str(n) for n in range(9)]


async def test_a_version_that_was_undone_is_no_base_for_the_next(
    store: Store, saver: Checkpointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(saver, "t", until=3)
    found = await saver.aget_tuple(on_thread("t"))
    assert found is not None
    for _ in range(2):
        checkpoint = _with_messages(found, [AIMessage(LINE * 30, id="new")])
        versions = {"messages": checkpoint["channel_versions"]["messages"]}
        with CommitFails(monkeypatch, store), pytest.raises(StoreBroken):
            await saver.aput(found.config, checkpoint, {}, versions)
        await saver.aget_tuple(on_thread("t"))
        # Refused by the change itself, after it had stored a version.
        monkeypatch.setattr(saver._sql, "add_checkpoint", _refuse)
        with pytest.raises(ZeroDivisionError):
            await saver.aput(found.config, checkpoint, {}, versions)
        monkeypatch.undo()
        await saver.aget_tuple(on_thread("t"))
    checkpoint = _with_messages(found, [AIMessage(LINE * 30, id="kept")])
    versions = {"messages": checkpoint["channel_versions"]["messages"]}
    await saver.aput(found.config, checkpoint, {}, versions)
    assert said(await Checkpointer(store).aget_tuple(on_thread("t")))[-1] == "kept"


async def test_a_version_whose_commit_failed_is_no_base_for_the_next(
    store: Store, saver: Checkpointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(saver, "t", until=3)
    found = await saver.aget_tuple(on_thread("t"))
    assert found is not None

    async def put(name: str) -> None:
        checkpoint = _with_messages(found, [AIMessage(LINE * 30, id=name)])
        versions = {"messages": checkpoint["channel_versions"]["messages"]}
        await saver.aput(found.config, checkpoint, {}, versions)

    with CommitFails(monkeypatch, store), pytest.raises(StoreBroken):
        await put("lost")
    await saver.aget_tuple(on_thread("t"))
    await put("kept")
    assert said(await Checkpointer(store).aget_tuple(on_thread("t")))[-1] == "kept"


async def test_the_stored_bytes_of_a_version_are_the_base_of_the_next(
    store: Store, saver: Checkpointer
) -> None:
    await talk(saver, "t", until=3)
    found = await saver.aget_tuple(on_thread("t"))
    assert found is not None
    version = found.checkpoint["channel_versions"]["messages"]
    # The same version again, by a process that serialises it to other bytes, as a set may be.
    again = _with_messages(found, [AIMessage(LINE * 30, id="other")])
    again["channel_versions"]["messages"] = version
    late = Checkpointer(store)
    stored = await late.aput(found.config, again, {}, {"messages": version})
    newer = _with_messages(found, [AIMessage(LINE * 30, id="new")])
    await late.aput(stored, newer, {}, {"messages": newer["channel_versions"]["messages"]})
    assert said(await Checkpointer(store).aget_tuple(on_thread("t"))) == ["0", "1", "2", "new"]


def _refuse(*_: object) -> None:
    raise ZeroDivisionError


def _with_messages(found: CheckpointTuple, new: Sequence[AIMessage]) -> Any:
    saver_version = found.checkpoint["channel_versions"]["messages"]
    messages = [*found.checkpoint["channel_values"]["messages"], *new]
    return {
        **found.checkpoint,
        "id": empty_checkpoint()["id"],
        "channel_values": {**found.checkpoint["channel_values"], "messages": messages},
        "channel_versions": {
            **found.checkpoint["channel_versions"],
            "messages": int(saver_version) + 1,
        },
    }


# ---- keeping less ----


async def test_deleting_a_thread_leaves_nothing_of_it_and_all_of_the_others(
    store: Store, saver: Checkpointer
) -> None:
    await talk(saver, "kept", until=5)
    before = row_counts(store)
    await talk(saver, "gone", until=5)
    await saver.adelete_thread("gone")
    assert row_counts(store) == before
    assert await saver.aget_tuple(on_thread("gone")) is None


async def test_a_new_thread_is_not_built_on_what_is_remembered_of_a_deleted_one(
    store: Store, saver: Checkpointer
) -> None:
    await talk(saver, "gone", until=5)
    await Checkpointer(store).adelete_thread("gone")
    await talk(saver, "new", until=5)
    fresh = await Checkpointer(store).aget_tuple(on_thread("new"))
    assert said(fresh) == [str(n) for n in range(5)]


async def test_a_thread_deleted_under_a_running_graph_is_noticed(
    store: Store, saver: Checkpointer
) -> None:
    class State(TypedDict):
        document: str
        count: int

    graph: Any = StateGraph(State)

    async def vanish(state: State) -> dict[str, Any]:
        await Checkpointer(store).adelete_thread("t")
        return {"count": state["count"] + 1}

    graph.add_node("vanish", vanish)
    graph.add_edge(START, "vanish")
    with pytest.raises(WriteLost, match="channel `document`"):
        await graph.compile(checkpointer=saver).ainvoke(
            {"document": LINE * 100, "count": 0}, on_thread("t"), durability="sync"
        )


async def test_pruning_by_another_process_leaves_no_version_without_its_base(
    store: Store, saver: Checkpointer
) -> None:
    await talk(saver, "t", until=10)
    other = Checkpointer(store)
    await talk(other, "t", until=12)
    await other.aprune(["t"])
    # What this one remembers as the newest version is gone.
    await talk(saver, "t", until=13)
    fresh = await Checkpointer(store).aget_tuple(on_thread("t"))
    assert said(fresh) == [str(n) for n in range(13)]


async def test_pruning_keeps_one_checkpoint_and_its_values(
    store: Store, saver: Checkpointer
) -> None:
    await talk(saver, "t", until=50)
    await saver.aprune(["t"])
    assert len(await history(saver, "t")) == 1
    assert said(await saver.aget_tuple(on_thread("t"))) == [str(n) for n in range(50)]
    assert row_counts(store) == {
        "checkpoint_namespaces": 1,
        "checkpoints": 1,
        "checkpoint_values": 1,
        "checkpoint_writes": 0,
    }


@pytest.mark.parametrize("length", range(1, 14))
async def test_pruning_keeps_what_a_delta_channel_rests_on(
    saver: Checkpointer, length: int
) -> None:
    graph = delta_chat(saver)
    await graph.ainvoke({"said": [], "wanted": length}, on_thread("t"), durability="sync")
    before = len(await history(saver, "t"))
    await saver.aprune(["t"])
    state = await delta_chat(Checkpointer(saver._store)).aget_state(on_thread("t"))
    assert len(state.values["said"]) == length
    assert len(await history(saver, "t")) <= min(before, 6)


async def test_an_unknown_way_to_prune_is_refused(saver: Checkpointer) -> None:
    with pytest.raises(ValueError, match="use `keep_latest` or `delete`"):
        await saver.aprune(["t"], strategy="all")


async def test_deleting_a_run_keeps_what_the_others_rest_on(
    store: Store, saver: Checkpointer
) -> None:
    graph = chat(saver)
    for number, until in enumerate((5, 10, 15)):
        config = on_thread("t", run_id=f"run-{number}")
        await graph.ainvoke({"messages": [], "wanted": until}, config, durability="sync")
    await saver.adelete_for_runs(["run-1", "nobody"])
    left = await history(Checkpointer(store), "t")
    assert {found.metadata.get("run_id") for found in left} == {"run-0", "run-2"}
    assert len(said(left[0])) == 15
    for found in left:
        if "messages" in found.checkpoint["channel_values"]:
            assert said(found) == [str(n) for n in range(len(said(found)))]


async def test_a_copy_goes_its_own_way(store: Store, saver: Checkpointer) -> None:
    await talk(saver, "t", until=40)
    await saver.acopy_thread("t", "u")
    assert [said(found) for found in (await history(saver, "u"))[:-2]] == [
        said(found) for found in (await history(saver, "t"))[:-2]
    ]
    await talk(saver, "u", until=45)
    await saver.adelete_thread("t")
    assert said(await Checkpointer(store).aget_tuple(on_thread("u"))) == [str(n) for n in range(45)]


async def test_a_thread_is_not_copied_onto_another(saver: Checkpointer) -> None:
    await talk(saver, "t", until=2)
    await talk(saver, "u", until=3)
    with pytest.raises(ThreadExists, match="`u`"):
        await saver.acopy_thread("t", "u")
    assert len(said(await saver.aget_tuple(on_thread("u")))) == 3


async def test_a_version_that_is_missing_is_said_and_not_guessed(
    store: Store, saver: Checkpointer
) -> None:
    await talk(saver, "t", until=10)
    base = select(func.max(checkpoint_values.c.base_version)).scalar_subquery()
    store.write_blocking(
        lambda connection: connection.execute(
            delete(checkpoint_values).where(checkpoint_values.c.version == base)
        )
    )
    with pytest.raises(CheckpointCorrupt, match="channel `messages` is missing"):
        await Checkpointer(store).aget_tuple(on_thread("t"))


async def test_a_version_that_rests_on_itself_is_said_and_not_followed_for_ever(
    store: Store, saver: Checkpointer
) -> None:
    await talk(saver, "t", until=10)
    newest = select(func.max(checkpoint_values.c.version)).scalar_subquery()
    store.write_blocking(
        lambda connection: connection.execute(
            update(checkpoint_values)
            .where(checkpoint_values.c.version == newest)
            .values(base_version=checkpoint_values.c.version)
        )
    )
    with pytest.raises(CheckpointCorrupt, match="rests on itself"):
        await Checkpointer(store).aget_tuple(on_thread("t"))


# ---- at once ----


async def test_many_runs_at_once_keep_apart(saver: Checkpointer) -> None:
    graph = chat(saver)
    lengths = {f"t{number}": number % 7 + 1 for number in range(40)}
    await asyncio.gather(
        *(
            graph.ainvoke(
                {"messages": [], "wanted": length}, on_thread(thread_id), durability="sync"
            )
            for thread_id, length in lengths.items()
        )
    )
    for thread_id, length in lengths.items():
        assert len(said(await saver.aget_tuple(on_thread(thread_id)))) == length


def test_several_event_loops_share_one_checkpointer(saver: Checkpointer) -> None:
    async def run(thread_id: str) -> None:
        await talk(saver, thread_id, until=3)

    async def on_threads() -> None:
        await asyncio.gather(
            *(asyncio.to_thread(asyncio.run, run(f"t{number}")) for number in range(4))
        )

    asyncio.run(on_threads())
    for number in range(4):
        assert len(said(saver.get_tuple(on_thread(f"t{number}")))) == 3
