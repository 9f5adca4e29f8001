"""The claim of a call: one transaction that begins it, if all that it rests on still holds.

In it the approval is used up, the decision recorded, the budget reserved and the effect begun, or
none of these.
"""

from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import budgets, decisions, gates, ledger, policies
from penstock.contracts.budget import Amounts, HoldKind, Money
from penstock.contracts.effect import Effect
from penstock.contracts.gate import OPERATORS
from penstock.contracts.policy import GateRule
from penstock.contracts.tool import EffectClass
from penstock.nodes.calls.authorization import binding_of
from penstock.nodes.calls.call import ApprovedCall, RecalledCall, ToolCall
from penstock.nodes.calls.context import SegmentContext

DONE_BEFORE = GateRule(id="done-before-the-copy", group=OPERATORS, may_confirm_self=True)
"""The gate that a call needs which another thread of its lineage has made."""


class Contended(Exception):
    """Another thread of the lineage is about to begin the same call; nothing was begun here."""


class DoneElsewhere(Exception):
    """Another thread of the lineage has made the same call, and nobody was asked about it."""


class StaleDecision(Exception):
    """The policy that decided about a call is not the one that decides now."""


class ApprovalVoid(Exception):
    """The approval of a call does not count any more; nothing was begun."""


def claim(
    connection: Connection, context: SegmentContext, approved: ApprovedCall, *, at: datetime
) -> tuple[Effect, bool]:
    """Begin an attempt of a call; return its effect, and whether one was begun.

    Raises:
        StaleDecision: The call has to be decided again.
        DoneElsewhere: It needs an approval: another thread of its lineage has made the same call.
        Contended: Another thread of its lineage is about to make the same call.
        ApprovalVoid: It needs another approval.
        OverBudget: It may use more than is left.
        LeaseLost: Another worker drives the run now.
    """
    run, worker, call = context.run, context.worker, approved.call
    effect, is_begun = ledger.begin(connection, call.effect, fence=run.fence, at=at, actor=worker)
    if not is_begun:
        return effect, False
    require_not_done_elsewhere(connection, call)
    if policies.active_digest(connection, run.graph) != approved.decided.policy_digest:
        raise StaleDecision(approved.decided.policy_digest)
    decisions.record(connection, approved.decided, actor=worker)
    if approved.approval is not None:
        # The binding is of the call that begins here, not of what the stages took it for.
        void = gates.consume(
            connection,
            approved.approval,
            binding_of(run, call.effect.digest, approved.decided),
            has=lambda group, person: context.people.has(group, person, run.tenant),
            at=at,
            actor=worker,
        )
        if void is not None:
            raise ApprovalVoid(void)
    if not call.undoes:
        # A person has decided that the other call be undone: no budget may prevent that.
        budgets.reserve(
            connection,
            effect.key,
            context.accounts(),
            worst_cost(call),
            fence=run.fence,
            kind=HoldKind.TOOL,
            name=call.tool.name,
        )
    return effect, True


def worst_cost(call: ToolCall) -> Amounts:
    """Return what a call costs and spends at most, with all its attempts."""
    cost = call.tool.contract.cost
    return Amounts(
        money=None if cost is None else Money(micros=cost.amount_micros, currency=cost.currency),
        tool_calls=1,
        tool_spend=call.effect.spend,
    )


def may_be_done_elsewhere(recalled: RecalledCall) -> bool:
    """Tell whether to look, before a call begins, for the same call of another thread.

    A thread that is a copy looks, and so does a call that people were asked about before. All
    others find out in the claim.
    """
    new = recalled.call.effect
    is_copy = new.lineage != new.thread_id
    return new.effect is not EffectClass.READ and (is_copy or bool(recalled.gates))


def require_not_done_elsewhere(connection: Connection, call: ToolCall) -> None:
    """Let a call begin that no other thread of the lineage makes, or that people are asked about.

    Raises:
        Contended: It has to be tried again when the other thread's call has ended.
        DoneElsewhere: It needs an approval.
    """
    if call.undoes or call.effect.effect is EffectClass.READ:
        return
    if not ledger.try_lock_lineage(connection, call.effect):
        raise Contended(call.effect.key)
    if not call.is_done_elsewhere and ledger.find_in_lineage(connection, call.effect) is not None:
        raise DoneElsewhere(call.effect.key)
