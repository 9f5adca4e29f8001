"""Policies and approvals on the command line."""

import getpass
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from support.allowing import DESK, OPEN
from support.command_line import CommandLine
from support.databases import migrated_sqlite

PAYING = """
from typing import TypedDict

from langgraph.graph import START, StateGraph
from penstock.graphs import declare
from penstock.nodes import tool


class State(TypedDict, total=False):
    amount: int
    said: str


@tool(effect="unsafe", tags={"money"})
async def pay(amount: int) -> str:
    \"\"\"Pay somebody.\"\"\"
    return f"paid {amount}"


async def act(state: State) -> State:
    return {"said": await pay(amount=state["amount"])}


builder = StateGraph(State)
builder.add_node("act", act)
builder.add_edge(START, "act")
graph = declare(builder, name="desk", tools=[pay])
"""
PEOPLE = """
[users.ann]
logins = ["{login}"]
groups = ["operators"]

[users.bob]
logins = ["{login}-bob"]
groups = ["finance"]

[users.eve]
groups = ["finance", "security"]

[agents.desk]
scopes = ["*"]
"""


@pytest.fixture
def desk(empty: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A project whose only graph pays, under a policy that asks about large amounts."""
    empty.project.write("paying.py", PAYING)
    empty.project.manifest({"desk": "./paying.py:graph"})
    monkeypatch.setenv("PENSTOCK_POLICY", str(DESK))
    migrated_sqlite(empty.folder)
    return empty


def run(desk: CommandLine, amount: int) -> str:
    """Run the graph until it waits or ends, and return the run's id."""
    answer = desk("run", "desk", f'{{"amount": {amount}}}', "--wait", "--json")
    return answer.data["run"]["id"]


def candidate(folder: Path, *policies: str) -> str:
    """Write a policy that only allows and forbids."""
    (folder / "allow").mkdir(parents=True)
    (folder / "allow" / "all.cedar").write_text("\n".join(policies))
    return str(folder)


def gate_of(desk: CommandLine) -> Any:
    """Return the only open gate."""
    (gate,) = desk.json("gates")["gates"]
    return gate


def test_a_sound_policy_is_said_to_be_so(desk: CommandLine) -> None:
    said = desk("policy", "check")
    assert said.code == 0
    assert said.out == "desk: sound, 2 policies allow or forbid, 2 ask people\n"


def test_a_policy_that_is_wrong_is_refused_with_file_and_line(
    desk: CommandLine, tmp_path: Path
) -> None:
    wrong = candidate(
        tmp_path / "wrong",
        '@id("a")',
        'permit(principal, action == Penstock::Action::"pya", resource);',
    )
    refused = desk("policy", "check", wrong)
    assert refused.code == 3
    assert "allow/all.cedar:" in refused.err
    assert "`pay`" in refused.err


def test_the_builtin_policy_says_what_it_is(
    desk: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENSTOCK_POLICY")
    assert "it is the built-in policy" in desk("policy", "check").out


def test_a_call_that_waits_is_listed_with_whom_it_wants(desk: CommandLine) -> None:
    run(desk, 900)
    said = desk("gates").out
    assert 'pay {"amount": 900}' in said
    assert "wants 2 of finance" in said
    assert f"penstock decide {gate_of(desk)['id']} approve" in said


def test_a_graph_with_only_the_builtin_policy_is_named_when_it_is_driven(
    desk: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "built-in policy" not in desk("run", "desk", '{"amount": 1}', "--wait").err
    monkeypatch.delenv("PENSTOCK_POLICY")
    monkeypatch.setenv("PENSTOCK_STORE_URL", "sqlite:///another.db")
    desk("migrate")
    said = desk("run", "desk", '{"amount": 1}', "--wait").err
    assert said.count("graph `desk` has the built-in policy: what reads is allowed") == 1
    worker = desk.process("worker", PENSTOCK_STORE_URL="sqlite:///another.db")
    try:
        lines = iter(worker.stderr or ())
        told = next(line for line in lines if "policy" in line)
        assert "graph desk has the built-in policy" in told
    finally:
        worker.terminate()
        worker.communicate()


def test_a_loaded_policy_is_no_builtin_one(
    desk: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENSTOCK_POLICY")
    desk("policy", "load", "desk", str(OPEN))
    assert "built-in policy" not in desk("run", "desk", '{"amount": 1}', "--wait").err


def test_a_graph_that_only_reads_is_not_named_for_its_policy(
    desk: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENSTOCK_POLICY")
    desk.project.write("paying.py", PAYING.replace('"unsafe"', '"read"'))
    assert "built-in policy" not in desk("run", "desk", '{"amount": 1}', "--wait").err


def test_a_call_that_waits_is_approved_and_made(desk: CommandLine) -> None:
    run_id = run(desk, 900)
    gate = gate_of(desk)["id"]
    assert "has the vote of bob" in desk("decide", gate, "approve", "--as", "bob").out
    assert "is decided by eve: approve" in desk("decide", gate, "approve", "--as", "eve").out
    shown = desk.json("gates", gate)
    assert [vote["person"] for vote in shown["votes"]] == ["bob", "eve"]
    worker = desk.process("worker")
    try:
        while desk.status(run_id) != "succeeded":
            assert worker.poll() is None
    finally:
        worker.terminate()
        worker.communicate()


def test_a_rejection_needs_a_reason_and_an_edit_is_asked_about_anew(desk: CommandLine) -> None:
    run(desk, 900)
    gate = gate_of(desk)["id"]
    assert "a rejection needs its reason" in desk("decide", gate, "reject", "--as", "bob").err
    refused = desk("decide", gate, "edit", '{"amount": 99999}', "--as", "bob")
    assert "ceiling" in refused.err
    edited = desk("decide", gate, "edit", '{"amount": 700}', "--as", "bob")
    assert "somebody else approves it" in edited.out
    assert gate_of(desk)["id"] != gate
    refused = desk("decide", gate_of(desk)["id"], "approve", "--as", "bob")
    assert "has edited the call" in refused.err


def test_what_is_no_vote_is_refused(desk: CommandLine) -> None:
    run(desk, 900)
    refused = desk("decide", gate_of(desk)["id"], "yes", "--as", "bob", "--json")
    assert refused.error["code"] == "invalid_answer"


def test_who_is_logged_in_acts_as_whom_the_directory_says(
    desk: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = pwd.getpwuid(os.getuid()).pw_name
    people = tmp_path / "people.toml"
    people.write_text(PEOPLE.format(login=login))
    monkeypatch.setenv("PENSTOCK_PEOPLE", str(people))
    monkeypatch.setattr(getpass, "getuser", lambda: "bob")
    run(desk, 900)
    gate = gate_of(desk)["id"]
    refused = desk("decide", gate, "approve", "--as", "bob")
    assert f"the login `{login}` may not act as `bob`" in refused.err
    refused = desk("decide", gate, "approve")
    assert "`ann` may not decide" in refused.err


def test_another_policy_decides_without_a_restart_and_is_rolled_back_by_name(
    desk: CommandLine, tmp_path: Path
) -> None:
    run(desk, 100)
    strict = candidate(
        tmp_path / "strict",
        '@id("reads")',
        'permit(principal, action in Penstock::Action::"effect_read", resource);',
    )
    assert "desk@2 decides from now on" in desk("policy", "load", "desk", strict).out
    assert desk.status(run(desk, 100)) == "failed"
    assert "desk@1 decides from now on" in desk("policy", "use", "desk@1").out
    assert desk.status(run(desk, 100)) == "succeeded"
    versions = desk.json("policy", "show", "desk")["versions"]
    assert [(each["name"], each["is_active"]) for each in versions] == [
        ("desk@2", False),
        ("desk@1", True),
    ]
    assert desk("policy", "use", "desk@9", "--json").error["code"] == "unknown_policy"


def test_a_policy_is_loaded_in_place_of_the_version_that_was_seen_alone(
    desk: CommandLine, tmp_path: Path
) -> None:
    run(desk, 100)
    one = candidate(tmp_path / "one", '@id("one") permit(principal, action, resource);')
    two = candidate(tmp_path / "two", '@id("two") permit(principal, action, resource);')
    done = desk("policy", "load", "desk", one, "--instead-of", "desk@1")
    assert done.out == "policy desk@2 decides from now on, in place of desk@1\n"
    late = desk("policy", "load", "desk", two, "--instead-of", "desk@1", "--json")
    assert late.error["code"] == "policy_changed"
    assert "`desk@2` decides by now" in late.error["message"]
    unknown = desk("policy", "load", "desk", two, "--instead-of", "desk@7", "--json")
    assert unknown.error["code"] == "unknown_policy"
    versions = desk.json("policy", "show", "desk")["versions"]
    assert [each["name"] for each in versions] == ["desk@2", "desk@1"]


def test_a_decision_is_explained(desk: CommandLine) -> None:
    run_id = run(desk, 900)
    (decided,) = desk.json("policy", "explain", run_id)["decisions"]
    assert decided["decision"]["verdict"] == "ask"
    assert decided["request"]["args"] == {"amount": 900}
    assert decided["request"]["facts"]["saw_untrusted"] is False
    said = desk("policy", "explain", run_id).out
    assert "asks: 2 of finance (large)" in said


def test_what_a_candidate_would_change_is_counted_and_listed(
    desk: CommandLine, tmp_path: Path
) -> None:
    small, large = run(desk, 100), run(desk, 900)
    told = desk.json("policy", "whatif", str(OPEN))
    assert (told["call_count"], told["changed_count"]) == (2, 1)
    (changed,) = told["changed"]
    assert changed["run_id"] == large
    assert (changed["before"]["verdict"], changed["after"]["verdict"]) == ("ask", "allow")
    strict = candidate(
        tmp_path / "strict",
        '@id("reads")',
        'permit(principal, action in Penstock::Action::"effect_read", resource);',
    )
    told = desk.json("policy", "whatif", strict)
    assert {each["run_id"] for each in told["changed"]} == {small, large}
    assert "it would change 2 of 2 calls" in desk("policy", "whatif", strict).out


def test_the_doctor_says_which_policies_decide_and_which_groups_ask_nobody(
    desk: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(desk, 100)
    checks = {check["name"]: check for check in desk.json("doctor")["checks"]}
    assert checks["policies"]["found"] == "desk@1"
    people = tmp_path / "people.toml"
    people.write_text('[users.ann]\nlogins = ["ann"]\ngroups = ["finance", "security"]\n')
    monkeypatch.setenv("PENSTOCK_PEOPLE", str(people))
    monkeypatch.setenv("PENSTOCK_TENANT", "other")
    told = desk("doctor", "--json").data
    (check,) = [check for check in told["checks"] if check["name"] == "policies"]
    assert "desk asks group finance, which has no members" in check["found"]


def test_a_seat_is_lent_until_a_day(desk: CommandLine) -> None:
    lent = desk("delegate", "zoe", "--until", "2099-01-01", "--as", "bob")
    assert "zoe votes for bob until 2099-01-01" in lent.out
    assert desk.json("delegate")["delegations"][0]["to_person"] == "zoe"
    assert desk("delegate", "--revoke", "1", "--as", "bob").code == 0
    assert desk("delegate").out == "none\n"
