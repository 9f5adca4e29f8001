"""What each command does and prints, for people and for programs."""

import json
from pathlib import Path

import pytest

from penstock.nodes.isolation import available_tiers
from penstock.ui.cli.example import COMMAND
from support.command_line import CommandLine

YES = '{"approved": true}'


def ended(cli: CommandLine, run_id: str) -> str:
    """Have a worker go on with a run, and return how it ended."""
    worker = cli.process("worker")
    try:
        while (status := cli.status(run_id)) in {"queued", "running"}:
            assert worker.poll() is None
    finally:
        worker.terminate()
        worker.communicate()
    return status


def test_init_makes_a_project_whose_next_command_works(empty: CommandLine) -> None:
    made = empty("init")
    assert made.code == 0
    assert made.out.splitlines()[-1] == f"next: {COMMAND}"
    started = empty("run", "hello", '{"name": "Ada"}', "--wait")
    assert started.code == 75
    decide = started.out.splitlines()[-1]
    assert decide.startswith("next: penstock decide ")
    assert decide.endswith(" approve")
    assert empty(*decide.split()[2:]).code == 0
    run = empty.json("runs")["runs"][0]["id"]
    assert ended(empty, run) == "succeeded"
    assert (empty.folder / "sent.txt").read_text() == "Ada: Hello, Ada!\n"


def test_init_makes_a_project_whose_policy_is_sound_and_asks_once(empty: CommandLine) -> None:
    empty("init")
    assert (
        empty("policy", "check").out == "hello: sound, 2 policies allow or forbid, 1 ask people\n"
    )


def test_init_makes_a_project_in_which_a_rejection_is_an_outcome(empty: CommandLine) -> None:
    empty("init")
    started = empty("run", "hello", '{"name": "Ada"}', "--wait", "--json").data
    empty("decide", started["gates"][0]["id"], "reject", "--reason", "too short")
    assert ended(empty, started["run"]["id"]) == "succeeded"
    assert not (empty.folder / "sent.txt").exists()


def test_init_tells_programs_what_it_wrote(empty: CommandLine) -> None:
    told = empty.json("init")
    assert told["files"] == [
        "langgraph.json",
        "graph.py",
        "policy/allow/greetings.cedar",
        "policy/gates/greetings.cedar",
    ]
    assert (told["before"], told["next"]) == (None, COMMAND)


@pytest.mark.parametrize("name", ["langgraph.json", "graph.py", "policy"])
def test_init_overwrites_nothing(empty: CommandLine, name: str) -> None:
    file = empty.project.write(name, "mine")
    refused = empty("init", "--json")
    assert (refused.code, refused.error["code"]) == (3, "project_exists")
    assert file.read_text() == "mine"
    assert list(empty.folder.iterdir()) == [file]


def test_run_queues_a_run_and_says_how_to_see_it(cli: CommandLine) -> None:
    queued = cli("run", "chain", '{"name": "Ada"}', "--thread", "t", "--key", "k")
    assert queued.code == 0
    (run,) = cli.json("runs")["runs"]
    assert queued.out.startswith(f"run {run['id']} is queued\nnext: penstock show {run['id']}")
    assert (run["thread_id"], run["key"], run["input"]) == ("t", "k", {"name": "Ada"})


def test_the_same_key_is_the_same_run(cli: CommandLine) -> None:
    assert cli.start("chain", "--key", "k") == cli.start("chain", "--key", "k")


def test_an_input_comes_from_a_file_or_from_standard_input(cli: CommandLine) -> None:
    cli.project.write("input.json", '{"name": "Ada"}')
    assert cli("run", "chain", "@input.json").code == 0
    assert cli("run", "chain", "-", given='{"name": "Ada"}').code == 0
    assert [run["input"] for run in cli.json("runs")["runs"]] == [{"name": "Ada"}] * 2


def test_run_with_wait_drives_the_run_and_prints_its_result(cli: CommandLine) -> None:
    done = cli("run", "chain", '{"name": "Ada"}', "--wait")
    assert done.code == 0
    head, result = done.out.split("\n", 1)
    assert head.endswith("is succeeded")
    assert json.loads(result) == {"name": "Ada", "steps": ["one", "two"]}
    assert "is queued" in done.err
    assert "a node prints" in done.err


def test_run_with_wait_and_json_prints_one_document(cli: CommandLine) -> None:
    told = cli.json("run", "chain", '{"name": "Ada"}', "--wait")
    assert told["run"]["status"] == "succeeded"
    assert told["result"]["steps"] == ["one", "two"]


def test_run_with_wait_ends_with_1_when_the_run_fails(cli: CommandLine) -> None:
    failed = cli("run", "failing", "--wait")
    assert failed.code == 1
    assert "is failed (node_failed): a node raised ValueError: the shop is closed" in failed.out
    (run,) = cli.json("runs")["runs"]
    assert failed.out.splitlines()[-1] == f"next: penstock redrive {run['id']}"


