"""Alpaca's news, by alpaca-py.

Promises articles since the last fetch that came through, a little of the time before it again (an article may be dated a while before it
is served), and time-outs. Its coins are named without a slash (BTCUSD), as Alpaca names them here.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from alpaca.common.exceptions import APIError
from alpaca.data.historical.news import NewsClient
from alpaca.data.requests import NewsRequest
from requests.exceptions import RequestException

from trading_bot.domain.errors import SourceFailedError
from trading_bot.domain.news import RawArticle
from trading_bot.domain.values import Symbol
from trading_bot.network.keys import Keys
from trading_bot.settings_news import FeedSettings
from trading_bot.sources.alpaca_client import tamed
from trading_bot.sources.alpaca_wire import explain

_FIRST = timedelta(hours=12)
_AGAIN = timedelta(minutes=15)
_MOST = 500
"""Articles of one fetch: ten pages."""


class AlpacaNews:
    """Articles about a query (symbols with commas), or about a universe."""

    def __init__(self, feed: FeedSettings, keys: Keys, universe: Sequence[Symbol], now: Callable[[], datetime]) -> None:
        self.name = feed.name
        self.weight = feed.weight
        self._keys = keys
        self._symbols = feed.query or ",".join(symbol.replace("/", "") for symbol in universe)
        self._now = now
        self._since: datetime | None = None
        address = feed.url.rstrip("/") if feed.url else None
        self._client = tamed(NewsClient(api_key=keys.key, secret_key=keys.secret, raw_data=True, url_override=address))

    def fetch(self) -> Sequence[RawArticle]:
        """The newest since the last fetch, at most 500."""
        now = self._now()
        start = now - _FIRST if self._since is None else self._since - _AGAIN
        request = NewsRequest(start=start, symbols=self._symbols or None, sort="desc", limit=_MOST, include_content=True)
        try:
            told = cast("Mapping[str, Any]", self._client.get_news(request))
            found = tuple(self._article(one, now) for one in told.get("news", ()))
        except (APIError, RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceFailedError(str(explain(self._keys, error).error)) from error
        self._since = now
        return found

    def close(self) -> None:
        """Close its connections."""
        self._client._session.close()  # noqa: SLF001 - the library has no way to close

    def _article(self, one: Mapping[str, Any], now: datetime) -> RawArticle:
        return RawArticle(
            feed=self.name,
            url=_text(one.get("url")),
            title=_text(one.get("headline")),
            body=_text(one.get("content")) or _text(one.get("summary")),
            published=_text(one.get("created_at")),
            publisher=_text(one.get("source")),
            symbols=tuple(map(_text, one.get("symbols") or ())),
            received_at=now,
        )


def _text(value: object) -> str:
    """Text that can be stored, and none where it is something else."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
