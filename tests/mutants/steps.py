"""Limits of steps and of time."""

from support.mutants import Mutant

CANCELLING = "tests/integration/nodes/test_cancellation.py"
SEGMENTS = "tests/integration/test_segments.py"
STEP_BUDGETS = "tests/integration/test_step_budgets.py"

MUTANTS = [
    Mutant(
        "a run takes a step more than its cap",
        at="Segment.admit",
        old="left > 0",
        new="left >= 0",
        killed_by=[f"{STEP_BUDGETS}::test_a_run_takes_no_step_more_than_its_cap"],
    ),
    Mutant(
        "each segment has a run's steps anew",
        at="Segment.admit",
        old="cap - before.count",
        new="cap",
        killed_by=[
            f"{STEP_BUDGETS}::test_steps_of_segments_before_count_and_those_told_of_again_do_not"
        ],
    ),
    Mutant(
        "branches are counted one by one, and not together",
        at="Segment.admit",
        old="cap - before.count - len(self._admitted)",
        new="cap - before.count",
        killed_by=[f"{STEP_BUDGETS}::test_branches_that_do_not_all_fit_do_not_begin"],
    ),
    Mutant(
        "a step that LangGraph only tells of again counts",
        at="Segment.admit",
        old="told['id'] in before.succeeded",
        new="",
        killed_by=[
            f"{STEP_BUDGETS}::test_steps_of_segments_before_count_and_those_told_of_again_do_not"
        ],
    ),
    Mutant(
        "a run that asks has come to its end",
        at="Segment.admit",
        old='told["error"] is None and not told["interrupts"]',
        new="told['error'] is None",
        killed_by=[f"{SEGMENTS}::test_a_step_that_waits_at_a_gate_is_parked_and_then_another_one"],
    ),
    Mutant(
        "a graph that stops before a node has come to its end",
        at="_stops",
        old="compiled.interrupt_before_nodes",
        new="",
        killed_by=[f"{SEGMENTS}::test_a_graph_that_stops_before_a_node_has_not_succeeded"],
    ),
    Mutant(
        "a graph in a node that stops has come to its end",
        at="Segment.admit",
        old="self._open.add(told['id'])",
        new="",
        killed_by=[f"{SEGMENTS}::test_a_graph_in_a_node_that_stops_has_not_succeeded"],
    ),
    Mutant(
        "a step that waits counts each time",
        at="executed",
        old="""
            select(func.count().label("executed")).where(
                steps.c.run_id == bindparam("run"), is_over
            )
        """,
        new="select(func.count().label('executed')).where(steps.c.run_id == bindparam('run'))",
        killed_by=[f"{STEP_BUDGETS}::test_a_step_that_waits_for_people_is_one_step"],
    ),
    Mutant(
        "a raised cap is not found out by who had the old one",
        at="_short",
        old="None if is_raised else found",
        new="found",
        killed_by=[f"{STEP_BUDGETS}::test_a_cap_that_was_raised_meanwhile_is_found_out"],
    ),
    Mutant(
        "time is not counted where a run is let go",
        at="Driver._leave",
        old="budgets.record_driven_time(connection, run, until=at)",
        new="",
        killed_by=[f"{STEP_BUDGETS}::test_a_run_that_takes_longer_than_its_cap_is_stopped"],
    ),
    Mutant(
        "the time of a lost worker does not count",
        at="sweep",
        old="_count_time(connection, stored.get(connection, run_id), at=at)",
        new="",
        killed_by=[
            f"{STEP_BUDGETS}::test_the_time_of_a_lost_worker_counts_to_the_end_of_its_lease"
        ],
    ),
    Mutant(
        "the time in which all workers were away counts",
        at="_count_time",
        old="min(at, run.lease_expires_at or at)",
        new="at",
        killed_by=[
            f"{STEP_BUDGETS}::test_the_time_of_a_lost_worker_counts_to_the_end_of_its_lease"
        ],
    ),
    Mutant(
        "a node that does not let itself be stopped keeps its run for ever",
        at="Heartbeat.beat",
        old="not run.ignores_stop",
        new="",
        killed_by=[
            f"{CANCELLING}::test_a_node_that_does_not_let_itself_be_stopped_does_not_keep_its_run"
        ],
    ),
    Mutant(
        "what people raise gives no time",
        at="Allowance.limit_time",
        old="""
            if self.time is None or not limit.expired():
                ...
        """,
        new="raise",
        killed_by=[f"{STEP_BUDGETS}::test_time_is_raised_at_a_gate"],
    ),
]
