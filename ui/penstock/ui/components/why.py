"""Why a run is in its state, for whom it acts and under which versions, in sentences."""

from collections.abc import Sequence

import streamlit as st

from penstock.contracts.audit import AuditEvent
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import LIVE, RunStatus
from penstock.ui import front, places, text
from penstock.ui.components import asked
from penstock.ui.components.story import Story
from penstock.ui.components.words import ago, instant, plain, sentence, short

FORKS_SHOWN = 3
"""So many forks of a run are linked to, the newest."""


def why(story: Story) -> None:
    """Say in a sentence why the run is in the state that it is in."""
    run, now = story.run, front.now()
    waiting = [gate for gate in story.gates if gate.status is GateStatus.OPEN]
    match run.status:
        case RunStatus.FAILED if run.failure is not None:
            help_ = (
                "A redrive may help: it goes on from its last checkpoint."
                if run.failure.redrivable
                else "A redrive cannot help; start a new run."
            )
            code = run.failure.code
            st.error(
                f"**It failed as `{code}`.** {sentence(run.failure.message)}\n\n{help_}",
                icon=":material/error:",
            )
        case RunStatus.WAITING:
            for gate in waiting:
                with st.container(border=True, horizontal=True, vertical_alignment="center"):
                    whom = asked.of_whom(gate, run.principal)
                    st.markdown(
                        f"**Waits: {asked.title(gate)}**  \n{whom} · {asked.time_left(gate, now)}"
                    )
                    places.link(
                        "gate", "**Look at it**", icon=":material/arrow_forward:", gate=gate.id
                    )
        case RunStatus.QUEUED if run.pause_by is None:
            st.info(
                f"It waits for a worker since {ago(run.changed_at, now)}. If none takes it, start"
                " one with `penstock worker`.",
                icon=":material/schedule:",
            )
        case RunStatus.RUNNING:
            stopping = f", to be cancelled by {plain(run.cancel_by)}" if run.cancel_by else ""
            st.info(
                f"Worker {plain(run.worker_id or '')} drives it, claim {run.epoch}{stopping}.",
                icon=":material/play_circle:",
            )
        case RunStatus.CANCELLED:
            why = f": {plain(run.cancel_reason)}" if run.cancel_reason else ""
            st.info(
                f"**Cancelled by {plain(run.cancel_by or '')}**"
                f" {ago(run.cancel_at or run.changed_at, now)}{why}",
                icon=":material/cancel:",
            )
        case _:
            pass
    if run.status in LIVE and run.pause_by is not None and run.pause_at is not None:
        why = f": {plain(run.pause_reason)}" if run.pause_reason else ""
        st.info(
            f"**Paused by {plain(run.pause_by)}** {ago(run.pause_at, now)}{why}. It goes on when"
            " it is resumed.",
            icon=":material/pause_circle:",
        )


def versions(story: Story) -> None:
    """Say for whom a run acts, under which versions, and where its traces are."""
    run = story.run
    told = [
        f"for **{plain(run.principal or 'nobody')}**",
        f"version {plain(run.graph_version)}",
        f"fingerprint {run.fingerprint[:8]}",
        f"thread {plain(short(run.thread_id, 60))}",
        f"created {instant(run.created_at)}",
    ]
    if run.ended_at is not None:
        took = text.age((run.ended_at - run.created_at).total_seconds())
        told.append(f"took {took}")
    if run.lost_count:
        told.append(f"{run.lost_count} workers were lost with it")
    st.caption(" · ".join(told))
    links = front.desk().settings.phoenix_links()
    if links is not None:
        st.markdown(
            f":material/timeline: In Phoenix: [its trace]({links.trace(run.id)}) ·"
            f" [all runs of its thread]({links.session(run.thread_id)})"
        )


def kin(story: Story) -> None:
    """Lead to the run that this one is a fork of, and to its forks."""
    origin, forks = forks_of(story.events)
    if origin is not None:
        places.link("run", "The run it was forked from", icon=":material/call_split:", run=origin)
    for each in forks[-FORKS_SHOWN:]:
        places.link(
            "run", f"Forked as {each[:13]}", icon=":material/subdirectory_arrow_right:", run=each
        )


def forks_of(events: Sequence[AuditEvent]) -> tuple[RunId | None, Sequence[RunId]]:
    """Return the run that one was forked from, and its own forks, as its history tells of them."""
    told = [event.detail for event in events]
    origins = [RunId(str(each["fork_of"])) for each in told if "fork_of" in each]
    forks = [RunId(str(event.detail["fork"])) for event in events if event.action == "run.forked"]
    return (origins[0] if origins else None), forks
