"""What people do with one run: cancel, pause, resume, redrive, fork, compare, export."""

import streamlit as st

from penstock.contracts.run import LIVE, Run, RunStatus
from penstock.runs.authorization import Right
from penstock.ui import navigation, session
from penstock.ui.components.feedback import submit_and_rerun
from penstock.ui.components.run_details import RunDetails
from penstock.ui.exports import document_text, run_document
from penstock.ui.forms import fork

_NO_GRAPHS = (
    "The project's graphs are not at hand, and without them nobody knows which arguments are to be"
    " hidden."
)
_NOT_YOURS = "Only an operator, or whoever the run acts for, may do this."


def export_button(details: RunDetails) -> None:
    """Show a button that exports all of a run as one file, made only when it is pressed."""
    run, is_known = details.run, details.graph is not None

    def text() -> str:
        known = session.desk().catalog.get(run.graph)
        return document_text(session.read(lambda connection: run_document(connection, run, known)))

    st.download_button(
        "Export",
        text,
        file_name=f"penstock-{run.id}.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        disabled=not is_known,
        help="All that is known of it as one JSON file" if is_known else _NO_GRAPHS,
        key=f"export-{run.id}",
    )


def action_buttons(details: RunDetails) -> None:
    """Show the buttons of what can be done with a run in its state."""
    with st.container(horizontal=True, vertical_alignment="center"):
        _steer(details.run)
        run_id = details.run.id
        if fork.may_fork(details.run):
            navigation.link("run", "Fork", icon=":material/call_split:", run=run_id, fork="new")
        navigation.link(
            "run", "Compare", icon=":material/compare_arrows:", run=run_id, compare="any"
        )
        export_button(details)


def _steer(run: Run) -> None:
    is_own = session.person() == run.principal
    may_steer = session.may(Right.STEER)
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
                with session.runtime() as runtime:
                    left = runtime.cancel(run.id, by=session.person(), reason=reason or None)
                if left.status is RunStatus.CANCELLED:
                    return "Cancelled."
                return "Its worker stops it within a second."

            submit_and_rerun(act, about=run.id)


def _pause(run: Run) -> None:
    with st.form(f"pause-{run.id}", border=False):
        reason = st.text_input("Why (may be left empty)", key=f"pause-why-{run.id}")
        if st.form_submit_button("Pause this run", type="primary"):

            def act() -> str:
                with session.runtime() as runtime:
                    runtime.pause(run.id, by=session.person(), reason=reason or None)
                return "Paused. Calls that are under way are settled first."

            submit_and_rerun(act, about=run.id)


def _resume(run: Run) -> None:
    def act() -> str:
        with session.runtime() as runtime:
            runtime.resume(run.id, by=session.person())
        return "It goes on."

    submit_and_rerun(act, about=run.id)


def _redrive(run: Run) -> None:
    def act() -> str:
        with session.runtime() as runtime:
            runtime.redrive(run.id, by=session.person())
        return "Queued again. It goes on from its last checkpoint."

    submit_and_rerun(act, about=run.id)
