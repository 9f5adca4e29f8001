"""The ledger of effects. Each function takes part in its caller's transaction.

An effect is begun before its tool is called, and settled after. An effect that was begun and not
settled may have happened; the class of its contract decides what is done then.

The number of an attempt is a fence of its own: the outcome of an attempt is accepted, however late
and from whichever worker, until the next attempt has begun. An outcome is a fact, and a lost lease
does not make it less true.
"""

from penstock.checkpoints.ledger.attempts import (
    begin,
    find_in_lineage,
    forget_lineage,
    lineage_of,
    record_copy,
    try_lock_lineage,
)
from penstock.checkpoints.ledger.doubts import (
    COUNT_LIMIT,
    doubt_count,
    doubt_unsettled,
    doubts,
    make_retryable,
    record_lookup,
    request_lookup,
    resolve,
    resolved,
)
from penstock.checkpoints.ledger.queries import (
    calls_of_tool,
    doubted_runs,
    doubts_of_tool,
    find,
    find_with_clock,
    gate_of,
    get,
    is_doubted,
    keys_by_prefix,
    list_effects,
    outcomes_of_tool,
    reports,
    used_tools,
)
from penstock.checkpoints.ledger.settlement import (
    doubt,
    fail,
    prolong,
    record_compensation,
    record_not_happened,
    succeed,
)

__all__ = [
    "COUNT_LIMIT",
    "begin",
    "calls_of_tool",
    "doubt",
    "doubt_count",
    "doubt_unsettled",
    "doubted_runs",
    "doubts",
    "doubts_of_tool",
    "fail",
    "find",
    "find_in_lineage",
    "find_with_clock",
    "forget_lineage",
    "gate_of",
    "get",
    "is_doubted",
    "keys_by_prefix",
    "lineage_of",
    "list_effects",
    "make_retryable",
    "outcomes_of_tool",
    "prolong",
    "record_compensation",
    "record_copy",
    "record_lookup",
    "record_not_happened",
    "reports",
    "request_lookup",
    "resolve",
    "resolved",
    "succeed",
    "try_lock_lineage",
    "used_tools",
]
