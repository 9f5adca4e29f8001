"""The ledger against a world that is lost, late, doubled and lied about: a model of each class.

Two runs call a tool of one class, with or without a key of business that both share. What their
workers, a look-up and a person do comes in any order; the outside world counts what really
happened. The clock of the database is the machine's own. What is assumed is written beside it:

A1  An attempt acts before its deadline; one that cannot be stopped tells that it goes on.
A2  What it has sent off lands before its deadline and the margin are over.
A3  A service that takes keys remembers them for their lifetime, and no request outlives it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
from sqlalchemy import Connection, event

from penstock.checkpoints import Store, ledger
from penstock.checkpoints.database import Database
from penstock.contracts.call import Failed
from penstock.contracts.effect import TRANSITIONS, DoubtAnswer, Effect, EffectStatus, NewEffect
from penstock.contracts.errors import GateClosed, GateNotReady
from penstock.contracts.run import Fence
from penstock.contracts.signals import LeaseLost
from penstock.contracts.tool import REPEATABLE, EffectClass
from support.databases import migrated_sqlite
from support.ledgers import DEFINITE, FOR_GOOD, Book, MovedClock, empty, new_effect
from support.runs import Runs

TIMEOUT_S, MARGIN_S, LIFETIME_S = 10.0, 5.0, 60.0
NO_SYNC = "PRAGMA synchronous = OFF"
"""No process dies here, so nobody waits for the disk."""
KEYS = ("call-1", "call-2")
ASKED = frozenset({EffectClass.PROBE, EffectClass.UNSAFE})

QUICK = settings(max_examples=100, stateful_step_count=50, derandomize=True, database=None)
EXAMPLES = {EffectClass.READ: 20, EffectClass.KEYED: 240}
"""Where nothing is changed there is little to break; where attempts follow open ones, most."""
LONG = settings(QUICK, max_examples=600, stateful_step_count=80, derandomize=False)
FINAL = frozenset({EffectStatus.SUCCEEDED, EffectStatus.COMPENSATED})


@dataclass
class Outside:
    """What has really happened, by the effect's key."""

    effect: EffectClass
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KEYS, 0))
    known: dict[str, float] = field(default_factory=dict[str, float])
    """Keys that a service remembers, and until when."""

    def happen(self, key: str, now: float) -> None:
        """Let an attempt have its effect."""
        match self.effect:
            case EffectClass.READ:
                pass
            case EffectClass.IDEMPOTENT | EffectClass.TRANSACTIONAL:
                # It is what was said, however often; or its mark stands in the database.
                self.done[key] = 1
            case EffectClass.KEYED:
                if now >= self.known.get(key, 0.0):
                    self.known[key] = now + LIFETIME_S
                    self.done[key] += 1
            case EffectClass.PROBE | EffectClass.UNSAFE:
                self.done[key] += 1

    def happened(self, key: str) -> bool:
        """Tell what really is."""
        return self.done[key] > 0


@dataclass(eq=False)
class Tried:
    """An attempt that somebody makes, or made."""

    begun: Effect
    new: NewEffect
    until: float
    """Its deadline."""
    ending: str | Failed | None = None
    """What its worker knows that it came to; None if that is not known."""
    is_over: bool = False
    """Whether it does nothing more."""

    @property
    def key(self) -> str:
        """The key of its effect."""
        return str(self.begun.key)


@dataclass(frozen=True, eq=False)
class Found:
    """What a look-up found and has not reported."""

    effect: Effect
    happened: bool


