"""Deciding about calls that wait for people: votes, edits, delegations, and breaking the glass."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection

from penstock.checkpoints import Store, gates, runs
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import UnknownTool
from penstock.contracts.gate import Ballot, Channel, Delegation, Gate, Vote, VoteKind
from penstock.contracts.ids import GateId
from penstock.contracts.run import Run
from penstock.policies import OpenDirectory, People
from penstock.runs.engine import Engine, LocalEngine

if TYPE_CHECKING:
    from penstock.graphs import Catalog, Graph
    from penstock.nodes import Tool
    from penstock.nodes.calls.authorization import Authorizer, PolicyCache


class _Cast(Protocol):
    """Casts a ballot, and tells whether it decided the gate."""

    def __call__(
        self,
        connection: Connection,
        gate_id: GateId,
        ballot: Ballot,
        *,
        has: gates.IsMember,
        at: datetime,
    ) -> tuple[Gate, bool]: ...


class Approvals:
    """What people do at gates of kind `approval`.

    Everybody says which `binding` they saw: what a gate shows may change, and a vote counts for
    nothing else than what was shown.
    """

    def __init__(
        self,
        store: Store,
        catalog: "Catalog",
        *,
        people: People | None = None,
        engine: Engine | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Act on the gates of `store`; without `people`, whoever comes may do everything.

        An edit needs the gate's graph in `catalog`, because it is checked and decided about anew.
        """
        self._store = store
        self._catalog = catalog
        self._people: People = people or OpenDirectory()
        self._engine = engine or LocalEngine()
        self._clock = clock or SystemClock()
        self._policy_caches: dict[str, PolicyCache] = {}

    async def approve(
        self,
        gate_id: GateId,
        *,
        by: str,
        binding: str,
        reason: str | None = None,
        channel: Channel = Channel.API,
    ) -> Gate:
        """Vote for a call to happen; the run goes on when enough have.

        The same vote again changes nothing.

        Raises:
            UnknownGate: there is no such gate.
            GateClosed: it takes no votes any more; the message says who decided and when.
            GateStale: the gate asks something else than what was seen.
            VoteRefused: this person may not approve here.
        """
        return await self._vote(gate_id, VoteKind.APPROVE, by, binding, reason, channel)

    async def reject(
        self,
        gate_id: GateId,
        *,
        by: str,
        binding: str,
        reason: str,
        channel: Channel = Channel.API,
    ) -> Gate:
        """Have a call not happen, whoever else has approved; the graph is told the reason.

        Raises:
            UnknownGate, GateClosed, GateStale, VoteRefused: as `approve`.
        """
        return await self._vote(gate_id, VoteKind.REJECT, by, binding, reason, channel)

    async def respond(
        self,
        gate_id: GateId,
        text: str,
        *,
        by: str,
        binding: str,
        channel: Channel = Channel.API,
    ) -> Gate:
        """Have a call not happen, and give the graph these words in place of its result.

        Raises:
            UnknownGate, GateClosed, GateStale, VoteRefused: as `approve`.
        """
        return await self._vote(gate_id, VoteKind.RESPOND, by, binding, text, channel)

    async def break_glass(self, gate_id: GateId, *, by: str, binding: str, reason: str) -> Gate:
        """Approve alone, in an emergency. It is a group's right, and the audit tells of it.

        Raises:
            UnknownGate, GateClosed, GateStale: as `approve`.
            VoteRefused: this person may not, has a part in the call, or says no reason.
        """
        ballot = Ballot(
            person=by,
            kind=VoteKind.APPROVE,
            binding=binding,
            reason=reason,
            channel=Channel.BREAK_GLASS,
        )
        return await self._cast(gate_id, ballot, gates.break_glass)

    async def check_edit(
        self, gate_id: GateId, arguments: Mapping[str, object], *, by: str, binding: str
    ) -> Mapping[str, Any]:
        """Return the arguments that an edit would put in place, checked; change nothing.

        What fits now is checked once more by `edit`.

        Raises:
            UnknownGate, GateClosed, GateStale, VoteRefused, EditRefused, UnknownGraph,
            UnknownTool: as `edit`.
        """
        from penstock.nodes.gates.edits import check_edit  # noqa: PLC0415  (only edits need LangChain)

        run = await self._store.read(lambda connection: _run_of(connection, gate_id))
        graph, authorizer = self._authorizer(run)
        at = self._clock.now()

        def look(connection: Connection) -> str:
            gate = gates.get(connection, gate_id)
            gates.require_open(gate, binding, now=at)
            gates.seat_of(connection, gate, by, has=self._has(gate), now=at)
            tool = _tool_of(graph, gate)
            _, checked, _ = check_edit(
                connection, gate, arguments, run=run, tool=tool, authorizer=authorizer
            )
            return checked.canonical

        return json.loads(await self._store.read(look))

    async def edit(
        self, gate_id: GateId, arguments: Mapping[str, object], *, by: str, binding: str
    ) -> Gate:
        """Put other arguments in place of a call's own; return the gate that asks about them.

        They are checked and decided about anew. Whoever edits votes for nothing by it, and neither
        they nor whoever the run acts for can approve what they have made. Fields that nobody is
        shown stay as they are.

        Raises:
            UnknownGate, GateClosed, GateStale, VoteRefused: as `approve`.
            EditRefused: the arguments do not fit, are not allowed, or are what they were.
            UnknownGraph, UnknownTool: the gate's graph, or its tool, is not loaded here.
        """
        from penstock.nodes.gates.edits import edit  # noqa: PLC0415  (likewise)

        run = await self._store.read(lambda connection: _run_of(connection, gate_id))
        graph, authorizer = self._authorizer(run)
        at = self._clock.now()

        def change(connection: Connection) -> Gate:
            runs.lock(connection, run.id)
            gate, now = gates.get_locked(connection, gate_id)
            gates.require_open(gate, binding, now=now)
            gates.seat_of(connection, gate, by, has=self._has(gate), now=now)
            return edit(
                connection,
                gate,
                arguments,
                run=run,
                tool=_tool_of(graph, gate),
                authorizer=authorizer,
                by=by,
                at=at,
            )

        return await self._store.write(change)

    async def delegate(
        self,
        *,
        tenant: str,
        from_person: str,
        to_person: str,
        ends_at: datetime,
        starts_at: datetime | None = None,
        gate_id: GateId | None = None,
        by: str,
    ) -> Delegation:
        """Lend one's own seat to another until a day; at one gate, or at all.

        Raises:
            UnknownGate: there is no such gate.
            VoteRefused: it is not theirs to lend, or the dates are not in order.
        """
        at = self._clock.now()
        return await self._store.write(
            lambda connection: gates.delegate(
                connection,
                tenant=tenant,
                from_person=from_person,
                to_person=to_person,
                gate_id=gate_id,
                starts_at=starts_at or at,
                ends_at=ends_at,
                at=at,
                by=by,
            )
        )

    async def revoke(self, delegation_id: int, *, by: str) -> None:
        """Take a seat back.

        Raises:
            VoteRefused: it was lent neither by them nor to them, and they are no operator.
        """
        at = self._clock.now()
        await self._store.write(
            lambda connection: gates.revoke(
                connection, delegation_id, has=self._people.has, at=at, by=by
            )
        )

    async def delegations(self, *, tenant: str) -> Sequence[Delegation]:
        """Return the delegations that are not over."""
        at = self._clock.now()
        return await self._store.read(
            lambda connection: gates.delegations(connection, tenant=tenant, at=at)
        )

    async def votes(self, gate_id: GateId) -> Sequence[Vote]:
        """Return the votes at a gate, in the order in which they were cast."""
        return await self._store.read(lambda connection: gates.votes_of(connection, gate_id))

    async def _vote(
        self,
        gate_id: GateId,
        kind: VoteKind,
        by: str,
        binding: str,
        reason: str | None,
        channel: Channel,
    ) -> Gate:
        ballot = Ballot(person=by, kind=kind, binding=binding, reason=reason, channel=channel)
        return await self._cast(gate_id, ballot, gates.vote)

    async def _cast(self, gate_id: GateId, ballot: Ballot, cast: _Cast) -> Gate:
        at = self._clock.now()

        def change(connection: Connection) -> Gate:
            found = gates.get(connection, gate_id)
            has = self._has(found)
            runs.lock(connection, found.run_id)
            gate, is_decided = cast(connection, gate_id, ballot, has=has, at=at)
            if is_decided:
                run = runs.wake(connection, gate.run_id, at=at, actor=ballot.person)
                self._engine.enqueue(connection, run)
            return gate

        gate = await self._store.write(change)
        self._engine.wake()
        return gate

    def _authorizer(self, run: Run) -> "tuple[Graph, Authorizer]":
        from penstock.nodes.calls.authorization import Authorizer  # noqa: PLC0415  (likewise)
        from penstock.runs.policies import policy_cache_of  # noqa: PLC0415  (likewise)

        graph = self._catalog.get(run.graph)
        # Kept, so that a version of a policy is compiled once, and not for each edit.
        cache = self._policy_caches.get(graph.name)
        if cache is None:
            cache = self._policy_caches[graph.name] = policy_cache_of(graph, self._people)
        return graph, Authorizer(run, cache, self._people, self._clock, taints=graph.taints)

    def _has(self, gate: Gate) -> gates.IsMember:
        return lambda group, person: self._people.has(group, person, gate.tenant)


def _run_of(connection: Connection, gate_id: GateId) -> Run:
    return runs.get(connection, gates.get(connection, gate_id).run_id)


def _tool_of(graph: "Graph", gate: Gate) -> "Tool[Any]":
    name = json.loads(gate.question)["may_it_happen"]
    if name not in graph.tools:
        raise UnknownTool(
            f"`{name}` is not among the tools that graph `{graph.name}` is declared with, so a call"
            " of it cannot be checked here; name it in `declare(…, tools=[…])`"
        )
    return graph.tools[name]
