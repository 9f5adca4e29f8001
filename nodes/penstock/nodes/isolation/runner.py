"""Runs a job in the process that was forked for it: import, check, call, answer."""

import asyncio
import importlib
import json
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from penstock.contracts.call import Refused
from penstock.contracts.errors import (
    InvalidResult,
    PenstockError,
    Permanent,
    RefusedByService,
    Retryable,
    ToolError,
)
from penstock.nodes.isolation import sandbox
from penstock.nodes.isolation.protocol import Job, Problem, Returned
from penstock.nodes.secrets import SecretRedactor, SecretValues
from penstock.nodes.tools.supplies import Supplies, Supply
from penstock.nodes.tools.tool import Tool

_MESSAGE_LENGTH = 4_000
_TRACEBACK_LENGTH = 16_000
_TRACEBACK_FRAMES = 40


class _Unfit(Exception):
    """The job cannot be started."""


def run_job(
    job: Job, *, calling: Callable[[], None], result_bytes: int = 1 << 24
) -> Returned | Problem:
    """Make the attempt, and return its result or problem.

    Args:
        job: The attempt.
        calling: Called right before the function; until then nothing has happened.
        result_bytes: The longest result that is accepted.
    """
    redaction = SecretRedactor(job.secrets.values())
    try:
        tool, keywords = _prepare(job)
        span = _span_of(job.traceparent)
    except BaseException as error:
        return _problem("not_started", error, redaction)
    calling()
    try:
        with span:
            result = _call(tool, keywords)
        return Returned(result=_dump(tool, result, redaction, limit=result_bytes))
    except BaseException as error:
        return _problem(_kind(error), error, redaction)


def _prepare(job: Job) -> tuple[Tool[Any], dict[str, object]]:
    tool = find_tool(job.import_path)
    checked = tool.check(json.loads(job.arguments))
    if isinstance(checked, Refused):
        raise _Unfit(checked.message)
    named = {name: job.secrets[name] for name in tool.contract.secrets if name in job.secrets}
    missing = sorted(tool.contract.secrets - named.keys())
    if missing:
        raise _Unfit(
            f"the job came without the secret {', '.join(f'`{name}`' for name in missing)}"
        )
    sandbox.add_variables(named)
    injected = {
        each.name: job.call_id
        for each in tool.signature.injected
        if each.supply is Supply.CALL_ID and job.call_id is not None
    }
    supplies = Supplies(attempt=job.attempt, secrets=SecretValues(named), injected=injected)
    return tool, tool.keywords(checked, supplies)


def find_tool(import_path: str) -> Tool[Any]:
    """Import the tool of a function.

    Raises:
        Exception: It is not there; or whatever its module raises.
    """
    module_name, _, path = import_path.partition(":")
    module = importlib.import_module(module_name)
    found: object = module
    for name in path.split("."):
        found = getattr(found, name)
    if isinstance(found, Tool):
        return cast(Tool[Any], found)
    # `refund_tool = tool(refund)`: the function kept its name, and the tool has another.
    for each in cast("dict[str, object]", vars(module)).values():
        if isinstance(each, Tool) and cast(Tool[Any], each).function is found:
            return cast(Tool[Any], each)
    raise _Unfit(f"`{import_path}` is no tool, and no name of its module is the tool made of it")


def _span_of(traceparent: str | None) -> AbstractContextManager[None]:
    if traceparent is None:
        return nullcontext()
    # Imported only where something is traced: each process would wait for it.
    from penstock.traces.propagation import continue_trace  # noqa: PLC0415

    return continue_trace(traceparent)


def _call(tool: Tool[Any], keywords: dict[str, object]) -> object:
    made: Any = tool.function(**keywords)
    if not tool.is_async:
        return made
    loop = asyncio.new_event_loop()
    try:
        # Tasks and threads that it leaves running end with the process.
        return loop.run_until_complete(made)
    finally:
        loop.close()


def _dump(tool: Tool[Any], result: object, redaction: SecretRedactor, *, limit: int) -> str:
    text = tool.results.dump(result)
    clean = redaction.json(text)
    if clean != text:
        try:
            tool.results.load(clean)
        except ValueError:
            # Not chained: the error would show the result.
            raise InvalidResult(
                "The tool returned a secret of its own, without which the result is not what its"
                " annotation says. Leave it out."
            ) from None
    if len(clean.encode()) > limit:
        raise InvalidResult(
            f"The tool returned {len(clean.encode())} bytes of JSON, of {limit} allowed."
            " Store what is large, and return where it is."
        )
    return clean


def _kind(error: BaseException) -> Any:
    match error:
        case Retryable():
            return "retryable"
        case Permanent():
            return "permanent"
        case RefusedByService():
            return "refused"
        case ToolError():
            return "tool_error"
        case InvalidResult():
            return "invalid_result"
        case _:
            return "raised"


def _problem(what: Any, error: BaseException, redaction: SecretRedactor) -> Problem:
    trace = "".join(traceback.format_exception(error, limit=-_TRACEBACK_FRAMES))
    return Problem(
        what=what,
        type_name=_clean(type(error).__qualname__, redaction)[:200],
        code=error.code if isinstance(error, PenstockError) else "",
        message=_clean(_message(error), redaction)[:_MESSAGE_LENGTH],
        traceback=_clean(trace, redaction)[-_TRACEBACK_LENGTH:],
        after_s=error.after_s if isinstance(error, Retryable) else None,
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be had)"


def _clean(text: str, redaction: SecretRedactor) -> str:
    """Redact a text before it is cut, so that no half of a secret is left."""
    return redaction.text(text).encode(errors="replace").decode()
