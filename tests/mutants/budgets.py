"""Budgets: what is reserved, and what is settled."""

from support.mutants import Mutant

METERING = "tests/integration/nodes/test_meter.py"
BUDGETS = "tests/integration/test_budgets.py"

MUTANTS = [
    Mutant(
        "what does not fit is held",
        at="_fits",
        old="taken + wanted",
        new="wanted",
        killed_by=[f"{BUDGETS}::test_what_is_held_cannot_be_held_again"],
    ),
    Mutant(
        "what calls under way hold is given away",
        at="_fits",
        old="budget_accounts.c[f'spent_{unit}'] + budget_accounts.c[f'held_{unit}']",
        new="budget_accounts.c[f'spent_{unit}']",
        killed_by=[f"{BUDGETS}::test_what_is_held_cannot_be_held_again"],
    ),
    Mutant(
        "a cap of zero is no cap",
        at="_fits",
        old="or_(cap.is_(None), fits)",
        new="or_(cap.is_(None), cap == 0, fits)",
        killed_by=[f"{BUDGETS}::test_a_cap_of_zero_is_zero"],
    ),
    Mutant(
        "another currency counts as that of the cap",
        at="_fits",
        old="wanted == 0",
        new="wanted >= 0",
        killed_by=[f"{BUDGETS}::test_another_currency_than_that_of_the_cap_does_not_fit"],
    ),
    Mutant(
        "an unknown price fits where money is capped",
        at="_fits",
        old="bindparam('is_priced', type_=Integer) == 1",
        new="bindparam('is_priced', type_=Integer) >= 0",
        killed_by=[f"{BUDGETS}::test_an_unknown_price_is_refused_only_where_money_is_capped"],
    ),
    Mutant(
        "a hold ends twice",
        at="_settle",
        old="budget_holds.c.status == HoldStatus.HELD",
        new="",
        killed_by=[f"{BUDGETS}::test_a_hold_is_taken_once_and_ends_once"],
    ),
    Mutant(
        "a call that is held still is held twice",
        at="hold",
        old="where=budget_holds.c.status != HoldStatus.HELD",
        new="",
        killed_by=[f"{BUDGETS}::test_a_hold_is_taken_once_and_ends_once"],
    ),
    Mutant(
        "one account alone is asked",
        at="reserve",
        old="""
            for account in accounts:
                ...
        """,
        new="""
            for account in accounts[:1]:
                ...
        """,
        killed_by=[f"{BUDGETS}::test_all_accounts_hold_a_call_or_none"],
    ),
    Mutant(
        "a model's call of a lost worker stays held",
        at="take_over",
        old="fence.epoch",
        new="0",
        killed_by=[f"{BUDGETS}::test_a_model_call_of_a_lost_worker_counts_as_used"],
    ),
    Mutant(
        "a worker ends what its own models hold",
        at="take_over",
        old="budget_holds.c.epoch < fence.epoch",
        new="budget_holds.c.epoch <= fence.epoch",
        killed_by=[f"{BUDGETS}::test_a_model_call_of_a_lost_worker_counts_as_used"],
    ),
    Mutant(
        "a tool's call ends with the lease",
        at="take_over",
        old="budget_holds.c.kind == HoldKind.MODEL",
        new="",
        killed_by=[f"{BUDGETS}::test_a_tool_call_of_a_lost_worker_stays_held"],
    ),
    Mutant(
        "what is in doubt is given back",
        at="_write",
        old="to is not EffectStatus.IN_DOUBT",
        new="to",
        killed_by=[f"{BUDGETS}::test_an_effect_in_doubt_keeps_its_hold_until_somebody_knows"],
    ),
    Mutant(
        "what failed is paid for",
        at="_write",
        old="to is not EffectStatus.FAILED",
        new="bool(to)",
        killed_by=[f"{BUDGETS}::test_an_effect_that_failed_spends_nothing_and_may_hold_again"],
    ),
    Mutant(
        "an effect begins without its budget",
        at="claim",
        old="not call.undoes",
        new="call.undoes",
        killed_by=[f"{METERING}::test_a_tool_call_that_does_not_fit_is_refused_and_the_model_told"],
    ),
    Mutant(
        "a read that costs is made unasked",
        at="Attempts._try",
        old="call.tool.contract.cost is None",
        new="",
        killed_by=[f"{METERING}::test_a_read_that_costs_is_reserved_before_it_is_made"],
    ),
    Mutant(
        "a model is called all the same",
        at="Meter",
        old="raise_error = True",
        new="raise_error = False",
        killed_by=[f"{METERING}::test_a_model_is_not_called_where_nothing_can_be_reserved"],
    ),
    Mutant(
        "a graph goes on without a budget",
        at="BudgetExhausted",
        old="ControlSignal",
        new="Exception",
        killed_by=[f"{METERING}::test_nothing_in_a_graph_goes_on_without_a_budget"],
    ),
    Mutant(
        "what does not say what it used has used nothing",
        at="Meter.on_llm_end",
        old="happened=True",
        new="happened=False",
        killed_by=[f"{METERING}::test_a_model_that_does_not_say_what_it_used_has_used_the_worst"],
    ),
    Mutant(
        "what a call holds that was never made stays held",
        at="Driver._advance",
        old="meter.close()",
        new="pass",
        killed_by=[
            f"{METERING}::test_what_a_call_holds_that_was_never_made_is_settled_with_its_segment"
        ],
    ),
]
