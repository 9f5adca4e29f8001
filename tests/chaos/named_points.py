"""Kill a process exactly at each point of a run's life that has a name, and let others finish.

A program: `named_points.py URL FOLDER`. Each point has a graph of its own name, so that its victim
drives no other run. When all victims are dead, one worker, and somebody who decides the gates,
bring every run to its end. It prints the points that held.
"""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any

from penstock.checkpoints import Checkpointer, Store, gates, leases, runs
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.graphs import Catalog, declare
from penstock.runs import Pace, Runtime, Worker
from support import forks, moments
from support.allowing import OPEN
from support.graphs import on_thread
from support.moments import WatchedCheckpointer
from support.rounds import Log, check_line, check_run, executions, rounds
from support.stories import check_chain, check_story, story

WANTED = 2
PACE = Pace(beat_s=0.1, lease_s=10.0, poll_s=0.02)
RESCUE = Pace(slots=16, beat_s=0.1, lease_s=5.0, poll_s=0.02)
DEADLINE_S = 60.0
"""What does not come to its point, or its end, in this time fails."""

CLAIMED, WAITING, SUCCEEDED = "run.claimed", "run.waiting", "run.succeeded"
FIRST_ROUND = (CLAIMED, WAITING)
SECOND_ROUND = (*FIRST_ROUND, *FIRST_ROUND)


class Who(Enum):
    """Whose process is killed."""

    WORKER = auto()
    DECIDER = auto()
    CANCELLER = auto()


@dataclass(slots=True)
class Trap:
    """What a victim's graph and checkpointer are made with."""

    when_run: Callable[[str, int], None] | None = None
    hold: Callable[[str, int], Awaitable[None]] | None = None
    saver: dict[str, Any] = field(default_factory=dict[str, Any])
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a node of a run that is to be cancelled is held."""


Arm = Callable[[Trap], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One place at which a process dies, and what must be true of it."""

    name: str
    meaning: str
    arm: Arm
    done: Sequence[str]
    """The audit events of the run that are the victim's, in order: what it got done, no more."""
    again: Sequence[tuple[str, int]] = ()
    """The nodes, each with its round, that must be run once more than in an undisturbed run."""
    who: Who = Who.WORKER
    end: RunStatus = RunStatus.SUCCEEDED
    cancels: bool = False
    """Whether the victim, a worker, is asked to cancel the run in its first node."""


# ---- how a trap is set ----


def in_node(name: str, number: int, *, times: int = 1) -> Arm:
    """Die in a node of a round, at the `times`-th time that it is run there."""

    def arm(trap: Trap) -> None:
        seen: Counter[tuple[str, int]] = Counter()

        def ran(*what: Any) -> None:
            seen[what] += 1
            if seen[name, number] == times:
                forks.kill_here()

        trap.when_run = ran

    return arm


def at_writes(moment: str, name: str, *, channel: str = "") -> Arm:
    """Die before or after a node's writes are handed over, if they hold that channel."""

    def arm(trap: Trap) -> None:
        def written(path: str, channels: Sequence[str]) -> None:
            if path.endswith(f", {name}") and (not channel or channel in channels):
                forks.kill_here()

        trap.saver[f"{moment}_writes"] = written

    return arm


def before_put(step: int) -> Arm:
    """Die before the checkpoint of a step is put, with all that its tasks wrote durable."""

    def arm(trap: Trap) -> None:
        def put(number: int) -> None:
            if number == step:
                forks.kill_here()

        trap.saver["before_put"] = put

    return arm


def after_put(step: int) -> Arm:
    """Die when the checkpoint of a step is stored."""

    def arm(trap: Trap) -> None:
        async def put(number: int) -> None:
            if number == step:
                forks.kill_here()

        trap.saver["after_put"] = put

    return arm


def at_claim(moment: Callable[..., None]) -> Arm:
    """Die at a moment of the first claim."""
    return lambda _: moment(leases, "claim", forks.kill_here, when=bool)


def at_park(moment: Callable[..., None]) -> Arm:
    """Die at a moment of the first move to waiting."""
    return lambda _: moment(runs, "park", forks.kill_here, when=lambda _: True)


def before_move(to: RunStatus) -> Arm:
    """Die in the transaction that moves the run, before it does."""
    return lambda _: moments.before(
        runs, "move", forks.kill_here, when=lambda given: given["to"] is to
    )


def at_move(moment: Callable[..., None], to: RunStatus) -> Arm:
    """Die at a moment of a move."""
    return lambda _: moment(runs, "move", forks.kill_here, when=lambda run: run.status is to)


def held(arm: Arm) -> Arm:
    """Hold the run in its first node as well, until it is cancelled."""

    def arm_and_hold(trap: Trap) -> None:
        async def hold(*_: Any) -> None:
            trap.held.set()
            await asyncio.Event().wait()

        trap.hold = hold
        arm(trap)

    return arm_and_hold


