"""What stands beside a decision: what was said last, and what the run did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st
from pydantic_core import from_json

from penstock.checkpoints import steps
from penstock.contracts.errors import PenstockError
from penstock.contracts.run import Run
from penstock.contracts.step import Step, StepStatus
from penstock.ui import front, places, text
from penstock.ui.components.words import instant, plain, short, spelled

MESSAGES = 4
STEPS = 6
_TEXT_LIMIT = 1200

STEP_ICONS = {
    StepStatus.STARTED: ":blue[:material/play_circle:]",
    StepStatus.SUCCEEDED: ":green[:material/check_circle:]",
    StepStatus.FAILED: ":red[:material/error:]",
    StepStatus.PARKED: ":orange[:material/pause_circle:]",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message of a conversation."""

    by: str
    text: str


def beside(run: Run) -> None:
    """Show a run beside what is to be decided about it: the way to it, what was said and done."""
    with st.container(border=True):
        places.link(
            "run",
            f"Run {run.id[:13]} of {plain(run.graph)}",
            icon=":material/route:",
            run=run.id,
        )
        st.caption(f"{run.status}, {when(run)}, thread {plain(run.thread_id)}")
        conversation(run)
        did(run)


def conversation(run: Run) -> None:
    """Show the last messages of the run's thread; where it keeps none, what the run was given."""
    said = _messages(run)
    st.markdown("**Said last**" if said else "**What the run was given**")
    for each in said:
        with st.chat_message(each.by):
            st.text(each.text)
    if not said:
        st.json(from_json(run.input), expanded=2)


def did(run: Run) -> None:
    """Show the last steps of a run."""
    found = front.read(lambda connection: steps.of_run(connection, run.id))
    st.markdown(f"**Its last steps**, of {len(found)}" if found else "**It has taken no step yet**")
    st.markdown("  \n".join(step_line(step) for step in found[-STEPS:]))


def step_line(step: Step) -> str:
    """Return a step in a line of Markdown."""
    took = ""
    if step.ended_at is not None:
        took = f" · {text.age((step.ended_at - step.started_at).total_seconds())}"
    error = f" · {plain(short(step.error))}" if step.error else ""
    return f"{STEP_ICONS[step.status]} {plain(step.node)} · {step.status}{took}{error}"


def _messages(run: Run) -> Sequence[Said]:
    config: Any = {"configurable": {"thread_id": run.thread_id}}
    try:
        newest = front.desk().checkpointer.get_tuple(config)
    except PenstockError:
        # What a thread holds may be of types that only the project knows.
        return ()
    if newest is None:
        return ()
    values: dict[str, Any] = newest.checkpoint["channel_values"]
    found = values.get("messages")
    if not isinstance(found, list):
        return ()
    return [_said(each) for each in cast("list[Any]", found)[-MESSAGES:]]


def _said(message: Any) -> Said:
    kind = str(getattr(message, "type", "message"))
    by = {"human": "user", "ai": "assistant"}.get(kind, kind)
    content = getattr(message, "content", message)
    told = spelled(content)
    calls = getattr(message, "tool_calls", None) or ()
    named = [f"calls {call['name']} {spelled(call['args'])}" for call in calls]
    text = "\n".join([told, *named] if told else named)
    return Said(by=by, text=text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…")


def when(run: Run) -> str:
    """Say when a run began, as Markdown."""
    return f"created {instant(run.created_at)}"
