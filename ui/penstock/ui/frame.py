"""The frame around every page: who looks, the ways to other pages, what is wrong with all."""

from pathlib import Path

import streamlit as st

from penstock.checkpoints import gates, ledger
from penstock.contracts.errors import PenstockError
from penstock.contracts.gate import OPERATORS
from penstock.contracts.inbox import GateFilter, Shelf
from penstock.runs.authorization import ADMINS, Right
from penstock.runs.settings import LoginBy
from penstock.ui import front, looks, places
from penstock.ui.components.words import plain, sentence
from penstock.ui.pages import (
    audit,
    doubt,
    gate,
    graphs,
    inbox,
    policies,
    run,
    runs,
    spend,
    tools,
    workers,
)
from penstock.ui.troubles import tell

# Streamlit asks another host for icons that it knows by name.
_ICON = Path(__file__).with_name("icon.svg")
PRODUCT = "Penstock"
COUNT_S = 2.0
"""So old may be what the way to the inbox says of it."""

_RIGHTS = {
    Right.RULE: "admin",
    Right.STEER: "operator",
    Right.START: "starts runs",
    Right.LOOK: "viewer",
}
"""What somebody is called by the strongest right that they have."""


def show() -> None:
    """Show the page that somebody is at, or the way to log in."""
    st.set_page_config(page_icon=_ICON, layout="wide", initial_sidebar_state=220)
    st.html(looks.style(is_dark=st.context.theme.type == "dark"))
    if not _is_let_in():
        st.set_page_config(page_title=PRODUCT)
        return
    try:
        page = _pages(*_counts())
        st.set_page_config(page_title=f"{page.title} · {PRODUCT}")
        places.settle(page.url_path)
        _who()
        page.run()
    except PenstockError as error:
        tell(error)


def _is_let_in() -> bool:
    try:
        if front.logged_in() is not None:
            front.person()
            return True
    except PenstockError as error:
        tell(error)
        _way_out()
        return False
    st.title(PRODUCT, anchor=False)
    st.write("The control room: what agents do, and what they ask.")
    if front.desk().settings.ui_login is LoginBy.OIDC:
        st.button("Log in", type="primary", on_click=st.login)
    else:
        st.html('<a href="/login" target="_self">Your session has ended. Log in again.</a>')
    return False


def _counts() -> tuple[int, int]:
    """Return how many gates need whoever looks, and how many calls are in doubt."""
    return front.lately(
        ("frame", front.person()),
        lambda connection: (
            gates.count(connection, front.viewer(connection), Shelf.MINE, GateFilter()),
            ledger.doubt_count(connection, tenant=front.tenant()),
        ),
        for_s=COUNT_S,
    )


def _pages(waiting: int, doubts: int) -> st.Page:
    sections = {
        "": [
            st.Page(
                inbox.show, title=f"Inbox{_counted(waiting)}", icon=":material/inbox:", default=True
            ),
            st.Page(
                doubt.show,
                title=f"In doubt{_counted(doubts)}",
                icon=":material/help_center:",
                url_path="doubt",
            ),
            st.Page(gate.show, title="Gate", url_path="gate", visibility="hidden"),
        ],
        "Agents": [
            st.Page(runs.show, title="Runs", icon=":material/list_alt:", url_path="runs"),
            st.Page(run.show, title="Run", url_path="run", visibility="hidden"),
            st.Page(graphs.show, title="Graphs", icon=":material/account_tree:", url_path="graphs"),
            st.Page(tools.show, title="Tools", icon=":material/build:", url_path="tools"),
            st.Page(policies.show, title="Policies", icon=":material/policy:", url_path="policies"),
        ],
        "Operation": [
            st.Page(workers.show, title="Workers", icon=":material/memory:", url_path="workers"),
            st.Page(spend.show, title="Spend", icon=":material/payments:", url_path="spend"),
            st.Page(audit.show, title="Audit", icon=":material/fact_check:", url_path="audit"),
        ],
    }
    pages = [page for section in sections.values() for page in section]
    places.know({page.url_path or "inbox": page for page in pages})
    return st.navigation(sections)


def _counted(number: int) -> str:
    """Return a number for a title; of many, not all are counted."""
    more = "+" if number >= gates.COUNT_LIMIT else ""
    return f" ({number:,}{more})" if number else ""


def _who() -> None:
    """Say in the sidebar who looks, and what is not as it should be."""
    settings = front.desk().settings
    with st.sidebar:
        st.caption(
            f":material/person: **{plain(front.person())}** · {_role()}  \n"
            f"tenant {plain(settings.tenant)}"
        )
        if settings.ui_login is not LoginBy.NOTHING:
            _way_out()
        if settings.people is None:
            st.caption(
                ":material/info: Nobody said who is who, so everybody may do everything."
                " `PENSTOCK_PEOPLE` names the file that does."
            )
        missing = front.front().graphs_missing
        if missing is not None:
            st.warning(
                f"The project's graphs are not at hand, so no run can be started and no call"
                f" edited. {sentence(missing)}",
                icon=":material/link_off:",
            )


def _role() -> str:
    """Return what somebody is called by what they may do, and where they approve."""
    right = next(right for right in _RIGHTS if front.may(right))
    groups = front.groups() - {OPERATORS, ADMINS}
    approves = f"approver in {plain(', '.join(sorted(groups)))}" if groups else ""
    if right is Right.LOOK and approves:
        return approves
    return ", ".join(filter(None, [_RIGHTS[right], approves]))


def _way_out() -> None:
    if front.desk().settings.ui_login is LoginBy.OIDC:
        st.button("Log out", on_click=st.logout, type="tertiary")
    elif front.desk().settings.ui_login is LoginBy.PASSWORD:
        st.html('<a class="pen-out" href="/logout" target="_self">Log out</a>')
