"""Questions of tools and of nodes to people."""

from support.mutants import Mutant

QUESTIONS = "tests/integration/nodes/test_questions.py"
FORMS = "tests/unit/nodes/test_answer_schema.py"

MUTANTS = [
    Mutant(
        "the calls of a message race for each other's answers",
        at="InterruptScope.config",
        old="self._count",
        new="shared.interrupt_counter",
        killed_by=[f"{QUESTIONS}::test_what_is_answered_before_anybody_goes_on_is_not_crossed"],
    ),
    Mutant(
        "a node gets the answers of its calls",
        at="_SendWithoutResume.__call__",
        old="each[0] != RESUME",
        new="each[0] != NAMESPACE",
        killed_by=[
            f"{QUESTIONS}::test_a_node_that_asks_after_its_calls_does_not_get_their_answers"
        ],
    ),
    Mutant(
        "a call goes on with the graph of its sibling",
        at="InterruptScope.config",
        old="self._subgraphs",
        new="shared.subgraph_counter",
        killed_by=[
            f"{QUESTIONS}::test_a_graph_that_a_call_runs_is_its_own_though_its_siblings_have_finished"
        ],
    ),
    Mutant(
        "an answer counts for other arguments",
        at="question_gate_id",
        old="f'{run_id}|{call.effect.key}|{call.effect.digest}|{number}'",
        new="f'{run_id}|{call.effect.key}|{number}'",
        killed_by=[f"{QUESTIONS}::test_an_answer_is_for_the_arguments_that_were_asked_about"],
    ),
    Mutant(
        "an answer counts for a copy of the thread",
        at="question_gate_id",
        old="f'{run_id}|{call.effect.key}|{call.effect.digest}|{number}'",
        new="f'{run_id[:0]}|{call.effect.key}|{call.effect.digest}|{number}'",
        killed_by=[f"{QUESTIONS}::test_a_copy_of_a_thread_asks_for_itself"],
    ),
    Mutant(
        "a worker without its lease asks",
        at="QuestionGates.ask",
        old="require_lease(connection, run.fence)",
        new="_ = (require_lease, run.fence)",
        killed_by=[f"{QUESTIONS}::test_a_worker_without_its_lease_asks_nobody"],
    ),
    Mutant(
        "an answer that comes while its run is on its way to another gate is not seen",
        at="Driver._park",
        old="*waits_for",
        new="",
        killed_by=[f"{QUESTIONS}::test_an_answer_that_comes_before_its_run_waits_lets_it_go_on"],
    ),
    Mutant(
        "a redriven run waits at gates that are closed",
        at="open_questions",
        old="_reopened(connection, question.id)",
        new="",
        killed_by=[
            f"{QUESTIONS}::test_what_was_open_when_its_run_failed_is_asked_again_by_a_redrive"
        ],
    ),
    Mutant(
        "an edit makes a call one of another tool",
        at="_branch",
        old="{'const': action.name, 'title': 'Tool'}",
        new="{'type': 'string', 'title': 'Tool'}",
        killed_by=[FORMS],
    ),
    Mutant(
        "what may be decided about a call may be decided about another",
        at="_allowed",
        old="[review.allowed_decisions for review in reviews]",
        new="[reviews[0].allowed_decisions for _ in reviews]",
        killed_by=[FORMS],
    ),
]
