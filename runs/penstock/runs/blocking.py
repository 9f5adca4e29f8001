"""Blocking versions of the runtime, approvals, policies and bulk actions, for scripts and pages."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from penstock.runs.approvals import Approvals
from penstock.runs.bulk import Bulk
from penstock.runs.policies import Policies
from penstock.runs.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class _Blocking(Generic[A]):
    """Keeps an event loop of its own, in one thread, until it is closed."""

    def __init__(self, target: A) -> None:
        self.target = target
        self._runner = asyncio.Runner()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine."""
        return self._runner.run(call)

    def close(self) -> None:
        """Close the event loop; the store stays open."""
        self._runner.close()

    def __enter__(self) -> Self:
        """Close it at the end of a `with` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the event loop."""
        self.close()


def _blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Blocking[A], P], T]:
    def call(self: _Blocking[A], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(method(self.target, *args, **kwargs))

    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


class BlockingRuntime(_Blocking[Runtime]):
    """The methods of `Runtime`, each of which blocks until it is done.

    It keeps an event loop of its own until it is closed; use it as a context manager, in one
    thread. Where an event loop runs already, await the methods of `Runtime` instead.
    """

    @property
    def runtime(self) -> Runtime:
        """The runtime that it calls."""
        return self.target

    start = _blocking(Runtime.start)
    fork = _blocking(Runtime.fork)
    forecast_fork = _blocking(Runtime.forecast_fork)
    get = _blocking(Runtime.get)
    list = _blocking(Runtime.list)
    gate = _blocking(Runtime.gate)
    gates = _blocking(Runtime.gates)
    open_gates = _blocking(Runtime.open_gates)
    budget = _blocking(Runtime.budget)
    days = _blocking(Runtime.days)
    steps = _blocking(Runtime.steps)
    effects = _blocking(Runtime.effects)
    effect = _blocking(Runtime.effect)
    history = _blocking(Runtime.history)
    decide = _blocking(Runtime.decide)
    look_up = _blocking(Runtime.look_up)
    cancel = _blocking(Runtime.cancel)
    pause = _blocking(Runtime.pause)
    resume = _blocking(Runtime.resume)
    redrive = _blocking(Runtime.redrive)
    forget = _blocking(Runtime.forget)
    wait = _blocking(Runtime.wait)
    result = _blocking(Runtime.result)


class BlockingApprovals(_Blocking[Approvals]):
    """The methods of `Approvals`, as `BlockingRuntime` has those of `Runtime`."""

    approve = _blocking(Approvals.approve)
    reject = _blocking(Approvals.reject)
    respond = _blocking(Approvals.respond)
    break_glass = _blocking(Approvals.break_glass)
    check_edit = _blocking(Approvals.check_edit)
    edit = _blocking(Approvals.edit)
    delegate = _blocking(Approvals.delegate)
    revoke = _blocking(Approvals.revoke)
    delegations = _blocking(Approvals.delegations)
    votes = _blocking(Approvals.votes)


class BlockingBulk(_Blocking[Bulk]):
    """The methods of `Bulk`, as `BlockingRuntime` has those of `Runtime`."""

    plan = _blocking(Bulk.plan)
    carry_out = _blocking(Bulk.carry_out)


class BlockingPolicies(_Blocking[Policies]):
    """The methods of `Policies`, as `BlockingRuntime` has those of `Runtime`."""

    load = _blocking(Policies.load)
    replace = _blocking(Policies.replace)
    use = _blocking(Policies.use)
    versions = _blocking(Policies.versions)
    explain = _blocking(Policies.explain)
    what_if = _blocking(Policies.what_if)
    unpoliced = _blocking(Policies.unpoliced)
