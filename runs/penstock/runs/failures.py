"""The failure of a run for each way in which it can end badly: code, message, redrivable or not."""

from collections.abc import Sequence

from langgraph.errors import GraphRecursionError, NodeTimeoutError

from penstock.contracts.budget import AccountKind
from penstock.contracts.call import Stage
from penstock.contracts.errors import OverBudget, ToolFailed, ToolRefused, UnstorableValue
from penstock.contracts.run import Failure, FailureCode
from penstock.contracts.signals import GateExpired
from penstock.nodes.stages.attempt import FOR_TODAY


def failure_of(error: Exception) -> Failure:
    """Return the failure of a run whose graph raised `error`."""
    if isinstance(error, UnstorableValue):
        return Failure(code=FailureCode.UNSTORABLE, message=str(error), redrivable=True)
    if isinstance(error, ToolRefused) and error.outcome.stage is Stage.BUDGET:
        whose = AccountKind.DAY if error.outcome.code == FOR_TODAY else AccountKind.RUN
        return budget_failure(str(error), whose)
    if isinstance(error, OverBudget):
        return budget_failure(str(error), error.shortfall.kind)
    if isinstance(error, ToolRefused | ToolFailed):
        return Failure(
            code=FailureCode.TOOL_FAILED,
            message=f"{error}; mend what it says and redrive the run",
            redrivable=True,
        )
    if isinstance(error, NodeTimeoutError):
        return Failure(
            code=FailureCode.DEADLINE_EXCEEDED,
            message=(
                f"`{error.node}` took longer than the {error.timeout:g} s of its {error.kind}"
                " timeout; look at what takes so long, or give the node more time, and redrive the"
                " run"
            ),
            redrivable=True,
        )
    if isinstance(error, GraphRecursionError):
        return Failure(
            code=FailureCode.DEADLINE_EXCEEDED,
            message=f"{error}; does the graph go round for ever?",
            redrivable=False,
        )
    return Failure(
        code=FailureCode.NODE_FAILED,
        message=(
            f"a node raised {type(error).__name__}: {error}; mend what it says and redrive the run"
        ),
        redrivable=True,
    )


def budget_failure(message: str, whose: AccountKind) -> Failure:
    """Return the failure of a run that has used up a budget: its own, or the one of the day."""
    return Failure(
        code=FailureCode.BUDGET_EXHAUSTED,
        message=f"{message}; `penstock budget` shows what it was used for",
        # The next day has an account of its own. That of a run stays as it is.
        redrivable=whose is AccountKind.DAY,
    )


def expiry_failure(signal: GateExpired) -> Failure:
    """Return the failure of a run whose gate expired while it was driven."""
    return Failure(code=FailureCode.GATE_EXPIRED, message=str(signal), redrivable=True)


def halt_failure(nodes: Sequence[str]) -> Failure:
    """Return the failure of a run whose graph stopped before these nodes."""
    names = ", ".join(f"`{node}`" for node in nodes)
    return Failure(
        code=FailureCode.INTERNAL,
        message=f"the graph stopped before {names} had run; redrive the run",
        redrivable=True,
    )


def progress_failure(running: Sequence[str], progress_s: float) -> Failure:
    """Return the failure of a run whose running nodes made no progress for `progress_s`."""
    return Failure(
        code=FailureCode.DEADLINE_EXCEEDED,
        message=(
            f"nothing was heard of {_listed(running)} for {progress_s:g} s; look at what it waits"
            " for, give it a timeout of its own or the graph a longer `progress_s`, and redrive"
            " the run"
        ),
        redrivable=True,
    )


def deadline_failure(running: Sequence[str], deadline_s: float | None) -> Failure:
    """Return the failure of a run whose own deadline has passed in its running nodes."""
    allowed = "its deadline" if deadline_s is None else f"its deadline of {deadline_s:g} s"
    return Failure(
        code=FailureCode.DEADLINE_EXCEEDED,
        message=(
            f"{allowed} came in {_listed(running)}; look at what takes so long, and redrive the"
            " run: it goes on from its last checkpoint, and its time begins anew. Where it is right"
            " that it takes longer, give its graph or the next run a longer `deadline_s`"
        ),
        redrivable=True,
    )


def _listed(nodes: Sequence[str]) -> str:
    return ", ".join(f"`{node}`" for node in nodes) or "its graph"
