"""What a step was given, what it wrote, and what that has changed."""

import streamlit as st

from penstock.checkpoints import states
from penstock.contracts.checkpoint import CheckpointInfo, CheckpointState, NodeExecution
from penstock.contracts.difference import differences
from penstock.contracts.errors import PenstockError
from penstock.contracts.step import Step
from penstock.ui import front
from penstock.ui.components.changes import changes
from penstock.ui.components.history import elsewhere, points
from penstock.ui.components.masks import UNMASKED, masking
from penstock.ui.components.story import Story
from penstock.ui.components.words import plain, sentence


def came_to(story: Story, step: Step) -> None:
    """Show the input of a step, its writes, and what is different after it."""
    known = points(story)
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
    masks = masking(story)
    if masks is None:
        st.info(UNMASKED, icon=":material/visibility_off:")
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
        found = _read(begins, after, step)
    except PenstockError as error:
        st.caption(sentence(str(error)))
        return
    state, executed, following = found
    one, sent, other, *written = masks.masked(
        dict(state.values),
        executed.sent,
        None if following is None else dict(following.values),
        *(each.value for each in executed.written),
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**It was sent**" if executed.was_sent else "**State before it**")
        st.json(sent if executed.was_sent else one, expanded=1)
        elsewhere(state)
    with right:
        st.markdown("**It wrote**")
        if executed.written:
            st.json(_by_channel(executed, written), expanded=2)
        else:
            st.caption("Nothing." if is_settled else "Nothing yet.")
    if other is not None:
        others = [task for task in begins.tasks if task != step.task_id]
        beside = f", with {len(others)} others that ran beside it" if others else ""
        st.markdown(f"**What that has changed**{plain(beside)}")
        changes(
            differences(one, other),
            key=f"changes-of-{step.task_id}",
            otherwise="Nothing: the state is as it was.",
        )


def _read(
    begins: CheckpointInfo, after: CheckpointInfo | None, step: Step
) -> tuple[CheckpointState, NodeExecution, CheckpointState | None]:
    return front.read(
        lambda connection: (
            states.state(connection, begins),
            states.execution(connection, begins, step.task_id),
            None if after is None else states.state(connection, after),
        )
    )


def _by_channel(executed: NodeExecution, values: list[object]) -> dict[str, object]:
    """Return what was written by channel; several writes to one as a list."""
    found: dict[str, list[object]] = {}
    for each, value in zip(executed.written, values, strict=True):
        found.setdefault(each.channel, []).append(value)
    return {name: all_[0] if len(all_) == 1 else all_ for name, all_ in found.items()}
