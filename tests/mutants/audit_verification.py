"""Verifying the chain of audit events, whole and in slices, and searching it."""

from support.mutants import Mutant

DOCTOR = "tests/integration/cli/test_audit.py"
TAMPERING = "tests/integration/test_audit_tampering.py"
VERIFYING = "tests/integration/test_chain_verification.py"

MUTANTS = [
    Mutant(
        "a row that is missing is not missed",
        at="_wrong",
        old="row.number != last.number + 1",
        new="row.number < last.number",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-one_was_deleted]"],
    ),
    Mutant(
        "a row may follow another",
        at="_wrong",
        old="row.previous != (GENESIS if last is None and row.number == 1 else _hash(last, row))",
        new="""
            False and row.previous != (
                GENESIS if last is None and row.number == 1 else _hash(last, row)
            )
        """,
        killed_by=[
            f"{TAMPERING}::test_it_is_found_where[sqlite-one_was_changed_and_given_its_hash]"
        ],
    ),
    Mutant(
        "a row may say something else",
        at="_wrong",
        old="expected_hash(row) != row.hash",
        new="False",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-an_actor_was_changed]"],
    ),
    Mutant(
        "the end may be cut off",
        at="_check_head",
        old="stored.number > last.number",
        new="False",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-the_last_was_deleted]"],
    ),
    Mutant(
        "a head may name another row",
        at="_check_head",
        old="(stored.number, stored.hash) != (last.number, last.hash)",
        new="stored.number > last.number",
        killed_by=[
            f"{TAMPERING}::test_it_is_found_where[sqlite-the_head_was_changed]",
            f"{TAMPERING}::test_it_is_found_where[sqlite-the_head_was_set_back]",
        ],
    ),
    Mutant(
        "a head may be missing",
        at="_check_head",
        old="found.add('the head of the chain was deleted', row=last)",
        new="""
            return
            found.add('the head of the chain was deleted', row=last)
        """,
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-the_head_was_deleted]"],
    ),
    Mutant(
        "the last row is verified without its head",
        at="_check_head",
        old="found.number = min(found.number, last.number - 1)",
        new="",
        killed_by=[
            f"{TAMPERING}::test_it_is_found_where[sqlite-the_last_was_changed_and_given_its_hash]"
        ],
    ),
    Mutant(
        "all rows may be gone",
        at="_check_head",
        old="stored is not None and stored.number > 0",
        new="False",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-all_were_deleted]"],
    ),
    Mutant(
        "the beginning may be gone",
        at="_check_beginning",
        old="first.number == 1",
        new="first.number >= 1",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-the_first_was_deleted]"],
    ),
    Mutant(
        "a cut may be of another beginning",
        at="_check_beginning",
        old="cuts.get(first.number - 1) == first.previous",
        new="first.number - 1 in cuts",
        killed_by=[f"{TAMPERING}::test_a_beginning_that_is_another_than_was_cut_is_found"],
    ),
    Mutant(
        "a chain may be rewritten under a signed head",
        at="_check_signed",
        old="hashes[each.number] != each.hash",
        new="False",
        killed_by=[
            f"{TAMPERING}::test_only_a_signed_head_shows_that[sqlite-the_whole_chain_was_rewritten]"
        ],
    ),
    Mutant(
        "a chain may end before a signed head",
        at="_check_signed",
        old="last is None or each.number > last.number",
        new="last is None",
        killed_by=[
            f"{TAMPERING}::test_only_a_signed_head_shows_that[sqlite-the_end_was_cut_off_and_the_head_set_back]"
        ],
    ),
    Mutant(
        "a reason may be changed",
        at="_wrong",
        old="mac(key, 'reason', row.reason) != code",
        new="mac(key, 'reason', row.reason) == ''",
        killed_by=[f"{TAMPERING}::test_a_reason_that_was_changed_is_found"],
    ),
    Mutant(
        "a reason may be erased",
        at="_wrong",
        old="row.reason is None and key is not None",
        new="False",
        killed_by=[f"{TAMPERING}::test_a_reason_that_was_erased_without_its_run_is_found"],
    ),
    Mutant(
        "a reason may be added",
        at="_wrong",
        old="""
            if row.reason is not None:
                ...
        """,
        new="""
            if False:
                ...
        """,
        killed_by=[f"{TAMPERING}::test_a_reason_that_was_added_is_found"],
    ),
    Mutant(
        "a head may be another than the last event",
        at="torn_chains",
        old="audit_events.c.hash == audit_heads.c.hash",
        new="",
        killed_by=[f"{DOCTOR}::test_doctor_finds_a_head_that_does_not_name_the_last_event"],
    ),
    Mutant(
        "a head may be behind",
        at="torn_chains",
        old="or_(beyond, and_(audit_heads.c.number > 0, ~named))",
        new="and_(audit_heads.c.number > 0, ~named)",
        killed_by=[f"{DOCTOR}::test_doctor_finds_a_head_that_does_not_name_the_last_event"],
    ),
    Mutant(
        "a run may stand elsewhere",
        at="_run",
        old="(run['status'], run['epoch']) != (to, epoch)",
        new="run['epoch'] != epoch",
        killed_by=[
            f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-a_run_came_to_another_end]"
        ],
    ),
    Mutant(
        "a text may differ from its code",
        at="_StoredRun.differs",
        old="mac(self.key, name, text) != code",
        new="mac(self.key, name, text) == ''",
        killed_by=[
            f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-an_input_was_changed]",
            f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-arguments_were_changed]",
        ],
    ),
    Mutant(
        "a call may stand elsewhere",
        at="_effects",
        old="(row['status'], row['attempt']) != (to, attempt)",
        new="row['attempt'] != attempt",
        killed_by=[
            f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-a_call_that_failed_has_succeeded]"
        ],
    ),
    Mutant(
        "a call may be deleted",
        at="_effects",
        old="events.keys() - stored_run.effects.keys()",
        new="set[str]()",
        killed_by=[f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-a_call_was_deleted]"],
    ),
    Mutant(
        "a gate may stand elsewhere",
        at="_gates",
        old="row['status'] != to",
        new="False",
        killed_by=[
            f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-a_gate_was_opened_again]"
        ],
    ),
    Mutant(
        "a vote may be put in",
        at="_votes",
        old='not any(_is_vote(entry, row) for entry in events.get(row["gate_id"], ()))',
        new='False and not any(_is_vote(entry, row) for entry in events.get(row["gate_id"], ()))',
        killed_by=[f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-a_vote_was_put_in]"],
    ),
    Mutant(
        "a verdict may be changed",
        at="_decisions",
        old="stored != recorded",
        new="",
        killed_by=[
            f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-a_verdict_was_changed]"
        ],
    ),
    Mutant(
        "a key may be erased",
        at="_run",
        old="stored_run.key is None and is_coded and not stored_run.is_forgotten",
        new="False",
        killed_by=[f"{TAMPERING}::test_it_is_found_in_the_rows_where[sqlite-a_key_was_erased]"],
    ),
    Mutant(
        "who may not look verifies",
        at="ChainVerification.__init__",
        old="require(people, Right.VIEW, by, tenant)",
        new="",
        killed_by=[f"{VERIFYING}::test_who_may_not_look_verifies_nothing[sqlite]"],
    ),
    Mutant(
        "a row that was verified may be another",
        at="ChainVerification._begin",
        old="there.hash == noted.hash == expected_hash(there)",
        new="there.hash == expected_hash(there)",
        killed_by=[f"{VERIFYING}::test_row_that_was_verified_must_be_the_same[sqlite]"],
    ),
    Mutant(
        "what was wrong is passed over",
        at="ChainVerification._begin",
        old="noted.fault is not None",
        new="",
        killed_by=[f"{VERIFYING}::test_after_a_fault_all_is_looked_at[sqlite]"],
    ),
    Mutant(
        "a look ends with its first slice",
        at="ChainVerification._verify_slice",
        old="return False",
        new="pass",
        killed_by=[f"{VERIFYING}::test_slices_find_what_one_look_finds[sqlite]"],
    ),
    Mutant(
        "an event of another tenant is opened",
        at="get",
        old="audit_events.c.tenant == tenant",
        new="",
        killed_by=[f"{VERIFYING}::test_events_of_another_tenant_are_not_found[sqlite]"],
    ),
    Mutant(
        "events of another tenant are found",
        at="_where",
        old="tenant == wanted.tenant",
        new="tenant != ''",
        killed_by=[f"{VERIFYING}::test_events_of_another_tenant_are_not_found[sqlite]"],
    ),
    Mutant(
        "a run of another tenant is found",
        at="run_by_prefix",
        old=".where(runs.c.tenant == tenant)",
        new="",
        killed_by=[f"{VERIFYING}::test_events_of_a_run_and_of_a_gate_are_found[sqlite]"],
    ),
]
