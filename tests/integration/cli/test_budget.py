"""`penstock budget` draws what a run may use, has used and holds."""

import pytest

from penstock.checkpoints import Store, budgets
from penstock.contracts.budget import Account, AccountKind, Amounts, Budget, HoldKind, run_account
from penstock.contracts.ids import RunId
from penstock.contracts.run import Fence
from penstock.ui.project import read_settings
from support.command_line import CommandLine
from support.spenders import dollars


def _spend(cli: CommandLine, run_id: str) -> None:
    own = Account(
        id=run_account(RunId(run_id)), kind=AccountKind.RUN, tenant="default", budget=Budget()
    )
    fence = Fence(run_id=RunId(run_id), epoch=0)
    worst = Amounts(tokens=10_000_000, money=dollars(2_500_000))
    with Store.open(f"sqlite:///{cli.folder / 'penstock.db'}") as store:
        for hold_id in ("model:1", "model:2"):
            store.write_blocking(
                lambda tx, hold_id=hold_id: budgets.reserve(
                    tx, hold_id, [own], worst, fence=fence, kind=HoldKind.MODEL, name="gpt-4o"
                )
            )
        used = Amounts(tokens=5_000_000, money=dollars(1_250_000))
        store.write_blocking(lambda tx: budgets.settle(tx, "model:1", used))


def test_a_budget_is_drawn_as_a_tree_with_bars(cli: CommandLine) -> None:
    run_id = cli.start("chain")
    _spend(cli, run_id)
    drawn = cli("budget", run_id)
    assert drawn.code == 0
    lines = drawn.out.splitlines()
    assert lines[0].startswith(f"run {run_id}")
    (tokens,) = (line for line in lines if " tokens  " in line)
    assert tokens.endswith(f"{'█' * 6}{'▒' * 12}{'░' * 6} 5,000,000 of 20,000,000, 10,000,000 held")
    assert any("1.25 USD of no cap, 2.5 USD held" in line for line in lines)
    assert any("2 x model gpt-4o, 5,000,000 tokens, 1.25 USD, 1 held" in line for line in lines)


def test_a_budget_is_told_to_programs(cli: CommandLine) -> None:
    run_id = cli.start("chain")
    _spend(cli, run_id)
    told = cli.json("budget", run_id)
    (account,) = told["accounts"]
    assert account["kind"] == "run"
    assert account["units"][0] == {
        "unit": "tokens",
        "cap": 20_000_000,
        "spent": 5_000_000,
        "held": 10_000_000,
        "left": 5_000_000,
        "currency": None,
    }
    (calls,) = told["calls"]
    assert (calls["name"], calls["count"]) == ("gpt-4o", 2)
    assert calls["used"]["money_micros"] == {"USD": 1_250_000}


def test_the_budgets_that_a_child_shares_are_shown(cli: CommandLine) -> None:
    parent_id = cli.start("chain")
    child_id = cli.json("run", "chain", "--parent", parent_id[:12])["run"]["id"]
    _spend(cli, parent_id)
    drawn = cli("budget", child_id).out.splitlines()
    above = drawn.index(f"run {parent_id}, above it")
    assert " 5,000,000 of 20,000,000" in drawn[above + 1]
    assert cli.json("show", child_id)["run"]["parent_id"] == parent_id
    assert parent_id in cli("show", child_id).out


def test_a_run_waits_at_the_cap_that_it_was_given_and_goes_on_when_it_is_raised(
    cli: CommandLine,
) -> None:
    limits = ("--budget", "steps=1", "--when-exhausted", "gate")
    told = cli("run", "chain", *limits, "--wait", "--json")
    assert told.code == 75
    (gate,), run_id = told.data["gates"], told.data["run"]["id"]
    listed = cli("gates").out
    assert f"next: penstock decide {gate['id']} raise 1" in listed
    assert "budget of the run has 0 left: raise its cap of 1 step or stop?" in listed
    for wrong in (("raise",), ("raise", "much"), ("raise", "0.5"), ("finish",), ("approve",)):
        refused = cli("decide", gate["id"], *wrong, "--json")
        assert (refused.code, refused.error["code"]) == (3, "invalid_answer"), wrong
    assert cli("decide", gate["id"], "raise", "5").code == 0
    assert cli.json("budget", run_id)["accounts"][0]["units"][4]["cap"] == 6
    cli("run", "chain", "--wait")
    assert cli.status(run_id) == "succeeded"


def test_a_run_is_stopped_at_its_gate(cli: CommandLine) -> None:
    limits = ("--budget", "steps=1", "--when-exhausted", "gate")
    told = cli("run", "chain", *limits, "--wait", "--json")
    assert cli("decide", told.data["gates"][0]["id"], "stop").code == 0
    shown = cli.json("show", told.data["run"]["id"])["run"]
    assert (shown["status"], shown["failure"]["code"]) == ("failed", "budget_exhausted")


def test_a_run_is_given_its_limits(cli: CommandLine) -> None:
    run_id = cli.start(
        "chain",
        *("--budget", "tokens=500", "--budget", "money=2.50 USD", "--budget", "wall_s=1.5"),
        *("--deadline-s", "60"),
    )
    (account,) = cli.json("budget", run_id)["accounts"]
    caps = {each["unit"]: each["cap"] for each in account["units"]}
    assert caps == {
        "tokens": 500,
        "money": 2_500_000,
        "tool_calls": 10_000,
        "tool_spend": None,
        "steps": 10_000,
        "wall_ms": 1_500,
    }
    assert cli.json("show", run_id)["run"]["deadline_s"] == 60


@pytest.mark.parametrize(
    "cap", ["tokens", "tokens=", "tokens=much", "tokens=-1", "money=5", "calls=1", "steps=1.5"]
)
def test_what_is_no_cap_is_refused(cli: CommandLine, cap: str) -> None:
    refused = cli("run", "chain", "--budget", cap)
    assert refused.code == 2
    assert cli.json("runs")["runs"] == []


def test_a_day_has_the_budget_of_the_settings(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_DAY_BUDGET", "tokens=5000, money=20 USD")
    day = read_settings().budget_of_day()
    assert day is not None
    assert (day.tokens, day.money, day.tool_calls) == (5000, dollars(20_000_000), None)
    for wrong in ("steps=5", "tokens=5, tokens=6", "nothing"):
        monkeypatch.setenv("PENSTOCK_DAY_BUDGET", wrong)
        refused = cli("runs", "--json")
        assert refused.error["code"] == "invalid_settings", wrong
