"""Sending what somebody has decided, and saying plainly what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from penstock.contracts.errors import (
    GateClosed,
    GateNotReady,
    GateStale,
    PenstockError,
    PolicyChanged,
    StoreError,
)
from penstock.ui import front
from penstock.ui.components.words import sentence

_TOLD = "told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of something that was sent."""

    is_done: bool
    text: str
    """In Markdown."""


def send(act: Callable[[], str], *, about: str) -> bool:
    """Do what was decided; keep what came of it for the next look. Tell whether it was done.

    `act` returns what to say. `about` names what it is about: a gate, a run.
    """
    try:
        told = Told(is_done=True, text=act())
    except PenstockError as error:
        told = Told(is_done=False, text=_why(error))
    front.changed()
    st.session_state[_TOLD] = (about, told)
    return told.is_done


def tell(about: str) -> None:
    """Say once what came of what was sent about something."""
    found = st.session_state.get(_TOLD)
    if found is None or found[0] != about:
        return
    del st.session_state[_TOLD]
    told: Told = found[1]
    if told.is_done:
        st.success(told.text, icon=":material/check_circle:")
    else:
        st.warning(told.text, icon=":material/block:")


def _why(error: PenstockError) -> str:
    said = sentence(str(error))
    match error:
        case GateStale():
            return f"**This has changed under you; nothing was sent.** {said}."
        case PolicyChanged():
            return f"**Somebody was quicker; nothing was loaded.** {said}."
        case GateClosed():
            return f"**Somebody was quicker, or the time was up; nothing was sent.** {said}."
        case GateNotReady():
            return f"**Not yet; nothing was sent.** {said}."
        case StoreError():
            return f"**The store cannot be used; nothing was sent.** {said}. Try again."
        case _:
            return f"**Nothing was sent.** {said}."
