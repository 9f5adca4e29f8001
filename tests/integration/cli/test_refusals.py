"""Whatever is refused is refused in one sentence, with its exit code, and changes nothing."""

import sqlite3

import pytest

from support.command_line import CommandLine


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        (["run", "chian"], "unknown_graph", "Did you mean `chain`?"),
        (["run", "chain", "{name"], "invalid_input", "is not JSON: Expecting property name"),
        (["run", "chain", "@none.json"], "invalid_input", "cannot be read from `none.json`"),
        (["run", "chain", '{"name": 5}'], "invalid_input", "name"),
        (["show", "0f"], "unknown_run", "no run of tenant `default`"),
        (["show", ""], "unknown_run", "no run of tenant `default`"),
        (["cancel", "0f"], "unknown_run", "has the id `0f`"),
        (["redrive", "0f"], "unknown_run", "has the id `0f`"),
        (["runs", "--before", "0f"], "unknown_run", "has the id `0f`"),
        (["decide", "0f", "true"], "unknown_gate", "no open gate of tenant `default`"),
        (["decide", "0" * 32, "true"], "unknown_gate", "no gate has the id"),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_refused(
    cli: CommandLine, typed: list[str], code: str, sentence: str
) -> None:
    cli.start("chain")
    before = cli.rows()
    refused = cli(*typed)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith(f"error: [{code}] ")
    assert sentence in refused.err
    told = cli(*typed, "--json")
    assert (told.code, told.out, told.error["code"]) == (3, "", code)
    assert cli.rows() == before


def test_an_answer_that_does_not_fit_leaves_the_gate_open(cli: CommandLine) -> None:
    cli("run", "asking", '{"name": "Ada"}', "--wait")
    (gate,) = cli.json("gates")["gates"]
    before = cli.rows()
    for answer in ('{"approved": "x"}', "yes", "[]"):
        refused = cli("decide", gate["id"], answer)
        assert refused.code == 3
        assert refused.err.startswith("error: [invalid_answer] ")
    assert cli.rows() == before


def test_a_gate_is_not_decided_twice_in_different_ways(cli: CommandLine) -> None:
    cli("run", "asking", '{"name": "Ada"}', "--wait")
    (gate,) = cli.json("gates")["gates"]
    assert cli("decide", gate["id"], '{"approved": true}').code == 0
    before = cli.rows()
    refused = cli("decide", gate["id"], '{"approved": false}')
    assert (refused.code, cli.rows()) == (3, before)
    assert "[gate_closed]" in refused.err


def test_a_run_that_is_over_is_neither_cancelled_nor_redriven(cli: CommandLine) -> None:
    run_id = cli("run", "chain", "--wait", "--json").data["run"]["id"]
    before = cli.rows()
    for verb in ("cancel", "redrive"):
        refused = cli(verb, run_id)
        assert refused.code == 3
        assert "[illegal_transition]" in refused.err
    assert cli.rows() == before


def test_a_busy_thread_refuses_a_run_that_is_not_to_wait(cli: CommandLine) -> None:
    cli.start("chain", "--thread", "t")
    before = cli.rows()
    refused = cli("run", "chain", "--thread", "t", "--when-busy", "refuse")
    assert (refused.code, cli.rows()) == (3, before)
    assert "[thread_busy]" in refused.err


def test_a_key_does_not_name_two_runs(cli: CommandLine) -> None:
    cli.start("chain", "--key", "k")
    before = cli.rows()
    refused = cli("run", "chain", '{"name": "Bob"}', "--key", "k")
    assert (refused.code, cli.rows()) == (3, before)
    assert "[run_key_reused]" in refused.err


