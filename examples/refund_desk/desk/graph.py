"""The refund desk as a LangGraph graph.

    plan → look_up → propose → gate → refund → mail → verify → summarize

`plan` reads the ticket and `look_up` the shop; `propose` decides for each order whether its refund
may be made, needs a person, or is refused. Every case that needs a person waits at a gate of its
own. `refund` pays what is allowed, `mail` answers the customer, `verify` asks the provider what
really happened, and `summarize` says what came of it. Whatever touches the world is a tool, and has
a contract in `tools.py`.
"""

import asyncio
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt

from desk import letters, planner, policy, shop, ticket
from desk.settings import MailKind, read_settings
from desk.state import AtGate, Case, Decision, Desk, Job, Outcome, Result, Tried
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
from penstock.contracts.errors import ToolFailed
from penstock.graphs import declare
from penstock.nodes import RefusedByService


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
    """Decide what may be done, what needs a person, and what is refused."""
    limit_cents = read_settings().limit_cents
    cases = policy.propose(state["plan"], state["letter"], state["orders"], limit_cents=limit_cents)
    return {"cases": cases}


def after_propose(state: Desk) -> list[Send] | str:
    """Ask about each case that needs it; else go on with what there is to do."""
    asked = [case for case in state["cases"] if case["action"] == "ask"]
    if asked:
        return [Send("gate", AtGate(case=case, letter=state["letter"])) for case in asked]
    return "refund" if _granted(state) else "mail"


def gate(state: AtGate) -> dict[str, Any]:
    """Wait for a person's decision about one refund."""
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


async def refund(state: Desk) -> dict[str, Any]:
    """Make the refunds that are allowed or approved."""
    ticket_id = state["letter"]["id"]
    return {"refunds": [await _refund(ticket_id, case) for case in _granted(state)]}


async def _refund(ticket_id: str, case: Case) -> Tried:
    """Write the refund down, make it, and write down what came of it.

    This runs again from its first line after a crash. What was done by then is not done again: each
    call of a tool returns what it returned.
    """
    order, cents = case["order"], case["cents"]

    def tried(detail: str, *, paid: bool) -> Tried:
        key = reference(ticket_id, order)
        return Tried(order=order, key=key, cents=cents, paid=paid, detail=detail)

    try:
        noted = await note_refund(ticket=ticket_id, order=order, cents=cents)
    except ToolFailed as error:
        return tried(_refusal(error), paid=False)
    if noted["state"] != "requested":
        detail = noted["payment"] or "the payment provider refused it before"
        return tried(detail, paid=noted["state"] == "paid")
    try:
        payment = await pay(ticket=ticket_id, order=order, cents=cents)
    except ToolFailed as error:
        refusal = _refusal(error)
        await settle_refund(ticket=ticket_id, order=order, payment=None)
        return tried(refusal, paid=False)
    await settle_refund(ticket=ticket_id, order=order, payment=payment.id)
    return tried(payment.id, paid=True)


def _refusal(error: ToolFailed) -> str:
    """Return why a service said no; whatever else went wrong fails the node."""
    if error.outcome.code != RefusedByService.code:
        raise error
    return error.outcome.message


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
    believed = {each["order"]: each for each in state.get("refunds", []) if each["paid"]}
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
    paid = [each for each in state.get("refunds", []) if each["paid"]]
    outcome = _outcome(state, paid_count=len(paid))
    parts = [f"Ticket {state['letter']['id']} from {state['letter']['sender']}: {outcome}."]
    parts += [_told(state, case) for case in state["cases"]]
    parts += [f"Problem: {problem}." for problem in state["problems"]]
    return {
        "outcome": outcome,
        "refunded_cents": sum(each["cents"] for each in paid),
        "summary": " ".join(parts),
    }


def _granted(state: Desk) -> list[Case]:
    """Return the cases that may be refunded now."""
    decisions = state.get("decisions", {})
    approved = {order for order, decision in decisions.items() if decision["approved"]}
    return [
        case
        for case in state["cases"]
        if case["action"] == "refund" or (case["action"] == "ask" and case["order"] in approved)
    ]


def _outcome(state: Desk, *, paid_count: int) -> Outcome:
    if state["problems"]:
        return "needs_attention"
    if not state["cases"]:
        return "forwarded"
    if paid_count:
        return "refunded" if paid_count == len(state["cases"]) else "partly_refunded"
    if state.get("refunds"):
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
    done = f"refunded {letters.money(tried['cents'])} as" if tried["paid"] else "no refund:"
    return f"Order {order}: {case['why']}{decided}, {done} {tried['detail']}."


def build() -> StateGraph[Desk, None, Job, Result]:
    """Lay out the graph."""
    builder = StateGraph(Desk, input_schema=Job, output_schema=Result)
    builder.add_node("plan", plan, metadata={"kind": "plan"})
    builder.add_node("look_up", look_up, metadata={"kind": "tool"})
    builder.add_node("propose", propose, metadata={"kind": "other"})
    builder.add_node("gate", gate, metadata={"kind": "other"})
    builder.add_node("refund", refund, metadata={"kind": "tool"})
    builder.add_node("mail", send_answer, metadata={"kind": "tool"})
    builder.add_node("verify", verify, metadata={"kind": "verify"})
    builder.add_node("summarize", summarize, metadata={"kind": "summarize"})
    builder.add_edge(START, "plan")
    builder.add_edge("plan", "look_up")
    builder.add_edge("look_up", "propose")
    builder.add_conditional_edges("propose", after_propose, ["gate", "refund", "mail"])
    builder.add_edge("gate", "refund")
    builder.add_edge("refund", "mail")
    builder.add_edge("mail", "verify")
    builder.add_edge("verify", "summarize")
    builder.add_edge("summarize", END)
    return builder


graph = declare(build(), name="refund_desk", tools=TOOLS)
