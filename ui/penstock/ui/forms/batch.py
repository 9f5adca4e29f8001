"""Deciding several gates together: exactly those that were reviewed, by what was seen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from penstock.contracts.errors import GateClosed, GateStale, PenstockError
from penstock.contracts.gate import Channel
from penstock.contracts.ids import GateId
from penstock.contracts.inbox import ListedGate
from penstock.ui import front
from penstock.ui.components import asked
from penstock.ui.components.table import shown
from penstock.ui.components.words import plain, short, spelled

_ROWS, _CAME_TO = "batch-rows", "batch-came-to"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A gate as it was when somebody picked it."""

    gate_id: GateId
    binding: str
    run: str
    tool: str
    arguments: str
    amount: str


def offer(picked: Sequence[ListedGate]) -> None:
    """Offer to decide what was picked together; it has to be of one tool."""
    if not picked:
        return
    tools = {asked.question(each.gate)["may_it_happen"] for each in picked}
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if len(tools) > 1:
            st.markdown(
                f"**{len(picked)} picked**, of {len(tools)} tools. Those of one tool can be decided"
                " together."
            )
            return
        st.markdown(f"**{len(picked)} picked**, all of `{next(iter(tools))}`.")
        if st.button("Review them together", type="primary", icon=":material/checklist:"):
            st.session_state[_ROWS] = [_row(each) for each in picked]
            st.rerun()


def is_under_way() -> bool:
    """Tell whether rows are being reviewed, or what came of them is to be said."""
    return _ROWS in st.session_state or _CAME_TO in st.session_state


def review() -> None:
    """Show the rows, and decide exactly them; afterwards, what came of each."""
    if _CAME_TO in st.session_state:
        _came_to()
        return
    rows: Sequence[_Row] = st.session_state[_ROWS]
    st.header(f"{len(rows)} calls of {plain(rows[0].tool)}", anchor=False)
    st.caption("Exactly these are decided. What has changed since you picked it is left alone.")
    shown(
        {
            "run": [row.run for row in rows],
            "arguments": [plain(row.arguments) for row in rows],
            "spends": [plain(row.amount) for row in rows],
        }
    )
    with st.form("batch", border=False):
        reason = st.text_input("Why (a rejection needs it)", key="batch-reason")
        with st.container(horizontal=True):
            approve = st.form_submit_button(
                f"Approve these {len(rows)}", type="primary", icon=":material/check:"
            )
            reject = st.form_submit_button(f"Reject these {len(rows)}", icon=":material/close:")
            leave = st.form_submit_button("Leave them")
    if leave:
        del st.session_state[_ROWS]
        st.rerun()
    if reject and not reason.strip():
        st.warning("A rejection needs its reason. Nothing was sent.")
    elif approve or reject:
        st.session_state[_CAME_TO] = [
            (row, _decide(row, reason.strip(), approves=approve)) for row in rows
        ]
        del st.session_state[_ROWS]
        front.changed()
        st.rerun()


def _row(listed: ListedGate) -> _Row:
    gate = listed.gate
    told = asked.question(gate)
    return _Row(
        gate_id=gate.id,
        binding=gate.binding or "",
        run=gate.run_id[:13],
        tool=told["may_it_happen"],
        arguments=short(spelled(told["arguments"])),
        amount=asked.money(gate, listed.graph, front.desk().catalog) or "",
    )


def _decide(row: _Row, reason: str, *, approves: bool) -> str:
    try:
        with front.approvals() as approvals:
            if approves:
                approvals.approve(
                    row.gate_id,
                    by=front.person(),
                    binding=row.binding,
                    reason=reason or None,
                    channel=Channel.UI,
                )
            else:
                approvals.reject(
                    row.gate_id,
                    by=front.person(),
                    binding=row.binding,
                    reason=reason,
                    channel=Channel.UI,
                )
    except (GateClosed, GateStale) as error:
        return f"stale: {error}"
    except PenstockError as error:
        return f"skipped: {error}"
    return "applied"


def _came_to() -> None:
    came: Sequence[tuple[_Row, str]] = st.session_state[_CAME_TO]
    counts = Counter(said.partition(":")[0] for _, said in came)
    told = ", ".join(f"{counts[each]} {each}" for each in ("applied", "skipped", "stale"))
    st.header(f"Done: {told}", anchor=False)
    shown(
        {
            "run": [row.run for row, _ in came],
            "arguments": [plain(row.arguments) for row, _ in came],
            "came to": [plain(said) for _, said in came],
        }
    )
    if st.button("Back to the inbox", type="primary"):
        del st.session_state[_CAME_TO]
        st.rerun()
