"""Runs that a run starts."""

from support.mutants import Mutant

CHILDREN = "tests/integration/test_child_runs.py"

MUTANTS = [
    Mutant(
        "a child does not use up what its parent may",
        at="SegmentContext.accounts",
        old="self.parents",
        new="self.parents[:0]",
        killed_by=[f"{CHILDREN}::test_children_together_do_not_use_more_than_their_parent_may"],
    ),
    Mutant(
        "only the next run above pays",
        at="ancestors",
        old="get(connection, parent_id).parent_id",
        new="None",
        killed_by=[f"{CHILDREN}::test_what_a_child_uses_all_runs_above_it_use"],
    ),
    Mutant(
        "children outlive a cancelled parent",
        at="cancel",
        old="runs.living_children(connection, run_id)",
        new="runs.living_children(connection, run_id)[:0]",
        killed_by=[f"{CHILDREN}::test_what_a_run_has_started_is_cancelled_with_it"],
    ),
    Mutant(
        "a run that is to be cancelled starts others",
        at="inherit",
        old="parent.cancel_by is not None",
        new="",
        killed_by=[f"{CHILDREN}::test_a_run_that_is_asked_to_end_starts_no_others"],
    ),
    Mutant(
        "a run whose time is over starts others",
        at="inherit",
        old="left_s <= 0",
        new="left_s < -10_000",
        killed_by=[f"{CHILDREN}::test_a_run_whose_time_is_over_starts_no_others"],
    ),
    Mutant(
        "a child acts for whoever started it",
        at="inherit",
        old="principal=parent.principal",
        new="",
        killed_by=[f"{CHILDREN}::test_a_child_acts_for_whom_its_parent_acts_and_simulates_with_it"],
    ),
    Mutant(
        "a run of another tenant is a parent",
        at="inherit",
        old="parent.tenant != run.tenant",
        new="not parent.tenant",
        killed_by=[f"{CHILDREN}::test_a_run_of_another_tenant_is_nobodys_parent"],
    ),
    Mutant(
        "a cap of a parent is asked about at its child",
        at="resolve_exhaustion",
        old="error.shortfall.account != run_account(run.id)",
        new="error.shortfall.account == ''",
        killed_by=[
            f"{CHILDREN}::test_nobody_is_asked_at_a_child_to_raise_the_budget_of_its_parent"
        ],
    ),
]
