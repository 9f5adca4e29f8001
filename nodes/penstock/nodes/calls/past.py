"""The past of a call: what other threads have done that share the lineage of its thread."""

from sqlalchemy import Connection

from penstock.checkpoints import ledger
from penstock.contracts.gate import OPERATORS
from penstock.contracts.policy import GateRule
from penstock.contracts.tool import EffectClass
from penstock.nodes.calls.call import ToolCall

DONE_BEFORE = GateRule(id="done-before-the-copy", group=OPERATORS, may_confirm_self=True)
"""What a call needs that another thread of its lineage has made."""


class Contended(Exception):
    """Somebody else is about to begin a call like this one; nothing was begun here."""


class DoneElsewhere(Exception):
    """Another thread of the lineage has done what a call does, and nobody was asked about it."""


def may_have_past(call: ToolCall) -> bool:
    """Tell whether to look, before a call begins, for what others of its lineage have done.

    A copy looks, and so does whoever was asked about the call before. A thread that was not copied
    from another finds out in the claim.
    """
    new = call.effect
    is_copy = new.lineage != new.thread_id
    return new.effect is not EffectClass.READ and (is_copy or bool(call.asked))


def require_unasked(connection: Connection, call: ToolCall) -> None:
    """Let pass what nobody else of the lineage has done or is about to do, or what was asked about.

    Raises:
        Contended: It is to be tried again, when whoever stands in the way has come to an end.
        DoneElsewhere: It needs an approval.
    """
    if call.undoes or call.effect.effect is EffectClass.READ:
        return
    if not ledger.try_lock_lineage(connection, call.effect):
        raise Contended(call.effect.key)
    if (
        DONE_BEFORE not in call.rules
        and ledger.find_in_lineage(connection, call.effect) is not None
    ):
        raise DoneElsewhere(call.effect.key)
