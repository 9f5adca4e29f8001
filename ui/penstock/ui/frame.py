"""The frame around every page: who is logged in, the navigation, and what is wrong everywhere."""

from pathlib import Path

import streamlit as st

from penstock.checkpoints import gates, ledger
from penstock.contracts.errors import PenstockError
from penstock.contracts.gate import OPERATORS
from penstock.contracts.inbox import GateFilter, Shelf
from penstock.runs.authorization import ADMINS, Right
from penstock.runs.settings import LoginBy
from penstock.ui import navigation, session, theme
from penstock.ui.components.feedback import show_error
from penstock.ui.components.markdown import escaped, sentence
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

# Streamlit asks another host for icons that it knows by name.
_ICON = Path(__file__).with_name("icon.svg")
PRODUCT = "Penstock"
COUNT_S = 2.0
"""The counts beside the links to the inbox and to calls in doubt may be so old."""

_RIGHTS = {
    Right.MANAGE_POLICIES: "admin",
    Right.STEER: "operator",
    Right.START: "starts runs",
    Right.VIEW: "viewer",
}
"""The name of a person's strongest right."""


def show() -> None:
    """Show the page that the URL names, or a way to log in."""
    st.set_page_config(page_icon=_ICON, layout="wide", initial_sidebar_state=220)
    st.html(theme.style(is_dark=theme.is_dark()))
    if not _is_let_in():
        st.set_page_config(page_title=PRODUCT)
        return
    try:
        page = _pages(*_counts())
        st.set_page_config(page_title=f"{page.title} · {PRODUCT}")
        navigation.sync_address(page.url_path)
        _who()
        page.run()
    except PenstockError as error:
        show_error(error)


def _is_let_in() -> bool:
    try:
        if session.logged_in() is not None:
            session.person()
            return True
    except PenstockError as error:
        show_error(error)
        _way_out()
        return False
    st.title(PRODUCT, anchor=False)
    st.write("The control room: what agents do, and what they ask.")
    if session.desk().settings.ui_login is LoginBy.OIDC:
        st.button("Log in", type="primary", on_click=st.login)
    else:
        st.html('<a href="/login" target="_self">Your session has ended. Log in again.</a>')
    return False


def _counts() -> tuple[int, int]:
    """Return how many gates need the person who looks, and how many calls are in doubt."""
    return session.cached(
        ("frame", session.person()),
        lambda connection: (
            gates.count(connection, session.viewer(connection), Shelf.MINE, GateFilter()),
            ledger.doubt_count(connection, tenant=session.tenant()),
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
    navigation.register({page.url_path or "inbox": page for page in pages})
    return st.navigation(sections)


def _counted(number: int) -> str:
    """Return a count for a title; above a limit, it ends in `+`."""
    more = "+" if number >= gates.COUNT_LIMIT else ""
    return f" ({number:,}{more})" if number else ""


def _who() -> None:
    """Show in the sidebar who is logged in, and what is wrong everywhere."""
    settings = session.desk().settings
    with st.sidebar:
        st.caption(
            f":material/person: **{escaped(session.person())}** · {_role()}  \n"
            f"tenant {escaped(settings.tenant)}"
        )
        if settings.ui_login is not LoginBy.NOTHING:
            _way_out()
        if settings.people is None:
            st.caption(
                ":material/info: Nobody said who is who, so everybody may do everything."
                " `PENSTOCK_PEOPLE` names the file that does."
            )
        missing = session.control_room().graphs_missing
        if missing is not None:
            st.warning(
                f"The project's graphs are not at hand, so no run can be started and no call"
                f" edited. {sentence(missing)}",
                icon=":material/link_off:",
            )


def _role() -> str:
    """Return the role of the person who looks: their strongest right, and where they approve."""
    right = next(right for right in _RIGHTS if session.may(right))
    groups = session.groups() - {OPERATORS, ADMINS}
    approves = f"approver in {escaped(', '.join(sorted(groups)))}" if groups else ""
    if right is Right.VIEW and approves:
        return approves
    return ", ".join(filter(None, [_RIGHTS[right], approves]))


def _way_out() -> None:
    if session.desk().settings.ui_login is LoginBy.OIDC:
        st.button("Log out", on_click=st.logout, type="tertiary")
    elif session.desk().settings.ui_login is LoginBy.PASSWORD:
        st.html('<a class="pen-out" href="/logout" target="_self">Log out</a>')
