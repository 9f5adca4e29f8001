"""Gates in the store: opened in the transaction that parks their run, and closed once."""

from penstock.checkpoints.gates.closure import (
    cancel_open,
    close,
    decide,
    expire,
    supersede,
    supersede_for_redrive,
    withdraw,
)
from penstock.checkpoints.gates.creation import open_approval, open_doubt, open_questions
from penstock.checkpoints.gates.delegation import delegate, revoke
from penstock.checkpoints.gates.delegation import listed as delegations
from penstock.checkpoints.gates.exhaustion import (
    apply_answer,
    exhaustion_answer,
    open_budget_gate,
    stop_failure,
)
from penstock.checkpoints.gates.inbox import (
    COUNT_LIMIT,
    count,
    counts,
    graphs_asking,
    is_mine,
    of_ids,
    seats_lent_to,
    shelf,
)
from penstock.checkpoints.gates.queries import (
    any_closed,
    approvals_of,
    count_of,
    get,
    get_locked,
    list_open,
    of_run,
    votes_of,
)
from penstock.checkpoints.gates.timers import (
    due,
    escalate,
    postpone,
    recheck_approvals,
    wake_later,
    wake_now,
)
from penstock.checkpoints.gates.votes import (
    IsMember,
    break_glass,
    consume,
    require_open,
    seat_of,
    vote,
)

__all__ = [
    "COUNT_LIMIT",
    "IsMember",
    "any_closed",
    "apply_answer",
    "approvals_of",
    "break_glass",
    "cancel_open",
    "close",
    "consume",
    "count",
    "count_of",
    "counts",
    "decide",
    "delegate",
    "delegations",
    "due",
    "escalate",
    "exhaustion_answer",
    "expire",
    "get",
    "get_locked",
    "graphs_asking",
    "is_mine",
    "list_open",
    "of_ids",
    "of_run",
    "open_approval",
    "open_budget_gate",
    "open_doubt",
    "open_questions",
    "postpone",
    "recheck_approvals",
    "require_open",
    "revoke",
    "seat_of",
    "seats_lent_to",
    "shelf",
    "stop_failure",
    "supersede",
    "supersede_for_redrive",
    "vote",
    "votes_of",
    "wake_later",
    "wake_now",
    "withdraw",
]
