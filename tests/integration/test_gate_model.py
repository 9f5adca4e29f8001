"""Gates against everybody at once: a model of votes, edits, time, policies, crashes and zombies.

A run makes calls. Each goes through the product's own stages, one transaction at a time: between
any two, people vote, edit, come and go, another policy decides, time passes, and workers die, or
live on without their lease. What begins is held against a judge of its own, in the transaction in
which it begins.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from langgraph.errors import GraphInterrupt
from sqlalchemy import Connection, Dialect, event

from penstock.checkpoints import Store, gates, ledger, policies, runs
from penstock.checkpoints.database import Database
from penstock.contracts.call import Done, Failed, InDoubt, Outcome
from penstock.contracts.effect import Effect
from penstock.contracts.errors import EditRefused, GateClosed, GateStale, VoteRefused
from penstock.contracts.gate import Channel, Gate, GateKind, GateStatus, Vote, VoteKind
from penstock.contracts.ids import IdempotencyKey, RunId, ThreadId, WorkerId
from penstock.contracts.policy import PolicySource
from penstock.contracts.run import Failure, FailureCode, NewRun, Run, RunStatus, WhenBusy
from penstock.contracts.signals import GateExpired, LeaseLost
from penstock.nodes.calls.call import ApprovedCall
from penstock.nodes.calls.claim import StaleDecision, claim
from penstock.nodes.calls.outcomes import outcome_of
from penstock.policies import read_source
from penstock.runs.sweep import sweep_once
from support.allowing import COUNCIL
from support.council import Asked, Council, pay
from support.databases import migrated_sqlite
from support.ledgers import MovedClock, empty
from support.people import GROUPS

KEYS = ("call-1", "call-2", "call-3")
NOTES = ("two", "slow", "own")
AMOUNTS = (700, 900)
PEOPLE = ("ann", "bob", "eve", "fay", "dan", "sam", "max", "bea")
APPROVING = ("bob", "eve", "fay", "sam", "max", "dan", "ann")
NO_SYNC = "PRAGMA synchronous = OFF"
"""No process dies here, so nobody waits for the disk."""
STALE = "0" * 64
PLANS = st.sampled_from(["done", "refused", "refused", "refused", "lost"])
MANY = 99
"""Transactions enough for a call to come to its end."""

GATE_POLICIES: Mapping[str, str] = {
    "strict": """
        @id("a") @gate("finance") @approvals("2") @expires("PT4H")
        permit(principal, action, resource);
        @id("b") @gate("security") permit(principal, action, resource);
    """,
    "fails": '@id("c") @gate("finance") @on_expiry("fail") permit(principal, action, resource);',
    "free": "",
    "none": "",
}
ASKS: Mapping[str, Mapping[str, Mapping[str, int]]] = {
    "notes": {"two": {"finance": 2}, "slow": {"finance": 1}, "own": {"finance": 1}},
    "strict": {note: {"finance": 2, "security": 1} for note in NOTES},
    "fails": {note: {"finance": 1} for note in NOTES},
    "free": {note: {} for note in NOTES},
}
"""What each policy asks about a call, by its note: written down once more, not computed."""

QUICK = settings(max_examples=60, stateful_step_count=50, derandomize=True, database=None)
LONG = settings(QUICK, max_examples=400, stateful_step_count=60, derandomize=False)


class _Turn:
    """Lets others act before whoever awaits it goes on."""

    def __await__(self) -> Generator[None]:
        yield


class _Writes:
    """A store whose transactions are a machine's, each at once or at its turn."""

    def __init__(
        self,
        run: Callable[[Callable[[Connection], Any]], Any],
        *,
        dialect: Dialect,
        in_turn: bool,
    ) -> None:
        self.dialect = dialect
        self._run = run
        self._in_turn = in_turn

    async def write(self, change: Callable[[Connection], Any]) -> Any:
        """Run a change, before which others may act."""
        if self._in_turn:
            await _Turn()
        return self._run(change)

    read = write

    def write_blocking(self, change: Callable[[Connection], Any]) -> Any:
        """Run a change."""
        return self._run(change)

    post = write_blocking
    read_blocking = write_blocking


@dataclass(frozen=True)
class _Shown:
    clock: MovedClock

    def now(self) -> datetime:
        """Return what the database's clock shows."""
        return self.clock.now


