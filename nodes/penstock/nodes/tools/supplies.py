"""Supplies: the parameters of a tool's function that the runtime fills, and not a model."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, get_args, get_origin

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolCallId
from langchain_core.tools.base import (
    _is_directly_injected_arg_type,  # pyright: ignore[reportPrivateUsage]  (likewise)
    _is_injected_arg_type,  # pyright: ignore[reportPrivateUsage]  (held by a contract test)
)
from sqlalchemy import Connection

from penstock.contracts.call import Attempt
from penstock.contracts.ids import IdempotencyKey
from penstock.nodes.secrets import SecretRef, no_secrets

REQUIRED = inspect.Parameter.empty
"""The default of a parameter that has none."""


class Supply(StrEnum):
    """The kind of value that a parameter is given."""

    KEY = "key"
    """The call's `IdempotencyKey`."""
    ATTEMPT = "attempt"
    """The `Attempt` it runs in."""
    CONNECTION = "connection"
    """The SQLAlchemy `Connection` of the transaction it runs in."""
    SECRET = "secret"  # noqa: S105  (the word, not one)
    """A secret of the worker."""
    CONFIG = "config"
    """LangChain's `RunnableConfig`."""
    CALL_ID = "call_id"
    """The provider's id of the call, LangChain's `InjectedToolCallId`."""
    TOOL_NODE = "tool_node"
    """The value that LangGraph's `ToolNode` injects: state, store or `ToolRuntime`."""


IN_PROCESS = frozenset({Supply.CONNECTION, Supply.CONFIG, Supply.TOOL_NODE})
"""The supplies that cannot be handed to another process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """A parameter that is no argument."""

    name: str
    supply: Supply
    annotation: Any
    """The annotation as it was written, for LangGraph to read."""
    default: Any = REQUIRED
    """The value where nothing else is supplied; `REQUIRED` where the parameter needs one."""
    secret: str | None = None
    """The name of the secret; only a secret has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """The values that one attempt supplies."""

    attempt: Attempt
    connection: Connection | None = None
    secrets: Mapping[str, str] = field(default_factory=no_secrets)
    injected: Mapping[str, object] = field(default_factory=dict[str, object])
    """The values that LangChain injects, by the parameters' names."""

    def of(self, parameter: Injected) -> object:
        """Return the value of a parameter.

        Raises:
            KeyError: There is none.
        """
        match parameter.supply:
            case Supply.KEY:
                return self.attempt.key
            case Supply.ATTEMPT:
                return self.attempt
            case Supply.CONNECTION if self.connection is not None:
                return self.connection
            case Supply.SECRET if parameter.secret is not None:
                return self.secrets[parameter.secret]
            case _ if parameter.default is REQUIRED:
                return self.injected[parameter.name]
            case _:
                return self.injected.get(parameter.name, parameter.default)


def injected_parameter(name: str, annotation: Any, *, default: Any = REQUIRED) -> Injected | None:
    """Return how a parameter is supplied; None where it is an argument."""
    supply = _supply(annotation)
    if supply is not None:
        return Injected(name=name, supply=supply, annotation=annotation, default=default)
    if get_origin(annotation) is Annotated:
        for part in get_args(annotation)[1:]:
            if isinstance(part, SecretRef):
                return Injected(
                    name=name, supply=Supply.SECRET, annotation=annotation, secret=part.name
                )
    return None


def is_tool_runtime(annotation: Any) -> bool:
    """Tell whether a parameter takes LangGraph's `ToolRuntime`."""
    return _is_directly_injected_arg_type(annotation)


def hides_a_supply(annotation: Any) -> bool:
    """Tell whether an argument's annotation contains a supply without being one: `Key | None`."""
    return any(
        injected_parameter("", part) is not None or hides_a_supply(part)
        for part in get_args(annotation)
    )


def _supply(annotation: Any) -> Supply | None:
    if annotation is IdempotencyKey:
        return Supply.KEY
    if annotation is Attempt:
        return Supply.ATTEMPT
    if _is_connection(annotation):
        return Supply.CONNECTION
    if annotation is RunnableConfig:
        return Supply.CONFIG
    if _is_injected_arg_type(annotation, injected_type=InjectedToolCallId):
        return Supply.CALL_ID
    return Supply.TOOL_NODE if _is_injected_arg_type(annotation) else None


def _is_connection(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Connection)
