"""`@tool`: a typed function as a governed tool."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar, Unpack, cast, overload

from penstock.nodes.tools.arguments import TypedArguments
from penstock.nodes.tools.definition import define
from penstock.nodes.tools.place import invalid
from penstock.nodes.tools.terms import Options, Terms
from penstock.nodes.tools.tool import Tool

R = TypeVar("R")


class Declare(Protocol):
    """Makes a tool of a function."""

    @overload
    def __call__(self, function: Callable[..., Coroutine[Any, Any, R]], /) -> Tool[R]: ...
    @overload
    def __call__(self, function: Callable[..., R], /) -> Tool[R]: ...


@overload
def tool(function: Callable[..., Coroutine[Any, Any, R]], /, **terms: Unpack[Terms]) -> Tool[R]: ...
@overload
def tool(function: Callable[..., R], /, **terms: Unpack[Terms]) -> Tool[R]: ...
@overload
def tool(function: None = None, /, **terms: Unpack[Terms]) -> Declare: ...
def tool(function: Callable[..., Any] | None = None, /, **terms: Unpack[Terms]) -> Any:
    """Make a governed tool of a typed function.

    Bare or with terms, on a plain or an asynchronous function. `Terms` says what may be said; what
    is said and cannot be kept is refused here, when the module is imported.

        @tool(effect="keyed", scopes={"payments:write"}, key="refund:{order_id}")
        async def refund(order_id: str, cents: int, key: IdempotencyKey) -> Receipt:
            ...

    Raises:
        InvalidContract: Names the function with its file and line, and says what was found, what
            was wanted and what to do.
    """
    options = Options(**terms)
    return partial(_declare, options) if function is None else _declare(options, function)


def _declare(options: Options, function: Callable[..., Any]) -> Tool[Any]:
    compensate: object = options.compensate
    if compensate is not None and not isinstance(compensate, Tool):
        raise invalid(
            function,
            f"Its compensation is of type `{type(compensate).__name__}`.",
            "Give another tool, which undoes a call.",
        )
    undo = cast("Tool[Any] | None", compensate)
    definition = define(function, options, compensate=None if undo is None else undo.definition)
    told = cast(TypedArguments, definition.arguments).model
    return Tool(definition, told=told, compensate=undo)
