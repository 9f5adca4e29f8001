"""How a run fails: what an error says of it, and whether a redrive can help."""

from langgraph.errors import GraphRecursionError, NodeTimeoutError

from penstock.contracts.budget import AccountKind
from penstock.contracts.call import Stage
from penstock.contracts.errors import OverBudget, ToolFailed, ToolRefused, UnstorableValue
from penstock.contracts.run import Failure, FailureCode
from penstock.nodes.stages.attempt import FOR_TODAY


def failure_of(error: Exception) -> Failure:
    """Return how a run fails whose graph raised `error`."""
    found = f"{type(error).__name__}: {error}"
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
        message=f"a node raised {found}; mend what it says and redrive the run",
        redrivable=True,
    )


def budget_failure(message: str, whose: AccountKind) -> Failure:
    """Return how a run fails that has used up a budget, its own or that of the day."""
    return Failure(
        code=FailureCode.BUDGET_EXHAUSTED,
        message=f"{message}; `penstock budget` shows what it was used for",
        # The next day has an account of its own. That of a run stays as it is.
        redrivable=whose is AccountKind.DAY,
    )
