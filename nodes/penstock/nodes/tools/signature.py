"""The signature of a function: its arguments and injected parameters, its result, its docstring."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from penstock.contracts.errors import InvalidContract
from penstock.nodes.tools.supplies import (
    REQUIRED,
    Injected,
    Supplies,
    Supply,
    hides_a_supply,
    injected_parameter,
)

RESERVED = "runtime"
"""LangGraph's `ToolNode` puts its own value into any argument of this name."""
_SECTION = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Examples?|Note):\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^ {2,8}(\w+)(?: *\([^)]*\))?: *(.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A parameter whose value a model writes."""

    name: str
    annotation: Any
    default: Any
    """The default; `REQUIRED` where there is none."""

    @property
    def is_required(self) -> bool:
        """Whether a call must give it."""
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The parameters and the result of a function."""

    arguments: tuple[Argument, ...]
    injected: tuple[Injected, ...]
    result: Any
    """The annotation of its result; of the awaited one, where it is asynchronous."""
    is_async: bool

    def supplies(self) -> frozenset[Supply]:
        """Return what the runtime supplies beside its arguments."""
        return frozenset(parameter.supply for parameter in self.injected)

    def bind(self, values: Mapping[str, object], supplies: Supplies) -> dict[str, object]:
        """Return the keywords with which to call the function.

        Arguments that the function does not take are left out, so that a probe may take fewer than
        its tool.

        Raises:
            KeyError: A supply is missing; the error names the parameter.
        """
        arguments = {each.name: values[each.name] for each in self.arguments if each.name in values}
        return arguments | {each.name: supplies.of(each) for each in self.injected}


@dataclass(frozen=True, slots=True, kw_only=True)
class Docstring:
    """A docstring in Google's style, parsed."""

    description: str
    """The text before the first section."""
    arguments: Mapping[str, str]


def invalid(function: Callable[..., object], found: str, wanted: str) -> InvalidContract:
    """Return the error that refuses a declaration.

    Args:
        function: The tool's function, which is named with its file and line.
        found: A sentence about what it declares.
        wanted: A sentence about what it may declare instead.
    """
    return InvalidContract(f"{location_of(function)}: {found} {wanted}")


def location_of(function: Callable[..., object]) -> str:
    """Return a function's name, with its file and line where it has them."""
    bare = inspect.unwrap(function)
    name = getattr(bare, "__qualname__", type(bare).__name__)
    code = getattr(bare, "__code__", None)
    if code is None:
        return f"`{name}`"
    return f"`{name}` ({Path(code.co_filename).name}, line {code.co_firstlineno})"


def import_path(function: Callable[..., object]) -> str | None:
    """Return `module:name`, by which another process can import a function; None where none can."""
    name: str = getattr(function, "__qualname__", "")
    module: str = getattr(function, "__module__", None) or "__main__"
    if module == "__main__" or not name or "<" in name:
        return None
    return f"{module}:{name}"


def read_signature(function: Callable[..., object]) -> Signature:
    """Read a function's signature.

    Raises:
        InvalidContract: A parameter has no type, no name or a name that is taken; or nothing says
            what the function returns.
    """
    hints = _hints(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise invalid(function, "It is a generator.", "Return the whole result at once.")
    if "return" not in hints:
        raise invalid(
            function,
            "Nothing says what it returns.",
            "Annotate the result, with `None` if there is none: it is recorded by its type.",
        )
    arguments: list[Argument] = []
    injected: list[Injected] = []
    for parameter in inspect.signature(function).parameters.values():
        read = _read(function, parameter, hints)
        if isinstance(read, Injected):
            injected.append(read)
        else:
            arguments.append(read)
    return Signature(
        arguments=tuple(arguments),
        injected=tuple(injected),
        result=hints["return"],
        is_async=inspect.iscoroutinefunction(function),
    )


def read_docstring(function: Callable[..., object]) -> Docstring:
    """Parse a function's docstring; a function without one has an empty description."""
    parts = _SECTION.split(inspect.getdoc(function) or "")
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    listed = sections.get("Args", sections.get("Arguments", ""))
    return Docstring(description=parts[0].strip(), arguments=_arguments(listed))


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    if not inspect.isroutine(function):
        raise invalid(function, "It is no function.", "Give `tool` a function.")
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise invalid(
            function,
            f"Its annotations cannot be read: {error}.",
            "Name only types that its module has when the tool is declared.",
        ) from error


def _read(
    function: Callable[..., object], parameter: inspect.Parameter, hints: Mapping[str, Any]
) -> Argument | Injected:
    name = parameter.name
    if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        raise invalid(
            function,
            f"Its parameter `{name}` cannot be given by name.",
            "Calls are recorded by name: take no `*args`, `**kwargs` or positional-only ones.",
        )
    if name not in hints:
        raise invalid(
            function, f"Its parameter `{name}` has no type.", "Annotate it: calls are checked."
        )
    annotation = hints[name]
    injected = injected_parameter(name, annotation, default=parameter.default)
    if injected is not None:
        return injected
    if hides_a_supply(annotation):
        raise invalid(
            function,
            f"The annotation of `{name}` has something in it that only the runtime may give.",
            "Annotate the parameter with that alone.",
        )
    if name == RESERVED or name.startswith(("_", "model_")):
        raise invalid(
            function,
            f"Its argument is named `{name}`, which LangGraph or Pydantic keep for themselves.",
            "Give it another name.",
        )
    return Argument(name=name, annotation=annotation, default=parameter.default)


def _arguments(listed: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name = depth = None
    for line in listed.splitlines():
        indent = len(line) - len(line.lstrip())
        match = _ARGUMENT.match(line)
        if match is not None and (depth is None or indent <= depth):
            name, depth = match[1], indent
            found[name] = match[2].strip()
        elif name is not None and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found
