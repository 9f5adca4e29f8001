"""Messages in an input: which fields take them, and the forms they may have.

A channel of messages takes more than its type says: a message, a list of them, a text, a pair of
role and text, OpenAI's dictionaries and LangChain's own. What LangChain can read is right.
"""

from typing import Any, cast, get_args

from langchain_core.messages import BaseMessage, convert_to_messages
from langgraph.graph.message import add_messages
from pydantic import JsonValue


def is_message(value: object) -> bool:
    """Tell whether this is one of LangChain's messages."""
    return isinstance(value, BaseMessage)


def takes_messages(hint: Any) -> bool:
    """Tell whether a field of this type, with its annotations, holds messages."""
    if isinstance(hint, type) and issubclass(hint, BaseMessage):
        return True
    annotations: tuple[object, ...] = getattr(cast(object, hint), "__metadata__", ())
    return add_messages in annotations or any(takes_messages(part) for part in get_args(hint))


def message_to_json(message: Any) -> dict[str, Any]:
    """Write a message as the dictionary that LangChain reads it from, without what was not said."""
    said = message.model_dump(mode="json", exclude_defaults=True)
    return {"type": message.type, "content": message.content, **said}


def read_messages(value: JsonValue) -> list[Any]:
    """Read messages in any form that LangChain knows.

    Raises:
        ValueError: One has no form that LangChain knows; the error says which and why.
    """
    given = value if isinstance(value, list) else [value]
    read: list[Any] = []
    for number, one in enumerate(given):
        try:
            read += convert_to_messages([one])  # pyright: ignore[reportArgumentType] (it may be none)
        except (ValueError, TypeError, NotImplementedError, KeyError) as error:
            reason = str(error).partition("\n")[0].partition(", got ")[0]
            raise UnreadableMessage(number, reason) from error
    return read


class UnreadableMessage(ValueError):
    """One of several messages has no form that LangChain knows."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        """Its place among the messages, from 0."""
