"""The rules of the audit's chain, of forgetting and of retention, each broken once."""

import re
from collections.abc import Sequence

import pytest

from mutants.test_mutants import (
    CHECKPOINTS,
    CONTRACTS,
    RUNS_ROOM,
    Copy,
    Mutant,
    check,
    checkout_copy,
)

__all__ = ["checkout_copy"]

CHAIN = "tests/integration/test_audit.py"
TAMPERING = "tests/integration/test_audit_tampering.py"
HEADS = "tests/integration/test_signed_heads.py"
FORGETTING = "tests/integration/test_forgetting.py"
FORGET = "tests/integration/cli/test_forgetting.py"
KEEPING = "tests/integration/test_keeping.py"
DOCTOR = "tests/integration/cli/test_audit.py"


def where(*attacks: str) -> Sequence[str]:
    """Return the tests of attacks on a chain."""
    return [
        f"{TAMPERING}::test_it_is_found_where[sqlite-{each.replace(' ', '_')}]" for each in attacks
    ]


def signed(*attacks: str) -> Sequence[str]:
    """Return the tests of attacks that only a signed head shows."""
    name = "test_only_a_signed_head_shows_that"
    return [f"{TAMPERING}::{name}[sqlite-{each.replace(' ', '_')}]" for each in attacks]


def rows(*attacks: str) -> Sequence[str]:
    """Return the tests of attacks on what the chain tells of."""
    name = "test_it_is_found_in_the_rows_where"
    return [f"{TAMPERING}::{name}[sqlite-{each.replace(' ', '_')}]" for each in attacks]


def verifying(claim: str, old: str, new: str, tests: Sequence[str]) -> Mutant:
    """Break a rule of verifying."""
    return Mutant(claim, "audit/verifying.py", old, new, tests, CHECKPOINTS)


def comparing(claim: str, old: str, new: str, tests: Sequence[str]) -> Mutant:
    """Break a rule of comparing."""
    return Mutant(claim, "audit/comparing.py", old, new, tests, CHECKPOINTS)


def chaining(claim: str, old: str, new: str, tests: Sequence[str]) -> Mutant:
    """Break a rule of how events are chained."""
    return Mutant(claim, "audit.py", old, new, tests, CONTRACTS)


def forgetting(claim: str, old: str, new: str, tests: Sequence[str]) -> Mutant:
    """Break a rule of forgetting."""
    return Mutant(claim, "forgetting.py", old, new, tests, CHECKPOINTS)


