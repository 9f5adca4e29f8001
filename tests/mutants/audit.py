"""The chain of audit events, and its signed heads."""

from support.mutants import Mutant

CHAIN = "tests/integration/test_audit.py"
TAMPERING = "tests/integration/test_audit_tampering.py"
HEADS = "tests/integration/test_signed_heads.py"

MUTANTS = [
    Mutant(
        "an event may go to another tenant",
        at="digest",
        old="quote(tenant)",
        new="'\"\"'",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-two_tenants_changed_chains]"],
    ),
    Mutant(
        "an actor may be changed",
        at="digest",
        old="quote(actor)",
        new="'\"\"'",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-an_actor_was_changed]"],
    ),
    Mutant(
        "an action may be changed",
        at="digest",
        old="quote(action)",
        new="'\"\"'",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-the_first_was_changed]"],
    ),
    Mutant(
        "an instant may be moved",
        at="digest",
        old="format_instant(at)",
        new="''",
        killed_by=[f"{TAMPERING}::test_it_is_found_where[sqlite-an_instant_was_moved]"],
    ),
    Mutant(
        "what is not told can be guessed",
        at="mac",
        old='hmac.digest(key, f"{name}\\0{text}".encode(), "sha256")',
        new='hmac.digest(b"", f"{name}\\0{text}".encode(), "sha256")',
        killed_by=[f"{CHAIN}::test_what_is_not_told_is_a_code_under_the_key_of_its_run"],
    ),
    Mutant(
        "an event does not follow the one before",
        at="chain_event",
        old="""
            ChainedEvent(
                tenant=event.tenant,
                number=number,
                at=event.at,
                actor=event.actor,
                action=event.action,
                run_id=event.run_id,
                detail=text,
                reason=event.reason,
                previous=after.hash,
                hash=digest(
                    tenant=event.tenant,
                    number=number,
                    at=event.at,
                    actor=event.actor,
                    action=event.action,
                    run_id=event.run_id,
                    detail=text,
                    previous=after.hash,
                ),
            )
        """,
        new="""
            ChainedEvent(
                tenant=event.tenant,
                number=number,
                at=event.at,
                actor=event.actor,
                action=event.action,
                run_id=event.run_id,
                detail=text,
                reason=event.reason,
                previous=GENESIS,
                hash=digest(
                    tenant=event.tenant,
                    number=number,
                    at=event.at,
                    actor=event.actor,
                    action=event.action,
                    run_id=event.run_id,
                    detail=text,
                    previous=after.hash,
                ),
            )
        """,
        killed_by=[f"{CHAIN}::test_each_event_follows_the_one_before"],
    ),
    Mutant(
        "what is undone is told",
        at="rollback_to",
        old="del _pending(connection)[count:]",
        new="del _pending(connection)[count + 1 :]",
        killed_by=[f"{CHAIN}::test_what_is_undone_is_not_told"],
    ),
    Mutant(
        "what a transaction tells is lost",
        at="Database.commit_writing",
        old="chain.seal(connection)",
        new="",
        killed_by=[f"{CHAIN}::test_each_event_follows_the_one_before"],
    ),
    Mutant(
        "a chain that is broken goes on",
        at="RULES",
        old="f'NEW.number <> {_LAST} + 1 OR NEW.previous <> {_BEFORE}'",
        new="'NEW.number = 0'",
        killed_by=[f"{CHAIN}::test_nothing_is_written_to_a_store_whose_chain_is_broken"],
    ),
    Mutant(
        "an event can be deleted",
        at="_KEPT",
        old=(
            '"OLD.number > coalesce((SELECT cut_number FROM audit_marks WHERE tenant = '
            'OLD.tenant), 0)"'
        ),
        new=(
            '"0 AND OLD.number > coalesce((SELECT cut_number FROM audit_marks WHERE tenant = '
            'OLD.tenant), 0)"'
        ),
        killed_by=[f"{CHAIN}::test_the_store_refuses_to_change_what_was_recorded"],
    ),
    Mutant(
        "a head that was deleted is trouble with the store",
        at="_begin",
        old="raise _broken(tenant, error) from error",
        new="raise",
        killed_by=[f"{CHAIN}::test_a_chain_whose_head_was_deleted_takes_nothing_more"],
    ),
    Mutant(
        "an old head may be put in again",
        at="HeadVerifier.read",
        old="signed.head.number < before.head.number",
        new="signed.head.number < 0",
        killed_by=[f"{HEADS}::test_an_old_head_that_is_put_in_again_is_found"],
    ),
    Mutant(
        "a head may be signed by anybody",
        at="HeadVerifier._verify",
        old="jws.deserialize_compact(line, self._key, algorithms=[ALGORITHM])",
        new="jws.extract_compact(line.encode())",
        killed_by=[f"{HEADS}::test_a_head_that_was_edited_is_found"],
    ),
    Mutant(
        "whatever the key has signed may be a head",
        at="HeadVerifier._verify",
        old="""
            if signed.headers().get("typ") != TYPE:
                ...
        """,
        new="",
        killed_by=[f"{HEADS}::test_what_the_key_has_signed_otherwise_is_no_head"],
    ),
    Mutant(
        "a head from before JWS may be signed by anybody",
        at="HeadVerifier._verify_json",
        old="public.verify(signature, canonical(fields).encode())",
        new="",
        killed_by=[f"{HEADS}::test_a_head_from_before_jws_that_was_edited_is_found"],
    ),
    Mutant(
        "a head that could not be written out is never written out",
        at="SignedHeadService._write",
        old="await asyncio.to_thread(_append_lines, Path(target), lines)",
        new="""
            try:
                await asyncio.to_thread(_append_lines, Path(target), lines)
            except OSError:
                pass
        """,
        killed_by=[f"{HEADS}::test_what_could_not_be_written_out_is_written_out_later"],
    ),
]
