"""Views of the store and the installation: migrations, retention, health, projects and accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What a migration did."""

    store: str
    before: str | None
    """None where there was no store."""
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """An example project that was written."""

    files: Sequence[str]
    store: str
    before: str | None
    next: str
    """The command to type next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionReport:
    """How long what is kept, and how much is older now."""

    runs_days: int | None
    audit_days: int
    old_runs: int
    old_events: Mapping[str, int]
    """By tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    todo: str = ""
    """What to do about it; only where something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What is wrong with an installation."""

    ok: bool
    checks: Sequence[Check]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAccount:
    """An account whose password was set."""

    account: str
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedAccount:
    """An account that is not there any more."""

    account: str
    removed: bool
    """Whether it was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that ran until it was told to stop."""

    ended: str
    """How."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedPrograms(Ended):
    """Programs that ran until they were told to stop."""

    parts: Sequence[str]
