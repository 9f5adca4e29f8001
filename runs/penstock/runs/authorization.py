"""Authorization: what a person may do in a tenant, and what they see in its inbox.

The groups of a gate say who may vote there, and `answers.require_answerer` who may answer one. The
directory is read at the moment of each action, so a person who leaves a group loses its rights at
once.
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
"""The group whose members change policies; they may also do what operators may."""


class Right(StrEnum):
    """What a person may do in a tenant."""

    VIEW = "view"
    """View runs and gates: everybody who is in the directory for the tenant."""
    START = "start"
    """Start runs, which act for this person: everybody with a role there."""
    STEER = "steer"
    """Cancel, pause, resume and redrive all runs. Without it: one's own, and no redrive."""
    MANAGE_WORKERS = "manage_workers"
    """Drain workers. They drive the runs of all tenants."""
    MANAGE_POLICIES = "manage_policies"
    """Load and activate policies."""


_ACTIONS = {
    Right.VIEW: "look at the runs of tenant",
    Right.START: "start runs in tenant",
    Right.STEER: "steer runs of others in tenant",
    Right.MANAGE_WORKERS: "have workers drain in tenant",
    Right.MANAGE_POLICIES: "change policies of tenant",
}
_REQUIREMENTS = {
    Right.VIEW: "the directory knows them not there",
    Right.START: (
        f"wanted is a role there, or to be a member of `{OPERATORS}` or `{ADMINS}`; a run acts for"
        " whoever starts it"
    ),
    Right.STEER: f"wanted is a member of `{OPERATORS}` or `{ADMINS}`, or whoever the run acts for",
    Right.MANAGE_WORKERS: f"wanted is a member of `{OPERATORS}` or `{ADMINS}`",
    Right.MANAGE_POLICIES: f"wanted is a member of `{ADMINS}`",
}


def has_right(people: People, right: Right, person: str, tenant: str) -> bool:
    """Tell whether a person has a right in a tenant now."""
    principal = people.principal(person, "", tenant)
    if principal.tenant != tenant:
        return False
    match right:
        case Right.VIEW:
            return True
        case Right.START if (
            principal.roles or principal.has_every_role or principal.has_every_scope
        ):
            return True
        case Right.START | Right.STEER | Right.MANAGE_WORKERS:
            return any(people.has(group, person, tenant) for group in (OPERATORS, ADMINS))
        case Right.MANAGE_POLICIES:
            return people.has(ADMINS, person, tenant)
        case _:
            assert_never(right)


def require(people: People, right: Right, person: str, tenant: str) -> None:
    """Check that a person has a right in a tenant.

    Raises:
        NotAllowed: this person does not have it.
    """
    if not has_right(people, right, person, tenant):
        raise NotAllowed(f"`{person}` may not {_ACTIONS[right]} `{tenant}`: {_REQUIREMENTS[right]}")


def require_steering(people: People, run: Run, person: str, *, own: bool = True) -> None:
    """Check that a person may steer a run: an operator or, with `own`, the run's principal.

    Raises:
        NotAllowed: this person may not.
    """
    if not (own and person == run.principal):
        require(people, Right.STEER, person, run.tenant)


def may_steer(people: People, principal: str, person: str, tenant: str, *, own: bool) -> bool:
    """Tell whether `require_steering` allows a person to steer a run of `principal`."""
    return (own and person == principal) or has_right(people, Right.STEER, person, tenant)


def viewer_of(
    connection: Connection, people: People, person: str, *, tenant: str, now: datetime
) -> Viewer:
    """Return the seats and the rights that decide what a person sees in the inbox."""
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
    """Return the groups of a person; None where everybody is in all groups."""
    known = people.groups
    if known is None:
        return None
    return frozenset(group for group in known if people.has(group, person, tenant))
