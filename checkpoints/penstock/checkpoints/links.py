"""The links of notices that were followed: each leads to its gate once."""

from datetime import datetime

from sqlalchemy import Connection, delete, exists, select

from penstock.checkpoints.database import database_now, insert_or_keep
from penstock.checkpoints.gates.reading import get
from penstock.checkpoints.schema import gates, used_links
from penstock.contracts.errors import InvalidLink
from penstock.contracts.ids import GateId


def use(
    connection: Connection, nonce: str, *, gate_id: GateId, until: datetime, person: str
) -> None:
    """Use a link up for a person; whoever used it first may follow it again until it is too old.

    Raises:
        InvalidLink: it is too old, by the database's clock, or somebody else has used it.
        UnknownGate: there is no such gate.
    """
    get(connection, gate_id)
    now = connection.execute(select(database_now(connection.dialect))).scalar_one()
    if now >= until:
        raise InvalidLink(
            f"the link was good until {until.isoformat(timespec='seconds')}; find the gate in the"
            " list of open ones, if it is still there"
        )
    connection.execute(
        insert_or_keep(connection.dialect, used_links).values(
            nonce=nonce, gate_id=gate_id, used_by=person, used_at=now
        )
    )
    used_by = select(used_links.c.used_by).where(used_links.c.nonce == nonce)
    if connection.execute(used_by).scalar_one() != person:
        raise InvalidLink(
            "the link was followed by somebody else already, and leads there once; find the gate"
            " in the list of open ones"
        )


def purge(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete what is known of links used before an instant, so many at most; return how many.

    `before` is longer ago than a link can be good without an expiry of its gate. One that may
    still be good stays, or it would lead there again.
    """
    may_be_good = exists().where(gates.c.id == used_links.c.gate_id, gates.c.expires_at >= before)
    old = (
        select(used_links.c.nonce)
        .where(used_links.c.used_at < before, ~may_be_good)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(old).scalars().all()
    if not found:
        return 0
    return connection.execute(delete(used_links).where(used_links.c.nonce.in_(found))).rowcount
