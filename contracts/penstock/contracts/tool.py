"""A tool contract: what the runtime must know of a tool before it may call it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from penstock.contracts.policy import Fact, Taint

JsonSchema = Mapping[str, object]
"""A JSON Schema as plain data."""

DAY_S = 24 * 60 * 60.0


class EffectClass(StrEnum):
    """What it means that a worker died after a call was started and before it was settled."""

    READ = "read"
    """Nothing was changed: run it again."""
    IDEMPOTENT = "idempotent"
    """Doing it twice is doing it once: run it again with the same arguments."""
    TRANSACTIONAL = "transactional"
    """It was rolled back with the transaction it ran in: run it again."""
    KEYED = "keyed"
    """The service knows the call by its key: run it again with the same key, while that lives."""
    PROBE = "probe"
    """It may have happened: look it up, once it can no longer land."""
    UNSAFE = "unsafe"
    """It may have happened, and nobody but a person can find out: ask one."""


REPEATABLE = frozenset(
    {EffectClass.READ, EffectClass.IDEMPOTENT, EffectClass.TRANSACTIONAL, EffectClass.KEYED}
)
"""Classes whose calls may run again while it is unknown whether they happened."""


class IsolationTier(StrEnum):
    """Where a tool's function runs."""

    IN_PROCESS = "in_process"
    """Beside the worker's own code. What blocks there cannot be stopped."""
    SUBPROCESS = "subprocess"
    """In a process of its own, which is killed at the deadline."""


class RetryAfter(StrEnum):
    """Which failures of an attempt another attempt may follow."""

    DEFINITE = "definite"
    """Only one in which the tool said that nothing happened."""
    ANY = "any"
    """Any: also a timeout or an error that leaves open whether it happened."""


class OnFailure(StrEnum):
    """What a model's call comes to when it was refused, failed, or is in doubt."""

    TELL = "tell"
    """A message that tells the model, which may try something else."""
    RAISE = "raise"
    """An error that fails the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPlan:
    """How often, and how soon, an attempt that failed is followed by another."""

    attempt_limit: int = 3
    """Attempts at most, the first one among them."""
    first_wait_s: float = 0.5
    """Before the second attempt; each further wait is twice as long."""
    longest_wait_s: float = 30.0
    after: RetryAfter = RetryAfter.DEFINITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one call costs at most."""

    amount_micros: int
    """Millionths of the currency's unit: 2_500_000 is 2.50."""
    currency: str
    """Its ISO 4217 code, such as `EUR`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContract:
    """All that a policy, a ledger or a person needs to know of a tool. Plain data throughout."""

    name: str
    """Unique in a graph; what a model calls it by."""
    version: str
    """`2` or `2.3`. A call is known under the major part: raise it when calls mean other things."""
    description: str
    """What a model is told of it."""
    arguments_schema: JsonSchema
    """JSON Schema of the arguments that a model gives."""
    result_schema: JsonSchema
    """JSON Schema of what is recorded as the result."""
    scopes: frozenset[str] = frozenset()
    """What a caller must be allowed, such as `payments:write`."""
    tags: frozenset[str] = frozenset()
    """Groups that a policy may speak of, such as `money`."""
    taints: frozenset[Taint] = frozenset()
    """What its results carry: a run that has had one is tainted with it from then on."""
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])
    """What is computed of each call's arguments for the policy, by name."""
    effect: EffectClass = EffectClass.UNSAFE
    timeout_s: float = 30.0
    """How long one attempt may take."""
    margin_s: float = 5.0
    """How long after its deadline an abandoned request may still land."""
    key_lifetime_s: float | None = None
    """How long the service remembers a key; only a keyed tool has one."""
    retry: RetryPlan = field(default_factory=RetryPlan)
    cost: Cost | None = None
    """None when a call is free."""
    isolation: IsolationTier = IsolationTier.IN_PROCESS
    on_failure: OnFailure = OnFailure.TELL
    sensitive: frozenset[str] = frozenset()
    """Fields of the arguments and the result that nobody is shown, dotted: `card.number`."""
    secrets: frozenset[str] = frozenset()
    """Names of the secrets that it is given where it runs."""
    has_key: bool = False
    """Whether it has a business key, which protects across runs."""
    has_probe: bool = False
    """Whether it can be looked up if a call has happened."""
    has_verify: bool = False
    """Whether it has a check of its own for results."""
    compensate: str | None = None
    """The tool that undoes a call."""
    warnings: tuple[str, ...] = ()
    """What its author should know, in sentences; nothing in them was a reason to refuse it."""

    @property
    def major(self) -> int:
        """The part of the version under which calls are known."""
        return int(self.version.partition(".")[0])
