"""Whatever goes wrong, an order is refunded once and a ticket answered once, or a person asked."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from desk import shop
from desk.graph import graph
from desk.payments import PaymentRefused, Payments
from desk.settings import ServicesMissing, read_settings
from penstock.contracts.effect import EffectStatus
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import Run, RunStatus
from support.refund_desk import be_killed, desk, environment, finish, work
from support.shops import Shop
from world import Evidence, Fault, MailFault, World

KETTLE = "01-broken-kettle"
ORDER = "R-10231"
WHOLE_S = 4.5
"""After so long, no attempt of a tool of the desk can still land."""


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
async def test_lost_answer_is_asked_for_again_under_the_same_key(world: World, kind: Fault) -> None:
    world.fail_payments("*", kind)
    ended = await work(KETTLE)
    assert ended["outcome"] == "refunded"
    assert [each.reference for each in world.evidence.refunds()] == [f"{KETTLE}/{ORDER}"]
    assert world.evidence.ledger.request_count(ORDER) == 2
    assert world.evidence.problems() == []


async def test_a_person_is_asked_about_a_payment_that_is_never_answered(world: World) -> None:
    world.fail_payments(ORDER, Fault.DROP, times=3)
    with desk() as office:
        run, gate = await _in_doubt(office)
        assert (await _doubtful(office, run)) == ["pay"]
        await asyncio.sleep(WHOLE_S)
        await office.runtime.decide(gate.id, {"answer": "retry"}, by="ann")
        ended = await finish(office, run)
    assert ended["outcome"] == "refunded"
    assert [each.order for each in world.evidence.refunds()] == [ORDER]
    assert world.evidence.mail_counts() == {KETTLE: 1}
    assert world.evidence.problems() == []


# ---- mail ----


@pytest.mark.parametrize("kind", list(MailFault))
async def test_the_desk_finds_out_by_itself_whether_a_mail_was_sent(
    world: World, kind: MailFault
) -> None:
    world.fail_mails(kind)
    ended = await work(KETTLE)
    assert world.evidence.mail_counts() == {KETTLE: 1}
    (mail,) = world.evidence.mails()
    assert mail["Message-ID"] == ended["answer"]["message_id"]
    assert world.evidence.problems() == []


async def test_a_mail_that_cannot_be_looked_up_waits_for_a_person(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUND_DESK_MAIL", "ask")
    world.fail_mails(MailFault.DROP)
    with desk() as office:
        run, gate = await _in_doubt(office)
        assert (await _doubtful(office, run)) == ["send_mail_or_ask"]
        await asyncio.sleep(WHOLE_S)
        await asyncio.to_thread(_decide, gate, {"answer": "happened", "result": "seen in the log"})
        ended = await finish(office, run)
    assert ended["answer"]["message_id"] == "seen in the log"
    assert world.evidence.mail_counts() == {KETTLE: 1}


async def test_a_mail_that_a_person_knows_to_be_lost_is_sent_when_they_say_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUND_DESK_MAIL", "ask")
    world.fail_mails(MailFault.LOSE)
    with desk() as office:
        run, gate = await _in_doubt(office)
        assert world.evidence.mail_counts() == {}
        await asyncio.sleep(WHOLE_S)
        await asyncio.to_thread(_decide, gate, {"answer": "retry"})
        await finish(office, run)
    assert world.evidence.mail_counts() == {KETTLE: 1}


async def test_an_answer_goes_out_the_way_that_was_set_when_its_ticket_was_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fail_payments(ORDER, Fault.DROP, times=3)
    with desk() as office:
        run, gate = await _in_doubt(office)
        monkeypatch.setenv("REFUND_DESK_MAIL", "ask")
        await asyncio.sleep(WHOLE_S)
        await office.runtime.decide(gate.id, {"answer": "retry"}, by="ann")
        await finish(office, run)
        tools = {effect.tool for effect in await office.runtime.effects(run_id=run.id)}
    assert "send_mail" in tools


# ---- kills ----


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("function", ["request_refund", "refund", "settle_refund", "send"])
async def test_a_worker_that_is_killed_pays_and_mails_nothing_twice(
    world: World, function: str, when: str
) -> None:
    with desk() as office:
        run = await _start(office)
        await asyncio.to_thread(be_killed, function, when)
        ended = await finish(office, run)
    assert ended["outcome"] == "refunded"
    assert [each.reference for each in world.evidence.refunds()] == [f"{KETTLE}/{ORDER}"]
    assert world.evidence.mail_counts() == {KETTLE: 1}
    assert world.evidence.problems() == []


@pytest.mark.parametrize(("when", "answer"), [("before", "retry"), ("after", "happened")])
async def test_a_worker_that_is_killed_while_it_mails_blindly_leaves_it_to_a_person(
    world: World, monkeypatch: pytest.MonkeyPatch, when: str, answer: str
) -> None:
    monkeypatch.setenv("REFUND_DESK_MAIL", "ask")
    with desk() as office:
        run = await _start(office)
        await asyncio.to_thread(be_killed, "send", when)
        gate = await _gate(office, run)
        await asyncio.sleep(WHOLE_S)
        told = {"answer": answer} | ({"result": "told by phone"} if answer == "happened" else {})
        await asyncio.to_thread(_decide, gate, told)
        await finish(office, run)
    assert world.evidence.mail_counts() == {KETTLE: 1}
    assert world.evidence.problems() == []


# ---- one thing, several runs ----


async def test_a_ticket_that_is_worked_on_again_is_paid_and_answered_once(world: World) -> None:
    first = await work(KETTLE)
    again = await work(KETTLE)
    assert again["answer"] == first["answer"]
    assert len(world.evidence.refunds()) == 1
    assert world.evidence.mail_counts() == {KETTLE: 1}
    assert world.evidence.problems() == []


async def test_two_tickets_cannot_both_refund_one_order(world: World) -> None:
    again = _put_again(world, "20-again")
    ended = await asyncio.gather(work(KETTLE), work(again))
    assert sorted(each["refunded_cents"] for each in ended) == [0, 34_90]
    assert [each.order for each in world.evidence.refunds()] == [ORDER]
    assert world.evidence.problems() == []


# ---- the services ----


@pytest.mark.usefixtures("world")
async def test_verify_finds_what_somebody_else_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise PaymentRefused("lie", "it was paid all the same")

    async with Payments(read_settings().services().payments_url) as payments:
        reference = f"{KETTLE}/{ORDER}"
        await payments.refund(key="theirs", reference=reference, order=ORDER, cents=34_90)
    monkeypatch.setattr(Payments, "refund", refuse)
    ended = await work(KETTLE)
    assert ended["outcome"] == "needs_attention"
    assert "34.90 EUR were paid and 0.00 EUR should have been" in ended["summary"]


async def test_key_cannot_stand_for_another_refund(world: World) -> None:
    async with Payments(read_settings().services().payments_url) as payments:
        await payments.refund(key="k", reference="r", order=ORDER, cents=100)
        with pytest.raises(PaymentRefused, match="key_reused"):
            await payments.refund(key="k", reference="r", order=ORDER, cents=200)
    assert [each.cents for each in world.evidence.refunds()] == [100]


def test_world_started_again_knows_what_it_knew(world: World) -> None:
    home = world.home
    database = home / "shop.db"
    with shop.opened(database) as connection:
        shop.request_refund(connection, "k", order=ORDER, cents=100)
        shop.settle_refund(connection, "k", state="refused", payment=None, cents=100)
    with World(home) as again:
        assert [each["key"] for each in shop.list_refunds(database)] == ["earlier/R-10205", "k"]
        assert again.evidence.problems() == Evidence(home).problems() == []


def test_settled_refund_cannot_be_settled_otherwise(world: World) -> None:
    with shop.opened(world.home / "shop.db") as connection:
        shop.request_refund(connection, "k", order=ORDER, cents=100)
        shop.settle_refund(connection, "k", state="paid", payment="re_1", cents=100)
        shop.settle_refund(connection, "k", state="paid", payment="re_1", cents=100)
        with pytest.raises(shop.RefundChanged):
            shop.settle_refund(connection, "k", state="refused", payment=None, cents=100)


def test_refund_cannot_be_settled_with_more_than_was_noted(world: World) -> None:
    with shop.opened(world.home / "shop.db") as connection:
        shop.request_refund(connection, "k", order=ORDER, cents=100)
        with pytest.raises(shop.RefundChanged):
            shop.settle_refund(connection, "k", state="paid", payment="re_1", cents=101)


def test_desk_without_services_says_how_to_start_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUND_DESK_HOME", str(tmp_path))
    with pytest.raises(ServicesMissing, match="python -m world"):
        read_settings().services()


async def _start(office: Shop) -> Run:
    return await office.runtime.start(graph.name, {"ticket": KETTLE}, actor="test")


async def _in_doubt(office: Shop) -> tuple[Run, Gate]:
    """Work on the ticket until nobody knows whether a call of it happened."""
    run = await _start(office)
    return run, await _gate(office, run)


async def _gate(office: Shop, run: Run) -> Gate:
    """Go on with a run until it waits at a gate about a call in doubt."""
    async with office.worker():
        await office.until(run, RunStatus.WAITING)
    gates = await office.runtime.gates(run.id)
    (gate,) = (each for each in gates if each.status is GateStatus.OPEN)
    assert gate.kind is GateKind.IN_DOUBT
    return gate


async def _doubtful(office: Shop, run: Run) -> list[str]:
    found = await office.runtime.effects(run_id=run.id, statuses=[EffectStatus.IN_DOUBT])
    return [effect.tool for effect in found]


def _decide(gate: Gate, answer: object) -> None:
    """Answer a gate as a person does."""
    command = [sys.executable, "-m", "penstock.ui", "decide", gate.id, json.dumps(answer)]
    subprocess.run(command, env=environment(), timeout=60, check=True, capture_output=True)


def _put_again(world: World, name: str) -> str:
    """Put a copy of a ticket into the inbox."""
    inbox = world.home / "inbox"
    (inbox / f"{name}.txt").write_bytes((inbox / f"{KETTLE}.txt").read_bytes())
    return name
