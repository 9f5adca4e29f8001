"""Who looks into the inbox, and whose seats they vote for."""

from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import gates
from penstock.contracts.gate import OPERATORS
from penstock.contracts.inbox import Seat, Viewer
from penstock.policies import People


def viewer_of(
    connection: Connection, people: People, person: str, *, tenant: str, now: datetime
) -> Viewer:
    """Return what follows from who a person is, for the lists that they look at."""
    own = Seat(person=person, groups=groups_of(people, person, tenant))
    lent = [
        Seat(person=lender, groups=groups_of(people, lender, tenant), gate_id=gate_id)
        for lender, gate_id in gates.lent_to(connection, person, tenant=tenant, now=now)
    ]
    return Viewer(
        person=person,
        tenant=tenant,
        seats=(own, *lent),
        is_operator=people.has(OPERATORS, person, tenant),
        now=now,
    )


def groups_of(people: People, person: str, tenant: str) -> frozenset[str] | None:
    """Return the groups that a person is in; None where everybody is in all of them."""
    known = people.groups
    if known is None:
        return None
    return frozenset(group for group in known if people.has(group, person, tenant))
