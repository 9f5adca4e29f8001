"""Forks of runs, and values that contracts mark where states are shown."""

from support.mutants import Mutant

EXPORT = "tests/integration/cli/test_run_export.py"
FORKS = "tests/integration/test_forks.py"
STATES = "tests/integration/test_states.py"
PAGE = "tests/integration/ui/test_run.py"

MUTANTS = [
    Mutant(
        "a fork has no past",
        at="CheckpointChanges.fork",
        old="ledger.record_copy(connection, fork.target_id, of=fork.source_id)",
        new="",
        killed_by=[f"{FORKS}::test_call_of_a_new_message_that_does_the_same_waits_for_an_approval"],
    ),
    Mutant(
        "what was done meanwhile is done again",
        at="claim",
        old="require_not_done_elsewhere(connection, call)",
        new="",
        killed_by=[f"{FORKS}::test_what_was_done_while_a_fork_made_up_its_mind_is_not_done_again"],
    ),
    Mutant(
        "two forks do the same at the same instant",
        at="attempts.try_lock_lineage",
        old="bool(found['is_locked'])",
        new="found['is_locked'] is not None",
        killed_by=[f"{FORKS}::test_of_two_forks_that_do_the_same_at_once_one_asks"],
    ),
    Mutant(
        "a run does again what a fork of it has done",
        at="require_not_done_elsewhere",
        old="""
            not call.is_done_elsewhere and ledger.find_in_lineage(
                connection, call.effect
            ) is not None
        """,
        new="""
            (
                not call.is_done_elsewhere
                and call.effect.lineage != call.effect.thread_id
                and ledger.find_in_lineage(connection, call.effect) is not None
            )
        """,
        killed_by=[f"{FORKS}::test_run_asks_before_it_does_what_a_fork_of_it_has_done"],
    ),
    Mutant(
        "the gate of a call that a fork has made is another each time",
        at="may_be_done_elsewhere",
        old="is_copy or bool(recalled.gates)",
        new="is_copy",
        killed_by=[f"{FORKS}::test_run_asks_before_it_does_what_a_fork_of_it_has_done"],
    ),
    Mutant(
        "what was written on the checkpoint is in the fork",
        at="_copy",
        old="table is checkpoint_writes",
        new="not kept",
        killed_by=[f"{FORKS}::test_states_of_the_origin_are_not_in_the_fork"],
    ),
    Mutant(
        "what came before the checkpoint is in the fork",
        at="_copy",
        old="table.c.checkpoint_id.in_(kept)",
        new="table.c.namespace_id == source",
        killed_by=[f"{FORKS}::test_states_of_the_origin_are_not_in_the_fork"],
    ),
    Mutant(
        "an edited checkpoint passes for the one that it was",
        at="ForkWriter._begin",
        old="""
            if fork.edits:
                ...
        """,
        new="""
            if not fork.run_id:
                ...
        """,
        killed_by=[
            f"{FORKS}::test_call_of_code_is_replayed_and_with_an_edited_state_it_is_another"
        ],
    ),
    Mutant(
        "an edited message passes for the one that it was",
        at="_renamed",
        old="message.id is not None and were.get(message.id) == item",
        new="message.id is not None",
        killed_by=[f"{FORKS}::test_edited_message_is_another_and_its_calls_are_other_calls"],
    ),
    Mutant(
        "a fork is live where nobody says so",
        at="Runtime.fork",
        old="RunMode.SIMULATE",
        new="RunMode.LIVE",
        killed_by=[f"{FORKS}::test_fork_only_simulates_where_nobody_says_otherwise"],
    ),
    Mutant(
        "whoever comes forks the runs of others",
        at="Runtime.fork",
        old="require_steering(self._people, source, by)",
        new="",
        killed_by=[f"{FORKS}::test_only_whoever_may_steer_a_run_and_start_others_forks_it"],
    ),
    Mutant(
        "a run that was forgotten is forked",
        at="find_fork_point",
        old="""
            if erasure.is_forgotten(connection, run.id):
                return ()
        """,
        new="",
        killed_by=[f"{FORKS}::test_run_that_was_forgotten_is_not_forked"],
    ),
    Mutant(
        "a run is forked under another graph",
        at="find_fork_point",
        old="str(graph.fingerprint) != run.fingerprint",
        new="not run.fingerprint",
        killed_by=[f"{FORKS}::test_run_whose_graph_has_another_shape_is_not_forked"],
    ),
    Mutant(
        "what stands for a hidden value takes its place",
        at="read_edits",
        old="HIDDEN in json.dumps(value)",
        new="not name",
        killed_by=[f"{FORKS}::test_edit_that_does_not_fit_the_state_queues_nothing"],
    ),
    Mutant(
        "an edit is of any type",
        at="_read",
        old="TypeAdapter[Any](field.hint).validate_json(json.dumps(value), strict=True)",
        new="""
            TypeAdapter[Any](field.hint).validate_json(
                json.dumps(value), strict=True
            ) if field.hint is Any else value
        """,
        killed_by=[f"{FORKS}::test_edit_that_does_not_fit_the_state_queues_nothing"],
    ),
    Mutant(
        "a text that repeats a sensitive value is shown",
        at="Masking._mask_texts",
        old="self.mask_text(value)",
        new="value",
        killed_by=[f"{STATES}::test_what_contracts_mark_is_hidden_wherever_it_stands"],
    ),
    Mutant(
        "a page shows what came before a sensitive value was known",
        at="masking",
        old="*known",
        new="",
        killed_by=[f"{PAGE}::test_what_contracts_mark_is_on_no_view_of_the_page"],
    ),
    Mutant(
        "an exported run shows what contracts mark",
        at="run_document",
        old="(masked,) = masking.mask(json_data(document))",
        new="masked: Any = json_data(document)",
        killed_by=[f"{EXPORT}::test_what_contracts_mark_is_nowhere_in_it"],
    ),
]
