"""Views of policies: versions, what a check has found, decisions, and what a candidate says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.contracts.policy import PolicyVersion, RecordedDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersionView:
    """A version of a graph's policy."""

    name: str
    digest: str
    is_active: bool
    loaded_at: datetime
    loaded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyText:
    """The text of a version of a policy."""

    name: str
    files: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPolicy:
    """A policy that was found to be sound."""

    graph: str
    digest: str
    is_builtin: bool
    rules: Sequence[Any]
    left_out: Sequence[Any]
    """Fields of arguments that it cannot see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPolicies:
    """The policies that were found to be sound."""

    policies: Sequence[CheckedPolicy]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """A version that decides from now on."""

    policy: PolicyVersionView


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPolicy(PolicyDocument):
    """A version that was loaded, now or before."""

    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersions:
    """The versions of a graph's policy, and the text of one."""

    versions: Sequence[PolicyVersionView]
    shown: PolicyText


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionList:
    """What was decided about calls."""

    decisions: Sequence[RecordedDecision]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCount:
    """How many calls a candidate says one thing of, of which another was said."""

    before: str
    after: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCall:
    """A call that a candidate decides otherwise."""

    run_id: str
    call: str
    tool: str
    at: datetime
    is_certain: bool
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfReport:
    """What a candidate would have said of the recorded calls."""

    call_count: int
    changed_count: int
    not_decided_anew: Mapping[str, int]
    """How many calls were left out, by the reason."""
    counts: Sequence[VerdictCount]
    changed: Sequence[ChangedCall]


def policy_version_view(version: PolicyVersion) -> PolicyVersionView:
    """Return the view of a version."""
    return PolicyVersionView(
        name=version.name,
        digest=version.source.digest,
        is_active=version.is_active,
        loaded_at=version.loaded_at,
        loaded_by=version.loaded_by,
    )


def policy_text(version: PolicyVersion) -> PolicyText:
    """Return the text of a version."""
    return PolicyText(name=version.name, files=version.source.files)
