"""Signals that end a segment and must pass through everybody's code untouched.

They derive from `BaseException`: an agent's `except Exception`, a tool node that turns errors into
messages and LangGraph's retries would otherwise swallow them and go on acting without a lease.
"""

from penstock.contracts.errors import OverBudget


class ControlSignal(BaseException):
    """Tells the driver of a run to stop; never an error of the run."""


class BudgetExhausted(ControlSignal):
    """The budget of this run does not hold the next call of a model: the run is over."""

    def __init__(self, error: OverBudget) -> None:
        super().__init__(str(error))
        self.error = error


class Draining(ControlSignal):
    """The worker stops: its runs go back to the queue at their last checkpoint."""


class LeaseLost(ControlSignal):
    """Somebody else drives this run now, or nobody may: whatever comes from here is refused."""


class GateExpired(ControlSignal):
    """Nobody decided in time, and the run is to fail then, whatever its graph makes of errors."""
