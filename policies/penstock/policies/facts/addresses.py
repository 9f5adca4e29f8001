"""The domains to which mail goes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from penstock.contracts.policy import FactType
from penstock.policies.facts.extractor import Extractor, FactError, Takes
from penstock.policies.facts.hosts import host_name

_BARE = r"(?P<local>[A-Za-z0-9#$&'*+/=?^_`{|}~.-]+)@(?P<domain>[^\s@<>()\[\],;:\"\\%!]+)"
_ADDRESS = re.compile(_BARE)
_NAMED = re.compile(rf"[^<>@,;:\"\\()\[\]\x00-\x1f\x7f]*<{_BARE}>")


@dataclass(frozen=True, slots=True)
class RecipientDomains(Extractor):
    """See `recipient_domains`."""

    argument: str

    @property
    def kind(self) -> FactType:
        """The type of the fact."""
        return FactType.TEXTS

    @property
    def description(self) -> str:
        """What it is computed from."""
        return f"domains of the addresses in {self.argument}"

    @property
    def takes(self) -> tuple[Takes, ...]:
        """The argument with the addresses."""
        return (Takes(name=self.argument, types=frozenset({"string", "array of string"})),)

    def read(self, taken: Mapping[str, object]) -> tuple[str, ...]:
        """Return the domains, each once, sorted."""
        value = taken[self.argument]
        each = list(cast("list[object]", value)) if isinstance(value, list | tuple) else [value]
        return tuple(sorted({_domain(one, f"`{self.argument}`") for one in each}))


def recipient_domains(argument: str) -> RecipientDomains:
    """Return what computes the domains of mail addresses: of one in a text, or of a list of them.

    An address is `ann@example.org` or `Ann <ann@example.org>`, one in each text. What mail programs
    read in different ways is refused: quotes, comments, several addresses, routes with `%` or `!`.
    """
    return RecipientDomains(argument)


def _domain(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise FactError(f"{where} has something in it that is no address.")
    text = value.strip(" ")
    found = _ADDRESS.fullmatch(text) or _NAMED.fullmatch(text)
    if found is None:
        raise FactError(
            f"{where} is not one plain address, as in `ann@example.org` or `Ann <ann@example.org>`."
        )
    return host_name(found.group("domain"), where)
