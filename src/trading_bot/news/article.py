"""From what a feed sent to an article that can be read.

Promises clean text, a canonical address, times by rule, mentions with reasons and marks for what looked wrong; the same raw article gives
the same article, whenever and by whom it is read. The id is of feed, address and title; without an address, of feed, title and
date: no feed can take another's word away by telling it first. Refuses what has neither title nor text: `UnreadableError`, which a worker
counts and drops.
"""

from trading_bot.domain.news import Article, ArticleId, RawArticle
from trading_bot.domain.values import derive_id
from trading_bot.news import address, clean, dates, hostile
from trading_bot.news.language import language
from trading_bot.news.tickers import Tickers

_FEW_WORDS = 12
"""Of a text that stands for a missing title in an id."""


class UnreadableError(ValueError):
    """There is nothing in it to be read."""


class Reader:
    """Reads raw articles; holds nothing but the names of the universe."""

    def __init__(self, tickers: Tickers) -> None:
        self._tickers = tickers

    def read(self, raw: RawArticle) -> Article:
        """Return the article. UnreadableError if it has neither title nor text."""
        title, text = clean.clean(raw.title, clean.TITLE), clean.clean(raw.body, clean.TEXT)
        if not title and not text:
            raise UnreadableError(f"an article of {raw.feed} has neither title nor text")
        url = address.canonical(raw.url)
        publisher = clean.clean(raw.publisher, clean.PUBLISHER) or address.site(url) or raw.feed
        published_at, date_marks = dates.read(raw.published, raw.received_at)
        return Article(
            id=_id(raw, url, title, text),
            feed=raw.feed,
            publisher=publisher,
            url=url,
            title=title,
            text=text,
            language=language(raw.language, f"{title} {text}"),
            published_at=published_at,
            received_at=raw.received_at,
            mentions=self._tickers.mentions(title, text, raw.symbols),
            # A publisher's name is a stranger's text as well, and is shown beside the title.
            marks=(*hostile.marks(f"{raw.title} {raw.publisher}", raw.body, f"{title}\n{publisher}", text), *date_marks),
        )


def _id(raw: RawArticle, url: str, title: str, text: str) -> ArticleId:
    named = title.casefold() or " ".join(text.casefold().split()[:_FEW_WORDS])
    return ArticleId(derive_id(raw.feed, url or raw.published, named))
