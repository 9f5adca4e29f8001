"""Having a worker drain."""

from collections.abc import Sequence

import streamlit as st

from penstock.contracts.worker import KnownWorker
from penstock.runs.authorization import Right
from penstock.ui import front
from penstock.ui.components.words import plain
from penstock.ui.forms.sending import send


def offer(worker: KnownWorker, *, only_taker_of: Sequence[str]) -> None:
    """Show the way to have a worker drain; there is none back."""
    if worker.drain_by is not None:
        return
    may = front.may(Right.TEND)
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
            names = ", ".join(f"**{plain(name)}**" for name in only_taker_of)
            st.warning(
                f"No other worker takes runs of {names}: they wait until one is started.",
                icon=":material/person_off:",
            )
        if st.button("Have it drain", type="primary", key=f"drain-now-{worker.id}"):
            _drain(worker)


def _drain(worker: KnownWorker) -> None:
    def act() -> str:
        front.desk().tending.drain(worker.id, by=front.person(), tenant=front.tenant())
        return f"{plain(worker.id)} hears with its next beat that it is to drain."

    send(act, about="workers")
    st.rerun()
