"""Why a run is in its state, for whom it acts and under which versions, in sentences."""

from collections.abc import Sequence

import streamlit as st

from penstock.contracts.audit import AuditEvent
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import LIVE, RunStatus
from penstock.ui import navigation, session, text
from penstock.ui.components import gate_card
from penstock.ui.components.markdown import ago, escaped, sentence, short, short_id, utc_instant
from penstock.ui.components.run_details import RunDetails

FORKS_SHOWN = 3
"""At most so many forks of a run are linked, the newest."""


def show_reason(details: RunDetails) -> None:
    """Show in a sentence why the run is in its state."""
    run, now = details.run, session.now()
    waiting = [gate for gate in details.gates if gate.status is GateStatus.OPEN]
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
                    whom = gate_card.deciders(gate, run.principal)
                    until = gate_card.time_left(gate, now)
                    st.markdown(f"**Waits: {gate_card.title(gate)}**  \n{whom} · {until}")
                    navigation.link(
                        "gate", "**Look at it**", icon=":material/arrow_forward:", gate=gate.id
                    )
        case RunStatus.QUEUED if run.pause_by is None:
            st.info(
                f"It waits for a worker since {ago(run.changed_at, now)}. If none takes it, start"
                " one with `penstock worker`.",
                icon=":material/schedule:",
            )
        case RunStatus.RUNNING:
            stopping = f", to be cancelled by {escaped(run.cancel_by)}" if run.cancel_by else ""
            st.info(
                f"Worker {escaped(run.worker_id or '')} drives it, claim {run.epoch}{stopping}.",
                icon=":material/play_circle:",
            )
        case RunStatus.CANCELLED:
            why = f": {escaped(run.cancel_reason)}" if run.cancel_reason else ""
            st.info(
                f"**Cancelled by {escaped(run.cancel_by or '')}**"
                f" {ago(run.cancel_at or run.changed_at, now)}{why}",
                icon=":material/cancel:",
            )
        case _:
            pass
    if run.status in LIVE and run.pause_by is not None and run.pause_at is not None:
        why = f": {escaped(run.pause_reason)}" if run.pause_reason else ""
        st.info(
            f"**Paused by {escaped(run.pause_by)}** {ago(run.pause_at, now)}{why}. It goes on when"
            " it is resumed.",
            icon=":material/pause_circle:",
        )


def show_versions(details: RunDetails) -> None:
    """Show for whom a run acts, under which versions, and where its traces are."""
    run = details.run
    facts = [
        f"for **{escaped(run.principal or 'nobody')}**",
        f"version {escaped(run.graph_version)}",
        f"fingerprint {run.fingerprint[:8]}",
        f"thread {escaped(short(run.thread_id, 60))}",
        f"created {utc_instant(run.created_at)}",
    ]
    if run.ended_at is not None:
        took = text.age((run.ended_at - run.created_at).total_seconds())
        facts.append(f"took {took}")
    if run.lost_count:
        facts.append(f"{run.lost_count} workers were lost with it")
    st.caption(" · ".join(facts))
    links = session.desk().settings.phoenix_links()
    if links is not None:
        st.markdown(
            f":material/timeline: In Phoenix: [its trace]({links.trace(run.id)}) ·"
            f" [all runs of its thread]({links.session(run.thread_id)})"
        )


def show_forks(details: RunDetails) -> None:
    """Show links to the run that this one was forked from, and to its forks."""
    origin, forks = forks_of(details.events)
    if origin is not None:
        navigation.link(
            "run", "The run it was forked from", icon=":material/call_split:", run=origin
        )
    for each in forks[-FORKS_SHOWN:]:
        navigation.link(
            "run",
            f"Forked as {short_id(each)}",
            icon=":material/subdirectory_arrow_right:",
            run=each,
        )


def forks_of(events: Sequence[AuditEvent]) -> tuple[RunId | None, Sequence[RunId]]:
    """Return the run that a run was forked from, and its forks, from its audit events."""
    details = [event.detail for event in events]
    origins = [RunId(str(each["fork_of"])) for each in details if "fork_of" in each]
    forks = [RunId(str(event.detail["fork"])) for event in events if event.action == "run.forked"]
    return (origins[0] if origins else None), forks
