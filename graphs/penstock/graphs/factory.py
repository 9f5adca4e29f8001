"""Building a graph with the function that a manifest names instead of it."""

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from penstock.contracts.errors import InvalidGraph
from penstock.graphs.declare import describe

DEADLINE_S = 60.0
"""How long an asynchronous factory may take."""

SERVER_ONLY = "ServerRuntime"
"""The argument with which a factory asks for LangGraph's own server."""


def build(factory: Callable[..., object], *, name: str) -> object:
    """Call a graph's factory as LangGraph does, and return what it made.

    It is called once, when the graph is loaded, with an empty `RunnableConfig` if it takes one: a
    graph that was shaped by the config of each run would have no fingerprint. An asynchronous
    factory is awaited on an event loop of its own, which is gone afterwards.

    Raises:
        InvalidGraph: It wants other arguments, raises (its error is chained), takes too long, or
            returns a context manager.
    """
    arguments = _arguments(factory, name=name)
    # This runs code of the project, which may raise anything.
    try:
        made = factory(*arguments)
        if inspect.iscoroutine(made):
            made = _await(made)
    except Exception as error:
        raise InvalidGraph(
            f"The factory of graph `{name}` failed: {type(error).__name__}: {error}"
        ) from error
    if isinstance(made, contextlib.AbstractContextManager | contextlib.AbstractAsyncContextManager):
        raise InvalidGraph(
            f"The factory of graph `{name}` is a context manager. Penstock keeps a graph for as "
            "long as its worker lives: return the graph, and open what a run needs in its nodes."
        )
    return made  # pyright: ignore[reportUnknownVariableType] (whatever the project made)


def _arguments(factory: Callable[..., object], *, name: str) -> tuple[object, ...]:
    try:
        signature = inspect.signature(factory)
    except ValueError as error:
        raise InvalidGraph(
            f"Graph `{name}` is {describe(factory)}, which does not say what it takes. "
            "Wanted is a graph, or a function that returns one."
        ) from error
    parameters = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]
    for parameter in parameters:
        if SERVER_ONLY in str(parameter.annotation):
            raise InvalidGraph(
                f"The factory of graph `{name}` takes a `{SERVER_ONLY}`, which only LangGraph's "
                "server has. Let it take a `RunnableConfig`, or nothing."
            )
    needed = [parameter for parameter in parameters if parameter.default is parameter.empty]
    keyword_only = [parameter for parameter in needed if parameter.kind is parameter.KEYWORD_ONLY]
    if len(needed) > 1 or keyword_only:
        wanted = ", ".join(f"`{parameter.name}`" for parameter in needed)
        raise InvalidGraph(
            f"The factory of graph `{name}` wants {wanted}. "
            "It may take nothing, or one `RunnableConfig`."
        )
    takes_one = bool(parameters) and parameters[0].kind is not inspect.Parameter.KEYWORD_ONLY
    return ({"configurable": {}},) if takes_one else ()


def _await(made: Coroutine[Any, Any, object]) -> object:
    """Await on a loop in another thread: this one may be running a loop already."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="penstock-factory") as thread:
        return thread.submit(asyncio.run, _in_time(made)).result()


async def _in_time(made: Coroutine[Any, Any, object]) -> object:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await made
    except TimeoutError as error:
        raise TimeoutError(f"it was not done within {DEADLINE_S:g} s") from error
