"""The shop's database: who ordered what, and what was refunded.

Money is in integer cents of one currency. A refund is written down before the provider is asked
for it and settled afterwards. A trigger keeps the refunds of an order within what was paid for it,
so two tickets about one order cannot both be refunded, however they race.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict, cast

CURRENCY = "EUR"

SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (
    email TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY CHECK (number GLOB 'R-[0-9][0-9][0-9][0-9][0-9]'),
    customer TEXT NOT NULL REFERENCES customers (email),
    delivered_on TEXT NOT NULL CHECK (delivered_on = date(delivered_on))
) STRICT;

CREATE TABLE IF NOT EXISTS lines (
    order_number TEXT NOT NULL REFERENCES orders (number),
    position INTEGER NOT NULL,
    product TEXT NOT NULL,
    cents INTEGER NOT NULL CHECK (cents > 0),
    PRIMARY KEY (order_number, position)
) STRICT;

CREATE TABLE IF NOT EXISTS refunds (
    key TEXT PRIMARY KEY,
    order_number TEXT NOT NULL REFERENCES orders (number),
    cents INTEGER NOT NULL CHECK (cents > 0),
    state TEXT NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'paid', 'refused')),
    payment TEXT UNIQUE,
    requested_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT a_paid_refund_has_a_payment CHECK ((state = 'paid') = (payment IS NOT NULL))
) STRICT;

CREATE INDEX IF NOT EXISTS refunds_by_order ON refunds (order_number);

CREATE TRIGGER IF NOT EXISTS refunds_stay_within_the_order
BEFORE INSERT ON refunds
WHEN NEW.cents > (SELECT sum(cents) FROM lines WHERE order_number = NEW.order_number) - (
    SELECT coalesce(sum(cents), 0) FROM refunds
    WHERE order_number = NEW.order_number AND state <> 'refused' AND key <> NEW.key
)
BEGIN
    SELECT RAISE(ABORT, 'refunds exceed the order');
END;
"""


class NewOrder(NamedTuple):
    """An order to be added."""

    customer: str
    """The mail address of the customer."""
    delivered_on: str
    """A date, `2026-05-04`."""
    lines: dict[str, int]
    """Products and their prices in cents."""


class Line(TypedDict):
    """One product of an order."""

    product: str
    cents: int


class Order(TypedDict):
    """An order as the shop knows it."""

    number: str
    customer: str
    """The mail address of the customer."""
    delivered_on: str
    """A date, `2026-05-04`."""
    lines: list[Line]
    total_cents: int
    refunded_cents: int
    """What was refunded or is being refunded, without the refund that was asked about."""


RefundState = Literal["requested", "paid", "refused"]


class Refund(TypedDict):
    """A refund as the shop knows it."""

    key: str
    order: str
    cents: int
    state: RefundState
    payment: str | None
    """The provider's id for it, once it is paid."""


class OverRefunded(Exception):
    """The order would be refunded more than was paid for it."""

    def __init__(self, order: str, cents: int) -> None:
        super().__init__(f"order `{order}` cannot be refunded {cents} cents more")


class RefundChanged(Exception):
    """A refund is asked for, or settled, in another way than it was before."""

    def __init__(self, key: str, found: str, wanted: str) -> None:
        super().__init__(f"refund `{key}` is {found}, not {wanted}")


def fill(database: Path, customers: dict[str, str], orders: dict[str, NewOrder]) -> None:
    """Make the tables and add what is missing: customers' names by mail address, and orders."""
    with _connect(database) as shop:
        shop.execute("PRAGMA journal_mode = WAL")
        shop.executescript(SCHEMA)
    lines = [
        (number, position, *line)
        for number, order in orders.items()
        for position, line in enumerate(order.lines.items())
    ]
    with _writing(database) as shop:
        shop.executemany("INSERT OR IGNORE INTO customers VALUES (?, ?)", customers.items())
        shop.executemany(
            "INSERT OR IGNORE INTO orders VALUES (?, ?, ?)",
            [(number, order.customer, order.delivered_on) for number, order in orders.items()],
        )
        shop.executemany("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?)", lines)


