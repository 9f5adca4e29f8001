"""What the desk knows while it works on a ticket: plain data, so that any checkpointer keeps it."""

import operator
from typing import Annotated, Literal, TypedDict

from pydantic import BaseModel, Field

from desk.shop import Order
from desk.ticket import Ticket

Language = Literal["en", "de"]

Action = Literal["refund", "ask", "refuse"]
"""Refund at once, ask a person first, or refuse."""

Why = Literal[
    "due",
    "not_the_buyer",
    "no_order_number",
    "unknown_order",
    "already_refunded",
    "too_late",
]

Outcome = Literal[
    "refunded",
    "partly_refunded",
    "payment_failed",
    "declined",
    "asked_back",
    "forwarded",
    "needs_attention",
]


Ending = Literal["paid", "failed", "declined", "left"]
"""What became of a refund that the desk tried to make: the provider paid it or refused, a person
said no, or it is left to people: the policy lets nobody pay it, or nobody decided in time."""


class Job(BaseModel):
    """What the desk is started with."""

    ticket: str = Field(
        description="The ticket to work on: the name of its file in the inbox, with or without"
        " `.txt`.",
        min_length=1,
        examples=["02-espresso-machine"],
    )


class Decision(BaseModel):
    """A person's answer to a refund that the desk may not make by itself."""

    approved: bool = Field(description="Whether to make the refund.")
    reason: str = Field(default="", description="Why; for the record, not for the customer.")


class Decided(TypedDict):
    """A `Decision` as it is kept."""

    approved: bool
    reason: str


class Wish(TypedDict):
    """A refund that the customer wants."""

    order: str | None
    """The order's number in the shop's form, `R-10231`; None where the ticket names none."""
    cents: int | None
    """The amount the customer names; None for whatever was paid."""
    item: str | None
    """The one product it is about, in the customer's words; None for the whole order."""


class Plan(TypedDict):
    """What the ticket asks for."""

    wishes: list[Wish]
    """Empty where the ticket does not ask for a refund."""
    language: Language
    upset: bool


class Case(TypedDict):
    """What the desk proposes for one order."""

    order: str
    """Its number; empty where the ticket named none."""
    action: Action
    why: Why
    cents: int
    """What would be refunded; 0 where it is refused."""


class AtGate(TypedDict):
    """What the gate is shown: one case, so that each has a question of its own."""

    case: Case
    letter: Ticket


class AtTill(TypedDict):
    """What a refund is made from: one case, so that none waits for another's approval."""

    case: Case
    ticket: str


class Tried(TypedDict):
    """What became of a refund that the desk tried to make."""

    order: str
    key: str
    cents: int
    """What was paid, which a person may have made less than was wanted; else what was wanted."""
    ending: Ending
    detail: str
    """The provider's id for the payment, or why there is none; for our people alone."""


class Answer(TypedDict):
    """The mail that was sent."""

    message_id: str
    to: str
    subject: str


class Result(TypedDict):
    """What the desk ends with."""

    outcome: Outcome
    refunded_cents: int
    summary: str


def _both(some: dict[str, Decided], more: dict[str, Decided]) -> dict[str, Decided]:
    """Put together what several gates were told."""
    return some | more


class Desk(TypedDict):
    """The state of the graph; a key is set by the node that finds it out."""

    ticket: str
    letter: Ticket
    plan: Plan
    mail: str
    """How the answer is sent, a `MailKind`. It is noted at the beginning: were it changed in the
    middle, the answer would be another call, and be sent again."""
    orders: dict[str, Order | None]
    cases: list[Case]
    decisions: Annotated[dict[str, Decided], _both]
    """People's answers by order number."""
    granted: list[Case]
    """What is to be refunded, as far as the desk can say."""
    refunds: Annotated[list[Tried], operator.add]
    answer: Answer
    problems: list[str]
    """What was found to be otherwise than it should be; empty when all is well."""
    outcome: Outcome
    refunded_cents: int
    summary: str
