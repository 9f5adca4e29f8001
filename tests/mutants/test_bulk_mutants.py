"""The rules of acting on many runs, and of their tags, each broken once."""

import re

import pytest

from mutants.test_mutants import RUNS_ROOM, Copy, Mutant, check, checkout_copy

__all__ = ["checkout_copy"]

BULK = "tests/integration/test_bulk.py"
TAGS = "tests/integration/test_tags.py"

MUTANTS = [
    Mutant(
        "a run that has changed since it was seen is cancelled",
        "runtime.py",
        "            _require_seen(connection, run_id, seen)\n            return cancel(",
        "            return cancel(",
        (f"{BULK}::test_what_changed_since_it_was_seen_is_left_as_it_is[sqlite]",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run that went round and looks the same is cancelled",
        "runtime.py",
        "    if seen_of(run) != seen:\n",
        "    if run.status is not seen.status:\n",
        (f"{BULK}::test_a_run_that_went_round_and_looks_the_same_has_changed[sqlite]",),
        RUNS_ROOM,
    ),
    Mutant(
        "two windows redrive a run twice",
        "runtime.py",
        "            _require_seen(connection, run_id, seen)\n            if seen is not None and",
        "            if seen is not None and",
        (f"{BULK}::test_two_windows_move_each_run_once",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run of which a call is in doubt is redriven with many",
        "runtime.py",
        "            if seen is not None and ledger.is_doubted(connection, run_id):\n",
        "            if seen is None and ledger.is_doubted(connection, run_id):\n",
        (f"{BULK}::test_a_run_with_a_call_in_doubt_is_redriven_alone_only[sqlite]",),
        RUNS_ROOM,
    ),
    Mutant(
        "who looks only cancels what an operator has seen",
        "runtime.py",
        "            require_steering(self._people, runs.get(connection, run_id), by)\n"
        "            _require_seen(",
        "            _require_seen(",
        (f"{BULK}::test_who_looks_only_does_nothing_with_what_an_operator_saw[sqlite]",),
        RUNS_ROOM,
    ),
    Mutant(
        "the runs of others would be cancelled for whoever asks",
        "bulk.py",
        "            case _ if not may_steer(self._people, seen.principal, by, tenant, own=own):\n",
        "            case _ if not by:\n",
        (f"{BULK}::test_the_runs_of_others_are_left_out_for_who_is_no_operator[sqlite]",),
        RUNS_ROOM,
    ),
    Mutant(
        "one's own runs are redriven by who is no operator",
        "bulk.py",
        "        own = deed is Deed.CANCEL\n",
        "        own = True\n",
        (f"{BULK}::test_the_runs_of_others_are_left_out_for_who_is_no_operator[sqlite]",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run is told of as changed and was changed all the same",
        "bulk.py",
        "                    run = await self._runtime.redrive(seen.id, by=by, seen=seen)\n",
        "                    run = await self._runtime.redrive(seen.id, by=by)\n",
        (f"{BULK}::test_two_windows_move_each_run_once",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run that was forgotten is found by its tags",
        "forgetting.py",
        "    connection.execute(delete(run_tags).where(run_tags.c.run_id == run.id))\n",
        "",
        (f"{TAGS}::test_tags_are_forgotten_with_their_run[sqlite]",),
    ),
    Mutant(
        "a run that was forgotten shows its tags",
        "forgetting.py",
        '            tags="[]",\n',
        "",
        (f"{TAGS}::test_tags_are_forgotten_with_their_run[sqlite]",),
    ),
    Mutant(
        "children have no tags of the runs above them",
        "runs/family.py",
        "tags=tuple(sorted({*run.tags, *parent.tags})),",
        "tags=run.tags,",
        (f"{TAGS}::test_children_inherit_the_tags_of_the_runs_above_them[sqlite]",),
    ),
    Mutant(
        "tags of another tenant are offered",
        "runs/listing.py",
        "    named = select(run_tags.c.tag).where(run_tags.c.tenant == tenant).distinct()\n",
        "    named = select(run_tags.c.tag).distinct()\n",
        (f"{TAGS}::test_runs_are_found_by_all_of_the_tags_that_are_asked_for[sqlite]",),
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)
