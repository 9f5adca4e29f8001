"""Execute: one attempt, from the function's keywords to what is known of it afterwards."""

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
from penstock.nodes.calls import functions
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Asks, Attempted, Ending, Produced, ToolCall
from penstock.nodes.calls.transaction import RolledBack, once
from penstock.nodes.gates.asking import Asking
from penstock.nodes.gates.forms import answer_schema, question_json
from penstock.nodes.gates.questions import Questions
from penstock.nodes.isolation import IsolationError, Job, NotStarted, TimedOut
from penstock.nodes.secrets import SecretRedactor, SecretValues, no_secrets, resolve
from penstock.nodes.tools.supplies import Supplies, Supply

BURY_S = 10.0
"""How long the end of a process that was killed is waited for; the pool itself waits less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """An attempt that is being made, and the secrets it was given."""

    attempted: Attempted
    secrets: SecretValues = field(repr=False)
    redaction: SecretRedactor = field(repr=False)


Late = Callable[[Underway, "asyncio.Future[object]", "Execute"], None]
"""Told of an attempt that goes on after its deadline, and of who knows what it came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """Runs the function of a call, once."""

    acting: Acting
    late: Late
    questions: Questions

    async def __call__(self, attempted: Attempted) -> Ending | Asks:
        """Run it, and say what is known of it now."""
        contract, halt = attempted.call.tool.contract, self.acting.halt
        if halt.is_asked:
            why = f"it was never started, because {halt.why}"
            return Failed(code="stopped", message=why, retryable=True)
        asking = await self.questions.asking(attempted.call)
        attempted = replace(
            attempted,
            call=_asking(attempted.call, asking),
            attempt=self._in_time_of_run(attempted.attempt),
        )
        found = resolve(contract.secrets, self.acting.secrets)
        # That none is missing was found out when the call came in.
        secrets = found if isinstance(found, SecretValues) else no_secrets()
        underway = Underway(
            attempted=attempted, secrets=secrets, redaction=SecretRedactor(secrets.values())
        )
        try:
            with asking.here():
                result = await self._run(underway)
        except functions.Stopped as stopped:
            if stopped.running is not None:
                self.late(underway, stopped.running, self)
            goes_on = ", and goes on: what blocks cannot be stopped"
            why = (
                f"attempt {attempted.attempt.number} was to stop, because {halt.why}"
                f"{'' if stopped.running is None else goes_on}"
            )
            return _unknown(underway, "stopped", why)
        except functions.TooLate as late:
            if late.running is not None:
                self.late(underway, late.running, self)
            why = f"attempt {attempted.attempt.number} did not end within {contract.timeout_s:g} s"
            return _unknown(underway, "timeout", why)
        except asyncio.CancelledError:
            raise
        except GraphBubbleUp as raised:
            asked = asking.question(raised)
            if asked is None:
                raise
            schema = answer_schema(asked)
            return Asks(
                number=asking.number,
                question=underway.redaction.json(question_json(asked)),
                answer_schema=None if schema is None else underway.redaction.json(schema),
            )
        except Exception as error:
            return ending_of_error(underway, error)
        return await self.ending_of(underway, result)

    async def ending_of(self, underway: Underway, result: object) -> Ending:
        """Return what an attempt came to whose function returned `result`."""
        tool = underway.attempted.call.tool
        try:
            text = result.text if isinstance(result, Produced) else tool.results.dump(result)
            produced = Produced(text=underway.redaction.json(text))
            given = tool.results.load(produced.text)
        except (InvalidResult, ValueError) as error:
            return _unknown(underway, InvalidResult.code, underway.redaction.text(str(error)))
        wrong = await self._verify(underway, given)
        return produced if wrong is None else _unknown(underway, "verify", wrong)

    async def _run(self, underway: Underway) -> object:
        """Return the result, as it is or as it was recorded where it was made."""
        call, attempt = underway.attempted.call, underway.attempted.attempt
        tool, timeout_s = call.tool, self._timeout_s(call)
        if tool.contract.isolation is IsolationTier.SUBPROCESS:
            job = Job(
                import_path=tool.import_path or "",
                arguments=call.checked.canonical,
                attempt=attempt,
                remaining_s=timeout_s,
                call_id=_call_id(call),
                traceparent=call.span.traceparent(),
                secrets=underway.secrets,
            )
            # The pool keeps the deadline itself, and is not left before the process is dead.
            text = await functions.task(
                self.acting.pool.run(job),
                timeout_s=None,
                grace_s=BURY_S,
                halt=self.acting.halt,
            )
            return Produced(text=cast(str, text))
        if tool.database is not None:
            writing = functions.in_thread(_transaction, {"underway": underway})
            try:
                return await functions.within(writing, timeout_s=timeout_s, halt=self.acting.halt)
            except RolledBack as undone:
                if isinstance(undone.__cause__, GraphBubbleUp):
                    # It asks something, and what it had done before was undone.
                    raise undone.__cause__ from None
                raise
        return await functions.run(
            tool.function,
            tool.keywords(call.checked, _supplies(underway)),
            is_async=tool.is_async,
            timeout_s=timeout_s,
            halt=self.acting.halt,
        )

    def _in_time_of_run(self, attempt: Attempt) -> Attempt:
        ends_at = self.acting.run.deadline_at
        if ends_at is None or attempt.deadline_at <= ends_at:
            return attempt
        return replace(attempt, deadline_at=ends_at)

    def _timeout_s(self, call: ToolCall) -> float:
        """Return how long a function may take: never longer than its run.

        The run's own end comes first where it can, and stops the call. This is for a loop that is
        blocked, and for processes that are killed without it.
        """
        timeout_s, ends_at = call.tool.contract.timeout_s, self.acting.run.deadline_at
        if ends_at is None:
            return timeout_s
        left_s = (ends_at - self.acting.clock.now()).total_seconds()
        return min(timeout_s, max(left_s, 0.0) + functions.GRACE_S)

    async def _verify(self, underway: Underway, given: object) -> str | None:
        """Return what the contract's own check finds wrong with a result."""
        call = underway.attempted.call
        verify = call.tool.verify
        if verify is None:
            return None
        try:
            wrong = await functions.run(
                verify.function,
                verify.bind(call.checked.values, _supplies(underway), first=given),
                is_async=verify.signature.is_async,
                timeout_s=self._timeout_s(call),
                halt=self.acting.halt,
            )
        except functions.TooLate:
            return "the check of its result did not end in time"
        except Exception as error:
            return underway.redaction.text(_told(error))
        return None if wrong is None else underway.redaction.text(str(wrong))


