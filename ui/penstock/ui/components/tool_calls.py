"""The calls of a tool: how they ended, which are in doubt, and the newest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import streamlit as st
from pydantic_core import from_json
from sqlalchemy import Connection

from penstock.checkpoints import ledger
from penstock.contracts.effect import Effect, EffectStatus
from penstock.ui import navigation, session
from penstock.ui.components.badges import CALL_STATES, badge
from penstock.ui.components.markdown import ago, argument_line, escaped, short
from penstock.ui.components.table import open_row

DAYS = 7
"""Calls are counted so far back."""
CALLS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    outcomes: Mapping[EffectStatus, int]
    newest: Sequence[Effect]
    in_doubt: Sequence[Effect]


def calls(tool: str, graph: str | None) -> None:
    """Show how calls of a tool ended, in one graph or all, and the newest ones."""
    found = session.read(lambda connection: _find(connection, tool, graph))
    of = f" in {escaped(graph)}" if graph is not None else ""
    with st.container(border=True):
        st.markdown(f"**Its calls{of} in the last {DAYS} days**")
        if any(found.outcomes.values()):
            st.markdown(
                " ".join(
                    badge(CALL_STATES[status][0], f"{CALL_STATES[status][1]}: {count:,}")
                    for status, count in found.outcomes.items()
                    if count
                )
            )
        else:
            st.caption("None was begun. Calls that a policy denies are begun by nobody.")
        if found.in_doubt:
            st.markdown("**In doubt**, whenever they began")
            for effect in found.in_doubt:
                _doubt(effect)
        if graph is not None:
            with st.container(horizontal=True):
                navigation.link(
                    "runs", "Runs of its graph", icon=":material/list_alt:", graph=graph
                )
                navigation.link("policies", "Policy", icon=":material/policy:", graph=graph)
    if not found.newest:
        return
    st.markdown("**The newest calls**")
    row = open_row(
        {
            "State": [CALL_STATES[effect.status][1] for effect in found.newest],
            "Began": [ago(effect.started_at, session.now()) for effect in found.newest],
            "Arguments": [_arguments(effect) for effect in found.newest],
        },
        key="tool-calls",
        config={"Began": st.column_config.TextColumn(width=90)},
    )
    if row is not None:
        navigation.go("run", run=found.newest[row].run_id)
    st.caption("Tick a call to open its run.")


def _find(connection: Connection, tool: str, graph: str | None) -> _Calls:
    tenant, since = session.tenant(), session.now() - timedelta(days=DAYS)
    return _Calls(
        outcomes=ledger.outcomes_of_tool(connection, tool, tenant=tenant, graph=graph, since=since),
        newest=ledger.calls_of_tool(connection, tool, tenant=tenant, graph=graph, limit=CALLS),
        in_doubt=ledger.doubts_of_tool(connection, tool, tenant=tenant, graph=graph, limit=CALLS),
    )


def _arguments(effect: Effect) -> str:
    arguments: Any = from_json(effect.arguments)
    if not isinstance(arguments, Mapping):
        return short(effect.arguments, 80)
    return argument_line(cast("Mapping[str, Any]", arguments))


def _doubt(effect: Effect) -> None:
    navigation.link(
        "doubt",
        f"{escaped(_arguments(effect))}, began {ago(effect.started_at, session.now())}",
        icon=":material/warning:",
        effect=effect.key,
    )
