"""A fact that a tool's author computes."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from penstock.contracts.policy import FactType
from penstock.policies.facts.extractor import Extractor, FactError, FactValue, Takes

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Own(Extractor):
    """See `fact`."""

    function: Callable[..., object]
    of: FactType
    names: tuple[str, ...]

    @property
    def kind(self) -> FactType:
        """The type of the fact."""
        return self.of

    @property
    def description(self) -> str:
        """What it is computed from."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"{name} of {', '.join(self.names)}"

    @property
    def takes(self) -> tuple[Takes, ...]:
        """The arguments that the function takes."""
        return tuple(Takes(name=name, types=frozenset()) for name in self.names)

    def read(self, taken: Mapping[str, object]) -> FactValue:
        """Return what the function says."""
        try:
            value = self.function(**taken)
        except FactError:
            raise
        except Exception as error:  # an author's function: whatever it raises denies the call
            raise FactError(f"it failed with {type(error).__name__}.") from error
        return _typed(value, self.of)


def fact(function: Callable[..., object], *, type: FactType | str) -> Own:
    """Return what computes a fact by a function of some arguments, which it takes by their names.

    It must be quick and change nothing: it runs on the worker's own loop, before each call. Where
    it raises, the call is denied. It is given plain data: texts for dates, dicts for objects.

    Raises:
        ValueError: It takes something that no argument could be.
    """
    parameters = inspect.signature(function).parameters.values()
    if not parameters or any(each.kind not in _NAMED for each in parameters):
        raise ValueError(
            "What computes a fact takes arguments of the tool by their names, and at least one."
        )
    return Own(function, FactType(type), tuple(each.name for each in parameters))


def _typed(value: object, kind: FactType) -> FactValue:
    match kind:
        case FactType.TEXT if isinstance(value, str):
            return value
        case FactType.TRUTH if isinstance(value, bool):
            return value
        case FactType.WHOLE if isinstance(value, int) and not isinstance(value, bool):
            if -(2**63) <= value < 2**63:
                return value
            raise FactError("it is beyond 64 bits.")
        case FactType.TEXTS if isinstance(value, list | tuple | set | frozenset):
            each = list(cast("list[object]", value))
            texts = [one for one in each if isinstance(one, str)]
            if len(texts) == len(each):
                return tuple(sorted(set(texts)))
        case _:
            pass
    raise FactError(f"it did not come to what it said, {kind}.")
