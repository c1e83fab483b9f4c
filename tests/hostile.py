"""The corpus of hostile articles in tests/news/hostile, in families, each aimed at a symbol.

Families with `prose: true` are lies in good prose: no reader can know them by their words, so nothing is expected of marks there; they are
held by asking how many independent feeds tell them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from trading_bot import yaml_text
from trading_bot.domain.news import RawArticle
from trading_bot.domain.values import Symbol

FOLDER = Path(__file__).parent / "news" / "hostile"


@dataclass(frozen=True)
class Hostile:
    """One article, and whom it is aimed at."""

    family: str
    prose: bool
    number: int
    symbol: Symbol
    title: str
    body: str

    def raw(self, feed: str, received_at: datetime) -> RawArticle:
        """The article as `feed` would bring it."""
        return RawArticle(
            feed=feed,
            url=f"https://news.example/{self.family}/{self.number}",
            title=self.title,
            body=self.body,
            published=received_at.isoformat(),
            publisher="A stranger",
            symbols=(self.symbol,),
            received_at=received_at,
        )


@cache
def corpus() -> tuple[Hostile, ...]:
    """Return every hostile article, by family."""
    return tuple(article for path in sorted(FOLDER.glob("*.yaml")) for article in _read(path))


def articles(feed: str, received_at: datetime) -> list[RawArticle]:
    """Return all of them as `feed` would bring them, tagged with the symbol that they attack."""
    return [article.raw(feed, received_at) for article in corpus()]


def _read(path: Path) -> Iterator[Hostile]:
    tree = yaml_text.read(path.read_text("utf-8"), path.name)[0]
    for number, row in enumerate(tree["articles"]):
        yield Hostile(tree["family"], tree["prose"], number, Symbol(row["symbol"]), row["title"], row["body"])
