"""Indexes by which calls in doubt are listed, and what was said about them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    _partial("ix_effects_in_doubt", "effects", "started_at", where="status = 'in_doubt'")
    _partial("ix_gates_in_doubt", "gates", "closed_at", where="kind = 'in_doubt'")


def _partial(name: str, table: str, column: str, *, where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, ["tenant", column], sqlite_where=condition, postgresql_where=condition
    )
