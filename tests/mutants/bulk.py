"""Actions on many runs, and their tags."""

from support.mutants import Mutant

BULK = "tests/integration/test_bulk.py"
TAGS = "tests/integration/test_tags.py"

MUTANTS = [
    Mutant(
        "a run that has changed since it was seen is cancelled",
        at="Runtime.cancel",
        old="require_unchanged(connection, run_id, seen)",
        new="",
        killed_by=[f"{BULK}::test_what_changed_since_it_was_seen_is_left_as_it_is[sqlite]"],
    ),
    Mutant(
        "a run that went round and looks the same is cancelled",
        at="require_unchanged",
        old="seen_run(run) != seen",
        new="run.status is not seen.status",
        killed_by=[f"{BULK}::test_a_run_that_went_round_and_looks_the_same_has_changed[sqlite]"],
    ),
    Mutant(
        "two windows redrive a run twice",
        at="Runtime.redrive",
        old="require_unchanged(connection, run_id, seen)",
        new="",
        killed_by=[f"{BULK}::test_two_windows_move_each_run_once"],
    ),
    Mutant(
        "a run of which a call is in doubt is redriven with many",
        at="Runtime.redrive",
        old="seen is not None",
        new="seen is None",
        killed_by=[f"{BULK}::test_a_run_with_a_call_in_doubt_is_redriven_alone_only[sqlite]"],
    ),
    Mutant(
        "who looks only cancels what an operator has seen",
        at="Runtime.cancel",
        old="require_steering(self._people, runs.get(connection, run_id), by)",
        new="",
        killed_by=[f"{BULK}::test_who_looks_only_does_nothing_with_what_an_operator_saw[sqlite]"],
    ),
    Mutant(
        "the runs of others would be cancelled for whoever asks",
        at="Bulk._why_not",
        old="may_steer(self._people, seen.principal, by, tenant, own=own)",
        new="by",
        killed_by=[f"{BULK}::test_the_runs_of_others_are_left_out_for_who_is_no_operator[sqlite]"],
    ),
    Mutant(
        "one's own runs are redriven by who is no operator",
        at="Bulk._why_not",
        old="deed is BulkAction.CANCEL",
        new="True",
        killed_by=[f"{BULK}::test_the_runs_of_others_are_left_out_for_who_is_no_operator[sqlite]"],
    ),
    Mutant(
        "a run is told of as changed and was changed all the same",
        at="Bulk._act",
        old="self._runtime.redrive(seen.id, by=by, seen=seen)",
        new="self._runtime.redrive(seen.id, by=by)",
        killed_by=[f"{BULK}::test_two_windows_move_each_run_once"],
    ),
    Mutant(
        "a run that was forgotten is found by its tags",
        at="_run",
        old="connection.execute(delete(run_tags).where(run_tags.c.run_id == run.id))",
        new="",
        killed_by=[f"{TAGS}::test_tags_are_forgotten_with_their_run[sqlite]"],
    ),
    Mutant(
        "a run that was forgotten shows its tags",
        at="_run",
        old="tags='[]'",
        new="",
        killed_by=[f"{TAGS}::test_tags_are_forgotten_with_their_run[sqlite]"],
    ),
    Mutant(
        "children have no tags of the runs above them",
        at="inherit",
        old="tuple(sorted({*run.tags, *parent.tags}))",
        new="run.tags",
        killed_by=[f"{TAGS}::test_children_inherit_the_tags_of_the_runs_above_them[sqlite]"],
    ),
    Mutant(
        "tags of another tenant are offered",
        at="tags",
        old=".where(run_tags.c.tenant == tenant)",
        new="",
        killed_by=[f"{TAGS}::test_runs_are_found_by_all_of_the_tags_that_are_asked_for[sqlite]"],
    ),
]
