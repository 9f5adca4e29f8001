"""The people of the tests: who is in which group, and who is not any more."""

from collections.abc import Collection, Mapping

from penstock.contracts.policy import Principal

GROUPS: Mapping[str, Collection[str]] = {
    "finance": ("ann", "bob", "eve"),
    "security": ("sam",),
    "operators": ("olga",),
    "managers": ("max",),
    "break-glass": ("bea",),
}


class Staff:
    """People of one tenant, in groups that tests may change."""

    roles: Collection[str] | None = None
    groups: Collection[str] | None = None

    def __init__(self, members: Mapping[str, Collection[str]] = GROUPS) -> None:
        self.in_group = {group: set(people) for group, people in members.items()}
        self.abroad: set[tuple[str, str, str]] = set()
        """Who is in which group of another tenant."""

    def principal(self, user: str, agent: str, tenant: str) -> Principal:
        """Return somebody who has every scope."""
        groups = frozenset(group for group, people in self.in_group.items() if user in people)
        return Principal(
            user=user,
            agent=agent,
            tenant=tenant,
            roles=frozenset(),
            groups=groups,
            scopes=frozenset(),
            has_every_scope=True,
        )

    def has(self, group: str, person: str, tenant: str) -> bool:
        """Tell who is in which group now."""
        if tenant != "default":
            return (group, person, tenant) in self.abroad
        return person in self.in_group.get(group, ())

    def members(self, group: str, tenant: str) -> tuple[str, ...]:
        """Return who is in a group."""
        return tuple(sorted(self.in_group.get(group, ()))) if tenant == "default" else ()

    def person_of(self, login: str) -> str:
        """Return the login."""
        return login

    def may_act_as(self, login: str, person: str) -> bool:
        """Tell that everybody is who they are logged in as."""
        return login == person

    def channels(self, group: str) -> tuple[str, ...]:
        """Return none."""
        del group
        return ()
