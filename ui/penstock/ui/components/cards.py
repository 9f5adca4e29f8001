"""A gate as a card in a list."""

from datetime import datetime

import streamlit as st

from penstock.contracts.inbox import ListedGate
from penstock.ui import front, places
from penstock.ui.components import asked
from penstock.ui.components.drawn import drawn
from penstock.ui.components.words import plain


def card(listed: ListedGate, now: datetime, *, label: str, picks: bool = False) -> bool:
    """Show a gate, with a button that leads to it; tell whether it was picked."""
    gate = listed.gate
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"card-{gate.id}"
    ):
        st.html(_told(listed, now))
        # A link, and no button: what refreshes itself could lead back from where one goes.
        places.link("gate", f"**{label}**", icon=":material/arrow_forward:", gate=gate.id)
        return picks and st.checkbox("Pick", key=f"pick-{gate.id}")


def _told(listed: ListedGate, now: datetime) -> str:
    """Return what a card says: one element in place of many, since there are many cards."""
    gate = listed.gate
    amount = asked.money(gate, listed.graph, front.desk().catalog)
    line = asked.line(gate)
    parts = [
        f"<h2>{drawn(asked.title(gate))}</h2>",
        f"<p>{drawn(line)}</p>" if line else "",
        f'<p class="pen-badges">{drawn(asked.badges(gate, amount=amount))}</p>',
        f'<p class="pen-small">{drawn(_small(listed, now))}</p>',
    ]
    return f'<div class="pen-card">{"".join(parts)}</div>'


def _small(listed: ListedGate, now: datetime) -> str:
    gate = listed.gate
    who = f"{plain(listed.graph)} for {plain(listed.principal or 'nobody')}"
    run = f"run {plain(gate.run_id[:13])}"
    if asked.is_over(gate, now):
        return f"{who} · {run} · {asked.outcome(gate, now)}"
    rules = asked.question(gate).get("rules")
    because = f" · because of {plain(', '.join(rules))}" if rules else ""
    whom = asked.of_whom(gate, listed.principal)
    return f"{who} · {run} · {whom} · {asked.time_left(gate, now)}{because}"
