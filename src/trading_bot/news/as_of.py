"""The store as of a moment: what tools, commands and the desk see of the news.

Promises that an article is seen once it could be known, and a score once it was made; nothing later shows through.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from trading_bot.domain.news import Article, ArticleId, Reading, Scored
from trading_bot.domain.values import Symbol
from trading_bot.news.reading import Scale, best, read
from trading_bot.storage.news import NewsStore


class StoredNews:
    """A `NewsView` over the store of a home."""

    def __init__(self, store: NewsStore, now: Callable[[], datetime], scale: Scale) -> None:
        self._store = store
        self._now = now
        self.scale = scale

    def now(self) -> datetime:
        """The moment."""
        return self._now()

    def frozen(self, moment: datetime) -> "StoredNews":
        """The same as of `moment`, for good."""
        return StoredNews(self._store, lambda: moment, self.scale)

    def articles(self, symbol: Symbol | None, since: timedelta, most: int) -> Sequence[Article]:
        """Articles about `symbol` (None: any) that became known within `since`, newest first."""
        now = self.now()
        with self._store.reading() as page:
            return page.articles(symbol, now - since, now, most)

    def article(self, article: ArticleId) -> Article | None:
        """One article, if it was known by now."""
        with self._store.reading() as page:
            found = page.article(article)
        return found if found is not None and found.known_at <= self.now() else None

    def scores(self, symbol: Symbol, since: timedelta) -> Sequence[Scored]:
        """Scores of `symbol`, of each article that of the highest tier, oldest first."""
        now = self.now()
        with self._store.reading() as page:
            return best(page.scores(symbol, now - since, now))

    def reading(self, symbol: Symbol) -> Reading:
        """Sentiment of `symbol`."""
        now = self.now()
        with self._store.reading() as page:
            scores = page.scores(symbol, now - self.scale.window - self.scale.baseline, now)
        return read(symbol, now, scores, self.scale)

    def weights(self) -> Mapping[str, float]:
        """How far each feed is believed; one that is not named is believed wholly."""
        return self.scale.feeds
