"""A function's signature: which parameters a model gives, which the runtime, what it returns."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from penstock.nodes.tools.place import invalid
from penstock.nodes.tools.supplies import (
    REQUIRED,
    Injected,
    Supplies,
    Supply,
    hides_a_supply,
    recognise,
)

RESERVED = "runtime"
"""LangGraph's `ToolNode` puts its own value into any argument of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A parameter that a model gives."""

    name: str
    annotation: Any
    default: Any
    """`REQUIRED` where there is none."""

    @property
    def is_required(self) -> bool:
        """Whether a call must give it."""
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes and returns."""

    arguments: tuple[Argument, ...]
    injected: tuple[Injected, ...]
    result: Any
    """The annotation of what it returns; awaited, where it is asynchronous."""
    is_async: bool

    def supplies(self) -> frozenset[Supply]:
        """Return what it is given beside its arguments."""
        return frozenset(parameter.supply for parameter in self.injected)

    def bind(self, values: Mapping[str, object], supplies: Supplies) -> dict[str, object]:
        """Return the keywords with which to call the function.

        Arguments that the function does not take are left out, so that a probe may take fewer than
        its tool.

        Raises:
            KeyError: A supply is missing; the error names the parameter.
        """
        given = {each.name: values[each.name] for each in self.arguments if each.name in values}
        return given | {each.name: supplies.of(each) for each in self.injected}


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
        given = _read(function, parameter, hints)
        if isinstance(given, Injected):
            injected.append(given)
        else:
            arguments.append(given)
    return Signature(
        arguments=tuple(arguments),
        injected=tuple(injected),
        result=hints["return"],
        is_async=inspect.iscoroutinefunction(function),
    )


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
    given = recognise(name, annotation, default=parameter.default)
    if given is not None:
        return given
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
