"""The ledger: no call is made twice."""

from support.mutants import Mutant

LEDGER = "tests/integration/test_ledger.py"

MUTANTS = [
    Mutant(
        "a worker that lost its lease begins calls",
        at="begin",
        old="require_lease(connection, fence)",
        new="",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a call with other arguments is the same call",
        at="begin",
        old="found.digest == new.digest",
        new="found.digest != ''",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a call that was cut off is repeated whatever its class",
        at="_may_repeat",
        old="return False",
        new="return True",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a keyed call is repeated when its key is forgotten",
        at="_may_repeat",
        old="found.first_started_at + left",
        new="found.first_started_at + left + timedelta(days=1)",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a key is thought to live until the next attempt begins, not until it lands",
        at="_may_repeat",
        old="new.key_lifetime_s - new.timeout_s - new.margin_s",
        new="new.key_lifetime_s",
        killed_by=[LEDGER],
    ),
    Mutant(
        "what failed for good is tried again unasked",
        at="begin",
        old="""
            case EffectStatus.FAILED if found.error_retryable or not is_same:
                ...
        """,
        new="""
            case EffectStatus.FAILED:
                ...
        """,
        killed_by=[LEDGER],
    ),
    Mutant(
        "a key of business protects nothing",
        at="0003_effects.upgrade",
        old="unique=True",
        new="unique=False",
        killed_by=[LEDGER],
    ),
    Mutant(
        "another key of business is not kept",
        at="next_attempt",
        old="business_key=bindparam('business_key')",
        new="",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a key of business that was taken meanwhile is not looked at",
        at="next_attempt",
        old="~is_taken",
        new="",
        killed_by=[LEDGER],
    ),
    Mutant(
        "an old attempt settles the new one",
        at="settle",
        old="effects.c.attempt == bindparam('of_attempt')",
        new="",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a recorded result is overwritten",
        at="settle",
        old="effects.c.status == bindparam('found')",
        new="bindparam('found', type_=effects.c.status.type) != ''",
        killed_by=[LEDGER],
    ),
    Mutant(
        "what is to be undone can be settled otherwise",
        at="settle",
        old="effects.c.wants_undoing == bindparam('undoes')",
        new="effects.c.wants_undoing >= bindparam('undoes')",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a late report is refused",
        at="_settle",
        old="(EffectStatus.STARTED, EffectStatus.IN_DOUBT)",
        new="(EffectStatus.STARTED,)",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a late report leaves its gate open",
        at="_settle",
        old="found is EffectStatus.IN_DOUBT",
        new="found is to",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a call has failed though an attempt before may have happened",
        at="fail",
        old="attempt > 1",
        new="attempt < 1",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a doubt asks nobody",
        at="put_in_doubt",
        old="""
            gates.open_doubt(
                connection,
                gate_of(moved),
                moved,
                answer_schema=answer_schema,
                wakes_at=moved.settles_at if can_be_looked_up else None,
                at=at,
            )
        """,
        new="""
            len(new.answer_schema) or gates.open_doubt(
                connection,
                gate_of(moved),
                moved,
                answer_schema=answer_schema,
                wakes_at=moved.settles_at if can_be_looked_up else None,
                at=at,
            )
        """,
        killed_by=[LEDGER],
    ),
    Mutant(
        "a doubt is told of twice, by a gate that is there",
        at="open_doubt",
        old=".first()",
        new="",
        killed_by=[LEDGER],
    ),
    Mutant(
        "all attempts share one gate",
        at="gate_id_of",
        old="f'{key}|{attempt}'",
        new="f'{key}|{attempt * 0}'",
        killed_by=[LEDGER],
    ),
    Mutant(
        "a person decides while the attempt may still land",
        at="_refuse_early",
        old="now < effect.settles_at",
        new="now < effect.started_at",
        killed_by=[LEDGER],
    ),
    Mutant(
        "what a person says did not happen is tried again",
        at="resolve",
        old="answer is DoubtAnswer.RETRY",
        new="answer in {DoubtAnswer.DID_NOT, DoubtAnswer.RETRY}",
        killed_by=[LEDGER],
    ),
    Mutant(
        "an attempt that goes on may not land any more",
        at="prolong",
        old="database_now(connection.dialect, plus_s=by_s)",
        new="effects.c.settles_at",
        killed_by=[LEDGER],
    ),
    Mutant(
        "an attempt that goes on is looked up all the same",
        at="prolong",
        old="gates.postpone(connection, gate_id_of(key, attempt), by_s=by_s)",
        new="",
        killed_by=[LEDGER],
    ),
    Mutant(
        "nobody looks again after a look-up that could not tell",
        at="record_lookup",
        old="wake_later(connection, gate_of(effect), after_s=next_s)",
        new="_ = (gates, gate_of(effect), next_s)",
        killed_by=[LEDGER],
    ),
    Mutant(
        "what is asked about an effect is cancelled with its run",
        at="_cancel_open",
        old="gates.c.kind != GateKind.IN_DOUBT",
        new="",
        killed_by=[LEDGER],
    ),
]
