"""A long list in pages; which of them is shown stands in the URL."""

import streamlit as st

from penstock.ui import places


def asked_page(*, last: int | None = None) -> int:
    """Return the number of the page that the URL asks for, from 1 and no more than `last`."""
    asked = places.asked("page") or "1"
    page = max(int(asked), 1) if asked.isdecimal() else 1
    return page if last is None else min(page, last)


def last_page(total: int, *, size: int) -> int:
    """Return the number of the last page."""
    return max(-(-total // size), 1)


def pager(page: int, *, last: int, told: str) -> None:
    """Offer the pages before and after, where there are several; `told` says how much there is."""
    if last == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Previous", disabled=page <= 1, icon=":material/chevron_left:"):
            places.note(page=str(page - 1))
            st.rerun()
        st.caption(f"Page {page} of {last}, {told}", width="content")
        if st.button("Next", disabled=page >= last, icon=":material/chevron_right:"):
            places.note(page=str(page + 1))
            st.rerun()
