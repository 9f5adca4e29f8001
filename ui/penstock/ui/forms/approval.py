"""What people decide at a gate that asks whether a call may happen."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import streamlit as st

from penstock.contracts.errors import PenstockError
from penstock.contracts.gate import BREAK_GLASS, Channel, Gate, GateStatus
from penstock.contracts.inbox import ListedGate, Viewer
from penstock.runs.authorization import Right
from penstock.ui import navigation, session
from penstock.ui.components import gate_card
from penstock.ui.components.feedback import submit, submit_and_rerun
from penstock.ui.components.markdown import as_text, escaped, sentence
from penstock.ui.components.table import show_table
from penstock.ui.forms.schema_form import Form

APPROVE, REJECT, EDIT = "Approve", "Reject", "Edit"
RESPOND, DELEGATE, BREAK = "Respond", "Delegate", "Break the glass"

_DAYS = {"1 day": 1, "3 days": 3, "1 week": 7, "2 weeks": 14}


def decide(listed: ListedGate, viewer: Viewer, *, is_mine: bool) -> None:
    """Show what this person may do at an open gate, and submit it."""
    gate = listed.gate
    options = _options(listed, viewer, is_mine=is_mine)
    if not options:
        st.info(_why_not(gate, viewer), icon=":material/visibility:")
        return
    if not is_mine:
        st.info(_why_not(gate, viewer), icon=":material/info:")
    what = st.segmented_control(
        "Your decision",
        list(options),
        key=f"what-{gate.id}",
        default=next(iter(options)),
        required=True,
    )
    if what in options:
        options[what](listed)


def not_as_admin() -> str:
    """Return why the right of an admin does not let them decide; empty for others."""
    if not session.may(Right.MANAGE_POLICIES):
        return ""
    return (
        " Admins change policies and steer runs, and for that reason answer nothing: nobody is to"
        " write a rule and decide alone what it asks. Whoever is to do both is in both groups."
    )


def _options(
    listed: ListedGate, viewer: Viewer, *, is_mine: bool
) -> Mapping[str, Callable[[ListedGate], None]]:
    """Return what this person may do. A person with a part in the call may only stop it."""
    has_seat = _has_seat(listed.gate, viewer)
    found: dict[str, Callable[[ListedGate], None]] = {}
    if is_mine:
        found[APPROVE] = _approve
    if has_seat:
        found[REJECT] = _reject
        if listed.graph in session.desk().catalog:
            found[EDIT] = _edit
    if is_mine:
        found[RESPOND] = _respond
    if has_seat:
        found[DELEGATE] = _delegate
    people, person = session.desk().people, viewer.person
    if people.groups is not None and people.has(BREAK_GLASS, person, viewer.tenant):
        found[BREAK] = _break_glass
    return found


def _approve(listed: ListedGate) -> None:
    gate = listed.gate
    with st.form(f"approve-{gate.id}", border=False):
        reason = st.text_input("A note (may be left empty)", key=f"note-{gate.id}")
        if st.form_submit_button("Approve this call", type="primary", icon=":material/check:"):
            _vote(gate, "approve", reason=reason or None)


def _reject(listed: ListedGate) -> None:
    gate = listed.gate
    with st.form(f"reject-{gate.id}", border=False):
        reason = st.text_area("Why (the graph is told)", key=f"why-{gate.id}")
        if st.form_submit_button("Reject this call", type="primary", icon=":material/close:"):
            if reason.strip():
                _vote(gate, "reject", reason=reason)
            else:
                st.warning("A rejection needs its reason. Nothing was sent.")


def _respond(listed: ListedGate) -> None:
    gate = listed.gate
    with st.form(f"respond-{gate.id}", border=False):
        text = st.text_area(
            "The call does not happen; the graph is given these words as its result",
            key=f"words-{gate.id}",
        )
        if st.form_submit_button("Respond instead", type="primary", icon=":material/reply:"):
            if text.strip():
                _vote(gate, "respond", reason=text)
            else:
                st.warning("Say what the graph is to be given. Nothing was sent.")


def _vote(gate: Gate, kind: str, *, reason: str | None) -> None:
    person, seen = session.person(), gate.binding or ""

    def act() -> str:
        with session.approvals() as approvals:
            match kind:
                case "approve":
                    left = approvals.approve(
                        gate.id, by=person, binding=seen, reason=reason, channel=Channel.UI
                    )
                case "reject":
                    left = approvals.reject(
                        gate.id, by=person, binding=seen, reason=reason or "", channel=Channel.UI
                    )
                case _:
                    left = approvals.respond(
                        gate.id, reason or "", by=person, binding=seen, channel=Channel.UI
                    )
        return _outcome(left, kind)

    submit_and_rerun(act, about=gate.id)


def _outcome(gate: Gate, kind: str) -> str:
    if gate.status is GateStatus.OPEN:
        return "Your approval counts. More are wanted before the call happens."
    sentences = {
        "approve": "Approved. The run goes on and makes the call.",
        "reject": "Rejected. The run goes on without the call, and is told why.",
    }
    return sentences.get(
        kind, "Sent. The run goes on with your words in place of the call's result."
    )


def _edit(listed: ListedGate) -> None:
    """Edit arguments: they are checked and shown beside those before, then submitted."""
    gate = listed.gate
    tool = gate_card.tool_of(gate, listed.graph, session.desk().catalog)
    if tool is None:
        st.info("The tool of this call is not among those of the project, so it cannot be edited.")
        return
    before: Mapping[str, Any] = gate_card.question(gate)["arguments"]
    st.caption(
        "Other arguments are checked and decided about anew. Somebody else has to approve them."
    )
    with st.form(f"edit-{gate.id}", border=False):
        form = Form(tool.contract.arguments_schema, key=f"field-{gate.id}")
        after = form.fill(before)
        if st.form_submit_button("Check the change", icon=":material/difference:"):
            st.session_state[f"edited-{gate.id}"] = _checked(gate, after, form.problems)
    checked = st.session_state.get(f"edited-{gate.id}")
    if isinstance(checked, str):
        st.warning(checked, icon=":material/block:")
    elif checked is not None:
        _send_edit(gate, before, checked)


def _checked(gate: Gate, after: Any, problems: list[str]) -> Mapping[str, Any] | str:
    if problems:
        return f"Nothing was sent. {sentence('; '.join(problems))}."
    try:
        with session.approvals() as approvals:
            return approvals.check_edit(
                gate.id, after, by=session.person(), binding=gate.binding or ""
            )
    except PenstockError as error:
        return f"Nothing was sent. {sentence(str(error))}."


def _send_edit(gate: Gate, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    st.markdown("**What changes**")
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    show_table(
        {
            "argument": [escaped(name) for name in names],
            "before": [_cell(before, name) for name in names],
            "after": [_cell(after, name) for name in names],
        }
    )
    if st.button("Send the edit", type="primary", icon=":material/send:", key=f"send-{gate.id}"):
        opened: list[Gate] = []

        def act() -> str:
            with session.approvals() as approvals:
                opened.append(
                    approvals.edit(gate.id, after, by=session.person(), binding=gate.binding or "")
                )
            return "Edited. This gate asks about the new arguments; somebody else approves them."

        del st.session_state[f"edited-{gate.id}"]
        if submit(act, about=gate.id):
            submit(
                lambda: (
                    "Edited. This gate asks about the new arguments; somebody else approves them."
                ),
                about=opened[0].id,
            )
            navigation.go("gate", gate=opened[0].id)
        st.rerun()


def _cell(arguments: Mapping[str, Any], name: str) -> str:
    return escaped(as_text(arguments[name])) if name in arguments else "*left out*"


def _delegate(listed: ListedGate) -> None:
    gate = listed.gate
    with st.form(f"delegate-{gate.id}", border=False):
        people = session.desk().people
        known = sorted(
            {
                name
                for group in people.groups or ()
                for name in people.members(group, session.tenant())
            }
            - {session.person()}
        )
        to = st.selectbox(
            "Lend your seat to",
            known,
            index=None,
            accept_new_options=not known,
            key=f"to-{gate.id}",
            placeholder="Somebody",
        )
        days = st.selectbox("For", list(_DAYS), key=f"days-{gate.id}")
        everywhere = st.checkbox("At all gates, not at this one only", key=f"all-{gate.id}")
        if st.form_submit_button("Delegate", icon=":material/person_add:"):
            if not to:
                st.warning("Say who is to decide for you. Nothing was sent.")
            else:
                _lend(gate, to, days=_DAYS[days], everywhere=everywhere)


def _lend(gate: Gate, to: str, *, days: int, everywhere: bool) -> None:
    def act() -> str:
        with session.approvals() as approvals:
            lent = approvals.delegate(
                tenant=gate.tenant,
                from_person=session.person(),
                to_person=to,
                ends_at=session.now() + timedelta(days=days),
                gate_id=None if everywhere else gate.id,
                by=session.person(),
            )
        where = "all gates" if everywhere else "this gate"
        return f"{escaped(lent.to_person)} may now vote for you at {where}."

    submit_and_rerun(act, about=gate.id)


def _break_glass(listed: ListedGate) -> None:
    gate = listed.gate
    st.warning("You approve alone, whoever else would have to. The audit tells of it.")
    with st.form(f"break-{gate.id}", border=False):
        reason = st.text_area("Why there is no time for the others", key=f"urgent-{gate.id}")
        if st.form_submit_button("Approve alone", icon=":material/emergency:"):

            def act() -> str:
                with session.approvals() as approvals:
                    approvals.break_glass(
                        gate.id, by=session.person(), binding=gate.binding or "", reason=reason
                    )
                return "Approved alone. The run goes on and makes the call."

            submit_and_rerun(act, about=gate.id)


def _has_seat(gate: Gate, viewer: Viewer) -> bool:
    wanted = set(gate.approvals or {})
    if gate.escalated_at is not None and gate.escalates_to is not None:
        wanted.add(gate.escalates_to)
    return any(
        seat.groups is None or seat.groups & wanted
        for seat in viewer.seats
        if seat.gate_id in {None, gate.id}
    )


def _why_not(gate: Gate, viewer: Viewer) -> str:
    person = viewer.person
    if not _has_seat(gate, viewer):
        groups = " or ".join(f"**{escaped(group)}**" for group in gate.approvals or {})
        return f"You look on: whoever decides here is in {groups}, and you are not.{not_as_admin()}"
    if gate.requester == person and (gate.edit is not None or not gate.may_confirm_self):
        return "The run acts for you, so somebody else has to approve. You may still stop the call."
    if gate.edit is not None:
        return "You have edited this call, so somebody else has to approve it."
    return "You have voted. Others have to approve as well."
