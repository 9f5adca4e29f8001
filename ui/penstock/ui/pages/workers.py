"""The workers: who drives what, who is not heard of, and what nobody takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import workers
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Run
from penstock.contracts.worker import KnownWorker, LostRun, QueuedRuns, WorkerState
from penstock.ui import front, places
from penstock.ui.components.table import shown
from penstock.ui.components.words import age, ago, plain, sentence, short
from penstock.ui.components.worker import badges, card, left_of_lease
from penstock.ui.forms import sending
from penstock.ui.forms.draining import offer

LOOK_S = 2.0
LISTED = 100
DRIVEN = 1000
SHOWN = 5
"""So many runs are listed of what may be long."""
COUNTED = 1000
"""Nobody reads whether there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    present: Sequence[KnownWorker]
    ended: Sequence[KnownWorker]
    driven: Sequence[Run]
    """Of all tenants."""
    waiting: Sequence[QueuedRuns]
    lost: Sequence[LostRun]
    dead: Sequence[Run]
    dead_count: int

    @property
    def living(self) -> Sequence[KnownWorker]:
        return [each for each in self.present if each.state is not WorkerState.GONE]

    @property
    def gone(self) -> Sequence[KnownWorker]:
        return [each for each in self.present if each.state is WorkerState.GONE]

    def takers(self, graph: str, fingerprint: str) -> Sequence[KnownWorker]:
        """Return the workers that may take queued runs of a form of a graph."""
        return [each for each in self.living if each.is_taking and each.serves(graph, fingerprint)]


def show() -> None:
    """Show the workers."""
    st.title("Workers", anchor=False)
    sending.tell("workers")
    _look()


@st.fragment(run_every=LOOK_S)
def _look() -> None:
    found = front.read(_find)
    st.markdown(badges(found.present) or "No worker is heard of.")
    for each in found.waiting:
        _stranded(each, found)
    if not found.present:
        _empty()
    held = _by_worker(found)
    for worker in found.living:
        only = _only_taker_of(worker, found)
        card(worker, held.get(worker.id, ()), action=partial(offer, worker, only_taker_of=only))
    for worker in found.gone:
        card(worker, held.get(worker.id, ()))
    _queue(found)
    _lost(found.lost)
    _unknown(found, held)
    _dead(found)
    _ended(found.ended)


def _find(connection: Connection) -> _Found:
    tenant = front.tenant()
    return _Found(
        present=workers.present(connection, limit=LISTED),
        ended=workers.ended(connection, limit=LISTED),
        driven=workers.driven_runs(connection, limit=DRIVEN),
        waiting=workers.waiting_by_version(connection, tenant=tenant),
        lost=workers.lost_runs(connection, tenant=tenant, limit=SHOWN),
        dead=workers.dead_letters(connection, tenant=tenant, limit=SHOWN),
        dead_count=workers.dead_letter_count(connection, tenant=tenant, limit=COUNTED),
    )


def _by_worker(found: _Found) -> Mapping[WorkerId, Sequence[Run]]:
    held: dict[WorkerId, list[Run]] = {}
    for run in found.driven:
        if run.worker_id is not None:
            held.setdefault(run.worker_id, []).append(run)
    return held


def _only_taker_of(worker: KnownWorker, found: _Found) -> Sequence[str]:
    """Return the graphs of which nobody would take a run if this worker did not."""
    return [
        graph
        for graph, fingerprint in worker.graphs
        if [each.id for each in found.takers(graph, fingerprint)] == [worker.id]
    ]


def _stranded(waiting: QueuedRuns, found: _Found) -> None:
    """Say of queued runs that nobody will take them, where that is so."""
    if found.takers(waiting.graph, waiting.fingerprint):
        return
    have_another = any(graph == waiting.graph for each in found.living for graph, _ in each.graphs)
    why = (
        "The living workers have another form of this graph, which has changed since these runs"
        " were started, or they drain. Start a worker with the code of then, or cancel the runs."
        if have_another
        else "No living worker has this graph. Start one that does: `penstock worker`."
    )
    runs = "1 queued run" if waiting.count == 1 else f"{waiting.count:,} queued runs"
    with st.container(gap="xsmall"):
        st.error(
            f"**Nobody will take {runs} of {plain(waiting.graph)}**, version"
            f" {plain(waiting.graph_version)}. The oldest has waited for"
            f" {age(waiting.oldest_at, front.now())}. {why}",
            icon=":material/person_off:",
        )
        places.link(
            "runs", "See them", icon=":material/list_alt:", state="queued", graph=waiting.graph
        )


