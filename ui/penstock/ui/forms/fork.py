"""The form that forks a run: from which checkpoint, with which state, and a forecast."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import streamlit as st
from pydantic import JsonValue

from penstock.checkpoints import states
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.errors import PenstockError
from penstock.contracts.fork import Fate, Forecast
from penstock.contracts.redaction import HIDDEN
from penstock.contracts.run import Run, RunMode
from penstock.graphs import Graph
from penstock.graphs.schema import state_schema
from penstock.runs.authorization import Right
from penstock.ui import navigation, session
from penstock.ui.components import feedback
from penstock.ui.components.markdown import as_text, escaped, sentence, short
from penstock.ui.components.run_details import RunDetails, Selection, shown_masks
from penstock.ui.components.state_history import checkpoint_label, points
from penstock.ui.components.table import show_table
from penstock.ui.forms.schema_form import Form

_FATES = {
    Fate.KEPT: ":gray-badge[kept] lies before, and is not made",
    Fate.REPLAYED: ":green-badge[replayed] its recorded result is given",
    Fate.ASKED: ":orange-badge[asked] with the same arguments, people are asked first",
    Fate.AGAIN: ":blue-badge[anew] should it come again, it is made as any call",
    Fate.SIMULATED: ":gray-badge[simulated] should it come again, it is refused",
}


def may_fork(run: Run) -> bool:
    """Tell whether the person who looks may fork a run; the service checks it again."""
    is_own = session.person() == run.principal
    return session.may(Right.START) and (is_own or session.may(Right.STEER))


def fork_form(details: RunDetails, selected: Selection) -> None:
    """Show the form that forks a run, and a forecast of the fork."""
    run, graph = details.run, details.graph
    st.header("Fork it", anchor=False)
    feedback.show_outcome(f"fork-{run.id}")
    if not may_fork(run):
        st.info(
            "Whoever the run acts for, or an operator, may fork it: a fork acts for whoever makes"
            " it.",
            icon=":material/visibility:",
        )
        return
    masks = shown_masks(details)
    if graph is None or masks is None:
        return
    known = [point for point in points(details) if not point.namespace]
    if not known:
        st.caption("It has no checkpoint to go on from.")
        return
    by_id = {point.id: point for point in known[::-1]}
    left, right = st.columns([3, 2], gap="large")
    with left:
        at = st.selectbox(
            "Go on from this checkpoint",
            list(by_id),
            index=list(by_id).index(_first(known, selected)),
            format_func=lambda each: checkpoint_label(by_id[each], known, details),
            key=f"fork-at-{run.id}",
        )
        live = st.segmented_control(
            "What its tools may do",
            [False, True],
            format_func=lambda each: "What they do" if each else "Only read",
            default=False,
            required=True,
            key=f"fork-live-{run.id}",
            help="Where they only read, nothing leaves the process: other calls are refused.",
        )
        held = session.read(lambda connection: states.state(connection, by_id[at])).values
        (values,) = masks.mask(dict(held))
        edits, problems = _edits(graph, by_id[at], values)
    mode = RunMode.LIVE if live else RunMode.SIMULATE
    with right:
        forecast = _show_forecast(run, by_id[at], mode, is_edited=bool(edits))
    if forecast is None:
        return
    label = "Fork, live" if live else "Fork, simulated"
    if not st.button(label, type="primary", icon=":material/call_split:", key=f"fork-{run.id}"):
        return
    if problems:
        st.warning(f"Nothing was started. {sentence('; '.join(problems))}.")
        return
    started: list[Run] = []

    def act() -> str:
        with session.runtime() as runtime:
            started.append(runtime.fork(run.id, at, by=session.person(), mode=mode, edits=edits))
        return "Forked."

    if feedback.submit(act, about=f"fork-{run.id}"):
        navigation.go("run", run=started[0].id)
    st.rerun()


def _first(known: list[CheckpointInfo], selected: Selection) -> str:
    """Return the checkpoint where the selected step begins; without one, the last step."""
    step = selected.step
    if step is not None:
        for point in known:
            if step.task_id in point.tasks:
                return point.id
    begun = [point for point in known if point.tasks]
    return (begun or known)[-1].id


def _edits(
    graph: Graph, point: CheckpointInfo, values: Mapping[str, Any]
) -> tuple[Mapping[str, JsonValue], list[str]]:
    """Show fields of the state to edit; return the changed values, and problems."""
    schema = state_schema(graph)
    properties: Any = schema.get("properties", {})
    hidden = [name for name in properties if HIDDEN in as_text(values.get(name))]
    offered = [name for name in properties if name in values and name not in hidden]
    wanted = st.multiselect(
        "Edit these fields of its state first (may be left empty)",
        offered,
        key=f"fork-fields-{point.id}",
    )
    if hidden:
        names = ", ".join(f"`{name}`" for name in hidden)
        st.caption(sentence(f"Not to be edited, because nobody is shown what they hold: {names}"))
    if not wanted:
        return {}, []
    form = Form(
        {
            **schema,
            "properties": {name: properties[name] for name in wanted},
            "required": wanted,
        },
        key=f"fork-{point.id}",
    )
    found: Any = form.fill({name: values[name] for name in wanted})
    changed = {name: value for name, value in found.items() if value != values[name]}
    return changed, form.problems


def _show_forecast(
    run: Run, point: CheckpointInfo, mode: RunMode, *, is_edited: bool
) -> Forecast | None:
    """Show the forecast of a fork; return None where the run cannot be forked."""
    st.markdown("**What it would come to**")
    try:
        with session.runtime() as runtime:
            forecast = runtime.forecast_fork(run.id, point.id, mode=mode, is_edited=is_edited)
    except PenstockError as error:
        st.info(f"{sentence(str(error))}.", icon=":material/block:")
        return None
    nodes = ", ".join(escaped(node.strip("_")) for node in forecast.nodes)
    st.markdown(f"Runs first: **{nodes}**")
    if not forecast.calls:
        st.caption("The run has made no calls.")
        return forecast
    counts = Counter(each.fate for each in forecast.calls)
    st.caption(" · ".join(f"{counts[fate]} {fate}" for fate in Fate if counts[fate]))
    show_table(
        {
            "call": [
                f"**{escaped(each.effect.tool)}** {escaped(short(each.effect.arguments, 60))}"
                for each in forecast.calls[-_ROWS:]
            ],
            "in the fork": [_FATES[each.fate] for each in forecast.calls[-_ROWS:]],
        },
        border="horizontal",
    )
    return forecast


_ROWS = 12
"""At most so many calls are listed one by one, the last ones."""
