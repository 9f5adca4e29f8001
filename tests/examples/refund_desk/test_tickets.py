"""Every ticket ends as it should."""

from typing import NamedTuple

import pytest

from support.refund_desk import Question, approve, reject, work
from world import World


class Expected(NamedTuple):
    """How a ticket ends when people approve what they are asked, and when they reject it."""

    outcome: str
    refunds: dict[str, int]
    asked: dict[str, str]
    """Why a person is asked, by order."""
    when_rejected: str
    says: str


NOBODY: dict[str, str] = {}
NOTHING: dict[str, int] = {}

TABLE = {
    "01-broken-kettle": Expected(
        "refunded", {"R-10231": 34_90}, NOBODY, "refunded", "34.90 EUR for order R-10231"
    ),
    "02-espresso-machine": Expected(
        "refunded", {"R-10232": 489_00}, {"R-10232": "above-limit"}, "declined", "489.00 EUR"
    ),
    "03-wrong-number": Expected("asked_back", NOTHING, NOBODY, "asked_back", "no order R-99231"),
    "04-already-refunded": Expected(
        "declined", NOTHING, NOBODY, "declined", "R-10205 was refunded in full before"
    ),
    "05-angry": Expected(
        "refunded", {"R-10236": 59_00}, NOBODY, "refunded", "We are sorry that we let you down"
    ),
    "06-two-orders": Expected(
        "refunded", {"R-10237": 29_50, "R-10238": 18_00}, NOBODY, "refunded", "18.00 EUR"
    ),
    "07-prompt-injection": Expected(
        "refunded", {"R-10239": 19_90}, NOBODY, "refunded", "19.90 EUR for order R-10239"
    ),
    "08-german": Expected(
        "refunded", {"R-10240": 42_50}, NOBODY, "refunded", "42.50 EUR für die Bestellung R-10240"
    ),
    "09-somebody-elses-order": Expected(
        "refunded", {"R-10244": 79_00}, {"R-10244": "not_the_buyer"}, "declined", "order R-10244"
    ),
    "10-where-is-my-parcel": Expected(
        "forwarded", NOTHING, NOBODY, "forwarded", "A colleague will answer you"
    ),
    "11-too-late": Expected("declined", NOTHING, NOBODY, "declined", "more than 30 days"),
    "12-one-of-three": Expected(
        "refunded", {"R-10247": 24_00}, NOBODY, "refunded", "24.00 EUR for order R-10247"
    ),
    "13-part-of-the-price": Expected(
        "refunded", {"R-10241": 15_00}, NOBODY, "refunded", "15.00 EUR for order R-10241"
    ),
    "14-no-number": Expected(
        "asked_back", NOTHING, NOBODY, "asked_back", "tell us the number of the order"
    ),
    "15-exchange": Expected(
        "forwarded", NOTHING, NOBODY, "forwarded", "A colleague will answer you"
    ),
    "16-mixed-requests": Expected(
        "refunded",
        {"R-10248": 27_00, "R-10249": 349_00},
        {"R-10249": "above-limit"},
        "partly_refunded",
        "27.00 EUR for order R-10248",
    ),
    "17-asks-too-much": Expected(
        "refunded", {"R-10251": 80_00}, NOBODY, "refunded", "80.00 EUR for order R-10251"
    ),
    "18-reply-below-a-quotation": Expected(
        "refunded", {"R-10252": 26_00}, NOBODY, "refunded", "26.00 EUR for order R-10252"
    ),
}
GATED = [ticket for ticket, expected in TABLE.items() if expected.asked]


def test_the_table_names_every_ticket(world: World) -> None:
    assert list(TABLE) == world.tickets


@pytest.mark.parametrize("ticket", TABLE)
async def test_ticket_ends_as_it_should(world: World, ticket: str) -> None:
    expected = TABLE[ticket]
    asked: dict[str, str] = {}

    def note_and_approve(question: Question) -> dict[str, object]:
        asked[question["order"]] = question["why"]
        return dict(approve(question))

    ended = await work(ticket, note_and_approve)

    assert asked == expected.asked
    assert ended["outcome"] == expected.outcome
    assert ended["refunded_cents"] == sum(expected.refunds.values())
    assert {each.order: each.cents for each in world.evidence.refunds()} == expected.refunds
    (mail,) = world.evidence.mails()
    assert expected.says in " ".join(mail.get_content().split())
    assert mail["To"] == ended["letter"]["sender"]
    assert world.evidence.problems() == []


@pytest.mark.parametrize("ticket", GATED)
async def test_rejected_refund_is_not_made(world: World, ticket: str) -> None:
    expected = TABLE[ticket]
    ended = await work(ticket, reject)

    ungated = {
        order: cents for order, cents in expected.refunds.items() if order not in expected.asked
    }
    assert ended["outcome"] == expected.when_rejected
    assert {each.order: each.cents for each in world.evidence.refunds()} == ungated
    (mail,) = world.evidence.mails()
    text = " ".join(mail.get_content().split())
    assert all(f"request for order {order} and cannot refund" in text for order in expected.asked)
    assert all(f"not {order}" not in text for order in expected.asked)


async def test_all_tickets_in_one_world_do_not_disturb_each_other(world: World) -> None:
    for ticket in world.tickets:
        ended = await work(ticket, approve)
        assert ended["outcome"] == TABLE[ticket].outcome
    assert sorted(world.evidence.mail_counts()) == world.tickets
    assert world.evidence.problems() == []
