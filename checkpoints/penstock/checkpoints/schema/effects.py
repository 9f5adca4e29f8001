"""The ledger of effects."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from penstock.checkpoints.schema.columns import RowNumber, UtcDateTime, metadata, one_of
from penstock.contracts.effect import EffectStatus, ReportKind
from penstock.contracts.tool import EffectClass

effects = Table(
    "effects",
    metadata,
    Column("key", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("lineage", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("tool_version", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("business_key", Text),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("first_started_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("settles_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("result", Text),
    Column("result_digest", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_retryable", Integer, nullable=False),
    Column("wants_undoing", Integer, nullable=False),
    Column("taints", Text, nullable=False, server_default=""),
    Column("spend_minor", BigInteger),
    Column("spend_currency", Text),
    CheckConstraint(one_of("effect", EffectClass), name="effect"),
    CheckConstraint(one_of("status", EffectStatus), name="status"),
    CheckConstraint("(ended_at IS NULL) = (status = 'started')", name="ended"),
    CheckConstraint(
        "(result IS NOT NULL OR result_digest IS NOT NULL) = (status = 'succeeded')"
        " AND (result IS NULL OR result_digest IS NULL)",
        name="result",
    ),
    CheckConstraint(
        "(error_code IS NOT NULL) = (status IN ('failed', 'in_doubt'))"
        " AND (error_code IS NULL) = (error_message IS NULL)",
        name="error",
    ),
)
Index("ix_effects_run_id", effects.c.run_id)
# What a decision asks: what was called in the last minute, spent today, and read on a thread.
Index("ix_effects_tool", effects.c.tenant, effects.c.tool, effects.c.started_at)
Index(
    "ix_effects_spend",
    effects.c.tenant,
    effects.c.spend_currency,
    effects.c.first_started_at,
    sqlite_where=effects.c.spend_minor.is_not(None),
    postgresql_where=effects.c.spend_minor.is_not(None),
)
Index(
    "ix_effects_taints",
    effects.c.lineage,
    sqlite_where=text("taints <> ''"),
    postgresql_where=text("taints <> ''"),
)
Index("ix_effects_lineage", effects.c.lineage, effects.c.tool, effects.c.digest)
Index("ix_effects_status", effects.c.status, effects.c.settles_at)
# What people are to say about: few, of perhaps many calls.
Index(
    "ix_effects_in_doubt",
    effects.c.tenant,
    effects.c.started_at,
    sqlite_where=text("status = 'in_doubt'"),
    postgresql_where=text("status = 'in_doubt'"),
)
# What protects across runs: nobody begins under a key of business that is taken.
Index(
    "ix_effects_business_key",
    effects.c.tenant,
    effects.c.tool,
    effects.c.business_key,
    unique=True,
    sqlite_where=text("business_key IS NOT NULL AND status <> 'failed'"),
    postgresql_where=text("business_key IS NOT NULL AND status <> 'failed'"),
)

effect_reports = Table(
    "effect_reports",
    metadata,
    Column("id", RowNumber, Identity(), primary_key=True),
    Column("effect_key", Text, ForeignKey("effects.key"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", Text),
    CheckConstraint(one_of("kind", ReportKind), name="kind"),
)
Index("ix_effect_reports_effect_key", effect_reports.c.effect_key, effect_reports.c.id)

# Results that are too large to stand in the row, each once.
effect_results = Table(
    "effect_results",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

# Where a thread was copied from, first of all; a thread that was not copied has no row.
thread_lineages = Table(
    "thread_lineages",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("lineage", Text, nullable=False),
)
