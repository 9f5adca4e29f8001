"""What a tool call may use at most: by its contract, and by its arguments."""

from penstock.contracts.budget import Amounts, Money
from penstock.nodes.calls.call import ToolCall


def worst_of(call: ToolCall) -> Amounts:
    """Return what a call costs and spends at most, with all its attempts."""
    cost = call.tool.contract.cost
    return Amounts(
        money=None if cost is None else Money(micros=cost.amount_micros, currency=cost.currency),
        tool_calls=1,
        tool_spend=call.effect.spend,
    )