POINTS = (
    # ---- the claim ----
    Point(
        name="claim-open",
        meaning="before the claim commits",
        arm=at_claim(moments.inside),
        done=(),
    ),
    Point(
        name="claim-done",
        meaning="after the claim committed, before the first step",
        arm=at_claim(moments.committed),
        done=(CLAIMED,),
    ),
    Point(
        name="input",
        meaning="before the checkpoint of the input",
        arm=before_put(-1),
        done=(CLAIMED,),
    ),
    # ---- a node ----
    Point(
        name="node-first",
        meaning="inside the first node, after its effect",
        arm=in_node("plan", 0),
        done=(CLAIMED,),
        again=[("plan", 0)],
    ),
    Point(
        name="node-parallel",
        meaning="inside the second of two parallel nodes, the first of which runs too",
        arm=in_node("right", 0),
        done=(CLAIMED,),
        again=[("left", 0), ("right", 0)],
    ),
    Point(
        name="node-asking",
        meaning="inside a node that is about to ask",
        arm=in_node("verify", 0),
        done=(CLAIMED,),
        again=[("verify", 0)],
    ),
    Point(
        name="node-answered",
        meaning="inside a node that has just been given its answer",
        arm=in_node("verify", 0, times=2),
        done=(*FIRST_ROUND, CLAIMED),
        again=[("verify", 0)],
    ),
    Point(
        name="node-later",
        meaning="inside a node of the second round",
        arm=in_node("plan", 1),
        done=(*FIRST_ROUND, CLAIMED),
        again=[("plan", 1)],
    ),
    # ---- a task's writes and the checkpoint ----
    Point(
        name="writes-not-handed",
        meaning="after a node returned, before its writes were handed over",
        arm=at_writes("before", "plan"),
        done=(CLAIMED,),
        again=[("plan", 0)],
    ),
    Point(
        name="writes-first",
        meaning="after the first node's writes, before their checkpoint",
        arm=before_put(1),
        done=(CLAIMED,),
    ),
    Point(
        name="writes-one-of-two",
        meaning="after one branch's writes, before the other's",
        arm=at_writes("after", "left"),
        done=(CLAIMED,),
        again=[("right", 0)],
    ),
    Point(
        name="writes-parallel",
        meaning="after both branches' writes, before their checkpoint",
        arm=before_put(2),
        done=(CLAIMED,),
    ),
    Point(
        name="writes-answered",
        meaning="after the writes of a node that was answered, before their checkpoint",
        arm=before_put(3),
        done=(*FIRST_ROUND, CLAIMED),
    ),
    Point(
        name="writes-later",
        meaning="after a node's writes in the second round, before their checkpoint",
        arm=before_put(4),
        done=(*FIRST_ROUND, CLAIMED),
    ),
    Point(
        name="writes-last",
        meaning="after the last node's writes, before the last checkpoint",
        arm=before_put(6),
        done=(*SECOND_ROUND, CLAIMED),
    ),
    Point(
        name="put-parallel",
        meaning="after the checkpoint of both branches, before the next node",
        arm=after_put(2),
        done=(CLAIMED,),
    ),
    # ---- parking ----
    Point(
        name="park-ahead",
        meaning="after the interrupt was stored, before the run parks",
        arm=at_writes("after", "verify", channel="__interrupt__"),
        done=(CLAIMED,),
        again=[("verify", 0)],
    ),
    Point(
        name="park-open",
        meaning="after the run was moved to waiting, before that commits",
        arm=at_park(moments.inside),
        done=(CLAIMED,),
        again=[("verify", 0)],
    ),
    Point(
        name="park-done",
        meaning="after the run waits, before its worker noticed",
        arm=at_park(moments.committed),
        done=FIRST_ROUND,
    ),
    # ---- the end ----
    Point(
        name="end-ahead",
        meaning="after the last checkpoint, before the run's end is handed over",
        arm=after_put(6),
        done=(*SECOND_ROUND, CLAIMED),
    ),
    Point(
        name="end-begun",
        meaning="in the transaction of the run's end, before the move",
        arm=before_move(RunStatus.SUCCEEDED),
        done=(*SECOND_ROUND, CLAIMED),
    ),
    Point(
        name="end-open",
        meaning="after the run was moved to succeeded, before that commits",
        arm=at_move(moments.inside, RunStatus.SUCCEEDED),
        done=(*SECOND_ROUND, CLAIMED),
    ),
    Point(
        name="end-done",
        meaning="after the run has succeeded, before its worker noticed",
        arm=at_move(moments.committed, RunStatus.SUCCEEDED),
        done=(*SECOND_ROUND, CLAIMED, SUCCEEDED),
    ),
    # ---- a decision ----
    Point(
        name="decision-ahead",
        meaning="before the transaction of a decision",
        arm=lambda _: moments.before_any_write(forks.kill_here),
        done=(),
        who=Who.DECIDER,
    ),
    Point(
        name="decision-open",
        meaning="after the gate is decided, before its run is woken",
        arm=lambda _: moments.before(runs, "wake", forks.kill_here, when=bool),
        done=(),
        who=Who.DECIDER,
    ),
    Point(
        name="decision-woken",
        meaning="after the run is woken, before that commits",
        arm=lambda _: moments.inside(runs, "wake", forks.kill_here, when=bool),
        done=(),
        who=Who.DECIDER,
    ),
    Point(
        name="decision-done",
        meaning="after a decision committed, before whoever decided was told",
        arm=lambda _: moments.committed(gates, "decide", forks.kill_here, when=bool),
        done=("gate.decided", "run.queued"),
        who=Who.DECIDER,
    ),
    # ---- a cancellation ----
    Point(
        name="cancel-ahead",
        meaning="before the transaction that cancels a run that waits",
        arm=lambda _: moments.before_any_write(forks.kill_here),
        done=(),
        who=Who.CANCELLER,
        end=RunStatus.CANCELLED,
    ),
    Point(
        name="cancel-open",
        meaning="after a run that waits was cancelled, before that commits",
        arm=lambda _: moments.inside(runs, "cancel", forks.kill_here, when=bool),
        done=(),
        who=Who.CANCELLER,
        end=RunStatus.CANCELLED,
    ),
    Point(
        name="cancel-done",
        meaning="after a run that waits was cancelled, before whoever asked was told",
        arm=lambda _: moments.committed(runs, "cancel", forks.kill_here, when=bool),
        done=("run.cancelled", "gate.cancelled"),
        who=Who.CANCELLER,
        end=RunStatus.CANCELLED,
    ),
    Point(
        name="cancel-unseen",
        meaning="after a running run was asked to stop, before its worker saw it",
        arm=held(lambda _: moments.committed(runs, "cancel", forks.kill_here, when=bool)),
        done=(CLAIMED, "run.cancel_asked"),
        end=RunStatus.CANCELLED,
        cancels=True,
    ),
    Point(
        name="cancel-seen",
        meaning="after the worker stopped the run's node, before the run is moved to cancelled",
        arm=held(before_move(RunStatus.CANCELLED)),
        done=(CLAIMED, "run.cancel_asked"),
        end=RunStatus.CANCELLED,
        cancels=True,
    ),
    Point(
        name="cancel-told",
        meaning="after the worker has cancelled the run, before it noticed",
        arm=held(at_move(moments.committed, RunStatus.CANCELLED)),
        done=(CLAIMED, "run.cancel_asked", "run.cancelled"),
        end=RunStatus.CANCELLED,
        cancels=True,
    ),
)


