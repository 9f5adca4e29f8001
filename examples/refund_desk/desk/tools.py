"""What the desk does to the world, each as a tool with a contract.

What a policy needs to know of a call stands there too. Its facts are computed here, from what the
desk itself knows: a model that was talked into something chooses arguments, and no facts.

The contract says what becomes of a call whose worker died in the middle, or whose answer was lost:

| tool | class | then |
|---|---|---|
| `find_order`, `find_payments` | `read` | it is made again |
| `note_refund`, `settle_refund` | `transactional` | it was rolled back, and is made again |
| `pay` | `keyed` | it is made again with the same key, by which the provider knows it |
| `send_mail` | `probe` | the mail server is asked whether it has the mail |
| `send_mail_or_ask` | `unsafe` | the run waits until a person says whether it happened |
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Engine

from desk import mail, shop
from desk import ticket as tickets
from desk.payments import Payment, PaymentRefused, Payments
from desk.settings import MailKind, read_settings
from penstock.nodes import (
    DidNot,
    Happened,
    IdempotencyKey,
    RefusedByService,
    Retryable,
    RetryAfter,
    RetryPlan,
    Tool,
    tool,
)
from penstock.policies.facts import fact, minor_units, recipient_domains

Cents = Annotated[int, Field(gt=0, description="In cents of a euro.")]

TIMEOUT_S = 3.0
"""Our services are near: what they have not answered by then, they do not answer."""

MARGIN_S = 1.0
"""What a service was asked for in time, it has done or dropped so long after."""

ASK_AGAIN = RetryPlan(attempt_limit=3, first_wait_s=0.1, longest_wait_s=1.0, after=RetryAfter.ANY)


def shop_engine() -> Engine:
    """Return what connects to the shop; its own transaction is what makes a call whole."""
    return shop.engine(read_settings().shop)


def reference(ticket: str, order: str) -> str:
    """Return what shop and provider call a refund: one ticket refunds an order at most once."""
    return f"{ticket}/{order}"


def noted(ticket: str, order: str) -> int:
    """Return the cents that the shop has written down to be refunded; 0 where it has not."""
    return shop.noted_cents(read_settings().shop, reference(ticket, order))


def to_sender(ticket: str, to: str) -> bool:
    """Tell whether a mail goes to the address that its ticket came from."""
    return to == tickets.read(ticket, read_settings().inbox)["sender"]


@tool(effect="read", timeout_s=TIMEOUT_S, tags={"shop"}, taints={"private"})
def find_order(number: str, ticket: str) -> shop.Order | None:
    """Find an order in the shop, without what this ticket has had refunded of it."""
    database = read_settings().shop
    return shop.find_order(database, number, apart_from=reference(ticket, number))


@tool(effect="transactional", database=shop_engine, timeout_s=TIMEOUT_S, tags={"shop"})
def note_refund(ticket: str, order: str, cents: Cents, connection: Connection) -> shop.Refund:
    """Write down in the shop that a refund is about to be made.

    The shop keeps two tickets from refunding one order twice.
    """
    try:
        key = reference(ticket, order)
        return shop.request_refund(connection, key, order=order, cents=cents)
    except shop.OverRefunded as error:
        raise RefusedByService(str(error)) from error


@tool(
    effect="keyed",
    key="refund:{ticket}/{order}",
    scopes={"payments:write"},
    tags={"money"},
    facts={
        "amount": minor_units("cents", currency=shop.CURRENCY, is_minor=True),
        "noted": fact(noted, type="whole"),
    },
    timeout_s=TIMEOUT_S,
    margin_s=MARGIN_S,
    retry=ASK_AGAIN,
)
async def pay(ticket: str, order: str, cents: Cents, key: IdempotencyKey) -> Payment:
    """Give money back.

    A person who approves it may make it less; the result says what was paid.
    """
    async with _payments() as payments:
        try:
            return await payments.refund(
                key=key, reference=reference(ticket, order), order=order, cents=cents
            )
        except PaymentRefused as error:
            raise RefusedByService(str(error)) from error


@tool(effect="transactional", database=shop_engine, timeout_s=TIMEOUT_S, tags={"shop"})
def settle_refund(
    ticket: str, order: str, payment: str | None, cents: int, connection: Connection
) -> None:
    """Write down in the shop what was paid; without a payment, that nothing was."""
    key = reference(ticket, order)
    state = "paid" if payment else "refused"
    shop.settle_refund(connection, key, state=state, payment=payment, cents=cents)


@tool(effect="read", timeout_s=TIMEOUT_S, tags={"money"}, retry=ASK_AGAIN)
async def find_payments(ticket: str, order: str) -> list[Payment]:
    """Ask the provider what it has really paid."""
    async with _payments() as payments:
        return await payments.find(reference(ticket, order))


MAIL_FACTS = {
    "recipient_domains": recipient_domains("to"),
    "to_sender": fact(to_sender, type="truth"),
}


async def look_for_mail(key: IdempotencyKey) -> Happened | DidNot:
    """Ask the mail server whether it has a mail; it knows it by the key."""
    sought = mail.message_id(key)
    log_url = read_settings().services().mail_log_url
    return Happened(sought) if await mail.is_sent(sought, log_url=log_url) else DidNot()


@tool(
    effect="probe",
    probe=look_for_mail,
    key="answer:{ticket}",
    tags={"mail"},
    facts=MAIL_FACTS,
    timeout_s=TIMEOUT_S,
    margin_s=MARGIN_S,
)
def send_mail(ticket: str, to: str, subject: str, text: str, key: IdempotencyKey) -> str:
    """Answer a customer; return the Message-ID."""
    return _send(ticket, to=to, subject=subject, text=text, key=key)


@tool(
    effect="unsafe",
    key="answer:{ticket}",
    tags={"mail"},
    facts=MAIL_FACTS,
    timeout_s=TIMEOUT_S,
    margin_s=MARGIN_S,
)
def send_mail_or_ask(ticket: str, to: str, subject: str, text: str, key: IdempotencyKey) -> str:
    """Answer a customer by a mail server that cannot be asked; return the Message-ID."""
    return _send(ticket, to=to, subject=subject, text=text, key=key)


SENDERS: Mapping[MailKind, Tool[str]] = {
    MailKind.LOOK_UP: send_mail,
    MailKind.ASK: send_mail_or_ask,
}

TOOLS: tuple[Tool[Any], ...] = (
    find_order,
    note_refund,
    pay,
    settle_refund,
    find_payments,
    *SENDERS.values(),
)


def _send(ticket: str, *, to: str, subject: str, text: str, key: str) -> str:
    services = read_settings().services()
    message = mail.write(key, ticket, to=to, subject=subject, text=text)
    try:
        mail.send(
            message, host=services.smtp_host, port=services.smtp_port, timeout_s=TIMEOUT_S / 2
        )
    except mail.NotTaken as error:
        raise Retryable(str(error)) from error
    except mail.Rejected as error:
        raise RefusedByService(str(error)) from error
    # Any other error leaves open whether it was sent, and the contract says what then.
    return mail.message_id(key)


def _payments() -> Payments:
    return Payments(read_settings().services().payments_url)
