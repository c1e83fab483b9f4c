"""The journal, the inbox and what the desk remembers of itself."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_REFUSAL = "the journal is append-only: rows are never changed or removed"


def upgrade() -> None:
    """Make the tables; on SQLite, triggers refuse to change or remove what was journaled."""
    op.create_table(
        "journal",
        sa.Column("seq", _BIG_KEY, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("wall", sa.String(32)),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("kind", "key", name="uq_journal_kind_key"),
    )
    op.create_index("ix_journal_kind_seq", "journal", ["kind", "seq"])
    op.create_table(
        "inbox",
        sa.Column("arrival", _BIG_KEY, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("posted_at", sa.String(32), nullable=False),
        sa.Column("consumed", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER journal_refuses_{action.lower()} BEFORE {action} ON journal BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
            )