# ---- the processes ----


def catalog(log: Log, points: Collection[Point], trap: Trap | None = None) -> Catalog:
    """Return a graph for each point."""
    trap = trap or Trap()
    return Catalog.of(
        *(
            declare(
                rounds(None, log, asking=True, when_run=trap.when_run, hold=trap.hold),
                name=point.name,
            )
            for point in points
        )
    )


def begin(url: str, log: Log) -> None:
    """Queue a run for each point."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), catalog(log, POINTS))

        async def start() -> None:
            for point in POINTS:
                run = await runtime.start(point.name, {"round": 0, "wanted": WANTED}, actor="test")
                log.write("queued", point.name, run.id)

        asyncio.run(start())


def run_of(log: Log, point: Point) -> RunId:
    """Return the run of a point."""
    ((_, run_id),) = (one for one in log.read("queued") if one[0] == point.name)
    return RunId(run_id)


def work_until(url: str, log: Log, points: Collection[Point], over: Callable[[Run], bool]) -> None:
    """Drive the runs of some points until each is where it was to come to."""
    with Store.open(url) as store:
        saver = Checkpointer(store)
        graphs = catalog(log, points)
        worker = Worker(store, saver, graphs, pace=RESCUE, policy=OPEN)
        runtime = Runtime(store, saver, graphs)

        async def work() -> None:
            working = asyncio.create_task(worker.work())
            async with asyncio.timeout(DEADLINE_S):
                for point in points:
                    while not over(await runtime.get(run_of(log, point))):  # noqa: ASYNC110  (the store tells)
                        await asyncio.sleep(0.02)
            worker.drain()
            await working

        asyncio.run(work())


def victim_worker(url: str, log: Log, point: Point) -> None:
    """Drive the point's run until this process dies."""
    trap = Trap()
    point.arm(trap)
    with Store.open(url) as store:
        saver = WatchedCheckpointer(store, **trap.saver)
        graphs = catalog(log, [point], trap)
        worker = Worker(store, saver, graphs, pace=PACE, policy=OPEN)
        log.write("victim", point.name, worker.id)

        async def cancel() -> None:
            await trap.held.wait()
            await Runtime(store, saver, graphs).cancel(run_of(log, point), by=worker.id)

        async def live() -> None:
            async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
                group.create_task(worker.work())
                if point.cancels:
                    group.create_task(cancel())

        asyncio.run(live())


