"""The tables, as SQLAlchemy Core knows them.

The migrations build the same tables step by step; a test holds the two together. Every constraint
and index has a name, so that a migration can speak of it.
"""

from penstock.checkpoints.schema.audit import audit_events, audit_heads, audit_marks, run_keys
from penstock.checkpoints.schema.budgets import budget_accounts, budget_holds, budget_uses
from penstock.checkpoints.schema.checkpoints import (
    checkpoint_namespaces,
    checkpoint_values,
    checkpoint_writes,
    checkpoints,
)
from penstock.checkpoints.schema.columns import RowNumber, UtcDateTime, metadata, one_of
from penstock.checkpoints.schema.effects import (
    effect_reports,
    effect_results,
    effects,
    thread_lineages,
)
from penstock.checkpoints.schema.gates import (
    annotations,
    delegations,
    gate_approvals,
    gate_votes,
    gates,
    notices,
    used_links,
)
from penstock.checkpoints.schema.policies import decisions, policy_activations, policy_versions
from penstock.checkpoints.schema.runs import run_tags, runs, steps, workers

__all__ = [
    "RowNumber",
    "UtcDateTime",
    "annotations",
    "audit_events",
    "audit_heads",
    "audit_marks",
    "budget_accounts",
    "budget_holds",
    "budget_uses",
    "checkpoint_namespaces",
    "checkpoint_values",
    "checkpoint_writes",
    "checkpoints",
    "decisions",
    "delegations",
    "effect_reports",
    "effect_results",
    "effects",
    "gate_approvals",
    "gate_votes",
    "gates",
    "metadata",
    "notices",
    "one_of",
    "policy_activations",
    "policy_versions",
    "run_keys",
    "run_tags",
    "runs",
    "steps",
    "thread_lineages",
    "used_links",
    "workers",
]
