"""Gates in the store: opened with the state that waits for them, closed once."""

from penstock.checkpoints.gates.asking import ask, open_approval, open_doubt
from penstock.checkpoints.gates.closing import (
    ask_again,
    cancel_open,
    close,
    decide,
    expire,
    supersede,
    withdraw,
)
from penstock.checkpoints.gates.consuming import consume
from penstock.checkpoints.gates.delegating import delegate, revoke
from penstock.checkpoints.gates.delegating import listed as delegations
from penstock.checkpoints.gates.escalating import escalate
from penstock.checkpoints.gates.exhausting import ask_for_more, heed, said_of, stopped
from penstock.checkpoints.gates.inbox import (
    COUNT_LIMIT,
    count,
    counts,
    graphs_asking,
    is_mine,
    lent_to,
    of_ids,
    shelf,
)
from penstock.checkpoints.gates.reading import (
    any_closed,
    approvals_of,
    count_of,
    get,
    locked,
    of_run,
    open_ones,
    votes_of,
)
from penstock.checkpoints.gates.voting import Has, break_glass, require_open, seat_of, vote
from penstock.checkpoints.gates.waking import (
    due,
    look_again,
    postpone,
    wake_later,
    wake_now,
)

__all__ = [
    "COUNT_LIMIT",
    "Has",
    "any_closed",
    "approvals_of",
    "ask",
    "ask_again",
    "ask_for_more",
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
    "expire",
    "get",
    "graphs_asking",
    "heed",
    "is_mine",
    "lent_to",
    "locked",
    "look_again",
    "of_ids",
    "of_run",
    "open_approval",
    "open_doubt",
    "open_ones",
    "postpone",
    "require_open",
    "revoke",
    "said_of",
    "seat_of",
    "shelf",
    "stopped",
    "supersede",
    "vote",
    "votes_of",
    "wake_later",
    "wake_now",
    "withdraw",
]
