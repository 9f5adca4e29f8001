"""The inbox: gates that wait for people, those that need the person who looks first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import gates
from penstock.contracts.errors import PenstockError
from penstock.contracts.gate import GateKind
from penstock.contracts.ids import GateId
from penstock.contracts.inbox import GateFilter, ListedGate, Shelf
from penstock.runs.links import PARAMETER
from penstock.ui import navigation, session
from penstock.ui.components import feedback
from penstock.ui.components.filters import Filters
from penstock.ui.components.gate_card import card
from penstock.ui.components.markdown import sentence
from penstock.ui.forms import approval_batch
from penstock.ui.navigation import last_page, page_number, pager

PAGE = 20
LOOK_S = 5.0
"""The list is read so often, to redraw it when it has changed."""
NEW_S = 1.0
"""A list that was drawn more recently is not read again."""
OLD_S = 60.0
"""A list that has not changed is redrawn after so long, for the times that it shows."""
COUNT_S = 10.0
"""The counts of the other shelves, and the names to filter by, may be so old."""

_FILTERS = Filters(page="inbox", names=("shelf", "kind", "graph"), position="page")
_SHOWN = "inbox-shown"

_NAMES = {
    Shelf.MINE: "Needs me",
    Shelf.TEAMS: "My teams",
    Shelf.OTHERS: "Waiting on others",
    Shelf.DECIDED: "Decided",
}
_EMPTY = {
    Shelf.MINE: "**Nothing needs you.** Calls that a policy wants approved, questions that graphs"
    " ask, and calls of which nobody knows whether they happened appear here, the most urgent"
    " first.",
    Shelf.TEAMS: "**Nothing waits on your teams.** What your groups are asked, and you have"
    " voted on or have a part in, appears here until it is decided.",
    Shelf.OTHERS: "**Nothing waits on others.** What other groups are asked appears here.",
    Shelf.DECIDED: "**Nothing was decided yet.** What was approved, rejected, answered or has"
    " expired appears here, the latest first.",
}
_KINDS = {
    GateKind.APPROVAL: "Approvals",
    GateKind.QUESTION: "Questions",
    GateKind.IN_DOUBT: "In doubt",
    GateKind.BUDGET: "Budgets",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The list that the URL asks for."""

    shelf: Shelf
    wanted: GateFilter
    page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What a window shows, to tell when the list has changed."""

    asked: _Asked
    count: int
    ids: Sequence[GateId]
    at: datetime


def show() -> None:
    """Show the gates of one shelf."""
    if navigation.parameter(PARAMETER) is not None:
        _follow(navigation.parameter(PARAMETER) or "")
    st.title("Inbox", anchor=False)
    feedback.show_outcome("inbox")
    if approval_batch.is_under_way():
        approval_batch.review()
        return
    _list()
    _watch()


def _follow(token: str) -> None:
    """Go to the gate that a link of a message leads to."""
    links = session.desk().settings.links()
    person = session.person()
    if links is None:
        st.warning("Links of messages are not set up here. What waits for you is listed below.")
        navigation.set_parameters(**{PARAMETER: None})
        return
    try:
        gate_id = session.desk().store.write_blocking(
            lambda connection: links.follow(connection, token, person=person)
        )
    except PenstockError as error:
        st.warning(f"{sentence(str(error))}.", icon=":material/link_off:")
        navigation.set_parameters(**{PARAMETER: None})
        return
    navigation.go("gate", gate=gate_id)


@st.fragment(run_every=LOOK_S)
def _watch() -> None:
    """Redraw the page when its list has changed, and only then."""
    shown: _Shown = st.session_state[_SHOWN]
    age_s = (session.now() - shown.at).total_seconds()
    if age_s < NEW_S:
        return
    if age_s < OLD_S:
        count, listed = session.read(lambda connection: _look(connection, shown.asked))
        if (shown.count, shown.ids) == (count, _ids(listed)):
            return
        session.invalidate()
    st.rerun()


@st.fragment
def _list() -> None:
    asked, now = _asked(), session.now()
    shelf, wanted = asked.shelf, asked.wanted
    count, listed = session.read(lambda connection: _look(connection, asked))
    st.session_state[_SHOWN] = _Shown(asked=asked, count=count, ids=_ids(listed), at=now)
    counts = {**_counts(wanted), shelf: count} if count < gates.COUNT_LIMIT else _counts(wanted)
    _filters(counts, shelf, wanted)
    if not listed:
        _empty(shelf, is_filtered=wanted != GateFilter())
        return
    label = "Review" if shelf is Shelf.MINE else "Open"
    if shelf is Shelf.MINE and sum(each.gate.kind is GateKind.APPROVAL for each in listed) > 1:
        st.caption("Pick approvals of one tool to decide them together.")
    picked = [
        each
        for each in listed
        if card(
            each,
            now,
            label=label,
            picks=shelf is Shelf.MINE and each.gate.kind is GateKind.APPROVAL,
        )
    ]
    approval_batch.offer(picked)
    total = counts[shelf]
    last = last_page(total, size=PAGE)
    pager(asked.page, last=last, count=f"{_count(shelf, total)} in all")


def _asked() -> _Asked:
    shelf, kind = navigation.parameter("shelf"), navigation.parameter("kind")
    return _Asked(
        shelf=Shelf(shelf) if shelf in list(Shelf) else Shelf.MINE,
        wanted=GateFilter(
            kinds=(GateKind(kind),) if kind in list(GateKind) else (),
            graph=navigation.parameter("graph"),
        ),
        page=page_number(),
    )


def _look(connection: Connection, asked: _Asked) -> tuple[int, Sequence[ListedGate]]:
    viewer = session.viewer(connection)
    offset = (asked.page - 1) * PAGE
    return (
        gates.count(connection, viewer, asked.shelf, asked.wanted),
        gates.shelf(connection, viewer, asked.shelf, asked.wanted, limit=PAGE, offset=offset),
    )


def _ids(listed: Sequence[ListedGate]) -> Sequence[GateId]:
    return [each.gate.id for each in listed]


def _counts(wanted: GateFilter) -> Mapping[Shelf, int]:
    return session.cached(
        ("counts", session.person(), wanted),
        lambda connection: gates.counts(connection, session.viewer(connection), wanted),
        for_s=COUNT_S,
    )


def _graphs() -> Sequence[str]:
    return session.cached(
        "asking",
        lambda connection: sorted(gates.graphs_asking(connection, tenant=session.tenant())),
        for_s=COUNT_S,
    )


def _filters(counts: Mapping[Shelf, int], shelf: Shelf, wanted: GateFilter) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Shelf",
            list(Shelf),
            default=shelf,
            required=True,
            format_func=lambda each: f"{_NAMES[each]} ({_count(each, counts[each])})",
            key=_FILTERS.key("shelf"),
            label_visibility="collapsed",
            on_change=_FILTERS.apply,
            args=("shelf",),
        )
        _FILTERS.pick(
            "kind",
            "Kind",
            list(_KINDS),
            chosen=wanted.kinds[0] if wanted.kinds else None,
            empty="All kinds",
            width=180,
            format_func=lambda each: _KINDS[each],
        )
        _FILTERS.pick(
            "graph", "Graph", _graphs(), chosen=wanted.graph, empty="All graphs", width=200
        )


def _empty(shelf: Shelf, *, is_filtered: bool) -> None:
    with st.container(border=True):
        if is_filtered:
            st.markdown("**Nothing here fits the filter.** Take it away to see the rest.")
            return
        st.markdown(_EMPTY[shelf])
        if shelf is Shelf.MINE:
            st.markdown("What comes next:")
            navigation.link("runs", "Look at the runs", icon=":material/list_alt:")
            navigation.link("graphs", "Start a run", icon=":material/rocket_launch:")


def _count(shelf: Shelf, number: int) -> str:
    if shelf is Shelf.DECIDED and number >= gates.COUNT_LIMIT:
        return f"{gates.COUNT_LIMIT:,}+"
    return f"{number:,}"
