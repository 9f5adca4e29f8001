"""`penstock budget` draws what a run may use, has used and holds."""

from penstock.checkpoints import Store, budgets
from penstock.contracts.budget import Account, AccountKind, Amounts, Budget, HoldKind, run_account
from penstock.contracts.ids import RunId
from penstock.contracts.run import Fence
from support.desk import CommandLine
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
