"""Secrets: named where a tool is declared, resolved where it runs, shown nowhere."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from penstock.contracts.outcome import Refused, Stage

Source = Callable[[str], str | None]
"""Returns the secret of a name, or None if there is none."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Marks a parameter that is given a secret: `token: Annotated[str, SecretRef("MAIL_TOKEN")]`.

    Only the name is ever stored.
    """

    name: str

    @property
    def is_valid(self) -> bool:
        """Whether it could be the name of an environment variable."""
        return _NAME.fullmatch(self.name) is not None


class SecretValues(Mapping[str, str]):
    """The secrets of one attempt by their names. Neither `repr` nor an error shows a value."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}=…" for name in sorted(self._values))
        return f"SecretValues({shown})"


def no_secrets() -> SecretValues:
    """Return none at all."""
    return SecretValues({})


def environment(name: str) -> str | None:
    """Return a secret from this process's environment; an empty variable is none."""
    return os.environ.get(name) or None


def resolve(names: Iterable[str], source: Source = environment) -> SecretValues | Refused:
    """Return the secrets of these names, or the refusal that names those that are missing."""
    wanted = sorted(names)
    found = {name: value for name in wanted if (value := source(name)) is not None}
    missing = [name for name in wanted if name not in found]
    if not missing:
        return SecretValues(found)
    listed = ", ".join(f"`{name}`" for name in missing)
    return Refused(
        stage=Stage.CONTRACT,
        code="secret_missing",
        message=f"The worker has no secret {listed}. Set it in the environment of the worker.",
    )
