"""A policy: what is decided about a tool call, on what grounds, and by which version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from penstock.contracts.ids import IdempotencyKey, RunId

HOUR_S = 60 * 60.0


class Taint(StrEnum):
    """What a run has read, and what its later calls may therefore carry."""

    UNTRUSTED = "untrusted"
    """Text that somebody outside wrote, and that may talk a model into something."""
    PRIVATE = "private"
    """Data that must not leave the house."""


class FactType(StrEnum):
    """The type of a fact in a policy."""

    TEXT = "text"
    WHOLE = "whole"
    """A whole number of 64 bits."""
    TRUTH = "truth"
    TEXTS = "texts"
    """A set of texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a tool contract says of a fact about its calls: what computes it is beside the tool."""

    type: FactType
    is_optional: bool
    """Whether a call may lack it; a policy then has to ask `context.facts has …` first."""
    description: str
    """What it is computed from, for people: `real path of path`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What a call spends, by its arguments."""

    minor: int
    """In the currency's minor units: 250 is 2.50 EUR, and 250 JPY."""
    currency: str
    """Its ISO 4217 code."""


class Verdict(StrEnum):
    """What a policy says of a call. Each is stricter than the one before."""

    ALLOW = "allow"
    ASK = "ask"
    """It may happen once people have approved it."""
    DENY = "deny"


class OnExpiry(StrEnum):
    """What becomes of a call whose gate nobody decided in time. Silence never approves."""

    DENY = "deny"
    """The call is refused, and the graph goes on."""
    FAIL = "fail"
    """The run fails as `gate_expired`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRule:
    """What one policy of the set `gates` asks for."""

    id: str
    """The policy's `@id`."""
    group: str
    """Whose members decide."""
    approval_count: int = 1
    """How many of them must approve."""
    expires_s: float = 24 * HOUR_S
    """How long they have for it."""
    on_expiry: OnExpiry = OnExpiry.DENY
    may_confirm_self: bool = False
    """Whether whoever the run acts for may approve as well."""
    escalates_s: float | None = None
    """After how long without a decision `escalates_to` may decide as well; None for never."""
    escalates_to: str | None = None
    """Another group; only where `escalates_s` is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """For whom a run acts, and through which agent: what it may do is what both may."""

    user: str
    """Who started the run."""
    agent: str
    """The graph's name."""
    tenant: str
    """Whose user it is."""
    roles: frozenset[str]
    """The user's."""
    groups: frozenset[str]
    """The user's."""
    scopes: frozenset[str]
    """Those that user and agent both have."""
    has_every_scope: bool = False
    """Whether no scope is refused it: user and agent both have `*`, or nobody said who is who."""
    has_every_role: bool = False
    """Whether it has every role and group that a policy names: nobody said who is who."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a decision rests on. It is recorded, so that it can be decided anew."""

    tool: str
    tool_version: str
    tenant: str
    """Of the run."""
    principal: Principal
    args: Mapping[str, object]
    """The checked arguments as plain data, without those that nobody is to be shown."""
    facts: Mapping[str, object]
    """What the runtime computed: the facts of every call, and those that the contract names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a policy says of a request, and why."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """The `@id`s of the policies that decided; none where nothing permits the call."""
    message: str
    """The same as a sentence, for the model and for people."""
    rules: tuple[GateRule, ...] = ()
    """The gates that it needs; only where the verdict is to ask."""
    shadow: Verdict | None = None
    """What it would be with the policies in shadow mode; None where that is the same."""
    shadow_reasons: tuple[str, ...] = ()
    """The `@id`s of the policies in shadow mode that make the difference."""


class PolicySetName(StrEnum):
    """The two sets of a policy; also the names of its folders."""

    ALLOW = "allow"
    """Permits and forbids: without a permit a call is denied, and a forbid wins."""
    GATES = "gates"
    """Permits that mean: this call also needs a gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """One file of a policy."""

    set: PolicySetName
    name: str
    """Its name within the set's folder: `payments.cedar`."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """The text of a policy as one version: every file of both sets."""

    files: tuple[PolicyFile, ...]
    """Sorted by set and name."""
    digest: str
    """Tells one version from another: 64 hex digits over names and texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A policy as the store keeps it, for the graph whose calls it decides about."""

    graph: str
    number: int
    """Counts the versions of the graph's policy from 1; its name is `graph@number`."""
    source: PolicySource
    loaded_at: datetime
    loaded_by: str
    is_active: bool
    """Whether it decides now."""

    @property
    def name(self) -> str:
        """What people call it by."""
        return f"{self.graph}@{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """That a version of a graph's policy was made to decide."""

    number: int
    """Of the version."""
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDecision:
    """A decision as the store keeps it: what was asked, what was said, and by which version."""

    tenant: str
    run_id: RunId
    graph: str
    effect_key: IdempotencyKey
    """Of the call."""
    policy_digest: str
    request: Request
    decision: Decision
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTally:
    """How many calls the same was said of."""

    decision: Decision
    call_count: int
    worded: str
    """The decision as the store has it, by which such calls are found."""


class DenialReason(StrEnum):
    """Stands among the reasons of a decision like a policy's `@id`, which may be none of these."""

    TENANT = "tenant"
    """Whoever the run acts for belongs to another tenant."""
    SCOPES = "scopes"
    """User and agent do not both have a scope that the tool wants."""
    UNKNOWN_TOOL = "unknown_tool"
    """The policy was made without this tool."""
    TOO_LARGE = "too_large"
    """A number that a policy looks at is beyond what it can compare, or finer."""
    UNFIT = "unfit"
    """An argument or a fact that a policy looks at is not what the contract says."""
    FACT = "fact"
    """A fact could not be computed."""
    ERROR = "evaluation_error"
    """A policy could not be evaluated; one that errs would else be skipped, a forbid too."""