class LedgerMachine(RuleBasedStateMachine):
    """What may happen to the calls of two runs."""

    effect: ClassVar[EffectClass]
    database: ClassVar[Database]
    clock: ClassVar[MovedClock]

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.database.connect_writer()
        self.write(empty)
        self.book = Book(self.write)
        runs = Runs(cast(Store, _Writing(self.write)))
        self.runs = runs
        self.fences = {key: runs.start(f"thread of {key}") for key in KEYS}
        self.old: list[tuple[str, Fence]] = []
        self.outside = Outside(self.effect)
        self.trying: list[Tried] = []
        self.in_flight: list[Tried] = []
        self.found: list[Found] = []
        self.seen: dict[str, Effect] = {}
        self.wrong: dict[str, int] = dict.fromkeys(KEYS, 0)
        """How often a person said of what had happened that it had not."""
        self.made_up: set[str] = set()
        """Effects of which a person said that they happened, and they had not."""
        self.business_key: str | None = None
        self.started_at = self.clock.now

    def teardown(self) -> None:
        """Give the connection back."""
        self.connection.close()

    def write(self, change: Callable[[Connection], Any]) -> Any:
        """Run a change in a transaction of its own."""
        self.database.begin_writing(self.connection)
        try:
            result = change(self.connection)
        except BaseException:
            self.connection.rollback()
            self.database.dialect.do_rollback(self.connection.connection)
            raise
        self.database.commit(self.connection)
        return result

    @property
    def now(self) -> float:
        """Seconds since the machine began."""
        return (self.clock.now - self.started_at).total_seconds()

    def has(self, status: EffectStatus) -> bool:
        """Tell whether an effect stands so."""
        return any(effect.status is status for effect in self.seen.values())

    def known(self, key: str) -> Effect | None:
        """Return an effect if it was ever begun."""
        return self.write(lambda tx: ledger.find(tx, ledger_key(key)))

    def call(self, key: str, arguments: str) -> NewEffect:
        """Return what the ledger is told of a call."""
        return new_effect(
            self.fences[key],
            key,
            effect=self.effect,
            arguments=arguments,
            business_key=self.business_key,
            thread_id=f"thread of {key}",
            timeout_s=TIMEOUT_S,
            margin_s=MARGIN_S,
            key_lifetime_s=LIFETIME_S if self.effect is EffectClass.KEYED else None,
            can_be_looked_up=self.effect is EffectClass.PROBE,
        )

    # ---- workers ----

    @initialize(shared=st.booleans())
    def share(self, shared: bool) -> None:  # noqa: FBT001  (Hypothesis gives names)
        self.business_key = "order-7" if shared else None

    @rule(key=st.sampled_from(KEYS), arguments=st.sampled_from("aaaab"))
    def begin(self, key: str, arguments: str) -> None:
        new, before = self.call(key, arguments), self.known(key)
        effect, is_begun = self.book.begin(new, self.fences[key])
        if is_begun:
            assert effect.key == key
            assert effect.digest == new.digest
            assert before is None or before.status not in {*FINAL, EffectStatus.IN_DOUBT}
            if before is not None and before.status is EffectStatus.STARTED:
                assert self.effect in REPEATABLE, "what was cut off is repeated"
                assert before.digest == new.digest, "other arguments follow what may have happened"
            self.trying.append(Tried(effect, new, self.now + TIMEOUT_S))
            return
        assert (
            effect.status is not EffectStatus.STARTED
            or effect.digest != new.digest
            or (effect.key != key)
        ), "a call that was cut off stays as it is"
        if effect.key != key:
            assert effect.business_key == self.business_key is not None
            assert effect.status is not EffectStatus.FAILED

    @precondition(lambda self: 0 < len(self.old) < 3)
    @rule(data=st.data())
    def begin_without_the_lease(self, data: st.DataObject) -> None:
        key, fence = data.draw(st.sampled_from(self.old))
        with pytest.raises(LeaseLost):
            self.book.begin(self.call(key, "a"), fence)

    @precondition(lambda self: len(self.old) < 4)
    @rule(key=st.sampled_from(KEYS))
    def take_over(self, key: str) -> None:
        """Another worker drives the run; the one before lives on as a zombie."""
        self.old.append((key, self.fences[key]))
        self.fences[key] = self.runs.take_over(self.fences[key])

    def some(self, data: st.DataObject, wanted: Callable[[Tried], bool]) -> Tried | None:
        """Return one of the attempts that are as wanted."""
        fitting = [tried for tried in self.trying if wanted(tried)]
        return data.draw(st.sampled_from(fitting)) if fitting else None

    def can_act(self, tried: Tried) -> bool:
        """Tell whether an attempt may still do something."""
        return not tried.is_over and self.now < tried.until

    @precondition(lambda self: any(map(self.can_act, self.trying)))
    @rule(data=st.data(), reply=st.sampled_from(["heard", "heard", "lost"]))
    def act(self, data: st.DataObject, reply: str) -> None:
        if tried := self.some(data, self.can_act):
            self.outside.happen(tried.key, self.now)
            tried.is_over = True
            if reply == "heard":
                tried.ending = f'"receipt of {tried.key}"'

    @precondition(lambda self: any(map(self.can_act, self.trying)))
    @rule(data=st.data(), failed=st.sampled_from([DEFINITE, FOR_GOOD]))
    def refuse(self, data: st.DataObject, failed: Failed) -> None:
        """Nothing happens in an attempt, and its tool says so."""
        if tried := self.some(data, self.can_act):
            tried.is_over, tried.ending = True, failed

    @precondition(lambda self: any(map(self.can_act, self.trying)))
    @rule(data=st.data())
    def send_off(self, data: st.DataObject) -> None:
        """A request is on its way, and nobody waits for its answer any more."""
        if tried := self.some(data, self.can_act):
            tried.is_over = True
            self.in_flight.append(tried)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def land(self, data: st.DataObject) -> None:
        self.landed(data.draw(st.sampled_from(self.in_flight)))

    def landed(self, tried: Tried) -> None:
        """Let a request arrive."""
        self.in_flight.remove(tried)
        self.outside.happen(tried.key, self.now)

    @precondition(lambda self: any(map(self.can_act, self.trying)))
    @rule(data=st.data())
    def outstay(self, data: st.DataObject) -> None:
        """An attempt that cannot be stopped goes on, and its worker tells so."""
        tried = self.some(data, self.can_act)
        # A3: what it sends must find the service remembering its key.
        if tried and not (self.effect is EffectClass.KEYED and self.now > LIFETIME_S / 4):
            self.book.prolong(tried.begun, by_s=TIMEOUT_S + MARGIN_S)
            tried.until = self.now + TIMEOUT_S

    @precondition(lambda self: any(tried.is_over for tried in self.trying))
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        """Tell the ledger what an attempt came to, however late, by whomever, and maybe again."""
        tried = self.some(data, lambda tried: tried.is_over)
        if tried is None:
            return
        before = self.book.get(tried.key)
        match tried.ending:
            case None:
                self.book.doubt(tried.begun, tried.new)
                return
            case Failed() as failed:
                told = self.book.fail(tried.begun, failed)
            case result:
                told = self.book.succeed(tried.begun, result)
        if before.attempt != tried.begun.attempt or before.status in {
            *FINAL,
            EffectStatus.FAILED,
        }:
            assert told is None
            assert self.book.get(tried.key) == before, "a report that came too late counted"
        elif not before.wants_undoing:
            assert told is not None, "what is known was refused"

    @precondition(lambda self: self.trying)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """A worker is gone, with all that it knew."""
        self.trying.remove(data.draw(st.sampled_from(self.trying)))

    @rule(seconds=st.sampled_from([1.0, 4.0, TIMEOUT_S, TIMEOUT_S + MARGIN_S, LIFETIME_S]))
    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        for tried in [one for one in self.in_flight if one.until + MARGIN_S <= until]:
            # A2: just before it is too late.
            rest = tried.until + MARGIN_S - self.now - 0.001
            self.clock.move(max(rest, 0.0))
            self.landed(tried)
        self.clock.move(max(until - self.now, 0.0))

    @precondition(lambda self: self.has(EffectStatus.FAILED))
    @rule(key=st.sampled_from(KEYS))
    def redrive(self, key: str) -> None:
        self.book.try_again(self.fences[key])

    # ---- look-ups ----

    @precondition(lambda self: self.effect is EffectClass.PROBE and self.has(EffectStatus.IN_DOUBT))
    @rule(key=st.sampled_from(KEYS), can_tell=st.sampled_from([True, True, False]))
    def look_up(self, key: str, can_tell: bool) -> None:  # noqa: FBT001
        effect = self.known(key)
        if effect is None or effect.status is not EffectStatus.IN_DOUBT or effect.wants_undoing:
            return
        if self.clock.now < effect.settles_at:
            return
        if can_tell:
            self.found.append(Found(effect, self.outside.happened(key)))
        else:
            self.book.looked_up(effect)
            (gate,) = self.book.open_gates(key)
            assert gate.wakes_at is not None

    @precondition(lambda self: self.found)
    @rule(data=st.data())
    def report_found(self, data: st.DataObject) -> None:
        found = data.draw(st.sampled_from(self.found))
        self.found.remove(found)
        if found.happened:
            self.book.succeed(found.effect, '"looked up"')
        else:
            self.book.found_nothing(found.effect)

    # ---- a person ----

    @precondition(lambda self: self.has(EffectStatus.IN_DOUBT))
    @rule(
        key=st.sampled_from(KEYS),
        answer=st.sampled_from(DoubtAnswer),
        looks=st.sampled_from([True, True, True, False]),
    )
    def decide(self, key: str, answer: DoubtAnswer, looks: bool) -> None:  # noqa: FBT001
        effect = self.known(key)
        if effect is None or effect.status is not EffectStatus.IN_DOUBT or effect.wants_undoing:
            return
        happened = self.outside.happened(key)
        if looks and answer is not DoubtAnswer.COMPENSATE:
            answer = DoubtAnswer.HAPPENED if happened else answer
            if not happened and answer is DoubtAnswer.HAPPENED:
                answer = DoubtAnswer.DID_NOT
        if self.clock.now < effect.settles_at:
            with pytest.raises(GateNotReady):
                self.book.answer(effect, answer, '"by phone"')
            assert self.book.get(key) == effect
            return
        assert self.book.answer(effect, answer, '"by phone"')
        if happened and answer in {DoubtAnswer.DID_NOT, DoubtAnswer.RETRY}:
            self.wrong[key] += 1
        if not happened and answer is DoubtAnswer.HAPPENED:
            self.made_up.add(key)
        decided = self.book.get(key)
        assert not self.book.answer(effect, answer, '"by phone"'), "a double click counted"
        with pytest.raises(GateClosed):
            self.book.answer(effect, answer, '"by phone"', by="carol")
        assert self.book.get(key) == decided

    @precondition(lambda self: any(effect.wants_undoing for effect in self.seen.values()))
    @rule(key=st.sampled_from(KEYS))
    def undo(self, key: str) -> None:
        effect = self.known(key)
        if effect is None or effect.status is not EffectStatus.IN_DOUBT:
            return
        if effect.wants_undoing:
            assert self.book.compensated(effect).status is EffectStatus.COMPENSATED

    # ---- what must be true ----

    @invariant()
    def nothing_happened_too_often(self) -> None:
        for key in KEYS:
            done, allowed = self.outside.done[key], 1 + self.wrong[key]
            assert done <= allowed, f"{key} happened {done} times"
        if self.business_key is not None and self.effect is not EffectClass.READ:
            done, wrong = sum(self.outside.done.values()), sum(self.wrong.values())
            assert done <= 1 + wrong, f"the same business was done {done} times"

    @invariant()
    def the_ledger_says_what_is(self) -> None:
        found = self.write(lambda tx: [ledger.find(tx, ledger_key(key)) for key in KEYS])
        for key, effect in zip(KEYS, found, strict=True):
            if effect is None:
                assert not self.outside.happened(key), "an effect without an intent"
                continue
            if effect != self.seen.get(key):
                self.moves(effect)
                self.gates(effect)
            happened = self.outside.happened(key)
            if self.effect is EffectClass.READ:
                continue
            if effect.status is EffectStatus.FAILED:
                assert not happened or self.wrong[key], f"{key} failed, and it happened"
            if effect.status is EffectStatus.SUCCEEDED:
                assert happened or key in self.made_up, f"{key} succeeded, and never happened"

    def moves(self, effect: Effect) -> None:
        """Hold an effect against what it was."""
        before = self.seen.get(effect.key)
        self.seen[effect.key] = effect
        if before is None:
            assert (effect.status, effect.attempt) == (EffectStatus.STARTED, 1)
            return
        assert before.attempt <= effect.attempt <= before.attempt + 1
        if before.attempt < effect.attempt:
            assert effect.status is EffectStatus.STARTED
            assert effect.status in TRANSITIONS[before.status]
        elif before.status is not effect.status:
            assert effect.status in TRANSITIONS[before.status]
        if before.status in FINAL:
            assert effect == before, "what was final has changed"
        assert effect.first_started_at == before.first_started_at
        if before.wants_undoing:
            assert effect.status in {EffectStatus.IN_DOUBT, EffectStatus.COMPENSATED}

    def gates(self, effect: Effect) -> None:
        """Make sure that people are asked about what is in doubt, once, and about nothing else."""
        asked = self.book.open_gates(effect.key)
        if effect.status is EffectStatus.IN_DOUBT and not effect.wants_undoing:
            assert [gate.id for gate in asked] == [ledger.gate_of(effect)]
        else:
            assert asked == []


