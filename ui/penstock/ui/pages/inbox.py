"""The inbox: what waits for people, what needs whoever looks first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import gates
from penstock.contracts.errors import PenstockError
from penstock.contracts.gate import GateKind
from penstock.contracts.ids import GateId
from penstock.contracts.inbox import GateFilter, ListedGate, Shelf
from penstock.runs.links import PARAMETER
from penstock.ui import front, places
from penstock.ui.components.cards import card
from penstock.ui.components.pages import asked_page, last_page, pager
from penstock.ui.components.words import sentence
from penstock.ui.forms import batch, sending

PAGE = 20
LOOK_S = 5.0
"""So often is looked whether there is something else to show."""
NEW_S = 1.0
"""What was drawn so recently is not looked at again."""
OLD_S = 60.0
"""What is shown is drawn again after so long, for what it says of the time."""
COUNT_S = 10.0
"""So old may be the counts of the other shelves, and the names to filter by."""

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
    """What the URL asks for."""

    shelf: Shelf
    wanted: GateFilter
    page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What a window shows, to tell when there is something else."""

    asked: _Asked
    count: int
    ids: Sequence[GateId]
    at: datetime


def show() -> None:
    """Show the gates of one shelf."""
    if places.asked(PARAMETER) is not None:
        _follow(places.asked(PARAMETER) or "")
    st.title("Inbox", anchor=False)
    sending.tell("inbox")
    if batch.is_under_way():
        batch.review()
        return
    _list()
    _watch()


def _follow(token: str) -> None:
    """Go where a link of a message leads."""
    links = front.desk().settings.links()
    person = front.person()
    if links is None:
        st.warning("Links of messages are not set up here. What waits for you is listed below.")
        places.note(**{PARAMETER: None})
        return
    try:
        gate_id = front.desk().store.write_blocking(
            lambda connection: links.follow(connection, token, person=person)
        )
    except PenstockError as error:
        st.warning(f"{sentence(str(error))}.", icon=":material/link_off:")
        places.note(**{PARAMETER: None})
        return
    places.go("gate", gate=gate_id)


@st.fragment(run_every=LOOK_S)
def _watch() -> None:
    """Draw the page anew when there is something else to show. Else it is left in peace."""
    shown: _Shown = st.session_state[_SHOWN]
    age_s = (front.now() - shown.at).total_seconds()
    if age_s < NEW_S:
        return
    if age_s < OLD_S:
        count, listed = front.read(lambda connection: _look(connection, shown.asked))
        if (shown.count, shown.ids) == (count, _ids(listed)):
            return
        front.changed()
    st.rerun()


@st.fragment
def _list() -> None:
    asked, now = _asked(), front.now()
    shelf, wanted = asked.shelf, asked.wanted
    count, listed = front.read(lambda connection: _look(connection, asked))
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
    batch.offer(picked)
    total = counts[shelf]
    last = last_page(total, size=PAGE)
    pager(asked.page, last=last, told=f"{_count(shelf, total)} in all")


def _asked() -> _Asked:
    shelf, kind = places.asked("shelf"), places.asked("kind")
    return _Asked(
        shelf=Shelf(shelf) if shelf in list(Shelf) else Shelf.MINE,
        wanted=GateFilter(
            kinds=(GateKind(kind),) if kind in list(GateKind) else (),
            graph=places.asked("graph"),
        ),
        page=asked_page(),
    )


def _look(connection: Connection, asked: _Asked) -> tuple[int, Sequence[ListedGate]]:
    viewer = front.viewer(connection)
    offset = (asked.page - 1) * PAGE
    return (
        gates.count(connection, viewer, asked.shelf, asked.wanted),
        gates.shelf(connection, viewer, asked.shelf, asked.wanted, limit=PAGE, offset=offset),
    )


def _ids(listed: Sequence[ListedGate]) -> Sequence[GateId]:
    return [each.gate.id for each in listed]


def _counts(wanted: GateFilter) -> Mapping[Shelf, int]:
    return front.lately(
        ("counts", front.person(), wanted),
        lambda connection: gates.counts(connection, front.viewer(connection), wanted),
        for_s=COUNT_S,
    )


def _graphs() -> Sequence[str]:
    return front.lately(
        "asking",
        lambda connection: sorted(gates.graphs_asking(connection, tenant=front.tenant())),
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
            key="inbox-shelf",
            label_visibility="collapsed",
            on_change=_choose,
            args=("shelf", "inbox-shelf"),
        )
        st.selectbox(
            "Kind",
            list(_KINDS),
            index=list(_KINDS).index(wanted.kinds[0]) if wanted.kinds else None,
            format_func=lambda each: _KINDS[each],
            placeholder="All kinds",
            key="inbox-kind",
            label_visibility="collapsed",
            width=180,
            on_change=_choose,
            args=("kind", "inbox-kind"),
        )
        names = sorted({*_graphs(), *([wanted.graph] if wanted.graph else [])})
        st.selectbox(
            "Graph",
            names,
            index=names.index(wanted.graph) if wanted.graph else None,
            placeholder="All graphs",
            key="inbox-graph",
            label_visibility="collapsed",
            width=200,
            on_change=_choose,
            args=("graph", "inbox-graph"),
        )


def _choose(name: str, key: str) -> None:
    chosen: Any = st.session_state.get(key)
    places.note(**{name: None if chosen is None else str(chosen), "page": None})


def _empty(shelf: Shelf, *, is_filtered: bool) -> None:
    with st.container(border=True):
        if is_filtered:
            st.markdown("**Nothing here fits the filter.** Take it away to see the rest.")
            return
        st.markdown(_EMPTY[shelf])
        if shelf is Shelf.MINE:
            st.markdown("What comes next:")
            places.link("runs", "Look at the runs", icon=":material/list_alt:")
            places.link("graphs", "Start a run", icon=":material/rocket_launch:")


def _count(shelf: Shelf, number: int) -> str:
    if shelf is Shelf.DECIDED and number >= gates.COUNT_LIMIT:
        return f"{gates.COUNT_LIMIT:,}+"
    return f"{number:,}"
