"""What calls of models were allowed to cost and did cost. Apart from the journal's chain: it is kept by wall time."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_REFUSAL = "what was spent stays: a settled call is never changed, and none is removed"


def upgrade() -> None:
    """Make the table; on SQLite, triggers refuse to change what is settled and to remove anything."""
    op.create_table(
        "spending",
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("tier", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("reserved_at", sa.String(32), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("reserved_usd", sa.Text, nullable=False),
        sa.Column("settled_at", sa.String(32)),
        sa.Column("outcome", sa.String(32)),
        sa.Column("cost_usd", sa.Text),
        sa.Column("input", sa.BigInteger, nullable=False),
        sa.Column("output", sa.BigInteger, nullable=False),
        sa.Column("cache_read", sa.BigInteger, nullable=False),
        sa.Column("cache_write", sa.BigInteger, nullable=False),
        sa.Column("turns", sa.BigInteger, nullable=False),
        sa.Column("resets_at", sa.String(32)),
    )
    for column in ("decision_id", "day", "reserved_at", "settled_at", "resets_at"):
        op.create_index(f"ix_spending_{column}", "spending", [column])
    if op.get_bind().dialect.name == "sqlite":
        for name, event in (("update", "UPDATE ON spending WHEN OLD.settled_at IS NOT NULL"), ("delete", "DELETE ON spending")):
            op.execute(f"CREATE TRIGGER spending_refuses_{name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END")
