"""A worker as a card: its last beat, the runs that it drives, and a button that has it drain."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from penstock.contracts.ids import RunId
from penstock.contracts.run import Run
from penstock.contracts.worker import KnownWorker, WorkerState
from penstock.runs.authorization import Right
from penstock.ui import navigation, session, text
from penstock.ui.components.badges import WORKER_STATES, badge
from penstock.ui.components.feedback import submit_and_rerun
from penstock.ui.components.markdown import age, ago, escaped, remaining, short_id

SHOWN = 8
"""At most so many runs of a worker are listed."""
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


def worker_badges(found: Sequence[KnownWorker]) -> str:
    """Return how many workers there are in each state, as badges."""
    counts = Counter(each.state for each in found)
    return " ".join(
        badge(colour, f"{counts[state]} {state}", icon)
        for state, (colour, icon) in WORKER_STATES.items()
        if counts[state]
    )


def worker_card(
    worker: KnownWorker, held: Sequence[Run], *, only_taker_of: Sequence[str] = ()
) -> None:
    """Show a worker and the runs that it holds, and a button to drain it unless it is gone.

    `only_taker_of` are the graphs whose runs no other worker takes.
    """
    state, now = worker.state, session.now()
    colour, icon = WORKER_STATES[state]
    with st.container(border=True, key=f"worker-{worker.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{escaped(worker.id)}** {badge(colour, state, icon)}")
            if state is not WorkerState.GONE:
                _drain_button(worker, only_taker_of=only_taker_of)
        share = min(worker.silent_s / worker.lease_s, 1.0)
        silent = text.age(worker.silent_s)
        st.progress(share, text=f"Last beat {silent} ago, of a lease of {worker.lease_s:g}s")
        if worker.drain_by is not None and worker.drain_at is not None:
            st.markdown(
                f"**{escaped(worker.drain_by)}** asked it to drain {ago(worker.drain_at, now)}."
            )
        if state in _MEANS:
            st.markdown(_MEANS[state])
        graphs = ", ".join(escaped(name) for name, _ in worker.graphs) or "no graph"
        st.caption(
            f"drives {len(held)} of {worker.slot_count} · {graphs} · started"
            f" {ago(worker.started_at, now)} · process {worker.pid} on {escaped(worker.host)} ·"
            f" version {escaped(worker.version)}"
        )
        _held(held, now)


def run_line(run_id: RunId, text: str) -> None:
    """Show a link to a run, with a text beside it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        # A link, and no button: what refreshes itself could lead back from where one goes.
        navigation.link("run", f"Run {short_id(run_id)}", icon=":material/route:", run=run_id)
        st.caption(text, width="content")


def lease_left(run: Run, now: datetime) -> str:
    """Return how long the lease of a run still is."""
    if run.lease_expires_at is None:
        return "no lease"
    if run.lease_expires_at <= now:
        return f"its lease has been over for {age(run.lease_expires_at, now)}"
    return f"its lease ends in {remaining(run.lease_expires_at, now)}"


def _drain_button(worker: KnownWorker, *, only_taker_of: Sequence[str]) -> None:
    """Show a button that has a worker drain, which cannot be taken back."""
    if worker.drain_by is not None:
        return
    may = session.may(Right.MANAGE_WORKERS)
    with st.popover(
        "Drain",
        icon=":material/hourglass_bottom:",
        disabled=not may,
        help=None if may else "Only an operator may do this.",
        key=f"drain-{worker.id}",
    ):
        st.markdown(
            "It takes nothing more, finishes what it drives or parks it at a gate, and ends. That"
            " cannot be taken back; what restarts workers starts another."
        )
        if only_taker_of:
            names = ", ".join(f"**{escaped(name)}**" for name in only_taker_of)
            st.warning(
                f"No other worker takes runs of {names}: they wait until one is started.",
                icon=":material/person_off:",
            )
        if st.button("Have it drain", type="primary", key=f"drain-now-{worker.id}"):
            _drain(worker)


def _held(held: Sequence[Run], now: datetime) -> None:
    own = [run for run in held if run.tenant == session.tenant()]
    for run in own[:SHOWN]:
        run_line(run.id, f"{escaped(run.graph)}, claim {run.epoch}, {lease_left(run, now)}")
    rest = [f"{len(own) - SHOWN} more"] if len(own) > SHOWN else []
    others = len(held) - len(own)
    rest += [f"{others} of other tenants"] if others else []
    if rest:
        st.caption(f"and {', and '.join(rest)}")


def _drain(worker: KnownWorker) -> None:
    def act() -> str:
        session.desk().fleet.drain(worker.id, by=session.person(), tenant=session.tenant())
        return f"{escaped(worker.id)} hears with its next beat that it is to drain."

    submit_and_rerun(act, about="workers")
