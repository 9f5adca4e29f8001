"""How the runs of a graph stand: the forms that they were started with, and where they wait."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from penstock.contracts.inbox import GraphVersion, WaitingNode
from penstock.contracts.run import LIVE, RunStatus
from penstock.ui import places
from penstock.ui.components import table
from penstock.ui.components.states import MARKS
from penstock.ui.components.words import ago

_VERSIONS, _NODES = "graph-versions", "graph-nodes"
_ORDER = (*(status for status in RunStatus if status in LIVE), RunStatus.FAILED)


def summary(found: Sequence[GraphVersion]) -> str:
    """Return in a line how many runs of a graph live, wait and have failed."""
    counts = Counter[RunStatus]()
    for each in found:
        counts.update(each.counts)
    live = sum(counts[status] for status in LIVE)
    return (
        f"{live:,} live, {counts[RunStatus.WAITING]:,} of them waiting for people ·"
        f" {counts[RunStatus.FAILED]:,} failed"
    )


def versions(
    graph: str,
    found: Sequence[GraphVersion],
    *,
    fingerprint: str,
    serving: Mapping[str, int],
    now: datetime,
) -> None:
    """Show the forms of a graph that runs were started with; each leads to its runs.

    `fingerprint` is that of the project's own, `serving` has how many workers take which.
    """
    row = table.clicked(_VERSIONS)
    if row is not None and row < len(found):
        places.go("runs", graph=graph, shape=found[row].fingerprint)
    st.header("Versions", anchor=False)
    if not found:
        st.caption("It has had no run yet. Each form of it that runs were started with is here.")
        return
    left = [each for each in found if not serving.get(each.fingerprint)]
    living = sum(each.counts.get(status, 0) for each in left for status in LIVE)
    if living:
        told = "run that is not over is" if living == 1 else "runs that are not over are"
        st.warning(
            f"{living:,} {told} of a form of this graph that no worker has now. A worker whose"
            " project has it can go on with them.",
            icon=":material/history:",
        )
    columns: dict[str, Sequence[Any]] = {
        "Runs of": [each.fingerprint[:8] for each in found],
        "Version": [each.version for each in found],
        "": ["here" if each.fingerprint == fingerprint else "" for each in found],
    }
    columns["Workers"] = [serving.get(each.fingerprint, 0) for each in found]
    for status in (*_ORDER, RunStatus.SUCCEEDED, RunStatus.CANCELLED):
        if any(each.counts.get(status) for each in found):
            columns[MARKS[status].name] = [each.counts.get(status, 0) for each in found]
    columns["First run"] = [ago(each.first_at, now) for each in found]
    columns["Last run"] = [ago(each.last_at, now) for each in found]
    table.picked(columns, key=_VERSIONS, opens="Runs of", can_pick=False)


def nodes(graph: str, found: Sequence[WaitingNode], *, drawn: Sequence[str]) -> None:
    """Show the nodes in which runs wait; each leads to its runs."""
    row = table.clicked(_NODES)
    if row is not None and row < len(found):
        places.go("runs", graph=graph, node=found[row].node, shape=found[row].fingerprint)
    st.header("Where runs wait", anchor=False)
    if not found:
        st.caption(
            "No run waits for anybody. A node that runs wait in is here, and in the picture."
        )
        return
    columns: Mapping[str, Sequence[Any]] = {
        "Node": [each.node.replace("|", " / ") for each in found],
        "Runs": [each.count for each in found],
        "Version": [each.version for each in found],
        "Fingerprint": [each.fingerprint[:8] for each in found],
        "": ["" if each.node in drawn else "not in the project's graph any more" for each in found],
    }
    table.picked(columns, key=_NODES, opens="Node", can_pick=False)


def waiting(found: Sequence[WaitingNode]) -> Mapping[str, int]:
    """Return how many runs wait in each node, whatever form of the graph they began with."""
    counts: dict[str, int] = {}
    for each in found:
        counts[each.node] = counts.get(each.node, 0) + each.count
    return counts
