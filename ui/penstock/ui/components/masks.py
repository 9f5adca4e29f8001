"""What nobody is to be shown of a run, by the contracts of its graph's tools."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import states
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.graphs.masking import Masking
from penstock.ui import front
from penstock.ui.components.story import Story

UNMASKED = (
    "The project's graphs are not at hand. What a state holds is not shown then, because nobody"
    " here knows which arguments are to be hidden."
)
_KEPT = "masks"


def masking(story: Story) -> Masking | None:
    """Return what hides it; None where the run's graph is not at hand.

    It has learnt from the newest state of the run, and is kept as long as that is the newest.
    """
    graph = story.graph
    if graph is None:
        return None
    newest = front.read(lambda connection: states.points(connection, story.run.id, limit=1))
    mark = (story.run.id, newest[0].id if newest else None)
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != mark:
        known = front.read(lambda connection: _known(connection, newest))
        kept = st.session_state[_KEPT] = (mark, Masking(graph, *known))
    return kept[1]


def _known(connection: Connection, newest: Sequence[CheckpointInfo]) -> Sequence[object]:
    return [dict(states.state(connection, point).values) for point in newest]
