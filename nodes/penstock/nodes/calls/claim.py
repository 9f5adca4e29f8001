"""The claim of a call: all that has to hold when it begins, in the transaction that says it does.

Its approval is used up, its decision written down, what it may use at most is held on its budgets,
and its effect begun, or none of it.
"""

from datetime import datetime

from sqlalchemy import Connection

from penstock.checkpoints import budgets, decisions, gates, ledger, policies
from penstock.contracts.budget import HoldKind
from penstock.contracts.effect import Effect
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.binding import binding_of
from penstock.nodes.calls.call import ToolCall
from penstock.nodes.calls.costs import worst_of
from penstock.nodes.calls.past import require_unasked


class StaleDecision(Exception):
    """The policy that a call was decided on is not the one that decides now."""


class ConsentVoid(Exception):
    """The approval of a call does not count any more; nothing was begun."""


def claim(
    connection: Connection, acting: Acting, call: ToolCall, *, at: datetime
) -> tuple[Effect, bool]:
    """Begin an attempt of a call; return its effect, and whether one was begun.

    Raises:
        StaleDecision: It has to be decided about anew.
        DoneElsewhere: It needs an approval, for another thread of its lineage has done the same.
        Contended: Another thread of its lineage is about to do the same.
        ConsentVoid: It needs another approval.
        OverBudget: What it may use at most is more than is left.
        LeaseLost: Somebody else drives the run now.
    """
    run, worker = acting.run, acting.worker
    effect, is_begun = ledger.begin(connection, call.effect, fence=run.fence, at=at, actor=worker)
    if not is_begun:
        return effect, False
    require_unasked(connection, call)
    decided = call.decided
    if decided is not None:
        if policies.active_digest(connection, run.graph) != decided.policy_digest:
            raise StaleDecision(decided.policy_digest)
        decisions.record(connection, decided, actor=worker)
    if call.consent is not None and decided is not None:
        # Of what begins here, and not of what somebody before has taken it for.
        why = gates.consume(
            connection,
            call.consent.gate_id,
            binding_of(run, call.effect.digest, decided),
            has=lambda group, person: acting.people.has(group, person, run.tenant),
            at=at,
            actor=worker,
        )
        if why is not None:
            raise ConsentVoid(why)
    if not call.undoes:
        # A person has decided that it be undone: no budget stands in the way of that.
        budgets.reserve(
            connection,
            effect.key,
            acting.accounts(),
            worst_of(call),
            fence=run.fence,
            kind=HoldKind.TOOL,
            name=call.tool.name,
        )
    return effect, True