def test_run_with_wait_ends_with_75_at_a_gate_and_says_how_to_decide_it(cli: CommandLine) -> None:
    waiting = cli("run", "asking", '{"name": "Ada"}', "--wait")
    (gate,) = cli.json("gates")["gates"]
    assert waiting.code == 75
    assert waiting.out.splitlines()[1:] == [
        f'gate {gate["id"]} asks: {{"may I":"Ada"}}',
        f"next: penstock decide {gate['id']} '{YES}'",
    ]


def test_run_with_wait_that_does_not_drive_ends_when_the_time_is_up(cli: CommandLine) -> None:
    left = cli("run", "chain", "--wait", "--no-drive", "--timeout-s", "0.1")
    assert left.code == 75
    assert "is queued: the time was up" in left.out


def test_a_wait_behind_another_run_of_the_thread_says_so(cli: CommandLine) -> None:
    first = cli.json("run", "asking", '{"name": "Ada"}', "--thread", "t")["run"]["id"]
    second = cli("run", "chain", "--thread", "t", "--wait", "--timeout-s", "2")
    assert second.code == 75
    assert f"behind run {first} of its thread" in second.err


def test_a_gate_is_decided_by_the_beginning_of_its_id_and_the_run_goes_on(
    cli: CommandLine,
) -> None:
    run_id = cli("run", "asking", '{"name": "Ada"}', "--wait", "--json").data["run"]["id"]
    (gate,) = cli.json("gates")["gates"]
    decided = cli("decide", gate["id"][:6], YES, "--as", "bob")
    assert decided.out.startswith(f'gate {gate["id"]} is decided by bob: {{"approved":true}}')
    assert cli.json("decide", gate["id"], YES, "--as", "bob")["gate"]["status"] == "decided"
    # What waits behind it in the same graph is driven too, and this run before that.
    cli("run", "asking", '{"name": "Bob"}', "--wait")
    told = cli.json("show", run_id)
    assert told["result"] == {"name": "Ada", "steps": ["True", "two"]}


def test_gates_show_what_is_asked_for_how_long_and_how_to_decide_it(cli: CommandLine) -> None:
    assert cli("gates").out == "no gate is open\n"
    run_id = cli("run", "asking", '{"name": "Ada"}', "--wait", "--json").data["run"]["id"]
    (gate,) = cli.json("gates")["gates"]
    gate_line, asked, next_line = cli("gates").out.splitlines()
    assert gate_line.startswith(f"gate {gate['id']} of run {run_id}, open for ")
    assert asked == '  {"may I":"Ada"}'
    assert next_line == f"  next: penstock decide {gate['id']} '{{\"approved\": true}}'"


def test_runs_are_listed_newest_first_and_filtered(cli: CommandLine) -> None:
    assert cli("runs").out == "no runs\n"
    first = cli.start("chain", "--thread", "t")
    second = cli.start("asking")

    def listed(*options: str) -> list[str]:
        return [run["id"] for run in cli.json("runs", *options)["runs"]]

    assert listed() == [second, first]
    assert listed("--graph", "chain") == [first]
    assert listed("--thread", "t") == [first]
    assert listed("--limit", "1") == [second]
    assert listed("--before", second) == [first]
    assert listed("--status", "failed", "--status", "waiting") == []
    cli("cancel", first)
    assert listed("--status", "cancelled") == [first]
    assert [line.split()[0] for line in cli("runs").out.splitlines()[1:]] == [second, first]


