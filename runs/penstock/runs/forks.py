"""Forks: a run that goes on from a checkpoint of another, on a thread of its own.

The two threads share a lineage. A call that the other run had begun at the checkpoint is the same
call in the fork, and its recorded result is given; any other call that the lineage has made with
the same arguments needs an approval first (`nodes/stages/authorize.py`).

What a fork would come to: which calls stay, which are replayed, which people are asked about.

It says what the rules of the ledger come to (`nodes/stages/recall.py`, `authorize.py`)
for the calls that the run has made. Calls that a fork makes beside those are decided about as any.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pydantic import JsonValue
from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Fork, Store, decisions, erasure, ledger, runs, states
from penstock.contracts.call import MessageCall, NodeCall
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.effect import NOT_DONE, Effect, EffectStatus
from penstock.contracts.errors import IllegalTransition, UnknownCheckpoint
from penstock.contracts.fork import Fate, Forecast, ForecastCall
from penstock.contracts.ids import IdempotencyKey, RunId, ThreadId
from penstock.contracts.run import NewRun, Origin, Run, RunMode, WhenBusy
from penstock.contracts.tool import EffectClass
from penstock.graphs import Graph
from penstock.graphs.inputs import read_edits
from penstock.graphs.messages import is_message
from penstock.nodes.calls.admission import key_of

FORK_INPUT = "null"
"""The input of a fork."""

CHECKPOINT_LIMIT = 10_000
"""So many checkpoints of a run are searched, the newest."""

CALL_LIMIT = 500
"""So many calls of the run are told of, those that began last."""

CALLS_PER_TOOL = 20
"""So many calls of one tool by the code of one node are known by their keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPoint:
    """Where a run is to be forked."""

    run: Run
    point: CheckpointInfo
    nodes: Sequence[str]
    """Those that run first in the fork."""
    tasks: Sequence[str]
    """LangGraph's ids of their executions, as they are where nothing is edited."""


async def find_fork_point(
    store: Store, checkpointer: Checkpointer, graph: Graph, run: Run, checkpoint_id: str
) -> ForkPoint:
    """Return a place at which a run can be forked.

    Raises:
        IllegalTransition: the graph has another shape by now, or nothing follows there.
        UnknownCheckpoint: the run has no such checkpoint at the top of its graph.
    """
    if str(graph.fingerprint) != run.fingerprint:
        raise IllegalTransition(
            f"run `{run.id}` cannot be forked: graph `{graph.name}` has another shape than it had"
            " when the run began, and what is to come next is not known; start a new run"
        )
    await checkpointer.settled()

    def look(connection: Connection) -> Sequence[CheckpointInfo]:
        if erasure.is_forgotten(connection, run.id):
            return ()
        return states.points(connection, run.id, limit=CHECKPOINT_LIMIT)

    known = await store.read(look)
    point = next((each for each in known if not each.namespace and each.id == checkpoint_id), None)
    if point is None:
        raise UnknownCheckpoint(
            f"run `{run.id}` has no checkpoint `{checkpoint_id}` to be forked at; `penstock fork"
            f" {run.id}` lists those it has"
        )
    config: Any = {"configurable": {"thread_id": run.thread_id, "checkpoint_id": checkpoint_id}}
    found = await graph.compile(checkpointer).aget_state(config)
    tasks: Sequence[Any] = found.tasks
    if not tasks:
        raise IllegalTransition(
            f"run `{run.id}` cannot be forked at checkpoint `{checkpoint_id}`: nothing follows"
            " there; choose an earlier one"
        )
    return ForkPoint(
        run=run,
        point=point,
        nodes=[task.name for task in tasks],
        tasks=[task.id for task in tasks],
    )


async def edited_channels(
    store: Store, graph: Graph, place: ForkPoint, edits: Mapping[str, JsonValue], fork_id: RunId
) -> dict[str, Any]:
    """Return edited values as a checkpoint keeps them.

    A message that was edited is another message, with an id of its own: its calls are other calls
    than those that the run has made, and are decided about as such.

    Raises:
        InvalidInput: they do not fit the graph's state; the message lists all that is wrong.
    """
    checked = read_edits(graph, edits)
    if not checked:
        return {}
    before = (await store.read(lambda connection: states.state(connection, place.point))).values
    return {
        name: _renamed(value, before.get(name), edits[name], suffix=fork_id[-8:])
        for name, value in checked.items()
    }


def write_fork(
    connection: Connection,
    checkpointer: Checkpointer,
    place: ForkPoint,
    new: NewRun,
    *,
    edits: Mapping[str, Any],
    told: str,
    at: datetime,
) -> Run:
    """Begin the fork's thread and queue its run, in one transaction.

    Raises:
        UnknownCheckpoint, IllegalTransition, InvalidInput: it cannot be; nothing was queued.
    """
    source = place.run
    checkpointer.fork(
        connection,
        Fork(
            of=source.id,
            source_id=source.thread_id,
            checkpoint_id=place.point.id,
            target_id=new.thread_id,
            run_id=new.id,
            edits=edits,
            at=at,
        ),
    )
    run, _ = runs.create(connection, new, when_busy=WhenBusy.REFUSE, at=at, actor=new.principal)
    runs.record_fork(
        connection,
        Origin(run_id=source.id, checkpoint_id=place.point.id),
        run,
        edited=", ".join(sorted(edits)),
        edits=told,
        at=at,
        actor=new.principal,
    )
    return run


