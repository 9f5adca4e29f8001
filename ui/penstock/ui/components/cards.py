"""A gate as a card in a list."""

from datetime import datetime

import streamlit as st

from penstock.contracts.inbox import Listed
from penstock.ui import front, places
from penstock.ui.components import asked
from penstock.ui.components.words import plain


def card(listed: Listed, now: datetime, *, label: str, picks: bool = False) -> bool:
    """Show a gate, with a button that leads to it; tell whether it was picked."""
    gate = listed.gate
    amount = asked.money(gate, listed.graph, front.desk().catalog)
    with st.container(border=True, key=f"card-{gate.id}"):
        st.markdown(f"**{asked.title(gate)}**  \n{asked.line(gate)}")
        st.markdown(asked.badges(gate, amount=amount))
        st.caption(_small(listed, now))
        with st.container(horizontal=True, vertical_alignment="center"):
            # A link, and no button: what refreshes itself could lead back from where one goes.
            places.link("gate", f"**{label}**", icon=":material/arrow_forward:", gate=gate.id)
            return picks and st.checkbox(
                "Pick", key=f"pick-{gate.id}", help="Decide several of one tool together"
            )


def _small(listed: Listed, now: datetime) -> str:
    gate = listed.gate
    who = f"{plain(listed.graph)} for {plain(listed.principal or 'nobody')}"
    run = f"run {plain(gate.run_id[:13])}"
    if asked.is_over(gate, now):
        return f"{who} · {run} · {asked.outcome(gate, now)}"
    rules = asked.question(gate).get("rules")
    because = f" · because of {plain(', '.join(rules))}" if rules else ""
    whom = asked.of_whom(gate, listed.principal)
    return f"{who} · {run} · {whom} · {asked.time_left(gate, now)}{because}"
