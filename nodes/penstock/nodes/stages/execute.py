"""Execute: one attempt, from the function's keywords to what is known of it afterwards."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from langgraph.errors import GraphBubbleUp
from sqlalchemy.exc import OperationalError

from penstock.contracts.errors import InvalidResult
from penstock.contracts.outcome import Failed, InDoubt
from penstock.contracts.tool import EffectClass
from penstock.contracts.tool_errors import Retryable, ToolError
from penstock.nodes import functions
from penstock.nodes.acting import Acting
from penstock.nodes.call import Attempted, Ending, Produced
from penstock.nodes.masking import hide_secrets
from penstock.nodes.secrets import SecretValues, no_secrets, resolve
from penstock.nodes.supplies import Supplies
from penstock.nodes.transaction import RolledBack, once

Late = Callable[[Attempted, "asyncio.Future[object]", "Execute"], None]
"""Told of an attempt that goes on after its deadline, and of who knows what it came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """Runs the function of a call, once."""

    acting: Acting
    late: Late

    async def __call__(self, attempted: Attempted) -> Ending:
        """Run it, and say what is known of it now."""
        tool = attempted.call.tool
        secrets = _secrets(self.acting, attempted)
        timeout_s = tool.contract.timeout_s
        try:
            if tool.database is not None:
                write = functions.in_thread(_transaction, {"of": attempted, "secrets": secrets})
                result = await functions.within(write, timeout_s=timeout_s)
            else:
                result = await functions.run(
                    tool.function,
                    tool.keywords(attempted.call.checked, _supplies(attempted, secrets)),
                    is_async=tool.is_async,
                    timeout_s=timeout_s,
                )
        except functions.TooLate as late:
            if late.running is not None:
                self.late(attempted, late.running, self)
            why = f"attempt {attempted.attempt.number} did not end within {timeout_s:g} s"
            return _unknown(attempted, "timeout", why)
        except (GraphBubbleUp, asyncio.CancelledError):
            raise
        except Exception as error:
            return ending_of_error(attempted, error, secrets)
        return await self.ending_of(attempted, result, secrets)

    async def ending_of(
        self, attempted: Attempted, result: object, secrets: Mapping[str, str] | None = None
    ) -> Ending:
        """Return what an attempt came to whose function returned `result`."""
        tool = attempted.call.tool
        known = secrets or {}
        try:
            text = result if tool.database is not None else tool.results.dump(result)
            if tool.verify is not None:
                given = tool.results.load(str(text))
                supplies = _supplies(attempted, SecretValues(known))
                wrong = await functions.run(
                    tool.verify.function,
                    tool.verify.bind(attempted.call.checked.values, supplies, first=given),
                    is_async=tool.verify.signature.is_async,
                    timeout_s=tool.contract.timeout_s,
                )
                if wrong is not None:
                    return _unknown(attempted, "verify", hide_secrets(str(wrong), known))
        except functions.TooLate:
            return _unknown(attempted, "verify", "the check of its result did not end in time")
        except InvalidResult as error:
            return _unknown(attempted, error.code, str(error))
        except Exception as error:
            return _unknown(attempted, "verify", hide_secrets(_told(error), known))
        return Produced(text=str(text))


def ending_of_error(
    attempted: Attempted, error: BaseException, secrets: Mapping[str, str] | None = None
) -> Ending:
    """Return what an attempt came to whose function raised."""
    known = secrets or {}
    if isinstance(error, RolledBack) and error.__cause__ is not None:
        cause = error.__cause__
        message = hide_secrets(_told(cause), known)
        if isinstance(cause, ToolError):
            return _definite(cause, message)
        is_passing = isinstance(cause, OperationalError)
        return Failed(code="rolled_back", message=message, retryable=is_passing)
    message = hide_secrets(_told(error), known)
    if isinstance(error, ToolError):
        return _definite(error, message)
    return _unknown(attempted, "tool_raised", message)


def _definite(error: ToolError, message: str) -> Failed:
    return Failed(code=error.code, message=message, retryable=isinstance(error, Retryable))


def _unknown(attempted: Attempted, code: str, why: str) -> Ending:
    """Return that it may have happened; where that changes nothing, that it failed."""
    call = attempted.call
    if call.effect.effect is EffectClass.READ:
        return Failed(code=code, message=why, retryable=code == "timeout")
    return InDoubt(effect_key=call.effect.key, message=why)


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, ToolError) else f"{type(error).__name__}: {error}"


def _secrets(acting: Acting, attempted: Attempted) -> SecretValues:
    # That none is missing was found out when the call came in.
    found = resolve(attempted.call.tool.contract.secrets, acting.secrets)
    return found if isinstance(found, SecretValues) else no_secrets()


def _supplies(attempted: Attempted, secrets: SecretValues) -> Supplies:
    injected = attempted.call.injected
    return Supplies(attempt=attempted.attempt, secrets=secrets, injected=injected)


def _transaction(of: Attempted, secrets: SecretValues) -> str:
    tool = of.call.tool
    if tool.database is None:
        raise TypeError(f"`{tool.name}` names no database")
    return once(
        tool.database,
        of.attempt.key,
        tool.function,
        lambda connection: tool.keywords(
            of.call.checked,
            Supplies(
                attempt=of.attempt,
                connection=connection,
                secrets=secrets,
                injected=of.call.injected,
            ),
        ),
        tool.results.dump,
    )
