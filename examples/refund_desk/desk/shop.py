"""The shop's database: who ordered what, and what was refunded.

Money is in integer cents of one currency. A refund is written down before the provider is asked
for it and settled afterwards, with what was really paid: that, or less. A trigger keeps the refunds
of an order within what was paid for it, so two tickets about one order cannot both be refunded,
however they race.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import IntegrityError
from typing_extensions import TypedDict  # that of typing has no types at run time before 3.12

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


@cache
def engine(database: Path) -> Engine:
    """Return what connects to the shop's database.

    A transaction holds the lock from its beginning, so that two cannot deadlock.
    """
    made = create_engine(f"sqlite:///{database}", poolclass=NullPool, connect_args={"timeout": 10})
    event.listen(made, "connect", _set_up)
    event.listen(made, "begin", _lock)
    return made


def fill(database: Path, customers: dict[str, str], orders: dict[str, NewOrder]) -> None:
    """Make the tables and add what is missing: customers' names by mail address, and orders."""
    lines = [
        (number, position, *line)
        for number, order in orders.items()
        for position, line in enumerate(order.lines.items())
    ]
    placed = [(number, order.customer, order.delivered_on) for number, order in orders.items()]
    with opened(database) as shop:
        for statement in SCHEMA.split(";\n\n"):
            shop.exec_driver_sql(statement)
        _insert(shop, "INSERT OR IGNORE INTO customers VALUES (?, ?)", list(customers.items()))
        _insert(shop, "INSERT OR IGNORE INTO orders VALUES (?, ?, ?)", placed)
        _insert(shop, "INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?)", lines)


def opened(database: Path) -> AbstractContextManager[Connection]:
    """Open a transaction."""
    return engine(database).begin()


def find_order(database: Path, number: str, *, apart_from: str = "") -> Order | None:
    """Return an order, or None where there is none; `apart_from` is the key of a refund."""
    with opened(database) as shop:
        found = shop.exec_driver_sql("SELECT * FROM orders WHERE number = ?", (number,))
        order = found.mappings().first()
        if order is None:
            return None
        lines = shop.exec_driver_sql(
            "SELECT product, cents FROM lines WHERE order_number = ? ORDER BY position", (number,)
        ).all()
        refunded_cents = shop.exec_driver_sql(
            "SELECT coalesce(sum(cents), 0) FROM refunds"
            " WHERE order_number = ? AND state <> 'refused' AND key <> ?",
            (number, apart_from),
        ).scalar_one()
    return Order(
        number=order["number"],
        customer=order["customer"],
        delivered_on=order["delivered_on"],
        lines=[Line(product=product, cents=cents) for product, cents in lines],
        total_cents=sum(cents for _, cents in lines),
        refunded_cents=refunded_cents,
    )


def request_refund(shop: Connection, key: str, *, order: str, cents: int) -> Refund:
    """Write down that a refund is about to be made; asked again, return what became of it.

    Raises:
        OverRefunded: With it, more would be refunded than was paid.
        RefundChanged: The key stands for another refund.
    """
    try:
        shop.exec_driver_sql(
            "INSERT INTO refunds (key, order_number, cents) VALUES (?, ?, ?)"
            " ON CONFLICT (key) DO NOTHING",
            (key, order, cents),
        )
    except IntegrityError as error:
        if "refunds exceed the order" not in str(error):
            raise
        raise OverRefunded(order, cents) from error
    refund = _find_refund(shop, key)
    # Of one that is settled the shop has what was paid, which may be less than was asked for.
    is_same = refund["cents"] == cents or refund["state"] != "requested" if refund else False
    if refund is None or refund["order"] != order or not is_same:
        raise RefundChanged(key, f"{refund}", f"{cents} cents for `{order}`")
    return refund


def settle_refund(
    shop: Connection,
    key: str,
    *,
    state: Literal["paid", "refused"],
    payment: str | None,
    cents: int,
) -> None:
    """Write down how the provider answered and what it paid; said again, it changes nothing.

    Raises:
        RefundChanged: It was settled in another way before, or more was paid than was noted.
    """
    shop.exec_driver_sql(
        "UPDATE refunds SET state = ?, payment = ?, cents = ?"
        " WHERE key = ? AND state = 'requested' AND cents >= ?",
        (state, payment, cents, key, cents),
    )
    refund = _find_refund(shop, key)
    settled = (state, payment, cents)
    if refund is None or (refund["state"], refund["payment"], refund["cents"]) != settled:
        raise RefundChanged(key, f"{refund}", f"{state} by {payment} with {cents} cents")


def noted_cents(database: Path, key: str) -> int:
    """Return what is written down to be refunded under a key; 0 where it is not, or was refused.

    It waits for nobody: a policy asks for it, before each payment.
    """
    # The engine's transactions take the lock, for which one would have to wait.
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as shop:
        found = shop.execute(
            "SELECT cents FROM refunds WHERE key = ? AND state <> 'refused'", (key,)
        ).fetchone()
    return 0 if found is None else found[0]


def list_refunds(database: Path) -> list[Refund]:
    """Return all refunds by their keys."""
    with opened(database) as shop:
        found = shop.exec_driver_sql("SELECT * FROM refunds ORDER BY key").mappings()
        return [_refund(dict(row)) for row in found]


def _find_refund(shop: Connection, key: str) -> Refund | None:
    found = shop.exec_driver_sql("SELECT * FROM refunds WHERE key = ?", (key,))
    row = found.mappings().first()
    return None if row is None else _refund(dict(row))


def _refund(row: dict[str, Any]) -> Refund:
    return Refund(
        key=row["key"],
        order=row["order_number"],
        cents=row["cents"],
        state=cast("RefundState", row["state"]),
        payment=row["payment"],
    )


def _insert(shop: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    shop.exec_driver_sql(statement, list(rows))


def _set_up(connection: Any, _: object) -> None:
    # Without this, Python's driver would begin transactions by itself, and late.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
