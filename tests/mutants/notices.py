"""Notifications and the links in them, and what Phoenix is told of decisions."""

from support.mutants import Mutant

APPROVALS = "tests/integration/nodes/test_approvals.py"
EFFECTS = "tests/integration/nodes/test_effects.py"
ANNOTATING = "tests/integration/test_phoenix_annotations.py"
ANNOTATIONS = "tests/integration/test_annotations.py"
LINKS = "tests/integration/test_links.py"
NOTICES = "tests/integration/test_notices.py"

MUTANTS = [
    Mutant(
        "a link is good for ever",
        at="use_link",
        old="now >= until",
        new="now is until",
        killed_by=[LINKS],
    ),
    Mutant(
        "a link leads everybody there",
        at="use_link",
        old="connection.execute(used_by).scalar_one() != person",
        new="connection.execute(used_by).scalar_one() == nonce",
        killed_by=[LINKS],
    ),
    Mutant(
        "anybody can sign a link",
        at="GateLinks._read",
        old="self._serializer.loads(token)",
        new="self._serializer.loads_unsafe(token)[1]",
        killed_by=[LINKS],
    ),
    Mutant(
        "people are told of gates that were closed",
        at="take",
        old="""
            select(notices.c.id).where(
                *_due(connection), notices.c.attempt_count < ATTEMPT_LIMIT, _asks(connection)
            )
        """,
        new=(
            "select(notices.c.id).where(*_due(connection), notices.c.attempt_count < ATTEMPT_LIMIT)"
        ),
        killed_by=[NOTICES],
    ),
    Mutant(
        "a notice is sent by everybody who looks for one",
        at="notices.take",
        old="database_now(connection.dialect, plus_s=TAKEN_S)",
        new="notices.c.due_at",
        killed_by=[NOTICES],
    ),
    Mutant(
        "a notice is tried for ever",
        at="notices.record_failure",
        old="notice.attempt_count >= ATTEMPT_LIMIT",
        new="notice.attempt_count > ATTEMPT_LIMIT",
        killed_by=[NOTICES],
    ),
    Mutant(
        "a copy of a thread has no past",
        at="CheckpointChanges.copy",
        old="ledger.record_copy(connection, ThreadId(target_id), of=ThreadId(source_id))",
        new="",
        killed_by=[f"{EFFECTS}::test_a_copy_of_a_thread_does_not_do_again_what_was_done"],
    ),
    Mutant(
        "a copy asks one after another about what was done",
        at="FindDoneElsewhere.__call__",
        old="done is None",
        new="done is None or done.key",
        killed_by=[f"{APPROVALS}::test_a_copy_that_does_the_same_asks_everybody_at_one_gate"],
    ),
    Mutant(
        "a decision is told of while its run is in the queue, without a span",
        at="_new",
        old="runs.c.status != RunStatus.QUEUED",
        new="",
        killed_by=[f"{ANNOTATIONS}::test_a_decision_is_to_be_told_once_its_run_goes_on"],
    ),
    Mutant(
        "a decision is told of while its run still waits, without a span",
        at="_new",
        old="runs.c.changed_at > gates.c.closed_at",
        new="",
        killed_by=[f"{ANNOTATIONS}::test_a_decision_is_to_be_told_once_its_run_goes_on"],
    ),
    Mutant(
        "a worker gives up what another has taken since",
        at="annotations.record_failure",
        old="_open(annotation).where(is_own).values(given_up)",
        new="_open(annotation).values(given_up)",
        killed_by=[f"{ANNOTATIONS}::test_no_trouble_is_heard_of_by_whom_another_has_taken_it_from"],
    ),
    Mutant(
        "a worker puts back what another has taken since",
        at="annotations.release",
        old=".where(annotations.c.attempt_count == annotation.attempt_count)",
        new="",
        killed_by=[f"{ANNOTATIONS}::test_no_trouble_is_heard_of_by_whom_another_has_taken_it_from"],
    ),
    Mutant(
        "secrets in why a run failed are told",
        at="_outcome",
        old="redact(said)",
        new="said",
        killed_by=[f"{ANNOTATING}::test_secrets_in_words_are_not_told"],
    ),
    Mutant(
        "words are told of a graph whose traces show digests",
        at="AnnotationService._note",
        old="self._trace_content(run.graph) is not TraceContent.DIGESTS",
        new="bool(self._trace_content(run.graph))",
        killed_by=[f"{ANNOTATING}::test_where_traces_show_digests_no_words_are_told"],
    ),
    Mutant(
        "a Phoenix that is down uses all attempts up",
        at="AnnotationService.send_due",
        old="await self._put_back(taken[number:])",
        new="",
        killed_by=[f"{ANNOTATING}::test_nobody_there_costs_no_attempt"],
    ),
]
