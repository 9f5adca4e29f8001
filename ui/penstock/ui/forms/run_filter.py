"""The filter of the list of runs. It stands in the URL: whoever bookmarks the page has saved it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from penstock.contracts.amounts import read_budget
from penstock.contracts.budget import Budget
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import RunStatus
from penstock.ui import front, places
from penstock.ui.components.states import MARKS
from penstock.ui.components.words import plain

NAMES = ("state", "graph", "time", "waits", "tags", "spent", "node", "shape", "redrive", "find")
"""What of it stands in the URL."""

_SPANS = {"1h": "Last hour", "24h": "Last day", "7d": "Last week", "30d": "Last month"}
_HOURS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
_STATES = {status.value for status in RunStatus}
_AMOUNT = "Write an amount as `50000 tokens` or `0.50 USD`."


def asked() -> RunFilter:
    """Return what the URL asks for; what makes no sense there is not asked for."""
    statuses = [each for each in (places.asked("state") or "").split(",") if each in _STATES]
    span = _HOURS.get(places.asked("time") or "")
    used = _used(places.asked("spent") or "")
    return RunFilter(
        tenant=front.tenant(),
        statuses=tuple(RunStatus(each) for each in statuses),
        graph=places.asked("graph"),
        fingerprint=places.asked("shape"),
        since=None if span is None else front.now() - timedelta(hours=span),
        tags=tuple(_tags()),
        is_redrivable=places.asked("redrive") is not None,
        tokens=None if used is None else used.tokens,
        money=None if used is None else used.money,
        waits_for=places.asked("waits"),
        node=places.asked("node"),
        text=places.asked("find"),
    )


def show(
    wanted: RunFilter,
    *,
    counts: Mapping[RunStatus, int],
    graphs: Sequence[str],
    tags: Sequence[str],
) -> None:
    """Show the filter; what is chosen is in the URL at the next look."""
    st.pills(
        "State",
        list(RunStatus),
        default=list(wanted.statuses),
        selection_mode="multi",
        format_func=lambda status: f"{MARKS[status].name} ({counts[status]:,})",
        key="runs-state",
        label_visibility="collapsed",
        on_change=_choose,
        args=("state",),
    )
    groups = sorted(front.desk().people.groups or ())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _pick("Graph", graphs, wanted.graph, name="graph", empty="All graphs")
        _pick("Time", list(_SPANS), places.asked("time"), name="time", empty="All times")
        if groups:
            _pick("Waits for", groups, wanted.waits_for, name="waits", empty="Waits for anybody")
        st.multiselect(
            "Tags",
            sorted({*tags, *wanted.tags}),
            default=list(wanted.tags),
            placeholder="All tags",
            accept_new_options=True,
            key="runs-tags",
            label_visibility="collapsed",
            width=220,
            on_change=_choose,
            args=("tags",),
        )
        _type("Used at least", "spent", "Used at least 0.50 USD", icon="payments", width=230)
        _type("Find", "find", "Run, key, thread or person", icon="search", width=260)
    spent = places.asked("spent")
    if spent is not None and _used(spent) is None:
        st.warning(f"“{plain(spent)}” is not looked for. {_AMOUNT}", icon=":material/payments:")
    _narrowings(wanted)


def clear() -> None:
    """Take all of it away."""
    for name in NAMES:
        st.session_state.pop(f"runs-{name}", None)
    places.note(**dict.fromkeys(NAMES), before=None)


def _narrowings(wanted: RunFilter) -> None:
    """Show what a link from another page has narrowed the list to, and the way out of it."""
    told = {
        "node": None if wanted.node is None else f"Waits in {plain(wanted.node)}",
        "redrive": "Can be redriven" if wanted.is_redrivable else None,
        "shape": None if wanted.fingerprint is None else f"Fingerprint {wanted.fingerprint[:8]}",
    }
    with st.container(horizontal=True):
        for name, label in told.items():
            if label is not None and st.button(
                label, key=f"runs-{name}", icon=":material/close:", help="Take this away"
            ):
                places.note(**{name: None, "before": None})
                st.rerun()


def _pick(label: str, options: Sequence[str], chosen: str | None, *, name: str, empty: str) -> None:
    known = list(options) if chosen is None or chosen in options else [*options, chosen]
    st.selectbox(
        label,
        known,
        index=None if chosen is None else known.index(chosen),
        format_func=_spelled,
        placeholder=empty,
        key=f"runs-{name}",
        label_visibility="collapsed",
        width=180,
        on_change=_choose,
        args=(name,),
    )


def _type(label: str, name: str, empty: str, *, icon: str, width: int) -> None:
    st.text_input(
        label,
        places.asked(name) or "",
        placeholder=empty,
        key=f"runs-{name}",
        label_visibility="collapsed",
        icon=f":material/{icon}:",
        width=width,
        on_change=_choose,
        args=(name,),
    )


def _spelled(option: str) -> str:
    return _SPANS.get(option, option)


def _choose(name: str) -> None:
    chosen: Any = st.session_state.get(f"runs-{name}") or ()
    told = chosen.strip() if isinstance(chosen, str) else ",".join(chosen)
    places.note(**{name: told or None, "before": None})


def _tags() -> Sequence[str]:
    named = (places.asked("tags") or "").split(",")
    return [tag.strip() for tag in named if tag.strip()]


def _used(text: str) -> Budget | None:
    """Return an amount of tokens or money; None if it is neither."""
    number, _, unit = text.replace(",", "").strip().partition(" ")
    cap = f"tokens={number}" if unit.strip().lower() in {"", "tokens"} else f"money={number} {unit}"
    try:
        return read_budget([cap])
    except ValueError:
        return None
