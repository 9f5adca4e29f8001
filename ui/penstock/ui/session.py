"""What a page stands on: the open store, the services that act on it, and the person who looks."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

import streamlit as st
from sqlalchemy import Connection

from penstock.contracts.clock import Clock, SystemClock
from penstock.contracts.errors import NotAllowed, UnknownPerson
from penstock.contracts.inbox import Viewer
from penstock.runs import BlockingApprovals, BlockingBulk, BlockingPolicies, BlockingRuntime
from penstock.runs.authorization import Right, has_right, viewer_of
from penstock.runs.settings import LoginBy
from penstock.ui.login import COOKIE, Sessions, claimed_login
from penstock.ui.project import Project

T = TypeVar("T")

KEY_COUNT = 1000
"""So many answers are kept; then all are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRoom:
    """The control room of this process, the same for all its windows."""

    desk: Project
    person: str | None
    """The person who looks, where nobody logs in."""
    sessions: Sessions | None
    """The sessions of people who log in by a password."""
    graphs_missing: str | None
    """Why the project's graphs could not be loaded; None where they are."""


class TimedCache:
    """Answers of queries, kept for some seconds, for all windows of a process.

    It is for numbers that nothing is decided by.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        """Begin empty."""
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, object]] = {}
        self._changes = 0

    def get(self, key: Hashable, ask: Callable[[], T], *, for_s: float) -> T:
        """Return what `ask` answered under this key in the last `for_s` seconds, or ask again."""
        now = self._clock.now().timestamp()
        with self._lock:
            kept = self._kept.get(key)
            changes = self._changes
        if kept is not None and 0 <= now - kept[0] < for_s:
            return cast("T", kept[1])
        answer = ask()
        with self._lock:
            # What was asked before a change may be wrong after it.
            if changes == self._changes:
                if len(self._kept) >= KEY_COUNT:
                    self._kept.clear()
                self._kept[key] = (now, answer)
        return answer

    def clear(self) -> None:
        """Drop all answers: something has changed."""
        with self._lock:
            self._changes += 1
            self._kept.clear()


_open: list[ControlRoom] = []
_recent = TimedCache()


def open_control_room(room: ControlRoom) -> None:
    """Have the pages of this process show a control room, in place of any other."""
    _open[:] = [room]
    invalidate()


def control_room() -> ControlRoom:
    """Return the control room."""
    return _open[-1]


def desk() -> Project:
    """Return its open store and the services that act on it."""
    return control_room().desk


def tenant() -> str:
    """Return the tenant whose runs and gates are shown."""
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


def cached(key: Hashable, query: Callable[[Connection], T], *, for_s: float) -> T:
    """Return what a query found in the last `for_s` seconds, for numbers that decide nothing.

    Raises:
        StoreError: the store failed.
    """
    return _recent.get(key, lambda: read(query), for_s=for_s)


def invalidate() -> None:
    """Drop what `cached` keeps, because something has changed."""
    _recent.clear()


def runtime() -> BlockingRuntime:
    """Return the service that acts on runs, for a `with`."""
    return BlockingRuntime(desk().runtime)


def bulk() -> BlockingBulk:
    """Return the service that acts on many runs, for a `with`."""
    return BlockingBulk(desk().bulk)


def approvals() -> BlockingApprovals:
    """Return the service that acts on approvals, for a `with`."""
    return BlockingApprovals(desk().approvals)


def policing() -> BlockingPolicies:
    """Return the service that acts on policies, for a `with`."""
    return BlockingPolicies(desk().policies)


def logged_in() -> str | None:
    """Return the login that the visitor has proved; None where they have to log in first.

    Raises:
        InvalidAccounts: the file of accounts cannot be used.
        NotAllowed: as `claimed_login`.
    """
    room = control_room()
    match room.desk.settings.ui_login:
        case LoginBy.NOTHING:
            return room.person
        case LoginBy.PASSWORD:
            return None if room.sessions is None else room.sessions.person(_cookie())
        case LoginBy.OIDC:
            if not st.user.is_logged_in:
                return None
            return claimed_login(st.user.to_dict(), room.desk.settings, now())


def person() -> str:
    """Return the person who looks, as the tenant knows them.

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
    if not has_right(people, Right.VIEW, found, tenant()):
        raise UnknownPerson(
            f"you are logged in as `{found}`, whom tenant `{tenant()}` does not know; have an"
            " admin add you to the file of people"
        )
    return found


def may(right: Right) -> bool:
    """Tell whether the person who looks has a right; the services check it again."""
    return has_right(desk().people, right, person(), tenant())


def groups() -> frozenset[str]:
    """Return the groups of the person who looks, where a file of people names them."""
    people, who = desk().people, person()
    return frozenset(each for each in people.groups or () if people.has(each, who, tenant()))


def viewer(connection: Connection) -> Viewer:
    """Return the person who looks, as queries of lists take them."""
    return viewer_of(connection, desk().people, person(), tenant=tenant(), now=now())


def _cookie() -> str | None:
    return st.context.cookies.get(COOKIE)
