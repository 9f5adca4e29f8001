"""What the desk proposes to do with a wish, from what the shop knows and not from what is asked.

Whether a payment may then be made is for the policy to say, in `policy/`: it needs no reading.
"""

import re
from datetime import date

from desk.shop import Order
from desk.state import Case, Plan, Wish
from desk.ticket import Ticket

RETURN_DAYS = 30


def propose(plan: Plan, ticket: Ticket, orders: dict[str, Order | None]) -> list[Case]:
    """Propose one case for each order that a refund is wanted for."""
    wishes: dict[str, list[Wish]] = {}
    for wish in plan["wishes"]:
        wishes.setdefault(wish["order"] or "", []).append(wish)
    return [_case(number, orders.get(number), wished, ticket) for number, wished in wishes.items()]


def _case(number: str, order: Order | None, wishes: list[Wish], ticket: Ticket) -> Case:
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
    return Case(order=number, action="refund", why="due", cents=cents)


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
