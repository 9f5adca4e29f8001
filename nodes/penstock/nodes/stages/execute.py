"""Execute: one attempt runs the tool's function, and what it returns or raises is its outcome."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp, is_invalid_resume
from sqlalchemy.exc import OperationalError

from penstock.contracts.call import Attempt, Failed, InDoubt
from penstock.contracts.errors import InvalidResult, Retryable, ToolError
from penstock.contracts.tool import EffectClass, IsolationTier, RetryAfter
from penstock.nodes.calls import invocation
from penstock.nodes.calls.call import (
    AsksQuestion,
    AttemptedCall,
    AttemptOutcome,
    Produced,
    ToolCall,
)
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.invocation import RolledBack, run_once
from penstock.nodes.gates.answer_schema import answer_schema, question_json
from penstock.nodes.gates.questions import InterruptScope, QuestionGates
from penstock.nodes.isolation import IsolationError, Job, NotStarted, TimedOut
from penstock.nodes.secrets import SecretRedactor, SecretValues, no_secrets, resolve
from penstock.nodes.tools.supplies import Supplies, Supply

REAP_S = 10.0
"""The time to wait for the end of a process that was killed; the pool itself waits less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningAttempt:
    """An attempt that is being made, and the secrets that its function was given."""

    attempted: AttemptedCall
    secrets: SecretValues = field(repr=False)
    redaction: SecretRedactor = field(repr=False)


Late = Callable[[RunningAttempt, "asyncio.Future[object]", "Execute"], None]
"""Watches an attempt that goes on after its deadline; the stage can tell its outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """Runs the function of a call, once."""

    context: SegmentContext
    late: Late
    questions: QuestionGates

    async def __call__(self, attempted: AttemptedCall) -> AttemptOutcome | AsksQuestion:
        """Run it, and return its outcome."""
        contract, halt = attempted.call.tool.contract, self.context.halt
        if halt.is_requested:
            why = f"it was never started, because {halt.reason}"
            return Failed(code="stopped", message=why, retryable=True)
        scope = await self.questions.scope(attempted.call)
        attempted = replace(
            attempted,
            call=_with_scope(attempted.call, scope),
            attempt=self._within_run(attempted.attempt),
        )
        found = resolve(contract.secrets, self.context.secrets)
        # The admission of the call made sure that none is missing.
        secrets = found if isinstance(found, SecretValues) else no_secrets()
        running = RunningAttempt(
            attempted=attempted, secrets=secrets, redaction=SecretRedactor(secrets.values())
        )
        try:
            with scope.here():
                result = await self._run(running)
        except invocation.Stopped as stopped:
            if stopped.running is not None:
                self.late(running, stopped.running, self)
            goes_on = ", and goes on: what blocks cannot be stopped"
            why = (
                f"attempt {attempted.attempt.number} was to stop, because {halt.reason}"
                f"{'' if stopped.running is None else goes_on}"
            )
            return _unknown(running, "stopped", why)
        except invocation.TooLate as late:
            if late.running is not None:
                self.late(running, late.running, self)
            why = f"attempt {attempted.attempt.number} did not end within {contract.timeout_s:g} s"
            return _unknown(running, "timeout", why)
        except asyncio.CancelledError:
            raise
        except GraphBubbleUp as raised:
            question = scope.question(raised)
            if question is None:
                raise
            schema = answer_schema(question)
            return AsksQuestion(
                number=scope.number,
                question=running.redaction.json(question_json(question)),
                answer_schema=None if schema is None else running.redaction.json(schema),
            )
        except Exception as error:
            return outcome_of_error(running, error)
        return await self.outcome_of_result(running, result)

    async def outcome_of_result(self, running: RunningAttempt, result: object) -> AttemptOutcome:
        """Return the outcome of an attempt whose function returned `result`."""
        tool = running.attempted.call.tool
        try:
            text = result.text if isinstance(result, Produced) else tool.results.dump(result)
            produced = Produced(text=running.redaction.json(text))
            value = tool.results.load(produced.text)
        except (InvalidResult, ValueError) as error:
            return _unknown(running, InvalidResult.code, running.redaction.text(str(error)))
        problem = await self._verify(running, value)
        return produced if problem is None else _unknown(running, "verify", problem)

    async def _run(self, running: RunningAttempt) -> object:
        """Return the function's result, or its text where it was written beside the loop."""
        call, attempt = running.attempted.call, running.attempted.attempt
        tool, timeout_s = call.tool, self._timeout_s(call)
        if tool.contract.isolation is IsolationTier.SUBPROCESS:
            job = Job(
                import_path=tool.import_path or "",
                arguments=call.checked.canonical,
                attempt=attempt,
                remaining_s=timeout_s,
                call_id=_call_id(call),
                traceparent=call.span.traceparent(),
                secrets=running.secrets,
            )
            # The pool keeps the deadline itself, and returns only when the process is dead.
            text = await invocation.run_task(
                self.context.pool.run(job),
                timeout_s=None,
                grace_s=REAP_S,
                halt=self.context.halt,
            )
            return Produced(text=cast(str, text))
        if tool.database is not None:
            writing = invocation.in_thread(_transaction, {"running": running})
            try:
                return await invocation.wait_within(
                    writing, timeout_s=timeout_s, halt=self.context.halt
                )
            except RolledBack as undone:
                if isinstance(undone.__cause__, GraphBubbleUp):
                    # It asks a question, and what it had done before was rolled back.
                    raise undone.__cause__ from None
                raise
        return await invocation.invoke(
            tool.function,
            tool.keywords(call.checked, _supplies(running)),
            is_async=tool.is_async,
            timeout_s=timeout_s,
            halt=self.context.halt,
        )

    def _within_run(self, attempt: Attempt) -> Attempt:
        ends_at = self.context.run.deadline_at
        if ends_at is None or attempt.deadline_at <= ends_at:
            return attempt
        return replace(attempt, deadline_at=ends_at)

    def _timeout_s(self, call: ToolCall) -> float:
        """Return the time that a function may take: never longer than its run.

        The end of the run usually comes first, and stops the call. This limit is for a loop that is
        blocked, and for processes that are killed without the loop.
        """
        timeout_s, ends_at = call.tool.contract.timeout_s, self.context.run.deadline_at
        if ends_at is None:
            return timeout_s
        left_s = (ends_at - self.context.clock.now()).total_seconds()
        return min(timeout_s, max(left_s, 0.0) + invocation.GRACE_S)

    async def _verify(self, running: RunningAttempt, value: object) -> str | None:
        """Return the problem that the contract's own check finds in a result."""
        call = running.attempted.call
        verify = call.tool.verify
        if verify is None:
            return None
        try:
            problem = await invocation.invoke(
                verify.function,
                verify.bind(call.checked.values, _supplies(running), first=value),
                is_async=verify.signature.is_async,
                timeout_s=self._timeout_s(call),
                halt=self.context.halt,
            )
        except invocation.TooLate:
            return "the check of its result did not end in time"
        except Exception as error:
            return running.redaction.text(_error_text(error))
        return None if problem is None else running.redaction.text(str(problem))


