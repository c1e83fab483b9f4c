"""News that was read: articles, which story each one tells, what each tier made of them, what climbed, and how the feeds do.

Promises that an article and its scores are there together or not at all, that the same article again changes nothing (so nothing is
counted twice, whoever reads it), and that stories are told apart by one writer at a time. Refuses to judge: it keeps and finds.
SQLite keeps a file beside the journal's, which never waits for it; on a server the tables stand beside the journal's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from trading_bot.domain.news import Article, ArticleId, Escalation, FeedHealth, Scored, Tier
from trading_bot.domain.values import Symbol
from trading_bot.storage.database import Address, Database
from trading_bot.storage.news_tables import VERSION, articles, bands, escalations, facts, feeds, metadata, scores
from trading_bot.storage.schema import stamp

T = TypeVar("T")
_PURPOSE = "news"
_MANY = 400
"""Values in one `IN`; SQLite takes no more than some hundreds everywhere."""
_REMEMBERED = 20_000
"""Scores that a process keeps in memory: some 20 MB."""
_SCORE_COLUMNS = tuple(scores.c.keys())


@dataclass(frozen=True)
class Telling:
    """One telling of a story, as near duplicates are looked for."""

    article: ArticleId
    story: ArticleId
    signature: bytes
    symbols: frozenset[str]
    """What it is about."""


@dataclass(frozen=True)
class ReadArticle:
    """An article with all that was made of it; kept in one piece."""

    article: Article
    telling: Telling
    bands: tuple[int, ...]
    scores: tuple[Scored, ...]


@dataclass(frozen=True)
class Pace:
    """What was read between two moments."""

    articles: int
    scores: Mapping[Tier, int]


class NewsPage:
    """The store within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name]

    # -- articles ---------------------------------------------------------------------------------------------------------

    def known(self, ids: Sequence[ArticleId]) -> frozenset[ArticleId]:
        """Those of `ids` that were read before."""
        return frozenset(
            ArticleId(row.id) for part in _parts(ids) for row in self._rows(select(articles.c.id).where(articles.c.id.in_(part)))
        )

    def tellings(self, wanted: Iterable[int], since: datetime) -> dict[int, list[Telling]]:
        """Articles known since then by the bands that they share with `wanted`, oldest first."""
        found: dict[int, list[Telling]] = {}
        columns = (bands.c.band, articles.c.id, articles.c.story, articles.c.signature, articles.c.symbols)
        for part in _parts(list(wanted)):
            query = select(*columns).join(articles, articles.c.id == bands.c.article).where(bands.c.band.in_(part))
            for row in self._rows(query.where(articles.c.known_at >= stamp(since)).order_by(articles.c.known_at, articles.c.id)):
                about = frozenset(filter(None, row.symbols.split(",")))
                found.setdefault(row.band, []).append(Telling(ArticleId(row.id), ArticleId(row.story), row.signature, about))
        return found

    def add(self, read: Sequence[ReadArticle]) -> None:
        """Keep articles with their stories and scores; one that is there already stays as it is."""
        if not read:
            return
        self._add(articles, [_article_row(r) for r in read])
        self._add(bands, [{"band": band, "article": r.article.id} for r in read for band in r.bands])
        self.score(s for r in read for s in r.scores)

    def score(self, scored: Iterable[Scored]) -> None:
        """Keep scores; one by the same tier for the same article and symbol stays as it is."""
        self._add(scores, [_score_row(s) for s in scored])

    def articles(self, symbol: Symbol | None, since: datetime, until: datetime, most: int) -> tuple[Article, ...]:
        """Articles that became known from `since` to `until`, newest first; about `symbol`: those that somebody had read for it by then."""
        query = select(articles.c.body).where(articles.c.known_at.between(stamp(since), stamp(until)))
        if symbol is not None:
            read = select(scores.c.article).where(scores.c.symbol == symbol, scores.c.scored_at <= stamp(until))
            query = query.where(articles.c.id.in_(read))
        rows = self._rows(query.order_by(articles.c.known_at.desc(), articles.c.id).limit(most))
        return tuple(Article.model_validate_json(row.body) for row in rows)

    def article(self, wanted: ArticleId) -> Article | None:
        """One article."""
        row = self._connection.execute(select(articles.c.body).where(articles.c.id == wanted)).first()
        return None if row is None else Article.model_validate_json(row.body)

    def has_any(self, until: datetime) -> bool:
        """Whether any article was known by then."""
        return self._connection.execute(select(articles.c.id).where(articles.c.known_at <= stamp(until)).limit(1)).first() is not None

    def scores(self, symbol: Symbol, since: datetime, until: datetime) -> tuple[Scored, ...]:
        """Scores of `symbol` for articles known since `since` that were made by `until`, of every tier, oldest first."""
        near = (scores.c.symbol == symbol, scores.c.known_at >= stamp(since), scores.c.known_at <= stamp(until))
        query = select(scores).where(*near, scores.c.scored_at <= stamp(until)).order_by(scores.c.known_at, scores.c.article)
        return tuple(_scored(*row) for row in self._rows(query))

    def symbols(self, since: datetime, until: datetime) -> tuple[Symbol, ...]:
        """Symbols with a score of an article known between the two, in order."""
        query = select(scores.c.symbol).where(scores.c.known_at.between(stamp(since), stamp(until))).distinct().order_by(scores.c.symbol)
        return tuple(Symbol(row.symbol) for row in self._rows(query))

    def pace(self, since: datetime, until: datetime) -> Pace:
        """How much was read between the two."""
        counted = select(func.count()).select_from(articles).where(articles.c.received_at.between(stamp(since), stamp(until)))
        made = select(scores.c.tier, func.count().label("n")).where(scores.c.scored_at.between(stamp(since), stamp(until)))
        by_tier = {Tier(row.tier): int(row.n) for row in self._rows(made.group_by(scores.c.tier))}
        return Pace(int(self._connection.execute(counted).scalar_one()), by_tier)

    def lags(self, most: int) -> tuple[float, ...]:
        """Seconds from receipt to score of the articles that were scored last, newest first."""
        query = select(articles.c.received_at, scores.c.scored_at).join(scores, scores.c.article == articles.c.id)
        rows = self._rows(query.order_by(scores.c.scored_at.desc()).limit(most))
        return tuple((datetime.fromisoformat(r.scored_at) - datetime.fromisoformat(r.received_at)).total_seconds() for r in rows)

    def forget(self, before: datetime) -> int:
        """Drop articles that became known before then, with their scores; return how many."""
        old = articles.c.known_at < stamp(before)
        self._connection.execute(delete(scores).where(scores.c.known_at < stamp(before)))
        self._connection.execute(delete(bands).where(bands.c.article.in_(select(articles.c.id).where(old))))
        return int(self._connection.execute(delete(articles).where(old)).rowcount)

    # -- what climbed, and the feeds ------------------------------------------------------------------------------------------

    def climbed(self, escalation: Escalation) -> None:
        """Keep what climbed, or did not; the same again changes nothing."""
        row = {"id": escalation.id, "at": stamp(escalation.at), "symbol": escalation.symbol, "body": escalation.canonical()}
        self._add(escalations, [row])

    def escalations(self, since: datetime, until: datetime) -> tuple[Escalation, ...]:
        """What climbed between the two, oldest first."""
        query = (
            select(escalations.c.body)
            .where(escalations.c.at.between(stamp(since), stamp(until)))
            .order_by(escalations.c.at, escalations.c.id)
        )
        return tuple(Escalation.model_validate_json(row.body) for row in self._rows(query))

    def feed_did(self, health: FeedHealth) -> None:
        """Remember how a feed did last."""
        row = {"feed": health.feed, "body": health.canonical()}
        self._connection.execute(self._insert(feeds).values(row).on_conflict_do_update(index_elements=["feed"], set_={"body": row["body"]}))

    def feeds(self) -> tuple[FeedHealth, ...]:
        """How each feed did last, by name."""
        return tuple(FeedHealth.model_validate_json(row.body) for row in self._rows(select(feeds.c.body).order_by(feeds.c.feed)))

    def _add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._connection.execute(self._insert(table).on_conflict_do_nothing(), list(rows))

    def _rows(self, query: Any) -> Iterator[Any]:  # noqa: ANN401 - any select
        return iter(self._connection.execute(query))


