"""The filter of the list of runs. It stands in the URL: a bookmark of the page saves it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import streamlit as st

from penstock.contracts.amounts import read_budget
from penstock.contracts.budget import Budget
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import RunStatus
from penstock.ui import navigation, session
from penstock.ui.components.badges import RUN_STATES
from penstock.ui.components.filters import Filters
from penstock.ui.components.markdown import escaped

FILTERS = Filters(
    page="runs",
    names=(
        "state",
        "graph",
        "time",
        "waits",
        "tags",
        "spent",
        "node",
        "shape",
        "redrive",
        "find",
    ),
    position="before",
)

_SPANS = {"1h": "Last hour", "24h": "Last day", "7d": "Last week", "30d": "Last month"}
_HOURS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
_STATES = {status.value for status in RunStatus}
_AMOUNT = "Write an amount as `50000 tokens` or `0.50 USD`."


def from_url() -> RunFilter:
    """Return the filter that the URL holds; parameters that make no sense are ignored."""
    statuses = [
        each for each in (navigation.parameter("state") or "").split(",") if each in _STATES
    ]
    span = _HOURS.get(navigation.parameter("time") or "")
    used = _used(navigation.parameter("spent") or "")
    return RunFilter(
        tenant=session.tenant(),
        statuses=tuple(RunStatus(each) for each in statuses),
        graph=navigation.parameter("graph"),
        fingerprint=navigation.parameter("shape"),
        since=None if span is None else session.now() - timedelta(hours=span),
        tags=tuple(_tags()),
        is_redrivable=navigation.parameter("redrive") is not None,
        tokens=None if used is None else used.tokens,
        money=None if used is None else used.money,
        waits_for=navigation.parameter("waits"),
        node=navigation.parameter("node"),
        text=navigation.parameter("find"),
    )


def show(
    wanted: RunFilter,
    *,
    counts: Mapping[RunStatus, int],
    graphs: Sequence[str],
    tags: Sequence[str],
) -> None:
    """Show the filter; what is chosen is put into the URL."""
    st.pills(
        "State",
        list(RunStatus),
        default=list(wanted.statuses),
        selection_mode="multi",
        format_func=lambda status: f"{RUN_STATES[status].name} ({counts[status]:,})",
        key=FILTERS.key("state"),
        label_visibility="collapsed",
        on_change=FILTERS.apply,
        args=("state",),
    )
    groups = sorted(session.desk().people.groups or ())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        FILTERS.pick("graph", "Graph", graphs, chosen=wanted.graph, empty="All graphs", width=180)
        FILTERS.pick(
            "time",
            "Time",
            list(_SPANS),
            chosen=navigation.parameter("time"),
            empty="All times",
            width=180,
            format_func=lambda span: _SPANS.get(span, span),
        )
        if groups:
            FILTERS.pick(
                "waits",
                "Waits for",
                groups,
                chosen=wanted.waits_for,
                empty="Waits for anybody",
                width=180,
            )
        st.multiselect(
            "Tags",
            sorted({*tags, *wanted.tags}),
            default=list(wanted.tags),
            placeholder="All tags",
            accept_new_options=True,
            key=FILTERS.key("tags"),
            label_visibility="collapsed",
            width=220,
            on_change=FILTERS.apply,
            args=("tags",),
        )
        FILTERS.search(
            "spent", "Used at least", hint="Used at least 0.50 USD", width=230, icon="payments"
        )
        FILTERS.search("find", "Find", hint="Run, key, thread or person", width=260, icon="search")
    spent = navigation.parameter("spent")
    if spent is not None and _used(spent) is None:
        st.warning(f"“{escaped(spent)}” is not looked for. {_AMOUNT}", icon=":material/payments:")
    _narrowings(wanted)


def _narrowings(wanted: RunFilter) -> None:
    """Show the filters that a link from another page has set, each with a way to remove it."""
    labels = {
        "node": None if wanted.node is None else f"Waits in {escaped(wanted.node)}",
        "redrive": "Can be redriven" if wanted.is_redrivable else None,
        "shape": None if wanted.fingerprint is None else f"Fingerprint {wanted.fingerprint[:8]}",
    }
    with st.container(horizontal=True):
        for name, label in labels.items():
            if label is not None and st.button(
                label, key=FILTERS.key(name), icon=":material/close:", help="Take this away"
            ):
                FILTERS.clear_one(name)
                st.rerun()


def _tags() -> Sequence[str]:
    named = (navigation.parameter("tags") or "").split(",")
    return [tag.strip() for tag in named if tag.strip()]


def _used(text: str) -> Budget | None:
    """Return an amount of tokens or money; None if it is neither."""
    number, _, unit = text.replace(",", "").strip().partition(" ")
    cap = f"tokens={number}" if unit.strip().lower() in {"", "tokens"} else f"money={number} {unit}"
    try:
        return read_budget([cap])
    except ValueError:
        return None
