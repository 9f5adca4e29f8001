"""The audit of a tenant: the state of its chain, and a search of its events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints.audit import chain, queries
from penstock.contracts.audit import GENESIS, ChainedEvent, EventFilter, FoundEvents, expected_hash
from penstock.contracts.ids import GateId, RunId
from penstock.ui import navigation, session, text
from penstock.ui.components.audit_chain import show_chain
from penstock.ui.components.badges import badge
from penstock.ui.components.filters import Filters
from penstock.ui.components.markdown import escaped, short, short_id, utc_instant
from penstock.ui.components.table import open_row, show_values
from penstock.ui.exports import event_lines
from penstock.ui.views.audit import chained_event_view
from penstock.ui.views.documents import document_data, json_text

PAGE = 50
EXPORT_ROWS = 10_000
"""At most so many events are exported in one file; the command line has no limit."""

_FILTERS = Filters(
    page="audit",
    names=("action", "actor", "run", "gate", "tool", "since", "until"),
    position="before",
    shows_labels=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    wanted: EventFilter
    before: int | None
    problem: str | None
    """Why the filter finds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    event: ChainedEvent | None
    previous: ChainedEvent | None
    has_key: bool
    """Whether the key for the codes of its run still exists."""


def show() -> None:
    """Show the chain and its events, or the one that the URL names."""
    number = navigation.parameter("event") or ""
    if number.isdecimal():
        _event(int(number))
        return
    st.title("Audit", anchor=False)
    show_chain()
    _events()


@st.fragment
def _events() -> None:
    st.header("Events", anchor=False)
    asked, actions = session.read(_ask)
    _filters(actions)
    if asked.problem is not None:
        st.info(asked.problem, icon=":material/search_off:")
        return
    found = session.read(
        lambda connection: queries.page(connection, asked.wanted, before=asked.before, limit=PAGE)
    )
    if not found.events:
        _empty(found, is_filtered=asked.wanted != EventFilter(tenant=session.tenant()))
    else:
        row = open_row(_columns(found.events), key="audit-events", config=_CONFIG)
        if row is not None:
            navigation.go("audit", **_FILTERS.chosen(), event=str(found.events[row].number))
        st.caption("Times are of UTC. Tick an event to see it whole.")
    navigation.pager_by_position(
        is_newest=asked.before is None,
        older=None if found.is_end else str(found.looked_to),
        note=f"Looked at down to #{found.looked_to:,}",
    )
    _export(asked.wanted)


def _ask(connection: Connection) -> tuple[_Asked, Sequence[str]]:
    """Return the filter that the URL holds, and the actions to choose from."""
    tenant, problem = session.tenant(), None
    run_id: RunId | None = None
    gate_id: GateId | None = None
    typed = navigation.parameter("run")
    if typed is not None:
        run_id = queries.run_by_prefix(connection, tenant, typed)
        problem = None if run_id is not None else _not_one("run", typed)
    typed = navigation.parameter("gate")
    if typed is not None and problem is None:
        gate = queries.gate_by_prefix(connection, tenant, typed)
        gate_id = None if gate is None else gate[0]
        problem = None if gate is not None else _not_one("gate", typed)
    since, until = _day("since"), _day("until")
    wanted = EventFilter(
        tenant=tenant,
        action=navigation.parameter("action"),
        actor=navigation.parameter("actor"),
        run_id=run_id,
        gate_id=gate_id,
        tool=navigation.parameter("tool"),
        since=None if since is None else _midnight(since),
        until=None if until is None else _midnight(until) + timedelta(days=1),
    )
    before = navigation.parameter("before") or ""
    number = int(before) if before.isdecimal() else None
    asked = _Asked(wanted=wanted, before=number, problem=problem)
    return asked, queries.actions(connection, tenant)


