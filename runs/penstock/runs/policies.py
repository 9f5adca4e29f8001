"""The policies of graphs: checked, loaded, changed without a restart, explained and tried out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from penstock.checkpoints import Store, decisions, policies
from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import UnknownPolicy
from penstock.contracts.ids import RunId
from penstock.contracts.policy import Decision, PolicySource, PolicyVersion, RecordedDecision
from penstock.contracts.run import DEFAULT_TENANT
from penstock.contracts.tool import EffectClass
from penstock.graphs import Catalog, Graph
from penstock.nodes.calls.authorization import PolicyCache
from penstock.policies import (
    CompiledPolicy,
    DenialReason,
    OpenDirectory,
    People,
    builtin_policy,
    compile_policy,
    read_source,
)
from penstock.runs.authorization import Right, require

CALL_ROWS = 100_000
"""At most so many recorded calls are decided again."""

ABOUT_BUILTIN = (
    "the built-in policy: what reads is allowed, everything else asks a person; name a folder in"
    " `declare(…, policy=…)` or PENSTOCK_POLICY"
)
"""The notice about a graph that has no policy of its own."""

_UNDECIDABLE: Mapping[str, str] = {
    DenialReason.UNKNOWN_TOOL: "The graph has no such tool any more.",
    DenialReason.UNFIT: (
        "What was recorded does not fit the tool's contract of today: the candidate looks at an"
        " argument or a fact that the call did not have."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Redecision:
    """A recorded call with its decision, and the decision of a candidate policy."""

    before: RecordedDecision
    after: Decision
    is_certain: bool
    """Whether the candidate decides every earlier call of the run as it was decided.

    After the first call with another decision, nobody knows what the run would have done: its model
    would have received another result.
    """

    @property
    def why_not(self) -> str | None:
        """Why the call cannot be decided again, as a sentence; None where it can.

        Such a call counts as no change.
        """
        found = _UNDECIDABLE.keys() & set(self.after.reasons) - set(self.before.decision.reasons)
        return _UNDECIDABLE[min(found)] if found else None

    @property
    def is_changed(self) -> bool:
        """Whether the candidate decides otherwise: another verdict, or other gates."""
        if self.why_not is not None:
            return False
        was = self.before.decision
        return (was.verdict, _asked(was)) != (self.after.verdict, _asked(self.after))


class Policies:
    """Checks, loads, activates and explains the policies of a project's graphs."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        *,
        people: People | None = None,
        default: Path | None = None,
        clock: Clock | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> None:
        """Act on the policies in `store`; `default` is the folder for graphs that name none.

        A policy applies to all tenants. The admins of `tenant` may change it.
        """
        self._store = store
        self._catalog = catalog
        self._people: People = people or OpenDirectory()
        self._default = default
        self._clock = clock or SystemClock()
        self._tenant = tenant

    def check(self, graph: str, folder: Path | None = None) -> CompiledPolicy:
        """Return a graph's policy, from a folder or from where the graph has it, compiled.

        Raises:
            UnknownGraph: there is no such graph.
            InvalidPolicy: it cannot be used; the message names every problem with file and line.
        """
        known = self._catalog.get(graph)
        return check(known, folder, default=self._default, people=self._people)

    def compiled(self, graph: str, source: PolicySource) -> CompiledPolicy:
        """Return any version of a graph's policy, compiled.

        Raises:
            UnknownGraph: there is no such graph.
            InvalidPolicy: it does not fit the graph's tools.
        """
        return compiled(self._catalog.get(graph), source, self._people)

    async def load(
        self, graph: str, folder: Path | None = None, *, by: str
    ) -> tuple[PolicyVersion, bool]:
        """Store a version and activate it; return it, and whether it is new.

        Workers need no restart. A version that was loaded before is not activated: `use` does that.

        Raises:
            UnknownGraph, InvalidPolicy: as `check`; the version before stays active.
            NotAllowed: this person may not change policies.
        """
        known = self._catalog.get(graph)
        source, at = self._source(known, folder), self._clock.now()

        def change(connection: Connection) -> tuple[PolicyVersion, bool]:
            require(self._people, Right.MANAGE_POLICIES, by, self._tenant)
            return load(connection, known, source, self._people, at=at, by=by)

        return await self._store.write(change)

    async def replace(
        self, graph: str, candidate: PolicySource, *, seen: str | None, by: str
    ) -> PolicyVersion:
        """Activate a candidate in place of the version that its author has seen.

        Args:
            graph: The name of a graph.
            candidate: The new policy. It is stored, unless it was before.
            seen: The digest of the version that it was compared with; None if none was active.
            by: Who does it.

        Raises:
            NotAllowed: this person may not change policies.
            PolicyChanged: another version is active by now; nothing was changed.
            UnknownGraph, InvalidPolicy: as `check`; the version before stays active.
        """
        self.compiled(graph, candidate)
        at = self._clock.now()

        def change(connection: Connection) -> PolicyVersion:
            require(self._people, Right.MANAGE_POLICIES, by, self._tenant)
            return policies.replace(connection, graph, candidate, seen=seen, at=at, by=by)

        return await self._store.write(change)

    async def use(self, name: str, *, by: str) -> PolicyVersion:
        """Activate a version by its name: `desk@2`.

        Raises:
            NotAllowed: this person may not change policies.
            UnknownPolicy: there is no such version.
        """
        graph, number = _split_name(name)
        at = self._clock.now()

        def change(connection: Connection) -> PolicyVersion:
            require(self._people, Right.MANAGE_POLICIES, by, self._tenant)
            return policies.activate(connection, graph, number, at=at, by=by)

        return await self._store.write(change)

    async def versions(self, graph: str) -> Sequence[PolicyVersion]:
        """Return the versions of a graph's policy, the newest first."""
        return await self._store.read(lambda connection: policies.versions(connection, graph))

    async def explain(self, run_id: RunId) -> Sequence[RecordedDecision]:
        """Return the decisions about the calls of a run, with their grounds."""
        return await self._store.read(lambda connection: decisions.of_run(connection, run_id))

    async def what_if(
        self,
        graph: str,
        candidate: Path | PolicySource,
        *,
        tenant: str,
        since: datetime | None,
        limit: int = CALL_ROWS,
    ) -> Sequence[Redecision]:
        """Return how a candidate decides the newest recorded calls, in their order.

        The candidate is a folder, or the text itself.

        Raises:
            UnknownGraph, InvalidPolicy: as `check`.
        """
        source = read_source(candidate) if isinstance(candidate, Path) else candidate
        policy = self.compiled(graph, source)
        recorded = await self._store.read(
            lambda connection: decisions.last_of_calls(
                connection, graph, tenant=tenant, since=since, limit=limit
            )
        )
        return redecide(recorded, policy)

    async def unpoliced(self, graphs: Iterable[Graph]) -> Sequence[str]:
        """Return the names of the graphs that have only the built-in policy."""
        return await self._store.read(
            lambda connection: unpoliced(connection, graphs, default=self._default)
        )

    def _source(self, graph: Graph, folder: Path | None) -> PolicySource:
        return source_of(graph, self._default) if folder is None else read_source(folder)


