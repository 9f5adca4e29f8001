"""Where a path leads."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.contracts.policy import FactType
from penstock.policies.facts.extractor import Extractor, FactError, Takes, text_of


@dataclass(frozen=True, slots=True)
class RealPath(Extractor):
    """See `real_path`."""

    argument: str
    root: str | None

    @property
    def kind(self) -> FactType:
        """The type of the fact."""
        return FactType.TEXT

    @property
    def description(self) -> str:
        """What it is computed from."""
        below = "" if self.root is None else f" from {self.root}"
        return f"real path of {self.argument}{below}"

    @property
    def takes(self) -> tuple[Takes, ...]:
        """The argument with the path."""
        return (Takes(name=self.argument, types=frozenset({"string"})),)

    def read(self, taken: Mapping[str, object]) -> str:
        """Return the path."""
        path = text_of(taken, self.argument)
        if not path or "\0" in path:
            raise FactError(f"`{self.argument}` is no path.")
        if self.root is None and not os.path.isabs(path):  # noqa: PTH117  (as the system sees it)
            raise FactError(f"`{self.argument}` is a relative path, and nothing says from where.")
        try:
            found = os.path.realpath(path if self.root is None else os.path.join(self.root, path))  # noqa: PTH118  (a `Path` would drop what the system sees)
            found.encode()
        except (OSError, ValueError) as error:
            raise FactError(f"`{self.argument}` leads nowhere.") from error
        return found


def real_path(argument: str, root: str | os.PathLike[str] | None = None) -> RealPath:
    """Return what computes where a path leads: absolute, without `..`, its links followed.

    It says what was so at the decision; who can change links in between is not held by it.

    Args:
        argument: Its name.
        root: From where a relative path counts, for the tool too; without it one is refused,
            because a tool may run in another folder than its worker.

    Raises:
        ValueError: The root is a relative path itself.
    """
    if root is not None and not os.path.isabs(root):  # noqa: PTH117  (as the system sees it)
        raise ValueError(f"The root `{root}` is relative; wanted is an absolute path.")
    return RealPath(argument, None if root is None else os.fspath(root))
