"""Playing scenes on Penstock's own runtime: a worker drives them, and people vote at gates."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from langchain_core.messages import HumanMessage

from bench.agentdojo.agent import NAME, Stage, agent
from bench.agentdojo.people import Person
from bench.agentdojo.suites import Played, Scene
from penstock.checkpoints import Checkpointer, Store, migrate
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import Run, RunStatus
from penstock.graphs import Catalog
from penstock.runs import Approvals, LocalEngine, Pace, Runtime, Worker

PACE = Pace(slots=8, poll_s=0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that somebody was asked about."""

    tool: str
    args: str
    """As JSON."""
    rules: Sequence[str]
    """By which policies."""
    is_approved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A scene that was played to its end."""

    scene: Scene
    played: Played
    asked: Sequence[Asked] = field(default=())


async def play(scenes: Sequence[Scene], policy: Path, person: Person, folder: Path) -> list[Told]:
    """Play every scene in a run of its own, in a database in `folder`."""
    url = f"sqlite:///{folder / 'penstock.db'}"
    await asyncio.to_thread(migrate, url)
    with Store.open(url) as store:
        stage: Stage = {scene.name: scene for scene in scenes}
        catalog, engine = Catalog.of(agent(stage, policy)), LocalEngine()
        saver = Checkpointer(store)
        runtime = Runtime(store, saver, catalog, engine=engine)
        approvals = Approvals(store, catalog, engine=engine)
        worker = Worker(store, saver, catalog, engine=engine, pace=PACE)
        working = asyncio.create_task(worker.work())
        try:
            house = _House(runtime, approvals, person)
            async with asyncio.TaskGroup() as group:
                playing = [group.create_task(house.play(scene)) for scene in scenes]
            return [one.result() for one in playing]
        finally:
            worker.drain()
            await working


class _House:
    """Starts runs, and answers what they ask."""

    def __init__(self, runtime: Runtime, approvals: Approvals, person: Person) -> None:
        self._runtime = runtime
        self._approvals = approvals
        self._person = person
        self._free = asyncio.Semaphore(PACE.slots)

    async def play(self, scene: Scene) -> Told:
        async with self._free:
            return await self._play(scene)

    async def _play(self, scene: Scene) -> Told:
        given = {"messages": [HumanMessage(scene.prompt)]}
        run = await self._runtime.start(NAME, given, actor="user", thread_id=scene.name)
        asked: list[Asked] = []
        while True:
            run = await self._runtime.wait(run.id, poll_s=0.02)
            if run.status is not RunStatus.WAITING:
                break
            gates = await self._runtime.gates(run.id)
            still_open = [gate for gate in gates if gate.status is GateStatus.OPEN]
            asked += [await self._answer(scene, gate) for gate in still_open]
        _need_success(run)
        return Told(scene=scene, played=scene.played(), asked=tuple(asked))

    async def _answer(self, scene: Scene, gate: Gate) -> Asked:
        if gate.kind is not GateKind.APPROVAL:
            raise RuntimeError(f"a run asked something else than for approval: {gate.question}")
        question = json.loads(gate.question)
        tool, args = question["may_it_happen"], question["arguments"]
        is_approved = self._person.approves(scene, tool, args)
        binding = gate.binding or ""
        if is_approved:
            await self._approvals.approve(gate.id, by="colleague", binding=binding)
        else:
            # For somebody absent it is said what the gate's end says, without waiting for it.
            await self._approvals.reject(
                gate.id, by="colleague", binding=binding, reason="nobody asked for this"
            )
        return Asked(
            tool=tool,
            args=json.dumps(args, sort_keys=True),
            rules=tuple(question["rules"]),
            is_approved=is_approved,
        )


def _need_success(run: Run) -> None:
    if run.status is not RunStatus.SUCCEEDED:
        raise RuntimeError(f"a run ended as `{run.status}`: {run.failure}")
