"""The rules of what was spent, and of verifying and searching in slices, each broken once."""

import re

import pytest

from mutants.test_mutants import CHECKPOINTS, RUNS_ROOM, Copy, Mutant, check, checkout_copy

__all__ = ["checkout_copy"]

SPENDING = "tests/integration/test_spending.py"
VERIFYING = "tests/integration/test_verifying.py"


def spending(claim: str, old: str, new: str, test: str) -> Mutant:
    """Break a rule of what was spent."""
    return Mutant(claim, "spending.py", old, new, (f"{SPENDING}::{test}[sqlite]",), CHECKPOINTS)


def verifying(claim: str, old: str, new: str, test: str) -> Mutant:
    """Break a rule of verifying in slices."""
    return Mutant(claim, "verifying.py", old, new, (f"{VERIFYING}::{test}[sqlite]",), RUNS_ROOM)


def searching(claim: str, old: str, new: str, test: str) -> Mutant:
    """Break a rule of searching."""
    named = (f"{VERIFYING}::{test}[sqlite]",)
    return Mutant(claim, "audit/searching.py", old, new, named, CHECKPOINTS)


MUTANTS = [
    Mutant(
        "what a call has used is not counted",
        "budgets.py",
        '    spending.add(connection, ended["run_id"], ended, at=ended["settled_at"])\n',
        "",
        (f"{SPENDING}::test_a_call_that_is_made_again_counts_as_often_as_it_was_made[sqlite]",),
        CHECKPOINTS,
    ),
    spending(
        "what was used before on a day is forgotten",
        "budget_uses.c[name] + insert.excluded[name]",
        "insert.excluded[name]",
        "test_a_call_that_is_made_again_counts_as_often_as_it_was_made",
    ),
    spending(
        "amounts in two currencies are added",
        'row[f"{unit}_currency"] if unit in MONEYS else None',
        '"USD" if unit in MONEYS else None',
        "test_amounts_in_two_currencies_are_never_added",
    ),
    spending(
        "the dearest run is so in any currency",
        '(budget_uses.c[f"{measure.unit}_currency"] == measure.currency)',
        "(used > 0)",
        "test_amounts_in_two_currencies_are_never_added",
    ),
    spending(
        "what another tenant has used is shown",
        "        budget_uses.c.tenant == wanted.tenant,\n",
        "",
        "test_nothing_is_shown_of_another_tenant",
    ),
    spending(
        "what another tenant holds is shown",
        "text(\"budget_holds.status = 'held'\"), runs.c.tenant == tenant",
        "text(\"budget_holds.status = 'held'\")",
        "test_nothing_is_shown_of_another_tenant",
    ),
    verifying(
        "who may not look verifies",
        "        require(people, Right.LOOK, by, tenant)\n",
        "",
        "test_who_may_not_look_verifies_nothing",
    ),
    verifying(
        "a row that was verified may be another",
        "there.hash == noted.hash == rehashed(there)",
        "there.hash == rehashed(there)",
        "test_row_that_was_verified_must_be_the_same",
    ),
    verifying(
        "what was wrong is passed over",
        " or noted.fault is not None:",
        ":",
        "test_after_a_fault_all_is_looked_at",
    ),
    verifying(
        "a look ends with its first slice",
        "            return False\n        conclude(",
        "            pass\n        conclude(",
        "test_slices_find_what_one_look_finds",
    ),
    searching(
        "an event of another tenant is opened",
        ".where(audit_events.c.tenant == tenant, audit_events.c.number == number)",
        ".where(audit_events.c.number == number)",
        "test_events_of_another_tenant_are_not_found",
    ),
    searching(
        "events of another tenant are found",
        "[tenant == wanted.tenant]",
        "[tenant != '']",
        "test_events_of_another_tenant_are_not_found",
    ),
    searching(
        "a run of another tenant is found",
        "    of_tenant = select(runs.c.id).where(runs.c.tenant == tenant)\n",
        "    of_tenant = select(runs.c.id)\n",
        "test_events_of_a_run_and_of_a_gate_are_found",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)
