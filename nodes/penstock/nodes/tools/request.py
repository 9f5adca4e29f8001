"""A call as LangChain hands it in, made into what a run carries out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from penstock.contracts.call import NodeCall, Origin
from penstock.contracts.errors import OutsideRun
from penstock.nodes.tools.context import Calls, calls_of
from penstock.nodes.tools.definition import Definition
from penstock.nodes.tools.origin import Execution, execution_of, message_call, tool_runtime
from penstock.nodes.tools.signature import RESERVED
from penstock.nodes.tools.supplies import Supply


class Asked(dict[str, Any]):
    """Arguments as they were given, and the place that the call took before anybody awaited."""

    index: int | None = None
    """Its place among the calls of its node's code; None where a model asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call, and what carries it out."""

    calls: Calls[Any]
    arguments: Mapping[str, object]
    origin: Origin
    injected: Mapping[str, object]


def ask(
    definition: Definition[Any], given: str | dict[str, Any], options: Mapping[str, Any]
) -> Asked:
    """Take a call in, and count it if a node's code makes it.

    It is counted here because LangChain awaits its callbacks before it runs a tool: of two calls
    that a node makes at once, the second could overtake the first in one execution and not in the
    next.
    """
    asked = Asked(_by_name(definition, given))
    if options.get("tool_call_id") is None:
        config = ensure_config(options.get("config"))
        calls, execution = calls_of(config), execution_of(config)
        if calls is not None and execution is not None:
            asked.index = calls.next_index(
                execution.task_id, definition.contract.name, execution.attempt
            )
    return asked


def read_request(
    definition: Definition[Any], asked: Asked, *, call_id: str | None, config: RunnableConfig
) -> Request:
    """Find out where a call comes from, and part its arguments from what was injected.

    Raises:
        OutsideRun: There is no run to carry it out.
    """
    calls, execution = calls_of(config), execution_of(config)
    if calls is None or execution is None:
        raise OutsideRun(
            f"`{definition.contract.name}` was called outside of a run, where nothing records what"
            " it does. Run the graph with Penstock; in a test, call the tool's `.function`."
        )
    runtime = tool_runtime(asked.values())
    arguments, injected = _parted(definition, asked, is_from_tool_node=runtime is not None)
    for each in definition.signature.injected:
        if each.supply is Supply.CONFIG:
            injected[each.name] = config
        elif each.supply is Supply.CALL_ID and call_id is not None:
            injected[each.name] = call_id
    origin = _origin(
        definition.contract.name,
        arguments,
        asked.index,
        calls=calls,
        execution=execution,
        call_id=call_id,
        state=getattr(runtime, "state", None),
    )
    return Request(calls=calls, arguments=arguments, origin=origin, injected=injected)


def _parted(
    definition: Definition[Any], asked: Asked, *, is_from_tool_node: bool
) -> tuple[dict[str, object], dict[str, object]]:
    """Part arguments from what LangGraph injects.

    Only a `ToolNode` injects, and it drops what a model has forged. Elsewhere the names count as
    arguments, which the tool does not have.
    """
    if not is_from_tool_node:
        return dict(asked), {}
    names = {each.name for each in definition.signature.injected if each.supply is Supply.TOOL_NODE}
    arguments = {
        name: value for name, value in asked.items() if name not in names and name != RESERVED
    }
    return arguments, {name: asked[name] for name in names if name in asked}


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
        like = f"{name}/{call_id}"
        index = calls.next_index(execution.task_id, like, execution.attempt)
    return NodeCall(task_id=execution.task_id, index=index, provider_id=call_id)


def _by_name(definition: Definition[Any], given: str | dict[str, Any]) -> Mapping[str, Any]:
    """Return arguments by name: LangChain lets a tool of one argument be given that alone."""
    if not isinstance(given, str):
        return given
    names = list(
        cast(Mapping[str, object], definition.contract.arguments_schema.get("properties") or {})
    )
    if len(names) != 1:
        raise TypeError(
            f"`{definition.contract.name}` takes {len(names)} arguments, and was given a text."
            " Give them by name."
        )
    return {names[0]: given}
