"""The ledger's functions at hand for a test, and a clock of the database that a test moves."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event, update

from penstock.checkpoints import Store, gates, ledger, runs
from penstock.checkpoints.schema import effects, metadata
from penstock.checkpoints.statements import database_now
from penstock.contracts.call import Failed
from penstock.contracts.effect import DoubtAnswer, Effect, EffectStatus, NewEffect
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import IdempotencyKey, ThreadId
from penstock.contracts.run import Fence
from penstock.contracts.tool import EffectClass
from support.runs import NOW

T = TypeVar("T")
ANSWER_SCHEMA = "{}"
CUT_OFF = ("unknown", "the answer was lost")

DEFINITE = Failed(code="tool_retryable", message="the service is down", retryable=True)
FOR_GOOD = Failed(code="tool_permanent", message="the account is closed", retryable=False)


def new_effect(
    fence: Fence,
    key: str = "call-1",
    *,
    effect: EffectClass = EffectClass.UNSAFE,
    arguments: str = "a",
    business_key: str | None = None,
    thread_id: str = "thread-1",
    timeout_s: float = 0.0,
    margin_s: float = 0.0,
    key_lifetime_s: float | None = None,
    can_be_looked_up: bool = False,
) -> NewEffect:
    """Return what the ledger is told of a call; its attempt can land no more at once."""
    return NewEffect(
        key=IdempotencyKey(key),
        tenant="acme",
        run_id=fence.run_id,
        thread_id=ThreadId(thread_id),
        lineage=ThreadId(thread_id),
        tool="pay",
        tool_version="1",
        effect=effect,
        arguments=json.dumps({"to": arguments}),
        digest=arguments * 64,
        business_key=business_key,
        timeout_s=timeout_s,
        margin_s=margin_s,
        key_lifetime_s=key_lifetime_s,
        can_be_looked_up=can_be_looked_up,
        answer_schema=ANSWER_SCHEMA,
    )


def decide(
    connection: Connection, gate: Gate, answer: DoubtAnswer, result: str | None, *, by: str
) -> bool:
    """Answer a gate about an effect as the runtime does; return whether this call closed it."""
    told = json.dumps({"answer": answer, "result": result})
    decided, is_fresh = gates.decide(connection, gate.id, answer=told, by=by, at=NOW)
    if is_fresh:
        ledger.resolve(connection, decided, answer, result, at=NOW, by=by)
        runs.wake(connection, decided.run_id, at=NOW, actor=by)
    return is_fresh


def empty(connection: Connection) -> None:
    """Take everything out of a store but the audit, which is append-only."""
    for table in reversed(metadata.sorted_tables):
        if not table.name.startswith("audit_"):
            connection.execute(table.delete())


def lands_no_more(store: Store) -> None:
    """Have the time be over in which attempts of a store might still have landed."""

    def change(connection: Connection) -> None:
        over = database_now(connection.dialect, plus_s=-1.0)
        connection.execute(update(effects).values(settles_at=over))

    store.write_blocking(change)


class Book:
    """The ledger of a store, each function a transaction of its own."""

    def __init__(self, write: Callable[[Callable[[Connection], Any]], Any]) -> None:
        """Write to it by `write`, such as a store's `write_blocking`."""
        self._write = write

    @classmethod
    def of(cls, store: Store) -> "Book":
        """Return the ledger of an open store."""
        return cls(store.write_blocking)

    def _in(self, change: Callable[[Connection], T]) -> T:
        return self._write(change)

    def begin(self, new: NewEffect, fence: Fence) -> tuple[Effect, bool]:
        """Begin an attempt."""
        return self._in(lambda tx: ledger.begin(tx, new, fence=fence, at=NOW, actor="worker"))

    def begun(self, new: NewEffect, fence: Fence) -> Effect:
        """Begin an attempt that must be begun."""
        effect, is_begun = self.begin(new, fence)
        assert is_begun, effect
        return effect

    def refused(self, new: NewEffect, fence: Fence) -> Effect:
        """Ask for an attempt that must not be begun; return what stands in the way."""
        effect, is_begun = self.begin(new, fence)
        assert not is_begun, effect
        return effect

    def succeed(self, effect: Effect, result: str = '"receipt"') -> Effect | None:
        """Report the result of an attempt."""
        key, attempt = effect.key, effect.attempt
        return self._in(lambda tx: ledger.succeed(tx, key, attempt, result, at=NOW, actor="worker"))

    def fail(self, effect: Effect, failed: Failed = DEFINITE) -> Effect | None:
        """Report that nothing happened in an attempt."""
        key, attempt = effect.key, effect.attempt
        return self._in(lambda tx: ledger.fail(tx, key, attempt, failed, at=NOW, actor="worker"))

    def doubt(self, effect: Effect, new: NewEffect) -> Effect:
        """Report that nobody knows what an attempt came to."""
        return self._in(
            lambda tx: ledger.doubt(tx, effect, new, why=CUT_OFF, at=NOW, actor="worker")
        )

    def prolong(self, effect: Effect, *, by_s: float) -> None:
        """Report that an attempt goes on."""
        self._in(lambda tx: ledger.prolong(tx, effect.key, effect.attempt, by_s=by_s))

    def looked_up(self, effect: Effect, *, next_s: float = 60.0) -> None:
        """Report that a look-up could not tell."""
        self._in(
            lambda tx: ledger.record_lookup(
                tx, effect, "down", next_s=next_s, at=NOW, actor="worker"
            )
        )

    def found_nothing(self, effect: Effect) -> Effect | None:
        """Report that a look-up found that nothing happened."""
        key, attempt = effect.key, effect.attempt
        return self._in(
            lambda tx: ledger.record_not_happened(
                tx, key, attempt, DEFINITE, at=NOW, actor="worker"
            )
        )

    def compensated(self, effect: Effect) -> Effect:
        """Report that an effect was undone."""
        return self._in(lambda tx: ledger.record_compensation(tx, effect, at=NOW, actor="worker"))

    def try_again(self, fence: Fence) -> None:
        """Redrive a run's effects."""
        self._in(lambda tx: ledger.make_retryable(tx, fence.run_id))

    def answer(
        self, effect: Effect, answer: DoubtAnswer, result: str | None = None, *, by: str = "bob"
    ) -> bool:
        """Have a person answer the gate of an effect's attempt."""

        def change(tx: Connection) -> bool:
            gate = gates.get(tx, ledger.gate_of(effect))
            return decide(tx, gate, answer, result, by=by)

        return self._in(change)

    def get(self, key: str = "call-1") -> Effect:
        """Return an effect."""
        return self._in(lambda tx: ledger.get(tx, IdempotencyKey(key)))

    def status(self, key: str = "call-1") -> EffectStatus:
        """Return where an effect stands."""
        return self.get(key).status

    def gates(self, key: str = "call-1") -> list[Gate]:
        """Return the gates that ask about an effect, in their order."""
        effect = self.get(key)
        found = self._in(lambda tx: gates.of_run(tx, effect.run_id))
        return [gate for gate in found if gate.effect_key == key]

    def open_gates(self, key: str = "call-1") -> list[Gate]:
        """Return the gates that ask about an effect and have no answer."""
        return [gate for gate in self.gates(key) if gate.status is GateStatus.OPEN]


class MovedClock:
    """The clock of a SQLite database, which stands until a test moves it.

    It takes the place of SQLite's own `strftime`, so that every statement stays as it is.
    """

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def move(self, seconds: float) -> None:
        """Let so much time pass."""
        self.now += timedelta(seconds=seconds)

    def install(self, engine: Engine) -> None:
        """Have every connection of an engine show it."""

        def tell(_: str, instant: str, later: str) -> str:
            shift = re.fullmatch(r"([+-][\d.]+) seconds", later)
            if instant != "now" or shift is None:
                raise ValueError(f"a clock that was not foreseen: {instant}, {later}")
            told = self.now + timedelta(seconds=float(shift[1]))
            return told.strftime("%Y-%m-%d %H:%M:%S.%f")

        def set_up(driver: Any, _: object) -> None:
            driver.create_function("strftime", 3, tell)

        event.listen(engine, "connect", set_up)
        engine.dispose()
