"""The refund desk as a LangGraph graph.

    plan → look_up → propose → gate → grant → refund → mail → verify → summarize

`plan` reads the ticket and `look_up` the shop; `propose` decides for each order whether its refund
is due, needs a person who reads the letter, or is refused. Every case that needs a person waits at
a gate of its own, and `grant` gathers what is to be paid. `refund` pays it, each case by itself:
the policy in `policy/` says which payments people approve first. `mail` answers the customer,
`verify` asks the provider what really happened, and `summarize` says what came of it. Whatever
touches the world is a tool, and has a contract in `tools.py`.
"""

import asyncio
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt

from desk import letters, planner, proposal, shop, ticket
from desk.settings import MailKind, read_settings
from desk.state import AtGate, AtTill, Case, Decision, Desk, Ending, Job, Outcome, Result, Tried
from desk.tools import (
    SENDERS,
    TOOLS,
    find_order,
    find_payments,
    note_refund,
    pay,
    reference,
    settle_refund,
)
from penstock.contracts.call import Stage
from penstock.contracts.errors import ToolFailed, ToolRefused
from penstock.contracts.policy import Taint
from penstock.graphs import declare
from penstock.nodes import RefusedByService

POLICY = Path(__file__).resolve().parent.parent / "policy"
"""What the desk may do, and what people approve first."""


async def plan(state: Job) -> dict[str, Any]:
    """Read the ticket and find out what it asks for."""
    settings = read_settings()
    letter = await asyncio.to_thread(ticket.read, state.ticket, settings.inbox)
    plan = await planner.choose(settings.model).read(letter)
    return {"letter": letter, "plan": plan, "mail": settings.mail.value}


async def look_up(state: Desk) -> dict[str, Any]:
    """Find the orders in the shop."""
    orders: dict[str, shop.Order | None] = {}
    for wish in state["plan"]["wishes"]:
        if number := wish["order"]:
            orders[number] = await find_order(number=number, ticket=state["letter"]["id"])
    return {"orders": orders}


def propose(state: Desk) -> dict[str, Any]:
    """Decide what is due, what needs a person, and what is refused."""
    return {"cases": proposal.propose(state["plan"], state["letter"], state["orders"])}


def after_propose(state: Desk) -> list[Send] | str:
    """Ask about each case that needs it; else go on with what there is to do."""
    asked = [case for case in state["cases"] if case["action"] == "ask"]
    letter = state["letter"]
    return [Send("gate", AtGate(case=case, letter=letter)) for case in asked] or "grant"


def gate(state: AtGate) -> dict[str, Any]:
    """Wait for a person's decision about a refund that somebody else than the buyer asks for.

    That takes somebody who reads the letter. Amounts do not: they are the policy's.
    """
    case, letter = state["case"], state["letter"]
    question = {
        "question": f"Refund {letters.money(case['cents'])} for order {case['order']}?",
        "why": case["why"],
        "order": case["order"],
        "cents": case["cents"],
        "ticket": letter["id"],
        "sender": letter["sender"],
        "subject": letter["subject"],
        "text": letter["text"],
    }
    decision = interrupt(question, response_schema=Decision)
    return {"decisions": {case["order"]: decision.model_dump()}}


def grant(state: Desk) -> dict[str, Any]:
    """Gather the refunds that are to be made now."""
    decisions = state.get("decisions", {})
    approved = {order for order, decision in decisions.items() if decision["approved"]}
    granted = [
        case
        for case in state["cases"]
        if case["action"] == "refund" or (case["action"] == "ask" and case["order"] in approved)
    ]
    return {"granted": granted}


def after_grant(state: Desk) -> list[Send] | str:
    """Make each refund by itself: a small one does not wait until a large one is approved."""
    ticket_id = state["letter"]["id"]
    granted = state["granted"]
    return [Send("refund", AtTill(case=case, ticket=ticket_id)) for case in granted] or "mail"


async def refund(state: AtTill) -> dict[str, Any]:
    """Make one refund: write it down, have it paid, and write down what came of it.

    This runs again from its first line after a crash, and when people have decided at its gate.
    What was done by then is not done again: each call of a tool returns what it returned.
    """
    case, ticket_id = state["case"], state["ticket"]
    order, cents = case["order"], case["cents"]

    def tried(ending: Ending, detail: str, *, cents: int = cents) -> dict[str, Any]:
        key = reference(ticket_id, order)
        return {"refunds": [Tried(order=order, key=key, cents=cents, ending=ending, detail=detail)]}

    try:
        noted = await note_refund(ticket=ticket_id, order=order, cents=cents)
    except ToolFailed as error:
        return tried(*_without_payment(error))
    if noted["state"] == "paid":
        return tried("paid", noted["payment"] or "", cents=noted["cents"])
    if noted["state"] == "refused":
        return tried("failed", "it was refused before")
    try:
        payment = await pay(ticket=ticket_id, order=order, cents=cents)
    except (ToolFailed, ToolRefused) as error:
        ending, why = _without_payment(error)
        await settle_refund(ticket=ticket_id, order=order, payment=None, cents=cents)
        return tried(ending, why)
    # Whoever approved it may have made it less: what counts is what the provider says it paid.
    paid_cents = payment.cents
    await settle_refund(ticket=ticket_id, order=order, payment=payment.id, cents=paid_cents)
    return tried("paid", payment.id, cents=paid_cents)