def _empty() -> None:
    with st.container(border=True):
        st.markdown(
            "**No worker was heard of in the last day.** Every worker appears here, with what it"
            " drives and whether it is heard of. Runs are queued all the same, and driven as soon"
            " as there is one. Start one:"
        )
        st.code("penstock worker", language=None)


def _queue(found: _Found) -> None:
    st.header("The queue", anchor=False)
    if not found.waiting:
        st.caption("Nothing is queued. Runs that wait for a worker are counted here, by graph.")
        return
    now = front.now()
    takers = [len(found.takers(each.graph, each.fingerprint)) for each in found.waiting]
    shown(
        {
            "graph": [plain(each.graph) for each in found.waiting],
            "version": [plain(each.graph_version) for each in found.waiting],
            "queued": [f"{each.count:,}" for each in found.waiting],
            "the oldest has waited for": [age(each.oldest_at, now) for each in found.waiting],
            "workers that take it": [str(each) if each else ":red[**nobody**]" for each in takers],
        }
    )


def _lost(found: Sequence[LostRun]) -> None:
    if not found:
        return
    st.header("Taken from lost workers", anchor=False)
    st.caption("These were queued again, and have come to no gate or end since.")
    for lost in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            places.link("run", f"Run {lost.run_id[:13]}", icon=":material/route:", run=lost.run_id)
            st.caption(
                f"lost by {plain(lost.worker_id)}, noticed {ago(lost.at, front.now())} by"
                f" {plain(lost.by)}",
                width="content",
            )


def _unknown(found: _Found, held: Mapping[WorkerId, Sequence[Run]]) -> None:
    """Show runs whose worker has not shown itself: one of an older version, say."""
    known = {each.id for each in [*found.present, *found.ended]}
    for worker_id in sorted(held.keys() - known):
        own = [run for run in held[worker_id] if run.tenant == front.tenant()]
        for run in own[:SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center"):
                places.link("run", f"Run {run.id[:13]}", icon=":material/route:", run=run.id)
                st.caption(
                    f"held by {plain(worker_id)}, which did not show itself;"
                    f" {left_of_lease(run, front.now())}",
                    width="content",
                )


def _dead(found: _Found) -> None:
    more = "+" if found.dead_count >= COUNTED else ""
    st.header(f"Failed, and can be redriven ({found.dead_count:,}{more})", anchor=False)
    if not found.dead:
        st.caption("None. Failed runs that may go on from their last checkpoint appear here.")
        return
    for run in found.dead:
        failure = run.failure
        said = "" if failure is None else f"{failure.code}: {sentence(short(failure.message, 120))}"
        with st.container(horizontal=True, vertical_alignment="center"):
            places.link("run", f"Run {run.id[:13]}", icon=":material/route:", run=run.id)
            st.caption(
                f"{plain(run.graph)}, {ago(run.ended_at or run.changed_at, front.now())} · {said}",
                width="content",
            )
    places.link("runs", "All of them", icon=":material/list_alt:", state="failed", redrive="1")


def _ended(ended: Sequence[KnownWorker]) -> None:
    if not ended:
        return
    now = front.now()
    with st.expander(f"Ended in the last day ({len(ended)})"):
        shown(
            {
                "worker": [plain(each.id) for each in ended],
                "ended": [ago(each.ended_at or each.seen_at, now) for each in ended],
                "started": [ago(each.started_at, now) for each in ended],
                "why": [
                    f"{plain(each.drain_by)} had it drain" if each.drain_by else "a signal"
                    for each in ended
                ],
            }
        )
