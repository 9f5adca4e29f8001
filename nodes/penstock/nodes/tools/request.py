"""The request of a call: its arguments and origin as LangChain has them, and the run it belongs to.

A tool does not carry out its calls. The driver of a run puts the `Calls` of the run into the config
of the graph. LangGraph hands that config to every node, tool and subgraph, and stores no key of it
that begins with two underscores. A call comes from the message that asks for it, or from the node
whose code makes it.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, var_child_runnable_config
from langchain_core.tools.base import (
    _DirectlyInjectedToolArg,  # pyright: ignore[reportPrivateUsage]  (held by a contract test)
)

from penstock.contracts.call import MessageCall, NodeCall, Origin, Outcome
from penstock.contracts.errors import OutsideRun
from penstock.nodes.tools.definition import Definition
from penstock.nodes.tools.signature import RESERVED
from penstock.nodes.tools.supplies import Supply

T_contra = TypeVar("T_contra", contravariant=True)
CALLS = "__penstock_calls"
"""The key of a config under which the run's `Calls` are."""
RUNTIME = "__pregel_runtime"
"""The key of a config under which LangGraph keeps a node's runtime."""


class Calls(Protocol[T_contra]):
    """Carries out the tool calls of a run, from a request to its recorded outcome."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The driver's event loop; calls from threads are handed to it."""
        ...

    async def call(
        self,
        tool: T_contra,
        arguments: Mapping[str, object],
        origin: Origin,
        injected: Mapping[str, object],
    ) -> Outcome:
        """Carry out one call.

        Runs on `loop`, except where a synchronous call is made on that loop's own thread: then it
        runs on a loop in another thread, while `loop` is blocked.

        Args:
            tool: The `penstock.nodes.Tool`.
            arguments: The arguments as they came in, not checked yet.
            origin: Where the call comes from; its key is made of this.
            injected: The values that LangChain injects, by the function's parameters.
        """
        ...

    def next_index(self, task_id: str, tool_name: str, attempt: int) -> int:
        """Count the calls of a tool in one execution of a node, from 0.

        LangGraph's own retry of a node is another `attempt` and counts from 0 again. May be called
        from any thread.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution of a node."""

    task_id: str
    attempt: int
    """LangGraph's count of the attempts of the node, from 1."""


class RawArguments(dict[str, Any]):
    """The arguments of a call that are not checked yet, and the call's number in its node."""

    index: int | None = None
    """The number among the calls of the node's code; None where a model asked for the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call, and the `Calls` of the run that carry it out."""

    calls: Calls[Any]
    arguments: Mapping[str, object]
    origin: Origin
    injected: Mapping[str, object]


def with_calls(config: RunnableConfig, calls: Calls[Any]) -> RunnableConfig:
    """Return a config in which tools find the `Calls` of their run."""
    configurable: dict[str, Any] = {**config.get("configurable", {}), CALLS: calls}
    return cast(RunnableConfig, {**config, "configurable": configurable})


def calls_of(config: RunnableConfig) -> Calls[Any] | None:
    """Return the `Calls` of the run that a config belongs to; None outside of a run."""
    return config.get("configurable", {}).get(CALLS)


def execution_of(config: RunnableConfig) -> Execution | None:
    """Return the execution of the node that a config belongs to; None outside of nodes."""
    runtime: Any = config.get("configurable", {}).get(RUNTIME)
    info: Any = getattr(runtime, "execution_info", None)
    if info is None or not info.task_id:
        return None
    return Execution(task_id=info.task_id, attempt=info.node_attempt)


def current_task_id() -> str | None:
    """Return LangGraph's id of the task in which this is called; None outside of nodes.

    LangChain keeps the config where its own code and tools run, in threads too.
    """
    config = var_child_runnable_config.get()
    execution = None if config is None else execution_of(config)
    return None if execution is None else execution.task_id


def tool_runtime(values: Iterable[object]) -> Any:
    """Return LangGraph's `ToolRuntime` among injected values, or None.

    A model cannot forge it: what a model writes is JSON.
    """
    return next((each for each in values if isinstance(each, _DirectlyInjectedToolArg)), None)


def message_call(
    state: object, *, name: str, provider_id: str, arguments: Mapping[str, object]
) -> MessageCall | None:
    """Find the newest message of a state that asks for this call.

    None where none does, or where more than one call could be meant: providers' ids are not
    unique, and a call that is taken for another would never be carried out.
    """
    found = {
        call
        for messages in _conversations(state)
        if (call := _newest(messages, name, provider_id, arguments)) is not None
    }
    return found.pop() if len(found) == 1 else None


