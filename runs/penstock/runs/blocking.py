"""The runtime for scripts and pages that are not asynchronous."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from penstock.runs.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    method: Callable[Concatenate[Runtime, P], Coroutine[Any, Any, T]],
) -> "Callable[Concatenate[BlockingRuntime, P], T]":
    def call(self: "BlockingRuntime", *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(method(self.runtime, *args, **kwargs))

    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


class BlockingRuntime:
    """The methods of `Runtime`, each of which returns when it is done.

    It keeps an event loop of its own until it is closed; use it as a context manager, in one
    thread. Where an event loop runs already, await the methods of `Runtime` instead.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Act through `runtime`."""
        self.runtime = runtime
        self._runner = asyncio.Runner()

    def run(self, done: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine comes to."""
        return self._runner.run(done)

    start = _blocking(Runtime.start)
    get = _blocking(Runtime.get)
    list = _blocking(Runtime.list)
    gates = _blocking(Runtime.gates)
    open_gates = _blocking(Runtime.open_gates)
    budget = _blocking(Runtime.budget)
    days = _blocking(Runtime.days)
    steps = _blocking(Runtime.steps)
    effects = _blocking(Runtime.effects)
    effect = _blocking(Runtime.effect)
    history = _blocking(Runtime.history)
    decide = _blocking(Runtime.decide)
    cancel = _blocking(Runtime.cancel)
    pause = _blocking(Runtime.pause)
    resume = _blocking(Runtime.resume)
    redrive = _blocking(Runtime.redrive)
    forget = _blocking(Runtime.forget)
    wait = _blocking(Runtime.wait)
    result = _blocking(Runtime.result)

    def close(self) -> None:
        """Close the event loop; the store stays open."""
        self._runner.close()

    def __enter__(self) -> Self:
        """Use it as a context manager that closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the event loop."""
        self.close()
