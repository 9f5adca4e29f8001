"""Beginning a tool call: the intent is durable before anything leaves the process."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from penstock.checkpoints.fence import require_lease
from penstock.checkpoints.ledger import sql
from penstock.checkpoints.ledger.reading import holder, look
from penstock.checkpoints.ledger.rows import effect_of, report
from penstock.checkpoints.ledger.settle import doubt
from penstock.contracts.effect import Effect, EffectStatus, NewEffect, ReportKind
from penstock.contracts.run import Fence
from penstock.contracts.tool import REPEATABLE, EffectClass

CUT_OFF = ("cut_off", "whoever carried it out was gone before it was known what came of it")
"""Why an effect is in doubt whose attempt was begun and never settled."""


def begin(
    connection: Connection, new: NewEffect, *, fence: Fence, at: datetime, actor: str
) -> tuple[Effect, bool]:
    """Begin an attempt; return the effect as it stands now, and whether one was begun.

    None is begun where the effect succeeded, failed for good, or is in doubt, where the arguments
    are others than those it was begun with, and where another effect holds the same key of
    business: then that one is returned. One that was cut off is in doubt from now on, unless its
    class allows that it be repeated.

    Raises:
        LeaseLost: somebody else drives the run now, or nobody may.
    """
    require_lease(connection, fence)
    spend = new.spend
    carried = {
        "taints": " ".join(sorted(new.taints)),
        "spend_minor": None if spend is None else spend.minor,
        "spend_currency": None if spend is None else spend.currency,
    }
    given = {
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
    added = sql.add.first(connection, given)
    if added is not None:
        return _begun(connection, effect_of(added), at=at, actor=actor), True
    found, now = look(connection, new)
    if found.key != new.key:
        return found, False
    is_same = found.digest == new.digest
    match found.status:
        case EffectStatus.STARTED if is_same and _may_repeat(found, new, now):
            pass
        case EffectStatus.STARTED:
            return doubt(connection, found, new, why=CUT_OFF, at=at, actor=actor), False
        case EffectStatus.FAILED if found.error_retryable or not is_same:
            # Nothing has happened under this key, so other arguments do no harm.
            pass
        case _:
            return found, False
    renewed = sql.again.first(
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
        # Another has the key of business meanwhile; or, where writers do not exclude each other,
        # somebody else was quicker.
        return holder(connection, new) or look(connection, new)[0], False
    return _begun(connection, effect_of(renewed), at=at, actor=actor), True


def _may_repeat(found: Effect, new: NewEffect, now: datetime) -> bool:
    if new.effect not in REPEATABLE:
        return False
    if new.effect is not EffectClass.KEYED or new.key_lifetime_s is None:
        return True
    # The service must still know the key when the attempt that begins now is over.
    left = timedelta(seconds=new.key_lifetime_s - new.timeout_s - new.margin_s)
    return now < found.first_started_at + left


def _begun(connection: Connection, effect: Effect, *, at: datetime, actor: str) -> Effect:
    report(connection, effect, ReportKind.STARTED, detail=None, at=at, actor=actor)
    return effect
