"""Erasure of a run: its inputs, results and texts are deleted; the fact that it existed is not.

The ledger keeps keys, classes, states and times, so that nothing happens twice. The audit chain
stays whole. Its codes say nothing any more, because the key that they were made with is erased too.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    Case,
    Column,
    Connection,
    Delete,
    Update,
    case,
    delete,
    exists,
    select,
    update,
)

from penstock.checkpoints import audit
from penstock.checkpoints.runs import get, lock
from penstock.checkpoints.saver.threads import delete_thread
from penstock.checkpoints.schema import (
    audit_events,
    checkpoint_namespaces,
    checkpoints,
    decisions,
    effect_reports,
    effect_results,
    effects,
    gate_votes,
    gates,
    run_keys,
    run_tags,
    runs,
    steps,
    thread_lineages,
)
from penstock.contracts.audit import FORGOTTEN, AuditEvent
from penstock.contracts.effect import EffectStatus
from penstock.contracts.errors import IllegalTransition
from penstock.contracts.gate import VoteKind
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, LIVE, Erased, Run

ERASED = "forgotten"
"""Stands where a text is required."""

_FORGOTTEN = exists().where(audit_events.c.run_id == runs.c.id, audit_events.c.action == FORGOTTEN)
_UNSETTLED = [EffectStatus.STARTED, EffectStatus.IN_DOUBT]


def forget(connection: Connection, run_id: RunId, *, at: datetime, actor: str) -> Sequence[Erased]:
    """Erase the contents of a run; return how much was erased, store by store.

    A second call erases what was added since the first. The state of a thread belongs to all its
    runs: it is erased with the last of them.

    Raises:
        IllegalTransition: it is not over, or people are still to decide what became of a call.
        UnknownRun: there is no such run.
    """
    lock(connection, run_id)
    run = get(connection, run_id)
    _require_over(connection, run)
    report = [
        _checkpoints(connection, run),
        _run(connection, run),
        _effects(connection, run_id),
        _gates(connection, run_id),
        _count(connection, "decisions", delete(decisions).where(decisions.c.run_id == run_id)),
        _audit(connection, run_id),
    ]
    if not is_forgotten(connection, run_id):
        detail = {each.store: each.count for each in report}
        audit.append(
            connection,
            AuditEvent(
                tenant=run.tenant,
                at=at,
                actor=actor,
                action=FORGOTTEN,
                run_id=run_id,
                detail=detail,
            ),
        )
    return report


def is_forgotten(connection: Connection, run_id: RunId) -> bool:
    """Tell whether a run was forgotten before."""
    event = select(audit_events.c.number).where(
        audit_events.c.run_id == run_id, audit_events.c.action == FORGOTTEN
    )
    return connection.execute(event.limit(1)).first() is not None


def due(
    connection: Connection, *, before: datetime, limit: int | None, since: datetime | None = None
) -> Sequence[RunId]:
    """Return runs that ended before an instant and are not forgotten, the oldest first.

    `since` leaves out runs that ended before another instant, which the caller has forgotten
    already. An index serves the rest, by state and the time of the last change.
    """
    unsettled = exists().where(effects.c.run_id == runs.c.id, effects.c.status.in_(_UNSETTLED))
    wanted = select(runs.c.id).where(
        runs.c.status.in_(sorted(ENDED)), runs.c.changed_at < before, ~_FORGOTTEN, ~unsettled
    )
    if since is not None:
        wanted = wanted.where(runs.c.changed_at >= since)
    return connection.execute(wanted.order_by(runs.c.changed_at).limit(limit)).scalars().all()


def _require_over(connection: Connection, run: Run) -> None:
    if run.status in LIVE:
        raise IllegalTransition(
            f"run `{run.id}` is {run.status} and cannot be forgotten: only a run that is over can;"
            " cancel it first"
        )
    unsettled = select(effects.c.key).where(
        effects.c.run_id == run.id, effects.c.status.in_(_UNSETTLED)
    )
    key = connection.execute(unsettled.limit(1)).scalar()
    if key is not None:
        raise IllegalTransition(
            f"run `{run.id}` cannot be forgotten: nobody has said yet what became of its call"
            f" `{key}`, and who says it has to see the call; decide its gate first"
        )


def _checkpoints(connection: Connection, run: Run) -> Erased:
    thread = run.thread_id
    others = select(runs.c.id).where(runs.c.thread_id == thread, runs.c.id != run.id, ~_FORGOTTEN)
    other = connection.execute(others.limit(1)).scalar()
    if other is not None:
        kept = f"thread `{thread}` is also of run `{other}`; its state goes with the last of them"
        return Erased(store="checkpoints", count=0, kept=kept)
    names = select(checkpoint_namespaces.c.id).where(checkpoint_namespaces.c.thread_id == thread)
    held = select(checkpoints.c.seq).where(checkpoints.c.namespace_id.in_(names))
    count = len(connection.execute(held).fetchall())
    delete_thread(connection, thread)
    copied = select(thread_lineages.c.thread_id).where(
        thread_lineages.c.lineage == thread, thread_lineages.c.thread_id != thread
    )
    copies = connection.execute(copied.order_by(thread_lineages.c.thread_id)).scalars().all()
    kept = f"copies of its thread: {', '.join(f'`{each}`' for each in copies)}" if copies else None
    return Erased(store="checkpoints", count=count, kept=kept)


def _run(connection: Connection, run: Run) -> Erased:
    connection.execute(
        update(runs)
        .where(runs.c.id == run.id)
        .values(
            input="null",
            tags="[]",
            cancel_reason=None,
            pause_reason=None,
            failure_message=_if_there(runs.c.failure_message),
            failure_redrivable=case((runs.c.failure_code.is_not(None), 0), else_=None),
        )
    )
    connection.execute(delete(run_tags).where(run_tags.c.run_id == run.id))
    failed_steps = update(steps).where(steps.c.run_id == run.id, steps.c.error.is_not(None))
    connection.execute(failed_steps.values(error=ERASED))
    return Erased(store="run", count=1)


def _effects(connection: Connection, run_id: RunId) -> Erased:
    own = effects.c.run_id == run_id
    keys = select(effects.c.key).where(own)
    digests = select(effects.c.result_digest).where(own, effects.c.result_digest.is_not(None))
    apart = connection.execute(digests).scalars().all()
    connection.execute(
        update(effect_reports).where(effect_reports.c.effect_key.in_(keys)).values(detail=None)
    )
    has_result = effects.c.status == EffectStatus.SUCCEEDED
    erased = _count(
        connection,
        "effects",
        update(effects)
        .where(own)
        .values(
            arguments="{}",
            digest="",
            result=case((has_result, "null"), else_=None),
            result_digest=None,
            error_message=_if_there(effects.c.error_message),
        ),
    )
    still = select(effects.c.result_digest).where(effects.c.result_digest.is_not(None))
    connection.execute(
        delete(effect_results).where(
            effect_results.c.digest.in_(apart), effect_results.c.digest.not_in(still)
        )
    )
    return erased


def _gates(connection: Connection, run_id: RunId) -> Erased:
    own = gates.c.run_id == run_id
    ids = select(gates.c.id).where(own)
    connection.execute(
        update(gate_votes)
        .where(gate_votes.c.gate_id.in_(ids))
        .values(reason=case((gate_votes.c.kind == VoteKind.APPROVE, None), else_=ERASED))
    )
    return _count(
        connection,
        "gates",
        update(gates)
        .where(own)
        .values(
            question="null",
            answer_schema=None,
            answer=case((gates.c.answer.is_not(None), "null"), else_=None),
            # Of one call there is one gate a binding, so each has something of its own.
            binding=case((gates.c.binding.is_not(None), gates.c.id), else_=None),
            edit_of_digest=case((gates.c.edit_of_digest.is_not(None), ""), else_=None),
            edit_arguments=case((gates.c.edit_arguments.is_not(None), "{}"), else_=None),
        ),
    )


def _audit(connection: Connection, run_id: RunId) -> Erased:
    """Erase the key of a run, and the reasons in its events; the chain stays as it is."""
    connection.execute(delete(run_keys).where(run_keys.c.run_id == run_id))
    with_reason = update(audit_events).where(
        audit_events.c.run_id == run_id, audit_events.c.reason.is_not(None)
    )
    kept = "the chain, in which codes stand for texts; their key is erased"
    count = connection.execute(with_reason.values(reason=None)).rowcount
    return Erased(store="audit", count=count, kept=kept)


def _if_there(column: Column[str]) -> Case[str | None]:
    return case((column.is_not(None), ERASED), else_=None)


def _count(connection: Connection, store: str, change: Update | Delete) -> Erased:
    return Erased(store=store, count=connection.execute(change).rowcount)
