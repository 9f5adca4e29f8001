"""The past of a call on a thread that was copied: what the lineage has done before."""

from sqlalchemy import Connection

from penstock.checkpoints import ledger
from penstock.contracts.gate import OPERATORS
from penstock.contracts.policy import GateRule
from penstock.contracts.tool import EffectClass
from penstock.nodes.calls.call import ToolCall

DONE_BEFORE = GateRule(id="done-before-the-copy", group=OPERATORS, may_confirm_self=True)
"""What a call needs that the thread has made before it was copied."""


def may_have_past(call: ToolCall) -> bool:
    """Tell whether other threads of its lineage may have done what a call does."""
    new = call.effect
    return new.effect is not EffectClass.READ and new.lineage != new.thread_id


def is_done_unasked(connection: Connection, call: ToolCall) -> bool:
    """Tell whether the lineage has done what a call does, and nobody is to be asked about that."""
    if call.undoes or DONE_BEFORE in call.rules or not may_have_past(call):
        return False
    return ledger.elsewhere(connection, call.effect) is not None
