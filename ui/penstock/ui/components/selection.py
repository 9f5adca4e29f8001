"""What somebody looks at of a run: one step, or one call. It stands in the URL."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.contracts.effect import Effect
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.step import Step, StepKind
from penstock.ui import places
from penstock.ui.components.picture import NODE

STEP, CALL = "step:", "call:"
"""How what is picked begins, by what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is looked at: a step, or a call and the step in which it began."""

    step: Step | None = None
    """The last execution of it."""
    call: Effect | None = None

    def has_step(self, step: Step) -> bool:
        """Tell whether this step is looked at, or has a call that is."""
        return self.step is not None and step.task_id == self.step.task_id

    def has_call(self, effect: Effect) -> bool:
        """Tell whether this call is looked at."""
        return self.call is not None and effect.key == self.call.key


def chosen(
    steps: Sequence[Step], effects: Sequence[Effect], calls: Mapping[str, Sequence[Effect]]
) -> Chosen:
    """Return what the URL says is looked at; `calls` are those that each task has made."""
    key, task_id = places.asked("call"), places.asked("step")
    call = None if key is None else next((each for each in effects if each.key == key), None)
    if key is not None:
        made_in = (task for task, made in calls.items() if call in made)
        task_id = next(made_in, None)
    found = [step for step in steps if step.task_id == task_id]
    return Chosen(call=call, step=found[-1] if found else None)


def pick(picked: str, steps: Sequence[Step], now: Chosen) -> None:
    """Put what was picked into the URL; a node means its last step, or the one before that."""
    if picked.startswith(CALL):
        places.note(call=picked.removeprefix(CALL), step=None)
    elif picked.startswith(STEP):
        places.note(step=picked.removeprefix(STEP), call=None)
    elif picked.startswith(NODE):
        node = picked.removeprefix(NODE)
        tasks = list(dict.fromkeys(step.task_id for step in steps if step.node == node))
        if not tasks:
            return
        at = tasks.index(now.step.task_id) if now.step and now.step.task_id in tasks else 0
        places.note(step=tasks[at - 1], call=None)


def calls_of(
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
