"""The store as of a moment: what tools, commands and the desk see of the news.

Promises that an article is seen once it could be known, and a score once it was made; nothing later shows through. `backed` is what
decisions may see: through it nothing shows but stories that enough independent feeds tell, so that one feed alone changes not a digit.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from trading_bot.domain.news import Article, ArticleId, Reading, Scored
from trading_bot.domain.values import Symbol
from trading_bot.news.reading import Scale, best, read, stories
from trading_bot.storage.news import NewsPage, NewsStore


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

    def backed(self) -> "BackedNews":
        """The same, of those stories alone that enough feeds back."""
        return BackedNews(self._store, self._now, self.scale)

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
        with self._store.reading() as page:
            return best(self._scored(page, symbol, since))

    def reading(self, symbol: Symbol) -> Reading:
        """Sentiment of `symbol`."""
        with self._store.reading() as page:
            scores = self._scored(page, symbol, self.scale.window + self.scale.baseline)
        return read(symbol, self.now(), scores, self.scale)

    def weights(self) -> Mapping[str, float]:
        """How far each feed is believed; one that is not named is believed wholly."""
        return self.scale.feeds

    def _scored(self, page: NewsPage, symbol: Symbol, since: timedelta) -> Sequence[Scored]:
        now = self.now()
        return page.scores(symbol, now - since, now)


class BackedNews(StoredNews):
    """What decisions may see of it."""

    def frozen(self, moment: datetime) -> "BackedNews":
        """The same as of `moment`, for good."""
        return BackedNews(self._store, lambda: moment, self.scale)

    def articles(self, symbol: Symbol | None, since: timedelta, most: int) -> Sequence[Article]:
        """Articles that tell such a story, newest first."""
        now = self.now()
        with self._store.reading() as page:
            about = page.symbols(now - since, now) if symbol is None else (symbol,)
            wanted = {s.article for one in about for s in self._scored(page, one, since)}
            found = [article for one in wanted if (article := page.article(one)) is not None]
        return sorted(found, key=lambda a: (-a.known_at.timestamp(), a.id))[:most]

    def article(self, article: ArticleId) -> Article | None:
        """One article, if it tells such a story."""
        found = super().article(article)
        age = timedelta() if found is None else self.now() - found.known_at
        told = (s.article for mention in (found.mentions if found else ()) for s in self.scores(mention.symbol, age))
        return found if article in told else None

    def _scored(self, page: NewsPage, symbol: Symbol, since: timedelta) -> Sequence[Scored]:
        """Those of backed stories; whether one is backed is told by all its tellings, older ones too."""
        everything = super()._scored(page, symbol, max(since, self.scale.window + self.scale.baseline))
        told = {s.id for s in stories(everything, self.scale.feeds) if s.backing >= self.scale.corroboration}
        earliest = self.now() - since
        return [s for s in everything if s.story in told and s.known_at >= earliest and not s.quarantined]
