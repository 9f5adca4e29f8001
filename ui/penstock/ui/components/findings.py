"""What is found wrong with a policy, for people."""

import re
from collections.abc import Collection, Sequence

import streamlit as st

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import PolicySource
from penstock.policies import CompiledPolicy
from penstock.ui import front
from penstock.ui.components import cedar
from penstock.ui.components.words import plain, sentence

SHOWN = 20
"""So many problems are shown with their lines; of the others it is said how many there are."""

_CHECKED = "policy-checked"
_WHERE = re.compile(r"(?P<file>(?:allow|gates)/.+?\.cedar):(?P<line>\d+): (?P<said>.*)", re.DOTALL)


def findings(graph: str, source: PolicySource) -> None:
    """Say what the policy that decides comes to with the tools of today."""
    if graph not in front.desk().catalog:
        st.caption("Its graph is not at hand, so it cannot be checked against the tools.")
        return
    found = check(graph, source)
    if isinstance(found, InvalidPolicy):
        st.warning(
            "**It does not fit the graph's tools as they are now.** A worker that has these tools"
            " refuses every call. Mend what is found here, and load that.",
            icon=":material/rule:",
        )
        problems(str(found), source)
        return
    if found.left_out:
        with st.expander(f"What no rule can see ({len(found.left_out)})"):
            st.markdown(
                "\n".join(
                    f"- **{plain(each.field)}** of {plain(each.tool)}: {plain(each.why)}"
                    for each in found.left_out
                )
            )


def check(graph: str, source: PolicySource) -> CompiledPolicy | InvalidPolicy:
    """Make a policy ready for a graph's tools; what was found is kept while nothing changes."""
    desk = front.desk()
    people = desk.people
    fingerprint = desk.catalog.get(graph).fingerprint
    known = (graph, fingerprint, source.digest, _names(people.roles), _names(people.groups))
    kept = st.session_state.get(_CHECKED)
    if kept is not None and kept[0] == known:
        return kept[1]
    try:
        found = desk.policing.compiled(graph, source)
    except InvalidPolicy as error:
        found = error
    st.session_state[_CHECKED] = (known, found)
    return found


def problems(said: str, source: PolicySource | None) -> None:
    """Show what is wrong, each as a sentence, with its line where there is one."""
    texts = {f"{file.set}/{file.name}": file.text for file in source.files} if source else {}
    lines = said.splitlines()
    for line in lines[:SHOWN]:
        where = _WHERE.fullmatch(line)
        if where is None or where["file"] not in texts:
            st.markdown(f":red[:material/error:] {sentence(line)}")
            continue
        number = int(where["line"])
        st.markdown(
            f":red[:material/error:] **{plain(where['file'])}, line {number}.**"
            f" {sentence(where['said'])}"
        )
        cedar.excerpt(texts[where["file"]], number)
    if len(lines) > SHOWN:
        st.caption(f"And {len(lines) - SHOWN:,} more.")


def _names(known: Collection[str] | None) -> Sequence[str] | None:
    return None if known is None else sorted(known)
