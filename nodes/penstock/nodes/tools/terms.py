"""The terms of a tool: the options that its author may set, and their defaults."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from sqlalchemy import Engine

from penstock.contracts.policy import Taint
from penstock.contracts.tool import (
    Cost,
    EffectClass,
    IsolationTier,
    OnFailure,
    RetryPlan,
)
from penstock.nodes.tools.arguments import KeyMaker
from penstock.policies.facts import Extractor

EffectName = Literal["read", "idempotent", "transactional", "keyed", "probe", "unsafe"]
IsolationName = Literal["in_process", "subprocess"]
OnFailureName = Literal["tell", "raise"]
TaintName = Literal["untrusted", "private"]
Database = Engine | Callable[[], Engine]
"""The user's own database, or a function that returns it when it is first needed."""


class Terms(TypedDict, total=False):
    """The options of `tool`."""

    name: str
    """Else the function's own."""
    version: str
    """`2` or `2.3`; else `1`."""
    description: str
    """What a model is told; else the function's docstring down to its first section."""
    effect: EffectClass | EffectName
    """Else `unsafe`."""
    scopes: Collection[str]
    tags: Collection[str]
    taints: Collection[Taint | TaintName]
    """What its results carry; else nothing."""
    facts: Mapping[str, Extractor]
    """Computed of each call's arguments for the policy, by name."""
    timeout_s: float
    margin_s: float
    key_lifetime_s: float | None
    """Of a keyed tool; else a day."""
    retry: RetryPlan | None
    """Else three attempts; after a failure that is not definite only where the class allows it."""
    cost: Cost | None
    isolation: IsolationTier | IsolationName
    on_failure: OnFailure | OnFailureName
    sensitive: Collection[str]
    """Fields of the arguments or the result, dotted: `card.number`."""
    key: KeyMaker | None
    """Makes a business key: `refund:{order_id}`, or a function of some of the arguments."""
    probe: Callable[..., Any] | None
    """Takes some of the arguments and supplies; returns `Happened`, `DidNot` or `Unknown`."""
    verify: Callable[..., Any] | None
    """Takes the result and some of the arguments; returns or raises what is wrong with it."""
    compensate: Any
    """Another `Tool`, which undoes a call and takes some of the same arguments."""
    database: Database | None
    """Of a transactional tool: the database in whose transaction it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one tool, with their defaults."""

    name: str | None = None
    version: str = "1"
    description: str | None = None
    effect: EffectClass | EffectName = EffectClass.UNSAFE
    scopes: Collection[str] = ()
    tags: Collection[str] = ()
    taints: Collection[Taint | TaintName] = ()
    facts: Mapping[str, Extractor] = field(default_factory=dict[str, Extractor])
    timeout_s: float = 30.0
    margin_s: float = 5.0
    key_lifetime_s: float | None = None
    retry: RetryPlan | None = None
    cost: Cost | None = None
    isolation: IsolationTier | IsolationName = IsolationTier.IN_PROCESS
    on_failure: OnFailure | OnFailureName = OnFailure.TELL
    sensitive: Collection[str] = ()
    key: KeyMaker | None = None
    probe: Callable[..., Any] | None = None
    verify: Callable[..., Any] | None = None
    compensate: Any = None
    database: Database | None = None
