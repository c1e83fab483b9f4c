"""NewsAPI (newsapi.org), `/v2/everything`: the newest articles that name what is asked for.

Promises that the key travels in a header and to the first host alone, and that a universe which does not fit one question is asked for in
turn, a part in each round. Its free plan answers 100 questions a day, with articles a day old.
"""

from collections.abc import Sequence
from itertools import cycle
from urllib.parse import urlencode

from trading_bot.domain.errors import SourceFailedError
from trading_bot.domain.news import RawArticle
from trading_bot.domain.values import Symbol
from trading_bot.news.feeds.words import link, loaded, objects, words
from trading_bot.news.fetch import Answer, Fetcher
from trading_bot.settings_news import FeedSettings

KEY = "NEWSAPI_KEY"
_HOME = "https://newsapi.org"
_LONGEST = 500
"""Characters of a question."""
_ADVICE = f"look at {KEY}, and at how often its plan may ask (every_seconds in news.feeds)"


class NewsApi:
    """Its articles about a query, or about a universe."""

    def __init__(self, feed: FeedSettings, key: str, universe: Sequence[Symbol], fetcher: Fetcher) -> None:
        self.name = feed.name
        self.weight = feed.weight
        self._home = (feed.url or _HOME).rstrip("/")
        self._secret = {"X-Api-Key": key}
        self._questions = cycle([feed.query] if feed.query else questions(universe))
        self._fetcher = fetcher

    def fetch(self) -> Sequence[RawArticle]:
        """The newest 100 of this round's question."""
        asked = urlencode({"q": next(self._questions), "sortBy": "publishedAt", "pageSize": 100})
        answer = self._fetcher.get(f"{self._home}/v2/everything?{asked}", secret=self._secret, advice=_ADVICE)
        return () if answer is None else articles(answer, self.name)


def questions(universe: Sequence[Symbol]) -> list[str]:
    """As many questions as a universe needs, each short enough."""
    made = [""]
    for symbol in universe:
        name = f'"{symbol.partition("/")[0]}"'
        longer = f"{made[-1]} OR {name}" if made[-1] else name
        made = [*made[:-1], longer] if len(longer) <= _LONGEST else [*made, name]
    return made


def articles(answer: Answer, feed: str) -> tuple[RawArticle, ...]:
    """What an answer holds, articles that were taken back left out."""
    told = loaded(answer.body, "NewsAPI")
    if told.get("status") != "ok":
        raise SourceFailedError(f"NewsAPI refused; {_ADVICE}")
    return tuple(
        RawArticle(
            feed=feed,
            url=link(one.get("url")),
            title=words(one.get("title")),
            body=words(one.get("description")) or words(one.get("content")),
            published=words(one.get("publishedAt")),
            publisher=words(source.get("name")) if isinstance(source := one.get("source"), dict) else "",
            received_at=answer.at,
        )
        for one in objects(told.get("articles"))
        if one.get("title") != "[Removed]"
    )
