"""Who is who: what a policy and a gate ask about people, and the answer where nobody said."""

from collections.abc import Collection
from typing import Protocol

from penstock.contracts.policy import Principal


class People(Protocol):
    """Knows the people whom runs act for and who decide gates."""

    @property
    def roles(self) -> Collection[str] | None:
        """Every role there is; None where nobody knows."""
        ...

    @property
    def groups(self) -> Collection[str] | None:
        """Every group there is; None where nobody knows."""
        ...

    def principal(self, user: str, agent: str, tenant: str) -> Principal:
        """Return for whom a run of this tenant acts; who is unknown has no rights."""
        ...

    def has(self, group: str, person: str, tenant: str) -> bool:
        """Tell whether a person of a tenant is a member of a group, as of now."""
        ...

    def members(self, group: str, tenant: str) -> tuple[str, ...]:
        """Return who of a tenant is in a group; none where everybody is."""
        ...

    def person_of(self, login: str) -> str:
        """Return the person with a login of the operating system.

        Raises:
            UnknownPerson: Nobody has it, or several do.
        """
        ...

    def may_act_as(self, login: str, person: str) -> bool:
        """Tell whether who is logged in so may decide as a person."""
        ...

    def channels(self, group: str) -> tuple[str, ...]:
        """Return the addresses at which a group is told of its gates."""
        ...


class OpenDirectory:
    """What stands where no directory is: one machine and one person, who may do everything."""

    roles: Collection[str] | None = None
    groups: Collection[str] | None = None

    def principal(self, user: str, agent: str, tenant: str) -> Principal:
        """Return a principal with every role, group and scope."""
        return Principal(
            user=user,
            agent=agent,
            tenant=tenant,
            roles=frozenset(),
            groups=frozenset(),
            scopes=frozenset(),
            has_every_scope=True,
            has_every_role=True,
        )

    def has(self, group: str, person: str, tenant: str) -> bool:
        """Tell that everybody is in every group."""
        del group, person, tenant
        return True

    def members(self, group: str, tenant: str) -> tuple[str, ...]:
        """Return nobody: there is no list of everybody."""
        del group, tenant
        return ()

    def person_of(self, login: str) -> str:
        """Return the login: people are called as they are logged in."""
        return login

    def may_act_as(self, login: str, person: str) -> bool:
        """Tell that everybody may decide as anybody."""
        del login, person
        return True

    def channels(self, group: str) -> tuple[str, ...]:
        """Return none."""
        del group
        return ()