def ledger_key(key: str) -> Any:
    """Return a key as the ledger's functions take it."""
    return key


@dataclass(frozen=True)
class _Writing:
    write: Callable[[Callable[[Connection], Any]], Any]

    def write_blocking(self, change: Callable[[Connection], Any]) -> Any:
        """Write, as a store does."""
        return self.write(change)


def not_to_wait(driver: Any, _: object) -> None:
    """Have a connection not wait for the disk."""
    driver.execute(NO_SYNC)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[[EffectClass], Any]]:
    """Makes the machine of a class."""
    database = Database(migrated_sqlite(tmp_path))
    clock = MovedClock()
    event.listen(database.engine, "connect", not_to_wait)
    clock.install(database.engine)
    yield lambda effect: type(
        f"{effect.title()}Machine",
        (LedgerMachine,),
        {"effect": effect, "database": database, "clock": clock},
    )
    database.close()


@pytest.mark.parametrize("effect", EffectClass)
def test_the_ledger_keeps_its_promises_for(
    machine: Callable[[EffectClass], Any], effect: EffectClass
) -> None:
    examples = EXAMPLES.get(effect, QUICK.max_examples)
    run_state_machine_as_test(machine(effect), settings=settings(QUICK, max_examples=examples))


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("effect", EffectClass)
def test_the_ledger_keeps_its_promises_for_long_for(
    machine: Callable[[EffectClass], Any], effect: EffectClass
) -> None:
    run_state_machine_as_test(machine(effect), settings=LONG)
