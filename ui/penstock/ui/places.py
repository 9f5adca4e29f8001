"""The pages as places to go to. Where somebody is stands in the URL."""

from collections.abc import Mapping
from typing import NoReturn

import streamlit as st

_PAGES = "places"
_HERE = "here"


def know(pages: Mapping[str, st.Page]) -> None:
    """Take note of the pages of this look."""
    st.session_state[_PAGES] = pages


def go(name: str, **parameters: str) -> NoReturn:
    """Go to a page, with these parameters in its URL."""
    st.switch_page(st.session_state[_PAGES][name], query_params=parameters)


def link(name: str, label: str, *, icon: str | None = None, **parameters: str) -> None:
    """Show a link to a page."""
    page = st.session_state[_PAGES][name]
    st.page_link(page, label=label, icon=icon, query_params=parameters)


def asked(name: str) -> str | None:
    """Return a parameter of the URL."""
    return st.query_params.get(name) or None


def note(**parameters: str | None) -> None:
    """Put parameters into the URL, or take those that are None out of it."""
    for name, value in parameters.items():
        if value:
            if st.query_params.get(name) != value:
                st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]


def settle(page: str) -> None:
    """Have the browser's address say what is looked at, where that has changed on the same page.

    A link from a page to itself leads there, and leaves the address as it was.
    """
    here = st.query_params.to_dict()
    before = st.session_state.get(_HERE)
    if before is not None and before[0] == page and before[1] != here:
        st.query_params.from_dict(here)
    st.session_state[_HERE] = page, here
