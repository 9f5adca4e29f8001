"""Gates of kind `budget`: a run has hit a cap, and people decide how it continues.

A run asks about one of its caps at one gate at a time, however many of its branches wait there.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from penstock.checkpoints import budgets
from penstock.checkpoints.gates import notices
from penstock.checkpoints.gates.queries import gates_of, get, record_event
from penstock.checkpoints.schema import gates
from penstock.checkpoints.statements import database_now, insert_or_keep
from penstock.contracts.budget import (
    CALL_UNITS,
    AccountStatement,
    Balance,
    Shortfall,
    Unit,
    run_account,
)
from penstock.contracts.gate import BudgetAnswer, Gate, GateKind, GateStatus
from penstock.contracts.ids import GateId, RunId
from penstock.contracts.run import Failure, FailureCode, Run

RAISE_LIMIT = 10**15
"""No cap is raised by more at once: a larger number is a typing error."""


def exhaustion_answer(gate: Gate) -> BudgetAnswer | None:
    """Return the answer at a gate of kind `budget`; None while it is open."""
    return None if gate.answer is None else BudgetAnswer(json.loads(gate.answer)["type"])


def open_budget_gate(
    connection: Connection,
    run: Run,
    account: AccountStatement,
    short: Shortfall,
    *,
    name: str,
    at: datetime,
    actor: str,
) -> Gate:
    """Return the gate that asks about a cap which leaves too little for `name`.

    It is opened if there is none: the first time, and again after each raise. The answers to finish
    or to stop hold for the rest of the run.
    """
    before = select(*gates.c).where(gates.c.run_id == run.id, gates.c.cap == short.unit)
    rows = [dict(row) for row in connection.execute(before).mappings()]
    known = {gate.id: gate for gate in gates_of(connection, rows)}
    last = known.get(_gate_id(run.id, short.unit, len(known) - 1))
    if last is not None and not _is_past(last):
        return last
    gate_id, expires_s = _gate_id(run.id, short.unit, len(known)), account.gate_expires_s
    connection.execute(
        insert_or_keep(connection.dialect, gates).values(
            id=gate_id,
            tenant=run.tenant,
            run_id=run.id,
            kind=GateKind.BUDGET,
            status=GateStatus.OPEN,
            question=json.dumps(_question(account.balance(short.unit), short, name)),
            answer_schema=json.dumps(_answer_schema(short)),
            opened_at=at,
            expires_at=(
                None if expires_s is None else database_now(connection.dialect, plus_s=expires_s)
            ),
            cap=short.unit,
        )
    )
    gate = get(connection, gate_id)
    record_event(connection, gate, "opened", at=at, actor=actor, cap=short.unit)
    notices.announce(connection, gate, expires_s=expires_s)
    return gate


def apply_answer(connection: Connection, gate: Gate, *, at: datetime, by: str) -> None:
    """Carry out the answer of a gate, in the transaction that records it."""
    if gate.cap is not None and exhaustion_answer(gate) is BudgetAnswer.RAISE:
        more = int(json.loads(gate.answer or "{}")["by"])
        account = run_account(gate.run_id)
        budgets.raise_cap(connection, account, gate.cap, by=more, at=at, actor=by)


def stop_failure(gate: Gate) -> Failure:
    """Return the failure of a run that was stopped at a gate."""
    return Failure(
        code=FailureCode.BUDGET_EXHAUSTED,
        message=(
            f"`{gate.decided_by}` has stopped it at gate `{gate.id}`, where its budget was used"
            " up; `penstock budget` shows what it was used for"
        ),
        redrivable=False,
    )


def _is_past(gate: Gate) -> bool:
    """Tell whether a gate does not apply any more: it was superseded, or the cap was raised."""
    return gate.status is GateStatus.SUPERSEDED or exhaustion_answer(gate) is BudgetAnswer.RAISE


def _gate_id(run_id: RunId, unit: Unit, number: int) -> GateId:
    name = f"{run_id}|budget|{unit}|{number}"
    return GateId(hashlib.blake2b(name.encode(), digest_size=16).hexdigest())


def _question(standing: Balance, short: Shortfall, name: str) -> Mapping[str, Any]:
    rest = ", finish without it," if short.unit in CALL_UNITS else ""
    return {
        "question": (
            f"{short.explanation(name)}:"
            f" raise its cap of {short.amount_text(standing.cap or 0)}{rest} or stop?"
        ),
        "cap": short.unit,
        "currency": short.currency,
        "limit": standing.cap,
        "spent": standing.spent,
        "held": standing.held,
        "left": short.left,
        "wanted": short.wanted,
        "wanted_by": name,
    }


def _answer_schema(short: Shortfall) -> Mapping[str, Any]:
    by = {
        "type": "integer",
        "title": f"By how much, in {short.scale}",
        "minimum": short.lacking,
        "maximum": max(RAISE_LIMIT, short.lacking),
    }
    choices = [_choice(BudgetAnswer.RAISE, "Raise", cap={"const": short.unit}, by=by)]
    if short.unit in CALL_UNITS:
        # Without another step, or more time, a graph cannot finish.
        choices.append(_choice(BudgetAnswer.FINISH, "Finish without it"))
    return {"oneOf": [*choices, _choice(BudgetAnswer.STOP, "Stop")]}


def _choice(answer: BudgetAnswer, title: str, **more: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "title": title,
        "properties": {"type": {"const": answer}, **more},
        "required": ["type", *more],
        "additionalProperties": False,
    }
