"""What customers are told: one letter for each ticket, from fixed sentences in their language.

No letter repeats what the customer wrote, none tells a stranger anything about an order, and none
says who decided within the house, or why.
"""

from typing import NamedTuple, assert_never

from desk.shop import CURRENCY
from desk.state import Case, Decided, Ending, Language, Plan, Tried, Why
from desk.ticket import Ticket


class Sentences(NamedTuple):
    """The sentences of one language; `{order}` and `{amount}` are filled in."""

    greeting: str
    apology: str
    refunded: str
    to_colleague: str
    declined: str
    refused: dict[Why, str]
    forwarded: str
    closing: str


SENTENCES: dict[Language, Sentences] = {
    "en": Sentences(
        greeting="Hello {name},",
        apology="We are sorry that we let you down.",
        refunded="We have refunded {amount} for order {order}, to the card or account it was paid"
        " from.",
        to_colleague="We could not send the refund for order {order}. A colleague will look"
        " into it and write to you.",
        declined="We have looked at your request for order {order} and cannot refund it.",
        refused={
            "no_order_number": "Please tell us the number of the order; it begins with R- and"
            " stands in your confirmation.",
            "unknown_order": "We have no order {order}. Please look at the number once more; it"
            " stands in your confirmation.",
            "already_refunded": "Order {order} was refunded in full before.",
            "too_late": "Order {order} cannot be refunded any more: it was delivered more than 30"
            " days before you wrote.",
            "not_the_buyer": "We can speak about order {order} only with the customer who placed"
            " it.",
        },
        forwarded="Thank you for writing. A colleague will answer you.",
        closing="Kind regards,\nthe refund desk",
    ),
    "de": Sentences(
        greeting="Guten Tag {name},",
        apology="Es tut uns leid, dass wir Sie enttäuscht haben.",
        refunded="wir haben Ihnen {amount} für die Bestellung {order} auf dem Weg erstattet, auf"
        " dem sie bezahlt wurde.",
        to_colleague="die Erstattung für die Bestellung {order} ist uns nicht gelungen. Ein"
        " Kollege kümmert sich darum und schreibt Ihnen.",
        declined="wir haben Ihre Bitte zur Bestellung {order} geprüft und können sie nicht"
        " erstatten.",
        refused={
            "no_order_number": "bitte nennen Sie uns die Nummer der Bestellung; sie beginnt mit R-"
            " und steht in der Bestätigung.",
            "unknown_order": "eine Bestellung {order} haben wir nicht. Bitte sehen Sie noch einmal"
            " nach; die Nummer steht in der Bestätigung.",
            "already_refunded": "die Bestellung {order} wurde schon ganz erstattet.",
            "too_late": "die Bestellung {order} können wir nicht mehr erstatten: Sie kam mehr als"
            " 30 Tage vor Ihrer Nachricht an.",
            "not_the_buyer": "über die Bestellung {order} dürfen wir nur mit der Person sprechen,"
            " die sie aufgegeben hat.",
        },
        forwarded="danke für Ihre Nachricht. Ein Kollege antwortet Ihnen.",
        closing="Mit freundlichen Grüßen\ndie Erstattungsstelle",
    ),
}


def write(
    ticket: Ticket,
    plan: Plan,
    cases: list[Case],
    *,
    decisions: dict[str, Decided],
    refunds: list[Tried],
) -> str:
    """Write the text of the answer to a ticket."""
    sentences = SENTENCES[plan["language"]]
    tried = {refund["order"]: refund for refund in refunds}
    paragraphs = [sentences.greeting.format(name=ticket["name"] or ticket["sender"])]
    if plan["upset"]:
        paragraphs.append(sentences.apology)
    for case in cases:
        refund = tried.get(case["order"])
        amount = money(case["cents"] if refund is None else refund["cents"])
        sentence = _sentence(sentences, case, decisions=decisions, tried=tried)
        paragraphs.append(sentence.format(order=case["order"], amount=amount))
    if not cases:
        paragraphs.append(sentences.forwarded)
    paragraphs.append(sentences.closing)
    return "\n\n".join(paragraphs) + "\n"


def money(cents: int) -> str:
    """Return an amount as people read it: `489.00 EUR`."""
    return f"{cents // 100}.{cents % 100:02} {CURRENCY}"


def _sentence(
    sentences: Sentences,
    case: Case,
    *,
    decisions: dict[str, Decided],
    tried: dict[str, Tried],
) -> str:
    refund = tried.get(case["order"])
    if refund is not None:
        return _said_of(refund["ending"], sentences)
    if case["order"] in decisions:
        return sentences.declined
    return sentences.refused[case["why"]]


def _said_of(ending: Ending, sentences: Sentences) -> str:
    match ending:
        case "paid":
            return sentences.refunded
        case "declined":
            return sentences.declined
        case "failed" | "left":
            return sentences.to_colleague
        case _:
            assert_never(ending)