def _without_payment(error: ToolFailed | ToolRefused) -> tuple[Ending, str]:
    """Return what it means that nothing was paid, and why; all else that goes wrong fails the node.

    A run that fails can be redriven once its reason is mended, such as a policy that is unusable.
    """
    match error:
        case ToolFailed(outcome=outcome) if outcome.code == RefusedByService.code:
            return "failed", outcome.message
        case ToolRefused(outcome=outcome) if outcome.code in {"rejected", "responded"}:
            return "declined", outcome.message
        case ToolRefused(outcome=outcome) if outcome.stage is Stage.GATE:
            return "left", outcome.message
        case ToolRefused(outcome=outcome) if outcome.code == "denied":
            return "left", outcome.message
        case _:
            raise error


async def send_answer(state: Desk) -> dict[str, Any]:
    """Answer the customer, once, about everything the ticket asked for."""
    letter = state["letter"]
    text = letters.write(
        letter,
        state["plan"],
        state["cases"],
        decisions=state.get("decisions", {}),
        refunds=state.get("refunds", []),
    )
    subject = f"Re: {letter['subject']}"
    send = SENDERS[MailKind(state["mail"])]
    sent = await send(ticket=letter["id"], to=letter["sender"], subject=subject, text=text)
    return {"answer": {"message_id": sent, "to": letter["sender"], "subject": subject}}


async def verify(state: Desk) -> dict[str, Any]:
    """Compare what the provider has paid with what we believe."""
    believed = {each["order"]: each for each in _paid(state)}
    problems: list[str] = []
    for order in filter(None, (case["order"] for case in state["cases"])):
        payments = await find_payments(ticket=state["letter"]["id"], order=order)
        paid_cents = sum(each.cents for each in payments)
        believed_cents = believed[order]["cents"] if order in believed else 0
        if paid_cents != believed_cents:
            problems.append(
                f"order {order}: {letters.money(paid_cents)} were paid and"
                f" {letters.money(believed_cents)} should have been"
            )
    return {"problems": problems}


def summarize(state: Desk) -> dict[str, Any]:
    """Say what came of the ticket."""
    paid = _paid(state)
    outcome = _outcome(state, paid_count=len(paid))
    parts = [f"Ticket {state['letter']['id']} from {state['letter']['sender']}: {outcome}."]
    parts += [_told(state, case) for case in state["cases"]]
    parts += [f"Problem: {problem}." for problem in state["problems"]]
    return {
        "outcome": outcome,
        "refunded_cents": sum(each["cents"] for each in paid),
        "summary": " ".join(parts),
    }


def _paid(state: Desk) -> list[Tried]:
    return [each for each in state.get("refunds", []) if each["ending"] == "paid"]


def _outcome(state: Desk, *, paid_count: int) -> Outcome:
    endings = {each["ending"] for each in state.get("refunds", [])}
    if state["problems"] or "left" in endings:
        return "needs_attention"
    if not state["cases"]:
        return "forwarded"
    if paid_count:
        return "refunded" if paid_count == len(state["cases"]) else "partly_refunded"
    if "failed" in endings:
        return "payment_failed"
    unclear = {"no_order_number", "unknown_order"}
    return "asked_back" if {case["why"] for case in state["cases"]} <= unclear else "declined"


def _told(state: Desk, case: Case) -> str:
    """Say what became of one case."""
    order = case["order"] or "without number"
    decision = state.get("decisions", {}).get(case["order"])
    decided = ""
    if decision is not None:
        because = f" ({decision['reason']})" if decision["reason"] else ""
        decided = f", {'approved' if decision['approved'] else 'rejected'}{because}"
    tried = {each["order"]: each for each in state.get("refunds", [])}.get(case["order"])
    if tried is None:
        return f"Order {order}: {case['why']}{decided}, no refund."
    if tried["ending"] != "paid":
        return f"Order {order}: {case['why']}{decided}, no refund: {tried['detail'].rstrip('.')}."
    of = "" if tried["cents"] == case["cents"] else f" of {letters.money(case['cents'])}"
    refunded = f"refunded {letters.money(tried['cents'])}{of} as {tried['detail']}"
    return f"Order {order}: {case['why']}{decided}, {refunded}."


def build() -> StateGraph[Desk, None, Job, Result]:
    """Lay out the graph."""
    builder = StateGraph(Desk, input_schema=Job, output_schema=Result)
    builder.add_node("plan", plan, metadata={"kind": "plan"})
    builder.add_node("look_up", look_up, metadata={"kind": "tool"})
    builder.add_node("propose", propose, metadata={"kind": "other"})
    builder.add_node("gate", gate, metadata={"kind": "other"})
    builder.add_node("grant", grant, metadata={"kind": "other"})
    builder.add_node("refund", refund, metadata={"kind": "tool"})
    builder.add_node("mail", send_answer, metadata={"kind": "tool"})
    builder.add_node("verify", verify, metadata={"kind": "verify"})
    builder.add_node("summarize", summarize, metadata={"kind": "summarize"})
    builder.add_edge(START, "plan")
    builder.add_edge("plan", "look_up")
    builder.add_edge("look_up", "propose")
    builder.add_conditional_edges("propose", after_propose, ["gate", "grant"])
    builder.add_edge("gate", "grant")
    builder.add_conditional_edges("grant", after_grant, ["refund", "mail"])
    builder.add_edge("refund", "mail")
    builder.add_edge("mail", "verify")
    builder.add_edge("verify", "summarize")
    builder.add_edge("summarize", END)
    return builder


# Tickets are written by whoever likes to: nothing that a run is given can be trusted.
graph = declare(build(), name="refund_desk", tools=TOOLS, policy=POLICY, taints={Taint.UNTRUSTED})
