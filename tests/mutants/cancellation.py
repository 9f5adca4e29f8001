"""Cancellations, pauses and deadlines."""

from support.mutants import Mutant

CANCELLING = "tests/integration/nodes/test_cancellation.py"
PAUSING = "tests/integration/test_pausing.py"

MUTANTS = [
    Mutant(
        "a call goes on when the time of its step is over",
        at="Driver._advance",
        old="context.halt.request('the time of its step was over')",
        new="",
        killed_by=[f"{PAUSING}::test_the_calls_of_a_step_have_no_more_time_than_the_step"],
    ),
    Mutant(
        "a cancelled run waits for its calls",
        at="DrivenRun.stop",
        old="reason in _HALTS",
        new="reason in _HALTS and not reason.name",
        killed_by=[f"{CANCELLING}::test_a_running_async_tool_is_stopped_and_in_doubt"],
    ),
    Mutant(
        "a call begins after its run was cancelled",
        at="CallPipeline._begin",
        old="halt.is_requested",
        new="halt.is_requested and not halt.reason",
        killed_by=[
            f"{CANCELLING}::test_a_call_that_comes_after_its_run_was_cancelled_is_not_begun"
        ],
    ),
    Mutant(
        "a function is called that was to stop before it began",
        at="Execute.__call__",
        old="halt.is_requested",
        new="halt.is_requested and not halt.reason",
        killed_by=[f"{CANCELLING}::test_a_call_that_was_begun_and_not_started_has_failed"],
    ),
    Mutant(
        "what goes on after its run was cancelled is never settled",
        at="Execute.__call__",
        old="stopped.running is not None",
        new="stopped.running is not None and not halt.why",
        killed_by=[f"{CANCELLING}::test_what_blocks_a_thread_goes_on_and_settles_when_it_ends"],
    ),
    Mutant(
        "nobody asks about a call whose worker died and whose run was cancelled",
        at="put_calls_in_doubt",
        old="run.status is RunStatus.CANCELLED",
        new="run.status is RunStatus.CANCELLED and not run.id",
        killed_by=[f"{CANCELLING}::test_a_call_of_a_queued_run_is_in_doubt_when_that_is_cancelled"],
    ),
    Mutant(
        "a worker goes on with a run that was paused",
        at="_requested",
        old="StopReason.PAUSED if lease.is_paused else None",
        new="None",
        killed_by=[
            f"{PAUSING}::test_a_run_that_is_paused_while_it_is_driven_goes_back_to_the_queue"
        ],
    ),
    Mutant(
        "time at a gate counts for the deadline",
        at="wake",
        old="extend_deadline(connection, run, by=at - run.changed_at)",
        new="",
        killed_by=[f"{PAUSING}::test_time_at_a_gate_does_not_count"],
    ),
]
