"""Forgetting, and how long things are kept."""

from support.mutants import Mutant

FORGET = "tests/integration/cli/test_forgetting.py"
FORGETTING = "tests/integration/test_erasure.py"
KEEPING = "tests/integration/test_retention.py"

MUTANTS = [
    Mutant(
        "a run that is alive is forgotten",
        at="_require_over",
        old="run.status in LIVE",
        new="False",
        killed_by=[f"{FORGETTING}::test_a_run_that_is_alive_is_not_forgotten"],
    ),
    Mutant(
        "a call in doubt is forgotten",
        at="_require_over",
        old="key is not None",
        new="False",
        killed_by=[f"{FORGETTING}::test_a_run_with_a_call_in_doubt_is_not_forgotten"],
    ),
    Mutant(
        "the key of a run stays",
        at="_audit",
        old="connection.execute(delete(run_keys).where(run_keys.c.run_id == run_id))",
        new="",
        killed_by=[f"{FORGET}::test_the_key_of_a_run_that_is_forgotten_is_gone"],
    ),
    Mutant(
        "the state of a thread goes with the first of its runs",
        at="_checkpoints",
        old="other is not None",
        new="False",
        killed_by=[f"{FORGET}::test_the_state_of_a_thread_goes_with_the_last_of_its_runs"],
    ),
    Mutant(
        "a reason stays",
        at="_audit",
        old="reason=None",
        new="run_id=run_id",
        killed_by=[f"{FORGET}::test_nothing_of_a_run_that_is_forgotten_is_left_in_the_files"],
    ),
    Mutant(
        "what is erased can be found in the log",
        at="_truncate_log",
        old="'PRAGMA wal_checkpoint(TRUNCATE)'",
        new="'PRAGMA wal_checkpoint(PASSIVE)'",
        killed_by=[f"{FORGETTING}::test_nothing_is_left_where_pages_were_split_and_used_again"],
    ),
    Mutant(
        "what is erased can be found in the file",
        at="_prepare_sqlite",
        old="'secure_delete = ON'",
        new="'secure_delete = OFF'",
        killed_by=[f"{FORGETTING}::test_nothing_is_left_where_pages_were_split_and_used_again"],
    ),
    Mutant(
        "an event goes before its time",
        at="cut",
        old="rows[old].at < before",
        new="rows[old].at != before",
        killed_by=[f"{KEEPING}::test_events_that_are_young_stay"],
    ),
    Mutant(
        "the last event goes",
        at="cut",
        old="len(rows) - 1",
        new="len(rows)",
        killed_by=[f"{KEEPING}::test_the_last_event_of_a_chain_stays"],
    ),
    Mutant(
        "notices of a gate that is open go",
        at="purge",
        old="gates.c.closed_at < before",
        new="",
        killed_by=[f"{KEEPING}::test_notices_of_a_gate_that_is_open_stay"],
    ),
    Mutant(
        "a link that is good is forgotten",
        at="purge_links",
        old="~may_be_good",
        new="",
        killed_by=[f"{KEEPING}::test_a_used_link_that_may_still_be_good_leads_nobody_else_there"],
    ),
    Mutant(
        "a run that was passed over is never looked for again",
        at="RetentionService._forget",
        old="at - self._looked_at >= WHOLE_LOOK",
        new="",
        killed_by=[f"{KEEPING}::test_what_a_look_has_passed_over_is_found_within_an_hour"],
    ),
    Mutant(
        "a look leaves out what became due since the last one",
        at="RetentionService._forget",
        old="self._forgotten_to = before",
        new="self._forgotten_to = at",
        killed_by=[f"{KEEPING}::test_each_look_goes_on_where_the_last_one_ended"],
    ),
    Mutant(
        "notices go with their run",
        at="Retention.notices",
        old="max(self.runs, NOTICE_LIFE)",
        new="self.runs",
        killed_by=[
            f"{KEEPING}::test_notices_and_links_are_kept_as_long_as_runs_and_a_month_at_least"
        ],
    ),
    Mutant(
        "nobody tells of a cut",
        at="cut",
        old="{'up_to': last.number, 'hash': last.hash}",
        new="{'up_to': last.number, 'hash': None}",
        killed_by=[
            f"{KEEPING}::test_old_events_are_taken_away_in_portions_and_the_chain_still_holds"
        ],
    ),
]
