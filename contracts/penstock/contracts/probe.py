"""What looking up a call can tell."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Happened:
    """The call happened, with this result."""

    result: object
    """As the tool itself would have returned it."""


@dataclass(frozen=True, slots=True)
class DidNot:
    """The call did not happen, and cannot any more."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It cannot be told; a person is asked."""

    why: str


Finding = Happened | DidNot | Unknown
