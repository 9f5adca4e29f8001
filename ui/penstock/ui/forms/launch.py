"""The form that starts a run of a graph."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import streamlit as st

from penstock.contracts.amounts import read_budget
from penstock.contracts.budget import Budget
from penstock.contracts.errors import InvalidInput
from penstock.contracts.run import Run, RunMode
from penstock.graphs import Graph, input_schema
from penstock.runs.authorization import Right
from penstock.ui import navigation, session
from penstock.ui.components import feedback
from penstock.ui.components.markdown import sentence
from penstock.ui.forms.schema_form import MISSING, Form, has_branches

ABOUT = "launch"
"""The name under which feedback about a launch is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """The terms of a new run, as they were typed."""

    is_simulated: bool
    tags: str
    tokens: str
    money: str
    deadline_s: float | None

    def budget(self, graph: Graph) -> Budget | None:
        """Return the budget of the run; None for the graph's own."""
        typed = {"tokens": self.tokens.replace(",", "").strip(), "money": self.money.strip()}
        caps = [f"{name}={text}" for name, text in typed.items() if text]
        if not caps:
            return None
        try:
            budget = replace(read_budget(caps), on_exhaustion=None)
            graph.budget.tightened(budget)
        except ValueError as error:
            raise InvalidInput(str(error)) from None
        return budget


def launch_form(graph: Graph) -> None:
    """Show the form to people who may start runs."""
    st.header("Start a run", anchor=False)
    if not session.may(Right.START):
        st.info(
            "You may look, and start nothing: a run acts for whoever starts it, and you have no"
            " role here that it could act under.",
            icon=":material/visibility:",
        )
        return
    schema = _schema(graph)
    if has_branches(schema):
        _fill(graph, schema)
    else:
        with st.form(f"launch-{graph.name}", border=False):
            _fill(graph, schema, is_form=True)


def _fill(graph: Graph, schema: Mapping[str, Any], *, is_form: bool = False) -> None:
    form = Form(schema, key=f"launch-{graph.name}")
    input_ = form.fill()
    terms = _terms(graph.name)
    press = st.form_submit_button if is_form else st.button
    if not press("Start", type="primary", icon=":material/rocket_launch:"):
        return
    if form.problems:
        st.warning(f"Nothing was started. {sentence('; '.join(form.problems))}.")
        return
    started: list[Run] = []

    def act() -> str:
        with session.runtime() as runtime:
            run = runtime.start(
                graph.name,
                {} if input_ is MISSING else input_,
                actor=session.person(),
                tenant=session.tenant(),
                mode=RunMode.SIMULATE if terms.is_simulated else RunMode.LIVE,
                tags=[tag for tag in terms.tags.split(",") if tag.strip()],
                budget=terms.budget(graph),
                deadline_s=terms.deadline_s,
            )
        started.append(run)
        return "Started."

    if feedback.submit(act, about=ABOUT):
        navigation.go("run", run=started[0].id)
    st.rerun()


def _terms(name: str) -> _Terms:
    is_simulated = st.checkbox("Simulate: its tools only read", key=f"simulate-{name}")
    with st.expander("Tags and limits", icon=":material/tune:"):
        tags = st.text_input(
            "Tags", placeholder="nightly, customer-7", key=f"tags-{name}", help="Commas part them."
        )
        st.caption("What is left empty is as the graph says. No cap of the graph is loosened.")
        left, middle, right = st.columns(3)
        with left:
            tokens = st.text_input("Tokens at most", placeholder="50000", key=f"tokens-{name}")
        with middle:
            money = st.text_input("Money at most", placeholder="0.50 USD", key=f"money-{name}")
        with right:
            deadline_s = st.number_input(
                "Seconds at most",
                min_value=1.0,
                value=None,
                step=1.0,
                format="%g",
                placeholder="600",
                key=f"deadline-{name}",
                help="Time at gates and in a pause does not count.",
            )
    return _Terms(
        is_simulated=is_simulated, tags=tags, tokens=tokens, money=money, deadline_s=deadline_s
    )


def _schema(graph: Graph) -> Mapping[str, Any]:
    """Return the schema of a graph's input; where it has none, one that takes any JSON."""
    found = input_schema(graph)
    if found.get("properties"):
        return cast("Mapping[str, Any]", found)
    return {"title": "Input", "description": "Whatever the graph takes."}