def take_arguments(
    definition: Definition[Any], arguments: str | dict[str, Any], options: Mapping[str, Any]
) -> RawArguments:
    """Return the arguments of a call by name, and number it if a node's code makes it.

    It is numbered before LangChain awaits its callbacks, and not when the tool runs: of two calls
    that a node makes at once, the second could overtake the first in one execution and not in the
    next.
    """
    raw = RawArguments(_by_name(definition, arguments))
    if options.get("tool_call_id") is None:
        config = ensure_config(options.get("config"))
        calls, execution = calls_of(config), execution_of(config)
        if calls is not None and execution is not None:
            raw.index = calls.next_index(
                execution.task_id, definition.contract.name, execution.attempt
            )
    return raw


def read_request(
    definition: Definition[Any], raw: RawArguments, *, call_id: str | None, config: RunnableConfig
) -> Request:
    """Find out where a call comes from, and separate its arguments from injected values.

    Raises:
        OutsideRun: There is no run to carry it out.
    """
    calls, execution = calls_of(config), execution_of(config)
    if calls is None or execution is None:
        raise OutsideRun(
            f"`{definition.contract.name}` was called outside of a run, where nothing records what"
            " it does. Run the graph with Penstock; in a test, call the tool's `.function`."
        )
    runtime = tool_runtime(raw.values())
    arguments, injected = _separate(definition, raw, is_from_tool_node=runtime is not None)
    for each in definition.signature.injected:
        if each.supply is Supply.CONFIG:
            injected[each.name] = config
        elif each.supply is Supply.CALL_ID and call_id is not None:
            injected[each.name] = call_id
    origin = _origin(
        definition.contract.name,
        arguments,
        raw.index,
        calls=calls,
        execution=execution,
        call_id=call_id,
        state=getattr(runtime, "state", None),
    )
    return Request(calls=calls, arguments=arguments, origin=origin, injected=injected)


def _newest(
    messages: Sequence[object], name: str, provider_id: str, arguments: Mapping[str, object]
) -> MessageCall | None:
    for message in reversed(messages):
        if not isinstance(message, AIMessage) or not message.id:
            continue
        positions = [
            position
            for position, call in enumerate(message.tool_calls)
            if call["id"] == provider_id and call["name"] == name
        ]
        if len(positions) > 1:
            positions = [at for at in positions if message.tool_calls[at]["args"] == arguments]
            if len(positions) != 1:
                return None
        if positions:
            return MessageCall(
                message_id=message.id, position=positions[0], provider_id=provider_id
            )
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


def _separate(
    definition: Definition[Any], raw: RawArguments, *, is_from_tool_node: bool
) -> tuple[dict[str, object], dict[str, object]]:
    """Separate arguments from the values that LangGraph injects.

    Only a `ToolNode` injects, and it drops what a model has forged. Elsewhere the names count as
    arguments, which the tool does not have.
    """
    if not is_from_tool_node:
        return dict(raw), {}
    names = {each.name for each in definition.signature.injected if each.supply is Supply.TOOL_NODE}
    arguments = {
        name: value for name, value in raw.items() if name not in names and name != RESERVED
    }
    return arguments, {name: raw[name] for name in names if name in raw}


def _origin(
    name: str,
    arguments: Mapping[str, object],
    index: int | None,
    *,
    calls: Calls[Any],
    execution: Execution,
    call_id: str | None,
    state: object,
) -> Origin:
    if call_id is not None:
        found = message_call(state, name=name, provider_id=call_id, arguments=arguments)
        if found is not None:
            return found
    if index is None:
        counted_as = f"{name}/{call_id}"
        index = calls.next_index(execution.task_id, counted_as, execution.attempt)
    return NodeCall(task_id=execution.task_id, index=index, provider_id=call_id)


def _by_name(definition: Definition[Any], arguments: str | dict[str, Any]) -> Mapping[str, Any]:
    """Return arguments by name: LangChain allows to call a tool of one argument with a text."""
    if not isinstance(arguments, str):
        return arguments
    names = list(
        cast(Mapping[str, object], definition.contract.arguments_schema.get("properties") or {})
    )
    if len(names) != 1:
        raise TypeError(
            f"`{definition.contract.name}` takes {len(names)} arguments, and was given a text."
            " Give them by name."
        )
    return {names[0]: arguments}
