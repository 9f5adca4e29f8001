"""Signals that end a segment and must pass through everybody's code untouched.

They derive from `BaseException`: an agent's `except Exception`, a tool node that turns errors into
messages and LangGraph's retries would otherwise swallow them and go on acting without a lease.
"""

from penstock.contracts.errors import OverBudget
from penstock.contracts.ids import GateId


class ControlSignal(BaseException):
    """Tells the driver of a run to stop; never an error of the run."""


class BudgetExhausted(ControlSignal):
    """The budget of this run does not hold what comes next: the run is over."""

    def __init__(self, error: OverBudget) -> None:
        super().__init__(str(error))
        self.error = error


class GateAwaited(ControlSignal):
    """This run waits at a gate; what its nodes are about is left, and done again after that."""

    def __init__(self, gate_id: GateId) -> None:
        super().__init__(f"it waits at gate `{gate_id}`")
        self.gate_id = gate_id


class Draining(ControlSignal):
    """The worker stops: its runs go back to the queue at their last checkpoint."""


class LeaseLost(ControlSignal):
    """Somebody else drives this run now, or nobody may: whatever comes from here is refused."""


class GateExpired(ControlSignal):
    """Nobody decided in time, and the run is to fail then, whatever its graph makes of errors."""