class NewsStore:
    """The news of one home; open it with `NewsStore.open`. Any process may, beside the desk and the workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, address: Address) -> Self:
        """Open the store at `address`, made anew if there is none. StorageError or HomeError."""
        on_server = isinstance(address, str) and "://" in address

        def ready(database: Database) -> None:
            if on_server:
                database.bring_up_to_date()
            _make_tables(database)

        return cls(Database.open(address, ready))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; what was written stays."""
        self._database.close()

    @contextmanager
    def reading(self) -> Iterator[NewsPage]:
        """The store at one moment."""
        with self._database.snapshot() as connection:
            yield NewsPage(connection)

    @contextmanager
    def writing(self) -> Iterator[NewsPage]:
        """The store while no other process writes news; what was written is durable when the block ends."""
        with self._database.writing(_PURPOSE) as connection:
            yield NewsPage(connection)


def holds_news(address: Address) -> bool:
    """Whether anybody has kept news at `address`; makes nothing. StorageError or HomeError where a server cannot be asked."""
    if isinstance(address, Path):
        return address.exists()
    with closing(Database.open(address, lambda _: None)) as database, database.reading() as connection:
        return connection.dialect.has_table(connection, facts.name)


def _make_tables(database: Database) -> None:
    query = select(facts.c.value).where(facts.c.key == "version")
    with database.reading() as connection:
        if connection.dialect.has_table(connection, facts.name) and connection.execute(query).scalar() == VERSION:
            return
    with database.writing(_PURPOSE) as connection:
        metadata.create_all(connection)
        if connection.execute(query).scalar() is None:
            connection.execute(facts.insert(), {"key": "version", "value": VERSION})


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[i : i + _MANY] for i in range(0, len(values), _MANY))