@dataclass(eq=False)
class Driving:
    """A worker's execution of a call, as far as it has come."""

    asked: Asked
    plan: str
    """What its tool will do: `done`, `refused` or `lost`."""
    steps: Any = None


@dataclass
class Seen:
    """What was true of gates at the last look."""

    answers: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    consumed: dict[str, datetime] = field(default_factory=dict[str, datetime])


def now_of(coroutine: Awaitable[Any]) -> Any:
    """Return what something comes to that never waits."""
    steps: Any = coroutine
    try:
        steps.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waited")


class GateMachine(RuleBasedStateMachine):
    """What may happen to the calls of a run that needs people."""

    database: ClassVar[Database]
    clock: ClassVar[MovedClock]
    sources: ClassVar[Mapping[str, PolicySource]]
    council: ClassVar[Council]
    connection: ClassVar[Connection]

    def __init__(self) -> None:
        super().__init__()
        self.write(empty)
        self.staff = self.council.staff
        self.staff.in_group = {group: set(people) for group, people in GROUPS.items()}
        self.policy = "notes"
        self.activate(self.policy)
        self.run_id = RunId("the-run")
        self.run: Run = now_of(self.council.claimed(self.write(self.start)))
        self.notes: dict[str, str] = dict(zip(KEYS, NOTES, strict=True))
        self.driving: list[Driving] = []
        self.acted: dict[str, int] = dict.fromkeys(KEYS, 0)
        self.seen = Seen()
        self.slow = cast(Store, _Writes(self.write, dialect=self.database.dialect, in_turn=True))

    @classmethod
    def write(cls, change: Callable[[Connection], Any]) -> Any:
        """Run a change in a transaction of its own."""
        cls.database.begin_writing(cls.connection)
        try:
            result = change(cls.connection)
        except BaseException:
            cls.connection.rollback()
            cls.database.dialect.do_rollback(cls.connection.connection)
            raise
        cls.database.commit(cls.connection)
        return result

    def start(self, tx: Connection) -> Run:
        """Queue the run; under the same id each time, so that a failure is found again."""
        graph = self.council.graph
        new = NewRun(
            id=self.run_id,
            tenant="default",
            key=None,
            thread_id=ThreadId("the-thread"),
            graph=graph.name,
            graph_version=graph.version,
            fingerprint=str(graph.fingerprint),
            input="{}",
            principal="ann",
        )
        run, _ = runs.create(tx, new, when_busy=WhenBusy.WAIT, at=self.clock.now, actor="ann")
        return run

    # ---- the store, as it is ----

    def stored(self) -> Run:
        """Return the run."""
        return self.write(lambda tx: runs.get(tx, self.run_id))

    def gates(self, *statuses: GateStatus) -> list[Gate]:
        """Return the gates of the run that ask for approvals."""
        found: list[Gate] = self.write(lambda tx: gates.of_run(tx, self.run_id))
        return [
            gate
            for gate in found
            if gate.kind is GateKind.APPROVAL and (not statuses or gate.status in statuses)
        ]

    def votes(self, gate: Gate) -> list[Vote]:
        """Return the votes at a gate."""
        return self.write(lambda tx: gates.votes_of(tx, gate.id))

    def some_gate(self, data: st.DataObject) -> Gate | None:
        """Return a gate, most likely one that is open."""
        is_open = data.draw(st.sampled_from([True, True, True, False]))
        found = self.gates(GateStatus.OPEN) if is_open else self.gates()
        return data.draw(st.sampled_from(found)) if found else None

    # ---- workers ----

    @property
    def runs(self) -> bool:
        """Tell whether a worker drives the run."""
        return self.stored().status is RunStatus.RUNNING

    def call(self, key: str, amount: int) -> Asked:
        """Return a call of the run, as the worker that drives it makes it."""
        return Asked(
            run=self.run,
            key=IdempotencyKey(key),
            tool=pay,
            arguments={"amount": amount, "note": self.notes[str(key)]},
        )

    def drive(self, driving: Driving) -> Driving:
        """Have a worker execute a call from its first stage."""

        async def last(approved: ApprovedCall) -> Outcome:
            return await self.attempt(driving, approved)

        driving.steps = self.council.through(driving.asked, last, store=self.slow)
        return driving

    @initialize(
        name=st.sampled_from(["notes", "notes", "notes", "strict", "fails"]),
        hours=st.sampled_from([0.0, 1.0, 1.0]),
        is_lent=st.booleans(),
    )
    def ask(self, name: str, hours: float, is_lent: bool) -> None:  # noqa: FBT001
        """All calls of the run wait, some time has passed, and somebody has lent their seat."""
        self.activate(name)
        for key in KEYS:
            self.begun(key, 900, "done", count=MANY)
        if is_lent:
            self.lend("eve", "dan", 30)
        self.wait(hours)

    @rule(
        data=st.data(),
        key=st.sampled_from(KEYS),
        amount=st.sampled_from([900] * 5 + [700]),
        plan=PLANS,
        count=st.sampled_from([*[MANY] * 6, 1, 2, 3, 4, 5, 6]),
        votes=st.sampled_from(["for", "for", "for", "against", "none"]),
        then=st.sampled_from(["bob leaves", "eve leaves", "free", *["nothing"] * 4]),
    )
    def execute(
        self,
        data: st.DataObject,
        key: str,
        amount: int,
        plan: str,
        count: int,
        votes: str,
        then: str,
    ) -> None:
        """People vote on a call, something changes, and the run comes to it; it may stop there."""
        waits = [gate for gate in self.gates(GateStatus.OPEN) if gate.effect_key == key]
        people = data.draw(st.permutations(APPROVING))
        for gate in waits:
            if votes == "for":
                self.approve(gate, people)
            elif votes == "against":
                binding = gate.binding or ""
                self.acts(
                    lambda gate=gate, binding=binding: self.council.approvals.reject(
                        gate.id, by="bob", binding=binding, reason="no"
                    )
                )
        match then:
            case "bob leaves" | "eve leaves":
                self.staff.in_group["finance"].discard(then.split(maxsplit=1)[0])
            case "free":
                self.activate("free")
            case _:
                pass
        self.begun(key, amount, plan, count=count)

    def begun(self, key: str, amount: int, plan: str, *, count: int) -> None:
        """Let the run come to a call, and go on so far."""
        if self.stored().status is RunStatus.QUEUED:
            self.take_over()
        if not self.runs:
            return
        mine = [each for each in self.driving if each.asked.run.epoch == self.run.epoch]
        driving = next((each for each in mine if each.asked.key == key), None)
        if driving is None:
            driving = self.drive(Driving(self.call(key, amount), plan))
            self.driving.append(driving)
        self.go_on(driving, count)

    @precondition(lambda self: self.driving)
    @rule(data=st.data(), count=st.sampled_from([1, 1, 2, MANY, MANY]))
    def step(self, data: st.DataObject, count: int) -> None:
        self.go_on(data.draw(st.sampled_from(self.driving)), count)

    def go_on(self, driving: Driving, count: int) -> None:
        """Let an execution go on for so many transactions."""
        for _ in range(count):
            if not self.stepped(driving):
                self.driving.remove(driving)
                return

    def stepped(self, driving: Driving) -> bool:
        """Let a worker's execution go on by a transaction; tell whether it goes on after that."""
        try:
            driving.steps.send(None)
        except StaleDecision:
            self.drive(driving)
        except (StopIteration, GraphInterrupt, LeaseLost):
            return False
        except GateExpired as expired:
            self.fail(driving, str(expired))
            return False
        return True

    def fail(self, driving: Driving, why: str) -> None:
        """Let a run fail whose gate expired so, as its driver does."""
        failure = Failure(code=FailureCode.GATE_EXPIRED, message=why, redrivable=True)
        with contextlib.suppress(LeaseLost):
            self.write(
                lambda tx: runs.move(
                    tx,
                    driving.asked.run.fence,
                    RunStatus.FAILED,
                    at=self.clock.now,
                    actor="worker",
                    failure=failure,
                )
            )

    async def attempt(self, driving: Driving, approved: ApprovedCall) -> Outcome:
        """Begin a call, do what its tool does, and settle it."""
        context, at = self.council.context(driving.asked.run), self.clock.now
        call = approved.call

        def begin(tx: Connection) -> tuple[Effect, bool]:
            effect, is_begun = claim(tx, context, approved, at=at)
            if is_begun:
                self.judge(tx, effect)
            return effect, is_begun

        effect, is_begun = await self.slow.write(begin)
        if not is_begun:
            return outcome_of(call, effect)
        await _Turn()
        key, number = effect.key, effect.attempt
        if driving.plan == "refused":
            failed = Failed(code="down", message="the service is down", retryable=True)
            await self.slow.write(
                lambda tx: ledger.fail(tx, key, number, failed, at=at, actor="worker")
            )
            return failed
        self.acted[key] += 1
        if driving.plan == "lost":
            why = ("unknown", "the answer was lost")
            await self.slow.write(
                lambda tx: ledger.doubt(tx, effect, call.effect, why=why, at=at, actor="worker")
            )
            return InDoubt(effect_key=key, message="lost")
        await self.slow.write(
            lambda tx: ledger.succeed(tx, key, number, '"paid"', at=at, actor="worker")
        )
        return Done(result="paid", recorded=False)

    @rule(
        data=st.data(),
        what=st.sampled_from(["crash", "take over", "park", "redrive", "wait", "swap", "swap"]),
        hours=st.sampled_from([0.1, 0.5, 1.0, 1.0, 4.0, 24.0]),
        name=st.sampled_from(["notes", "notes", *GATE_POLICIES]),
    )
    def change_world(self, data: st.DataObject, what: str, hours: float, name: str) -> None:
        match what:
            case "wait":
                self.clock.move(3600 * hours)
            case "swap":
                self.activate(name)
            case "crash" if self.driving:
                driving = data.draw(st.sampled_from(self.driving))
                driving.steps.close()
                self.driving.remove(driving)
            case "take over":
                self.take_over()
            case "park":
                self.park()
            case _ if self.stored().status is RunStatus.FAILED:
                now_of(self.council.runtime.redrive(self.run_id, by="olga"))
            case _:
                pass

    def take_over(self) -> None:
        """Another worker drives the run; executions of the one before live on."""
        found = self.stored()
        if found.status is RunStatus.RUNNING:
            found = self.write(
                lambda tx: runs.move(
                    tx, found.fence, RunStatus.QUEUED, at=self.clock.now, actor="test"
                )
            )
        if found.status is RunStatus.QUEUED:
            self.run = now_of(self.council.claimed(found))

    def park(self) -> None:
        """The run waits at its gates, unless one has closed meanwhile."""
        waits = [gate.id for gate in self.gates(GateStatus.OPEN)]
        if self.runs and waits:
            self.write(
                lambda tx: runs.park(
                    tx, self.run.fence, [], others=waits, at=self.clock.now, actor="worker"
                )
            )

    @rule(hours=st.sampled_from([0.0, 0.5, 1.0, 3.0]))
    def wait(self, hours: float) -> None:
        """Time passes, and a worker looks after everything."""
        self.clock.move(3600 * hours)
        worker = WorkerId("sweeper")
        self.write(lambda tx: sweep_once(tx, lost_limit=99, at=self.clock.now, actor=worker))

    def activate(self, name: str) -> None:
        """Have a policy decide."""
        graph, at = self.council.graph.name, self.clock.now

        def change(tx: Connection) -> None:
            version, is_new = policies.load(tx, graph, self.sources[name], at=at, by="test")
            if not is_new:
                policies.activate(tx, graph, version.number, at=at, by="test")

        self.write(change)
        self.policy = name

    # ---- people ----

    def acts(self, act: Callable[[], Awaitable[Any]]) -> bool:
        """Have a person do something; tell whether they could."""
        try:
            now_of(act())
        except (VoteRefused, GateClosed, GateStale, EditRefused):
            return False
        return True

    @rule(
        data=st.data(),
        person=st.sampled_from(PEOPLE),
        kind=st.sampled_from([*[VoteKind.APPROVE] * 5, VoteKind.REJECT, VoteKind.RESPOND]),
        is_stale=st.sampled_from([False] * 7 + [True]),
        clicks=st.sampled_from([1, 1, 2]),
    )
    def vote(
        self,
        data: st.DataObject,
        person: str,
        kind: VoteKind,
        is_stale: bool,  # noqa: FBT001  (Hypothesis gives names)
        clicks: int,
    ) -> None:
        if (gate := self.some_gate(data)) is None:
            return
        binding = STALE if is_stale else gate.binding or ""
        approvals = self.council.approvals

        def cast_it() -> Awaitable[Any]:
            match kind:
                case VoteKind.APPROVE:
                    return approvals.approve(gate.id, by=person, binding=binding)
                case VoteKind.REJECT:
                    return approvals.reject(gate.id, by=person, binding=binding, reason="no")
                case VoteKind.RESPOND:
                    return approvals.respond(gate.id, "later", by=person, binding=binding)

        before = self.votes(gate)
        counted = self.acts(cast_it)
        after = self.votes(gate)
        if before != after:
            assert counted
            assert gate.status is GateStatus.OPEN
            assert not is_stale
        for _ in range(clicks - 1):
            again = self.acts(cast_it)
            assert again or not counted
            assert self.votes(gate) == after, "a double click counted"

    @rule(data=st.data())
    def approve_all(self, data: st.DataObject) -> None:
        """As many people approve as are needed, if there are so many."""
        if (gate := self.some_gate(data)) is not None:
            self.approve(gate, data.draw(st.permutations(APPROVING)))

    def approve(self, gate: Gate, people: Sequence[str]) -> None:
        """Have people approve what they may."""
        for person in people:
            self.acts(
                lambda person=person: self.council.approvals.approve(
                    gate.id, by=person, binding=gate.binding or ""
                )
            )

    @rule(data=st.data(), person=st.sampled_from(["bea", "bea", "ann", "bob"]))
    def break_glass(self, data: st.DataObject, person: str) -> None:
        if (gate := self.some_gate(data)) is not None:
            self.acts(
                lambda: self.council.approvals.break_glass(
                    gate.id, by=person, binding=gate.binding or "", reason="fire"
                )
            )

    @rule(
        data=st.data(),
        person=st.sampled_from(PEOPLE),
        amount=st.sampled_from([*AMOUNTS, 800, 10001]),
    )
    def edit(self, data: st.DataObject, person: str, amount: int) -> None:
        if (gate := self.some_gate(data)) is not None:
            note = json.loads(gate.question)["arguments"]["note"]
            arguments = {"amount": amount, "note": note}
            self.acts(
                lambda: self.council.approvals.edit(
                    gate.id, arguments, by=person, binding=gate.binding or ""
                )
            )

    @rule(
        owner=st.sampled_from(["bob", "eve", "ann", "sam"]),
        other=st.sampled_from(PEOPLE),
        hours=st.integers(1, 30),
    )
    def lend(self, owner: str, other: str, hours: int) -> None:
        ends_at = self.clock.now + timedelta(hours=hours)
        self.acts(
            lambda: self.council.approvals.delegate(
                tenant="default", from_person=owner, to_person=other, ends_at=ends_at, by=owner
            )
        )

    @rule(
        person=st.sampled_from(PEOPLE),
        group=st.sampled_from(["finance", "finance", "security", "managers", "break-glass"]),
        comes=st.booleans(),
    )
    def move(self, person: str, group: str, comes: bool) -> None:  # noqa: FBT001
        if comes:
            self.staff.in_group[group].add(person)
        else:
            self.staff.in_group[group].discard(person)

    # ---- the judge ----

    def judge(self, tx: Connection, effect: Effect) -> None:
        """Hold a call that has just begun against what people have said, in its transaction."""
        arguments = json.loads(effect.arguments)
        assert self.policy != "none", "a call begins that is denied"
        needed = ASKS[self.policy][arguments["note"]]
        asked = [
            gate
            for gate in gates.of_run(tx, self.run_id)
            if gate.effect_key == effect.key and json.loads(gate.question)["arguments"] == arguments
        ]
        for gate in asked:
            is_no = gate.status is GateStatus.DECIDED and not gate.is_approved
            assert not is_no, "a call begins that was refused"
            assert gate.status is not GateStatus.EXPIRED, "a call begins that nobody approved"
        used = [gate for gate in asked if gate.consumed_at is not None]
        if not needed and not any(gate.edit for gate in asked):
            assert all(gate.status is not GateStatus.OPEN for gate in asked)
            return
        active = policies.active_digest(tx, self.council.graph.name)
        counting = [gate for gate in used if gate.policy_digest == active]
        assert len(counting) == 1, "a call begins without an approval of its own"
        (gate,) = counting
        assert gate.is_approved
        if gate.id not in self.seen.consumed:
            self.judge_votes(tx, gate, needed)

    def judge_votes(self, tx: Connection, gate: Gate, needed: Mapping[str, int]) -> None:
        """Hold an approval that has just been used up against who has given it."""
        votes = gates.votes_of(tx, gate.id)
        assert all(vote.kind is VoteKind.APPROVE for vote in votes)
        assert gate.expires_at is not None
        assert self.clock.now < gate.expires_at, "an approval counts after its time"
        group = self.staff.in_group
        barred = set(self.editors(tx, gate))
        own = self.policy == "notes" and json.loads(gate.question)["arguments"]["note"] == "own"
        if barred or not own:
            barred.add("ann")
        for vote in votes:
            assert not barred & {vote.person, vote.seat}, "who has a part in a call approved it"
        if any(
            vote.channel is Channel.BREAK_GLASS and vote.person in group["break-glass"]
            for vote in votes
        ):
            return
        beside = group[gate.escalates_to] if gate.escalated_at and gate.escalates_to else set[str]()
        for name, count in {**needed, **(gate.approvals or {})}.items():
            counted = {vote.person for vote in votes if vote.seat in group[name] | beside}
            assert len(counted) >= count, f"too few of {name} approved"

    def editors(self, tx: Connection, gate: Gate) -> list[str]:
        """Return who has had a hand in what a gate asks about."""
        found = gates.of_run(tx, self.run_id)
        edits = [each.edit for each in found if each.effect_key == gate.effect_key and each.edit]
        edit = gate.edit
        return [each.by for each in edits if edit and each.of_digest == edit.of_digest]

    @invariant()
    def gates_keep_their_word(self) -> None:
        used: dict[str, datetime] = {}
        standing: set[tuple[str, str]] = set()
        for gate in self.gates():
            told = (gate.answer or "", gate.decided_by or "")
            if gate.answer is not None:
                assert self.seen.answers.setdefault(gate.id, told) == told, "a decision changed"
            assert gate.id not in self.seen.answers or self.seen.answers[gate.id] == told
            if gate.status is GateStatus.DECIDED:
                assert gate.closed_at is not None
                assert gate.expires_at is not None
                assert gate.closed_at < gate.expires_at, "it was decided after its time"
            if gate.status is not GateStatus.SUPERSEDED:
                of = (str(gate.effect_key), gate.binding or "")
                assert of not in standing, "the same is asked twice"
                standing.add(of)
            if gate.consumed_at is not None:
                used[gate.id] = gate.consumed_at
        assert used.items() >= self.seen.consumed.items(), "an approval was used up twice"
        self.seen.consumed = used

    @invariant()
    def nothing_happened_twice(self) -> None:
        assert all(count <= 1 for count in self.acted.values()), self.acted

    def teardown(self) -> None:
        """Let executions go that nobody goes on with."""
        for driving in self.driving:
            driving.steps.close()


