"""The ledger of effects, and the gates that ask about them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables of the ledger."""
    op.add_column("gates", sa.Column("effect_key", sa.Text(), nullable=True))
    op.add_column("gates", sa.Column("wakes_at", INSTANT, nullable=True))
    op.create_index("ix_gates_effect_key", "gates", ["effect_key"])
    op.create_index(
        "ix_gates_wakes_at",
        "gates",
        ["wakes_at"],
        sqlite_where=sa.text("wakes_at IS NOT NULL"),
        postgresql_where=sa.text("wakes_at IS NOT NULL"),
    )
    op.create_table(
        "effects",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("tool_version", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("business_key", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("first_started_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("settles_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("result_digest", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_retryable", sa.Integer(), nullable=False),
        sa.Column("wants_undoing", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "effect IN ('idempotent', 'keyed', 'probe', 'read', 'transactional', 'unsafe')",
            name=op.f("ck_effects_effect"),
        ),
        sa.CheckConstraint(
            "status IN ('compensated', 'failed', 'in_doubt', 'started', 'succeeded')",
            name=op.f("ck_effects_status"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (status = 'started')", name=op.f("ck_effects_ended")
        ),
        sa.CheckConstraint(
            "(result IS NOT NULL OR result_digest IS NOT NULL) = (status = 'succeeded')"
            " AND (result IS NULL OR result_digest IS NULL)",
            name=op.f("ck_effects_result"),
        ),
        sa.CheckConstraint(
            "(error_code IS NOT NULL) = (status IN ('failed', 'in_doubt'))"
            " AND (error_code IS NULL) = (error_message IS NULL)",
            name=op.f("ck_effects_error"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_effects_run_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_effects")),
    )
    op.create_index("ix_effects_run_id", "effects", ["run_id"])
    op.create_index("ix_effects_lineage", "effects", ["lineage", "tool", "digest"])
    op.create_index("ix_effects_status", "effects", ["status", "settles_at"])
    op.create_index(
        "ix_effects_business_key",
        "effects",
        ["tenant", "tool", "business_key"],
        unique=True,
        sqlite_where=sa.text("business_key IS NOT NULL AND status <> 'failed'"),
        postgresql_where=sa.text("business_key IS NOT NULL AND status <> 'failed'"),
    )
    op.create_table(
        "effect_reports",
        sa.Column("id", ROW_NUMBER, sa.Identity(), nullable=False),
        sa.Column("effect_key", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('compensated', 'decided', 'failed', 'in_doubt', 'looked_up', 'started',"
            " 'succeeded')",
            name=op.f("ck_effect_reports_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["effect_key"], ["effects.key"], name=op.f("fk_effect_reports_effect_key")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effect_reports")),
    )
    op.create_index("ix_effect_reports_effect_key", "effect_reports", ["effect_key", "id"])
    op.create_table(
        "effect_results",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_effect_results")),
    )
    op.create_table(
        "thread_lineages",
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("thread_id", name=op.f("pk_thread_lineages")),
    )
