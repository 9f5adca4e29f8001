"""Navigation between pages. What a page shows stands in its URL."""

from collections.abc import Mapping
from typing import NoReturn

import streamlit as st

_PAGES, _HERE = "places", "here"


def register(pages: Mapping[str, st.Page]) -> None:
    """Keep the pages of this run of the script, by their names."""
    st.session_state[_PAGES] = pages


def go(name: str, **parameters: str) -> NoReturn:
    """Go to a page, with these parameters in its URL."""
    st.switch_page(st.session_state[_PAGES][name], query_params=parameters)


def link(name: str, label: str, *, icon: str | None = None, **parameters: str) -> None:
    """Show a link to a page."""
    page = st.session_state[_PAGES][name]
    st.page_link(page, label=label, icon=icon, query_params=parameters)


def parameter(name: str) -> str | None:
    """Return a parameter of the URL."""
    return st.query_params.get(name) or None


def set_parameters(**parameters: str | None) -> None:
    """Put parameters into the URL, or take those that are None out of it."""
    for name, value in parameters.items():
        if value:
            if st.query_params.get(name) != value:
                st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]


def sync_address(page: str) -> None:
    """Update the browser's address where the parameters have changed on the same page.

    A link from a page to itself leads there, but leaves the address as it was.
    """
    here = st.query_params.to_dict()
    before = st.session_state.get(_HERE)
    if before is not None and before[0] == page and before[1] != here:
        st.query_params.from_dict(here)
    st.session_state[_HERE] = page, here


def page_number(*, last: int | None = None) -> int:
    """Return the number of the page that the URL asks for, from 1 and no more than `last`."""
    typed = parameter("page") or "1"
    page = max(int(typed), 1) if typed.isdecimal() else 1
    return page if last is None else min(page, last)


def last_page(total: int, *, size: int) -> int:
    """Return the number of the last page."""
    return max(-(-total // size), 1)


def pager(page: int, *, last: int, count: str) -> None:
    """Offer the pages before and after, where there are several; `count` says how long all is."""
    if last == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Previous", disabled=page <= 1, icon=":material/chevron_left:"):
            set_parameters(page=str(page - 1))
            st.rerun()
        st.caption(f"Page {page} of {last}, {count}", width="content")
        if st.button("Next", disabled=page >= last, icon=":material/chevron_right:"):
            set_parameters(page=str(page + 1))
            st.rerun()


def pager_by_position(*, is_newest: bool, older: str | None, note: str | None = None) -> None:
    """Offer the newest page and an older one, which begins after the position `older`.

    It is for lists that grow at their top, where numbers of pages would shift.
    """
    if is_newest and older is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Newest", disabled=is_newest, icon=":material/first_page:"):
            set_parameters(before=None)
            st.rerun()
        if st.button("Older", disabled=older is None, icon=":material/chevron_right:"):
            set_parameters(before=older)
            st.rerun()
        if note is not None:
            st.caption(note, width="content")
