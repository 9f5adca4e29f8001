"""Errors on a page: a sentence that says what is wrong and what to do, never a trace."""

import logging

import streamlit as st

from penstock.contracts.errors import MigrationNeeded, PenstockError, StoreError
from penstock.ui.components.words import sentence

log = logging.getLogger(__name__)


def tell(error: Exception) -> bool:
    """Show what went wrong; what is a fault of the room itself is in its log."""
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
