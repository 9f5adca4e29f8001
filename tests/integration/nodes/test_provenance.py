"""What a decision knows of what whoever started the run has said."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypedDict

from pydantic_core import from_json

from penstock.checkpoints import Store
from penstock.contracts.gate import GateStatus
from penstock.nodes import tool
from support.people import Staff
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: str


@tool(effect="unsafe")
async def pay(to: str, amount: int, note: str = "") -> None:
    """Pay somebody."""
    del to, amount, note


@tool(effect="unsafe", sensitive={"account"})
async def cards(holders: list[str], account: str) -> None:
    """Make cards."""
    del holders, account


async def facts(
    store: Store,
    folder: Path,
    said: str,
    call: Callable[[], Awaitable[None]],
    *,
    taints: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the facts that people are shown of a call that a run makes which was told this."""
    for name, text in {
        "allow": '@id("all") permit (principal, action, resource);',
        "gates": '@id("ask") @gate("finance") permit (principal, action, resource);',
    }.items():
        (folder / name).mkdir()
        (folder / name / "all.cedar").write_text(text)

    async def act(_: State) -> State:
        await call()
        return {}

    graph = chain_of(State, act, tools=[pay, cards], taints=taints)
    shop = Shop(store, graph, policy=folder, people=Staff())
    run = await shop.run(given={"said": said})
    (gate,) = [each for each in await shop.runtime.gates(run.id) if each.status is GateStatus.OPEN]
    return from_json(gate.question)["facts"]


async def test_what_was_said_is_known_to_the_policy(store: Store, tmp_path: Path) -> None:
    found = await facts(store, tmp_path, "pay 10 to Ann", lambda: pay(to="Ann", amount=10))
    assert found["given"] == ["amount", "to"]
    assert found["all_given"]


async def test_what_was_not_said_is_known_to_the_policy(store: Store, tmp_path: Path) -> None:
    found = await facts(store, tmp_path, "pay 10 to Ann", lambda: pay(to="Eve", amount=10))
    assert found["given"] == ["amount"]
    assert not found["all_given"]


async def test_what_nobody_is_shown_is_looked_up_as_well(store: Store, tmp_path: Path) -> None:
    found = await facts(
        store, tmp_path, "for Ann", lambda: cards(holders=["Ann"], account="unsaid")
    )
    assert found["given"] == ["holders"]
    assert not found["all_given"]


async def test_nothing_is_given_by_an_input_that_others_wrote(store: Store, tmp_path: Path) -> None:
    found = await facts(
        store,
        tmp_path,
        "pay 10 to Ann",
        lambda: pay(to="Ann", amount=10),
        taints=("untrusted",),
    )
    assert found["given"] == []
    assert found["saw_untrusted"]
    assert not found["all_given"]
