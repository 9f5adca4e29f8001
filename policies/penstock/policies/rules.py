"""The rules of a policy, for people: each with its id, its annotations and its text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from penstock.contracts.policy import PolicySetName, PolicySource
from penstock.policies.annotations import Mode, is_shadow
from penstock.policies.statements import Parsed, parse, split

_KEPT = 16
"""So many policies stay read: pages ask for the same ones again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One policy of either set, for people."""

    id: str
    set: PolicySetName
    effect: Literal["permit", "forbid"]
    mode: Mode
    annotations: Mapping[str, str]
    file: str
    """Within the policy's folder: `gates/payments.cedar`."""
    line: int
    text: str


@lru_cache(_KEPT)
def read_rules(source: PolicySource) -> Sequence[Rule]:
    """Return the rules of a policy, without those that are no Cedar; no tools are needed."""
    found = [parse(statement) for file in source.files for statement in split(file)]
    return tuple(rule_of(each) for each in found if isinstance(each, Parsed))


def rule_of(policy: Parsed) -> Rule:
    """Return a policy for people."""
    where = policy.statement
    return Rule(
        id=policy.id,
        set=where.set,
        effect="permit" if policy.tree.effect == "permit" else "forbid",
        mode=Mode.SHADOW if is_shadow(policy) else Mode.ENFORCE,
        annotations=policy.tree.annotations,
        file=where.file,
        line=where.line,
        text=where.text,
    )
