"""Alpha Vantage, `NEWS_SENTIMENT`: the newest articles with the tickers that it names. Its own scores are left out.

Promises that its key stands in no error, though its answers repeat it. Its free plan answers 25 questions a day, so that a universe is not
asked for symbol by symbol: without a query it gives the newest of all, and a query of several tickers means articles that name all of them.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from trading_bot.domain.errors import SourceFailedError
from trading_bot.domain.news import RawArticle
from trading_bot.news.feeds.words import link, loaded, objects, words
from trading_bot.news.fetch import Answer, Fetcher
from trading_bot.settings_news import FeedSettings

KEY = "ALPHAVANTAGE_API_KEY"
_HOME = "https://www.alphavantage.co"
_MOST = 200
_PAUSE = 3600.0
"""Seconds for which it is left alone once it says that it was asked too often."""


class AlphaVantage:
    """Its newest articles."""

    def __init__(self, feed: FeedSettings, key: str, fetcher: Fetcher) -> None:
        self.name = feed.name
        self.weight = feed.weight
        query = {"function": "NEWS_SENTIMENT", "sort": "LATEST", "limit": _MOST, "apikey": key} | (
            {"tickers": feed.query} if feed.query else {}
        )
        self._url = f"{(feed.url or _HOME).rstrip('/')}/query?{urlencode(query)}"
        self._fetcher = fetcher

    def fetch(self) -> Sequence[RawArticle]:
        """The newest 200."""
        answer = self._fetcher.get(self._url, advice=f"look at {KEY}")
        if answer is None:
            return ()
        told = loaded(answer.body, "Alpha Vantage")
        if "Information" in told or "Note" in told:
            self._fetcher.leave_alone(self._url, _PAUSE)
            raise SourceFailedError(
                "Alpha Vantage answers no more for now: its plan's questions are used up; raise every_seconds in news.feeds"
            )
        if "feed" not in told:
            raise SourceFailedError(f"Alpha Vantage refused; look at {KEY}, and at the tickers of its query in news.feeds")
        return tuple(_article(one, answer, self.name) for one in objects(told["feed"]))


def _article(one: Mapping[str, object], answer: Answer, feed: str) -> RawArticle:
    return RawArticle(
        feed=feed,
        url=link(one.get("url")),
        title=words(one.get("title")),
        body=words(one.get("summary")),
        published=words(one.get("time_published")),
        publisher=words(one.get("source")),
        symbols=tuple(words(named.get("ticker")) for named in objects(one.get("ticker_sentiment")) if named.get("ticker")),
        received_at=answer.at,
    )
