"""The checkpoints of a run: what each holds, and what is different between two of them."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from pydantic_core import from_json

from penstock.checkpoints import states
from penstock.contracts.checkpoint import CheckpointInfo, CheckpointState
from penstock.contracts.difference import differences
from penstock.contracts.errors import PenstockError
from penstock.ui import front, places
from penstock.ui.components.changes import changes
from penstock.ui.components.masks import UNMASKED, masking
from penstock.ui.components.story import Story
from penstock.ui.components.words import instant, sentence

POINT_ROWS = 300
"""So many checkpoints are offered, the newest."""

_NOTHING = "nothing, before it began"


def points(story: Story) -> Sequence[CheckpointInfo]:
    """Return the newest checkpoints of a run."""
    return front.read(lambda connection: states.points(connection, story.run.id, limit=POINT_ROWS))


def named(point: CheckpointInfo, known: Sequence[CheckpointInfo], story: Story) -> str:
    """Return a checkpoint as people know it: by what came before it."""
    before = next(
        (
            each.tasks
            for each in known
            if each.id == point.parent_id and each.namespace == point.namespace
        ),
        (),
    )
    nodes = {step.task_id: step.node.replace("|", " / ") for step in story.steps}
    after = ", ".join(dict.fromkeys(nodes[task] for task in before if task in nodes))
    told = {"input": "the input", "fork": "the fork", "update": "an update"}
    what = f"after {after}" if after else told.get(point.source, "before its nodes")
    return f"{point.number} · {what} · {instant(point.at)}"


def history(story: Story) -> None:
    """Show what is different between two checkpoints, and what the later one holds."""
    known = points(story)
    if not known:
        st.caption("It has no checkpoint: it has not begun, or what it knew was forgotten.")
        return
    masks = masking(story)
    if masks is None:
        st.info(UNMASKED, icon=":material/visibility_off:")
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
            format_func=lambda each: named(by_id[each], known, story),
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
            format_func=lambda each: named(by_id[each], known, story) if each else _NOTHING,
            key=f"run-against-{at}",
            on_change=_note,
            args=("against", f"run-against-{at}"),
        )
    try:
        before, after = front.read(
            lambda connection: (
                states.state(connection, by_id[against]) if against else CheckpointState(values={}),
                states.state(connection, point),
            )
        )
    except PenstockError as error:
        st.caption(sentence(str(error)))
        return
    one, other = masks.masked(dict(before.values), dict(after.values))
    changes(differences(one, other), key="run-changes", otherwise="Nothing is different.")
    elsewhere(after)
    with st.expander("All that it holds"):
        st.json(other, expanded=2)


def given(story: Story) -> None:
    """Show what a run was given."""
    if story.run.input == "null":
        is_fork = any("fork_of" in event.detail for event in story.events)
        st.caption(
            "It was given nothing: it goes on from a checkpoint of the run that it was forked from."
            if is_fork
            else "What it was given is forgotten."
        )
        return
    found: Any = from_json(story.run.input)
    masks = masking(story)
    if masks is not None:
        (found,) = masks.masked(found)
    st.json(found, expanded=2)


def elsewhere(state: CheckpointState) -> None:
    """Say what of a state is not shown."""
    if state.elsewhere:
        names = ", ".join(f"`{name}`" for name in state.elsewhere)
        st.caption(sentence(f"Kept as changes, and not shown: {names}"))


def _asked(name: str, known: Sequence[str]) -> str | None:
    found = places.asked(name)
    return found if found in known else None


def _note(name: str, key: str) -> None:
    found: object = st.session_state.get(key)
    places.note(**{name: found if isinstance(found, str) else None})
    if name == "at":
        places.note(against=None)
