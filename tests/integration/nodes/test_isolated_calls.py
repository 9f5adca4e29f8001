"""Calls of tools that want a process of their own, in a run; and secrets, wherever they run."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest

from penstock.checkpoints import Store
from penstock.contracts.effect import EffectStatus
from penstock.contracts.run import RunStatus
from penstock.nodes import SecretRef, Tool, tool
from penstock.nodes.isolation import sandbox
from support import isolated
from support.shops import Shop, chain_of

CANARY = "c4n4ry-7f3a91"


class State(TypedDict, total=False):
    said: str


def calling(called: Tool[Any], **arguments: Any) -> Callable[[State], Any]:
    """Return a node whose code calls a tool."""

    async def act(_: State) -> State:
        return {"said": str(await called.ainvoke(arguments))}

    return act


@pytest.fixture(autouse=True)
def canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)


async def test_a_result_comes_back_from_another_process(store: Store) -> None:
    shop = Shop(store, chain_of(State, calling(isolated.add, a=2, b=3)))
    run = await shop.run()
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert (await shop.values(run))["said"] == "5"


async def test_what_says_that_nothing_happened_has_failed(store: Store) -> None:
    shop = Shop(store, chain_of(State, calling(isolated.fail, how="permanent")))
    run = await shop.run()
    assert run.status is RunStatus.FAILED
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert (effect.status, effect.error_code) == (EffectStatus.FAILED, "tool_permanent")


async def test_what_dies_in_the_middle_is_in_doubt(store: Store) -> None:
    shop = Shop(store, chain_of(State, calling(isolated.die, signal_number=9)))
    run = await shop.run()
    assert run.status is RunStatus.WAITING, run.failure
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert effect.status is EffectStatus.IN_DOUBT
    assert "SIGKILL" in str(effect.error_message)


async def test_what_does_not_end_is_killed_and_in_doubt(store: Store) -> None:
    spin = tool(
        isolated.spin.function, name="spin", effect="unsafe", isolation="subprocess", timeout_s=3
    )
    shop = Shop(store, chain_of(State, calling(spin, note="round and round")))
    run = await shop.run()
    assert run.status is RunStatus.WAITING, run.failure
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert effect.status is EffectStatus.IN_DOUBT


async def test_a_tier_that_is_missing_refuses(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_why_no_subprocess", lambda: "there is no kernel")
    shop = Shop(store, chain_of(State, calling(isolated.add, a=2, b=3)))
    run = await shop.run()
    assert run.failure is not None
    assert "isolation_missing" in run.failure.message
    assert await shop.runtime.effects(run_id=run.id) == []


# ---- secrets ----


def everything(store: Store) -> str:
    """Return all that the store holds, as text."""

    def dump(connection: Any) -> str:
        names = (
            *("runs", "steps", "gates", "audit_events", "effects", "effect_reports"),
            *("effect_results", "checkpoints", "checkpoint_values", "checkpoint_writes"),
        )
        rows = [
            str(tuple(row))
            for name in names
            for row in connection.exec_driver_sql(f"SELECT * FROM {name}").fetchall()  # noqa: S608
        ]
        return "\n".join(rows)

    return store.read_blocking(dump)


@pytest.mark.parametrize("where", ["result", "error", "permanent"])
async def test_a_secret_is_nowhere_in_the_store(store: Store, where: str) -> None:
    @tool(effect="unsafe")
    async def leak(how: str, token: Annotated[str, SecretRef("CANARY")]) -> str:
        """Leak."""
        if how == "error":
            raise ConnectionError(f"401 for {token}")
        if how == "permanent":
            raise isolated.Permanent(f"401 for {token!r}")
        return f"sent with {token}"

    shop = Shop(store, chain_of(State, calling(leak, how=where)))
    run = await shop.run()
    await asyncio.sleep(0)
    told = everything(store)
    assert run.id in told
    assert "secret" in told
    assert CANARY not in told


async def test_a_missing_secret_refuses_and_nothing_is_begun(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CANARY")

    @tool(effect="unsafe")
    async def send(text: str, token: Annotated[str, SecretRef("CANARY")]) -> str:
        """Send."""
        return text + token

    shop = Shop(store, chain_of(State, calling(send, text="hello")))
    run = await shop.run()
    assert run.failure is not None
    assert "no secret `CANARY`" in run.failure.message
    assert await shop.runtime.effects(run_id=run.id) == []


async def test_a_sensitive_argument_is_not_shown_in_the_ledger(store: Store) -> None:
    @tool(effect="unsafe", sensitive=["card"])
    async def pay(amount: int, card: str) -> str:
        """Pay."""
        return f"paid {amount} {card[:0]}"

    shop = Shop(store, chain_of(State, calling(pay, amount=5, card="4111 1111")))
    run = await shop.run()
    (effect,) = await shop.runtime.effects(run_id=run.id)
    assert effect.arguments == '{"amount":5,"card":"[hidden]"}'
    assert run.status is RunStatus.SUCCEEDED
