"""An effect: the ledger's row for one tool call, its states, and the only moves between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from penstock.contracts.ids import IdempotencyKey, RunId, ThreadId
from penstock.contracts.policy import Spend, Taint
from penstock.contracts.tool import EffectClass


class EffectStatus(StrEnum):
    """What is known of a tool call. `docs/states.md` draws the moves."""

    STARTED = "started"
    """An attempt is under way, or its worker is gone."""
    SUCCEEDED = "succeeded"
    """It happened; its result is recorded. Final."""
    FAILED = "failed"
    """It did not happen."""
    IN_DOUBT = "in_doubt"
    """Nobody knows whether it happened."""
    COMPENSATED = "compensated"
    """It may have happened, and was undone. Final."""


TRANSITIONS: Mapping[EffectStatus, frozenset[EffectStatus]] = MappingProxyType(
    {
        EffectStatus.STARTED: frozenset(
            {
                EffectStatus.STARTED,
                EffectStatus.SUCCEEDED,
                EffectStatus.FAILED,
                EffectStatus.IN_DOUBT,
            }
        ),
        EffectStatus.FAILED: frozenset({EffectStatus.STARTED}),
        EffectStatus.IN_DOUBT: frozenset(
            {EffectStatus.SUCCEEDED, EffectStatus.FAILED, EffectStatus.COMPENSATED}
        ),
        EffectStatus.SUCCEEDED: frozenset(),
        EffectStatus.COMPENSATED: frozenset(),
    },
)
"""Every move an effect can make. From `started` to `started` it goes with another attempt."""

NOT_DONE = frozenset({EffectStatus.FAILED, EffectStatus.COMPENSATED})
"""States in which nothing has happened, or not any more."""


def sources(to: EffectStatus) -> frozenset[EffectStatus]:
    """Return the states from which an effect may move to `to`."""
    return frozenset(status for status, targets in TRANSITIONS.items() if to in targets)


class DoubtAnswer(StrEnum):
    """What a person may answer about an effect in doubt."""

    HAPPENED = "happened"
    """It happened, with this result."""
    DID_NOT = "did_not"
    """It did not happen, and is not to be tried again."""
    RETRY = "retry"
    """It is to be tried again, with the same key."""
    COMPENSATE = "compensate"
    """It is to be undone, whether it happened or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEffect:
    """What has to be known to begin a tool call."""

    key: IdempotencyKey
    tenant: str
    run_id: RunId
    thread_id: ThreadId
    lineage: ThreadId
    """The thread that this one was copied from, first of all; itself if it was not."""
    tool: str
    tool_version: str
    effect: EffectClass
    arguments: str
    """As canonical JSON, without what nobody is to be shown."""
    digest: str
    """Tells these arguments from others: 64 hex digits."""
    business_key: str | None
    """Protects across runs; None if the tool has none."""
    timeout_s: float
    margin_s: float
    """How long after its deadline an attempt may still land."""
    key_lifetime_s: float | None
    """How long the service remembers the key; None if it knows none."""
    can_be_looked_up: bool
    answer_schema: str
    """JSON Schema of what a person may answer, should it be in doubt."""
    taints: frozenset[Taint] = frozenset()
    """What its result carries, whatever becomes of it."""
    spend: Spend | None = None
    """What it spends, where its contract names that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect as it is stored."""

    key: IdempotencyKey
    tenant: str
    run_id: RunId
    """Of the run that called it last."""
    thread_id: ThreadId
    lineage: ThreadId
    tool: str
    tool_version: str
    effect: EffectClass
    arguments: str
    digest: str
    business_key: str | None
    status: EffectStatus
    attempt: int
    """The number of the newest attempt, from 1. A report of an older one counts for nothing."""
    epoch: int
    """Of the run, when the newest attempt began."""
    first_started_at: datetime
    started_at: datetime
    """When the newest attempt began."""
    settles_at: datetime
    """When the newest attempt can no longer land: its deadline and the margin."""
    ended_at: datetime | None
    """When it last ceased to be under way."""
    result: str | None
    """As JSON; only an effect that succeeded has one."""
    error_code: str | None
    error_message: str | None
    """What the newest attempt came to, if not to a result."""
    error_retryable: bool
    """Whether an effect that failed is tried again when it is called again."""
    wants_undoing: bool
    """Whether a person decided that it be compensated."""


class ReportKind(StrEnum):
    """What is reported of an effect."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    LOOKED_UP = "looked_up"
    """Its probe was asked, and could not tell."""
    DECIDED = "decided"
    """A person answered."""
    COMPENSATED = "compensated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One line of an effect's story: the evidence for whoever decides about it."""

    attempt: int
    kind: ReportKind
    at: datetime
    actor: str
    """A worker's id, or a person's."""
    detail: str | None
    """An error, a finding, or an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedTool:
    """A tool as the ledger knows it: from calls that were begun."""

    name: str
    version: str
    """As of the newest call, like its class."""
    effect: EffectClass
    call_count: int
    last_started_at: datetime
