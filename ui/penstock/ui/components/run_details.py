"""One run as pages need it: what the store knows of it, the chosen step or call, and its masks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import audit, budgets, decisions, gates, ledger, runs, states, steps
from penstock.contracts.audit import AuditEvent
from penstock.contracts.budget import AccountStatement, run_account
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.effect import Effect
from penstock.contracts.errors import UnknownRun
from penstock.contracts.gate import Gate
from penstock.contracts.ids import RunId
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.redaction import Masking
from penstock.contracts.run import Run
from penstock.contracts.step import Step, StepKind
from penstock.graphs import Graph
from penstock.ui import navigation, session
from penstock.ui.components.graph_picture import NODE

STEP, CALL = "step:", "call:"
"""Prefixes of what can be picked: a step by its task, a call by its key."""
EFFECT_ROWS = 500
UNMASKED = (
    "The project's graphs are not at hand. What a state holds is not shown then, because nobody"
    " here knows which arguments are to be hidden."
)
_MASKS = "masks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The selected step, or the selected call and the step in which it began."""

    step: Step | None = None
    """Its last execution."""
    call: Effect | None = None

    def has_step(self, step: Step) -> bool:
        """Tell whether a step is selected, or made the selected call."""
        return self.step is not None and step.task_id == self.step.task_id

    def has_call(self, effect: Effect) -> bool:
        """Tell whether a call is selected."""
        return self.call is not None and effect.key == self.call.key


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """A run and all that the store knows of it, but for its states."""

    run: Run
    gates: Sequence[Gate]
    steps: Sequence[Step]
    effects: Sequence[Effect]
    decided: Sequence[RecordedDecision]
    events: Sequence[AuditEvent]
    budget: AccountStatement | None

    @property
    def graph(self) -> Graph | None:
        """The graph of the run; None where the project's graphs could not be loaded."""
        catalog = session.desk().catalog
        return catalog.get(self.run.graph) if self.run.graph in catalog else None

    @property
    def calls(self) -> Mapping[str, Sequence[Effect]]:
        """The calls that each task has made."""
        return calls_by_task(self.steps, self.effects, self.decided)


def selection(details: RunDetails) -> Selection:
    """Return the step or the call of a run that the URL names."""
    key, task_id = navigation.parameter("call"), navigation.parameter("step")
    call = next((each for each in details.effects if each.key == key), None)
    if key is not None:
        made_in = (task for task, made in details.calls.items() if call in made)
        task_id = next(made_in, None)
    found = [step for step in details.steps if step.task_id == task_id]
    return Selection(call=call, step=found[-1] if found else None)


def select(picked: str, steps: Sequence[Step], selected: Selection) -> None:
    """Put into the URL what was picked in a picture or a table.

    A node means its last step, or where that is selected, the one before it.
    """
    if picked.startswith(CALL):
        navigation.set_parameters(call=picked.removeprefix(CALL), step=None)
    elif picked.startswith(STEP):
        navigation.set_parameters(step=picked.removeprefix(STEP), call=None)
    elif picked.startswith(NODE):
        node = picked.removeprefix(NODE)
        tasks = list(dict.fromkeys(step.task_id for step in steps if step.node == node))
        if not tasks:
            return
        at = (
            tasks.index(selected.step.task_id)
            if selected.step and selected.step.task_id in tasks
            else 0
        )
        navigation.set_parameters(step=tasks[at - 1], call=None)


def calls_by_task(
    steps: Sequence[Step], effects: Sequence[Effect], decided: Sequence[RecordedDecision]
) -> Mapping[str, Sequence[Effect]]:
    """Return the calls that each task has made.

    The ledger does not know of tasks. Its policy decides about a call just before it begins, by
    the clock of the worker that drives the step; where none has, the time at which it began counts.
    """
    decided_at = {each.effect_key: each.at for each in decided}
    found: defaultdict[str, list[Effect]] = defaultdict(list)
    for effect in effects:
        step = _around(decided_at.get(effect.key, effect.first_started_at), steps)
        if step is not None:
            found[step.task_id].append(effect)
    return found


def load_run(connection: Connection, run_id: RunId) -> RunDetails:
    """Return a run of this tenant and what belongs to it.

    Raises:
        UnknownRun: the tenant has no run with this id.
    """
    run = runs.get(connection, run_id)
    if run.tenant != session.tenant():
        msg = f"no run of tenant `{session.tenant()}` has the id `{run_id}`"
        raise UnknownRun(msg)
    return RunDetails(
        run=run,
        gates=gates.of_run(connection, run_id),
        steps=steps.of_run(connection, run_id),
        effects=ledger.list_effects(connection, run_id=run_id, limit=EFFECT_ROWS)[::-1],
        decided=decisions.of_run(connection, run_id),
        events=audit.of_run(connection, run_id),
        budget=budgets.statement(connection, run_account(run_id)),
    )


def shown_masks(details: RunDetails) -> Masking | None:
    """Return the masks of a run; where there are none, show why its states are not shown."""
    masks = masking(details)
    if masks is None:
        st.info(UNMASKED, icon=":material/visibility_off:")
    return masks


def masking(details: RunDetails) -> Masking | None:
    """Return what hides sensitive values of a run; None where its graph is not at hand.

    The masks have learnt the values from the newest state of the run, and are kept as long as that
    state is the newest.
    """
    graph = details.graph
    if graph is None:
        return None
    newest = session.read(lambda connection: states.points(connection, details.run.id, limit=1))
    mark = (details.run.id, newest[0].id if newest else None)
    cached = st.session_state.get(_MASKS)
    if cached is None or cached[0] != mark:
        values = session.read(lambda connection: _newest_values(connection, newest))
        cached = st.session_state[_MASKS] = (mark, Masking(graph.sensitive, *values))
    return cached[1]


def _around(at: datetime, steps: Sequence[Step]) -> Step | None:
    """Return the step that ran at an instant: the innermost, a tool's before another."""
    around = [
        step
        for step in steps
        if step.started_at <= at and (step.ended_at is None or at <= step.ended_at)
    ]
    return max(
        around,
        key=lambda step: (step.node.count("|"), step.kind is StepKind.TOOL, step.started_at),
        default=None,
    )


def _newest_values(connection: Connection, newest: Sequence[CheckpointInfo]) -> Sequence[object]:
    return [dict(states.state(connection, point).values) for point in newest]
