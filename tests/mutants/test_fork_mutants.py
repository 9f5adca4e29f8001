"""The rules of forks, and of what is shown of states, each broken once."""

import re

import pytest

from mutants.test_mutants import NODES, RUNS_ROOM, Copy, Mutant, check, checkout_copy

__all__ = ["checkout_copy"]

GRAPHS_ROOM = "graphs/penstock/graphs"
UI_ROOM = "ui/penstock/ui"
FORKS = "tests/integration/test_forks.py"
STATES = "tests/integration/test_states.py"
PAGE = "tests/integration/ui/test_run.py"
EXPORT = "tests/integration/test_dossier.py"

MUTANTS = [
    Mutant(
        "a fork has no past",
        "saver/changes.py",
        "        ledger.descend(connection, fork.target_id, of=fork.source_id)\n",
        "",
        (f"{FORKS}::test_call_of_a_new_message_that_does_the_same_waits_for_an_approval",),
    ),
    Mutant(
        "what was done meanwhile is done again",
        "calls/claim.py",
        "    require_unasked(connection, call)\n",
        "",
        (f"{FORKS}::test_what_was_done_while_a_fork_made_up_its_mind_is_not_done_again",),
        NODES,
    ),
    Mutant(
        "two forks do the same at the same instant",
        "ledger/lineage.py",
        'bool(found["is_alone"])',
        'found["is_alone"] is not None',
        (f"{FORKS}::test_of_two_forks_that_do_the_same_at_once_one_asks",),
    ),
    Mutant(
        "a run does again what a fork of it has done",
        "calls/past.py",
        "    if DONE_BEFORE not in call.rules and ledger",
        "    if DONE_BEFORE not in call.rules and may_have_past(call) and ledger",
        (f"{FORKS}::test_run_asks_before_it_does_what_a_fork_of_it_has_done",),
        NODES,
    ),
    Mutant(
        "the gate of a call that a fork has made is another each time",
        "calls/past.py",
        "(is_copy or bool(call.asked))",
        "is_copy",
        (f"{FORKS}::test_run_asks_before_it_does_what_a_fork_of_it_has_done",),
        NODES,
    ),
    Mutant(
        "what was written on the checkpoint is in the fork",
        "saver/forking.py",
        "        if table is checkpoint_writes:\n",
        "        if not kept:\n",
        (f"{FORKS}::test_states_of_the_origin_are_not_in_the_fork",),
    ),
    Mutant(
        "what came before the checkpoint is in the fork",
        "saver/forking.py",
        "            rows = rows.where(table.c.checkpoint_id.in_(kept))\n",
        "            rows = rows.where(table.c.namespace_id == source)\n",
        (f"{FORKS}::test_states_of_the_origin_are_not_in_the_fork",),
    ),
    Mutant(
        "an edited checkpoint passes for the one that it was",
        "saver/forking.py",
        "        if fork.edits:\n",
        "        if not fork.run_id:\n",
        (f"{FORKS}::test_call_of_code_is_replayed_and_with_an_edited_state_it_is_another",),
    ),
    Mutant(
        "an edited message passes for the one that it was",
        "forking.py",
        "        if message.id is not None and were.get(message.id) == item\n",
        "        if message.id is not None\n",
        (f"{FORKS}::test_edited_message_is_another_and_its_calls_are_other_calls",),
        RUNS_ROOM,
    ),
    Mutant(
        "a fork is live where nobody says so",
        "runtime.py",
        "        mode: RunMode = RunMode.SIMULATE,\n        edits:",
        "        mode: RunMode = RunMode.LIVE,\n        edits:",
        (f"{FORKS}::test_fork_only_simulates_where_nobody_says_otherwise",),
        RUNS_ROOM,
    ),
    Mutant(
        "whoever comes forks the runs of others",
        "runtime.py",
        "            require_steering(self._people, source, by)\n",
        "",
        (f"{FORKS}::test_only_whoever_may_steer_a_run_and_start_others_forks_it",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run that was forgotten is forked",
        "forking.py",
        "        if forgetting.is_forgotten(connection, run.id):\n            return ()\n",
        "",
        (f"{FORKS}::test_run_that_was_forgotten_is_not_forked",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run is forked under another graph",
        "forking.py",
        "    if str(graph.fingerprint) != run.fingerprint:\n",
        "    if not run.fingerprint:\n",
        (f"{FORKS}::test_run_whose_graph_has_another_shape_is_not_forked",),
        RUNS_ROOM,
    ),
    Mutant(
        "what stands for a hidden value takes its place",
        "edits.py",
        "        elif HIDDEN in json.dumps(value):\n",
        "        elif not name:\n",
        (f"{FORKS}::test_edit_that_does_not_fit_the_state_queues_nothing",),
        GRAPHS_ROOM,
    ),
    Mutant(
        "an edit is of any type",
        "edits.py",
        "validate_json(json.dumps(value), strict=True)",
        "validate_json(json.dumps(value), strict=True) if field.hint is Any else value",
        (f"{FORKS}::test_edit_that_does_not_fit_the_state_queues_nothing",),
        GRAPHS_ROOM,
    ),
    Mutant(
        "a text that repeats a sensitive value is shown",
        "masking.py",
        "            case str():\n                return self._hiding.clean(value)\n",
        "            case str():\n                return value\n",
        (f"{STATES}::test_what_contracts_mark_is_hidden_wherever_it_stands",),
        GRAPHS_ROOM,
    ),
    Mutant(
        "a page shows what came before a sensitive value was known",
        "components/masks.py",
        "Masking(graph, *known)",
        "Masking(graph)",
        (f"{PAGE}::test_what_contracts_mark_is_on_no_view_of_the_page",),
        UI_ROOM,
    ),
    Mutant(
        "an exported run shows what contracts mark",
        "cli/dossier.py",
        "    (masked,) = masking.masked(to_jsonable_python(told, fallback=repr))\n",
        "    masked: Any = to_jsonable_python(told, fallback=repr)\n",
        (f"{EXPORT}::test_what_contracts_mark_is_nowhere_in_it",),
        UI_ROOM,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)