def outcome_of_error(running: RunningAttempt, error: BaseException) -> AttemptOutcome:
    """Return the outcome of an attempt whose function raised, or was ended."""
    message = running.redaction.text(_error_text(error))
    match error:
        case ToolError():
            return Failed(code=error.code, message=message, retryable=isinstance(error, Retryable))
        case RolledBack(__cause__=Exception() as cause):
            outcome = outcome_of_error(running, cause)
            if isinstance(outcome, Failed):
                return outcome
            is_passing = isinstance(cause, OperationalError)
            why = running.redaction.text(_error_text(cause))
            return Failed(code="rolled_back", message=why, retryable=is_passing)
        case NotStarted():
            return Failed(code=error.code, message=message, retryable=error.retryable)
        case _ if is_invalid_resume(error):
            # The function came no further than its question.
            return Failed(code="answer_refused", message=message, retryable=False)
        case TimedOut():
            return _unknown(running, "timeout", message)
        case IsolationError():
            return _unknown(running, error.code, message)
        case _:
            return _unknown(running, "tool_raised", message)


def _unknown(running: RunningAttempt, code: str, why: str) -> AttemptOutcome:
    """Return that a call may have happened; a call that only reads has failed."""
    call = running.attempted.call
    if call.effect.effect is EffectClass.READ:
        may_succeed = code == "timeout" or call.tool.contract.retry.after is RetryAfter.ANY
        return Failed(code=code, message=why, retryable=may_succeed)
    return InDoubt(effect_key=call.effect.key, message=why)


def _error_text(error: BaseException) -> str:
    is_ours = isinstance(error, ToolError | IsolationError)
    return str(error) if is_ours else f"{type(error).__name__}: {error}"


def _supplies(running: RunningAttempt) -> Supplies:
    attempted = running.attempted
    return Supplies(
        attempt=attempted.attempt, secrets=running.secrets, injected=attempted.call.injected
    )


def _with_scope(call: ToolCall, scope: InterruptScope) -> ToolCall:
    """Return a call whose function, if it is given a config, asks questions within the scope."""
    injected = {name: scope.injected(value) for name, value in call.injected.items()}
    for each in call.tool.signature.injected:
        if each.supply is Supply.CONFIG and each.name in injected:
            config: Any = injected[each.name]
            injected[each.name] = scope.config(cast(RunnableConfig, config))
    return replace(call, injected=injected)


def _call_id(call: ToolCall) -> str | None:
    """Return the provider's id of a call, where its function asks for it."""
    for each in call.tool.signature.injected:
        found = call.injected.get(each.name)
        if each.supply is Supply.CALL_ID and isinstance(found, str):
            return found
    return None


def _transaction(running: RunningAttempt) -> Produced:
    call, attempt = running.attempted.call, running.attempted.attempt
    if call.tool.database is None:
        raise TypeError(f"`{call.tool.name}` names no database")
    text = run_once(
        call.tool.database,
        attempt.key,
        call.tool.function,
        lambda connection: call.tool.keywords(
            call.checked,
            Supplies(
                attempt=attempt,
                connection=connection,
                secrets=running.secrets,
                injected=call.injected,
            ),
        ),
        call.tool.results.dump,
    )
    return Produced(text=text)
