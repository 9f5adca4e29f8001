"""What a fact is computed by: a small thing that takes some arguments of a call."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.contracts.policy import FactType

FactValue = str | int | bool | tuple[str, ...]
"""What a fact may be; a set of texts is a sorted tuple."""


class FactError(Exception):
    """A fact cannot be computed of what a call was given, so the call is denied.

    The text is a sentence for the model and for people; it does not tell the value.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """An argument that an extractor takes."""

    name: str
    types: frozenset[str]
    """JSON Schema's names of what it may be, `array of string` for lists; empty for anything."""


class Extractor(ABC):
    """Computes a fact of a call's arguments; a frozen value, made where the tool is declared."""

    __slots__ = ()

    @property
    @abstractmethod
    def kind(self) -> FactType:
        """The type of the fact."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What it is computed from, for people: `real path of path`."""

    @property
    @abstractmethod
    def takes(self) -> tuple[Takes, ...]:
        """The arguments that it takes."""

    def compute(self, arguments: Mapping[str, object]) -> FactValue | None:
        """Return the fact; None where an argument that it takes is absent or null.

        Args:
            arguments: All of the call, as plain data.

        Raises:
            FactError: It cannot be computed.
        """
        taken = {each.name: arguments.get(each.name) for each in self.takes}
        if any(value is None for value in taken.values()):
            return None
        return self.read(taken)

    @abstractmethod
    def read(self, taken: Mapping[str, object]) -> FactValue:
        """Return the fact of arguments that are all there.

        Raises:
            FactError: It cannot be computed.
        """


def compute_facts(
    extractors: Mapping[str, Extractor], arguments: Mapping[str, object]
) -> dict[str, FactValue]:
    """Return all facts of a call but those that are absent.

    Raises:
        FactError: One cannot be computed; the sentence names it.
    """
    found: dict[str, FactValue] = {}
    for name, extractor in extractors.items():
        try:
            value = extractor.compute(arguments)
        except FactError as error:
            raise FactError(f"The fact `{name}` cannot be computed: {error}") from error
        if value is not None:
            found[name] = value
    return found


def text_of(taken: Mapping[str, object], name: str) -> str:
    """Return an argument that has to be a text.

    Raises:
        FactError: It is none.
    """
    value = taken[name]
    if not isinstance(value, str):
        raise FactError(f"`{name}` is no text.")
    return value
