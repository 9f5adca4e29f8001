"""Values of channels as plain data, for people: whatever has no form in JSON becomes a text."""

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

DEPTH_LIMIT = 60
"""What lies deeper is told as Python would; JSON of this depth can still be read everywhere."""

BYTES_SHOWN = 60


def plain(value: object, *, depth: int = 0) -> Any:
    """Return a value as JSON could have it; a message has what was said in it, and its id."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if depth > DEPTH_LIMIT:
        return repr(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes: {bytes(value[:BYTES_SHOWN])!r}"
    if isinstance(value, BaseModel):
        return _of_model(value, depth)
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        return {str(name): plain(part, depth=depth + 1) for name, part in named.items()}
    if isinstance(value, Set):
        parts = [plain(part, depth=depth + 1) for part in cast("Set[object]", value)]
        return sorted(parts, key=repr)
    if isinstance(value, Sequence):
        return [plain(part, depth=depth + 1) for part in cast("Sequence[object]", value)]
    return to_jsonable_python(value, fallback=repr, inf_nan_mode="strings")


def _of_model(model: BaseModel, depth: int) -> dict[str, Any]:
    """Return the fields of a model that were set; of a message, what kind it is as well."""
    said = {
        name: plain(part, depth=depth + 1)
        for name, part in model.model_dump(exclude_defaults=True).items()
    }
    kind = getattr(model, "type", None)
    return {"type": kind, **said} if isinstance(kind, str) else said
