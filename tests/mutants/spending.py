"""What was spent."""

from support.mutants import Mutant

SPENDING = "tests/integration/test_spending.py"

MUTANTS = [
    Mutant(
        "what a call has used is not counted",
        at="_spend",
        old="spending.add(connection, ended['run_id'], ended, at=ended['settled_at'])",
        new="",
        killed_by=[
            f"{SPENDING}::test_a_call_that_is_made_again_counts_as_often_as_it_was_made[sqlite]"
        ],
    ),
    Mutant(
        "what was used before on a day is forgotten",
        at="_add",
        old="budget_uses.c[name] + insert.excluded[name]",
        new="insert.excluded[name]",
        killed_by=[
            f"{SPENDING}::test_a_call_that_is_made_again_counts_as_often_as_it_was_made[sqlite]"
        ],
    ),
    Mutant(
        "amounts in two currencies are added",
        at="by_day",
        old="row[f'{unit}_currency']",
        new="'USD'",
        killed_by=[f"{SPENDING}::test_amounts_in_two_currencies_are_never_added[sqlite]"],
    ),
    Mutant(
        "the dearest run is so in any currency",
        at="dearest",
        old="budget_uses.c[f'{measure.unit}_currency'] == measure.currency",
        new="used > 0",
        killed_by=[f"{SPENDING}::test_amounts_in_two_currencies_are_never_added[sqlite]"],
    ),
    Mutant(
        "what another tenant has used is shown",
        at="_where",
        old="budget_uses.c.tenant == wanted.tenant",
        new="",
        killed_by=[f"{SPENDING}::test_nothing_is_shown_of_another_tenant[sqlite]"],
    ),
    Mutant(
        "what another tenant holds is shown",
        at="reserved",
        old="runs.c.tenant == tenant",
        new="",
        killed_by=[f"{SPENDING}::test_nothing_is_shown_of_another_tenant[sqlite]"],
    ),
]
