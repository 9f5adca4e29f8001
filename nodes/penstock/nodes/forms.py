"""The form of an answer: a JSON Schema of what a question of a graph may be answered with."""

from typing import Any

from langgraph.types import Interrupt
from pydantic_core import to_json


def question_json(interrupt: Interrupt[Any]) -> str:
    """Return what is asked, as JSON."""
    return as_json(interrupt.value)


def answer_schema(interrupt: Interrupt[Any]) -> str | None:
    """Return the JSON Schema of the answer, as JSON; None where anything may be answered."""
    given = interrupt.response_schema
    return None if given is None else as_json(given)


def as_json(value: object) -> str:
    """Return a value as JSON; what JSON does not have, as it is printed."""
    return to_json(value, fallback=repr).decode()
