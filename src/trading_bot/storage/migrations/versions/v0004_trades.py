"""Of which trade's purse a call of a model is paid; none of the calls before this step belongs to one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; a default that is not computed changes no row, so that the triggers have nothing to refuse."""
    op.add_column("spending", sa.Column("trade", sa.Text, nullable=False, server_default=""))
    op.create_index("ix_spending_trade", "spending", ["trade"])
