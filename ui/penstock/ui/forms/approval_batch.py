"""Deciding several approvals together: exactly those that were reviewed, with the bindings seen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from penstock.contracts.errors import GateClosed, GateStale, PenstockError
from penstock.contracts.gate import Channel
from penstock.contracts.ids import GateId
from penstock.contracts.inbox import ListedGate
from penstock.ui import session
from penstock.ui.components import gate_card
from penstock.ui.components.markdown import as_text, escaped, short, short_id
from penstock.ui.components.table import show_table

_ROWS, _OUTCOMES = "batch-rows", "batch-came-to"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A gate as it was when it was picked."""

    gate_id: GateId
    binding: str
    run: str
    tool: str
    arguments: str
    amount: str


def offer(picked: Sequence[ListedGate]) -> None:
    """Offer to decide the picked gates together, if all are of one tool."""
    if not picked:
        return
    tools = {gate_card.question(each.gate)["may_it_happen"] for each in picked}
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
    """Tell whether picked gates are being reviewed, or their outcomes are to be shown."""
    return _ROWS in st.session_state or _OUTCOMES in st.session_state


def review() -> None:
    """Show the picked gates and decide exactly these; afterwards, show the outcome of each."""
    if _OUTCOMES in st.session_state:
        _show_outcomes()
        return
    rows: Sequence[_Row] = st.session_state[_ROWS]
    st.header(f"{len(rows)} calls of {escaped(rows[0].tool)}", anchor=False)
    st.caption("Exactly these are decided. What has changed since you picked it is left alone.")
    show_table(
        {
            "run": [row.run for row in rows],
            "arguments": [escaped(row.arguments) for row in rows],
            "spends": [escaped(row.amount) for row in rows],
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
        st.session_state[_OUTCOMES] = [
            (row, _decide(row, reason.strip(), approves=approve)) for row in rows
        ]
        del st.session_state[_ROWS]
        session.invalidate()
        st.rerun()


def _row(listed: ListedGate) -> _Row:
    gate = listed.gate
    question = gate_card.question(gate)
    return _Row(
        gate_id=gate.id,
        binding=gate.binding or "",
        run=short_id(gate.run_id),
        tool=question["may_it_happen"],
        arguments=short(as_text(question["arguments"])),
        amount=gate_card.spend(gate, listed.graph, session.desk().catalog) or "",
    )


def _decide(row: _Row, reason: str, *, approves: bool) -> str:
    try:
        with session.approvals() as approvals:
            if approves:
                approvals.approve(
                    row.gate_id,
                    by=session.person(),
                    binding=row.binding,
                    reason=reason or None,
                    channel=Channel.UI,
                )
            else:
                approvals.reject(
                    row.gate_id,
                    by=session.person(),
                    binding=row.binding,
                    reason=reason,
                    channel=Channel.UI,
                )
    except (GateClosed, GateStale) as error:
        return f"stale: {error}"
    except PenstockError as error:
        return f"skipped: {error}"
    return "applied"


def _show_outcomes() -> None:
    outcomes: Sequence[tuple[_Row, str]] = st.session_state[_OUTCOMES]
    counts = Counter(outcome.partition(":")[0] for _, outcome in outcomes)
    summary = ", ".join(f"{counts[each]} {each}" for each in ("applied", "skipped", "stale"))
    st.header(f"Done: {summary}", anchor=False)
    show_table(
        {
            "run": [row.run for row, _ in outcomes],
            "arguments": [escaped(row.arguments) for row, _ in outcomes],
            "came to": [escaped(outcome) for _, outcome in outcomes],
        }
    )
    if st.button("Back to the inbox", type="primary"):
        del st.session_state[_OUTCOMES]
        st.rerun()
