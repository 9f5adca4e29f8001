"""Exhaustion of a budget: people raise its cap at a gate, or decide how the run goes on."""

from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from penstock.checkpoints import budgets, gates
from penstock.checkpoints.fence import require_lease
from penstock.contracts.budget import (
    AccountStatement,
    Amounts,
    OnExhaustion,
    Shortfall,
    run_account,
)
from penstock.contracts.errors import OverBudget
from penstock.contracts.gate import BudgetAnswer, Gate, GateStatus
from penstock.contracts.signals import GateExpired
from penstock.nodes.calls.context import SegmentContext


class Resolution(Enum):
    """How a run goes on whose budget does not hold what it wants to use."""

    UNASKED = auto()
    """Nobody is asked: the graph does not ask people, or no higher cap would help."""
    FITS = auto()
    """It fits now, and is to be tried again."""
    WAIT = auto()
    """The run is to wait at the gate."""
    REFUSE = auto()
    """The call is refused, and the graph goes on without it."""
    STOP = auto()
    """The run is to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustionOutcome:
    """How a run goes on, and the gate at which people have decided it, or are asked."""

    resolution: Resolution
    gate: Gate | None = None


def resolve_exhaustion(
    connection: Connection, context: SegmentContext, error: OverBudget, worst: Amounts | None
) -> ExhaustionOutcome:
    """Return how a run goes on whose call may use `worst`, or that reached a cap itself (None).

    Where people are to be asked and nobody has been, the gate is opened.

    Raises:
        GateExpired: Nobody has decided in time.
        LeaseLost: Another worker drives the run now.
    """
    run = context.run
    require_lease(connection, run.fence)
    if error.shortfall.account != run_account(run.id):
        # The account of a run above it, or of a day: no gate of this run raises its cap.
        return ExhaustionOutcome(resolution=Resolution.UNASKED)
    account = budgets.statement(connection, error.shortfall.account)
    if account is None or account.on_exhaustion is not OnExhaustion.GATE:
        return ExhaustionOutcome(resolution=Resolution.UNASKED)
    short = _short(account, error.shortfall, worst)
    if short is None:
        return ExhaustionOutcome(resolution=Resolution.FITS)
    if not short.is_raisable:
        return ExhaustionOutcome(resolution=Resolution.UNASKED)
    gate = gates.open_budget_gate(
        connection,
        run,
        account,
        short,
        name=error.name,
        at=context.clock.now(),
        actor=context.worker,
    )
    if gate.status is GateStatus.EXPIRED:
        raise GateExpired(f"nobody decided in time at gate `{gate.id}`; redrive to ask again")
    answers = {
        None: Resolution.WAIT,
        BudgetAnswer.FINISH: Resolution.REFUSE,
        BudgetAnswer.STOP: Resolution.STOP,
    }
    return ExhaustionOutcome(resolution=answers[gates.exhaustion_answer(gate)], gate=gate)


def _short(account: AccountStatement, found: Shortfall, worst: Amounts | None) -> Shortfall | None:
    """Return what an account lacks now; it may have changed since the shortfall was found."""
    if worst is not None:
        return budgets.shortfall(account, worst)
    cap = account.balance(found.unit).cap
    is_raised = cap is None or found.cap is None or cap > found.cap
    return None if is_raised else found
