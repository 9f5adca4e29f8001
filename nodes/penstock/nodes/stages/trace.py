"""Trace: a tool call is seen from outside, from its request to its outcome."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from langgraph.errors import GraphBubbleUp, GraphInterrupt

from penstock.contracts.call import Done, Failed, InDoubt, Outcome, Refused
from penstock.contracts.ids import GateId
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.signals import GateAwaited, LeaseLost
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Next, ToolCall
from penstock.nodes.gates.parking import gates_of
from penstock.nodes.tools.origin import task_here
from penstock.nodes.tools.tool import Tool
from penstock.traces import EventName, OpenSpan, SegmentTrace, SpanName, names
from penstock.traces.segment import Value, input_attributes, output_attributes


@dataclass(frozen=True, slots=True)
class Trace:
    """Has a span around a call, and the call within it: what its function does is a part of it."""

    trace: SegmentTrace

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on, and say what came of it."""
        if not self.trace.is_on:
            return await following(call)
        about: dict[str, Value] = {
            **_about(call.tool),
            names.EFFECT_KEY: call.effect.key,
            **_arguments(self.trace.arguments(call.tool.name, json.loads(call.checked.canonical))),
        }
        if call.provider_id is not None:
            about[names.CALL_ID] = call.provider_id
        span = self.trace.begin(SpanName.TOOL, about, step_id=task_here())
        try:
            with span.here():
                outcome = await following(replace(call, span=span))
        except GraphBubbleUp as raised:
            _wait(span, gates_of(raised) if isinstance(raised, GraphInterrupt) else ())
            raise
        except GateAwaited as awaited:
            _wait(span, [awaited.gate_id])
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
        attributes, error = told_of(outcome)
        if isinstance(outcome, Done):
            result = json.loads(call.tool.results.dump(outcome.result))
            attributes |= output_attributes(self.trace.plain(result))
        span.end(attributes, error=error)
        return outcome


def trace_refused(
    trace: SegmentTrace, tool: Tool[Any], arguments: Mapping[str, object], refused: Refused
) -> None:
    """Write down a call that came no further than to its contract."""
    if not trace.is_on:
        return
    given = _arguments(trace.arguments(tool.name, dict(arguments)))
    span = trace.begin(SpanName.TOOL, {**_about(tool), **given}, step_id=task_here())
    attributes, error = told_of(refused)
    span.end(attributes, error=error)


def trace_decision(acting: Acting, call: ToolCall, decided: RecordedDecision | Refused) -> None:
    """Write down what a policy says of a call."""
    if not acting.trace.is_on:
        return
    about: dict[str, Value] = {names.TOOL: call.tool.name}
    if isinstance(decided, Refused):
        span = acting.trace.begin(SpanName.POLICY, about, step_id=task_here())
        span.end(output_attributes(decided.message), error=decided.message)
        return
    decision = decided.decision
    about |= {
        names.POLICY_DECISION: decision.verdict,
        names.POLICY_VERSION: decided.policy_digest,
        names.POLICY_REASONS: decision.reasons,
        **input_attributes(acting.trace.plain(dict(decided.request.facts))),
    }
    if decision.shadow is not None:
        about[names.POLICY_SHADOW] = decision.shadow
    span = acting.trace.begin(SpanName.POLICY, about, step_id=task_here(), began_at=decided.at)
    span.end(output_attributes(decision.message))
    call.span.set({names.POLICY_DECISION: decision.verdict})


def told_of(outcome: Outcome) -> tuple[dict[str, Value], str]:
    """Return what a span says of an outcome, and what went wrong, if anything did."""
    match outcome:
        case Done():
            return {names.OUTCOME: "done", names.RECALLED: outcome.recorded}, ""
        case Refused():
            told, why = f"refused:{outcome.code}", f"refused: {outcome.message}"
        case Failed():
            told, why = f"failed:{outcome.code}", f"failed: {outcome.message}"
        case InDoubt():
            told, why = "in_doubt", f"in doubt: {outcome.message}"
        case _:
            assert_never(outcome)
    return {names.OUTCOME: told, **output_attributes(outcome.message)}, why


def _wait(span: OpenSpan, gates: Collection[GateId]) -> None:
    told: dict[str, Value] = {names.OUTCOME: "waiting"}
    if gates:
        told[names.HUMAN_GATE] = ",".join(sorted(gates))
    span.end({**told, **output_attributes("interrupted: it waits at a gate")})


def _about(tool: Tool[Any]) -> dict[str, Value]:
    contract = tool.contract
    return {
        names.TOOL: contract.name,
        names.TOOL_NAME: contract.name,
        names.TOOL_DESCRIPTION: contract.description,
        names.EFFECT_CLASS: contract.effect,
        names.TIMEOUT_MS: round(contract.timeout_s * 1000),
        names.RETRY_COUNT: 0,
    }


def _arguments(plain: object) -> dict[str, Value]:
    shown = input_attributes(plain)
    return {**shown, names.TOOL_PARAMETERS: shown[names.INPUT]}
