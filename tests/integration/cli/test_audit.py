"""The audit on the command line: verified, shown, taken out, and signed."""

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import Connection

from penstock.contracts.audit import canonical
from support import chains
from support.desk import CommandLine


@pytest.fixture
def lived(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A project with a run that has ended, whose worker signed heads."""
    assert cli("audit", "keygen", "audit.key").code == 0
    monkeypatch.setenv("PENSTOCK_AUDIT_KEY", "audit.key")
    monkeypatch.setenv("PENSTOCK_AUDIT_HEADS", "heads.jsonl")
    assert cli("run", "chain", "--wait").code == 0
    return cli


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'penstock.db'}"


def test_what_is_as_it_was_written_is_said_to_be_so(lived: CommandLine) -> None:
    said = lived("audit", "verify")
    count = len(lived.json("audit", "show")["events"])
    assert said.code == 0
    assert f"tenant `default`: verified up to #{count}\n" in said.out
    assert "without signed heads, a chain that was rewritten as a whole is not found" in said.out


def test_what_was_changed_is_one_sentence(lived: CommandLine, tmp_path: Path) -> None:
    chains.tamper(url(tmp_path), chains.change(2, tenant="default", actor="mallory"))
    said = lived("audit", "verify")
    assert said.code == 3
    assert said.out.startswith("row 2 of tenant `default`, 20")
    assert "Z: its text or its place was changed after it was written\n" in said.out
    assert "tenant `default`: verified up to #1\n" in said.out
    told = lived("audit", "verify", "--json").data
    assert (told["sound"], told["faults"][0]["number"]) == (False, 2)


def test_a_chain_that_was_rewritten_is_found_by_the_heads_that_a_worker_wrote(
    lived: CommandLine, tmp_path: Path
) -> None:
    def attack(connection: Connection) -> None:
        chains.rewrite(connection, tenant="default", actor="mallory")

    assert "by signed heads up to #" in lived("audit", "verify", "--heads", "heads.jsonl").out
    chains.tamper(url(tmp_path), attack)
    assert lived("audit", "verify").code == 0
    said = lived("audit", "verify", "--heads", "heads.jsonl", "--key", "audit.key.pub")
    assert said.code == 3
    assert "it is not the row that was signed: the chain was rewritten" in said.out


def test_heads_say_nothing_without_the_key(
    lived: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENSTOCK_AUDIT_KEY")
    refused = lived("audit", "verify", "--heads", "heads.jsonl")
    assert refused.code == 3
    assert "[invalid_audit_key] signed heads say nothing without the key" in refused.err


def test_a_trigger_that_is_missing_is_said(lived: CommandLine, tmp_path: Path) -> None:
    def attack(connection: Connection) -> None:
        connection.exec_driver_sql("DROP TRIGGER tr_audit_events_update")

    chains.tamper(url(tmp_path))
    chains.do(url(tmp_path), attack)
    said = lived("audit", "verify")
    assert said.code == 3
    assert "the trigger `tr_audit_events_update` is missing" in said.out


def test_events_taken_out_can_be_verified_by_anybody(lived: CommandLine) -> None:
    lines = lived("audit", "export").out.splitlines()
    previous = "0" * 64
    for line in lines:
        event = json.loads(line)
        told = {name: event[name] for name in event.keys() - {"hash", "reason"}}
        assert hashlib.sha256(canonical(told).encode()).hexdigest() == event["hash"]
        assert event["previous"] == previous
        previous = event["hash"]
    assert len(lines) == 3


def test_events_are_taken_out_as_cloud_events(lived: CommandLine) -> None:
    run_id = lived.json("runs")["runs"][0]["id"]
    out = lived("audit", "export", "--format", "cloudevents", "--run", run_id[:13]).out
    first = json.loads(out.splitlines()[0])
    assert (first["specversion"], first["type"]) == ("1.0", "penstock.run.queued")
    assert (first["source"], first["subject"]) == ("urn:penstock:audit:default", run_id)
    assert lived("audit", "export", "--since", "2100-01-01").out == ""


def test_the_last_events_are_shown_without_codes(lived: CommandLine) -> None:
    said = lived("audit", "show", "--limit", "2").out
    assert "run.succeeded" in said
    assert "_mac" not in said
    assert (
        "nothing was recorded of tenant `other`" in lived("audit", "show", "--tenant", "other").out
    )


def test_a_key_is_its_owners_alone_and_not_overwritten(cli: CommandLine, tmp_path: Path) -> None:
    assert cli("audit", "keygen", "key").code == 0
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    before = (tmp_path / "key").read_bytes()
    refused = cli("audit", "keygen", "key")
    assert refused.code == 3
    assert "a key is not overwritten" in refused.err
    assert (tmp_path / "key").read_bytes() == before
