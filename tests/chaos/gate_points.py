"""Kill a process at each point of a call's way through its gate, and let others finish.

A program: `gate_points.py URL FOLDER`. Each case is a point, and has a graph of its own name whose
node makes one payment that two people have to approve. What was paid is written to a file. Workers
die, and people who vote or edit; then one worker brings every run to its end, and people decide
what is still asked: of a payment in doubt, what the file says. It prints the cases that held.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypedDict

from pydantic_core import from_json
from sqlalchemy import update

from penstock.checkpoints import Checkpointer, Store, gates, ledger, runs
from penstock.checkpoints.schema import gates as gates_table
from penstock.contracts.effect import EffectStatus
from penstock.contracts.errors import GateClosed, GateNotReady, ToolRefused
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, Run, RunStatus
from penstock.graphs import Catalog, Graph
from penstock.nodes import tool
from penstock.runs import Approvals, Pace, Runtime, Worker
from support import forks, moments
from support.allowing import DESK
from support.rounds import Log
from support.shops import chain_of
from support.stories import check_chain

PACE = Pace(beat_s=0.1, lease_s=10.0, poll_s=0.02)
RESCUE = Pace(slots=16, beat_s=0.1, lease_s=5.0, poll_s=0.02)
DEADLINE_S = 60.0
"""What does not come to its point, or its end, in this time fails."""
AMOUNT, EDITED = 900, 700
APPROVING = ("bob", "eve")


class State(TypedDict, total=False):
    said: str


class Who(Enum):
    """Who dies, and when."""

    ASKING = auto()
    """A worker that comes to the call for the first time."""
    VOTING = auto()
    """Whoever casts the vote that decides."""
    EDITING = auto()
    """Whoever edits the call."""
    CLAIMING = auto()
    """A worker that comes to the call once it was approved."""
    SWEEPING = auto()
    """A worker that finds that nobody has decided in time."""


@dataclass(frozen=True, slots=True)
class Case:
    """A point at which a process dies."""

    name: str
    meaning: str
    who: Who
    arm: Callable[[], None]
    is_begun: bool = False
    """Whether nobody can know then whether it was paid."""

    @property
    def paid(self) -> list[int]:
        """What has been paid in the end."""
        match self.who:
            case Who.SWEEPING:
                return []
            case Who.EDITING if self.name == "edit-done":
                return [EDITED]
            case _:
                return [AMOUNT]


def is_used(why: str | None) -> bool:
    """Tell whether an approval was used up."""
    return why is None


def decides(cast: tuple[Gate, bool]) -> bool:
    """Tell whether a vote decided its gate."""
    return cast[1]


def in_tool() -> None:
    """Die in the tool; see `graph_of`."""


CASES = (
    Case(
        "open-ahead",
        "after the gate was opened, before that commits",
        Who.ASKING,
        lambda: moments.inside(gates, "open_approval", forks.kill_here, when=bool),
    ),
    Case(
        "open-done",
        "after the opening of the gate committed, before the run is parked",
        Who.ASKING,
        lambda: moments.committed(gates, "open_approval", forks.kill_here, when=bool),
    ),
    Case(
        "park-ahead",
        "in the transaction that parks the run, before it does",
        Who.ASKING,
        lambda: moments.before(runs, "park", forks.kill_here, when=bool),
    ),
    Case(
        "vote-open",
        "after the vote that decides, before that commits",
        Who.VOTING,
        lambda: moments.inside(gates, "vote", forks.kill_here, when=decides),
    ),
    Case(
        "vote-done",
        "after the vote that decides committed, before any worker is told",
        Who.VOTING,
        lambda: moments.committed(gates, "vote", forks.kill_here, when=decides),
    ),
    Case(
        "edit-open",
        "after the gate of an edit was opened, before that commits",
        Who.EDITING,
        lambda: moments.inside(gates, "open_approval", forks.kill_here, when=bool),
    ),
    Case(
        "edit-done",
        "after an edit committed, before its editor was told",
        Who.EDITING,
        lambda: moments.committed(gates, "open_approval", forks.kill_here, when=bool),
    ),
    Case(
        "claim-ahead",
        "in the claim, before the approval is used up",
        Who.CLAIMING,
        lambda: moments.before(gates, "consume", forks.kill_here, when=bool),
    ),
    Case(
        "claim-open",
        "after the approval was used up, before the claim commits",
        Who.CLAIMING,
        lambda: moments.inside(gates, "consume", forks.kill_here, when=is_used),
    ),
    Case(
        "claim-done",
        "after the claim committed, before the tool ran",
        Who.CLAIMING,
        lambda: moments.committed(gates, "consume", forks.kill_here, when=is_used),
        is_begun=True,
    ),
    Case(
        "tool-acted",
        "after the tool acted, before it returned",
        Who.CLAIMING,
        in_tool,
        is_begun=True,
    ),
    Case(
        "settle-ahead",
        "in the transaction that settles the call, before it does",
        Who.CLAIMING,
        lambda: moments.before(ledger, "succeed", forks.kill_here, when=bool),
        is_begun=True,
    ),
    Case(
        "settle-done",
        "after the result committed, before the caller was told",
        Who.CLAIMING,
        lambda: moments.committed(ledger, "succeed", forks.kill_here, when=bool),
    ),
    Case(
        "expire-open",
        "after a sweep closed the gate, before that commits",
        Who.SWEEPING,
        lambda: moments.inside(gates, "expire", forks.kill_here, when=bool),
    ),
    Case(
        "expire-done",
        "after a sweep that closed the gate committed, before the run goes on",
        Who.SWEEPING,
        lambda: moments.committed(gates, "expire", forks.kill_here, when=bool),
    ),
)


def graph_of(case: Case, log: Log, *, dies: bool) -> Graph:
    """Return the graph of a case; its tool may die once it has acted."""

    @tool(effect="unsafe", tags={"money"}, timeout_s=2.0, margin_s=0.2)
    async def pay(amount: int) -> str:
        """Pay somebody."""
        log.write(f"paid:{case.name}", amount)
        if dies and case.arm is in_tool:
            forks.kill_here()
        return "paid"

    async def act(_: State) -> State:
        try:
            return {"said": await pay(amount=AMOUNT)}
        except ToolRefused as refused:
            return {"said": refused.outcome.code}

    return chain_of(State, act, name=case.name, tools=[pay])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where it all takes place."""

    url: str
    log: Log

    def catalog(self, cases: Sequence[Case], *, dies: bool = False) -> Catalog:
        """Return the graphs of some cases."""
        return Catalog.of(*(graph_of(case, self.log, dies=dies) for case in cases))

    def run_of(self, case: Case) -> RunId:
        """Return the run of a case."""
        ((run_id,),) = self.log.read(f"queued:{case.name}")
        return RunId(run_id)

    def paid(self, case: Case) -> list[int]:
        """Return what was paid."""
        return [int(amount) for (amount,) in self.log.read(f"paid:{case.name}")]

    def begin(self, cases: Sequence[Case]) -> None:
        """Queue a run for each of some cases."""
        with Store.open(self.url) as store:
            runtime = Runtime(store, Checkpointer(store), self.catalog(cases))

            async def start() -> None:
                for case in cases:
                    run = await runtime.start(case.name, {}, actor="ann")
                    self.log.write(f"queued:{case.name}", run.id)

            asyncio.run(start())

    def work_until(self, cases: Sequence[Case], over: Callable[[Run], bool]) -> None:
        """Drive the runs of some cases until each is where it was to come to."""
        with Store.open(self.url) as store:
            saver, graphs = Checkpointer(store), self.catalog(cases)
            worker = Worker(store, saver, graphs, pace=RESCUE, policy=DESK)
            runtime = Runtime(store, saver, graphs)

            async def work() -> None:
                working = asyncio.create_task(worker.work())
                async with asyncio.timeout(DEADLINE_S):
                    for case in cases:
                        while not over(await runtime.get(self.run_of(case))):  # noqa: ASYNC110  (the store tells)
                            await asyncio.sleep(0.02)
                worker.drain()
                await working

            asyncio.run(work())

    def worker(self, case: Case) -> None:
        """Drive the run of a case, or sweep, until this process dies."""
        if case.who is Who.SWEEPING:
            self.turn_back(case)
        case.arm()
        with Store.open(self.url) as store:
            graphs = self.catalog([case], dies=True)
            worker = Worker(store, Checkpointer(store), graphs, pace=PACE, policy=DESK)
            asyncio.run(within(worker.work()))

    def turn_back(self, case: Case) -> None:
        """Have the time of a case's gate be over."""
        past = datetime(2020, 1, 1, tzinfo=UTC)
        of_run = gates_table.c.run_id == self.run_of(case)
        with Store.open(self.url) as store:
            store.write_blocking(
                lambda tx: tx.execute(update(gates_table).where(of_run).values(expires_at=past))
            )

    def person(self, case: Case) -> None:
        """Vote, or edit, until this process dies."""
        with Store.open(self.url) as store:
            graphs = self.catalog([case])
            approvals = Approvals(store, graphs)

            async def act() -> None:
                (gate,) = await Runtime(store, Checkpointer(store), graphs).gates(self.run_of(case))
                seen = gate.binding or ""
                case.arm()
                if case.who is Who.EDITING:
                    await approvals.edit(gate.id, {"amount": EDITED}, by="fay", binding=seen)
                for person in APPROVING:
                    await approvals.approve(gate.id, by=person, binding=seen)

            asyncio.run(within(act()))

    def helper(self, cases: Sequence[Case]) -> None:
        """Decide whatever is asked about some cases, until killed."""
        with Store.open(self.url) as store:
            graphs = self.catalog(cases)
            runtime = Runtime(store, Checkpointer(store), graphs)
            approvals = Approvals(store, graphs)
            by_run = {self.run_of(case): case for case in cases}

            async def help_out() -> None:
                while True:
                    for gate in await runtime.open_gates(limit=1000):
                        if gate.run_id in by_run:
                            await self.decide(runtime, approvals, gate, by_run[gate.run_id])
                    await asyncio.sleep(0.05)

            asyncio.run(within(help_out(), 3 * DEADLINE_S))

    async def decide(self, runtime: Runtime, approvals: Approvals, gate: Gate, case: Case) -> None:
        """Approve a payment, or say of one in doubt what really is."""
        if gate.kind is GateKind.APPROVAL:
            for person in APPROVING:
                try:
                    await approvals.approve(gate.id, by=person, binding=gate.binding or "")
                except GateClosed:
                    return
            return
        happened = {"answer": "happened", "result": "paid"}
        try:
            await runtime.decide(
                gate.id, happened if self.paid(case) else {"answer": "retry"}, by="olga"
            )
        except GateNotReady:
            return

    def examine(self) -> None:
        """Check each case."""
        failed: list[str] = []
        with Store.open(self.url) as store:
            for case in CASES:
                try:
                    self.check(store, case)
                except AssertionError as error:
                    failed.append(f"{case.name} ({case.meaning}): {error}")
        if failed:
            raise AssertionError("\n".join(failed))

    def check(self, store: Store, case: Case) -> None:
        """Make sure that what was approved was paid once, and nothing else was."""
        run_id = self.run_of(case)
        run = store.read_blocking(lambda tx: runs.get(tx, run_id))
        assert run.status is RunStatus.SUCCEEDED, run
        check_chain(store, run_id)
        assert self.paid(case) == case.paid, f"paid was {self.paid(case)}"
        found = store.read_blocking(lambda tx: gates.of_run(tx, run_id))
        assert all(gate.status is not GateStatus.OPEN for gate in found), found
        used = [gate for gate in found if gate.consumed_at is not None]
        effects = store.read_blocking(lambda tx: ledger.list_effects(tx, run_id=run_id, limit=10))
        doubts = [gate for gate in found if gate.kind is GateKind.IN_DOUBT]
        assert len(doubts) == int(case.is_begun), doubts
        if not case.paid:
            assert (used, effects) == ([], []), used
            assert [gate.status for gate in found] == [GateStatus.EXPIRED], found
            return
        (gate,), (effect,) = used, effects
        assert effect.status is EffectStatus.SUCCEEDED, effect
        assert from_json(gate.question)["arguments"] == from_json(effect.arguments)
        votes = store.read_blocking(lambda tx: gates.votes_of(tx, gate.id))
        assert sorted(vote.person for vote in votes) == sorted(APPROVING), votes


