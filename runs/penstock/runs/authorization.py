"""What people may do beside voting at gates: look, start and steer runs, tend workers, rule.

Who votes at a gate is said by its groups, and who answers one by `questions.require_answerer`. All
of it is read off who is who at the moment of the deed, so whoever is taken out of a group has lost
its rights at once.

Who looks into the inbox, and whose seats they vote for.
"""

from datetime import datetime
from enum import StrEnum
from typing import assert_never

from sqlalchemy import Connection

from penstock.checkpoints import gates
from penstock.contracts.errors import NotAllowed
from penstock.contracts.gate import OPERATORS
from penstock.contracts.inbox import Seat, Viewer
from penstock.contracts.run import Run
from penstock.policies import People

ADMINS = "admins"
"""The group whose members change policies; they steer runs as operators do."""


class Right(StrEnum):
    """What somebody may do in a tenant."""

    LOOK = "look"
    """See its runs and gates: everybody whom the directory knows there."""
    START = "start"
    """Start runs, which then act for them: whoever has a role there."""
    STEER = "steer"
    """Cancel, pause, resume and redrive anybody's runs; without it, one's own but for a redrive."""
    TEND = "tend"
    """Have workers drain. They drive the runs of all tenants."""
    RULE = "rule"
    """Load policies, and say which decides."""


_WHAT = {
    Right.LOOK: "look at the runs of tenant",
    Right.START: "start runs in tenant",
    Right.STEER: "steer runs of others in tenant",
    Right.TEND: "have workers drain in tenant",
    Right.RULE: "change policies of tenant",
}
_WANTED = {
    Right.LOOK: "the directory knows them not there",
    Right.START: (
        f"wanted is a role there, or to be a member of `{OPERATORS}` or `{ADMINS}`; a run acts for"
        " whoever starts it"
    ),
    Right.STEER: f"wanted is a member of `{OPERATORS}` or `{ADMINS}`, or whoever the run acts for",
    Right.TEND: f"wanted is a member of `{OPERATORS}` or `{ADMINS}`",
    Right.RULE: f"wanted is a member of `{ADMINS}`",
}


def has_right(people: People, right: Right, person: str, tenant: str) -> bool:
    """Tell whether a person may do something in a tenant, as of now."""
    principal = people.principal(person, "", tenant)
    if principal.tenant != tenant:
        return False
    match right:
        case Right.LOOK:
            return True
        case Right.START if (
            principal.roles or principal.has_every_role or principal.has_every_scope
        ):
            return True
        case Right.START | Right.STEER | Right.TEND:
            return any(people.has(group, person, tenant) for group in (OPERATORS, ADMINS))
        case Right.RULE:
            return people.has(ADMINS, person, tenant)
        case _:
            assert_never(right)


def require(people: People, right: Right, person: str, tenant: str) -> None:
    """Let pass who has a right in a tenant.

    Raises:
        NotAllowed: this person has it not.
    """
    if not has_right(people, right, person, tenant):
        raise NotAllowed(f"`{person}` may not {_WHAT[right]} `{tenant}`: {_WANTED[right]}")


def require_steering(people: People, run: Run, person: str, *, own: bool = True) -> None:
    """Let pass who may steer a run: an operator and, with `own`, whoever the run acts for.

    Raises:
        NotAllowed: this person may not.
    """
    if not (own and person == run.principal):
        require(people, Right.STEER, person, run.tenant)


def may_steer(people: People, principal: str, person: str, tenant: str, *, own: bool) -> bool:
    """Tell whether `require_steering` lets pass for a run that acts for `principal`."""
    return (own and person == principal) or has_right(people, Right.STEER, person, tenant)


def viewer_of(
    connection: Connection, people: People, person: str, *, tenant: str, now: datetime
) -> Viewer:
    """Return what follows from who a person is, for the lists that they look at."""
    own = Seat(person=person, groups=groups_of(people, person, tenant))
    lent = [
        Seat(person=lender, groups=groups_of(people, lender, tenant), gate_id=gate_id)
        for lender, gate_id in gates.seats_lent_to(connection, person, tenant=tenant, now=now)
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
