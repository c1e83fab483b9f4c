"""On PostgreSQL: the refusals that SQLite has since the first step, and the bar store. On SQLite nothing: its bars are files."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_APPEND_ONLY = "the journal is append-only: rows are never changed or removed"
_SPENT = "what was spent stays: a settled call is never changed, and none is removed"
_REFUSALS = (
    ("journal", "UPDATE ON journal FOR EACH ROW", _APPEND_ONLY),
    ("journal", "DELETE ON journal FOR EACH ROW", _APPEND_ONLY),
    ("journal", "TRUNCATE ON journal", _APPEND_ONLY),
    ("spending", "UPDATE ON spending FOR EACH ROW WHEN (OLD.settled_at IS NOT NULL)", _SPENT),
    ("spending", "DELETE ON spending FOR EACH ROW", _SPENT),
    ("spending", "TRUNCATE ON spending", _SPENT),
)


def upgrade() -> None:
    """Make functions, triggers and tables."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION desk_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = ''restrict_violation''; END'"
    )
    for table, events, refusal in _REFUSALS:
        name = f"{table}_refuses_{events.partition(' ')[0].lower()}"
        op.execute(f"CREATE TRIGGER {name} BEFORE {events} EXECUTE FUNCTION desk_refuses('{refusal}')")
    op.create_table(
        "bars",
        sa.Column("symbol", sa.Text, primary_key=True),
        sa.Column("timeframe", sa.Text, primary_key=True),
        sa.Column("start", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("open", "high", "low", "close", "volume")),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
    )
    op.create_table(
        "actions",
        sa.Column("symbol", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
