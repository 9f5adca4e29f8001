"""The desk's policy says what it should of every call, and what a change of it would do."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from desk.graph import POLICY, graph
from desk.tools import noted, to_sender
from penstock.contracts.policy import Principal, Request, Verdict
from penstock.graphs import Catalog
from penstock.policies import Directory, OpenDirectory
from penstock.runs import Policies
from penstock.runs.policies import check
from support.checkout import ROOT
from support.refund_desk import approve, desk, work
from world import World

PEOPLE = ROOT / "examples" / "refund_desk" / "people.toml"
CLARA = Directory.load(PEOPLE).principal("clara", graph.name, "default")
ALL = graph.tools
LETTER = {"ticket": "t", "to": "tom@example.com", "subject": "Re: t", "text": "Hello"}
OUTSIDE = {"recipient_domains": ["example.com"], "to_sender": True}


class Call(NamedTuple):
    """A call, and what is said of it."""

    tool: str
    facts: Mapping[str, object]
    wanted: str
    """Verdict and ids of policies."""
    who: Principal = CLARA


def pays(cents: int, wanted: str, **facts: object) -> Call:
    """Return a payment of what is noted, on a quiet day."""
    return Call("pay", {"amount": cents, "noted": cents} | facts, wanted)


NOBODY = Directory.load(PEOPLE).principal("mallory", graph.name, "default")
FAY = Directory.load(PEOPLE).principal("fay", graph.name, "default")
CALLS = [
    pays(1, "allow clerks-pay"),
    pays(100_00, "allow clerks-pay"),
    pays(100_01, "ask above-limit"),
    pays(1000_00, "ask above-limit"),
    pays(1000_01, "ask above-limit very-large"),
    pays(2500_00, "ask above-limit very-large"),
    pays(2500_01, "deny ceiling"),
    pays(50_00, "deny as-noted", noted=0),
    pays(50_01, "deny as-noted", noted=50_00),
    pays(30_00, "allow clerks-pay", noted=50_00),
    pays(5_00, "allow clerks-pay", spent_today=2000_00),
    pays(5_00, "ask much-today", spent_today=2000_01),
    pays(500_00, "ask above-limit much-today", spent_today=2000_01),
    pays(5_00, "allow clerks-pay", calls_last_minute=60),
    pays(5_00, "ask too-fast", calls_last_minute=61),
    Call("pay", {"amount": 5_00, "noted": 5_00}, "deny scopes", FAY),
    Call("find_order", {}, "allow look"),
    Call("find_order", {}, "deny tenant", NOBODY),
    Call("find_payments", {}, "allow look", FAY),
    Call("note_refund", {}, "allow keep-books"),
    Call("note_refund", {}, "deny", FAY),
    Call("settle_refund", {}, "allow keep-books"),
    Call("send_mail", OUTSIDE, "allow answer"),
    Call("send_mail_or_ask", OUTSIDE, "allow answer"),
    Call("send_mail", OUTSIDE, "deny", FAY),
    Call("send_mail", OUTSIDE | {"to_sender": False}, "deny to-the-sender"),
    Call("send_mail_or_ask", OUTSIDE | {"to_sender": False}, "deny to-the-sender"),
    Call("send_mail", OUTSIDE | {"recipient_domains": ["shop.example"]}, "deny not-to-ourselves"),
]
ARGS: Mapping[str, dict[str, Any]] = {
    "find_order": {"number": "R-10231", "ticket": "t"},
    "find_payments": {"order": "R-10231", "ticket": "t"},
    "note_refund": {"ticket": "t", "order": "R-10231", "cents": 1},
    "settle_refund": {"ticket": "t", "order": "R-10231", "payment": None, "cents": 1},
    "pay": {"ticket": "t", "order": "R-10231", "cents": 1},
    "send_mail": LETTER,
    "send_mail_or_ask": LETTER,
}
QUIET: Mapping[str, object] = {
    "now": "2026-05-05T12:00:00.000+00:00",
    "weekday": 2,
    "spent_today": 0,
    "calls_last_minute": 0,
    "saw_untrusted": True,
    "saw_private": True,
    "given": [],
    "all_given": False,
}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.tool}, {call.wanted}")
def test_call_is_decided_about_as_it_should(call: Call) -> None:
    policy = check(graph, None, default=None, people=Directory.load(PEOPLE))
    decision = policy.decide(
        Request(
            tool=call.tool,
            tool_version="1",
            tenant="default",
            principal=call.who,
            args=ARGS[call.tool],
            facts={**QUIET, **call.facts},
        )
    )
    assert " ".join([decision.verdict, *decision.reasons]) == call.wanted


def test_every_policy_decides_something_in_the_table() -> None:
    policy = check(graph, None, default=None, people=OpenDirectory())
    told = {reason for call in CALLS for reason in call.wanted.split()[1:]}
    assert {rule.id for rule in policy.rules} <= told


def test_policy_is_sound_and_sees_every_argument() -> None:
    for people in (OpenDirectory(), Directory.load(PEOPLE)):
        assert check(graph, None, default=None, people=people).left_out == ()


def test_every_policy_says_what_it_is_for() -> None:
    policy = check(graph, None, default=None, people=OpenDirectory())
    assert all(rule.annotations.get("doc") for rule in policy.rules)


def test_tickets_and_orders_are_what_they_are() -> None:
    assert graph.taints == {"untrusted"}
    assert {name for name, tool in ALL.items() if tool.contract.taints} == {"find_order"}


def test_letters_go_where_their_tickets_came_from(world: World) -> None:
    assert to_sender(world.tickets[1], "tom.okafor@example.com")
    assert not to_sender(world.tickets[1], "tom.okafor@example.org")


async def test_noted_is_what_the_shop_has_written_down(world: World) -> None:
    ticket = world.tickets[0]
    assert noted(ticket, "R-10231") == 0
    await work(ticket)
    assert noted(ticket, "R-10231") == 34_90
    assert noted(ticket, "R-10232") == 0


async def test_a_lower_limit_tried_out_names_the_payments_that_would_newly_ask(
    world: World, tmp_path: Path
) -> None:
    candidate = tmp_path / "candidate"
    shutil.copytree(POLICY, candidate)
    gates = candidate / "gates" / "money.cedar"
    gates.write_text(gates.read_text().replace("amount > 10000 ", "amount > 4000 "))
    for ticket in ("01-broken-kettle", "02-espresso-machine", "08-german", "17-asks-too-much"):
        await work(ticket, approve)
    assert world.evidence.problems() == []
    with desk() as office:
        policing = Policies(office.store, Catalog.of(graph))
        told = await policing.what_if(graph.name, candidate, tenant="default", since=None)
    newly = [each for each in told if each.is_changed]
    assert {each.before.request.args["cents"] for each in newly} == {42_50, 80_00}
    assert {(each.before.decision.verdict, each.after.verdict) for each in newly} == {
        (Verdict.ALLOW, Verdict.ASK)
    }