def ending_of_error(underway: Underway, error: BaseException) -> Ending:
    """Return what an attempt came to whose function raised, or was ended."""
    message = underway.redaction.text(_told(error))
    match error:
        case ToolError():
            return Failed(code=error.code, message=message, retryable=isinstance(error, Retryable))
        case RolledBack(__cause__=Exception() as cause):
            ending = ending_of_error(underway, cause)
            if isinstance(ending, Failed):
                return ending
            is_passing = isinstance(cause, OperationalError)
            why = underway.redaction.text(_told(cause))
            return Failed(code="rolled_back", message=why, retryable=is_passing)
        case NotStarted():
            return Failed(code=error.code, message=message, retryable=error.retryable)
        case _ if is_invalid_resume(error):
            # The function got no further than to its question.
            return Failed(code="answer_refused", message=message, retryable=False)
        case TimedOut():
            return _unknown(underway, "timeout", message)
        case IsolationError():
            return _unknown(underway, error.code, message)
        case _:
            return _unknown(underway, "tool_raised", message)


def _unknown(underway: Underway, code: str, why: str) -> Ending:
    """Return that it may have happened; where that changes nothing, that it failed."""
    call = underway.attempted.call
    if call.effect.effect is EffectClass.READ:
        may_succeed = code == "timeout" or call.tool.contract.retry.after is RetryAfter.ANY
        return Failed(code=code, message=why, retryable=may_succeed)
    return InDoubt(effect_key=call.effect.key, message=why)


def _told(error: BaseException) -> str:
    is_ours = isinstance(error, ToolError | IsolationError)
    return str(error) if is_ours else f"{type(error).__name__}: {error}"


def _supplies(underway: Underway) -> Supplies:
    attempted = underway.attempted
    return Supplies(
        attempt=attempted.attempt, secrets=underway.secrets, injected=attempted.call.injected
    )


def _asking(call: ToolCall, asking: Asking) -> ToolCall:
    """Return a call whose function, if it is given a config, asks and is answered for itself."""
    injected = {name: asking.injected(value) for name, value in call.injected.items()}
    for each in call.tool.signature.injected:
        if each.supply is Supply.CONFIG and each.name in injected:
            given: Any = injected[each.name]
            injected[each.name] = asking.config(cast(RunnableConfig, given))
    return replace(call, injected=injected)


def _call_id(call: ToolCall) -> str | None:
    """Return the provider's id of a call, where its function asks for it."""
    for each in call.tool.signature.injected:
        found = call.injected.get(each.name)
        if each.supply is Supply.CALL_ID and isinstance(found, str):
            return found
    return None


def _transaction(underway: Underway) -> Produced:
    call, attempt = underway.attempted.call, underway.attempted.attempt
    if call.tool.database is None:
        raise TypeError(f"`{call.tool.name}` names no database")
    text = once(
        call.tool.database,
        attempt.key,
        call.tool.function,
        lambda connection: call.tool.keywords(
            call.checked,
            Supplies(
                attempt=attempt,
                connection=connection,
                secrets=underway.secrets,
                injected=call.injected,
            ),
        ),
        call.tool.results.dump,
    )
    return Produced(text=text)
