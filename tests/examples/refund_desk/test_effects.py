"""Whatever goes wrong, an order is refunded once, and what happened can be counted."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from desk import graph as desk_graph
from desk import shop
from desk.graph import build
from desk.payments import PaymentRefused, Payments, PaymentUnknown
from desk.settings import ServicesMissing, read_settings
from penstock.checkpoints import Checkpointer, Store, migrate
from support.checkout import ROOT, import_path
from support.refund_desk import approve, work
from world import Evidence, Fault, World

KETTLE = "01-broken-kettle"
ORDER = "R-10231"

WORKER = """
import asyncio, json, sys
from desk.graph import build
from penstock.checkpoints import Checkpointer, Store

async def main(url):
    with Store.open(url) as store:
        graph = build().compile(checkpointer=Checkpointer(store))
        config = {"configurable": {"thread_id": "t"}}
        question = {"ticket": "01-broken-kettle"}
        async for event in graph.astream(question, config, stream_mode="debug", durability="sync"):
            if event["type"] == "task":
                print(event["payload"]["name"], flush=True)

asyncio.run(main(sys.argv[1]))
"""


class Died(Exception):
    """A worker that dies."""


async def test_refused_payment_ends_politely_without_a_refund(world: World) -> None:
    world.fail_payments(ORDER, Fault.REFUSE)
    ended = await work(KETTLE)
    assert ended["outcome"] == "payment_failed"
    assert ended["refunded_cents"] == 0
    assert world.evidence.refunds() == []
    (mail,) = world.evidence.mails()
    assert "A colleague will look" in mail.get_content()
    assert world.evidence.problems() == []


async def test_refused_payment_leaves_the_order_refundable(world: World) -> None:
    world.fail_payments(ORDER, Fault.REFUSE)
    await work(KETTLE)
    _put_again(world, "20-once-more")
    ended = await work("20-once-more")
    assert ended["refunded_cents"] == 34_90


@pytest.mark.parametrize("kind", [Fault.DROP, Fault.HANG])
async def test_lost_answer_is_asked_for_again_under_the_same_key(
    world: World, kind: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUND_DESK_TIMEOUT_S", "0.3")
    world.fail_payments("*", kind)
    ended = await work(KETTLE)
    assert ended["outcome"] == "refunded"
    assert [each.key for each in world.evidence.refunds()] == [f"{KETTLE}/{ORDER}"]
    assert world.evidence.ledger.request_count(ORDER) == 2
    assert world.evidence.problems() == []


async def test_provider_that_never_answers_fails_the_run_which_can_go_on_later(
    world: World,
) -> None:
    world.fail_payments(ORDER, Fault.DROP, times=3)
    saver = InMemorySaver()
    with pytest.raises(PaymentUnknown):
        await work(KETTLE, saver=saver)
    assert shop.list_refunds(world.home / "shop.db")[0]["state"] == "requested"

    await _go_on(saver)
    assert [each.order for each in world.evidence.refunds()] == [ORDER]
    assert world.evidence.mail_counts() == {KETTLE: 1}
    assert world.evidence.problems() == []


async def test_worker_that_dies_after_the_payment_pays_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Died

    saver = InMemorySaver()
    with monkeypatch.context() as patched:
        patched.setattr(desk_graph.shop, "settle_refund", die)
        with pytest.raises(Died):
            await work(KETTLE, saver=saver)
    assert len(world.evidence.refunds()) == 1
    assert world.evidence.problems() == [f"refund `{KETTLE}/{ORDER}`: 3490 cents paid, 0 noted"]

    await _go_on(saver)
    assert len(world.evidence.refunds()) == 1
    assert world.evidence.problems() == []


async def test_steps_run_again_pay_nothing_twice_and_a_second_mail_is_counted(
    world: World,
) -> None:
    saver = InMemorySaver()
    await work(KETTLE, saver=saver)
    graph = build().compile(checkpointer=saver)
    history = [each async for each in graph.aget_state_history(_on(KETTLE))]
    (before,) = (each for each in history if each.next == ("look_up",))
    await graph.ainvoke(None, before.config)

    assert len(world.evidence.refunds()) == 1
    assert world.evidence.mail_counts() == {KETTLE: 2}
    assert len({mail["Message-ID"] for mail in world.evidence.mails()}) == 1
    assert world.evidence.problems() == [f"ticket `{KETTLE}` was answered 2 times"]


async def test_two_tickets_cannot_both_refund_one_order(world: World) -> None:
    again = _put_again(world, "20-again")
    ended = await asyncio.gather(work(KETTLE), work(again))
    assert sorted(each["refunded_cents"] for each in ended) == [0, 34_90]
    assert [each.order for each in world.evidence.refunds()] == [ORDER]
    assert world.evidence.problems() == []


async def test_worker_killed_while_it_pays_is_followed_by_another(
    world: World, sqlite_url: str
) -> None:
    world.fail_payments(ORDER, Fault.HANG)
    migrate(sqlite_url)
    nodes = await asyncio.to_thread(_work_and_be_killed, sqlite_url, inside="refund")
    assert nodes == ["plan", "look_up", "propose", "refund"]
    world.fail_payments(ORDER, Fault.HANG, times=0)

    with Store.open(sqlite_url) as store:
        graph = build().compile(checkpointer=Checkpointer(store))
        ended = await graph.ainvoke(None, _on("t"), durability="sync")
    assert ended["outcome"] == "refunded"
    assert [each.order for each in world.evidence.refunds()] == [ORDER]
    assert world.evidence.problems() == []


async def test_gates_of_two_orders_are_open_at_once(
    world: World, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUND_DESK_LIMIT_CENTS", "0")
    migrate(sqlite_url)
    with Store.open(sqlite_url) as store:
        saver = Checkpointer(store)
        graph = build().compile(checkpointer=saver)
        given: Any = {"ticket": "06-two-orders"}
        await graph.ainvoke(given, _on("06-two-orders"), durability="sync")
        asked = (await graph.aget_state(_on("06-two-orders"))).interrupts
        assert {each.value["order"] for each in asked} == {"R-10237", "R-10238"}
        assert world.evidence.refunds() == []
        ended = await work("06-two-orders", approve, saver=saver)
    assert ended["refunded_cents"] == 47_50


@pytest.mark.usefixtures("world")
async def test_verify_finds_what_somebody_else_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise PaymentRefused("lie", "it was paid all the same")

    async with Payments(read_settings().services().payments_url, timeout_s=5) as payments:
        await payments.refund(key=f"{KETTLE}/{ORDER}", order=ORDER, cents=34_90)
    monkeypatch.setattr(Payments, "refund", refuse)
    ended = await work(KETTLE)
    assert ended["outcome"] == "needs_attention"
    assert "34.90 EUR were paid and 0.00 EUR should have been" in ended["summary"]


async def test_key_cannot_stand_for_another_refund(world: World) -> None:
    async with Payments(read_settings().services().payments_url, timeout_s=5) as payments:
        await payments.refund(key="k", order=ORDER, cents=100)
        with pytest.raises(PaymentRefused, match="key_reused"):
            await payments.refund(key="k", order=ORDER, cents=200)
    assert [each.cents for each in world.evidence.refunds()] == [100]


def test_world_started_again_knows_what_it_knew(world: World) -> None:
    home = world.home
    database = home / "shop.db"
    shop.request_refund(database, "k", order=ORDER, cents=100)
    shop.settle_refund(database, "k", state="refused", payment=None)
    with World(home) as again:
        assert [each["key"] for each in shop.list_refunds(database)] == ["earlier/R-10205", "k"]
        assert again.evidence.problems() == Evidence(home).problems() == []


def test_settled_refund_cannot_be_settled_otherwise(world: World) -> None:
    database = world.home / "shop.db"
    shop.request_refund(database, "k", order=ORDER, cents=100)
    shop.settle_refund(database, "k", state="paid", payment="re_1")
    shop.settle_refund(database, "k", state="paid", payment="re_1")
    with pytest.raises(shop.RefundChanged):
        shop.settle_refund(database, "k", state="refused", payment=None)


def test_desk_without_services_says_how_to_start_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUND_DESK_HOME", str(tmp_path))
    with pytest.raises(ServicesMissing, match="python -m world"):
        read_settings().services()


def _work_and_be_killed(url: str, *, inside: str) -> list[str]:
    """Let a process work, kill it inside a node, and return the nodes that it began."""
    path = os.pathsep.join([import_path(), str(ROOT / "examples" / "refund_desk")])
    environment = {**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true", "PYTHONPATH": path}
    command = [sys.executable, "-c", WORKER, url]
    nodes: list[str] = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as worker:
        for line in worker.stdout or ():
            nodes.append(line.strip())
            if nodes[-1] == inside:
                worker.send_signal(signal.SIGKILL)
                break
    return nodes


def _put_again(world: World, name: str) -> str:
    """Put a copy of a ticket into the inbox."""
    inbox = world.home / "inbox"
    (inbox / f"{name}.txt").write_bytes((inbox / f"{KETTLE}.txt").read_bytes())
    return name


def _on(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


async def _go_on(saver: InMemorySaver) -> None:
    """Go on where a worker stopped."""
    graph = build().compile(checkpointer=saver)
    await graph.ainvoke(None, _on(KETTLE), durability="sync")
