"""What is known of an effect, as the outcome of a call."""

from typing import assert_never

from penstock.contracts.call import Done, Failed, InDoubt, Outcome, Refused, Stage
from penstock.contracts.effect import Effect, EffectStatus
from penstock.nodes.calls.call import ToolCall


def outcome_of(call: ToolCall, effect: Effect) -> Outcome:
    """Return what a call comes to whose effect stands as it is, with nothing begun."""
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
    """Return that the same call was made before with other arguments."""
    return Refused(
        stage=Stage.CONTRACT,
        code="conflict",
        message=(
            f"this call of `{tool}` was made before with other arguments, and is {state} with"
            " them; nothing was done with the new ones"
        ),
    )


def busy(tool: str) -> Failed:
    """Return that the same call is under way where it cannot be waited for."""
    return Failed(
        code="busy", message=f"the same call of `{tool}` is under way already", retryable=True
    )


def in_doubt(effect: Effect, why: str) -> InDoubt:
    """Return that nobody knows."""
    return InDoubt(
        effect_key=effect.key,
        message=f"whether `{effect.tool}` happened is not known: {why}",
    )


def undone(effect: Effect) -> Failed:
    """Return that it was undone."""
    return Failed(
        code="compensated", message=f"`{effect.tool}` was undone by `compensate`", retryable=False
    )


def _of_another(call: ToolCall, effect: Effect) -> Outcome:
    """Return what a call comes to whose key of business is another's."""
    of = f"`{effect.business_key}` of run `{effect.run_id}`"
    if effect.status in {EffectStatus.STARTED, EffectStatus.IN_DOUBT}:
        return Failed(
            code="business_key_busy",
            message=f"the same is under way as {of}, which is {effect.status}",
            retryable=True,
        )
    if effect.status is EffectStatus.SUCCEEDED and effect.digest == call.effect.digest:
        return _recorded(call, effect)
    return Refused(
        stage=Stage.CONTRACT,
        code="business_key_taken",
        message=f"it was done before as {of}, which is {effect.status}; it is done once",
    )


def _recorded(call: ToolCall, effect: Effect) -> Done:
    return Done(result=call.tool.results.load(effect.result or "null"), recorded=True)
