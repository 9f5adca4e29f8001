"""The audit on the command line: verified, shown, taken out, and signed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from penstock.checkpoints import Store
from penstock.contracts.audit import canonical
from support import chains
from support.command_line import CommandLine


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


def audit_of(cli: CommandLine) -> dict[str, Any]:
    return next(each for each in cli("doctor", "--json").data["checks"] if each["name"] == "audit")


def test_doctor_notes_that_a_chain_could_be_rewritten_unseen(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = audit_of(cli)
    assert found["ok"]
    assert "a chain that is rewritten as a whole cannot be found" in found["found"]
    cli("audit", "keygen", str(tmp_path / "audit.key"))
    monkeypatch.setenv("PENSTOCK_AUDIT_KEY", str(tmp_path / "audit.key"))
    monkeypatch.setenv("PENSTOCK_AUDIT_HEADS", str(tmp_path / "heads.jsonl"))
    found = audit_of(cli)
    assert found["ok"]
    assert found["found"].endswith("heads are signed and written out")


def test_doctor_finds_a_key_that_cannot_sign(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_AUDIT_KEY", str(tmp_path / "nothing.key"))
    monkeypatch.setenv("PENSTOCK_AUDIT_HEADS", str(tmp_path / "heads.jsonl"))
    found = audit_of(cli)
    assert not found["ok"]
    assert found["todo"] == "name a key that `penstock audit keygen` made"


def test_doctor_finds_triggers_that_are_missing(cli: CommandLine) -> None:

    def drop(connection: Connection) -> None:
        connection.execute(text("DROP TRIGGER tr_audit_events_delete"))

    chains.do(url(cli.folder), drop)
    found = audit_of(cli)
    assert not found["ok"]
    assert found["found"] == "missing or off: the triggers tr_audit_events_delete"
    assert "`penstock audit verify`" in found["todo"]


@pytest.mark.parametrize(
    "doing",
    [chains.remove(2), chains.set_head(1), chains.change(2, hash="f" * 64)],
    ids=["the last was deleted", "the head was set back", "the last was changed"],
)
def test_doctor_finds_a_head_that_does_not_name_the_last_event(
    cli: CommandLine, doing: chains.Tamper
) -> None:
    with Store.open(url(cli.folder)) as store:
        chains.tell(store, "one", "two")
        chains.tell(store, "one", tenant="other")
    chains.tamper(url(cli.folder), doing)
    found = audit_of(cli)
    assert not found["ok"]
    assert found["found"] == (
        "head and last event disagree, and nothing more is recorded: tenant `acme`"
    )


def test_doctor_finds_events_without_a_head(cli: CommandLine) -> None:
    with Store.open(url(cli.folder)) as store:
        chains.tell(store, "one")
    chains.tamper(url(cli.folder), chains.remove_head)
    assert "tenant `acme`" in audit_of(cli)["found"]
