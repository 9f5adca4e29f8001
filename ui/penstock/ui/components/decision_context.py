"""What stands beside a decision: the last messages of the thread, and the last steps of the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st
from pydantic_core import from_json

from penstock.checkpoints import steps
from penstock.contracts.errors import PenstockError
from penstock.contracts.run import Run
from penstock.contracts.step import Step
from penstock.ui import navigation, session, text
from penstock.ui.components.badges import STEP_ICONS
from penstock.ui.components.markdown import as_text, escaped, short, short_id, utc_instant

_MESSAGE_ROWS = 4
_STEP_ROWS = 6
_TEXT_LIMIT = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of a conversation."""

    by: str
    text: str


def show_context(run: Run) -> None:
    """Show the run that a decision is about: a link to it, its last messages and steps."""
    with st.container(border=True):
        navigation.link(
            "run",
            f"Run {short_id(run.id)} of {escaped(run.graph)}",
            icon=":material/route:",
            run=run.id,
        )
        st.caption(f"{run.status}, {when(run)}, thread {escaped(run.thread_id)}")
        show_conversation(run)
        show_last_steps(run)


def show_conversation(run: Run) -> None:
    """Show the last messages of the run's thread; where it keeps none, the run's input."""
    messages = _messages(run)
    st.markdown("**Said last**" if messages else "**What the run was given**")
    for each in messages:
        with st.chat_message(each.by):
            st.text(each.text)
    if not messages:
        st.json(from_json(run.input), expanded=2)


def show_last_steps(run: Run) -> None:
    """Show the last steps of a run."""
    found = session.read(lambda connection: steps.of_run(connection, run.id))
    st.markdown(f"**Its last steps**, of {len(found)}" if found else "**It has taken no step yet**")
    st.markdown("  \n".join(step_line(step) for step in found[-_STEP_ROWS:]))


def step_line(step: Step) -> str:
    """Return a step in a line of Markdown."""
    took = ""
    if step.ended_at is not None:
        took = f" · {text.age((step.ended_at - step.started_at).total_seconds())}"
    error = f" · {escaped(short(step.error))}" if step.error else ""
    return f"{STEP_ICONS[step.status]} {escaped(step.node)} · {step.status}{took}{error}"


def _messages(run: Run) -> Sequence[Message]:
    config: Any = {"configurable": {"thread_id": run.thread_id}}
    try:
        newest = session.desk().checkpointer.get_tuple(config)
    except PenstockError:
        # What a thread holds may be of types that only the project knows.
        return ()
    if newest is None:
        return ()
    values: dict[str, Any] = newest.checkpoint["channel_values"]
    found = values.get("messages")
    if not isinstance(found, list):
        return ()
    return [_message(each) for each in cast("list[Any]", found)[-_MESSAGE_ROWS:]]


def _message(message: Any) -> Message:
    kind = str(getattr(message, "type", "message"))
    by = {"human": "user", "ai": "assistant"}.get(kind, kind)
    content = getattr(message, "content", message)
    spoken = as_text(content)
    calls = getattr(message, "tool_calls", None) or ()
    named = [f"calls {call['name']} {as_text(call['args'])}" for call in calls]
    text = "\n".join([spoken, *named] if spoken else named)
    return Message(by=by, text=text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…")


def when(run: Run) -> str:
    """Say when a run began, as Markdown."""
    return f"created {utc_instant(run.created_at)}"
