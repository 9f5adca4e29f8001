"""The checkpoints of a run: what each holds, and what changed between two of them or in a step."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from pydantic_core import from_json

from penstock.checkpoints import states
from penstock.contracts.checkpoint import CheckpointInfo, CheckpointState, NodeExecution
from penstock.contracts.errors import PenstockError
from penstock.contracts.step import Step
from penstock.ui import navigation, session
from penstock.ui.components.differences import differences, show_changes
from penstock.ui.components.markdown import escaped, node_name, sentence, utc_instant
from penstock.ui.components.run_details import RunDetails, masking, shown_masks

POINT_ROWS = 300
"""At most so many checkpoints are offered, the newest."""
_NOTHING = "nothing, before it began"


def points(details: RunDetails) -> Sequence[CheckpointInfo]:
    """Return the newest checkpoints of a run."""
    return session.read(
        lambda connection: states.points(connection, details.run.id, limit=POINT_ROWS)
    )


def checkpoint_label(
    point: CheckpointInfo, known: Sequence[CheckpointInfo], details: RunDetails
) -> str:
    """Return the label of a checkpoint: its number, what came before it, and when."""
    before = next(
        (
            each.tasks
            for each in known
            if each.id == point.parent_id and each.namespace == point.namespace
        ),
        (),
    )
    nodes = {step.task_id: node_name(step.node) for step in details.steps}
    after = ", ".join(dict.fromkeys(nodes[task] for task in before if task in nodes))
    sources = {"input": "the input", "fork": "the fork", "update": "an update"}
    what = f"after {after}" if after else sources.get(point.source, "before its nodes")
    return f"{point.number} · {what} · {utc_instant(point.at)}"


def show_states(details: RunDetails) -> None:
    """Show the differences of two checkpoints, and what the later one holds."""
    known = points(details)
    if not known:
        st.caption("It has no checkpoint: it has not begun, or what it knew was forgotten.")
        return
    masks = shown_masks(details)
    if masks is None:
        return
    by_id = {point.id: point for point in known[::-1]}
    ids = list(by_id)
    left, right = st.columns(2)
    at = _asked("at", ids) or ids[0]
    with right:
        at = st.selectbox(
            "What this checkpoint holds",
            ids,
            index=ids.index(at),
            format_func=lambda each: checkpoint_label(by_id[each], known, details),
            key="run-at",
            on_change=_note,
            args=("at", "run-at"),
        )
    point = by_id[at]
    others = ["", *(each for each in ids if each != at)]
    against = _asked("against", others) or (point.parent_id if point.parent_id in others else "")
    with left:
        against = st.selectbox(
            "against this one",
            others,
            index=others.index(against),
            format_func=lambda each: (
                checkpoint_label(by_id[each], known, details) if each else _NOTHING
            ),
            key=f"run-against-{at}",
            on_change=_note,
            args=("against", f"run-against-{at}"),
        )
    try:
        before, after = session.read(
            lambda connection: (
                states.state(connection, by_id[against]) if against else CheckpointState(values={}),
                states.state(connection, point),
            )
        )
    except PenstockError as error:
        st.caption(sentence(str(error)))
        return
    one, other = masks.mask(dict(before.values), dict(after.values))
    show_changes(differences(one, other), key="run-changes", otherwise="Nothing is different.")
    show_omitted(after)
    with st.expander("All that it holds"):
        st.json(other, expanded=2)


def show_input(details: RunDetails) -> None:
    """Show the input of a run."""
    if details.run.input == "null":
        is_fork = any("fork_of" in event.detail for event in details.events)
        st.caption(
            "It was given nothing: it goes on from a checkpoint of the run that it was forked from."
            if is_fork
            else "What it was given is forgotten."
        )
        return
    found: Any = from_json(details.run.input)
    masks = masking(details)
    if masks is not None:
        (found,) = masks.mask(found)
    st.json(found, expanded=2)


def show_omitted(state: CheckpointState) -> None:
    """Name the channels of a state that are not shown."""
    if state.elsewhere:
        names = ", ".join(f"`{name}`" for name in state.elsewhere)
        st.caption(sentence(f"Kept as changes, and not shown: {names}"))


def show_step_states(details: RunDetails, step: Step) -> None:
    """Show the input of a step, its writes, and what changed after it."""
    known = points(details)
    begins = next((point for point in known if step.task_id in point.tasks), None)
    is_settled = begins is not None
    if begins is None:
        # It has written nothing yet: it began at what was newest then.
        before = [
            point
            for point in known
            if point.namespace == step.namespace and point.at <= step.started_at
        ]
        begins = before[-1] if before else None
    if begins is None:
        st.caption("There is no checkpoint of it: it is forgotten, or too long ago to be listed.")
        return
    masks = shown_masks(details)
    if masks is None:
        return
    after = next(
        (
            point
            for point in known
            if point.parent_id == begins.id and point.namespace == begins.namespace
        ),
        None,
    )
    try:
        found = _read_step(begins, after, step)
    except PenstockError as error:
        st.caption(sentence(str(error)))
        return
    state, executed, following = found
    one, sent, other, *written = masks.mask(
        dict(state.values),
        executed.sent,
        None if following is None else dict(following.values),
        *(each.value for each in executed.written),
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**It was sent**" if executed.was_sent else "**State before it**")
        st.json(sent if executed.was_sent else one, expanded=1)
        show_omitted(state)
    with right:
        st.markdown("**It wrote**")
        if executed.written:
            st.json(_by_channel(executed, written), expanded=2)
        else:
            st.caption("Nothing." if is_settled else "Nothing yet.")
    if other is not None:
        others = [task for task in begins.tasks if task != step.task_id]
        beside = f", with {len(others)} others that ran beside it" if others else ""
        st.markdown(f"**What that has changed**{escaped(beside)}")
        show_changes(
            differences(one, other),
            key=f"changes-of-{step.task_id}",
            otherwise="Nothing: the state is as it was.",
        )


def _asked(name: str, known: Sequence[str]) -> str | None:
    found = navigation.parameter(name)
    return found if found in known else None


def _note(name: str, key: str) -> None:
    found: object = st.session_state.get(key)
    navigation.set_parameters(**{name: found if isinstance(found, str) else None})
    if name == "at":
        navigation.set_parameters(against=None)


def _read_step(
    begins: CheckpointInfo, after: CheckpointInfo | None, step: Step
) -> tuple[CheckpointState, NodeExecution, CheckpointState | None]:
    return session.read(
        lambda connection: (
            states.state(connection, begins),
            states.execution(connection, begins, step.task_id),
            None if after is None else states.state(connection, after),
        )
    )


def _by_channel(executed: NodeExecution, values: list[object]) -> dict[str, object]:
    """Return writes by their channel; several writes to one as a list."""
    found: dict[str, list[object]] = {}
    for each, value in zip(executed.written, values, strict=True):
        found.setdefault(each.channel, []).append(value)
    return {name: all_[0] if len(all_) == 1 else all_ for name, all_ in found.items()}
