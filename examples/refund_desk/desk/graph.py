"""The refund desk as a LangGraph graph.

    plan → look_up → propose → gate → refund → mail → verify → summarize

`plan` reads the ticket and `look_up` the shop; `propose` decides for each order whether its refund
may be made, needs a person, or is refused. Every case that needs a person waits at a gate of its
own. `refund` pays what is allowed, `mail` answers the customer, `verify` asks the provider what
really happened, and `summarize` says what came of it.
"""

import asyncio
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy, Send, interrupt

from desk import letters, mail, planner, policy, shop, ticket
from desk.payments import PaymentRefused, Payments, PaymentUnknown
from desk.settings import Settings, read_settings
from desk.state import AtGate, Case, Decision, Desk, Job, Outcome, Result, Tried

# Asking again is safe, because each refund has one key however often it is asked for.
ASK_AGAIN = RetryPolicy(
    retry_on=PaymentUnknown, max_attempts=3, initial_interval=0.1, max_interval=1, jitter=False
)


async def plan(state: Job) -> dict[str, Any]:
    """Read the ticket and find out what it asks for."""
    settings = read_settings()
    letter = await asyncio.to_thread(ticket.read, state.ticket, settings.inbox)
    return {"letter": letter, "plan": await planner.choose(settings.model).read(letter)}


async def look_up(state: Desk) -> dict[str, Any]:
    """Find the orders in the shop."""
    database = read_settings().shop
    orders: dict[str, shop.Order | None] = {}
    for wish in state["plan"]["wishes"]:
        if number := wish["order"]:
            orders[number] = await asyncio.to_thread(
                shop.find_order, database, number, apart_from=refund_key(state, number)
            )
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
    settings = read_settings()
    async with _payments(settings) as payments:
        refunds = [
            await _refund(case, refund_key(state, case["order"]), settings, payments)
            for case in _granted(state)
        ]
    return {"refunds": refunds}


async def _refund(case: Case, key: str, settings: Settings, payments: Payments) -> Tried:
    """Write the refund down, make it, and write down what came of it.

    The shop keeps two tickets from refunding one order twice, the key keeps the provider from
    paying twice when this runs again.
    """
    order, cents = case["order"], case["cents"]
    try:
        noted = await asyncio.to_thread(
            shop.request_refund, settings.shop, key, order=order, cents=cents
        )
    except shop.OverRefunded as error:
        return Tried(order=order, key=key, cents=cents, paid=False, detail=str(error))
    if noted["state"] == "requested":
        try:
            payment = await payments.refund(key=key, order=order, cents=cents)
        except PaymentRefused as error:
            await asyncio.to_thread(
                shop.settle_refund, settings.shop, key, state="refused", payment=None
            )
            return Tried(order=order, key=key, cents=cents, paid=False, detail=str(error))
        await asyncio.to_thread(
            shop.settle_refund, settings.shop, key, state="paid", payment=payment.id
        )
        return Tried(order=order, key=key, cents=cents, paid=True, detail=payment.id)
    detail = noted["payment"] or "the payment provider refused it before"
    return Tried(order=order, key=key, cents=cents, paid=noted["state"] == "paid", detail=detail)


async def send_answer(state: Desk) -> dict[str, Any]:
    """Answer the customer, once, about everything the ticket asked for."""
    settings, letter = read_settings(), state["letter"]
    services = settings.services()
    text = letters.write(
        letter,
        state["plan"],
        state["cases"],
        decisions=state.get("decisions", {}),
        refunds=state.get("refunds", []),
    )
    subject = f"Re: {letter['subject']}"
    message = mail.write(letter["id"], to=letter["sender"], subject=subject, text=text)
    await asyncio.to_thread(
        mail.send,
        message,
        host=services.smtp_host,
        port=services.smtp_port,
        timeout_s=settings.timeout_s,
    )
    answer = {"message_id": mail.message_id(letter["id"]), "to": letter["sender"]}
    return {"answer": {**answer, "subject": subject}}


async def verify(state: Desk) -> dict[str, Any]:
    """Compare what the provider has paid with what we believe."""
    settings = read_settings()
    believed = {each["order"]: each for each in state.get("refunds", []) if each["paid"]}
    problems: list[str] = []
    async with _payments(settings) as payments:
        for order in filter(None, (case["order"] for case in state["cases"])):
            payment = await payments.find(refund_key(state, order))
            paid_cents = payment.cents if payment else 0
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


def refund_key(state: Desk, order: str) -> str:
    """Return the key of an order's refund: one ticket refunds an order at most once."""
    return f"{state['letter']['id']}/{order}"


def _granted(state: Desk) -> list[Case]:
    """Return the cases that may be refunded now."""
    decisions = state.get("decisions", {})
    approved = {order for order, decision in decisions.items() if decision["approved"]}
    return [
        case
        for case in state["cases"]
        if case["action"] == "refund" or (case["action"] == "ask" and case["order"] in approved)
    ]


def _payments(settings: Settings) -> Payments:
    return Payments(settings.services().payments_url, timeout_s=settings.timeout_s)


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
    builder.add_node("refund", refund, metadata={"kind": "tool"}, retry_policy=ASK_AGAIN)
    builder.add_node("mail", send_answer, metadata={"kind": "tool"})
    builder.add_node("verify", verify, metadata={"kind": "verify"}, retry_policy=ASK_AGAIN)
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


graph = build().compile(name="refund_desk")
