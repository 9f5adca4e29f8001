"""Payments that people approve: what they decide is what happens, once, and is told truly."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from desk import shop
from desk.graph import POLICY, graph
from penstock.contracts.errors import EditRefused, VoteRefused
from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.run import Run, RunStatus
from penstock.policies import Directory
from support.checkout import ROOT
from support.refund_desk import approve, ask_nobody, be_killed, desk, finish, work
from support.shops import Shop
from world import World

ESPRESSO, MACHINE = "02-espresso-machine", "R-10232"
KEY = f"{ESPRESSO}/{MACHINE}"
PEOPLE = ROOT / "examples" / "refund_desk" / "people.toml"
TOM = "tom.okafor@example.com"


async def test_a_payment_above_the_limit_asks_finance_about_exactly_that(world: World) -> None:
    with desk() as office:
        _, gate = await _asked(office)
    asked = json.loads(gate.question)
    assert asked["may_it_happen"] == "pay"
    assert asked["arguments"] == {"ticket": ESPRESSO, "order": MACHINE, "cents": 489_00}
    assert asked["facts"]["amount"] == asked["facts"]["noted"] == 489_00
    assert (gate.approvals, asked["rules"]) == ({"finance": 1}, ["above-limit"])
    assert gate.expires_at is not None
    assert (gate.expires_at - gate.opened_at).total_seconds() == pytest.approx(4 * 3600, abs=5)
    assert world.evidence.refunds() == []
    assert world.evidence.mails() == []


async def test_a_small_refund_does_not_wait_for_the_approval_of_a_large_one(world: World) -> None:
    with desk() as office:
        await _asked(office, "16-mixed-requests")
    assert [each.order for each in world.evidence.refunds()] == ["R-10248"]


async def test_gates_of_two_orders_are_open_at_once(world: World, tmp_path: Path) -> None:
    with desk(policy=_changed(tmp_path, "amount > 10000 ", "amount > 0 ")) as office:
        run = await office.run(given={"ticket": "06-two-orders"})
        gates = await office.runtime.gates(run.id)
        asked = {json.loads(gate.question)["arguments"]["order"] for gate in gates}
        assert asked == {"R-10237", "R-10238"}
        assert world.evidence.refunds() == []
        ended = await finish(office, run, approve)
    assert ended["refunded_cents"] == 47_50


async def test_a_rejected_payment_is_declined_and_the_reason_stays_in_the_house(
    world: World,
) -> None:
    with desk() as office:
        run, gate = await _asked(office)
        reason = "third machine this year"
        await office.approvals.reject(gate.id, by="fay", binding=gate.binding or "", reason=reason)
        ended = await finish(office, run)
    assert (ended["outcome"], ended["refunded_cents"]) == ("declined", 0)
    assert f"no refund: `fay` rejected it: {reason}." in ended["summary"]
    (refund,) = (each for each in shop.list_refunds(world.home / "shop.db") if each["key"] == KEY)
    assert refund["state"] == "refused"
    letter = _letter(world)
    assert f"request for order {MACHINE} and cannot refund" in letter
    assert reason not in letter
    assert "fay" not in letter
    assert world.evidence.problems() == []


async def test_words_in_place_of_a_payment_decline_it(world: World) -> None:
    with desk() as office:
        run, gate = await _asked(office)
        words = "ask for the serial number first"
        await office.approvals.respond(gate.id, words, by="fay", binding=gate.binding or "")
        ended = await finish(office, run)
    assert ended["outcome"] == "declined"
    assert f"no refund: {words}." in ended["summary"]
    assert words not in _letter(world)
    assert world.evidence.problems() == []


async def test_an_order_whose_payment_was_rejected_can_be_refunded_later(world: World) -> None:
    with desk() as office:
        run, gate = await _asked(office)
        await office.approvals.reject(gate.id, by="fay", binding=gate.binding or "", reason="no")
        await finish(office, run)
    inbox = world.home / "inbox"
    shutil.copy(inbox / f"{ESPRESSO}.txt", inbox / "20-once-more.txt")
    ended = await work("20-once-more", approve)
    assert ended["refunded_cents"] == 489_00


async def test_an_edited_amount_is_what_is_paid_noted_and_told(world: World) -> None:
    with desk() as office:
        run, gate = await _asked(office)
        edited = await _edit(office, gate, cents=300_00)
        with pytest.raises(VoteRefused):
            await office.approvals.approve(edited.id, by="fay", binding=edited.binding or "")
        await office.approvals.approve(edited.id, by="finn", binding=edited.binding or "")
        ended = await finish(office, run)
    assert (ended["outcome"], ended["refunded_cents"]) == ("refunded", 300_00)
    assert "refunded 300.00 EUR of 489.00 EUR as re_" in ended["summary"]
    assert world.evidence.refunded_cents(ESPRESSO) == 300_00
    assert f"refunded 300.00 EUR for order {MACHINE}" in _letter(world)
    assert "489" not in _letter(world)
    assert world.evidence.problems() == []


async def test_a_ticket_that_is_worked_on_again_after_an_edit_is_not_paid_the_rest(
    world: World,
) -> None:
    with desk() as office:
        run, gate = await _asked(office)
        edited = await _edit(office, gate, cents=300_00)
        await office.approvals.approve(edited.id, by="finn", binding=edited.binding or "")
        first = await finish(office, run)
    again = await work(ESPRESSO)
    assert again["refunded_cents"] == first["refunded_cents"] == 300_00
    assert world.evidence.refunded_cents(ESPRESSO) == 300_00
    assert world.evidence.mail_counts() == {ESPRESSO: 1}
    assert world.evidence.problems() == []


@pytest.mark.parametrize(
    "changed",
    [{"cents": 489_01}, {"order": "R-10239"}, {"ticket": "01-broken-kettle"}, {"cents": 0}],
    ids=["more than is noted", "another order", "another ticket", "nothing"],
)
async def test_nobody_can_edit_a_payment_into_one_that_the_shop_has_not_noted(
    world: World, changed: dict[str, Any]
) -> None:
    with desk() as office:
        _, gate = await _asked(office)
        with pytest.raises(EditRefused):
            await _edit(office, gate, **changed)
    assert world.evidence.refunds() == []


async def test_what_nobody_may_pay_asks_nobody_and_is_left_to_a_colleague(world: World) -> None:
    ended = await work(_ask_for(world, "R-10301", 2600_00), ask_nobody)
    assert (ended["outcome"], ended["refunded_cents"]) == ("needs_attention", 0)
    assert "no refund: `pay` is denied by `ceiling`." in ended["summary"]
    assert "A colleague will look into it" in _letter(world)
    assert world.evidence.refunds() == []
    assert world.evidence.problems() == []


async def test_a_very_large_payment_takes_two_of_finance(world: World) -> None:
    with desk() as office:
        run, gate = await _asked(office, _ask_for(world, "R-10301", 1450_00))
        assert gate.approvals == {"finance": 2}
        await office.approvals.approve(gate.id, by="fay", binding=gate.binding or "")
        assert (await office.runtime.gate(gate.id)).status is GateStatus.OPEN
        await office.approvals.approve(gate.id, by="finn", binding=gate.binding or "")
        ended = await finish(office, run)
    assert ended["refunded_cents"] == 1450_00


async def test_a_payment_that_nobody_decides_about_is_left_to_a_colleague(
    world: World, tmp_path: Path
) -> None:
    with desk(policy=_changed(tmp_path, "PT4H", "PT1S")) as office:
        run = await office.runtime.start(graph.name, {"ticket": ESPRESSO}, actor="test")
        async with office.worker():
            ended = await office.values(await office.until(run, RunStatus.SUCCEEDED))
    assert ended["outcome"] == "needs_attention"
    assert "nobody decided in time" in ended["summary"]
    assert "A colleague will look into it" in _letter(world)
    assert world.evidence.refunds() == []
    assert world.evidence.problems() == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_worker_killed_after_an_approval_pays_once_and_asks_nobody_again(
    world: World, when: str
) -> None:
    with desk() as office:
        run, gate = await _asked(office)
        await office.approvals.approve(gate.id, by="fay", binding=gate.binding or "")
        await asyncio.to_thread(be_killed, "refund", when)
        ended = await finish(office, run, ask_nobody)
    assert ended["outcome"] == "refunded"
    assert [each.reference for each in world.evidence.refunds()] == [KEY]
    assert world.evidence.mail_counts() == {ESPRESSO: 1}
    assert world.evidence.problems() == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_worker_killed_after_an_edit_pays_the_edited_amount_once(
    world: World, when: str
) -> None:
    with desk() as office:
        run, gate = await _asked(office)
        edited = await _edit(office, gate, cents=300_00)
        await office.approvals.approve(edited.id, by="finn", binding=edited.binding or "")
        await asyncio.to_thread(be_killed, "refund", when)
        ended = await finish(office, run, ask_nobody)
    assert ended["refunded_cents"] == 300_00
    assert [each.cents for each in world.evidence.refunds()] == [300_00]
    assert world.evidence.problems() == []


async def test_a_worker_killed_before_it_asks_opens_one_gate(world: World) -> None:
    with desk() as office:
        run = await office.runtime.start(graph.name, {"ticket": ESPRESSO}, actor="test")
        await asyncio.to_thread(be_killed, "request_refund", "after")
        async with office.worker():
            await office.until(run, RunStatus.WAITING)
        assert len(await office.runtime.gates(run.id)) == 1
        ended = await finish(office, run, approve)
    assert ended["refunded_cents"] == 489_00
    assert world.evidence.problems() == []


async def test_whoever_has_no_part_in_finance_cannot_approve_a_payment(world: World) -> None:
    with desk(people=Directory.load(PEOPLE)) as office:
        run, gate = await _asked(office, actor="clara")
        for person in ("clara", "demo", "olga", "mallory"):
            with pytest.raises(VoteRefused):
                await office.approvals.approve(gate.id, by=person, binding=gate.binding or "")
        await office.approvals.approve(gate.id, by="finn", binding=gate.binding or "")
        ended = await finish(office, run)
    assert ended["refunded_cents"] == world.evidence.refunded_cents(ESPRESSO) == 489_00


async def _asked(office: Shop, ticket: str = ESPRESSO, *, actor: str = "test") -> tuple[Run, Gate]:
    """Work on a ticket until people are asked about a payment."""
    run = await office.runtime.start(graph.name, {"ticket": ticket}, actor=actor)
    async with office.worker():
        await office.until(run, RunStatus.WAITING)
    (gate,) = await office.runtime.gates(run.id)
    assert gate.kind is GateKind.APPROVAL
    return run, gate


async def _edit(office: Shop, gate: Gate, **changed: Any) -> Gate:
    arguments = json.loads(gate.question)["arguments"] | changed
    return await office.approvals.edit(gate.id, arguments, by="fay", binding=gate.binding or "")


def _ask_for(world: World, order: str, cents: int) -> str:
    """Add an order, and a ticket that asks for its price; return the ticket."""
    new = shop.NewOrder(TOM, "2026-05-01", {"Sofa": cents})
    shop.fill(world.home / "shop.db", {TOM: "Tom Okafor"}, {order: new})
    ticket = "21-sofa"
    letter = (world.home / "inbox" / f"{ESPRESSO}.txt").read_text()
    letter = letter.replace(MACHINE, order).replace("489.00 EUR", f"{cents / 100:.2f} EUR")
    (world.home / "inbox" / f"{ticket}.txt").write_text(letter)
    return ticket


def _changed(folder: Path, old: str, new: str) -> Path:
    """Return the desk's policy with something else in its gates."""
    changed = folder / "changed"
    shutil.copytree(POLICY, changed)
    gates = changed / "gates" / "money.cedar"
    gates.write_text(gates.read_text().replace(old, new))
    return changed


def _letter(world: World) -> str:
    (mail,) = world.evidence.mails()
    return " ".join(mail.get_content().split())
