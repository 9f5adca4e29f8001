"""The audit of a tenant: how its chain stands, and a search of its events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints.audit import queries
from penstock.checkpoints.audit.chain import find_key
from penstock.contracts.audit import GENESIS, ChainedEvent, EventFilter, FoundEvents, expected_hash
from penstock.contracts.ids import GateId, RunId
from penstock.ui import front, places, text
from penstock.ui.cli.auditing import lines, of_event
from penstock.ui.components.chain import chain
from penstock.ui.components.table import opened
from penstock.ui.components.values import values
from penstock.ui.components.words import badge, instant, plain, short

PAGE = 50
EXPORT_ROWS = 10_000
"""So many events are taken out in one file; the command line has no limit."""

_FILTERS = ("action", "actor", "run", "gate", "tool", "since", "until")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    wanted: EventFilter
    before: int | None
    problem: str | None
    """What of the filter leads nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    event: ChainedEvent | None
    previous: ChainedEvent | None
    has_key: bool
    """Whether there is a key still for the codes of its run."""


def show() -> None:
    """Show the chain and its events, or the one that the URL names."""
    number = places.asked("event") or ""
    if number.isdecimal():
        _event(int(number))
        return
    st.title("Audit", anchor=False)
    chain()
    _events()


@st.fragment
def _events() -> None:
    st.header("Events", anchor=False)
    asked, actions = front.read(_ask)
    _filters(actions)
    if asked.problem is not None:
        st.info(asked.problem, icon=":material/search_off:")
        return
    found = front.read(
        lambda connection: queries.page(connection, asked.wanted, before=asked.before, limit=PAGE)
    )
    if not found.events:
        _empty(found, is_filtered=asked.wanted != EventFilter(tenant=front.tenant()))
    else:
        row = opened(_columns(found.events), key="audit-events", config=_CONFIG)
        if row is not None:
            places.go("audit", **_kept(), event=str(found.events[row].number))
        st.caption("Times are of UTC. Tick an event to see it whole.")
    _pager(found, asked.before)
    _export(asked.wanted)


def _ask(connection: Connection) -> tuple[_Asked, Sequence[str]]:
    """Return what the URL asks for, and by which actions there is to choose."""
    tenant, problem = front.tenant(), None
    run_id: RunId | None = None
    gate_id: GateId | None = None
    typed = places.asked("run")
    if typed is not None:
        run_id = queries.run_by_prefix(connection, tenant, typed)
        problem = None if run_id is not None else _not_one("run", typed)
    typed = places.asked("gate")
    if typed is not None and problem is None:
        gate = queries.gate_by_prefix(connection, tenant, typed)
        gate_id = None if gate is None else gate[0]
        problem = None if gate is not None else _not_one("gate", typed)
    since, until = _day("since"), _day("until")
    wanted = EventFilter(
        tenant=tenant,
        action=places.asked("action"),
        actor=places.asked("actor"),
        run_id=run_id,
        gate_id=gate_id,
        tool=places.asked("tool"),
        since=None if since is None else _midnight(since),
        until=None if until is None else _midnight(until) + timedelta(days=1),
    )
    before = places.asked("before") or ""
    number = int(before) if before.isdecimal() else None
    asked = _Asked(wanted=wanted, before=number, problem=problem)
    return asked, queries.actions(connection, tenant)


def _not_one(what: str, typed: str) -> str:
    return (
        f"No {what} of this tenant has an id that begins with **{plain(short(typed, 40))}**, or"
        " more than one has: type more of it."
    )


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(places.asked(name) or "")
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _filters(actions: Sequence[str]) -> None:
    chosen = places.asked("action")
    known = [*actions, *([chosen] if chosen is not None and chosen not in actions else [])]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "What",
            known,
            index=None if chosen is None else known.index(chosen),
            placeholder="Anything",
            key="audit-action",
            width=200,
            on_change=_choose,
            args=("action",),
        )
        for name, label, placeholder in (
            ("actor", "Who", "A person or a worker"),
            ("run", "Run", "The beginning of its id"),
            ("gate", "Gate", "The beginning of its id"),
            ("tool", "Tool", "Its name"),
        ):
            st.text_input(
                label,
                places.asked(name) or "",
                placeholder=placeholder,
                key=f"audit-{name}",
                width=180,
                on_change=_choose,
                args=(name,),
            )
        for name, label in (("since", "From (UTC)"), ("until", "To (UTC)")):
            st.date_input(
                label,
                _day(name),
                key=f"audit-{name}",
                format="YYYY-MM-DD",
                min_value=date(2000, 1, 1),
                max_value=date(2999, 12, 31),
                width=140,
                on_change=_choose,
                args=(name,),
            )


def _choose(name: str) -> None:
    chosen: Any = st.session_state.get(f"audit-{name}")
    places.note(**{name: str(chosen).strip() if chosen else None, "before": None})


