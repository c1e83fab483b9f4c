"""alpaca-py's clients for market data, tamed: with a timeout, without their own retries, answers raw.

Promises that no call waits for ever, and that a refused call comes back at once (the library would sleep for nine seconds).
Refuses the library's models: they fail when a field that nobody here reads is taken out of an answer.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeVar, cast
from urllib.parse import urlsplit

from alpaca.common.rest import RESTClient
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.crypto import CryptoHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import (
    CorporateActionsRequest,
    CryptoBarsRequest,
    CryptoLatestQuoteRequest,
    StockBarsRequest,
    StockLatestQuoteRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass
from alpaca.trading.requests import GetAssetsRequest
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.network.keys import Keys
from trading_bot.settings import AlpacaEnvironment, AlpacaSettings

_TIMEOUT = (3.05, 10.0)
"""Seconds to connect, and between two parts of an answer."""
_POOL = 4
TIMEFRAMES: Final = {
    Timeframe.MINUTE_15: TimeFrame(15, TimeFrameUnit("Min")),
    Timeframe.DAY: TimeFrame(1, TimeFrameUnit("Day")),
}
"""15 minutes divide New York's half hours; an hour's bar would mix the first half hour with the time before the opening."""

Wire = Mapping[str, Any]
Client = TypeVar("Client", bound=RESTClient)


class _Timed(HTTPAdapter):
    """An HTTP connection with a timeout where the caller gives none."""

    def send(  # noqa: PLR0913, PLR0917 - the library's own signature
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - the library's own signature
        timeout: Any = None,  # noqa: ANN401 - the library's own signature
        verify: bool | str = True,  # noqa: FBT001, FBT002 - the library's own signature
        cert: Any = None,  # noqa: ANN401 - the library's own signature
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        return super().send(request, stream=stream, timeout=timeout or _TIMEOUT, verify=verify, cert=cert, proxies=proxies)


def tamed(client: Client) -> Client:
    """Return `client` with a timeout and without retries."""
    client._retry = 0  # noqa: SLF001 - the library's constructor takes no 0
    for scheme in ("https://", "http://"):
        client._session.mount(scheme, _Timed(pool_maxsize=_POOL))  # noqa: SLF001 - the library offers no other way to a timeout
    return client


DAYS_LATE = timedelta(minutes=16)
"""Whoever has no subscription may read what all venues traded so long ago."""


class AlpacaReads:
    """What we read of Alpaca, one method per call; every answer is raw JSON."""

    def __init__(self, settings: AlpacaSettings, keys: Keys, now: Callable[[], datetime]) -> None:
        pair: dict[str, Any] = {"api_key": keys.key, "secret_key": keys.secret, "raw_data": True, "url_override": settings.url}
        self._feed = DataFeed(settings.feed)
        self._now = now
        self._stocks = tamed(StockHistoricalDataClient(**pair))
        self._coins = tamed(CryptoHistoricalDataClient(**pair))
        self._events = tamed(CorporateActionsClient(**pair))
        self._trading = tamed(TradingClient(paper=settings.environment is AlpacaEnvironment.PAPER, **pair))

    def asset(self, symbol: Symbol) -> Wire:
        """One asset."""
        return cast("Wire", self._trading.get_asset(symbol))

    def assets(self, kind: Literal["us_equity", "crypto"]) -> Sequence[Wire]:
        """All assets of a class, inactive ones too."""
        return cast("Sequence[Wire]", self._trading.get_all_assets(GetAssetsRequest(asset_class=AssetClass(kind))))

    def stock_bars(self, symbols: Sequence[Symbol], timeframe: Timeframe, start: datetime) -> Mapping[str, list[Wire]]:
        """Bars as traded from `start` on, all pages.

        Days come from all venues whatever the feed, a quarter of an hour late: so far back that is free.
        """
        late = timeframe is Timeframe.DAY and self._feed is not DataFeed.SIP
        request = StockBarsRequest(
            symbol_or_symbols=[*symbols],
            timeframe=TIMEFRAMES[timeframe],
            start=start,
            end=max(self._now() - DAYS_LATE, start) if late else None,
            adjustment=Adjustment.RAW,
            feed=DataFeed.SIP if late else self._feed,
        )
        return cast("Mapping[str, list[Wire]]", self._stocks.get_stock_bars(request))

    def coin_bars(self, symbols: Sequence[Symbol], timeframe: Timeframe, start: datetime) -> Mapping[str, list[Wire]]:
        """The same for coins."""
        request = CryptoBarsRequest(symbol_or_symbols=[*symbols], timeframe=TIMEFRAMES[timeframe], start=start)
        return cast("Mapping[str, list[Wire]]", self._coins.get_crypto_bars(request))

    def stock_quotes(self, symbols: Sequence[Symbol]) -> Mapping[str, Wire]:
        """The newest quote of each symbol."""
        return cast(
            "Mapping[str, Wire]",
            self._stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=[*symbols], feed=self._feed)),
        )

    def coin_quotes(self, symbols: Sequence[Symbol]) -> Mapping[str, Wire]:
        """The same for coins."""
        return cast("Mapping[str, Wire]", self._coins.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=[*symbols])))

    def actions(self, symbols: Sequence[Symbol], first: date, last: date) -> Mapping[str, list[Wire]]:
        """Corporate actions that Alpaca processes from `first` to `last`, all pages."""
        # The request's own default of 1,000 cuts the answer off without a word.
        request = CorporateActionsRequest(symbols=[*symbols], start=first, end=last, limit=None)
        return cast("Mapping[str, list[Wire]]", self._events.get_corporate_actions(request))

    def close(self) -> None:
        """Close all connections."""
        for client in (self._stocks, self._coins, self._events, self._trading):
            client._session.close()  # noqa: SLF001 - the library has no way to close


def stream_address(settings: AlpacaSettings, path: str) -> str | None:
    """Where an emulator's stream answers, None for Alpaca's own."""
    return None if settings.url is None else f"ws://{urlsplit(settings.url).netloc}{path}"
