"""Feedback on a page: the outcome of what somebody has submitted, and errors in plain sentences."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import streamlit as st

from penstock.contracts.errors import (
    GateClosed,
    GateNotReady,
    GateStale,
    MigrationNeeded,
    PenstockError,
    PolicyChanged,
    StoreError,
)
from penstock.ui import session
from penstock.ui.components.markdown import sentence

_OUTCOME = "told"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of something that was submitted."""

    is_done: bool
    text: str
    """A sentence, in Markdown."""


def submit(act: Callable[[], str], *, about: str) -> bool:
    """Do what was submitted and keep its outcome for the next redraw. Tell whether it was done.

    `act` returns the sentence to show. `about` names the gate, run or page that shows it.
    """
    try:
        outcome = Outcome(is_done=True, text=act())
    except PenstockError as error:
        outcome = Outcome(is_done=False, text=_why(error))
    session.invalidate()
    st.session_state[_OUTCOME] = (about, outcome)
    return outcome.is_done


def submit_and_rerun(act: Callable[[], str], *, about: str) -> NoReturn:
    """Do what was submitted, keep its outcome, and redraw the page, which shows it."""
    submit(act, about=about)
    st.rerun()


def show_outcome(about: str) -> None:
    """Show the outcome of what was submitted about something, once."""
    found = st.session_state.get(_OUTCOME)
    if found is None or found[0] != about:
        return
    del st.session_state[_OUTCOME]
    outcome: Outcome = found[1]
    if outcome.is_done:
        st.success(outcome.text, icon=":material/check_circle:")
    else:
        st.warning(outcome.text, icon=":material/block:")


def show_first_steps(text: str, *, then: str, code: str, language: str | None = None) -> None:
    """Show what a page will hold once there is something, and the code that brings it about.

    Where the project's graphs could not be loaded, it says why.
    """
    with st.container(border=True):
        st.markdown(text)
        missing = session.control_room().graphs_missing
        if missing is not None:
            st.markdown(sentence(missing))
        st.markdown(then)
        st.code(code, language=language)


def show_error(error: Exception) -> bool:
    """Show an error; a fault of the control room itself is logged with its trace."""
    match error:
        case StoreError() | MigrationNeeded():
            log.warning("a page could not read the store: %s", error)
            st.error(
                f"**The store cannot be used just now.** {sentence(str(error))}\n\n"
                "Nothing was changed. Load the page again when that is mended;"
                " `penstock doctor` says more.",
                icon=":material/database_off:",
            )
        case PenstockError():
            st.error(f"{sentence(str(error))}.", icon=":material/block:")
        case _:
            log.error("a page failed", exc_info=error)
            st.error(
                "**This page failed.** It is a fault of the control room, and its log says more."
                " Nothing was changed.",
                icon=":material/error:",
            )
    return True


def _why(error: PenstockError) -> str:
    message = sentence(str(error))
    match error:
        case GateStale():
            return f"**This has changed under you; nothing was sent.** {message}."
        case PolicyChanged():
            return f"**Somebody was quicker; nothing was loaded.** {message}."
        case GateClosed():
            return f"**Somebody was quicker, or the time was up; nothing was sent.** {message}."
        case GateNotReady():
            return f"**Not yet; nothing was sent.** {message}."
        case StoreError():
            return f"**The store cannot be used; nothing was sent.** {message}. Try again."
        case _:
            return f"**Nothing was sent.** {message}."
