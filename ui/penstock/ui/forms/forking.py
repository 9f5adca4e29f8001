"""Forking a run: where, with which state, and what that would come to."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import streamlit as st
from pydantic import JsonValue

from penstock.checkpoints import states
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.errors import PenstockError
from penstock.contracts.fork import Fate, Forecast
from penstock.contracts.redaction.fields import HIDDEN
from penstock.contracts.run import Run, RunMode
from penstock.graphs import Graph
from penstock.graphs.schema import state_schema
from penstock.runs.authorization import Right
from penstock.ui import front, places
from penstock.ui.components.history import named, points
from penstock.ui.components.masks import UNMASKED, masking
from penstock.ui.components.selection import Chosen
from penstock.ui.components.story import Story
from penstock.ui.components.table import shown
from penstock.ui.components.words import plain, sentence, short, spelled
from penstock.ui.forms import sending
from penstock.ui.forms.fields import Form

_FATES = {
    Fate.KEPT: ":gray-badge[kept] lies before, and is not made",
    Fate.REPLAYED: ":green-badge[replayed] its recorded result is given",
    Fate.ASKED: ":orange-badge[asked] with the same arguments, people are asked first",
    Fate.ANEW: ":blue-badge[anew] should it come again, it is made as any call",
    Fate.SIMULATED: ":gray-badge[simulated] should it come again, it is refused",
}


def may_fork(run: Run) -> bool:
    """Tell whether whoever looks may fork a run; what acts asks again."""
    is_own = front.person() == run.principal
    return front.may(Right.START) and (is_own or front.may(Right.STEER))


def fork(story: Story, now: Chosen) -> None:
    """Show a form to fork a run, and what a fork would come to."""
    run, graph = story.run, story.graph
    st.header("Fork it", anchor=False)
    sending.tell(f"fork-{run.id}")
    if not may_fork(run):
        st.info(
            "Whoever the run acts for, or an operator, may fork it: a fork acts for whoever makes"
            " it.",
            icon=":material/visibility:",
        )
        return
    masks = masking(story)
    if graph is None or masks is None:
        st.info(UNMASKED, icon=":material/visibility_off:")
        return
    known = [point for point in points(story) if not point.namespace]
    if not known:
        st.caption("It has no checkpoint to go on from.")
        return
    by_id = {point.id: point for point in known[::-1]}
    left, right = st.columns([3, 2], gap="large")
    with left:
        at = st.selectbox(
            "Go on from this checkpoint",
            list(by_id),
            index=list(by_id).index(_first(known, now)),
            format_func=lambda each: named(by_id[each], known, story),
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
        held = front.read(lambda connection: states.state(connection, by_id[at])).values
        (values,) = masks.masked(dict(held))
        edits, problems = _edits(graph, by_id[at], values)
    mode = RunMode.LIVE if live else RunMode.SIMULATE
    with right:
        told = _foreseen(run, by_id[at], mode, is_edited=bool(edits))
    if told is None:
        return
    label = "Fork, live" if live else "Fork, simulated"
    if not st.button(label, type="primary", icon=":material/call_split:", key=f"fork-{run.id}"):
        return
    if problems:
        st.warning(f"Nothing was started. {sentence('; '.join(problems))}.")
        return
    started: list[Run] = []

    def act() -> str:
        with front.runtime() as runtime:
            started.append(runtime.fork(run.id, at, by=front.person(), mode=mode, edits=edits))
        return "Forked."

    if sending.send(act, about=f"fork-{run.id}"):
        places.go("run", run=started[0].id)
    st.rerun()


def _first(known: list[CheckpointInfo], now: Chosen) -> str:
    """Return where the step begins that is looked at; else where the last one did."""
    step = now.step
    if step is not None:
        for point in known:
            if step.task_id in point.tasks:
                return point.id
    begun = [point for point in known if point.tasks]
    return (begun or known)[-1].id


def _edits(
    graph: Graph, point: CheckpointInfo, values: Mapping[str, Any]
) -> tuple[Mapping[str, JsonValue], list[str]]:
    """Show the fields of the state that are to be edited; return those that were changed."""
    schema = state_schema(graph)
    properties: Any = schema.get("properties", {})
    hidden = [name for name in properties if HIDDEN in spelled(values.get(name))]
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


def _foreseen(
    run: Run, point: CheckpointInfo, mode: RunMode, *, is_edited: bool
) -> Forecast | None:
    """Show what a fork would come to; return None where there can be none."""
    st.markdown("**What it would come to**")
    try:
        with front.runtime() as runtime:
            told = runtime.foresee(run.id, point.id, mode=mode, is_edited=is_edited)
    except PenstockError as error:
        st.info(f"{sentence(str(error))}.", icon=":material/block:")
        return None
    nodes = ", ".join(plain(node.strip("_")) for node in told.nodes)
    st.markdown(f"Runs first: **{nodes}**")
    if not told.calls:
        st.caption("The run has made no calls.")
        return told
    counts = Counter(each.fate for each in told.calls)
    st.caption(" · ".join(f"{counts[fate]} {fate}" for fate in Fate if counts[fate]))
    shown(
        {
            "call": [
                f"**{plain(each.effect.tool)}** {plain(short(each.effect.arguments, 60))}"
                for each in told.calls[-_ROWS:]
            ],
            "in the fork": [_FATES[each.fate] for each in told.calls[-_ROWS:]],
        },
        border="horizontal",
    )
    return told


_ROWS = 12
"""So many calls are told of one by one, the last ones."""