def _article_row(read: ReadArticle) -> dict[str, Any]:
    article = read.article
    return {
        "id": article.id,
        "story": read.telling.story,
        "feed": article.feed,
        "known_at": stamp(article.known_at),
        "received_at": stamp(article.received_at),
        "body": article.model_dump_json(),
        "signature": read.telling.signature,
        "symbols": ",".join(sorted(read.telling.symbols)),
    }


def _score_row(scored: Scored) -> dict[str, Any]:
    said = scored.sentiment
    return {
        "article": scored.article,
        "symbol": scored.symbol,
        "tier": said.tier,
        "model": said.model,
        "story": scored.story,
        "feed": scored.feed,
        "known_at": stamp(scored.known_at),
        "told_at": None if scored.told_at is None else stamp(scored.told_at),
        "origin": scored.origin,
        "scored_at": stamp(scored.scored_at),
        "novelty": scored.novelty,
        "score": said.score,
        "confidence": said.confidence,
        "quarantined": scored.quarantined,
    }


@lru_cache(maxsize=_REMEMBERED)
def _scored(*row: Any) -> Scored:  # noqa: ANN401 - values of a row
    """A row of `scores`, none of which ever changes: each reading of a symbol takes the same ones again."""
    told = dict(zip(_SCORE_COLUMNS, row, strict=True))
    sentiment = {name: told.pop(name) for name in ("score", "confidence", "tier", "model")}
    return Scored.model_validate({**told, "sentiment": sentiment})
