"""A worker as a card: whether it is heard of, what it drives, and the way to have it drain."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import streamlit as st

from penstock.contracts.run import Run
from penstock.contracts.worker import KnownWorker, WorkerState
from penstock.ui import front, places, text
from penstock.ui.components.words import age, ago, badge, left, plain

SHOWN = 8
"""So many runs of a worker are listed."""

MARKS: Mapping[WorkerState, tuple[str, str]] = {
    WorkerState.ALIVE: ("green", "check_circle"),
    WorkerState.DRAINING: ("violet", "hourglass_bottom"),
    WorkerState.LATE: ("orange", "warning"),
    WorkerState.GONE: ("red", "heart_broken"),
    WorkerState.ENDED: ("gray", "stop_circle"),
}
_MEANS: Mapping[WorkerState, str] = {
    WorkerState.LATE: (
        "It should have been heard of by now: it is stopped, has too much to do, or is dead. When"
        " its lease is over, others take its runs over."
    ),
    WorkerState.GONE: (
        "It is dead, stopped or cut off. Others take over what it drove, and whatever it writes for"
        " those runs is refused; should it come back, it goes on with new ones."
    ),
    WorkerState.DRAINING: (
        "It takes nothing more, and ends when what it drives has ended or waits at a gate."
    ),
}


def badges(found: Sequence[KnownWorker]) -> str:
    """Return how many workers there are in each state, as badges."""
    counts = Counter(each.state for each in found)
    return " ".join(
        badge(colour, f"{counts[state]} {state}", icon)
        for state, (colour, icon) in MARKS.items()
        if counts[state]
    )


def card(
    worker: KnownWorker, held: Sequence[Run], *, action: Callable[[], None] | None = None
) -> None:
    """Show a worker and the runs that it holds; `action` shows what can be done with it."""
    state, now = worker.state, front.now()
    colour, icon = MARKS[state]
    with st.container(border=True, key=f"worker-{worker.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(worker.id)}** {badge(colour, state, icon)}")
            if action is not None:
                action()
        share = min(worker.silent_s / worker.lease_s, 1.0)
        silent = text.age(worker.silent_s)
        st.progress(share, text=f"Last beat {silent} ago, of a lease of {worker.lease_s:g}s")
        if worker.drain_by is not None and worker.drain_at is not None:
            st.markdown(
                f"**{plain(worker.drain_by)}** asked it to drain {ago(worker.drain_at, now)}."
            )
        if state in _MEANS:
            st.markdown(_MEANS[state])
        graphs = ", ".join(plain(name) for name, _ in worker.graphs) or "no graph"
        st.caption(
            f"drives {len(held)} of {worker.slot_count} · {graphs} · started"
            f" {ago(worker.started_at, now)} · process {worker.pid} on {plain(worker.host)} ·"
            f" version {plain(worker.version)}"
        )
        _held(held, now)


def left_of_lease(run: Run, now: datetime) -> str:
    """Say how long the lease of a run still is."""
    if run.lease_expires_at is None:
        return "no lease"
    if run.lease_expires_at <= now:
        return f"its lease has been over for {age(run.lease_expires_at, now)}"
    return f"its lease ends in {left(run.lease_expires_at, now)}"


def _held(held: Sequence[Run], now: datetime) -> None:
    own = [run for run in held if run.tenant == front.tenant()]
    for run in own[:SHOWN]:
        with st.container(horizontal=True, vertical_alignment="center"):
            # A link, and no button: what refreshes itself could lead back from where one goes.
            places.link("run", f"Run {run.id[:13]}", icon=":material/route:", run=run.id)
            st.caption(
                f"{plain(run.graph)}, claim {run.epoch}, {left_of_lease(run, now)}", width="content"
            )
    rest = [f"{len(own) - SHOWN} more"] if len(own) > SHOWN else []
    others = len(held) - len(own)
    rest += [f"{others} of other tenants"] if others else []
    if rest:
        st.caption(f"and {', and '.join(rest)}")