def victim_actor(url: str, log: Log, point: Point) -> None:
    """Decide the point's gate, or cancel its run, and die over it."""
    name = f"victim-{point.name}"
    log.write("victim", point.name, name)
    point.arm(Trap())
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), catalog(log, [point]))

        async def act() -> None:
            if point.who is Who.CANCELLER:
                await runtime.cancel(run_of(log, point), by=name)
            else:
                (gate,) = await runtime.gates(run_of(log, point))
                await runtime.decide(gate.id, "go", by=name)

        asyncio.run(act())


def decide(url: str, log: Log) -> None:
    """Decide whatever is asked, until killed."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), catalog(log, POINTS))

        async def answer() -> None:
            async with asyncio.timeout(2 * DEADLINE_S):
                while True:
                    for gate in await runtime.open_gates():
                        await runtime.decide(gate.id, "go", by="helper")
                    await asyncio.sleep(0.02)

        asyncio.run(answer())


def cancel_again(url: str, log: Log, points: Collection[Point]) -> None:
    """Cancel what those who died were to cancel; where they had, it changes nothing."""
    with Store.open(url) as store:
        runtime = Runtime(store, Checkpointer(store), catalog(log, POINTS))

        async def act() -> None:
            for point in points:
                run = await runtime.cancel(run_of(log, point), by="helper")
                assert run.status is RunStatus.CANCELLED, run

        asyncio.run(act())


def examine(url: str, log: Log) -> None:
    """Check each point's run."""
    failed: list[str] = []
    with Store.open(url) as store:
        for point in POINTS:
            try:
                asyncio.run(check_point(store, log, point))
            except AssertionError as error:
                failed.append(f"{point.name} ({point.meaning}): {error}")
    if failed:
        raise AssertionError("\n".join(failed))


async def check_point(store: Store, log: Log, point: Point) -> None:
    """Make sure that a point's run came to its end, and that no more was done than must be."""
    run_id = run_of(log, point)
    succeeded = point.end is RunStatus.SUCCEEDED
    check_story(store, run_id, point.end, gate_count=WANTED if succeeded else None)
    check_chain(store, run_id)
    ((_, victim),) = (one for one in log.read("victim") if one[0] == point.name)
    done = [event.action for event in story(store, run_id) if event.actor == victim]
    assert done == list(point.done), f"the victim did {done}"
    graph = rounds(Checkpointer(store), log, asking=True)
    if succeeded:
        await check_run(graph, run_id, wanted=WANTED)
        wanted = undisturbed() + Counter(point.again)
        ran = executions(log, run_id)
        assert ran == wanted, f"ran {ran - wanted} too often, {wanted - ran} too rarely"
    else:
        check_line(run_id, [state async for state in graph.aget_state_history(on_thread(run_id))])
        assert executions(log, run_id) <= undisturbed(), "nodes of a cancelled run were run again"


def undisturbed() -> Counter[tuple[str, int]]:
    """Return how often each node is run when nobody dies: who asks, once more for its answer."""
    once = Counter((name, n) for n in range(WANTED) for name in ("plan", "left", "right", "verify"))
    return once + Counter(("verify", n) for n in range(WANTED))


def die(point: Point, work: Callable[[], None]) -> None:
    """Let a victim come to its point."""
    if (code := forks.ended(forks.fork(work))) != -signal.SIGKILL:
        raise RuntimeError(f"the victim of `{point.name}` ended with {code}, not by its kill")


def main(url: str, folder: Path) -> None:
    """Kill a process at each point, bring all runs to their ends, then look."""
    log = Log(folder / "log")
    forks.run(lambda: begin(url, log))
    asked = [point for point in POINTS if point.who is not Who.WORKER]
    cancelled = [point for point in asked if point.who is Who.CANCELLER]
    forks.run(lambda: work_until(url, log, asked, lambda run: run.status is RunStatus.WAITING))
    for point in asked:
        die(point, lambda point=point: victim_actor(url, log, point))
    forks.run(lambda: cancel_again(url, log, cancelled))
    with forks.children() as fork:
        fork(lambda: decide(url, log))
        for point in POINTS:
            if point.who is Who.WORKER:
                die(point, lambda point=point: victim_worker(url, log, point))
        forks.run(lambda: work_until(url, log, POINTS, lambda run: run.status in ENDED))
    forks.run(lambda: examine(url, log))
    for point in POINTS:
        print(f"{point.name}: {point.meaning}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
