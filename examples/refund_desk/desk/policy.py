"""What the desk may do with a wish: decided from what the shop knows, not from what is asked."""

import re
from datetime import date

from desk.shop import Order
from desk.state import Case, Plan, Wish
from desk.ticket import Ticket

RETURN_DAYS = 30


def propose(
    plan: Plan, ticket: Ticket, orders: dict[str, Order | None], *, limit_cents: int
) -> list[Case]:
    """Propose one case for each order that a refund is wanted for."""
    wishes: dict[str, list[Wish]] = {}
    for wish in plan["wishes"]:
        wishes.setdefault(wish["order"] or "", []).append(wish)
    return [
        _case(number, orders.get(number), wished, ticket, limit_cents=limit_cents)
        for number, wished in wishes.items()
    ]


def _case(
    number: str, order: Order | None, wishes: list[Wish], ticket: Ticket, *, limit_cents: int
) -> Case:
    if not number:
        return Case(order="", action="refuse", why="no_order_number", cents=0)
    if order is None:
        return Case(order=number, action="refuse", why="unknown_order", cents=0)
    refundable_cents = order["total_cents"] - order["refunded_cents"]
    wanted_cents = sum(_wanted_cents(wish, order) for wish in wishes)
    cents = min(wanted_cents, refundable_cents)
    # Somebody else's order is shown to a person before anything about it is told to the sender.
    if order["customer"] != ticket["sender"]:
        action = "ask" if cents else "refuse"
        return Case(order=number, action=action, why="not_the_buyer", cents=cents)
    if cents == 0:
        return Case(order=number, action="refuse", why="already_refunded", cents=0)
    if _days(order["delivered_on"], ticket["received_on"]) > RETURN_DAYS:
        return Case(order=number, action="refuse", why="too_late", cents=0)
    if cents > limit_cents:
        return Case(order=number, action="ask", why="above_limit", cents=cents)
    return Case(order=number, action="refund", why="allowed", cents=cents)


def _wanted_cents(wish: Wish, order: Order) -> int:
    if wish["cents"]:
        return wish["cents"]
    return _price(wish["item"], order) if wish["item"] else order["total_cents"]


def _price(item: str, order: Order) -> int:
    """Return the price of the products that sound most like `item`, or of all if none does."""
    alike = [len(_words(line["product"]) & _words(item)) for line in order["lines"]]
    most = max(alike)
    pairs = zip(order["lines"], alike, strict=True)
    return sum(line["cents"] for line, count in pairs if count == most)


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\w{3,}", text)}


def _days(earlier: str, later: str) -> int:
    return (date.fromisoformat(later) - date.fromisoformat(earlier)).days
