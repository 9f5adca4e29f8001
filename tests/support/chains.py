"""A store with an audit to look at, and ways around what guards it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, create_engine, select, text, update

from penstock.checkpoints import Store, audit, decisions, gates
from penstock.checkpoints import runs as stored
from penstock.checkpoints.audit.consistency import compare
from penstock.checkpoints.audit.verification import ChainReport, verify
from penstock.checkpoints.schema import audit_events, audit_heads
from penstock.checkpoints.schema.audit import trigger_statements
from penstock.contracts.audit import AuditEvent, ChainedEvent, ChainFault, Head, expected_hash
from penstock.contracts.gate import Question
from penstock.contracts.ids import GateId, IdempotencyKey
from penstock.contracts.policy import Decision, Principal, RecordedDecision, Request, Verdict
from penstock.contracts.run import Fence, RunStatus
from support.ledgers import Book, new_effect
from support.runs import NOW, Runs

Tamper = Callable[[Connection], None]
TRIGGERS = [
    (table, statement.split()[2])
    for table, statement in trigger_statements("sqlite")
    if statement.startswith("CREATE TRIGGER")
]


def tell(store: Store, *actions: str, tenant: str = "acme") -> None:
    """Record events, each in a transaction of its own."""
    for action in actions:
        event = AuditEvent(
            tenant=tenant, at=NOW, actor="test", action=action, run_id=None, detail={"n": 1}
        )
        store.write_blocking(lambda connection, event=event: audit.append(connection, event))


def live_through(store: Store) -> str:
    """Have a run with calls, a gate and an end; return its id."""
    runs, book = Runs(store), Book.of(store)
    fence = runs.start("thread-1")
    paid = new_effect(fence, "paid")
    book.succeed(book.begun(paid, fence))
    book.fail(book.begun(new_effect(fence, "failed"), fence))
    question = Question(id=GateId("f" * 32), question='"why?"', answer_schema=None)

    def ask(connection: Connection) -> None:
        run = stored.get(connection, fence.run_id)
        gates.open_questions(connection, run, [question], at=NOW)
        gates.decide(connection, question.id, answer='"because"', by="bob", at=NOW)

    store.write_blocking(ask)
    store.write_blocking(
        lambda connection: decisions.record(connection, _decided(fence), actor="w")
    )
    runs.move(fence, RunStatus.SUCCEEDED)
    return fence.run_id


def _decided(fence: Fence) -> RecordedDecision:
    nothing: frozenset[str] = frozenset()
    principal = Principal(
        user="ann", agent="demo", tenant="acme", roles=nothing, groups=nothing, scopes=nothing
    )
    request = Request(
        tool="pay", tool_version="1", tenant="acme", principal=principal, args={}, facts={}
    )
    decision = Decision(verdict=Verdict.DENY, reasons=("ceiling",), message="too much")
    return RecordedDecision(
        tenant="acme",
        run_id=fence.run_id,
        graph="demo",
        effect_key=IdempotencyKey("denied"),
        policy_digest="d" * 64,
        request=request,
        decision=decision,
        at=NOW,
    )


def tamper(url: str, *doings: Tamper) -> None:
    """Do what somebody does who may do everything: take the triggers away, and put them back."""
    engine = create_engine(url)
    with engine.begin() as connection:
        kind = connection.dialect.name
        for table, name in TRIGGERS:
            on = "" if kind == "sqlite" else f" ON {table}"
            connection.execute(text(f"DROP TRIGGER {name}{on}"))
        for doing in doings:
            doing(connection)
        for _, statement in trigger_statements(kind):
            if kind == "sqlite" or statement.split()[2] in {name for _, name in TRIGGERS}:
                connection.execute(text(statement))
    engine.dispose()


def rows(connection: Connection, tenant: str = "acme") -> Sequence[ChainedEvent]:
    """Return a tenant's events."""
    return list(audit.events(connection, tenant))


def change(number: int, /, *, tenant: str = "acme", **values: Any) -> Tamper:
    """Change columns of one event."""
    return change_of(tenant, number, values)


def change_of(tenant: str, number: int, values: Mapping[str, Any]) -> Tamper:
    """Change columns of one event, whichever they are."""
    return lambda connection: _do(
        connection,
        update(audit_events)
        .where(audit_events.c.tenant == tenant, audit_events.c.number == number)
        .values(values),
    )


def remove(*numbers: int, tenant: str = "acme") -> Tamper:
    """Delete events."""
    return lambda connection: _do(
        connection,
        audit_events.delete().where(
            audit_events.c.tenant == tenant, audit_events.c.number.in_(numbers)
        ),
    )


def remove_head(connection: Connection) -> None:
    """Delete every head."""
    _do(connection, audit_heads.delete())


def set_head(number: int, *, tenant: str = "acme") -> Tamper:
    """Have the head name an event, as if it were the last."""

    def doing(connection: Connection) -> None:
        of = select(audit_events.c.hash).where(
            audit_events.c.tenant == tenant, audit_events.c.number == number
        )
        values = {"number": number, "hash": connection.execute(of).scalar() or "0" * 64}
        _do(
            connection,
            update(audit_heads).where(audit_heads.c.tenant == tenant).values(**values),
        )

    return doing


def rewrite(connection: Connection, *, tenant: str = "acme", after: int = 0, **values: Any) -> None:
    """Write a chain anew from a row on, each event changed as `values` say, without a trace."""
    previous = "0" * 64
    for row in rows(connection, tenant):
        if row.number <= after:
            previous = row.hash
            continue
        changed = replace(row, previous=previous, **values)
        previous = expected_hash(changed)
        change(row.number, tenant=tenant, previous=changed.previous, hash=previous, **values)(
            connection
        )
    set_head(len(rows(connection, tenant)), tenant=tenant)(connection)


def verified(store: Store, *, tenant: str = "acme", signed: Sequence[Head] = ()) -> ChainReport:
    """Verify one chain."""
    return store.read_blocking(lambda connection: verify(connection, tenant, signed))


def differences(store: Store, *, tenant: str = "acme") -> list[ChainFault]:
    """Compare the store with one chain."""
    return store.read_blocking(lambda connection: list(compare(connection, tenant)))


def detail_of(row: ChainedEvent) -> dict[str, Any]:
    """Return an event's detail, codes and all."""
    return json.loads(row.detail)


def _do(connection: Connection, statement: Any) -> None:
    assert connection.execute(statement).rowcount >= 1, statement


def do(url: str, doing: Tamper) -> None:
    """Do something in a transaction of its own."""
    engine = create_engine(url)
    with engine.begin() as connection:
        doing(connection)
    engine.dispose()