def _kept() -> Mapping[str, str]:
    """Return the filter as the URL has it."""
    asked = {name: places.asked(name) for name in (*_FILTERS, "before")}
    return {name: value for name, value in asked.items() if value is not None}


def _columns(events: Sequence[ChainedEvent]) -> Mapping[str, Sequence[Any]]:
    return {
        "#": [event.number for event in events],
        "When": [text.instant(event.at) for event in events],
        "What": [event.action for event in events],
        "Who": [event.actor for event in events],
        "Run": [(event.run_id or "")[:13] for event in events],
        "Detail": [_line(event) for event in events],
    }


def _line(event: ChainedEvent) -> str:
    told = [f"{name} {value}" for name, value in event.told.items() if value is not None]
    if event.reason is None and "reason" in event.codes:
        told.append("reason erased")
    return short(", ".join(told), 200)


def _empty(found: FoundEvents, *, is_filtered: bool) -> None:
    with st.container(border=True):
        if not found.is_end:
            st.markdown(f"**None fits, back to #{found.looked_to:,}.** Look further back.")
        elif is_filtered:
            st.markdown("**No event fits.** Take some of the filter away.")
            if st.button("Show all", icon=":material/filter_alt_off:"):
                for name in _FILTERS:
                    st.session_state.pop(f"audit-{name}", None)
                places.note(**dict.fromkeys((*_FILTERS, "before")))
                st.rerun()
        else:
            st.markdown("**There is no event yet.** The first one comes with the first run.")
            places.link("graphs", "Start a run", icon=":material/rocket_launch:")


def _pager(found: FoundEvents, before: int | None) -> None:
    if found.is_end and before is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Newest", disabled=before is None, icon=":material/first_page:"):
            places.note(before=None)
            st.rerun()
        if st.button("Older", disabled=found.is_end, icon=":material/chevron_right:"):
            places.note(before=str(found.looked_to))
            st.rerun()
        st.caption(f"Looked at down to #{found.looked_to:,}", width="content")


def _export(wanted: EventFilter) -> None:
    store = front.desk().store
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Take out as JSON lines",
            # It is written when somebody asks for it, by a thread that knows of no page.
            lambda: lines(store, wanted, limit=EXPORT_ROWS),
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
    places.link("audit", "Audit", icon=":material/arrow_back:", **_kept())
    opened_ = front.read(lambda connection: _open(connection, number))
    event = opened_.event
    if event is None:
        st.info(
            f"There is no event #{number:,}: it was not written yet, or taken away. Verify the"
            " chain to know.",
            icon=":material/search_off:",
        )
        return
    st.title(f"#{event.number} · {plain(event.action)}", anchor=False)
    st.markdown(_fits(opened_))
    st.markdown(f"by **{plain(event.actor)}**, {instant(event.at)}")
    with st.container(horizontal=True):
        if event.run_id is not None:
            places.link("run", "Its run", icon=":material/route:", run=event.run_id)
        gate_id = event.told.get("gate")
        if isinstance(gate_id, str):
            places.link("gate", "Its gate", icon=":material/verified_user:", gate=gate_id)
        if event.number > 1:
            before = str(event.number - 1)
            places.link("audit", f"#{before}", icon=":material/arrow_upward:", event=before)
        after = str(event.number + 1)
        places.link("audit", f"#{after}", icon=":material/arrow_downward:", event=after)
    _detail(opened_)
    st.markdown("**In the chain**")
    st.caption("Its hash, over all of it but the reason, and the hash of the one before")
    st.code(f"{event.hash}\n{event.previous}", language=None)
    with st.expander("As it is taken out"):
        st.code(_as_stored(event), language="json", wrap_lines=True)


def _open(connection: Connection, number: int) -> _Opened:
    event = queries.get(connection, front.tenant(), number)
    run_id = "" if event is None else event.run_id or ""
    return _Opened(
        event=event,
        previous=queries.get(connection, front.tenant(), number - 1),
        has_key=find_key(connection, run_id) is not None,
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
    told = {name: value for name, value in event.told.items() if name != "reason"}
    values(told, heading="detail")
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
        st.markdown(f"- {plain(name)} · {plain(code[:16])}…")


def _as_stored(event: ChainedEvent) -> str:
    return json.dumps(of_event(event), indent=2, ensure_ascii=False)


_CONFIG: Mapping[str, Any] = {
    "#": st.column_config.NumberColumn(width="small", format="localized"),
    "When": st.column_config.TextColumn(width=160),
    "What": st.column_config.TextColumn(width=150),
    "Who": st.column_config.TextColumn(width=150),
    "Run": st.column_config.TextColumn(width=125, help="The beginning of its id"),
    "Detail": st.column_config.TextColumn(width="large"),
}
