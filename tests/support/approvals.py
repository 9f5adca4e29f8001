"""Opens gates of kind `approval` where no call asks for one."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from penstock.checkpoints import Store, gates
from penstock.checkpoints.schema import gates as gate_rows
from penstock.checkpoints.schema import notices as notice_rows
from penstock.checkpoints.statements import database_now
from penstock.contracts.gate import Ballot, Channel, Gate, NewApproval, Terms, VoteKind
from penstock.contracts.ids import GateId, IdempotencyKey
from penstock.contracts.policy import OnExpiry
from penstock.contracts.run import Fence
from support.runs import NOW

QUESTION = {
    "may_it_happen": "pay_refund",
    "does": "Pay a customer back.",
    "effect": "irreversible",
    "arguments": {"order": "A-17", "amount_minor": 25_000},
    "acts_for": "ada",
    "agent": "refund_desk",
    "facts": {},
    "rules": ["large-refund"],
    "why": "Refunds above 100 EUR need finance.",
    "edited_by": None,
}


def open_approval(
    store: Store,
    fence: Fence,
    *,
    number: int = 1,
    approvals: Mapping[str, int] | None = None,
    question: Mapping[str, Any] | None = None,
    expires_s: float = 4 * 3600,
    escalates_s: float | None = None,
    escalates_to: str | None = None,
) -> Gate:
    """Open a gate for a run, at which members of `finance` decide unless others are named."""
    asked = NewApproval(
        id=GateId(f"{number:032x}"),
        tenant="acme",
        run_id=fence.run_id,
        effect_key=IdempotencyKey(f"call-{number}"),
        binding=f"{number:064x}",
        policy_digest="d" * 64,
        question=json.dumps(question or QUESTION),
        terms=Terms(
            approvals=approvals or {"finance": 1},
            requester="ada",
            may_confirm_self=False,
            expires_s=expires_s,
            on_expiry=OnExpiry.DENY,
            escalates_s=escalates_s,
            escalates_to=escalates_to,
        ),
    )
    return store.write_blocking(
        lambda connection: gates.open_approval(connection, asked, at=NOW, actor="test")
    )


def reject(store: Store, gate: Gate, *, at: datetime = NOW) -> None:
    """Close a gate, as a member of whatever group."""
    ballot = Ballot(
        person="eve",
        kind=VoteKind.REJECT,
        binding=gate.binding or "",
        reason="no",
        channel=Channel.CLI,
    )
    store.write_blocking(
        lambda connection: gates.vote(
            connection, gate.id, ballot, has=lambda _group, _person: True, at=at
        )
    )


def pass_time(store: Store, seconds: float) -> None:
    """Have every notice be due, and every gate escalate and expire, so many seconds sooner."""

    def move(connection: Connection) -> None:
        dialect = connection.dialect
        now = connection.execute(select(database_now(dialect))).scalar_one()
        for table, name in (
            (notice_rows, "due_at"),
            (gate_rows, "expires_at"),
            (gate_rows, "escalates_at"),
        ):
            for row in connection.execute(select(table).where(table.c[name].is_not(None))):
                left_s = (row._mapping[name] - now).total_seconds() - seconds
                connection.execute(
                    update(table)
                    .where(table.c.id == row.id)
                    .values({name: database_now(dialect, plus_s=left_s)})
                )

    store.write_blocking(move)
