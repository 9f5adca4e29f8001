"""Trace: a tool call has a span, from its request to its outcome."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from langgraph.errors import GraphBubbleUp, GraphInterrupt

from penstock.contracts.call import Done, Failed, InDoubt, Outcome, Refused
from penstock.contracts.ids import GateId
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.signals import GateAwaited, LeaseLost
from penstock.nodes.calls.call import Next, ToolCall
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import parked_gates
from penstock.nodes.tools.request import current_task_id
from penstock.nodes.tools.tool import Tool
from penstock.traces import EventName, OpenSpan, SegmentTrace, SpanName, names
from penstock.traces.segment import Value, input_attributes, output_attributes


@dataclass(frozen=True, slots=True)
class Trace:
    """Opens a span around a call, to which whatever its function traces belongs."""

    trace: SegmentTrace

    async def __call__(self, call: ToolCall, following: Next[ToolCall]) -> Outcome:
        """Let the call go on, and record its outcome on the span."""
        if not self.trace.is_on:
            return await following(call)
        attributes: dict[str, Value] = {
            **_tool_attributes(call.tool),
            names.EFFECT_KEY: call.effect.key,
            **_argument_attributes(
                self.trace.mask_arguments(call.tool.name, json.loads(call.checked.canonical))
            ),
        }
        if call.provider_id is not None:
            attributes[names.CALL_ID] = call.provider_id
        span = self.trace.begin(SpanName.TOOL, attributes, step_id=current_task_id())
        try:
            with span.as_current():
                outcome = await following(replace(call, span=span))
        except GraphBubbleUp as raised:
            _end_waiting(span, parked_gates(raised) if isinstance(raised, GraphInterrupt) else ())
            raise
        except GateAwaited as awaited:
            _end_waiting(span, [awaited.gate_id])
            raise
        except LeaseLost as lost:
            span.event(EventName.LEASE_LOST, {names.MESSAGE: str(lost)})
            span.end({names.OUTCOME: "lease_lost"}, error=str(lost))
            raise
        except BaseException as error:
            span.end({names.OUTCOME: "cut_off"}, error=f"{type(error).__name__}: {error}")
            raise
        if isinstance(outcome, Done) and outcome.recorded:
            span.event(EventName.RECALLED, {})
        ended, error = outcome_attributes(outcome)
        if isinstance(outcome, Done):
            result = json.loads(call.tool.results.dump(outcome.result))
            ended |= output_attributes(self.trace.mask_calls(result))
        span.end(ended, error=error)
        return outcome


def trace_refused(
    trace: SegmentTrace, tool: Tool[Any], arguments: Mapping[str, object], refused: Refused
) -> None:
    """Trace a call that was refused at its admission."""
    if not trace.is_on:
        return
    shown = _argument_attributes(trace.mask_arguments(tool.name, dict(arguments)))
    span = trace.begin(
        SpanName.TOOL, {**_tool_attributes(tool), **shown}, step_id=current_task_id()
    )
    attributes, error = outcome_attributes(refused)
    span.end(attributes, error=error)


def trace_decision(
    context: SegmentContext, call: ToolCall, decided: RecordedDecision | Refused
) -> None:
    """Trace what a policy decided about a call."""
    if not context.trace.is_on:
        return
    attributes: dict[str, Value] = {names.TOOL: call.tool.name}
    if isinstance(decided, Refused):
        span = context.trace.begin(SpanName.POLICY, attributes, step_id=current_task_id())
        span.end(output_attributes(decided.message), error=decided.message)
        return
    decision = decided.decision
    attributes |= {
        names.POLICY_DECISION: decision.verdict,
        names.POLICY_VERSION: decided.policy_digest,
        names.POLICY_REASONS: decision.reasons,
        **input_attributes(context.trace.mask_calls(dict(decided.request.facts))),
    }
    if decision.shadow is not None:
        attributes[names.POLICY_SHADOW] = decision.shadow
    span = context.trace.begin(
        SpanName.POLICY, attributes, step_id=current_task_id(), began_at=decided.at
    )
    span.end(output_attributes(decision.message))
    call.span.set({names.POLICY_DECISION: decision.verdict})


def outcome_attributes(outcome: Outcome) -> tuple[dict[str, Value], str]:
    """Return the attributes of an outcome, and its error message; empty where there is none."""
    match outcome:
        case Done():
            return {names.OUTCOME: "done", names.RECALLED: outcome.recorded}, ""
        case Refused():
            name, error = f"refused:{outcome.code}", f"refused: {outcome.message}"
        case Failed():
            name, error = f"failed:{outcome.code}", f"failed: {outcome.message}"
        case InDoubt():
            name, error = "in_doubt", f"in doubt: {outcome.message}"
        case _:
            assert_never(outcome)
    return {names.OUTCOME: name, **output_attributes(outcome.message)}, error


def _end_waiting(span: OpenSpan, gates: Collection[GateId]) -> None:
    attributes: dict[str, Value] = {names.OUTCOME: "waiting"}
    if gates:
        attributes[names.HUMAN_GATE] = ",".join(sorted(gates))
    span.end({**attributes, **output_attributes("interrupted: it waits at a gate")})


def _tool_attributes(tool: Tool[Any]) -> dict[str, Value]:
    contract = tool.contract
    return {
        names.TOOL: contract.name,
        names.TOOL_NAME: contract.name,
        names.TOOL_DESCRIPTION: contract.description,
        names.EFFECT_CLASS: contract.effect,
        names.TIMEOUT_MS: round(contract.timeout_s * 1000),
        names.RETRY_COUNT: 0,
    }


def _argument_attributes(plain: object) -> dict[str, Value]:
    shown = input_attributes(plain)
    return {**shown, names.TOOL_PARAMETERS: shown[names.INPUT]}
