"""The directory of people: who has which roles, groups, scopes and logins.

`People` is what policies and gates ask. `Directory` reads it from a file; `OpenDirectory` stands
where there is none, and lets one person on one machine do everything.
"""

import logging
import threading
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from penstock.contracts.errors import InvalidDirectory, UnknownPerson
from penstock.contracts.policy import Principal

EVERY = "*"
"""Stands among scopes for all of them."""

_log = logging.getLogger(__name__)

Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True, max_length=200)]


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


class _User(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Name = "default"
    roles: frozenset[Name] = frozenset()
    groups: frozenset[Name] = frozenset()
    scopes: frozenset[Name] = frozenset()
    logins: frozenset[Name] = frozenset()


class _Agent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    scopes: frozenset[Name] = frozenset()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    users: Mapping[Name, _User] = {}
    agents: Mapping[Name, _Agent] = {}
    notify: Mapping[Name, tuple[Name, ...]] = {}


@dataclass(frozen=True, slots=True)
class _Mark:
    """What tells a file from the same file changed."""

    inode: int
    size: int
    changed_at_ns: int


class Directory:
    """The people in a file. Whoever changes the file changes who may do what, without a restart.

    A change that cannot be read is logged once, and what was read before goes on to count.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            InvalidDirectory: It is missing, or is not one; the message names each place.
        """
        self._path = path
        self._lock = threading.Lock()
        self._mark: _Mark | None = _mark(path)
        self._read = _read(path)

    @classmethod
    def load(cls, path: Path) -> "Directory":
        """Read a file; see the class.

        Raises:
            InvalidDirectory: It is missing, or is not one; the message names each place.
        """
        return cls(path)

    @property
    def roles(self) -> Collection[str] | None:
        """Every role that a user has."""
        return frozenset[str]().union(*(user.roles for user in self._now().users.values()))

    @property
    def groups(self) -> Collection[str] | None:
        """Every group that a user is in, or that is told of its gates."""
        file = self._now()
        return frozenset(file.notify).union(*(user.groups for user in file.users.values()))

    def principal(self, user: str, agent: str, tenant: str) -> Principal:
        """Return for whom a run acts; a user who is not in the file has no rights, and no tenant.

        The tenant is the user's own, whatever the run's is: the policy compares them.
        """
        del tenant
        file = self._now()
        known, through = file.users.get(user), file.agents.get(agent)
        if known is None:
            nothing = frozenset[str]()
            return Principal(
                user=user, agent=agent, tenant="", roles=nothing, groups=nothing, scopes=nothing
            )
        theirs = frozenset[str]() if through is None else through.scopes
        if EVERY in theirs:
            both = known.scopes
        elif EVERY in known.scopes:
            both = theirs
        else:
            both = known.scopes & theirs
        return Principal(
            user=user,
            agent=agent,
            tenant=known.tenant,
            roles=known.roles,
            groups=known.groups,
            scopes=both - {EVERY},
            has_every_scope=EVERY in both,
        )

    def has(self, group: str, person: str, tenant: str) -> bool:
        """Tell whether a person of a tenant is a member of a group, as of now."""
        user = self._now().users.get(person)
        return user is not None and user.tenant == tenant and group in user.groups

    def members(self, group: str, tenant: str) -> tuple[str, ...]:
        """Return who of a tenant is in a group, sorted."""
        users = self._now().users.items()
        return tuple(
            sorted(name for name, user in users if user.tenant == tenant and group in user.groups)
        )

    def person_of(self, login: str) -> str:
        """Return the person with a login of the operating system.

        Raises:
            UnknownPerson: Nobody has it, or several do.
        """
        users = self._now().users.items()
        found = sorted(name for name, user in users if login in user.logins)
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(f"`{name}`" for name in found)
            raise UnknownPerson(
                f"The login `{login}` is that of {listed} in `{self._path}`. Wanted is one person."
                " Say who you are."
            )
        raise UnknownPerson(
            f"Nobody in `{self._path}` has the login `{login}`. Wanted is one person. Add it to"
            " somebody's `logins`."
        )

    def may_act_as(self, login: str, person: str) -> bool:
        """Tell whether a login is among a person's."""
        user = self._now().users.get(person)
        return user is not None and login in user.logins

    def channels(self, group: str) -> tuple[str, ...]:
        """Return the addresses at which a group is told of its gates."""
        return self._now().notify.get(group, ())

    def _now(self) -> _File:
        """Return what the file says now; where it cannot be read, what it said before."""
        try:
            mark = _mark(self._path)
        except InvalidDirectory as error:
            self._keep(None, error)
            return self._read
        if mark == self._mark:
            return self._read
        with self._lock:
            if mark != self._mark:
                try:
                    self._read = _read(self._path)
                except InvalidDirectory as error:
                    self._warn(error)
                self._mark = mark
            return self._read

    def _keep(self, mark: _Mark | None, error: InvalidDirectory) -> None:
        with self._lock:
            if self._mark != mark:
                self._warn(error)
                self._mark = mark

    def _warn(self, error: InvalidDirectory) -> None:
        _log.error("%s What was read before it was changed goes on to count.", error)


def _mark(path: Path) -> _Mark:
    try:
        found = path.stat()
    except OSError as error:
        raise InvalidDirectory(
            f"`{path}` cannot be read ({error.strerror}). Wanted is a TOML file that says who is"
            " who. Write one, or correct the path."
        ) from error
    return _Mark(found.st_ino, found.st_size, found.st_mtime_ns)


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            return _File.model_validate(tomllib.load(file))
    except OSError as error:
        raise InvalidDirectory(
            f"`{path}` cannot be read ({error.strerror}). Wanted is a file that this process may"
            " read. Correct its rights."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidDirectory(f"`{path}` is no TOML: {error}. Correct it there.") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}" for each in error.errors()
        )
        raise InvalidDirectory(
            f"`{path}` does not say who is who: {wrong}. Wanted are `[users.NAME]` with tenant,"
            " roles, groups, scopes and logins, `[agents.NAME]` with scopes, and `[notify]`."
        ) from error
