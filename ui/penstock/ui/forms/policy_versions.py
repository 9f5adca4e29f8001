"""The versions of a policy: what changed from one to another, and activating one again."""

from collections.abc import Sequence

import streamlit as st

from penstock.contracts.policy import Activation, PolicySource, PolicyVersion
from penstock.runs.authorization import ADMINS, Right
from penstock.ui import navigation, session, text
from penstock.ui.components import policy_text
from penstock.ui.components.feedback import submit
from penstock.ui.components.markdown import code, escaped
from penstock.ui.components.table import show_table


def show(graph: str, versions: Sequence[PolicyVersion], activations: Sequence[Activation]) -> None:
    """Show which version was active when, what changed, and a button to activate one again."""
    left, right = st.columns(2, gap="large")
    with left:
        st.header("What decided when", anchor=False)
        show_table(
            {
                "since": [text.instant(each.at) for each in activations],
                "version": [
                    _decides(graph, each, number) for number, each in enumerate(activations)
                ],
                "activated by": [escaped(each.by) for each in activations],
            },
            border="horizontal",
        )
        st.header("What was loaded", anchor=False)
        show_table(
            {
                "version": [code(each.name) for each in versions],
                "loaded": [text.instant(each.loaded_at) for each in versions],
                "by": [escaped(each.loaded_by) for each in versions],
                "digest": [each.source.digest[:12] for each in versions],
            },
            border="horizontal",
        )
    with right:
        st.header("What changed", anchor=False)
        if len(versions) == 1:
            st.caption("There is one version. What changes from one to the next is shown here.")
            return
        _compare(graph, versions)


def _decides(graph: str, activation: Activation, number: int) -> str:
    name = code(f"{graph}@{activation.number}")
    return f"{name} **decides**" if number == 0 else name


def _compare(graph: str, versions: Sequence[PolicyVersion]) -> None:
    by_number = {each.number: each for each in versions}
    numbers = list(by_number)
    active = next((each.number for each in versions if each.is_active), numbers[0])
    others = [number for number in numbers if number != active]
    below = [number for number in others if number < active]
    before = _pick("From", numbers, (below or others)[0], name="before", graph=graph)
    after = _pick("To", numbers, active, name="after", graph=graph)
    if not policy_text.show_difference(by_number[before].source, by_number[after].source):
        st.caption("Nothing: it is the same version.")
    chosen = by_number[after] if after != active else by_number[before]
    if not chosen.is_active:
        _go_back(chosen, by_number[active])


def _pick(label: str, numbers: Sequence[int], default: int, *, name: str, graph: str) -> int:
    asked = navigation.parameter(name) or ""
    chosen = int(asked) if asked.isdigit() and int(asked) in numbers else default
    key = f"versions-{name}-{graph}"
    return st.selectbox(
        label,
        numbers,
        index=numbers.index(chosen),
        format_func=lambda number: f"{graph}@{number}",
        key=key,
        width=240,
        on_change=lambda: navigation.set_parameters(
            **{name: str(st.session_state.get(key) or "") or None}
        ),
    )


def _go_back(version: PolicyVersion, active: PolicyVersion) -> None:
    """Let an admin activate a version that was loaded before."""
    if not session.may(Right.MANAGE_POLICIES):
        only_admins()
        return
    label = f"Have {code(version.name)} decide again"
    with st.popover(label, icon=":material/history:"):
        st.markdown(
            f"{code(version.name)} decides from then on in place of {code(active.name)},"
            " in every worker, also about calls that wait at gates."
        )
        if st.button("Do it", type="primary", icon=":material/check:", key="versions-back"):
            replace(version.graph, version.source, active)


def replace(
    graph: str, source: PolicySource, seen: PolicyVersion | None, *, done_with: Sequence[str] = ()
) -> None:
    """Activate a policy in place of the version that was seen, and reload the page.

    Once it is active, what the session keeps under the names `done_with` is dropped.
    """

    def act() -> str:
        digest = None if seen is None else seen.source.digest
        with session.policing() as policing:
            done = policing.replace(graph, source, seen=digest, by=session.person())
        return f"{code(done.name)} decides from now on, in every worker."

    if submit(act, about=f"policy-{graph}"):
        for name in done_with:
            st.session_state.pop(name, None)
    st.rerun()


def only_admins() -> None:
    """Show who may activate a policy."""
    st.caption(
        f":material/visibility: You look on: members of **{ADMINS}** load policies and say which"
        " decides."
    )