MUTANTS = [
    # ---- the chain ----
    chaining(
        "an event may go to another tenant",
        """"tenant":{quote(tenant)}}}\'""",
        """"tenant":""}}\'""",
        where("two tenants changed chains"),
    ),
    chaining(
        "an actor may be changed",
        '"actor":{quote(actor)}',
        '"actor":""',
        where("an actor was changed"),
    ),
    chaining(
        "an action may be changed",
        '{{"action":{quote(action)}',
        '{{"action":""',
        where("the first was changed"),
    ),
    chaining(
        "an instant may be moved", '"at":"{instant(at)}"', '"at":""', where("an instant was moved")
    ),
    chaining(
        "what is not told can be guessed",
        "hmac.digest(key, f",
        'hmac.digest(b"", f',
        (f"{CHAIN}::test_what_is_not_told_is_a_code_under_the_key_of_its_run",),
    ),
    chaining(
        "an event does not follow the one before",
        "        previous=after.hash,\n        hash=digest(",
        "        previous=GENESIS,\n        hash=digest(",
        (f"{CHAIN}::test_each_event_follows_the_one_before",),
    ),
    Mutant(
        "what is undone is told",
        "audit/pen.py",
        "    del _pending(connection)[count:]\n",
        "    del _pending(connection)[count + 1 :]\n",
        (f"{CHAIN}::test_what_is_undone_is_not_told",),
    ),
    Mutant(
        "what a transaction tells is lost",
        "database.py",
        "        pen.seal(connection)\n",
        "",
        (f"{CHAIN}::test_each_event_follows_the_one_before",),
    ),
    Mutant(
        "a chain that is broken goes on",
        "schema/audit_triggers.py",
        'f"NEW.number <> {_LAST} + 1 OR NEW.previous <> {_BEFORE}"',
        '"NEW.number = 0"',
        (f"{CHAIN}::test_nothing_is_written_to_a_store_whose_chain_is_broken",),
    ),
    Mutant(
        "an event can be deleted",
        "schema/audit_triggers.py",
        '_KEPT = "OLD.number > ',
        '_KEPT = "0 AND OLD.number > ',
        (f"{CHAIN}::test_the_store_refuses_to_change_what_was_recorded",),
    ),
    Mutant(
        "a head that was deleted is trouble with the store",
        "audit/pen.py",
        "        raise _broken(tenant, error) from error\n\n\ndef _write(",
        "        raise\n\n\ndef _write(",
        (f"{CHAIN}::test_a_chain_whose_head_was_deleted_takes_nothing_more",),
    ),
    # ---- verifying ----
    verifying(
        "a row that is missing is not missed",
        "row.number != last.number + 1:",
        "row.number < last.number:",
        where("one was deleted"),
    ),
    verifying(
        "a row may follow another",
        "    elif row.previous != (GENESIS",
        "    elif False and row.previous != (GENESIS",
        where("one was changed and given its hash"),
    ),
    verifying(
        "a row may say something else",
        "    if rehashed(row) != row.hash:\n",
        "    if False:\n",
        where("an actor was changed"),
    ),
    verifying(
        "the end may be cut off",
        "    elif stored.number > last.number:\n",
        "    elif False:\n",
        where("the last was deleted"),
    ),
    verifying(
        "a head may name another row",
        "(stored.number, stored.hash) != (last.number, last.hash)",
        "stored.number > last.number",
        where("the head was changed", "the head was set back"),
    ),
    verifying(
        "a head may be missing",
        "    if stored is None:\n        found.add(",
        "    if stored is None:\n        return\n        found.add(",
        where("the head was deleted"),
    ),
    verifying(
        "the last row is verified without its head",
        "    found.number = min(found.number, last.number - 1)\n",
        "",
        where("the last was changed and given its hash"),
    ),
    verifying(
        "all rows may be gone",
        "        if stored is not None and stored.number > 0:\n",
        "        if False:\n",
        where("all were deleted"),
    ),
    verifying(
        "the beginning may be gone",
        "    if first is None or first.number == 1:\n",
        "    if first is None or first.number >= 1:\n",
        where("the first was deleted"),
    ),
    verifying(
        "a cut may be of another beginning",
        "    if cuts.get(first.number - 1) == first.previous:\n",
        "    if first.number - 1 in cuts:\n",
        (f"{TAMPERING}::test_a_beginning_that_is_another_than_was_cut_is_found",),
    ),
    verifying(
        "a chain may be rewritten under a signed head",
        "        elif hashes[each.number] != each.hash:\n",
        "        elif False:\n",
        signed("the whole chain was rewritten"),
    ),
    verifying(
        "a chain may end before a signed head",
        "        if last is None or each.number > last.number:\n",
        "        if last is None:\n",
        signed("the end was cut off and the head set back"),
    ),
    verifying(
        "a reason may be changed",
        'mac(key, "reason", row.reason) != code',
        'mac(key, "reason", row.reason) == ""',
        (f"{TAMPERING}::test_a_reason_that_was_changed_is_found",),
    ),
    verifying(
        "a reason may be erased",
        "        if row.reason is None and key is not None:\n",
        "        if False:\n",
        (f"{TAMPERING}::test_a_reason_that_was_erased_without_its_run_is_found",),
    ),
    verifying(
        "a reason may be added",
        "    elif row.reason is not None:\n",
        "    elif False:\n",
        (f"{TAMPERING}::test_a_reason_that_was_added_is_found",),
    ),
    verifying(
        "a head may be another than the last event",
        "        audit_events.c.hash == audit_heads.c.hash,\n",
        "",
        (f"{DOCTOR}::test_doctor_finds_a_head_that_does_not_name_the_last_event",),
    ),
    verifying(
        "a head may be behind",
        "or_(beyond, and_(audit_heads.c.number > 0, ~named))",
        "and_(audit_heads.c.number > 0, ~named)",
        (f"{DOCTOR}::test_doctor_finds_a_head_that_does_not_name_the_last_event",),
    ),
    # ---- comparing ----
    comparing(
        "a run may stand elsewhere",
        '(run["status"], run["epoch"]) != (to, epoch)',
        'run["epoch"] != epoch',
        rows("a run came to another end"),
    ),
    comparing(
        "a text may differ from its code",
        "mac(self.key, name, text) != code",
        'mac(self.key, name, text) == ""',
        rows("an input was changed", "arguments were changed"),
    ),
    comparing(
        "a call may stand elsewhere",
        '(row["status"], row["attempt"]) != (to, attempt)',
        'row["attempt"] != attempt',
        rows("a call that failed has succeeded"),
    ),
    comparing(
        "a call may be deleted",
        "    for key in told.keys() - story.effects.keys():\n",
        "    for key in set[str]():\n",
        rows("a call was deleted"),
    ),
    comparing(
        "a gate may stand elsewhere",
        '        if row["status"] != to:\n',
        "        if False:\n",
        rows("a gate was opened again"),
    ),
    comparing(
        "a vote may be put in",
        "        if not any(_is_vote(entry, row)",
        "        if False and not any(_is_vote(entry, row)",
        rows("a vote was put in"),
    ),
    comparing(
        "a verdict may be changed",
        "        if stored != said or any(",
        "        if any(",
        rows("a verdict was changed"),
    ),
    comparing(
        "a key may be erased",
        "    if story.key is None and is_coded and not story.is_forgotten:\n",
        "    if False:\n",
        rows("a key was erased"),
    ),
    # ---- signed heads ----
    Mutant(
        "an old head may be put in again",
        "heads.py",
        "signed.head.number < before.head.number:",
        "signed.head.number < 0:",
        (f"{HEADS}::test_an_old_head_that_is_put_in_again_is_found",),
        RUNS_ROOM,
    ),
    Mutant(
        "a head may be signed by anybody",
        "heads.py",
        "            self._key.verify(signature, canonical(wanted).encode())\n",
        "",
        (f"{HEADS}::test_a_head_that_was_edited_is_found",),
        RUNS_ROOM,
    ),
    Mutant(
        "a head that could not be written out is never written out",
        "shipping.py",
        "            await asyncio.to_thread(put, shipment.target, lines)\n",
        "            with contextlib.suppress(OSError):\n"
        "                await asyncio.to_thread(put, shipment.target, lines)\n",
        (f"{HEADS}::test_what_could_not_be_written_out_is_written_out_later",),
        RUNS_ROOM,
    ),
    # ---- forgetting ----
    forgetting(
        "a run that is alive is forgotten",
        "    if run.status in LIVE:\n",
        "    if False:\n",
        (f"{FORGETTING}::test_a_run_that_is_alive_is_not_forgotten",),
    ),
    forgetting(
        "a call in doubt is forgotten",
        "    if key is not None:\n",
        "    if False:\n",
        (f"{FORGETTING}::test_a_run_with_a_call_in_doubt_is_not_forgotten",),
    ),
    forgetting(
        "the key of a run stays",
        "    connection.execute(delete(run_keys).where(run_keys.c.run_id == run_id))\n",
        "",
        (f"{FORGET}::test_the_key_of_a_run_that_is_forgotten_is_gone",),
    ),
    forgetting(
        "the state of a thread goes with the first of its runs",
        "    if other is not None:\n",
        "    if False:\n",
        (f"{FORGET}::test_the_state_of_a_thread_goes_with_the_last_of_its_runs",),
    ),
    forgetting(
        "a reason stays",
        "said.values(reason=None)",
        "said.values(run_id=run_id)",
        (f"{FORGET}::test_nothing_of_a_run_that_is_forgotten_is_left_in_the_files",),
    ),
    Mutant(
        "what is erased can be found in the log",
        "sqlite.py",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA wal_checkpoint(PASSIVE)",
        (f"{FORGETTING}::test_nothing_is_left_where_pages_were_split_and_used_again",),
    ),
    Mutant(
        "what is erased can be found in the file",
        "sqlite.py",
        '"secure_delete = ON"',
        '"secure_delete = OFF"',
        (f"{FORGETTING}::test_nothing_is_left_where_pages_were_split_and_used_again",),
    ),
    # ---- retention ----
    Mutant(
        "an event goes before its time",
        "audit/cutting.py",
        "rows[old].at < before",
        "rows[old].at != before",
        (f"{KEEPING}::test_events_that_are_young_stay",),
    ),
    Mutant(
        "the last event goes",
        "audit/cutting.py",
        "    while old < len(rows) - 1 and",
        "    while old < len(rows) and",
        (f"{KEEPING}::test_the_last_event_of_a_chain_stays",),
    ),
    Mutant(
        "notices of a gate that is open go",
        "notices.py",
        "gates.c.id == notices.c.gate_id, gates.c.closed_at < before",
        "gates.c.id == notices.c.gate_id",
        (f"{KEEPING}::test_notices_of_a_gate_that_is_open_stay",),
    ),
    Mutant(
        "a link that is good is forgotten",
        "links.py",
        ".where(used_links.c.used_at < before, ~may_be_good)",
        ".where(used_links.c.used_at < before)",
        (f"{KEEPING}::test_a_used_link_that_may_still_be_good_leads_nobody_else_there",),
    ),
    Mutant(
        "a run that was passed over is never looked for again",
        "keeping.py",
        "self._looked_at is None or at - self._looked_at >= WHOLE_LOOK",
        "self._looked_at is None",
        (f"{KEEPING}::test_what_a_look_has_passed_over_is_found_within_an_hour",),
        RUNS_ROOM,
    ),
    Mutant(
        "a look leaves out what became due since the last one",
        "keeping.py",
        "            self._forgotten_to = before\n",
        "            self._forgotten_to = at\n",
        (f"{KEEPING}::test_each_look_goes_on_where_the_last_one_ended",),
        RUNS_ROOM,
    ),
    Mutant(
        "notices go with their run",
        "keeping.py",
        "max(self.runs, NOTICE_LIFE)",
        "self.runs",
        (f"{KEEPING}::test_notices_and_links_are_kept_as_long_as_runs_and_a_month_at_least",),
        RUNS_ROOM,
    ),
    Mutant(
        "nobody tells of a cut",
        "audit/cutting.py",
        '"hash": last.hash}',
        '"hash": None}',
        (f"{KEEPING}::test_old_events_are_taken_away_in_portions_and_the_chain_still_holds",),
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)
