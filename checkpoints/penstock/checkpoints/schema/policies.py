"""Policies, which of their versions decides, and what was decided."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from penstock.checkpoints.schema.columns import RowNumber, UtcDateTime, metadata, one_of
from penstock.contracts.policy import Verdict

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("graph", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("loaded_at", UtcDateTime, nullable=False),
    Column("loaded_by", Text, nullable=False),
    PrimaryKeyConstraint("graph", "number"),
    UniqueConstraint("graph", "digest"),
)

# Which version decides since when: the newest row of a graph says which does now.
policy_activations = Table(
    "policy_activations",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("graph", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", Text, nullable=False),
)
Index("ix_policy_activations_graph", policy_activations.c.graph, policy_activations.c.id)

decisions = Table(
    "decisions",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("graph", Text, nullable=False),
    Column("effect_key", Text, nullable=False),
    Column("policy_digest", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    CheckConstraint(one_of("verdict", Verdict), name="verdict"),
)
Index("ix_decisions_run_id", decisions.c.run_id)
Index("ix_decisions_effect_key", decisions.c.effect_key, decisions.c.id)
Index("ix_decisions_graph", decisions.c.graph, decisions.c.at)
