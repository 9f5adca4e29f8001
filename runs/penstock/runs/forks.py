"""Forks: a run that goes on from a checkpoint of another, on a thread of its own.

The two threads share a lineage. A call that the other run had begun at the checkpoint is the same
call in the fork, and its recorded result is returned; any other call that the lineage has made with
the same arguments needs an approval first. A forecast says which calls of the run those are. It
applies the rules of the ledger (`nodes/stages`) to the calls that the run has made; other calls of
a fork are decided about as in any run.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pydantic import JsonValue
from sqlalchemy import Connection

from penstock.checkpoints import (
    Checkpointer,
    Fork,
    Store,
    decisions,
    erasure,
    ledger,
    runs,
    states,
)
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
"""The input of a fork; LangGraph takes it for "go on"."""

CHECKPOINT_LIMIT = 10_000
"""So many checkpoints of a run are searched, the newest first."""

CALL_LIMIT = 500
"""So many calls of the run are in a forecast, those that began last."""

CALLS_PER_TOOL = 20
"""So many calls of one tool by the code of one node are recognised by their keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPoint:
    """A checkpoint at which a run can be forked."""

    run: Run
    checkpoint: CheckpointInfo
    nodes: Sequence[str]
    """The nodes that run first in the fork."""
    tasks: Sequence[str]
    """LangGraph's ids of their executions, as they are if no value is edited."""


async def find_fork_point(
    store: Store, checkpointer: Checkpointer, graph: Graph, run: Run, checkpoint_id: str
) -> ForkPoint:
    """Return the point of a checkpoint at which a run can be forked.

    Raises:
        IllegalTransition: the graph has changed its shape, or nothing follows the checkpoint.
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
        checkpoint=point,
        nodes=[task.name for task in tasks],
        tasks=[task.id for task in tasks],
    )


async def edited_channels(
    store: Store,
    graph: Graph,
    fork_point: ForkPoint,
    edits: Mapping[str, JsonValue],
    fork_id: RunId,
) -> dict[str, Any]:
    """Return edited values as a checkpoint keeps them.

    A message that was edited is another message, with an id of its own: its calls are other calls
    than those that the run has made, and are decided about as such.

    Raises:
        InvalidInput: they do not fit the state of the graph; the message lists every problem.
    """
    checked = read_edits(graph, edits)
    if not checked:
        return {}
    before = (
        await store.read(lambda connection: states.state(connection, fork_point.checkpoint))
    ).values
    return {
        name: _renamed(value, before.get(name), edits[name], suffix=fork_id[-8:])
        for name, value in checked.items()
    }


def write_fork(
    connection: Connection,
    checkpointer: Checkpointer,
    fork_point: ForkPoint,
    new: NewRun,
    *,
    channels: Mapping[str, Any],
    edits_json: str,
    at: datetime,
) -> Run:
    """Begin the thread of a fork and queue its run, in one transaction.

    `channels` are the edited values as a checkpoint keeps them, `edits_json` as they were entered.

    Raises:
        UnknownCheckpoint, IllegalTransition, InvalidInput: it cannot be forked; nothing was queued.
    """
    source = fork_point.run
    checkpointer.fork(
        connection,
        Fork(
            of=source.id,
            source_id=source.thread_id,
            checkpoint_id=fork_point.checkpoint.id,
            target_id=new.thread_id,
            run_id=new.id,
            edits=channels,
            at=at,
        ),
    )
    run, _ = runs.create(connection, new, when_busy=WhenBusy.REFUSE, at=at, actor=new.principal)
    runs.record_fork(
        connection,
        Origin(run_id=source.id, checkpoint_id=fork_point.checkpoint.id),
        run,
        edited=", ".join(sorted(channels)),
        edits=edits_json,
        at=at,
        actor=new.principal,
    )
    return run


def new_fork(
    fork_point: ForkPoint, graph: Graph, run_id: RunId, *, mode: RunMode, principal: str
) -> NewRun:
    """Return the run to queue: it has no input, and goes on from the state of its thread."""
    source = fork_point.run
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
        origin=Origin(run_id=source.id, checkpoint_id=fork_point.checkpoint.id),
    )


async def forecast(
    store: Store, graph: Graph, fork_point: ForkPoint, *, mode: RunMode, is_edited: bool
) -> Forecast:
    """Return what a fork at a checkpoint would do."""

    def look(connection: Connection) -> Forecast:
        lineage = ledger.lineage_of(connection, fork_point.run.thread_id)
        effects = ledger.list_effects(connection, run_id=fork_point.run.id, limit=CALL_LIMIT)[::-1]
        first_decided = {
            each.effect_key: each.at
            for each in decisions.of_run(connection, fork_point.run.id)[::-1]
        }
        values = states.state(connection, fork_point.checkpoint).values
        repeated = _keys(
            graph, fork_point, lineage, values, tasks=() if is_edited else fork_point.tasks
        )
        calls = [
            ForecastCall(
                effect=effect,
                fate=_fate(
                    effect,
                    is_repeated=effect.key in repeated,
                    is_before=first_decided.get(effect.key, effect.first_started_at)
                    <= fork_point.checkpoint.at,
                    mode=mode,
                ),
            )
            for effect in effects
        ]
        return Forecast(nodes=fork_point.nodes, calls=calls)

    return await store.read(look)


def _renamed(value: Any, before: Any, edited: Any, *, suffix: str) -> Any:
    """Return messages with new ids for those that were edited, or had none."""
    if not isinstance(value, list) or not isinstance(edited, list):
        return cast("Any", value)
    messages, items = cast("list[Any]", value), cast("list[Any]", edited)
    if len(messages) != len(items) or not all(is_message(each) for each in messages):
        return messages
    originals = {each["id"]: each for each in cast("list[Any]", before or []) if "id" in each}
    return [
        message
        if message.id is not None and originals.get(message.id) == item
        else message.model_copy(update={"id": f"{message.id or number}~{suffix}"})
        for number, (message, item) in enumerate(zip(messages, items, strict=True))
    ]


def _fate(effect: Effect, *, is_repeated: bool, is_before: bool, mode: RunMode) -> Fate:
    if is_repeated and effect.status is EffectStatus.SUCCEEDED:
        return Fate.REPLAYED
    if is_before and not is_repeated:
        return Fate.KEPT
    if effect.effect is EffectClass.READ:
        return Fate.AGAIN
    if mode is RunMode.SIMULATE:
        return Fate.SIMULATED
    return Fate.AGAIN if effect.status in NOT_DONE else Fate.ASKED


def _keys(
    graph: Graph,
    fork_point: ForkPoint,
    lineage: ThreadId,
    values: Mapping[str, Any],
    *,
    tasks: Sequence[str],
) -> Collection[IdempotencyKey]:
    """Return the keys of calls that may come again as the same calls right after the checkpoint."""
    contracts = [tool.contract for tool in graph.tools.values()]
    origins: list[MessageCall | NodeCall] = [
        call for found in values.values() for call in _unanswered(found)
    ]
    origins += [
        NodeCall(task_id=task, index=index) for task in tasks for index in range(CALLS_PER_TOOL)
    ]
    return {
        key_of(fork_point.run.tenant, lineage, origin, contract)
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
