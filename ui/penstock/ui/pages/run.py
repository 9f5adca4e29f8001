"""One run: what it does or waits for, how it came there, and what can be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import audit, budgets, decisions, gates, ledger, runs, steps
from penstock.contracts.audit import AuditEvent
from penstock.contracts.budget import Statement, run_account
from penstock.contracts.effect import Effect
from penstock.contracts.errors import UnknownRun
from penstock.contracts.gate import Gate, GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.policy import Decided
from penstock.contracts.run import LIVE, Run, RunMode, RunStatus
from penstock.contracts.step import Step
from penstock.graphs.topology import topology
from penstock.ui import front, places
from penstock.ui.cli import texts
from penstock.ui.components import asked, bars, charts, inspector, picture
from penstock.ui.components.states import MARKS
from penstock.ui.components.table import shown
from penstock.ui.components.timeline import timeline
from penstock.ui.components.words import ago, badge, instant, plain, sentence, short
from penstock.ui.forms import sending, steering

LOOK_S = 2.0
EFFECT_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that the store knows of a run."""

    run: Run
    gates: Sequence[Gate]
    steps: Sequence[Step]
    effects: Sequence[Effect]
    decided: Sequence[Decided]
    events: Sequence[AuditEvent]
    budget: Statement | None


def show() -> None:
    """Show the run that the URL names."""
    places.link("runs", "Runs", icon=":material/arrow_back:")
    run_id = places.asked("run")
    if run_id is None:
        st.info("No run is named. Open one from the list.", icon=":material/list_alt:")
        return
    _head(RunId(run_id))
    _body(RunId(run_id))


@st.fragment(run_every=LOOK_S)
def _head(run_id: RunId) -> None:
    story = front.read(lambda connection: _find(connection, run_id))
    run = story.run
    st.title(f"{plain(run.graph)} · {plain(run.id[:13])}", anchor=False)
    badges = [MARKS[run.status].badge()]
    if run.status in LIVE and run.pause_by is not None:
        badges.append(":gray-badge[:material/pause: paused]")
    if run.mode is RunMode.SIMULATE:
        badges.append(":gray-badge[simulated]")
    badges += [badge("gray", plain(tag), "sell") for tag in run.tags]
    st.markdown(" ".join(badges))
    sending.tell(run.id)
    _why(story)
    _versions(story)
    steering.buttons(run)
    if story.budget is not None:
        bars.budget(story.budget)


@st.fragment(run_every=LOOK_S)
def _body(run_id: RunId) -> None:
    story = front.read(lambda connection: _find(connection, run_id))
    is_dark = st.context.theme.type == "dark"
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.subheader("Where it is", anchor=False)
        _picture(story, is_dark=is_dark)
    with right:
        st.subheader("What it did when", anchor=False)
        if story.steps:
            spec = timeline(story.run, story.steps, story.gates, now=front.now(), is_dark=is_dark)
            charts.vega(spec, key="run-timeline")
        else:
            st.caption("It has taken no step yet.")
        _gates(story)
    inspector.inspect(story.run, story.steps, story.effects, story.decided, story.gates)
    with st.expander(f"Everything that happened ({len(story.events)})"):
        _events(story.events)


def _find(connection: Connection, run_id: RunId) -> Story:
    run = runs.get(connection, run_id)
    if run.tenant != front.tenant():
        msg = f"no run of tenant `{front.tenant()}` has the id `{run_id}`"
        raise UnknownRun(msg)
    return Story(
        run=run,
        gates=gates.of_run(connection, run_id),
        steps=steps.of_run(connection, run_id),
        effects=ledger.listed(connection, run_id=run_id, limit=EFFECT_ROWS)[::-1],
        decided=decisions.of_run(connection, run_id),
        events=audit.of_run(connection, run_id),
        budget=budgets.statement(connection, run_account(run_id)),
    )


def _why(story: Story) -> None:
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


def _versions(story: Story) -> None:
    run = story.run
    told = [
        f"for **{plain(run.principal or 'nobody')}**",
        f"version {plain(run.graph_version)}",
        f"fingerprint {run.fingerprint[:8]}",
        f"thread {plain(short(run.thread_id, 60))}",
        f"created {instant(run.created_at)}",
    ]
    if run.ended_at is not None:
        took = texts.age((run.ended_at - run.created_at).total_seconds())
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


def _picture(story: Story, *, is_dark: bool) -> None:
    catalog = front.desk().catalog
    if story.run.graph not in catalog:
        st.caption("The project's graphs are not at hand, so it cannot be drawn.")
        return
    graph = catalog.get(story.run.graph)
    if str(graph.fingerprint) != story.run.fingerprint:
        st.caption("The graph has changed since this run began; it is drawn as it is now.")
    palette = picture.DARK if is_dark else picture.LIGHT
    charts.graph(picture.dot(topology(graph), story.steps, palette=palette))


def _gates(story: Story) -> None:
    closed = [gate for gate in story.gates if gate.status is not GateStatus.OPEN]
    if not closed:
        return
    with st.expander(f"Gates that it came through ({len(closed)})"):
        for gate in closed:
            st.markdown(f"{asked.title(gate)}  \n{asked.outcome(gate, front.now())}")
            places.link("gate", "Look at it", gate=gate.id)


def _events(events: Sequence[AuditEvent]) -> None:
    shown(
        {
            "at": [instant(event.at) for event in events],
            "what": [plain(event.action) for event in events],
            "who": [plain(event.actor) for event in events],
            "detail": [plain(_detail(event.detail)) for event in events],
        },
        border="horizontal",
    )


def _detail(detail: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)
