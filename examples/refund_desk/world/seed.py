"""The shop's customers and orders, as the tickets in `tickets/` speak of them."""

from pathlib import Path

from desk import shop
from world.provider import Asked, Ledger

CUSTOMERS = {
    "anna.berg@example.com": "Anna Berg",
    "tom.okafor@example.com": "Tom Okafor",
    "lucia.marin@example.org": "Lucía Marín",
    "karl.vogel@example.net": "Karl Vogel",
    "priya.nair@example.com": "Priya Nair",
    "jo.lindqvist@example.org": "Jo Lindqvist",
}

ORDERS = {
    "R-10231": shop.NewOrder("anna.berg@example.com", "2026-04-28", {"Electric kettle": 34_90}),
    "R-10232": shop.NewOrder("tom.okafor@example.com", "2026-04-20", {"Espresso machine": 489_00}),
    "R-10205": shop.NewOrder("lucia.marin@example.org", "2026-04-11", {"Desk lamp": 45_00}),
    "R-10236": shop.NewOrder(
        "jo.lindqvist@example.org", "2026-04-30", {"Travel mug": 22_00, "Toaster": 37_00}
    ),
    "R-10237": shop.NewOrder("priya.nair@example.com", "2026-04-24", {"Yoga mat": 29_50}),
    "R-10238": shop.NewOrder("priya.nair@example.com", "2026-04-26", {"Water bottle": 18_00}),
    "R-10239": shop.NewOrder("tom.okafor@example.com", "2026-05-01", {"Phone case": 19_90}),
    "R-10240": shop.NewOrder("karl.vogel@example.net", "2026-04-29", {"Kaffeemühle": 42_50}),
    "R-10241": shop.NewOrder("anna.berg@example.com", "2026-04-27", {"Linen shirt": 64_00}),
    "R-10244": shop.NewOrder("lucia.marin@example.org", "2026-04-30", {"Garden chair": 79_00}),
    "R-10245": shop.NewOrder("karl.vogel@example.net", "2026-04-21", {"Rucksack": 95_00}),
    "R-10247": shop.NewOrder(
        "jo.lindqvist@example.org",
        "2026-05-02",
        {"Tea pot": 39_00, "Tea cups": 24_00, "Tray": 31_00},
    ),
    "R-10248": shop.NewOrder("lucia.marin@example.org", "2026-05-01", {"Cushion": 27_00}),
    "R-10249": shop.NewOrder("lucia.marin@example.org", "2026-05-02", {"Armchair": 349_00}),
    "R-10250": shop.NewOrder("priya.nair@example.com", "2026-05-05", {"Running shoes": 89_00}),
    "R-10251": shop.NewOrder("anna.berg@example.com", "2026-05-03", {"Radio": 80_00}),
    "R-10252": shop.NewOrder("tom.okafor@example.com", "2026-05-04", {"Bread knife": 26_00}),
    "R-09112": shop.NewOrder("karl.vogel@example.net", "2025-08-14", {"Winter boots": 75_00}),
    "R-09950": shop.NewOrder("tom.okafor@example.com", "2026-03-20", {"Cutting board": 33_00}),
}

EARLIER = {"R-10205": 45_00}
"""What was refunded before the desk began its work, in cents."""

EARLIER_KEY = "earlier"


def seed(database: Path, ledger: Ledger) -> None:
    """Fill the shop and the provider's ledger; done again, it changes nothing."""
    shop.fill(database, CUSTOMERS, ORDERS)
    for order, cents in EARLIER.items():
        key = f"{EARLIER_KEY}/{order}"
        ledger.refund(key, Asked(reference=key, order=order, cents=cents))
        (paid,) = ledger.find(key)
        with shop.opened(database) as connection:
            shop.request_refund(connection, key, order=order, cents=cents)
            shop.settle_refund(connection, key, state="paid", payment=paid.id, cents=cents)