def _not_one(what: str, typed: str) -> str:
    return (
        f"No {what} of this tenant has an id that begins with **{escaped(short(typed, 40))}**, or"
        " more than one has: type more of it."
    )


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(navigation.parameter(name) or "")
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _filters(actions: Sequence[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _FILTERS.pick(
            "action",
            "What",
            actions,
            chosen=navigation.parameter("action"),
            empty="Anything",
            width=200,
        )
        _FILTERS.search("actor", "Who", hint="A person or a worker", width=180)
        _FILTERS.search("run", "Run", hint="The beginning of its id", width=180)
        _FILTERS.search("gate", "Gate", hint="The beginning of its id", width=180)
        _FILTERS.search("tool", "Tool", hint="Its name", width=180)
        _FILTERS.day("since", "From (UTC)", chosen=_day("since"), width=140)
        _FILTERS.day("until", "To (UTC)", chosen=_day("until"), width=140)


def _columns(events: Sequence[ChainedEvent]) -> Mapping[str, Sequence[Any]]:
    return {
        "#": [event.number for event in events],
        "When": [text.instant(event.at) for event in events],
        "What": [event.action for event in events],
        "Who": [event.actor for event in events],
        "Run": [short_id(event.run_id or "") for event in events],
        "Detail": [_line(event) for event in events],
    }


def _line(event: ChainedEvent) -> str:
    parts = [f"{name} {value}" for name, value in event.details.items() if value is not None]
    if event.reason is None and "reason" in event.codes:
        parts.append("reason erased")
    return short(", ".join(parts), 200)


def _empty(found: FoundEvents, *, is_filtered: bool) -> None:
    with st.container(border=True):
        if not found.is_end:
            st.markdown(f"**None fits, back to #{found.looked_to:,}.** Look further back.")
        elif is_filtered:
            st.markdown("**No event fits.** Take some of the filter away.")
            if st.button("Show all", icon=":material/filter_alt_off:"):
                _FILTERS.clear()
                st.rerun()
        else:
            st.markdown("**There is no event yet.** The first one comes with the first run.")
            navigation.link("graphs", "Start a run", icon=":material/rocket_launch:")


def _export(wanted: EventFilter) -> None:
    store = session.desk().store
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Take out as JSON lines",
            # It is written when somebody asks for it, by a thread that knows of no page.
            lambda: event_lines(store, wanted, limit=EXPORT_ROWS),
            file_name=f"audit-{wanted.tenant}.jsonl",
            mime="application/x-ndjson",
            icon=":material/download:",
            key="audit-export",
            on_click="ignore",
        )
        st.caption(
            f"The last {EXPORT_ROWS:,} that fit at most, in their order, each with its hash and"
            " that of the one before: as `penstock audit export`, which has no limit. A row's hash"
            " can be computed anew from its line; that none is missing shows only where all are"
            " taken out.",
            width="stretch",
        )


def _event(number: int) -> None:
    navigation.link("audit", "Audit", icon=":material/arrow_back:", **_FILTERS.chosen())
    opened_ = session.read(lambda connection: _open(connection, number))
    event = opened_.event
    if event is None:
        st.info(
            f"There is no event #{number:,}: it was not written yet, or taken away. Verify the"
            " chain to know.",
            icon=":material/search_off:",
        )
        return
    st.title(f"#{event.number} · {escaped(event.action)}", anchor=False)
    st.markdown(_fits(opened_))
    st.markdown(f"by **{escaped(event.actor)}**, {utc_instant(event.at)}")
    with st.container(horizontal=True):
        if event.run_id is not None:
            navigation.link("run", "Its run", icon=":material/route:", run=event.run_id)
        gate_id = event.details.get("gate")
        if isinstance(gate_id, str):
            navigation.link("gate", "Its gate", icon=":material/verified_user:", gate=gate_id)
        if event.number > 1:
            before = str(event.number - 1)
            navigation.link("audit", f"#{before}", icon=":material/arrow_upward:", event=before)
        after = str(event.number + 1)
        navigation.link("audit", f"#{after}", icon=":material/arrow_downward:", event=after)
    _detail(opened_)
    st.markdown("**In the chain**")
    st.caption("Its hash, over all of it but the reason, and the hash of the one before")
    st.code(f"{event.hash}\n{event.previous}", language=None)
    with st.expander("As it is taken out"):
        st.code(_as_stored(event), language="json", wrap_lines=True)


def _open(connection: Connection, number: int) -> _Opened:
    event = queries.get(connection, session.tenant(), number)
    run_id = "" if event is None else event.run_id or ""
    return _Opened(
        event=event,
        previous=queries.get(connection, session.tenant(), number - 1),
        has_key=chain.find_key(connection, run_id) is not None,
    )


def _fits(opened_: _Opened) -> str:
    event = opened_.event
    if event is None or expected_hash(event) != event.hash:
        return badge("red", "its text or its place was changed after it was written", "link_off")
    before = opened_.previous
    if before is None:
        if event.number > 1:
            return badge("orange", "the one before is not there", "help")
        before_hash = GENESIS
    else:
        before_hash = before.hash
    if event.previous != before_hash:
        return badge("red", "it does not follow the one before", "link_off")
    return badge("green", "its hash fits, and it follows the one before", "link")


def _detail(opened_: _Opened) -> None:
    event = opened_.event
    if event is None:
        return
    detail = {name: value for name, value in event.details.items() if name != "reason"}
    show_values(detail, heading="detail")
    hidden = dict(event.codes)
    if event.reason is not None:
        st.markdown("**Why**")
        st.text(event.reason)
    elif "reason" in hidden:
        st.markdown(f"**Why**: {badge('gray', 'erased', 'ink_eraser')}")
    hidden.pop("reason", None)
    if not hidden:
        return
    erased = "" if opened_.has_key else f" {badge('gray', 'erased', 'ink_eraser')}"
    st.markdown(f"**What the audit does not tell, and has a code of**{erased}")
    if not opened_.has_key:
        st.caption(
            "The key of its run was erased with what it was told: the codes say nothing any more."
        )
    for name, code in hidden.items():
        st.markdown(f"- {escaped(name)} · {escaped(code[:16])}…")


def _as_stored(event: ChainedEvent) -> str:
    return json_text(document_data(chained_event_view(event)))


_CONFIG: Mapping[str, Any] = {
    "#": st.column_config.NumberColumn(width="small", format="localized"),
    "When": st.column_config.TextColumn(width=160),
    "What": st.column_config.TextColumn(width=150),
    "Who": st.column_config.TextColumn(width=150),
    "Run": st.column_config.TextColumn(width=125, help="The beginning of its id"),
    "Detail": st.column_config.TextColumn(width="large"),
}
