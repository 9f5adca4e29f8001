"""The workers: what each drives, which are silent, and queued runs that none takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import workers
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Run
from penstock.contracts.worker import KnownWorker, LostRun, QueuedRuns, WorkerState
from penstock.ui import navigation, session
from penstock.ui.components import feedback
from penstock.ui.components.markdown import age, ago, escaped, sentence, short
from penstock.ui.components.table import show_table
from penstock.ui.components.worker_card import lease_left, run_line, worker_badges, worker_card

LOOK_S = 2.0
LISTED = 100
DRIVEN = 1000
SHOWN = 5
"""At most so many runs are listed under one heading."""
COUNTED = 1000
"""Failed runs are counted up to this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    present: Sequence[KnownWorker]
    ended: Sequence[KnownWorker]
    driven: Sequence[Run]
    """Runs of all tenants."""
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
        """Return the workers that take queued runs of a fingerprint of a graph."""
        return [each for each in self.living if each.is_taking and each.serves(graph, fingerprint)]


def show() -> None:
    """Show the workers."""
    st.title("Workers", anchor=False)
    feedback.show_outcome("workers")
    _look()


@st.fragment(run_every=LOOK_S)
def _look() -> None:
    found = session.read(_find)
    st.markdown(worker_badges(found.present) or "No worker is heard of.")
    for each in found.waiting:
        _stranded(each, found)
    if not found.present:
        _empty()
    held = _by_worker(found)
    for worker in found.living:
        only = _only_taker_of(worker, found)
        worker_card(worker, held.get(worker.id, ()), only_taker_of=only)
    for worker in found.gone:
        worker_card(worker, held.get(worker.id, ()))
    _queue(found)
    _lost(found.lost)
    _unknown(found, held)
    _dead(found)
    _ended(found.ended)


def _find(connection: Connection) -> _Found:
    tenant = session.tenant()
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
    """Return the graphs whose runs no other worker takes."""
    return [
        graph
        for graph, fingerprint in worker.graphs
        if [each.id for each in found.takers(graph, fingerprint)] == [worker.id]
    ]


def _stranded(waiting: QueuedRuns, found: _Found) -> None:
    """Show an error where no worker takes queued runs."""
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
            f"**Nobody will take {runs} of {escaped(waiting.graph)}**, version"
            f" {escaped(waiting.graph_version)}. The oldest has waited for"
            f" {age(waiting.oldest_at, session.now())}. {why}",
            icon=":material/person_off:",
        )
        navigation.link(
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
    now = session.now()
    takers = [len(found.takers(each.graph, each.fingerprint)) for each in found.waiting]
    show_table(
        {
            "graph": [escaped(each.graph) for each in found.waiting],
            "version": [escaped(each.graph_version) for each in found.waiting],
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
        noticed = f"noticed {ago(lost.at, session.now())} by {escaped(lost.by)}"
        run_line(lost.run_id, f"lost by {escaped(lost.worker_id)}, {noticed}")


def _unknown(found: _Found, held: Mapping[WorkerId, Sequence[Run]]) -> None:
    """Show runs whose worker has no row: one of an older version, say."""
    known = {each.id for each in [*found.present, *found.ended]}
    for worker_id in sorted(held.keys() - known):
        own = [run for run in held[worker_id] if run.tenant == session.tenant()]
        for run in own[:SHOWN]:
            lease = lease_left(run, session.now())
            run_line(run.id, f"held by {escaped(worker_id)}, which did not show itself; {lease}")


def _dead(found: _Found) -> None:
    more = "+" if found.dead_count >= COUNTED else ""
    st.header(f"Failed, and can be redriven ({found.dead_count:,}{more})", anchor=False)
    if not found.dead:
        st.caption("None. Failed runs that may go on from their last checkpoint appear here.")
        return
    now = session.now()
    for run in found.dead:
        failure = run.failure
        reason = (
            "" if failure is None else f"{failure.code}: {sentence(short(failure.message, 120))}"
        )
        ended = ago(run.ended_at or run.changed_at, now)
        run_line(run.id, f"{escaped(run.graph)}, {ended} · {reason}")
    navigation.link("runs", "All of them", icon=":material/list_alt:", state="failed", redrive="1")


def _ended(ended: Sequence[KnownWorker]) -> None:
    if not ended:
        return
    now = session.now()
    with st.expander(f"Ended in the last day ({len(ended)})"):
        show_table(
            {
                "worker": [escaped(each.id) for each in ended],
                "ended": [ago(each.ended_at or each.seen_at, now) for each in ended],
                "started": [ago(each.started_at, now) for each in ended],
                "why": [
                    f"{escaped(each.drain_by)} had it drain" if each.drain_by else "a signal"
                    for each in ended
                ],
            }
        )
