"""One gate: what it asks, what there is to know, and the form to decide it with."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import gates, ledger, policies, runs
from penstock.contracts.effect import Effect, Report
from penstock.contracts.errors import UnknownGate
from penstock.contracts.gate import Gate, GateKind, GateStatus, Vote
from penstock.contracts.ids import GateId
from penstock.contracts.inbox import GateFilter, ListedGate, Shelf, Viewer
from penstock.contracts.run import Run
from penstock.ui import navigation, session
from penstock.ui.components import decision_context, doubt_evidence, feedback, gate_card
from penstock.ui.components.markdown import escaped, sentence, utc_instant
from penstock.ui.components.table import show_values
from penstock.ui.forms import answers, approval
from penstock.ui.forms import answers as forms_doubt

LOOK_S = 3.0
"""An open gate is read so often, to show at once what happened to it elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    listed: ListedGate
    run: Run
    viewer: Viewer
    votes: Sequence[Vote]
    policy: str | None
    effect: Effect | None
    story: Sequence[Report]
    instead: GateId | None
    """The gate that asks in place of one that was superseded."""
    is_mine: bool
    next: GateId | None
    """The next gate in the inbox."""


def show() -> None:
    """Show the gate that the URL names."""
    navigation.link("inbox", "Inbox", icon=":material/arrow_back:")
    gate_id = navigation.parameter("gate")
    if gate_id is None:
        st.title("Gate", anchor=False)
        st.info("No gate is named. Open one from the inbox.", icon=":material/inbox:")
        return
    found = session.read(lambda connection: _find(connection, GateId(gate_id)))
    gate, now = found.listed.gate, session.now()
    st.title(gate_card.title(gate), anchor=False)
    amount = gate_card.spend(gate, found.listed.graph, session.desk().catalog)
    st.markdown(gate_card.badges(gate, amount=amount))
    feedback.show_outcome(gate.id)
    if gate_card.is_over(gate, now):
        _closed(found)
    else:
        _watch(gate.id, gate.status)
        whom = gate_card.deciders(gate, found.listed.principal)
        st.markdown(f"{whom[0].upper()}{whom[1:]} · {gate_card.time_left(gate, now)}")
    left, right = st.columns([3, 2], gap="large")
    with left:
        _asks(found)
        if not gate_card.is_over(gate, now):
            st.header("Decide", anchor=False)
            _decide(found)
    with right:
        decision_context.show_context(found.run)


@st.fragment(run_every=LOOK_S)
def _watch(gate_id: GateId, seen: GateStatus) -> None:
    """Reload the page when the gate has closed, here or elsewhere, or its time is up."""
    gate = session.read(lambda connection: gates.get(connection, gate_id))
    if gate.status is not seen or gate_card.is_over(gate, session.now()):
        st.rerun()


def _find(connection: Connection, gate_id: GateId) -> _Found:
    listed = next(iter(gates.of_ids(connection, [gate_id])), None)
    if listed is None or listed.gate.tenant != session.tenant():
        msg = f"no gate of tenant `{session.tenant()}` has the id `{gate_id}`"
        raise UnknownGate(msg)
    gate, viewer = listed.gate, session.viewer(connection)
    effect, story = None, ()
    if gate.effect_key is not None:
        effect = ledger.find(connection, gate.effect_key)
        story = ledger.reports(connection, gate.effect_key)
    policy = None
    if gate.policy_digest is not None:
        policy = policies.name_of(connection, listed.graph, gate.policy_digest)
    mine = gates.shelf(connection, viewer, Shelf.MINE, GateFilter(), limit=2)
    return _Found(
        listed=listed,
        run=runs.get(connection, gate.run_id),
        viewer=viewer,
        votes=gates.votes_of(connection, gate_id),
        policy=policy,
        effect=effect,
        story=story,
        instead=_instead(connection, gate),
        is_mine=gates.is_mine(connection, viewer, gate_id),
        next=next((each.gate.id for each in mine if each.gate.id != gate_id), None),
    )


def _instead(connection: Connection, gate: Gate) -> GateId | None:
    if gate.status is not GateStatus.SUPERSEDED or gate.effect_key is None:
        return None
    standing = gates.approvals_of(connection, gate.effect_key, run_id=gate.run_id)
    return standing[-1].id if standing else None


def _closed(found: _Found) -> None:
    gate = found.listed.gate
    outcome = gate_card.outcome(gate, session.now())
    st.info(f"Closed: {outcome}.", icon=":material/lock:")
    with st.container(horizontal=True):
        if found.instead is not None:
            if st.button("Open the gate that asks now", type="primary"):
                navigation.go("gate", gate=found.instead)
        elif found.next is not None and st.button(
            "Next that needs you", type="primary", icon=":material/arrow_forward:"
        ):
            navigation.go("gate", gate=found.next)
        if st.button("Open the run", icon=":material/route:"):
            navigation.go("run", run=gate.run_id)


def _asks(found: _Found) -> None:
    gate = found.listed.gate
    question = gate_card.question(gate)
    if gate_card.is_forgotten(gate):
        st.caption("It was erased with its run. That it was asked, and who decided, stays.")
        return
    match gate.kind:
        case GateKind.APPROVAL:
            is_over = gate_card.is_over(gate, session.now())
            st.header("What was asked" if is_over else "What will happen", anchor=False)
            show_values(question["arguments"], heading="argument")
            st.markdown(
                f"**Why you are asked.** {sentence(question['why'])}  \n"
                f"Policy **{escaped(found.policy or 'not kept')}**, tool version"
                f" {escaped(question['tool_version'])}, for **{escaped(question['acts_for'])}**"
                f" through **{escaped(question['agent'])}**"
            )
            with st.expander("What the policy knew"):
                show_values(question["facts"], heading="fact")
        case GateKind.IN_DOUBT:
            if found.effect is not None:
                doubt_evidence.show_evidence(
                    found.effect, gate, found.story, graph=found.listed.graph
                )
        case _:
            st.header("What is asked", anchor=False)
            show_values(
                {
                    name: value
                    for name, value in question.items()
                    if name != "question" and value is not None
                },
                heading="asked with it",
            )
    if found.votes:
        st.markdown("**Votes**")
        for vote in found.votes:
            seat = "" if vote.seat == vote.person else f" for {escaped(vote.seat)}"
            reason = f": {escaped(vote.reason)}" if vote.reason else ""
            st.markdown(
                f"- **{escaped(vote.person)}**{seat} · {vote.kind} · {utc_instant(vote.at)}{reason}"
            )


def _decide(found: _Found) -> None:
    gate = found.listed.gate
    if gate.kind is GateKind.APPROVAL:
        approval.decide(found.listed, found.viewer, is_mine=found.is_mine)
    elif gate.kind is GateKind.IN_DOUBT and found.effect is not None:
        forms_doubt.answer_doubt(found.effect, gate, found.run, is_mine=found.is_mine)
    elif found.is_mine:
        answers.answer_question(gate)
    else:
        st.info(_who_answers(gate), icon=":material/visibility:")


def _who_answers(gate: Gate) -> str:
    by = ", or by whoever the run acts for" if gate.kind is GateKind.QUESTION else ""
    return f"You look on: this is answered by an operator{by}.{approval.not_as_admin()}"
