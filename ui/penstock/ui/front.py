"""What the pages stand on: the open store, what acts on it, and who looks."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import streamlit as st
from sqlalchemy import Connection

from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import NotAllowed, UnknownPerson
from penstock.contracts.inbox import Viewer
from penstock.runs import BlockingApprovals, BlockingBulk, BlockingPolicies, BlockingRuntime
from penstock.runs.authorization import Right, has_right, viewer_of
from penstock.runs.settings import LoginBy
from penstock.ui.claims import login_of
from penstock.ui.project import Project
from penstock.ui.recent import Recent
from penstock.ui.sessions import COOKIE, Sessions

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """One control room: all windows of a process show the same."""

    desk: Project
    person: str | None
    """Who looks where nobody logs in."""
    sessions: Sessions | None
    """Of people who log in by a password."""
    graphs_missing: str | None
    """Why the project's graphs are not at hand, where they are not."""


_open: list[Front] = []
_recent = Recent()


def open_front(front: Front) -> None:
    """Have the pages of this process show a control room, in place of one that they showed."""
    _open[:] = [front]
    changed()


def front() -> Front:
    """Return the control room."""
    return _open[-1]


def desk() -> Project:
    """Return its open store and what acts on it."""
    return front().desk


def tenant() -> str:
    """Return whose runs and gates are shown."""
    return desk().settings.tenant


def now() -> datetime:
    """Return the present instant."""
    return SystemClock().now()


def read(query: Callable[[Connection], T]) -> T:
    """Return what a query finds, over one unchanging view of the store.

    Raises:
        StoreError: the store failed.
    """
    return desk().store.read_blocking(query)


def lately(key: Hashable, query: Callable[[Connection], T], *, for_s: float) -> T:
    """Return what a query has found in the last seconds, for numbers that nothing is decided by.

    Raises:
        StoreError: the store failed.
    """
    return _recent.get(key, lambda: read(query), for_s=for_s)


def changed() -> None:
    """Say that something was done: what was found before it does not count any more."""
    _recent.forget()


def runtime() -> BlockingRuntime:
    """Return what acts on runs, for a `with`."""
    return BlockingRuntime(desk().runtime)


def bulk() -> BlockingBulk:
    """Return what acts on many runs, for a `with`."""
    return BlockingBulk(desk().bulk)


def approvals() -> BlockingApprovals:
    """Return what acts on approvals, for a `with`."""
    return BlockingApprovals(desk().approvals)


def policing() -> BlockingPolicies:
    """Return what acts on policies, for a `with`."""
    return BlockingPolicies(desk().policing)


def logged_in() -> str | None:
    """Return what somebody has proved to be called; None where they have to log in first.

    Raises:
        InvalidAccounts: the file of accounts cannot be used.
        NotAllowed: as `login_of`.
    """
    room = front()
    match room.desk.settings.ui_login:
        case LoginBy.NOTHING:
            return room.person
        case LoginBy.PASSWORD:
            return None if room.sessions is None else room.sessions.whose(_cookie())
        case LoginBy.OIDC:
            if not st.user.is_logged_in:
                return None
            return login_of(st.user.to_dict(), room.desk.settings, now())


def person() -> str:
    """Return who looks, as the people of the tenant know them.

    Raises:
        NotAllowed: nobody is logged in, or the tenant does not know them.
        UnknownPerson: the login belongs to nobody, or to several.
    """
    login = logged_in()
    if login is None:
        raise NotAllowed("nobody is logged in; log in again")
    people = desk().people
    is_login = desk().settings.ui_login is LoginBy.OIDC
    found = people.person_of(login) if is_login else login
    if not has_right(people, Right.LOOK, found, tenant()):
        raise UnknownPerson(
            f"you are logged in as `{found}`, whom tenant `{tenant()}` does not know; have an"
            " admin add you to the file of people"
        )
    return found


def may(right: Right) -> bool:
    """Tell whether whoever looks has a right; what acts asks again."""
    return has_right(desk().people, right, person(), tenant())


def groups() -> frozenset[str]:
    """Return the groups that whoever looks belongs to, where a file says who is who."""
    people, who = desk().people, person()
    return frozenset(each for each in people.groups or () if people.has(each, who, tenant()))


def viewer(connection: Connection) -> Viewer:
    """Return who looks, for lists."""
    return viewer_of(connection, desk().people, person(), tenant=tenant(), now=now())


def _cookie() -> str | None:
    return st.context.cookies.get(COOKIE)
