"""Names and values: short ones in a table, long texts below it, as they were written."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from penstock.ui.components.table import shown
from penstock.ui.components.words import plain, spelled

_LONG = 240


def values(found: Mapping[str, Any], *, heading: str) -> None:
    """Show names and values."""
    told = {name: spelled(value) for name, value in found.items()}
    long = {name: text for name, text in told.items() if "\n" in text or len(text) > _LONG}
    brief = {name: text for name, text in told.items() if name not in long}
    if brief:
        shown(
            {
                heading: [plain(name) for name in brief],
                "value": [plain(text) or "*empty*" for text in brief.values()],
            },
            border="horizontal",
        )
    for name, text in long.items():
        st.markdown(f"**{plain(name)}**")
        with st.container(border=True):
            st.text(text)
    if not told:
        st.caption(f"No {heading}.")