def test_the_beginning_of_more_than_one_id_is_refused(cli: CommandLine) -> None:
    first, second = cli.start("chain"), cli.start("chain")
    shared = next(n for n, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    assert "more than one run" in cli("show", first[:shared]).err
    assert cli.json("show", first[: shared + 1])["run"]["id"] == first


@pytest.mark.parametrize(
    "typed",
    [["runs"], ["gates"], ["run", "chain"], ["show", "0"], ["decide", "0", "1"], ["worker"]],
)
def test_without_a_store_every_command_says_migrate_and_makes_none(
    empty: CommandLine, typed: list[str]
) -> None:
    empty.make_project()
    refused = empty(*typed)
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.startswith("error: [migration_needed] ")
    assert refused.err.endswith("\nnext: penstock migrate\n")
    assert not empty.store.exists()


def test_a_store_of_another_migration_is_not_used(cli: CommandLine) -> None:
    with sqlite3.connect(cli.store) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for typed in (["runs"], ["migrate"]):
        refused = cli(*typed)
        assert refused.code == 4
        assert "[migration_needed]" in refused.err
        assert "install the version that migrated it" in refused.err


def test_a_busy_store_is_told_from_a_broken_one(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_STORE_BUSY_TIMEOUT_S", "0.2")
    before = cli.rows()
    blocker = sqlite3.connect(cli.store, isolation_level=None)
    try:
        blocker.execute("BEGIN IMMEDIATE")
        busy = cli("run", "chain", "--json")
    finally:
        blocker.close()
    assert (busy.code, busy.error["code"], busy.error["retryable"]) == (4, "store_busy", True)
    assert cli.rows() == before


def test_a_worker_whose_store_fails_says_so_in_a_sentence(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_STORE_BUSY_TIMEOUT_S", "0.2")
    blocker = sqlite3.connect(cli.store, isolation_level=None)
    try:
        blocker.execute("BEGIN IMMEDIATE")
        ended = cli("worker")
    finally:
        blocker.close()
    assert ended.code == 4
    assert ended.err.splitlines()[-1].startswith("error: [store_busy] ")


def test_a_file_that_is_no_store_is_broken(cli: CommandLine) -> None:
    cli.store.write_text("this is no database, and long enough to be read as one" * 20)
    refused = cli("runs")
    assert refused.code == 4
    assert refused.err.startswith("error: [store_broken] ")
    assert refused.err.endswith("\nnext: penstock doctor\n")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("STORE_URL", "garbage", "is not a database's URL"),
        ("STORE_URL", "mysql://host/name", "`mysql` is not a database Penstock runs on"),
        ("STORE_URL", "sqlite://", "in memory"),
        ("WORKER_BEAT_S", "soon", "`PENSTOCK_WORKER_BEAT_S`: Input should be a valid number"),
        ("WORKER_SLOT_COUNT", "0", "greater than or equal to 1"),
        ("WORKER_LEASE_S", "0.1", "must be longer than `PENSTOCK_WORKER_BEAT_S`"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"PENSTOCK_{name}", value)
    for typed in (["runs"], ["migrate"], ["doctor"]):
        refused = cli(*typed)
        assert refused.code == 3
        assert sentence in refused.err + refused.out


@pytest.mark.parametrize(
    "typed",
    [["nothing"], ["run"], ["runs", "--limit", "0"], ["run", "chain", "--timeout-s", "1"]],
)
def test_a_command_line_that_makes_no_sense_ends_with_2(cli: CommandLine, typed: list[str]) -> None:
    assert cli(*typed).code == 2


def test_more_runs_than_a_hundred_are_cancelled_only_by_who_means_it(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.ui.cli.actions.UNCONFIRMED_LIMIT", 1)
    for _ in range(2):
        cli.start("chain")
    refused = cli("cancel", "--graph", "chain", "--json")
    assert (refused.code, refused.error["code"]) == (3, "too_many_runs")
    assert {run["status"] for run in cli.json("runs")["runs"]} == {"queued"}
    assert cli.json("cancel", "--graph", "chain", "--yes")["count"] == 2


@pytest.mark.parametrize(
    "typed", [["cancel"], ["redrive", "--yes"], ["cancel", "0f", "--graph", "g"]]
)
def test_one_run_or_a_filter_is_wanted(cli: CommandLine, typed: list[str]) -> None:
    assert cli(*typed).code == 2