def new_fork(
    place: ForkPoint, graph: Graph, run_id: RunId, *, mode: RunMode, principal: str
) -> NewRun:
    """Return the run to queue: it is given nothing, and goes on with what its thread has."""
    source = place.run
    return NewRun(
        id=run_id,
        tenant=source.tenant,
        key=None,
        thread_id=ThreadId(run_id),
        graph=graph.name,
        graph_version=graph.version,
        fingerprint=str(graph.fingerprint),
        input=FORK_INPUT,
        mode=mode,
        principal=principal,
        deadline_s=graph.deadline_s,
        tags=source.tags,
        origin=Origin(run_id=source.id, checkpoint_id=place.point.id),
    )


async def forecast(
    store: Store, graph: Graph, place: ForkPoint, *, mode: RunMode, is_edited: bool
) -> Forecast:
    """Return what a fork at a place would come to."""

    def look(connection: Connection) -> Forecast:
        lineage = ledger.lineage_of(connection, place.run.thread_id)
        effects = ledger.list_effects(connection, run_id=place.run.id, limit=CALL_LIMIT)[::-1]
        first_decided = {
            each.effect_key: each.at for each in decisions.of_run(connection, place.run.id)[::-1]
        }
        values = states.state(connection, place.point).values
        again = _keys(graph, place, lineage, values, tasks=() if is_edited else place.tasks)
        calls = [
            ForecastCall(
                effect=effect,
                fate=_fate(
                    effect,
                    is_again=effect.key in again,
                    is_before=first_decided.get(effect.key, effect.first_started_at)
                    <= place.point.at,
                    mode=mode,
                ),
            )
            for effect in effects
        ]
        return Forecast(nodes=place.nodes, calls=calls)

    return await store.read(look)


def _renamed(value: Any, before: Any, given: Any, *, suffix: str) -> Any:
    """Return messages of which each that was edited, or had no id, has one that nobody had."""
    if not isinstance(value, list) or not isinstance(given, list):
        return cast("Any", value)
    messages, items = cast("list[Any]", value), cast("list[Any]", given)
    if len(messages) != len(items) or not all(is_message(each) for each in messages):
        return messages
    were = {each["id"]: each for each in cast("list[Any]", before or []) if "id" in each}
    return [
        message
        if message.id is not None and were.get(message.id) == item
        else message.model_copy(update={"id": f"{message.id or number}~{suffix}"})
        for number, (message, item) in enumerate(zip(messages, items, strict=True))
    ]


def _fate(effect: Effect, *, is_again: bool, is_before: bool, mode: RunMode) -> Fate:
    if is_again and effect.status is EffectStatus.SUCCEEDED:
        return Fate.REPLAYED
    if is_before and not is_again:
        return Fate.KEPT
    if effect.effect is EffectClass.READ:
        return Fate.AGAIN
    if mode is RunMode.SIMULATE:
        return Fate.SIMULATED
    return Fate.AGAIN if effect.status in NOT_DONE else Fate.ASKED


def _keys(
    graph: Graph,
    place: ForkPoint,
    lineage: ThreadId,
    values: Mapping[str, Any],
    *,
    tasks: Sequence[str],
) -> Collection[IdempotencyKey]:
    """Return the keys of calls that may come again as the same calls right after the place."""
    contracts = [tool.contract for tool in graph.tools.values()]
    origins: list[MessageCall | NodeCall] = [
        call for found in values.values() for call in _unanswered(found)
    ]
    origins += [
        NodeCall(task_id=task, index=index) for task in tasks for index in range(CALLS_PER_TOOL)
    ]
    return {
        key_of(place.run.tenant, lineage, origin, contract)
        for origin in origins
        for contract in contracts
    }


def _unanswered(found: object) -> Iterator[MessageCall]:
    """Yield the calls that messages of a list ask for, and that no message of it answers."""
    messages = [
        cast("dict[str, Any]", each)
        for each in (cast("list[object]", found) if isinstance(found, list) else ())
        if isinstance(each, dict)
    ]
    answered = {each.get("tool_call_id") for each in messages}
    for each in messages:
        calls: Any = each.get("tool_calls")
        message_id: Any = each.get("id")
        if not isinstance(calls, list) or not isinstance(message_id, str):
            continue
        for position, call in enumerate(cast("list[Any]", calls)):
            provider_id = str(call.get("id"))
            if provider_id not in answered:
                yield MessageCall(message_id=message_id, position=position, provider_id=provider_id)
