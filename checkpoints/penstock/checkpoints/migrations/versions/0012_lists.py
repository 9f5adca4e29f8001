"""What lists of runs and gates are counted, filtered and ordered by."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    op.create_index("ix_runs_graph", "runs", ["tenant", "graph", "status", "created_at"])
    op.create_index("ix_runs_tenant", "runs", ["tenant", "id"])
    op.create_index("ix_runs_tenant_status", "runs", ["tenant", "status", "id"])
    op.create_index("ix_gates_tenant_closed_at", "gates", ["tenant", "closed_at"])
