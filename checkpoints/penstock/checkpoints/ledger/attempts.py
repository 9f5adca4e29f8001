"""Beginning an attempt of a tool call: the intent is durable before anything leaves the process.

Threads that were copied from one another share a lineage. A call that one of them has made is not
repeated by the others without an approval.
"""

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from penstock.checkpoints.fence import require_lease
from penstock.checkpoints.ledger import rows
from penstock.checkpoints.ledger.queries import find_blocking, find_by_business_key
from penstock.checkpoints.ledger.rows import effect_of, record_report
from penstock.checkpoints.ledger.settlement import doubt
from penstock.checkpoints.schema import thread_lineages
from penstock.checkpoints.statements import insert_or_replace
from penstock.contracts.effect import Effect, EffectStatus, NewEffect, ReportKind
from penstock.contracts.ids import ThreadId
from penstock.contracts.run import Fence
from penstock.contracts.tool import REPEATABLE, EffectClass

INTERRUPTED = ("cut_off", "whoever carried it out was gone before it was known what came of it")
"""Code and message of a doubt about an attempt that was begun and never settled."""

_LINEAGE_LOCK = 0x6C696E65


def begin(
    connection: Connection, new: NewEffect, *, fence: Fence, at: datetime, actor: str
) -> tuple[Effect, bool]:
    """Begin an attempt; return the effect as it is now, and whether an attempt was begun.

    No attempt is begun where the effect succeeded, failed for good, or is in doubt, where the
    arguments differ from those it was begun with, and where another effect holds the same business
    key: then that effect is returned. An interrupted attempt is put in doubt, unless its class
    allows it to be repeated.

    Raises:
        LeaseLost: another worker drives the run now, or none may.
    """
    require_lease(connection, fence)
    spend = new.spend
    carried = {
        "taints": " ".join(sorted(new.taints)),
        "spend_minor": None if spend is None else spend.minor,
        "spend_currency": None if spend is None else spend.currency,
    }
    params = {
        **carried,
        "key": new.key,
        "tenant": new.tenant,
        "run_id": new.run_id,
        "thread_id": new.thread_id,
        "lineage": new.lineage,
        "tool": new.tool,
        "tool_version": new.tool_version,
        "effect": new.effect,
        "arguments": new.arguments,
        "digest": new.digest,
        "business_key": new.business_key,
        "epoch": fence.epoch,
        "settles_s": new.timeout_s + new.margin_s,
    }
    added = rows.add.first(connection, params)
    if added is not None:
        return _record_started(connection, effect_of(added), at=at, actor=actor), True
    found, now = find_blocking(connection, new)
    if found.key != new.key:
        return found, False
    is_same = found.digest == new.digest
    match found.status:
        case EffectStatus.STARTED if is_same and _may_repeat(found, new, now):
            pass
        case EffectStatus.STARTED:
            return doubt(connection, found, new, why=INTERRUPTED, at=at, actor=actor), False
        case EffectStatus.FAILED if found.error_retryable or not is_same:
            # Nothing has happened under this key, so different arguments do no harm.
            pass
        case _:
            return found, False
    renewed = rows.next_attempt.first(
        connection,
        {
            **carried,
            "of_key": new.key,
            "after_attempt": found.attempt,
            "found": found.status,
            "run_id": new.run_id,
            "epoch": fence.epoch,
            "arguments": new.arguments,
            "digest": new.digest,
            "business_key": new.business_key,
            "settles_s": new.timeout_s + new.margin_s,
        },
    )
    if renewed is None:
        # Another effect holds the business key meanwhile; or, where several writers run at once,
        # another one was quicker.
        return find_by_business_key(connection, new) or find_blocking(connection, new)[0], False
    return _record_started(connection, effect_of(renewed), at=at, actor=actor), True


def lineage_of(connection: Connection, thread_id: ThreadId) -> ThreadId:
    """Return the first thread in a thread's chain of copies; itself if it was not copied."""
    statement = select(thread_lineages.c.lineage).where(thread_lineages.c.thread_id == thread_id)
    found = connection.execute(statement).scalar()
    return thread_id if found is None else ThreadId(found)


def record_copy(connection: Connection, thread_id: ThreadId, *, of: ThreadId) -> None:
    """Record that a thread has become a copy of another."""
    lineage = lineage_of(connection, of)
    if lineage != thread_id:
        connection.execute(
            insert_or_replace(connection.dialect, thread_lineages, key=("thread_id",)).values(
                thread_id=thread_id, lineage=lineage
            )
        )


def forget_lineage(connection: Connection, thread_id: ThreadId) -> None:
    """Delete a thread's lineage: the thread was deleted, and its name may be used again."""
    connection.execute(thread_lineages.delete().where(thread_lineages.c.thread_id == thread_id))


def find_in_lineage(connection: Connection, new: NewEffect) -> Effect | None:
    """Return an effect of another thread of the lineage with the same tool and arguments."""
    row = rows.find_in_lineage.first(
        connection,
        {
            "of_lineage": new.lineage,
            "of_tool": new.tool,
            "of_digest": new.digest,
            "but_key": new.key,
            "but_thread": new.thread_id,
        },
    )
    return None if row is None else effect_of(row)


def try_lock_lineage(connection: Connection, new: NewEffect) -> bool:
    """Lock calls like this one in its lineage until the transaction ends; return whether it did.

    Another transaction may be about to begin such a call. This one does not wait for it, so the
    lock has no place in the order of locks. On SQLite there is one writer at a time.
    """
    if connection.dialect.name != "postgresql":
        return True
    alike = json.dumps([new.lineage, new.tool, new.digest])
    found = rows.try_lock_lineage.first(connection, {"alike": alike, "place": _LINEAGE_LOCK})
    return found is not None and bool(found["is_locked"])


def _may_repeat(found: Effect, new: NewEffect, now: datetime) -> bool:
    if new.effect not in REPEATABLE:
        return False
    if new.effect is not EffectClass.KEYED or new.key_lifetime_s is None:
        return True
    # The service must still know the key when the attempt that begins now is over.
    left = timedelta(seconds=new.key_lifetime_s - new.timeout_s - new.margin_s)
    return now < found.first_started_at + left


def _record_started(connection: Connection, effect: Effect, *, at: datetime, actor: str) -> Effect:
    record_report(connection, effect, ReportKind.STARTED, detail=None, at=at, actor=actor)
    return effect
