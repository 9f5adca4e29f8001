"""LangGraph's `Command` as text, for tools that answer with one: a hand-off to another agent.

It is written as LangGraph's checkpoints are, with the types that these may hold. LangGraph is
imported when a first one is seen.
"""

import base64
from typing import cast


def write_command(command: object) -> str:
    """Return a command as text.

    Raises:
        TypeError: There is something in it that a checkpoint could not keep either.
    """
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer  # noqa: PLC0415  (slow)

    kind, data = JsonPlusSerializer(pickle_fallback=False).dumps_typed(command)
    return f"{kind}:{base64.b64encode(data).decode()}"


def read_command(text: str) -> object:
    """Return a command that `write_command` has written."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer  # noqa: PLC0415  (slow)

    kind, _, data = text.partition(":")
    return JsonPlusSerializer(pickle_fallback=False).loads_typed((kind, base64.b64decode(data)))


def is_command(answered: object) -> bool:
    """Tell whether a tool answered with a `Command`, or several; LangGraph knows them so too."""
    several = cast("list[object]", answered) if isinstance(answered, list) else [answered]
    return any(type(each).__module__ == "langgraph.types" for each in several)
