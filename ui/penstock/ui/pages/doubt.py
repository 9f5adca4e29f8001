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
from penstock.ui import front, places
from penstock.ui.components import asked, context
from penstock.ui.components.doubt import evidence, may_land, stands, title
from penstock.ui.components.inspector import EFFECTS
from penstock.ui.components.pages import asked_page, last_page, pager
from penstock.ui.components.table import opened
from penstock.ui.components.words import ago, badge, plain, sentence
from penstock.ui.forms import sending
from penstock.ui.forms.doubt import decide

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
    """The oldest other one."""


def show() -> None:
    """Show the call that the URL names, or all that are in doubt."""
    key = places.asked("effect")
    if key is None:
        _list()
    else:
        _one(IdempotencyKey(key))


@st.fragment(run_every=LOOK_S)
def _list() -> None:
    number = asked_page()
    found = front.read(lambda connection: _all(connection, number))
    more = "+" if found.count >= ledger.COUNT_LIMIT else ""
    st.title(f"In doubt ({found.count:,}{more})", anchor=False)
    if found.doubts:
        st.markdown(
            "Calls that were begun, and of which nobody knows whether they happened. None is made"
            " again until that is known. The oldest comes first."
        )
    elif found.count:
        places.note(page=None)
        st.rerun()
    else:
        _empty()
    for each in found.doubts:
        _card(each)
    pager(number, last=last_page(found.count, size=PAGE), told=f"{found.count:,} in all")
    _resolved(found.resolved)


def _all(connection: Connection, number: int) -> _Listed:
    tenant = front.tenant()
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
        places.link("graphs", "Look at the graphs and their tools", icon=":material/account_tree:")


def _card(each: ListedDoubt) -> None:
    effect, now = each.effect, front.now()
    with st.container(border=True, key=f"doubt-{effect.key}"):
        told = asked.arguments(json.loads(effect.arguments))
        st.markdown(f"**{title(effect)}**  \n{told}")
        st.markdown(stands(effect, each.gate, now))
        why = f" · {sentence(effect.error_message)}" if effect.error_message else ""
        st.caption(
            f"began {ago(effect.started_at, now)} · {plain(each.graph)} for"
            f" {plain(each.principal or 'nobody')} · run {plain(effect.run_id[:13])}{why}"
        )
        # A link, and no button: what refreshes itself could lead back from where one goes.
        places.link("doubt", "**Look at it**", icon=":material/arrow_forward:", effect=effect.key)


def _resolved(found: Sequence[ResolvedDoubt]) -> None:
    st.header("Resolved last", anchor=False)
    if not found:
        st.caption("What people answered here, and what became known by itself, appears here.")
        return
    now = front.now()
    row = opened(
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
        places.go("doubt", effect=key)
    st.caption("Tick one to see its story.")


def _who(each: ResolvedDoubt) -> str:
    by = each.listed.gate.decided_by or ""
    return by if each.is_by_person else f"found out by {by}"


def _one(key: IdempotencyKey) -> None:
    places.link("doubt", "In doubt", icon=":material/arrow_back:")
    found = front.read(lambda connection: _find(connection, key))
    effect, gate = found.effect, found.gate
    st.title(title(effect), anchor=False)
    if effect.status is EffectStatus.IN_DOUBT:
        st.markdown(stands(effect, gate, front.now()))
    else:
        colour, said = EFFECTS[effect.status]
        st.markdown(badge(colour, said))
    if gate is not None:
        sending.tell(gate.id)
    is_open = gate is not None and gate.status is GateStatus.OPEN
    if not is_open:
        _closed(found)
    _watch(key, _seen(effect, found.story, gate))
    left, right = st.columns([3, 2], gap="large")
    with left:
        evidence(effect, gate, found.story, graph=found.run.graph)
    with right:
        if gate is not None and is_open:
            with st.container(border=True):
                decide(effect, gate, found.run, is_mine=found.is_mine)
        context.beside(found.run)


def _find(connection: Connection, key: IdempotencyKey) -> _Found:
    effect, story, gate = _known(connection, key)
    viewer, tenant = front.viewer(connection), front.tenant()
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
    if effect is None or effect.tenant != front.tenant():
        raise UnknownEffect(f"no call of tenant `{front.tenant()}` has the key `{key}`")
    listed = gates.of_ids(connection, [ledger.gate_of(effect)])
    return effect, ledger.reports(connection, key), listed[0].gate if listed else None


def _seen(effect: Effect, story: Sequence[Report], gate: Gate | None) -> tuple[object, ...]:
    """Return what the page is loaded again for when it changes elsewhere."""
    asks = None if gate is None else (gate.status, gate.wakes_at)
    return effect.status, effect.attempt, len(story), asks, may_land(effect, front.now())


@st.fragment(run_every=LOOK_S)
def _watch(key: IdempotencyKey, seen: tuple[object, ...]) -> None:
    """Load the page again when more is known, here or elsewhere."""
    if _seen(*front.read(lambda connection: _known(connection, key))) != seen:
        st.rerun()


def _closed(found: _Found) -> None:
    """Say what is known by now, and from whom."""
    effect, gate = found.effect, found.gate
    by = "" if gate is None or gate.decided_by is None else f" by **{plain(gate.decided_by)}**"
    at = "" if gate is None or gate.closed_at is None else f" {ago(gate.closed_at, front.now())}"
    what = {
        EffectStatus.STARTED: "It is under way, in another attempt",
        EffectStatus.SUCCEEDED: "It happened",
        EffectStatus.FAILED: "It did not happen",
        EffectStatus.IN_DOUBT: "It is to be undone",
        EffectStatus.COMPENSATED: "It was undone",
    }[effect.status]
    said = f", as was said{by}{at}" if by else ""
    st.info(f"**{what}{said}.** Nothing is to be answered any more.", icon=":material/lock:")
    with st.container(horizontal=True):
        if found.next is not None and st.button(
            "Next in doubt", type="primary", icon=":material/arrow_forward:"
        ):
            places.go("doubt", effect=found.next)
        if st.button("Open the run", icon=":material/route:"):
            places.go("run", run=found.run.id)
