"""The outcome of a call that does not begin: what the ledger has recorded of it, or a gate.

A call that is parked at a gate makes its run wait there, and its node runs again when the gate is
decided. It does not use `interrupt()`, whose answers LangGraph matches by the order of the calls
within a task, but raises an interrupt whose id is the gate's.
"""

from collections.abc import Collection, Sequence
from typing import Any, assert_never, cast

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from penstock.contracts.call import Done, Failed, InDoubt, Outcome, Refused, Stage
from penstock.contracts.effect import Effect, EffectStatus
from penstock.contracts.ids import GateId
from penstock.nodes.calls.call import ToolCall


def outcome_of(call: ToolCall, effect: Effect) -> Outcome:
    """Return the outcome of a call from its effect as it is recorded."""
    if effect.key != call.effect.key:
        return _of_another(call, effect)
    if effect.digest != call.effect.digest:
        return conflict(effect.tool, effect.status)
    match effect.status:
        case EffectStatus.SUCCEEDED:
            return _recorded(call, effect)
        case EffectStatus.FAILED:
            return Failed(
                code=effect.error_code or "failed",
                message=effect.error_message or "it failed",
                retryable=effect.error_retryable,
            )
        case EffectStatus.COMPENSATED:
            return undone(effect)
        case EffectStatus.IN_DOUBT if effect.run_id != call.effect.run_id:
            return Failed(
                code="in_doubt_elsewhere",
                message=f"whether it happened is asked at a gate of run `{effect.run_id}`",
                retryable=True,
            )
        case EffectStatus.IN_DOUBT | EffectStatus.STARTED:
            return in_doubt(effect, effect.error_message or "it is under way elsewhere")
        case _:
            assert_never(effect.status)


def conflict(tool: str, state: str) -> Refused:
    """Refuse a call that was made before with other arguments."""
    return Refused(
        stage=Stage.CONTRACT,
        code="conflict",
        message=(
            f"this call of `{tool}` was made before with other arguments, and is {state} with"
            " them; nothing was done with the new ones"
        ),
    )


def busy(tool: str) -> Failed:
    """Fail a call that is under way already, where it cannot be waited for."""
    return Failed(
        code="busy", message=f"the same call of `{tool}` is under way already", retryable=True
    )


def in_doubt(effect: Effect, why: str) -> InDoubt:
    """Return that nobody knows whether a call happened, and why."""
    return InDoubt(
        effect_key=effect.key,
        message=f"whether `{effect.tool}` happened is not known: {why}",
    )


def undone(effect: Effect) -> Failed:
    """Return that a call was undone."""
    return Failed(
        code="compensated", message=f"`{effect.tool}` was undone by `compensate`", retryable=False
    )


def parking_interrupt(gate_id: GateId, why: str) -> GraphInterrupt:
    """Return the interrupt that a node raises to wait at a gate."""
    return GraphInterrupt((Interrupt(value={"gate": gate_id, "why": why}, id=gate_id),))


def parked_gates(raised: GraphInterrupt) -> Collection[GateId]:
    """Return the gates at which a call was parked, without any other interrupt."""
    found: Sequence[Interrupt[Any]] = raised.args[0]
    return [GateId(each.id) for each in found if _is_of_gate(each)]


def _of_another(call: ToolCall, effect: Effect) -> Outcome:
    """Return the outcome of a call whose business key another effect has."""
    other = f"`{effect.business_key}` of run `{effect.run_id}`"
    if effect.status in {EffectStatus.STARTED, EffectStatus.IN_DOUBT}:
        return Failed(
            code="business_key_busy",
            message=f"the same is under way as {other}, which is {effect.status}",
            retryable=True,
        )
    if effect.status is EffectStatus.SUCCEEDED and effect.digest == call.effect.digest:
        return _recorded(call, effect)
    return Refused(
        stage=Stage.CONTRACT,
        code="business_key_taken",
        message=f"it was done before as {other}, which is {effect.status}; it is done once",
    )


def _recorded(call: ToolCall, effect: Effect) -> Done:
    return Done(result=call.tool.results.load(effect.result or "null"), recorded=True)


def _is_of_gate(interrupt: Interrupt[Any]) -> bool:
    value: object = interrupt.value
    return isinstance(value, dict) and cast("dict[str, object]", value).get("gate") == interrupt.id
