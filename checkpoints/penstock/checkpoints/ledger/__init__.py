"""The ledger: what is known of each tool call. Every function is one transaction's part.

An effect is begun before its tool is called and settled after. Who finds one that was begun and not
settled knows that it may have happened; what is done then rests with the class of its contract.

The number of the attempt is a fence of its own: what an attempt came to is accepted, however late
and from whomever, until the next one has begun. A report is knowledge, and a lost lease does not
make it less true.
"""

from penstock.checkpoints.ledger.begin import begin
from penstock.checkpoints.ledger.doubts import COUNT_LIMIT, doubt_count, doubts, resolved
from penstock.checkpoints.ledger.leave import leave
from penstock.checkpoints.ledger.lineage import descend, elsewhere, forget, is_alone, lineage_of
from penstock.checkpoints.ledger.reading import (
    doubted_runs,
    find,
    find_with_clock,
    gate_of,
    get,
    is_doubted,
    keys,
    listed,
    reports,
)
from penstock.checkpoints.ledger.resolve import look_now, looked_up, resolve, try_again
from penstock.checkpoints.ledger.settle import compensated, did_not, doubt, fail, prolong, succeed
from penstock.checkpoints.ledger.usage import calls, in_doubt, outcomes, tools

__all__ = [
    "COUNT_LIMIT",
    "begin",
    "calls",
    "compensated",
    "descend",
    "did_not",
    "doubt",
    "doubt_count",
    "doubted_runs",
    "doubts",
    "elsewhere",
    "fail",
    "find",
    "find_with_clock",
    "forget",
    "gate_of",
    "get",
    "in_doubt",
    "is_alone",
    "is_doubted",
    "keys",
    "leave",
    "lineage_of",
    "listed",
    "look_now",
    "looked_up",
    "outcomes",
    "prolong",
    "reports",
    "resolve",
    "resolved",
    "succeed",
    "tools",
    "try_again",
]
