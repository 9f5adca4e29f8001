"""What operators do with a run: cancel, pause, resume, redrive."""

import streamlit as st

from penstock.contracts.run import LIVE, Run, RunStatus
from penstock.runs.authorization import Right
from penstock.ui import front, places
from penstock.ui.components.story import Story
from penstock.ui.forms import export, forking
from penstock.ui.forms.sending import send

_NOT_YOURS = "Only an operator, or whoever the run acts for, may do this."


def buttons(story: Story) -> None:
    """Show what can be done with a run as it is."""
    with st.container(horizontal=True, vertical_alignment="center"):
        _steer(story.run)
        run_id = story.run.id
        if forking.may_fork(story.run):
            places.link("run", "Fork", icon=":material/call_split:", run=run_id, fork="new")
        places.link("run", "Compare", icon=":material/compare_arrows:", run=run_id, compare="any")
        export.button(story)


def _steer(run: Run) -> None:
    is_own = front.person() == run.principal
    may_steer = front.may(Right.STEER)
    may_redrive = run.failure is not None and run.failure.redrivable
    if run.status not in LIVE and not may_redrive:
        return
    if run.status in LIVE:
        locked = not (is_own or may_steer)
        help_ = _NOT_YOURS if locked else None
        with st.popover("Cancel", icon=":material/cancel:", disabled=locked, help=help_):
            _cancel(run)
        if run.pause_by is None:
            with st.popover("Pause", icon=":material/pause:", disabled=locked, help=help_):
                _pause(run)
        elif st.button(
            "Resume", icon=":material/play_arrow:", type="primary", disabled=locked, help=help_
        ):
            _resume(run)
    elif st.button(
        "Redrive",
        icon=":material/replay:",
        type="primary",
        disabled=not may_steer,
        help=None if may_steer else "Only an operator may do this.",
    ):
        _redrive(run)


def _cancel(run: Run) -> None:
    with st.form(f"cancel-{run.id}", border=False):
        st.markdown(
            "What its tools may have done by then is not taken back; what nobody can know of is"
            " asked at a gate."
        )
        reason = st.text_input("Why (may be left empty)", key=f"cancel-why-{run.id}")
        if st.form_submit_button("Cancel this run", type="primary"):

            def act() -> str:
                with front.runtime() as runtime:
                    left = runtime.cancel(run.id, by=front.person(), reason=reason or None)
                if left.status is RunStatus.CANCELLED:
                    return "Cancelled."
                return "Its worker stops it within a second."

            send(act, about=run.id)
            st.rerun()


def _pause(run: Run) -> None:
    with st.form(f"pause-{run.id}", border=False):
        reason = st.text_input("Why (may be left empty)", key=f"pause-why-{run.id}")
        if st.form_submit_button("Pause this run", type="primary"):

            def act() -> str:
                with front.runtime() as runtime:
                    runtime.pause(run.id, by=front.person(), reason=reason or None)
                return "Paused. Calls that are under way are settled first."

            send(act, about=run.id)
            st.rerun()


def _resume(run: Run) -> None:
    def act() -> str:
        with front.runtime() as runtime:
            runtime.resume(run.id, by=front.person())
        return "It goes on."

    send(act, about=run.id)
    st.rerun()


def _redrive(run: Run) -> None:
    def act() -> str:
        with front.runtime() as runtime:
            runtime.redrive(run.id, by=front.person())
        return "Queued again. It goes on from its last checkpoint."

    send(act, about=run.id)
    st.rerun()
