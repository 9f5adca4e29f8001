"""What a function's docstring tells: the description, and its arguments in Google's style."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_SECTION = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Examples?|Note):\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^ {2,8}(\w+)(?: *\([^)]*\))?: *(.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Docstring:
    """A docstring, taken apart."""

    description: str
    """All that comes before the first section."""
    arguments: Mapping[str, str]


def read_docstring(function: Callable[..., object]) -> Docstring:
    """Take a function's docstring apart; what has none has an empty description."""
    parts = _SECTION.split(inspect.getdoc(function) or "")
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    listed = sections.get("Args", sections.get("Arguments", ""))
    return Docstring(description=parts[0].strip(), arguments=_arguments(listed))


def _arguments(listed: str) -> dict[str, str]:
    told: dict[str, str] = {}
    name = depth = None
    for line in listed.splitlines():
        indent = len(line) - len(line.lstrip())
        found = _ARGUMENT.match(line)
        if found is not None and (depth is None or indent <= depth):
            name, depth = found[1], indent
            told[name] = found[2].strip()
        elif name is not None and line.strip():
            told[name] = f"{told[name]} {line.strip()}".strip()
    return told