def find_order(database: Path, number: str, *, apart_from: str = "") -> Order | None:
    """Return an order, or None where there is none; `apart_from` is the key of a refund."""
    with _connect(database) as shop:
        order = shop.execute("SELECT * FROM orders WHERE number = ?", (number,)).fetchone()
        if order is None:
            return None
        lines = shop.execute(
            "SELECT product, cents FROM lines WHERE order_number = ? ORDER BY position", (number,)
        ).fetchall()
        (refunded_cents,) = shop.execute(
            "SELECT coalesce(sum(cents), 0) FROM refunds"
            " WHERE order_number = ? AND state <> 'refused' AND key <> ?",
            (number, apart_from),
        ).fetchone()
    return Order(
        number=order["number"],
        customer=order["customer"],
        delivered_on=order["delivered_on"],
        lines=[Line(product=line["product"], cents=line["cents"]) for line in lines],
        total_cents=sum(line["cents"] for line in lines),
        refunded_cents=refunded_cents,
    )


def request_refund(database: Path, key: str, *, order: str, cents: int) -> Refund:
    """Write down that a refund is about to be made; asked again, return what became of it.

    Raises:
        OverRefunded: With it, more would be refunded than was paid.
        RefundChanged: The key stands for another refund.
    """
    with _writing(database) as shop:
        try:
            shop.execute(
                "INSERT INTO refunds (key, order_number, cents) VALUES (?, ?, ?)"
                " ON CONFLICT (key) DO NOTHING",
                (key, order, cents),
            )
        except sqlite3.IntegrityError as error:
            if "refunds exceed the order" not in str(error):
                raise
            raise OverRefunded(order, cents) from error
        refund = _find_refund(shop, key)
    if refund is None or (refund["order"], refund["cents"]) != (order, cents):
        raise RefundChanged(key, f"{refund}", f"{cents} cents for `{order}`")
    return refund


def settle_refund(
    database: Path, key: str, *, state: Literal["paid", "refused"], payment: str | None
) -> None:
    """Write down how the provider answered; said again, it changes nothing.

    Raises:
        RefundChanged: It was settled in another way before.
    """
    with _writing(database) as shop:
        shop.execute(
            "UPDATE refunds SET state = ?, payment = ? WHERE key = ? AND state = 'requested'",
            (state, payment, key),
        )
        refund = _find_refund(shop, key)
    if refund is None or (refund["state"], refund["payment"]) != (state, payment):
        raise RefundChanged(key, f"{refund}", f"{state} by {payment}")


def find_refund(database: Path, key: str) -> Refund | None:
    """Return a refund, or None where there is none."""
    with _connect(database) as shop:
        return _find_refund(shop, key)


def list_refunds(database: Path) -> list[Refund]:
    """Return all refunds by their keys."""
    with _connect(database) as shop:
        return [_refund(row) for row in shop.execute("SELECT * FROM refunds ORDER BY key")]


def _find_refund(shop: sqlite3.Connection, key: str) -> Refund | None:
    row = shop.execute("SELECT * FROM refunds WHERE key = ?", (key,)).fetchone()
    return None if row is None else _refund(row)


def _refund(row: sqlite3.Row) -> Refund:
    return Refund(
        key=row["key"],
        order=row["order_number"],
        cents=row["cents"],
        state=cast("RefundState", row["state"]),
        payment=row["payment"],
    )


@contextmanager
def _connect(database: Path) -> Generator[sqlite3.Connection]:
    shop = sqlite3.connect(database, timeout=10, isolation_level=None)
    try:
        shop.row_factory = sqlite3.Row
        shop.execute("PRAGMA foreign_keys = ON")
        shop.execute("PRAGMA synchronous = FULL")
        yield shop
    finally:
        shop.close()


@contextmanager
def _writing(database: Path) -> Generator[sqlite3.Connection]:
    """Open a transaction that holds the lock from its beginning, so that it cannot deadlock."""
    with _connect(database) as shop:
        shop.execute("BEGIN IMMEDIATE")
        try:
            yield shop
        except BaseException:
            shop.execute("ROLLBACK")
            raise
        shop.execute("COMMIT")
