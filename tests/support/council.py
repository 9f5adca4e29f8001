"""Calls that ask people, and these people: every stage is the product's, and no worker drives.

A council has a call decided about, asks for it and claims it, as a worker would.
"""

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from langgraph.errors import GraphInterrupt

from penstock.checkpoints import Checkpointer, Store, gates, ledger, runs
from penstock.contracts.call import Failed, Outcome, Refused
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.effect import Effect
from penstock.contracts.gate import Gate
from penstock.contracts.ids import IdempotencyKey, WorkerId
from penstock.contracts.run import Run
from penstock.graphs import Catalog, Graph
from penstock.nodes import Tool, tool
from penstock.nodes.calls.admission import admit
from penstock.nodes.calls.authorization import Authorizer, PolicyCache
from penstock.nodes.calls.call import ApprovedCall, Next, ToolCall, starting_with
from penstock.nodes.calls.claim import claim
from penstock.nodes.calls.context import Halt, SegmentContext
from penstock.nodes.calls.outcomes import parked_gates
from penstock.nodes.isolation import Pool
from penstock.nodes.stages.approve import Approve
from penstock.nodes.stages.authorize import Authorize
from penstock.nodes.stages.recall import Recall
from penstock.policies import read_source
from penstock.runs import Approvals, Runtime, policies
from support.allowing import COUNCIL
from support.people import Staff
from support.shops import chain_of

_NAMES = itertools.count()


class State(TypedDict, total=False):
    said: str


@tool(effect="unsafe")
async def pay(amount: int, note: str) -> str:
    """Pay somebody; the policy asks whom the note says."""
    raise AssertionError(f"{amount} ({note}) was to be paid, and nothing is called here")


@tool(effect="unsafe", sensitive={"account"})
async def wire(amount: int, account: str) -> str:
    """Pay into an account that nobody is shown."""
    raise AssertionError(f"{amount} was to be wired to {account}, and nothing is called here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call of a run, as its graph makes it each time."""

    run: Run
    key: IdempotencyKey
    tool: Tool[Any]
    arguments: Mapping[str, object]


class Council:
    """The calls of a graph of its own, and the people who decide about them."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Load the policy for a graph that is like no other in the store.

        Who goes on with its calls by hand, while no loop runs, names one that stands still.
        """
        self.store = store
        self.loop = loop
        self.clock = clock or SystemClock()
        self.staff = Staff()

        async def act(_: State) -> State:
            return {}

        name = f"council-{next(_NAMES)}"
        self.graph: Graph = chain_of(State, act, tools=[pay, wire], name=name)
        catalog = Catalog.of(self.graph)
        self.approvals = Approvals(store, catalog, people=self.staff, clock=self.clock)
        self.runtime = Runtime(
            store, Checkpointer(store), catalog, people=self.staff, clock=self.clock
        )
        self.policies: PolicyCache = policies.policy_cache_of(self.graph, self.staff)
        source = read_source(COUNCIL)
        store.write_blocking(
            lambda tx: policies.load(
                tx, self.graph, source, self.staff, at=self.clock.now(), by="test"
            )
        )

    @staticmethod
    def approvals_of(store: Store, council: "Council") -> Approvals:
        """Return what decides at the council's gates through another store."""
        return Approvals(store, Catalog.of(council.graph), people=council.staff)

    async def start(
        self,
        note: str = "one",
        *,
        amount: int = 900,
        called: Tool[Any] = pay,
        arguments: Mapping[str, object] | None = None,
    ) -> Asked:
        """Start a run for `ann`, claim it, and return the call that it makes."""
        run = await self.runtime.start(self.graph.name, {}, actor="ann")
        key = IdempotencyKey(f"{run.id:-<64}")
        given = arguments or {"amount": amount, "note": note}
        return Asked(run=await self.claimed(run), key=key, tool=called, arguments=given)

    async def claimed(self, run: Run) -> Run:
        """Claim a queued run for a worker of its own, which is never taken for dead."""
        worker, at = WorkerId(f"worker-{run.epoch + 1}"), self.clock.now()
        found = await self.store.write(
            lambda tx: runs.claim(tx, run.id, worker, lease_s=1e9, at=at)
        )
        assert found is not None
        return found

    def context(self, run: Run, store: Store | None = None) -> SegmentContext:
        """Return the context of a run's calls."""
        return SegmentContext(
            store=store or self.store,
            clock=self.clock,
            run=run,
            worker=WorkerId(f"worker-{run.epoch}"),
            pool=Pool(idle_count=0),
            people=self.staff,
            halt=Halt(self.loop),
        )

    def authorizer(self, run: Run) -> Authorizer:
        """Return what decides about the calls of a run."""
        return Authorizer(run, self.policies, self.staff, self.clock)

    def admitted(self, asked: Asked, store: Store | None = None) -> ToolCall:
        """Return a call as it comes in."""
        call = admit(
            self.context(asked.run, store),
            asked.tool,
            asked.arguments,
            key=asked.key,
            lineage=asked.run.thread_id,
            injected={},
        )
        assert not isinstance(call, Refused), call
        return call

    async def through(
        self, asked: Asked, last: Next[ApprovedCall], *, store: Store | None = None
    ) -> Outcome:
        """Take a call through the stages that decide whether it may be made."""
        context, authorizer = self.context(asked.run, store), self.authorizer(asked.run)
        stages = (
            starting_with(Recall(context, authorizer.decide_call))
            .then(Authorize(context, authorizer))
            .then(Approve(context))
        )
        return await stages.finally_(last)(self.admitted(asked, store))

    async def gate(self, asked: Asked) -> Gate:
        """Have people asked about a call; return the gate at which it waits."""

        async def last(_: ApprovedCall) -> Outcome:
            raise AssertionError("nobody was asked")

        try:
            outcome = await self.through(asked, last)
        except GraphInterrupt as waits:
            (gate_id,) = parked_gates(waits)
            return await self.store.read(lambda tx: gates.get(tx, gate_id))
        raise AssertionError(f"nobody was asked: {outcome}")

    async def claim(
        self, asked: Asked, gate: Gate, *, under: str | None = None
    ) -> tuple[Effect, bool]:
        """Begin a call with the consent of a gate, as a worker that has read it as approved.

        `under` is the digest of the policy that has decided, where that is another than now.
        """
        call = self.admitted(asked)
        decided = await self.store.read(
            lambda tx: self.authorizer(asked.run).decide(
                tx, call.tool, call.checked, key=asked.key, lineage=asked.run.thread_id
            )
        )
        assert not isinstance(decided, Refused), decided
        decided = replace(decided, policy_digest=under or decided.policy_digest)
        approved = ApprovedCall(call=call, decided=decided, approval=gate.id)
        context, at = self.context(asked.run), self.clock.now()
        return await self.store.write(lambda tx: claim(tx, context, approved, at=at))

    async def failed(self, effect: Effect) -> None:
        """Report that nothing happened in an attempt, and that it may be tried again."""
        failed = Failed(code="down", message="the service is down", retryable=True)
        at = self.clock.now()
        await self.store.write(
            lambda tx: ledger.fail(tx, effect.key, effect.attempt, failed, at=at, actor="worker")
        )