async def within(work: Awaitable[Any], limit_s: float = DEADLINE_S) -> None:
    """Do something within a time."""
    async with asyncio.timeout(limit_s):
        await work


def die_together(victims: Sequence[tuple[str, Callable[[], None]]]) -> None:
    """Let victims come to their points."""
    started = [(name, forks.fork(work)) for name, work in victims]
    codes = {name: forks.ended(child) for name, child in started}
    wrong = {name: code for name, code in codes.items() if code != -signal.SIGKILL}
    if wrong:
        raise RuntimeError(f"victims that ended otherwise than by their kill: {wrong}")


def main(url: str, folder: Path) -> None:
    """Kill a process in each case, bring all runs to their ends, then look."""
    scene = Scene(url=url, log=Log(folder / "log"))

    def of(*who: Who) -> list[Case]:
        return [case for case in CASES if case.who in who]

    def die(act: Callable[[Case], None], cases: Sequence[Case]) -> None:
        die_together([(case.name, lambda case=case: act(case)) for case in cases])

    forks.run(lambda: scene.begin(CASES))
    die(scene.worker, of(Who.ASKING))
    forks.run(lambda: scene.work_until(CASES, lambda run: run.status is RunStatus.WAITING))
    for case in of(Who.SWEEPING):
        # A sweep closes all whose time is over, so they die one after the other.
        die(scene.worker, [case])
    die(scene.person, of(Who.VOTING, Who.EDITING))
    with forks.children() as fork:
        fork(lambda: scene.helper(of(Who.CLAIMING)))
        die(scene.worker, of(Who.CLAIMING))
        fork(lambda: scene.helper(of(Who.ASKING, Who.VOTING, Who.EDITING)))
        forks.run(lambda: scene.work_until(CASES, lambda run: run.status in ENDED))
    forks.run(scene.examine)
    for case in CASES:
        print(f"{case.name}: {case.meaning}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
