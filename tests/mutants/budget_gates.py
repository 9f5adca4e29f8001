"""Gates at which people raise or keep a limit."""

from support.mutants import Mutant

BUDGET_GATES = "tests/integration/nodes/test_budget_gates.py"
METERING = "tests/integration/nodes/test_meter.py"
BUDGET_REFUSALS = "tests/integration/test_budget_gate_refusals.py"

MUTANTS = [
    Mutant(
        "a raise replaces the cap",
        at="_raise",
        old="cap + bindparam('by', type_=cap.type)",
        new="bindparam('by', type_=cap.type)",
        killed_by=[f"{BUDGET_REFUSALS}::test_a_cap_is_raised_by_what_was_said"],
    ),
    Mutant(
        "a raise is no more than words",
        at="apply_answer",
        old="exhaustion_answer(gate) is BudgetAnswer.RAISE",
        new="not gate.id",
        killed_by=[f"{BUDGET_REFUSALS}::test_a_cap_is_raised_by_what_was_said"],
    ),
    Mutant(
        "who raised a cap is not written down",
        at="raise_cap",
        old="'budget.raised'",
        new="'budget.changed'",
        killed_by=[f"{BUDGET_GATES}::test_a_raise_lets_a_model_be_called"],
    ),
    Mutant(
        "a double click raises twice",
        at="Runtime.decide",
        old="""
            if not is_fresh:
                return decided
        """,
        new="",
        killed_by=[
            f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when[sqlite-it_is_raised_again_by_the_same_amount_by_the_same_person]"
        ],
    ),
    Mutant(
        "a cap is raised by less than what was wanted",
        at="_answer_schema",
        old="""
            {
                "type": "integer",
                "title": f"By how much, in {short.scale}",
                "minimum": short.lacking,
                "maximum": max(RAISE_LIMIT, short.lacking),
            }
        """,
        new="""
            {
                "type": "integer",
                "title": f"By how much, in {short.scale}",
                "minimum": 1,
                "maximum": max(RAISE_LIMIT, short.lacking),
            }
        """,
        killed_by=[
            f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when[sqlite-it_is_raised_by_less_than_what_is_wanted]"
        ],
    ),
    Mutant(
        "another cap than that of the gate is named",
        at="_answer_schema",
        old="{'const': short.unit}",
        new="{'type': 'string'}",
        killed_by=[
            f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when[sqlite-another_cap_is_raised]"
        ],
    ),
    Mutant(
        "a raise that comes too late counts",
        at="close",
        old="gates.c.expires_at > database_now(connection.dialect)",
        new="gates.c.expires_at.is_not(None)",
        killed_by=[
            f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when[sqlite-it_is_raised_too_late]"
        ],
    ),
    Mutant(
        "a worker without its lease asks for more",
        at="resolve_exhaustion",
        old="require_lease(connection, run.fence)",
        new="",
        killed_by=[
            f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_worker_without_its_lease_asks]"
        ],
    ),
    Mutant(
        "a cap that was raised is never asked about again",
        at="_is_past",
        old="exhaustion_answer(gate) is BudgetAnswer.RAISE",
        new="",
        killed_by=[f"{BUDGET_GATES}::test_a_raise_that_holds_one_more_call_asks_about_the_next"],
    ),
    Mutant(
        "an expired gate is not asked again by a redrive",
        at="supersede_for_redrive",
        old="gates.c.kind.in_([GateKind.APPROVAL, GateKind.BUDGET])",
        new="gates.c.kind == GateKind.APPROVAL",
        killed_by=[
            f"{BUDGET_GATES}::test_a_run_fails_whose_gate_expires_and_a_redrive_asks_again",
            f"{BUDGET_GATES}::test_a_run_that_failed_beside_its_gate_asks_anew_when_it_is_redriven",
        ],
    ),
    Mutant(
        "people are asked though the graph does not say so",
        at="resolve_exhaustion",
        old="account.on_exhaustion is not OnExhaustion.GATE",
        new="",
        killed_by=[f"{METERING}::test_a_call_that_does_not_fit_is_not_made_and_ends_the_run"],
    ),
    Mutant(
        "people are asked about what no raise would help",
        at="resolve_exhaustion",
        old="""
            if not short.is_raisable:
                return ExhaustionOutcome(resolution=Resolution.UNASKED)
        """,
        new="",
        killed_by=[f"{BUDGET_GATES}::test_what_no_raise_would_help_is_not_asked_about"],
    ),
    Mutant(
        "a tool's call that waits for more is refused",
        at="Afford._resolve",
        old="gate is not None",
        new="gate is None",
        killed_by=[
            f"{BUDGET_GATES}::test_tool_calls_that_do_not_fit_wait_at_one_gate_and_are_made_after_it"
        ],
    ),
    Mutant(
        "a graph may swallow that its model waits",
        at="Meter._resolve",
        old="GateAwaited(outcome.gate.id)",
        new="error",
        killed_by=[f"{BUDGET_GATES}::test_a_model_call_that_does_not_fit_waits_at_a_gate"],
    ),
    Mutant(
        "a graph that is to finish is ended",
        at="Meter._resolve",
        old="""
            case Resolution.REFUSE:
                ...
        """,
        new="",
        killed_by=[
            f"{BUDGET_GATES}::test_what_does_not_fit_is_refused_where_the_graph_is_to_finish"
        ],
    ),
    Mutant(
        "a gate about a budget is taken for a question of the graph",
        at="_own_gates",
        old="gate.effect_key is not None or gate.kind is GateKind.BUDGET",
        new="gate.effect_key is not None",
        killed_by=[
            f"{BUDGET_GATES}::test_tool_calls_that_do_not_fit_wait_at_one_gate_and_are_made_after_it"
        ],
    ),
    Mutant(
        "a run whose model waits does not",
        at="Driver._advance",
        old="is_awaited=bool(waits_for)",
        new="",
        killed_by=[f"{BUDGET_GATES}::test_a_model_call_that_does_not_fit_waits_at_a_gate"],
    ),
    Mutant(
        "a run that is stopped has to be driven first",
        at="stop_at_budget_gate",
        old="run.status is not RunStatus.WAITING",
        new="run.status is RunStatus.WAITING",
        killed_by=[f"{BUDGET_GATES}::test_a_run_that_is_stopped_ends_at_once"],
    ),
    Mutant(
        "what a graph does when it is used up is lost with the caps of its run",
        at="Budget.tightened",
        old="other.on_exhaustion or self.on_exhaustion",
        new="other.on_exhaustion",
        killed_by=[
            f"{BUDGET_GATES}::test_a_run_may_ask_where_its_graph_does_not_and_the_other_way_round"
        ],
    ),
]