def test_runs_of_another_tenant_are_not_seen(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = cli.start("chain")
    monkeypatch.setenv("PENSTOCK_TENANT", "other")
    assert cli.json("runs")["runs"] == []
    assert cli("show", run_id).code == 3
    assert cli("cancel", run_id).code == 3


def test_show_tells_the_whole_story_of_a_run(cli: CommandLine) -> None:
    run_id = cli("run", "chain", '{"name": "Ada"}', "--wait", "--json").data["run"]["id"]
    told = cli.json("show", run_id)
    actions = [(event["action"], event["actor"]) for event in told["history"]]
    assert actions[0] == ("run.queued", "ann")
    assert [action for action, _ in actions] == ["run.queued", "run.claimed", "run.succeeded"]
    assert told["result"]["steps"] == ["one", "two"]
    steps = [(step["node"], step["kind"], step["status"]) for step in told["steps"]]
    assert steps == [("one", "other", "succeeded"), ("two", "other", "succeeded")]
    shown = cli("show", run_id).out
    assert all(word in shown for word in (run_id, "run.claimed", "ann", '"one"', "took"))


def test_show_does_without_a_result_where_the_graphs_are_not(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = cli("run", "chain", "--wait", "--json").data["run"]["id"]
    monkeypatch.setenv("PENSTOCK_GRAPHS", "elsewhere.json")
    told = cli.json("show", run_id)
    assert told["result"] is None
    assert "elsewhere.json" in told["result_missing"]
    assert "the result cannot be shown" in cli("show", run_id).out


def test_show_does_not_take_the_result_of_a_later_run_of_the_thread_for_its_own(
    cli: CommandLine,
) -> None:
    first = cli("run", "chain", "--thread", "t", "--wait", "--json").data["run"]["id"]
    cli("run", "chain", "--thread", "t", "--wait")
    assert "has gone on" in cli.json("show", first)["result_missing"]


def test_cancel_ends_a_queued_run(cli: CommandLine) -> None:
    run_id = cli.start("chain")
    assert cli("cancel", run_id).out == f"run {run_id} is cancelled\n"
    assert cli.json("cancel", run_id)["run"]["cancel_by"] == "ann"


def test_redrive_goes_on_after_what_failed_was_mended(cli: CommandLine) -> None:
    run_id = cli("run", "failing", "--wait", "--json").data["run"]["id"]
    assert f"next: penstock redrive {run_id}" in cli("show", run_id).out
    (cli.folder / "mended").touch()
    assert cli("redrive", run_id).out.startswith(f"run {run_id} is queued again")
    cli("run", "failing", "--wait")
    assert cli.json("show", run_id)["result"]["steps"] == ["one", "mended"]


def test_migrate_makes_a_store_and_then_leaves_it(empty: CommandLine) -> None:
    assert empty.json("migrate")["before"] is None
    assert "is up to date, at migration" in empty("migrate").out


def test_doctor_finds_nothing_wrong_in_a_project_that_is_well(cli: CommandLine) -> None:
    told = cli.json("doctor")
    assert told["ok"]
    assert [check["name"] for check in told["checks"] if not check["ok"]] == []
    shown = cli("doctor")
    assert shown.code == 0
    assert "journal_mode wal, synchronous full" in shown.out


def test_doctor_tells_which_isolation_tiers_work(cli: CommandLine) -> None:
    found = {check["name"]: check["found"] for check in cli.json("doctor")["checks"]}
    for tier, reason in available_tiers().items():
        said = "works" if reason is None else f"does not: {reason}"
        assert f"{tier} {said}" in found["isolation"]


def test_doctor_says_what_is_wrong_and_what_to_do(empty: CommandLine) -> None:
    told = empty("doctor", "--json")
    wrong = {check["name"]: check["todo"] for check in told.data["checks"] if not check["ok"]}
    assert told.code == 4
    assert wrong.keys() == {"graphs", "store"}
    assert wrong["store"] == "run `penstock migrate`"
    assert list(empty.folder.iterdir()) == []
    empty("migrate")
    assert empty("doctor").code == 3


def test_doctor_tells_whether_people_are_told_of_gates(cli: CommandLine) -> None:
    found = {check["name"]: check for check in cli.json("doctor")["checks"]}
    assert found["notices"]["ok"]
    assert found["notices"]["found"] == "0 to be sent, 0 given up; without links"


def test_doctor_finds_queued_runs_that_nobody_can_drive(cli: CommandLine) -> None:
    run_id = cli.start("chain")
    cli.project.manifest({"asking": "./graphs.py:asking"})
    told = cli("doctor", "--json")
    (wrong,) = [check for check in told.data["checks"] if not check["ok"]]
    assert told.code == 3
    assert wrong["name"] == "graphs of queued runs"
    assert run_id in wrong["found"]


def test_variables_of_the_project_are_set_before_its_graphs_are_imported(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_SET_BEFORE", "ours")
    monkeypatch.setenv("DESK_SET_THERE", "")
    monkeypatch.delenv("DESK_SET_THERE")
    (tmp_path / ".env").write_text("DESK_SET_BEFORE=theirs\nDESK_SET_THERE=theirs\n")
    cli.project.write(
        "wanting.py",
        "import os\nfrom graphs import chain as graph\n"
        "assert (os.environ['DESK_SET_BEFORE'], os.environ['DESK_SET_THERE'])"
        " == ('ours', 'theirs')\n",
    )
    cli.project.manifest({"wanting": "./wanting.py:graph"}, env=".env")
    assert cli("run", "wanting", "--wait").code == 0


def test_the_same_commands_work_on_postgresql(
    cli: CommandLine, empty_postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_STORE_URL", empty_postgresql_url)
    assert cli("runs").code == 4
    assert cli.json("migrate")["before"] is None
    run_id = cli("run", "asking", '{"name": "Ada"}', "--wait", "--json").data["run"]["id"]
    (gate,) = cli.json("gates")["gates"]
    assert cli("decide", gate["id"][:8], YES).code == 0
    assert cli.json("show", run_id[:12])["run"]["status"] == "queued"
    durability = {check["name"]: check for check in cli("doctor", "--json").data["checks"]}
    assert "synchronous_commit" in durability["durability"]["found"]


def test_a_cancellation_is_shown_with_who_when_and_why(cli: CommandLine) -> None:
    run_id = cli.start("chain")
    cli("cancel", run_id, "--reason", "wrong order")
    told = cli.json("show", run_id)["run"]
    assert (told["cancel_by"], told["cancel_reason"]) == ("ann", "wrong order")
    assert told["cancel_at"] is not None
    shown = cli("show", run_id).out
    assert "cancelled by" in shown
    assert "Z: wrong order" in shown


def test_a_paused_run_is_not_driven_until_it_is_resumed(cli: CommandLine) -> None:
    run_id = cli.start("chain")
    paused = cli("pause", run_id, "--reason", "lunch").out
    assert paused == f"run {run_id} is queued, and paused\nnext: penstock resume {run_id}\n"
    assert "queued, paused" in cli("runs").out
    cli("run", "chain", "--wait")
    told = cli.json("show", run_id)["run"]
    assert (told["status"], told["pause_by"], told["pause_reason"]) == ("queued", "ann", "lunch")
    assert "paused by" in cli("show", run_id).out
    assert cli("resume", run_id).out.startswith(f"run {run_id} is queued, and not paused\n")
    cli("run", "chain", "--wait")
    assert cli.json("show", run_id)["run"]["status"] == "succeeded"


def test_a_dry_run_lists_what_would_be_cancelled_and_changes_nothing(cli: CommandLine) -> None:
    started = [cli.start("chain") for _ in range(2)]
    told = cli.json("cancel", "--graph", "chain", "--dry-run")
    assert (told["would"], told["count"]) == ("cancel", 2)
    assert {run["id"] for run in told["runs"]} == set(started)
    said = cli("cancel", "--graph", "chain", "--dry-run").out
    assert said.endswith("would cancel 2 runs; nothing was changed\n")
    assert {run["status"] for run in cli.json("runs")["runs"]} == {"queued"}


def test_tags_are_shown_and_filtered_by(cli: CommandLine) -> None:
    both = cli.start("chain", "--tag", "nightly", "--tag", "customer 7")
    one = cli.start("chain", "--tag", "nightly")
    cli.start("chain")
    listed = cli.json("runs", "--tag", "nightly")["runs"]
    assert [run["id"] for run in listed] == [one, both]
    assert listed[1]["tags"] == ["customer 7", "nightly"]
    assert "customer 7, nightly" in cli("runs").out
    assert "customer 7, nightly" in cli("show", both).out
    assert cli("run", "chain", "--tag", "a,b", "--json").error["code"] == "invalid_input"
    assert cli("cancel", "--tag", "nightly", "--tag", "customer 7").out == "1 run cancelled\n"
    assert (cli.status(both), cli.status(one)) == ("cancelled", "queued")


def test_what_used_much_is_found_by_what_it_used(cli: CommandLine) -> None:
    cli.start("chain")
    assert len(cli.json("runs", "--spent", "tokens=0")["runs"]) == 1
    assert cli.json("runs", "--spent", "tokens=1", "--spent", "money=0.50 USD")["runs"] == []
    for typed in ("steps=3", "tokens=many", "money=3"):
        assert cli("runs", "--spent", typed).code == 2


def test_what_fits_a_filter_is_cancelled_and_nothing_else(cli: CommandLine) -> None:
    old, new, other = cli.start("chain"), cli.start("chain"), cli.start("failing")
    done = cli("cancel", "--graph", "chain", "--before", new, "--reason", "too old")
    assert done.out == "1 run cancelled\n"
    assert "1 of 1" in done.err
    told = {run["id"]: run["status"] for run in cli.json("runs")["runs"]}
    assert told == {old: "cancelled", new: "queued", other: "queued"}
    assert cli.json("show", old)["run"]["cancel_reason"] == "too old"
    assert cli("cancel", "--status", "succeeded").out == "0 runs cancelled\n"


def test_all_failed_runs_are_redriven(cli: CommandLine) -> None:
    failed = cli("run", "failing", "--wait", "--json").data["run"]["id"]
    queued = cli.start("chain")
    told = cli.json("redrive", "--status", "failed")
    assert [run["id"] for run in told["runs"]] == [failed]
    assert {run["status"] for run in cli.json("runs")["runs"]} == {"queued"}
    assert queued in {run["id"] for run in cli.json("runs")["runs"]}
