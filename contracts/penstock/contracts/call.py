"""A tool call as a type: where it comes from, how it can end, and what a tool sees of an attempt.

A probe that looks a call up afterwards answers with one of the three findings.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from penstock.contracts.ids import IdempotencyKey, RunId


class Stage(StrEnum):
    """Who refuses a call."""

    CONTRACT = "contract"
    """The arguments do not fit, or something the tool needs is missing."""
    POLICY = "policy"
    """It is not allowed."""
    GATE = "gate"
    """A person said no, or nobody answered in time."""
    BUDGET = "budget"
    """A cap would be exceeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It happened, and this came of it."""

    result: object
    """The typed value, as it is loaded from what was recorded."""
    recorded: bool
    """Whether it happened before and is only recalled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It was not started."""

    stage: Stage
    code: str
    """Stable name of the reason, for programs."""
    message: str
    """What was found, and what was wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It was started, and nothing happened."""

    code: str
    """Stable name of the reason, for programs."""
    message: str
    retryable: bool
    """Whether the same call may succeed later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """It was started, and nobody knows whether it happened."""

    effect_key: str
    """The effect's key in the ledger."""
    message: str


Outcome = Done | Refused | Failed | InDoubt


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCall:
    """A call that a model asked for in a message of the thread."""

    message_id: str
    """The message's id in the state, which is the same in replays and forks."""
    position: int
    """Its place among the calls of the message, from 0."""
    provider_id: str
    """What the provider calls it; never a key, because nothing makes it unique."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCall:
    """A call that a node's code makes, or that was in no message that could be found."""

    task_id: str
    """LangGraph's id of the node's execution: the same after a crash, another in a fork."""
    index: int
    """Its place among the like calls of the tool in this execution, from 0."""
    provider_id: str | None = None
    """What a provider calls it, where a model asked for it."""


Origin = MessageCall | NodeCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a tool may know of the attempt it is run in."""

    key: IdempotencyKey
    number: int
    """From 1; the key is the same in each."""
    deadline_at: datetime
    """When the attempt is given up."""
    run_id: RunId
    """The run that calls."""


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
