"""Steps, in the form in which they are written. Nothing wrote any before."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table anew."""
    op.drop_table("steps")
    op.create_table(
        "steps",
        sa.Column("id", ROW_NUMBER, sa.Identity(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (status = 'started')", name=op.f("ck_steps_ended")
        ),
        sa.CheckConstraint(
            "(error IS NOT NULL) = (status = 'failed')", name=op.f("ck_steps_error")
        ),
        sa.CheckConstraint(
            "kind IN ('other', 'plan', 'summarize', 'tool', 'verify')", name=op.f("ck_steps_kind")
        ),
        sa.CheckConstraint(
            "status IN ('failed', 'parked', 'started', 'succeeded')", name=op.f("ck_steps_status")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_steps_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint(
            "run_id", "task_id", "epoch", name=op.f("uq_steps_run_id_task_id_epoch")
        ),
    )
