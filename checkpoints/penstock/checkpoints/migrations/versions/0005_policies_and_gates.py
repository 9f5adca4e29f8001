"""Policies and what they decided; gates of kind `approval` with votes, notices and delegations."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)

OLD_COLUMNS = (
    *("id", "tenant", "run_id", "kind", "status", "question", "answer_schema", "answer"),
    *("decided_by", "opened_at", "expires_at", "closed_at", "effect_key", "wakes_at"),
)
OLD_INDEXES = (
    "ix_gates_run_id",
    "ix_gates_status",
    "ix_gates_effect_key",
    "ix_gates_wakes_at",
)
CHECKS = {
    "status": "status IN ('cancelled', 'decided', 'expired', 'open', 'superseded')",
    "decided": "(status <> 'decided' OR decided_by IS NOT NULL)"
    " AND (decided_by IS NULL OR status IN ('decided', 'superseded'))"
    " AND (answer IS NULL) = (decided_by IS NULL)",
    "approval": "(kind = 'approval') = (binding IS NOT NULL)"
    " AND (binding IS NULL) = (requester IS NULL)"
    " AND (binding IS NULL) = (policy_digest IS NULL)"
    " AND (binding IS NULL) = (on_expiry IS NULL)"
    " AND (binding IS NULL OR (effect_key IS NOT NULL AND expires_at IS NOT NULL))",
    "consumed": "consumed_at IS NULL OR status = 'decided'",
    "on_expiry": "on_expiry IN ('deny', 'fail')",
    "edit": "(edit_of_digest IS NULL) = (edit_arguments IS NULL)"
    " AND (edit_of_digest IS NULL) = (edit_by IS NULL)",
}


def upgrade() -> None:
    """Make the tables, and let gates say who decides."""
    op.add_column("runs", sa.Column("principal", sa.Text(), nullable=False, server_default=""))
    if op.get_bind().dialect.name == "sqlite":
        _gates_anew()
    else:
        for column in _new_columns():
            op.add_column("gates", column)
        for name in ("status", "decided"):
            op.drop_constraint(f"ck_gates_{name}", "gates", type_="check")
        for name, condition in CHECKS.items():
            op.create_check_constraint(op.f(f"ck_gates_{name}"), "gates", condition)
    op.create_index(
        "ix_gates_binding",
        "gates",
        ["effect_key", "binding"],
        unique=True,
        sqlite_where=sa.text("binding IS NOT NULL AND status <> 'superseded'"),
        postgresql_where=sa.text("binding IS NOT NULL AND status <> 'superseded'"),
    )
    _people()
    _policies()
    _effects()


def _new_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("binding", sa.Text(), nullable=True),
        sa.Column("policy_digest", sa.Text(), nullable=True),
        sa.Column("requester", sa.Text(), nullable=True),
        sa.Column("may_confirm_self", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("on_expiry", sa.Text(), nullable=True),
        sa.Column("escalates_at", INSTANT, nullable=True),
        sa.Column("escalates_to", sa.Text(), nullable=True),
        sa.Column("escalated_at", INSTANT, nullable=True),
        sa.Column("consumed_at", INSTANT, nullable=True),
        sa.Column("edit_of_digest", sa.Text(), nullable=True),
        sa.Column("edit_arguments", sa.Text(), nullable=True),
        sa.Column("edit_by", sa.Text(), nullable=True),
    ]


def _gates_anew() -> None:
    """Make the table of gates anew: SQLite cannot change a constraint."""
    for index in OLD_INDEXES:
        op.drop_index(index, "gates")
    op.rename_table("gates", "gates_before")
    op.create_table(
        "gates",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer_schema", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("effect_key", sa.Text(), nullable=True),
        sa.Column("wakes_at", INSTANT, nullable=True),
        *_new_columns(),
        sa.CheckConstraint(
            "kind IN ('approval', 'budget', 'in_doubt', 'question')", name=op.f("ck_gates_kind")
        ),
        sa.CheckConstraint("(closed_at IS NULL) = (status = 'open')", name=op.f("ck_gates_closed")),
        *(
            sa.CheckConstraint(condition, name=op.f(f"ck_gates_{name}"))
            for name, condition in CHECKS.items()
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_gates_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gates")),
    )
    names = ", ".join(OLD_COLUMNS)
    copied = f"INSERT INTO gates ({names}) SELECT {names} FROM gates_before"  # noqa: S608  (own names)
    op.execute(copied)
    op.drop_table("gates_before")
    op.create_index("ix_gates_run_id", "gates", ["run_id"])
    op.create_index("ix_gates_status", "gates", ["status", "expires_at"])
    op.create_index("ix_gates_effect_key", "gates", ["effect_key"])
    op.create_index(
        "ix_gates_wakes_at", "gates", ["wakes_at"], sqlite_where=sa.text("wakes_at IS NOT NULL")
    )


def _people() -> None:
    op.create_table(
        "gate_approvals",
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("approval_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("approval_count > 0", name=op.f("ck_gate_approvals_approval_count")),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_gate_approvals_gate_id")),
        sa.PrimaryKeyConstraint("gate_id", "group_name", name=op.f("pk_gate_approvals")),
    )
    op.create_index("ix_gate_approvals_group_name", "gate_approvals", ["group_name"])
    op.create_table(
        "gate_votes",
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("seat", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('approve', 'reject', 'respond')", name=op.f("ck_gate_votes_kind")
        ),
        sa.CheckConstraint(
            "channel IN ('api', 'break_glass', 'cli', 'ui')", name=op.f("ck_gate_votes_channel")
        ),
        sa.CheckConstraint(
            "kind = 'approve' OR reason IS NOT NULL", name=op.f("ck_gate_votes_reason")
        ),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_gate_votes_gate_id")),
        sa.PrimaryKeyConstraint("gate_id", "seat", name=op.f("pk_gate_votes")),
        sa.UniqueConstraint("gate_id", "person", name=op.f("uq_gate_votes_gate_id_person")),
    )
    op.create_index("ix_gate_votes_person", "gate_votes", ["person"])
    op.create_table(
        "delegations",
        sa.Column("id", ROW_NUMBER, sa.Identity(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("from_person", sa.Text(), nullable=False),
        sa.Column("to_person", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=True),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.CheckConstraint("from_person <> to_person", name=op.f("ck_delegations_persons")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_delegations_dates")),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_delegations_gate_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegations")),
    )
    op.create_index("ix_delegations_to_person", "delegations", ["tenant", "to_person"])
    op.create_table(
        "notices",
        sa.Column("id", ROW_NUMBER, sa.Identity(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('escalated', 'expiring', 'opened')", name=op.f("ck_notices_kind")
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (outcome IS NULL)", name=op.f("ck_notices_closed")
        ),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_notices_gate_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint(
            "gate_id", "kind", "group_name", name=op.f("uq_notices_gate_id_kind_group_name")
        ),
    )
    op.create_index(
        "ix_notices_due_at",
        "notices",
        ["due_at"],
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "used_links",
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("used_by", sa.Text(), nullable=False),
        sa.Column("used_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_used_links")),
    )


def _policies() -> None:
    op.create_table(
        "policy_versions",
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.Column("loaded_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("graph", "number", name=op.f("pk_policy_versions")),
        sa.UniqueConstraint("graph", "digest", name=op.f("uq_policy_versions_graph_digest")),
    )
    op.create_table(
        "policy_activations",
        sa.Column("id", ROW_NUMBER, sa.Identity(), nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_activations")),
    )
    op.create_index("ix_policy_activations_graph", "policy_activations", ["graph", "id"])
    op.create_table(
        "decisions",
        sa.Column("id", ROW_NUMBER, sa.Identity(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("effect_key", sa.Text(), nullable=False),
        sa.Column("policy_digest", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "verdict IN ('allow', 'ask', 'deny')", name=op.f("ck_decisions_verdict")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_decisions_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_run_id", "decisions", ["run_id"])
    op.create_index("ix_decisions_effect_key", "decisions", ["effect_key", "id"])
    op.create_index("ix_decisions_graph", "decisions", ["graph", "at"])


def _effects() -> None:
    op.add_column("effects", sa.Column("taints", sa.Text(), nullable=False, server_default=""))
    op.add_column("effects", sa.Column("spend_minor", sa.BigInteger(), nullable=True))
    op.add_column("effects", sa.Column("spend_currency", sa.Text(), nullable=True))
    op.create_index("ix_effects_tool", "effects", ["tenant", "tool", "started_at"])
    op.create_index(
        "ix_effects_spend",
        "effects",
        ["tenant", "spend_currency", "first_started_at"],
        sqlite_where=sa.text("spend_minor IS NOT NULL"),
        postgresql_where=sa.text("spend_minor IS NOT NULL"),
    )
    op.create_index(
        "ix_effects_taints",
        "effects",
        ["lineage"],
        sqlite_where=sa.text("taints <> ''"),
        postgresql_where=sa.text("taints <> ''"),
    )
