"""A key that protects across runs, made of a call's arguments: `refund:{order_id}`."""

import inspect
import string
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from penstock.nodes.tools.place import invalid

KeyMaker = str | Callable[..., str]
"""A template of the arguments' names, or a function that takes some of the arguments."""

_SHOWN = " @,+"
"""What stays readable in a value beside letters, digits and `_.-~`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessKey:
    """Makes the business keys of one tool."""

    make: KeyMaker
    names: tuple[str, ...]
    """The arguments it is made of."""

    def of(self, values: Mapping[str, object]) -> str:
        """Return the key of a call with these arguments.

        In a template, what separates the parts of a key is quoted in the values, so that no two
        calls come to one key by their punctuation.
        """
        taken = {name: values[name] for name in self.names}
        if isinstance(self.make, str):
            shown = {name: quote(str(value), safe=_SHOWN) for name, value in taken.items()}
            return self.make.format_map(shown)
        return self.make(**taken)


def business_key(
    function: Callable[..., object], make: KeyMaker, *, arguments: Collection[str]
) -> BusinessKey:
    """Make what makes a tool's business keys.

    Raises:
        InvalidContract: It speaks of something that is no argument of the tool, or of none.
    """
    names = _fields(function, make) if isinstance(make, str) else _parameters(function, make)
    unknown = [name for name in names if name not in arguments]
    if unknown or not names:
        listed = ", ".join(f"`{name}`" for name in arguments) or "none"
        found = f"`{unknown[0]}`" if unknown else "no argument at all"
        raise invalid(
            function, f"Its business key is made of {found}.", f"Its arguments are {listed}."
        )
    return BusinessKey(make=make, names=names)


def _fields(function: Callable[..., object], template: str) -> tuple[str, ...]:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise invalid(
            function,
            f"Its business key `{template}` is no template: {error}.",
            "Write one like `refund:{order_id}`.",
        ) from error
    for _, name, form, conversion in parsed:
        if name is not None and (form or conversion):
            raise invalid(
                function,
                f"Its business key formats `{name}`.",
                "Write the bare name in braces, or give a function of the arguments.",
            )
    return tuple(dict.fromkeys(name for _, name, _, _ in parsed if name is not None))


def _parameters(function: Callable[..., object], make: Callable[..., str]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(make).parameters)
    except ValueError as error:
        raise invalid(
            function,
            "What makes its business key does not say what it takes.",
            "Give a template, or a function of your own.",
        ) from error
