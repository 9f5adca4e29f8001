"""Documents: views as JSON."""

import json
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic import TypeAdapter

View = TypeVar("View")


def document_data(view: object) -> Any:
    """Return a view as plain data: what JSON has of it, in dicts, lists, texts and numbers."""
    return json_data(_adapter(type(view)).dump_python(view, by_alias=True))


def json_data(value: object) -> Any:
    """Return any value as plain data; what has no form in JSON as Python would show it."""
    from pydantic_core import to_jsonable_python  # noqa: PLC0415  (`--help` does without Pydantic)

    return to_jsonable_python(value, fallback=repr, inf_nan_mode="constants")


def extended(view: "DataclassInstance", kind: type[View], **more: object) -> View:
    """Return a view of a wider kind: with all that `view` has, and more."""
    return kind(**{field.name: getattr(view, field.name) for field in fields(view)}, **more)


@lru_cache
def _adapter(kind: type[View]) -> "TypeAdapter[View]":
    from pydantic import TypeAdapter  # noqa: PLC0415  (likewise)

    return TypeAdapter(kind)


def json_text(data: object) -> str:
    """Return plain data as indented JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False)
