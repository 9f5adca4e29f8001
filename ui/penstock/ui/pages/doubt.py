"""Calls of which nobody knows whether they happened: the evidence, and four answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import gates, ledger, runs
from penstock.contracts.effect import DoubtAnswer, Effect, EffectStatus, Report
from penstock.contracts.errors import UnknownEffect
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import IdempotencyKey
from penstock.contracts.inbox import ListedDoubt, ResolvedDoubt
from penstock.contracts.run import Run
from penstock.ui import navigation, session
from penstock.ui.components import decision_context, feedback, gate_card
from penstock.ui.components.badges import CALL_STATES, badge
from penstock.ui.components.doubt_evidence import may_still_happen, show_evidence, title, waits_for
from penstock.ui.components.markdown import ago, escaped, sentence, short_id
from penstock.ui.components.table import open_row
from penstock.ui.forms.answers import answer_doubt
from penstock.ui.navigation import last_page, page_number, pager

PAGE = 20
RESOLVED = 10
LOOK_S = 4.0

_SAID = {
    DoubtAnswer.HAPPENED: "it happened",
    DoubtAnswer.DID_NOT: "it did not happen",
    DoubtAnswer.RETRY: "try it again",
    DoubtAnswer.COMPENSATE: "undo it",
    None: "forgotten with its run",
}

_Known = tuple[Effect, Sequence[Report], Gate | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    doubts: Sequence[ListedDoubt]
    count: int
    resolved: Sequence[ResolvedDoubt]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    effect: Effect
    story: Sequence[Report]
    gate: Gate | None
    run: Run
    is_mine: bool
    next: IdempotencyKey | None
    """The oldest other call in doubt."""


def show() -> None:
    """Show the call that the URL names, or all that are in doubt."""
    key = navigation.parameter("effect")
    if key is None:
        _list()
    else:
        _one(IdempotencyKey(key))


@st.fragment(run_every=LOOK_S)
def _list() -> None:
    number = page_number()
    found = session.read(lambda connection: _all(connection, number))
    more = "+" if found.count >= ledger.COUNT_LIMIT else ""
    st.title(f"In doubt ({found.count:,}{more})", anchor=False)
    if found.doubts:
        st.markdown(
            "Calls that were begun, and of which nobody knows whether they happened. None is made"
            " again until that is known. The oldest comes first."
        )
    elif found.count:
        navigation.set_parameters(page=None)
        st.rerun()
    else:
        _empty()
    for each in found.doubts:
        _card(each)
    pager(number, last=last_page(found.count, size=PAGE), count=f"{found.count:,} in all")
    _resolved(found.resolved)


def _all(connection: Connection, number: int) -> _Listed:
    tenant = session.tenant()
    return _Listed(
        doubts=ledger.doubts(connection, tenant=tenant, limit=PAGE, offset=(number - 1) * PAGE),
        count=ledger.doubt_count(connection, tenant=tenant),
        resolved=ledger.resolved(connection, tenant=tenant, limit=RESOLVED),
    )


def _empty() -> None:
    with st.container(border=True):
        st.markdown(
            "**Nothing is in doubt.** A call appears here when it was begun and nobody knows what"
            " came of it: its worker died, the answer was lost, or it took too long, and its tool"
            " may not simply be called again."
        )
        st.markdown("What a tool's class has to do with it, and which are declared how:")
        navigation.link(
            "graphs", "Look at the graphs and their tools", icon=":material/account_tree:"
        )


def _card(each: ListedDoubt) -> None:
    effect, now = each.effect, session.now()
    with st.container(border=True, key=f"doubt-{effect.key}"):
        arguments = gate_card.arguments(json.loads(effect.arguments))
        st.markdown(f"**{title(effect)}**  \n{arguments}")
        st.markdown(waits_for(effect, each.gate, now))
        why = f" · {sentence(effect.error_message)}" if effect.error_message else ""
        st.caption(
            f"began {ago(effect.started_at, now)} · {escaped(each.graph)} for"
            f" {escaped(each.principal or 'nobody')} · run {escaped(short_id(effect.run_id))}{why}"
        )
        # A link, and no button: what refreshes itself could lead back from where one goes.
        navigation.link(
            "doubt", "**Look at it**", icon=":material/arrow_forward:", effect=effect.key
        )


def _resolved(found: Sequence[ResolvedDoubt]) -> None:
    st.header("Resolved last", anchor=False)
    if not found:
        st.caption("What people answered here, and what became known by itself, appears here.")
        return
    now = session.now()
    row = open_row(
        {
            "Call": [each.tool for each in found],
            "Graph": [each.listed.graph for each in found],
            "Said": [_SAID[each.answer] for each in found],
            "By": [_who(each) for each in found],
            "When": [ago(each.listed.gate.closed_at or now, now) for each in found],
        },
        key="doubt-resolved",
    )
    key = None if row is None else found[row].listed.gate.effect_key
    if key is not None:
        navigation.go("doubt", effect=key)
    st.caption("Tick one to see its story.")


def _who(each: ResolvedDoubt) -> str:
    by = each.listed.gate.decided_by or ""
    return by if each.is_by_person else f"found out by {by}"


def _one(key: IdempotencyKey) -> None:
    navigation.link("doubt", "In doubt", icon=":material/arrow_back:")
    found = session.read(lambda connection: _find(connection, key))
    effect, gate = found.effect, found.gate
    st.title(title(effect), anchor=False)
    if effect.status is EffectStatus.IN_DOUBT:
        st.markdown(waits_for(effect, gate, session.now()))
    else:
        colour, text = CALL_STATES[effect.status]
        st.markdown(badge(colour, text))
    if gate is not None:
        feedback.show_outcome(gate.id)
    is_open = gate is not None and gate.status is GateStatus.OPEN
    if not is_open:
        _closed(found)
    _watch(key, _seen(effect, found.story, gate))
    left, right = st.columns([3, 2], gap="large")
    with left:
        show_evidence(effect, gate, found.story, graph=found.run.graph)
    with right:
        if gate is not None and is_open:
            with st.container(border=True):
                answer_doubt(effect, gate, found.run, is_mine=found.is_mine)
        decision_context.show_context(found.run)


def _find(connection: Connection, key: IdempotencyKey) -> _Found:
    effect, story, gate = _known(connection, key)
    viewer, tenant = session.viewer(connection), session.tenant()
    others = ledger.doubts(connection, tenant=tenant, limit=2)
    return _Found(
        effect=effect,
        story=story,
        gate=gate,
        run=runs.get(connection, effect.run_id),
        is_mine=gate is not None and gates.is_mine(connection, viewer, gate.id),
        next=next((each.effect.key for each in others if each.effect.key != key), None),
    )


def _known(connection: Connection, key: IdempotencyKey) -> _Known:
    effect = ledger.find(connection, key)
    if effect is None or effect.tenant != session.tenant():
        raise UnknownEffect(f"no call of tenant `{session.tenant()}` has the key `{key}`")
    listed = gates.of_ids(connection, [ledger.gate_of(effect)])
    return effect, ledger.reports(connection, key), listed[0].gate if listed else None


def _seen(effect: Effect, story: Sequence[Report], gate: Gate | None) -> tuple[object, ...]:
    """Return the facts whose change reloads the page."""
    asks = None if gate is None else (gate.status, gate.wakes_at)
    return effect.status, effect.attempt, len(story), asks, may_still_happen(effect, session.now())


@st.fragment(run_every=LOOK_S)
def _watch(key: IdempotencyKey, seen: tuple[object, ...]) -> None:
    """Reload the page when more is known, here or elsewhere."""
    if _seen(*session.read(lambda connection: _known(connection, key))) != seen:
        st.rerun()


def _closed(found: _Found) -> None:
    """Show what became of the call, and who said so."""
    effect, gate = found.effect, found.gate
    by = "" if gate is None or gate.decided_by is None else f" by **{escaped(gate.decided_by)}**"
    at = "" if gate is None or gate.closed_at is None else f" {ago(gate.closed_at, session.now())}"
    what = {
        EffectStatus.STARTED: "It is under way, in another attempt",
        EffectStatus.SUCCEEDED: "It happened",
        EffectStatus.FAILED: "It did not happen",
        EffectStatus.IN_DOUBT: "It is to be undone",
        EffectStatus.COMPENSATED: "It was undone",
    }[effect.status]
    by_whom = f", as was said{by}{at}" if by else ""
    st.info(f"**{what}{by_whom}.** Nothing is to be answered any more.", icon=":material/lock:")
    with st.container(horizontal=True):
        if found.next is not None and st.button(
            "Next in doubt", type="primary", icon=":material/arrow_forward:"
        ):
            navigation.go("doubt", effect=found.next)
        if st.button("Open the run", icon=":material/route:"):
            navigation.go("run", run=found.run.id)