def not_to_wait(driver: Any, _: object) -> None:
    """Have a connection not wait for the disk."""
    driver.execute(NO_SYNC)


@pytest.fixture
def sources(tmp_path: Path) -> Mapping[str, PolicySource]:
    """The policies that may decide, by name."""
    found = {"notes": read_source(COUNCIL)}
    for name, text in GATE_POLICIES.items():
        effect = "forbid" if name == "none" else "permit"
        for part, rules in (
            ("allow", f'@id("{name}") {effect}(principal, action, resource);'),
            ("gates", text),
        ):
            (tmp_path / name / part).mkdir(parents=True)
            (tmp_path / name / part / "rules.cedar").write_text(rules)
        found[name] = read_source(tmp_path / name)
    return found


@pytest.fixture
def machine(tmp_path: Path, sources: Mapping[str, PolicySource]) -> Iterator[type[GateMachine]]:
    """The machine, on a store of its own."""
    database = Database(migrated_sqlite(tmp_path))
    clock = MovedClock()
    event.listen(database.engine, "connect", not_to_wait)
    clock.install(database.engine)
    GateMachine.database, GateMachine.clock, GateMachine.sources = database, clock, sources
    GateMachine.connection = database.connect_writer()
    store = cast(Store, _Writes(GateMachine.write, dialect=database.dialect, in_turn=False))
    still = asyncio.new_event_loop()
    GateMachine.council = Council(store, clock=_Shown(clock), loop=still)
    yield GateMachine
    still.close()
    GateMachine.connection.close()
    database.close()


def test_nothing_begins_that_people_have_not_approved(machine: type[GateMachine]) -> None:
    run_state_machine_as_test(machine, settings=QUICK)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_nothing_begins_for_long_that_people_have_not_approved(machine: type[GateMachine]) -> None:
    run_state_machine_as_test(machine, settings=LONG)