def redecide(
    recorded: Sequence[RecordedDecision], candidate: CompiledPolicy
) -> Sequence[Redecision]:
    """Decide recorded calls again with a candidate, in the order of their decisions."""
    changed_runs: set[str] = set()
    found: list[Redecision] = []
    for decided in recorded:
        is_certain = decided.run_id not in changed_runs
        after = candidate.decide(decided.request)
        one = Redecision(before=decided, after=after, is_certain=is_certain)
        if one.is_changed or one.why_not:
            changed_runs.add(decided.run_id)
        found.append(one)
    return found


def policy_cache_of(graph: Graph, people: People) -> PolicyCache:
    """Return a cache for the policy of a graph, for calls of its tools."""
    return PolicyCache(graph.name, (tool.contract for tool in graph.tools.values()), people)


def source_of(graph: Graph, default: Path | None) -> PolicySource:
    """Return the policy that a graph names, else the one of the project, else the built-in one.

    Raises:
        InvalidPolicy: It cannot be read.
    """
    folder = graph.policy or default
    return builtin_policy() if folder is None else read_source(folder)


def unpoliced(
    connection: Connection, graphs: Iterable[Graph], *, default: Path | None
) -> Sequence[str]:
    """Return the names of the graphs that have only the built-in policy.

    A graph whose tools all read is not among them: the built-in policy asks nobody there.
    """
    builtin = builtin_policy().digest
    return [
        graph.name
        for graph in graphs
        if (graph.policy or default) is None
        and policies.active_digest(connection, graph.name) in {None, builtin}
        and any(tool.contract.effect is not EffectClass.READ for tool in graph.tools.values())
    ]


def check(
    graph: Graph, folder: Path | None, *, default: Path | None, people: People
) -> CompiledPolicy:
    """Return a graph's policy, from a folder or from where the graph has it, compiled.

    Raises:
        InvalidPolicy: It cannot be used; the message names every problem with file and line.
    """
    source = source_of(graph, default) if folder is None else read_source(folder)
    return compiled(graph, source, people)


def compiled(graph: Graph, source: PolicySource, people: People) -> CompiledPolicy:
    """Return a policy, compiled for calls of a graph's tools.

    Raises:
        InvalidPolicy: It does not fit them.
    """
    contracts = [tool.contract for tool in graph.tools.values()]
    return compile_policy(source, contracts, roles=people.roles, groups=people.groups)


def load(
    connection: Connection,
    graph: Graph,
    source: PolicySource,
    people: People,
    *,
    at: datetime,
    by: str,
) -> tuple[PolicyVersion, bool]:
    """Store a policy for a graph and activate it, unless it was loaded before.

    Returns the version, and whether it is new.

    Raises:
        InvalidPolicy: It does not fit the graph's tools; the version before stays active.
    """
    compiled(graph, source, people)
    return policies.load(connection, graph.name, source, at=at, by=by)


def _asked(decision: Decision) -> frozenset[tuple[str, int]]:
    return frozenset((rule.group, rule.approval_count) for rule in decision.rules)


def _split_name(name: str) -> tuple[str, int]:
    graph, _, number = name.rpartition("@")
    if not graph or not number.isdigit():
        raise UnknownPolicy(f"`{name}` names no version of a policy; wanted is one like `desk@2`")
    return graph, int(number)
