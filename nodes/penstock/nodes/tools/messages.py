"""The outcome of a call as its caller gets it: a message for a model, a value or error for code."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, assert_never

from langchain_core.messages import ToolMessage
from pydantic import JsonValue
from pydantic_core import to_json

from penstock.contracts.call import Done, Failed, InDoubt, Outcome, Refused, Stage
from penstock.contracts.errors import ToolFailed, ToolInDoubt, ToolRefused
from penstock.nodes.tools.results import ResultCodec, read_command

IN_DOUBT = "in_doubt"
"""The code of a call in doubt."""

WHAT_NEXT: Mapping[Stage, str] = MappingProxyType(
    {
        Stage.CONTRACT: "Nothing was done. Mend what the message says, and call again.",
        Stage.POLICY: "Nothing was done. It is not allowed: do not call again with the same"
        " arguments.",
        Stage.GATE: "Nothing was done. A person decided against it, or nobody decided: do not ask"
        " for the same again.",
        Stage.BUDGET: "Nothing was done. There is no budget for it: finish without it.",
    }
)
"""What a model may try after a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedResult:
    """The result of a tool that was adopted: the message it made, as JSON."""

    content: str | list[JsonValue]
    artifact: JsonValue
    status: str
    """`success` or `error`, as LangChain has them."""
    command: str | None = None
    """LangGraph's `Command`, where the tool answered with one; see `results`."""


def message(name: str, outcome: Outcome, *, codec: ResultCodec[Any], call_id: str) -> object:
    """Return the message that tells a model the outcome of its call.

    A result is its JSON, or itself when it is text, with the typed value as the artifact. Any other
    outcome has the status `error`, and as content a JSON object with its code, its message and what
    may be tried next. The `Command` of a tool that answered with one is returned itself.
    """
    match outcome:
        case Done(result=AdoptedResult(command=str(command))):
            return read_command(command)
        case Done(result=AdoptedResult() as adopted):
            content: Any = adopted.content
            artifact, status = adopted.artifact, adopted.status
        case Done(result=result):
            content = result if isinstance(result, str) else codec.dump(result)
            artifact, status = result, "success"
        case Refused() | Failed() | InDoubt():
            content = to_json(_error_content(outcome)).decode()
            artifact, status = None, "error"
        case _:
            assert_never(outcome)
    return ToolMessage(content, artifact=artifact, status=status, name=name, tool_call_id=call_id)


def value(name: str, outcome: Outcome) -> object:
    """Return the result.

    Raises:
        ToolRefused: It was not started.
        ToolFailed: It failed, and nothing happened.
        ToolInDoubt: Nobody knows.
    """
    match outcome:
        case Done(result=result):
            return result
        case Refused():
            raise ToolRefused(name, outcome)
        case Failed():
            raise ToolFailed(name, outcome)
        case InDoubt():
            raise ToolInDoubt(name, outcome)
        case _:
            assert_never(outcome)


def _error_content(outcome: Refused | Failed | InDoubt) -> dict[str, str]:
    match outcome:
        case Refused(code="simulated" as code):
            what_next = "Nothing was done. Go on as if it had been."
        case Refused(code="responded" as code):
            what_next = "Nothing was done. A person has answered instead: go by what they say."
        case Refused(stage=stage, code=code):
            what_next = WHAT_NEXT[stage]
        case Failed(code=code, retryable=True):
            what_next = "Nothing was done. The same call may succeed later."
        case Failed(code=code):
            what_next = "Nothing was done, and the same call would fail again. Try another way."
        case InDoubt():
            code = IN_DOUBT
            what_next = "It may have been done. Do not call it again: whoever runs this finds out."
        case _:
            assert_never(outcome)
    return {"code": code, "message": outcome.message, "what_may_be_tried": what_next}
