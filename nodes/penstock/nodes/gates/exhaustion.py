"""A cap was reached: what people have said about it, or a gate at which they are asked."""

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
from penstock.nodes.calls.acting import Acting


class Next(Enum):
    """What becomes of what did not fit."""

    UNASKED = auto()
    """Nobody is asked: the graph does not say so, or no higher cap would help."""
    FITS = auto()
    """It fits now: it is to be tried again."""
    WAIT = auto()
    """Its run is to wait at the gate."""
    REFUSE = auto()
    """It is refused, and the graph goes on without it."""
    STOP = auto()
    """Its run is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of what did not fit, and the gate at which that was said, or is asked."""

    next: Next
    gate: Gate | None = None


def judge(
    connection: Connection, acting: Acting, error: OverBudget, worst: Amounts | None
) -> Verdict:
    """Return what becomes of a call that may take `worst`, or of a run that reached a cap (None).

    Where people are asked and nobody has said anything, the gate is opened.

    Raises:
        GateExpired: nobody has said anything in time.
        LeaseLost: somebody else drives the run now.
    """
    run = acting.run
    require_lease(connection, run.fence)
    if error.shortfall.account != run_account(run.id):
        # Of a run above it, or of a day: nobody raises those at a gate of this run.
        return Verdict(next=Next.UNASKED)
    account = budgets.statement(connection, error.shortfall.account)
    if account is None or account.on_exhaustion is not OnExhaustion.GATE:
        return Verdict(next=Next.UNASKED)
    short = _short(account, error.shortfall, worst)
    if short is None:
        return Verdict(next=Next.FITS)
    if not short.is_raisable:
        return Verdict(next=Next.UNASKED)
    gate = gates.open_budget_gate(
        connection,
        run,
        account,
        short,
        name=error.name,
        at=acting.clock.now(),
        actor=acting.worker,
    )
    if gate.status is GateStatus.EXPIRED:
        raise GateExpired(f"nobody decided in time at gate `{gate.id}`; redrive to ask again")
    said = {None: Next.WAIT, BudgetAnswer.FINISH: Next.REFUSE, BudgetAnswer.STOP: Next.STOP}
    return Verdict(next=said[gates.exhaustion_answer(gate)], gate=gate)


def _short(account: AccountStatement, found: Shortfall, worst: Amounts | None) -> Shortfall | None:
    """Return what an account lacks now, in which things may have changed since it was found."""
    if worst is not None:
        return budgets.shortfall(account, worst)
    cap = account.standing(found.unit).cap
    is_raised = cap is None or found.cap is None or cap > found.cap
    return None if is_raised else found
