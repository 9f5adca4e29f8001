"""The stages of a tool call."""

from support.mutants import Mutant

CANCELLING = "tests/integration/nodes/test_cancellation.py"
EFFECTS = "tests/integration/nodes/test_effects.py"

MUTANTS = [
    Mutant(
        "a read that was recorded is not recalled",
        at="Recall.__call__",
        old="effect is not None and not _may_go_on(call, effect)",
        new="effect is not None and effect.effect != 'read' and not _may_go_on(call, effect)",
        killed_by=[f"{EFFECTS}::test_a_read_that_was_recorded_is_not_done_again"],
    ),
    Mutant(
        "an effect in doubt is not recalled",
        at="Recall.__call__",
        old="effect=effect",
        new="effect=effect if may_land else None",
        killed_by=[f"{EFFECTS}::test_a_look_up_that_finds_it_settles_the_doubt"],
    ),
    Mutant(
        "an effect in doubt that can be looked up is not",
        at="Reconcile.__call__",
        old="call.tool.probe is None or recalled.may_land",
        new="recalled.may_land or not recalled.may_land",
        killed_by=[f"{EFFECTS}::test_a_look_up_that_finds_it_settles_the_doubt"],
    ),
    Mutant(
        "an effect is looked up while it may still land",
        at="Reconcile.__call__",
        old="call.tool.probe is None or recalled.may_land",
        new="call.tool.probe is None",
        killed_by=[f"{EFFECTS}::test_nothing_is_looked_up_while_it_may_still_land"],
    ),
    Mutant(
        "a call that is under way is started again",
        at="CallPipeline._joined",
        old="under_way is None",
        new="under_way is None or under_way.call.effect.digest",
        killed_by=[f"{EFFECTS}::test_a_call_that_is_under_way_is_joined"],
    ),
    Mutant(
        "whoever gives up a call cancels it for all",
        at="CallPipeline._joined",
        old="asyncio.shield(under_way.task)",
        new="under_way.task",
        killed_by=[f"{CANCELLING}::test_what_ends_in_its_own_way_when_it_is_stopped_is_settled"],
    ),
    Mutant(
        "a segment ends before its calls are settled",
        at="CallPipeline.drain",
        old="""
            while self._in_flight:
                ...
        """,
        new="""
            while self._in_flight and not self._attempts.closing.is_set():
                ...
        """,
        killed_by=[f"{EFFECTS}::test_a_segment_ends_only_when_its_calls_have_been_settled"],
    ),
    Mutant(
        "a call that did not end in time has failed",
        at="_unknown",
        old="call.effect.effect is EffectClass.READ",
        new="call.effect.effect is EffectClass.READ or code == 'timeout'",
        killed_by=[
            f"{EFFECTS}::test_a_coroutine_that_does_not_end_in_time_is_stopped_and_in_doubt"
        ],
    ),
    Mutant(
        "an error that says nothing is taken for a failure",
        at="_unknown",
        old="call.effect.effect is EffectClass.READ",
        new="call.effect.effect is EffectClass.READ or code == 'tool_raised'",
        killed_by=[f"{EFFECTS}::test_an_untyped_error_of_an_unsafe_tool_puts_it_in_doubt_and_asks"],
    ),
    Mutant(
        "a call that blocks counts as over at its deadline",
        at="Execute.__call__",
        old="self.late(running, late.running, self)",
        new="pass",
        killed_by=[
            f"{EFFECTS}::test_a_blocking_call_without_a_margin_may_land_as_long_as_it_goes_on"
        ],
    ),
    Mutant(
        "an unsafe call is tried again after any failure, which is then forgotten",
        at="Attempts._try",
        old="plan.after is RetryAfter.ANY and call.effect.effect in REPEATABLE",
        new="call.effect.effect in REPEATABLE or plan.after is not RetryAfter.ANY",
        killed_by=[f"{EFFECTS}::test_an_untyped_error_of_an_unsafe_tool_puts_it_in_doubt_and_asks"],
    ),
    Mutant(
        "an attempt that comes too late after its begin is made",
        at="Attempts._try",
        old="time.monotonic() - asked_s > call.effect.timeout_s",
        new="asked_s > time.monotonic()",
        killed_by=[f"{EFFECTS}::test_an_attempt_that_its_worker_begins_too_late_is_not_made"],
    ),
    Mutant(
        "a call with a key of business in doubt counts as done",
        at="_of_another",
        old="effect.status in {EffectStatus.STARTED, EffectStatus.IN_DOUBT}",
        new="effect.status is EffectStatus.COMPENSATED",
        killed_by=[f"{EFFECTS}::test_a_key_of_business_whose_call_is_in_doubt_is_busy"],
    ),
    Mutant(
        "the mark of a transaction is written after its commit",
        at="run_once",
        old="""
            with engine.begin() as connection:
                done = connection.execute(
                    select(_marks.c.result).where(_marks.c.key == key)
                ).scalar()
                if done is not None:
                    return done
                connection.execute(insert(_marks).values(key=key, result=""))
                try:
                    text = write(_call(function, keywords(connection)))
                except Exception as error:
                    raise RolledBack from error
                connection.execute(
                    update(_marks).where(_marks.c.key == key).values(result=text)
                )
                return text
        """,
        new="""
            with engine.begin() as connection:
                done = connection.execute(
                    select(_marks.c.result).where(_marks.c.key == key)
                ).scalar()
                if done is not None:
                    return done
                connection.execute(insert(_marks).values(key=key, result=""))
                try:
                    text = write(_call(function, keywords(connection)))
                except Exception as error:
                    raise RolledBack from error
            with engine.begin() as connection:
                connection.execute(
                    update(_marks).where(_marks.c.key == key).values(result=text)
                )
                return text
        """,
        killed_by=[f"{EFFECTS}::test_a_transaction_that_was_committed_is_not_made_again"],
    ),
    Mutant(
        "a transaction that was committed is made again",
        at="run_once",
        old="return done",
        new="connection.execute(_marks.delete().where(_marks.c.key == key))",
        killed_by=[f"{EFFECTS}::test_a_transaction_that_was_committed_is_not_made_again"],
    ),
    Mutant(
        "a call has failed though its failure says only that this attempt has",
        at="Attempts._settle",
        old="settled.status is EffectStatus.FAILED",
        new="settled.status is not EffectStatus.SUCCEEDED",
        killed_by=[
            f"{EFFECTS}::test_a_keyed_call_has_not_failed_when_an_attempt_before_may_have_happened"
        ],
    ),
    Mutant(
        "a call that goes on is not prolonged",
        at="LateAttempts._watch",
        old="max(effect.margin_s, MIN_PROLONG_S)",
        new="effect.margin_s",
        killed_by=[
            f"{EFFECTS}::test_a_blocking_call_without_a_margin_may_land_as_long_as_it_goes_on"
        ],
    ),
]
