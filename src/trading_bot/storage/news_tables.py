"""Tables of the news store, in what SQLite and PostgreSQL both have. All are made anew where they are missing; none is the journal's."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

articles = Table(
    "news_articles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("story", Text, nullable=False, index=True),
    Column("feed", Text, nullable=False),
    Column("known_at", String(32), nullable=False, index=True),
    Column("received_at", String(32), nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("symbols", Text, nullable=False),
)
"""`body`: the `Article` as JSON. `symbols`: what it is about, with commas between."""

bands = Table(
    "news_bands",
    metadata,
    Column("band", BigInteger, primary_key=True, autoincrement=False),
    Column("article", Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""Two dozen for each article, so that each is kept once and short."""

scores = Table(
    "news_scores",
    metadata,
    Column("article", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("tier", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("story", Text, nullable=False),
    Column("feed", Text, nullable=False),
    Column("known_at", String(32), nullable=False),
    Column("told_at", String(32)),
    Column("origin", Text, nullable=False),
    Column("scored_at", String(32), nullable=False, index=True),
    Column("novelty", Double, nullable=False),
    Column("score", Double, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("quarantined", Boolean, nullable=False),
    Index("ix_news_scores_symbol", "symbol", "known_at"),
)

escalations = Table(
    "news_escalations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", String(32), nullable=False, index=True),
    Column("symbol", Text, nullable=False),
    Column("body", Text, nullable=False),
)

feeds = Table("news_feeds", metadata, Column("feed", Text, primary_key=True), Column("body", Text, nullable=False))

facts = Table("news_facts", metadata, Column("key", Text, primary_key=True), Column("value", Integer, nullable=False))
VERSION = 1
"""Of these tables."""
