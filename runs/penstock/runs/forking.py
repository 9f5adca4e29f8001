"""Forks: a run that goes on from a checkpoint of another, on a thread of its own.

The two threads share a lineage. A call that the other run had begun at the checkpoint is the same
call in the fork, and its recorded result is given; any other call that the lineage has made with
the same arguments needs an approval first (`nodes/stages/lineage.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pydantic import JsonValue
from sqlalchemy import Connection

from penstock.checkpoints import Checkpointer, Fork, Store, forgetting, runs, states
from penstock.contracts.checkpoint import Point
from penstock.contracts.errors import IllegalTransition, UnknownCheckpoint
from penstock.contracts.ids import RunId, ThreadId
from penstock.contracts.run import NewRun, Origin, Run, RunMode, WhenBusy
from penstock.graphs import Graph
from penstock.graphs.edits import read_edits
from penstock.graphs.messages import is_message

NOTHING = "null"
"""The input of a fork."""

POINTS = 10_000
"""So many checkpoints of a run are searched, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run is to be forked."""

    run: Run
    point: Point
    nodes: Sequence[str]
    """Those that run first in the fork."""
    tasks: Sequence[str]
    """LangGraph's ids of their executions, as they are where nothing is edited."""


async def find_place(
    store: Store, checkpointer: Checkpointer, graph: Graph, run: Run, checkpoint_id: str
) -> Place:
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

    def look(connection: Connection) -> Sequence[Point]:
        if forgetting.is_forgotten(connection, run.id):
            return ()
        return states.points(connection, run.id, limit=POINTS)

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
    return Place(
        run=run,
        point=point,
        nodes=[task.name for task in tasks],
        tasks=[task.id for task in tasks],
    )


async def read_edited(
    store: Store, graph: Graph, place: Place, edits: Mapping[str, JsonValue], fork_id: RunId
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
    place: Place,
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
    runs.forked(
        connection,
        Origin(run_id=source.id, checkpoint_id=place.point.id),
        run,
        edited=", ".join(sorted(edits)),
        edits=told,
        at=at,
        actor=new.principal,
    )
    return run


def new_fork(place: Place, graph: Graph, run_id: RunId, *, mode: RunMode, principal: str) -> NewRun:
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
        input=NOTHING,
        mode=mode,
        principal=principal,
        deadline_s=graph.deadline_s,
        tags=source.tags,
        origin=Origin(run_id=source.id, checkpoint_id=place.point.id),
    )


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
