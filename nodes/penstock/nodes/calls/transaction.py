"""A tool's function in a transaction of its own database, together with a mark of the call.

The mark is what makes it safe to run the call again: it is there if and only if the transaction was
committed, and it holds the result.
"""

import asyncio
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any
from weakref import WeakSet

from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, insert, select, update

from penstock.contracts.ids import IdempotencyKey
from penstock.nodes.tools.terms import Database

_marks = Table(
    "penstock_effects",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("result", Text, nullable=False),
)
"""In the user's database; the result is empty while the transaction is under way."""

_prepared: WeakSet[Engine] = WeakSet()
_preparing = Lock()


class RolledBack(Exception):
    """The function raised, and all that it did was undone."""


def once(
    database: Database,
    key: IdempotencyKey,
    function: Callable[..., object],
    keywords: Callable[[Connection], Mapping[str, object]],
    write: Callable[[object], str],
) -> str:
    """Run a function in a transaction, unless it has committed one under this key before.

    Returns what `write` makes of its result, now or then.

    Raises:
        RolledBack: The function raised; the error is its cause.
        Exception: Of SQLAlchemy, where the database failed; what was done is not known.
    """
    engine = database if isinstance(database, Engine) else database()
    _prepare(engine)
    with engine.begin() as connection:
        done = connection.execute(select(_marks.c.result).where(_marks.c.key == key)).scalar()
        if done is not None:
            return done
        # Before the function: of two that run at once, one waits here and then finds the other's.
        connection.execute(insert(_marks).values(key=key, result=""))
        try:
            text = write(_call(function, keywords(connection)))
        except Exception as error:
            raise RolledBack from error
        connection.execute(update(_marks).where(_marks.c.key == key).values(result=text))
        return text


def _call(function: Callable[..., object], keywords: Mapping[str, object]) -> object:
    result: Any = function(**keywords)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


def _prepare(engine: Engine) -> None:
    with _preparing:
        if engine not in _prepared:
            _marks.create(engine, checkfirst=True)
            _prepared.add(engine)
