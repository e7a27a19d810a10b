"""Further kinds of limits and budgets, and meters that no token is counted by twice."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
lives_with = "0001"

_WORDS = (
    ("limit_rule", "on_store_loss", 16, "refuse"),
    ("budget", "unit", 32, "money"),
    ("budget", "window", 16, "month"),
    ("budget", "hardness", 16, "hard"),
    ("budget", "on_store_loss", 16, "refuse"),
)
_METERS = ("cached_tokens", "reasoning_tokens", "accelerator_ms")


def upgrade() -> None:
    """Apply."""
    for table, name, length, default in _WORDS:
        op.add_column(table, sa.Column(name, sa.String(length=length), server_default=default, nullable=False))
    op.add_column("budget", sa.Column("window_seconds", sa.Integer(), server_default="0", nullable=False))
    for table in ("ledger_entry", "usage_rollup"):
        for name in _METERS:
            op.add_column(table, sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("usage_rollup", sa.Column("response_cache_hits", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("ledger_entry", sa.Column("response_cache_hits", sa.Integer(), server_default="0", nullable=False))
    op.add_column("ledger_entry", sa.Column("interrupted", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Going back means restoring a backup."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
