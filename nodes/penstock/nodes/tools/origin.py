"""Where a call comes from: the message that asks for it, or the node whose code makes it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tools.base import (
    _DirectlyInjectedToolArg,  # pyright: ignore[reportPrivateUsage]  (held by a contract test)
)

from penstock.contracts.call import MessageCall

RUNTIME = "__pregel_runtime"
"""Where LangGraph keeps a node's runtime in the config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution of a node."""

    task_id: str
    attempt: int
    """LangGraph's own count, from 1; more where it retries a node."""


def execution_of(config: RunnableConfig) -> Execution | None:
    """Return the execution of the node that a config is of; None outside of nodes."""
    runtime: Any = config.get("configurable", {}).get(RUNTIME)
    info: Any = getattr(runtime, "execution_info", None)
    if info is None or not info.task_id:
        return None
    return Execution(task_id=info.task_id, attempt=info.node_attempt)


def task_here() -> str | None:
    """Return LangGraph's id of the execution of the node that this is called in, if it is in one.

    LangChain keeps the config where its own code and tools run, in threads too.
    """
    config = var_child_runnable_config.get()
    execution = None if config is None else execution_of(config)
    return None if execution is None else execution.task_id


def tool_runtime(given: Iterable[object]) -> Any:
    """Return LangGraph's `ToolRuntime` among injected values, or None.

    A model cannot forge it: what a model writes is JSON.
    """
    return next((each for each in given if isinstance(each, _DirectlyInjectedToolArg)), None)


def message_call(
    state: object, *, name: str, provider_id: str, arguments: Mapping[str, object]
) -> MessageCall | None:
    """Find the newest message of a state that asks for this call.

    None where none does, or where more than one call could be meant: providers' ids are not
    unique, and a call that is taken for another is never carried out.
    """
    found = {
        call
        for messages in _conversations(state)
        if (call := _newest(messages, name, provider_id, arguments)) is not None
    }
    return found.pop() if len(found) == 1 else None


def _newest(
    messages: Sequence[object], name: str, provider_id: str, arguments: Mapping[str, object]
) -> MessageCall | None:
    for message in reversed(messages):
        if not isinstance(message, AIMessage) or not message.id:
            continue
        meant = [
            position
            for position, call in enumerate(message.tool_calls)
            if call["id"] == provider_id and call["name"] == name
        ]
        if len(meant) > 1:
            meant = [at for at in meant if message.tool_calls[at]["args"] == arguments]
            if len(meant) != 1:
                return None
        if meant:
            return MessageCall(message_id=message.id, position=meant[0], provider_id=provider_id)
    return None


def _conversations(state: object) -> Iterator[Sequence[object]]:
    """Yield every list in a state: its channel of messages may have any name."""
    if isinstance(state, list | tuple):
        yield cast(Sequence[object], state)
        return
    if isinstance(state, Mapping):
        values = list(cast(Mapping[str, object], state).values())
    else:
        values = list(cast(dict[str, object], getattr(state, "__dict__", {})).values())
    for value in values:
        if isinstance(value, list | tuple):
            yield cast(Sequence[object], value)
