"""A perpetual's market for tests: bars of five minutes that a source knows with their future, and what of it can be turned over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pandas as pd

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Contract, CorporateAction, Feed, Funding, PriceBasis, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries

COIN = Symbol("BTCUSDT")
START = datetime(2025, 10, 1, tzinfo=UTC)
_MINUTES = 5


def walk(count: int, seed: int = 1, drift: float = 0.0, level: float = 100.0) -> pd.DataFrame:
    """Five-minute bars from a midnight on, that drift by so many per cent a bar beside chance."""
    draw = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(draw.normal(drift / 100, 0.0015, count)))
    opening = np.concatenate(([level], close[:-1]))
    high = np.maximum(opening, close) * (1 + draw.uniform(0, 0.001, count))
    low = np.minimum(opening, close) * (1 - draw.uniform(0, 0.001, count))
    volume = draw.uniform(50, 150, count).round()
    index = pd.date_range(START, periods=count, freq=f"{_MINUTES}min")
    return pd.DataFrame({"open": opening, "high": high, "low": low, "close": close, "volume": volume}, index=index)


def turned_over(bars: pd.DataFrame, level: float) -> pd.DataFrame:
    """The mirror of bars: what lay above `level` lies as far below."""
    prices = {"open": bars["open"], "high": bars["low"], "low": bars["high"], "close": bars["close"]}
    return pd.DataFrame({name: 2 * level - column for name, column in prices.items()} | {"volume": bars["volume"]})


def series_of(frame: pd.DataFrame, timeframe: Timeframe = Timeframe.MINUTE_5) -> BarSeries:
    """Bars that close one length after their start."""
    ends = (pd.DatetimeIndex(frame.index).tz_convert(None) + timeframe.duration).to_numpy("datetime64[ns]")
    return BarSeries(COIN, timeframe, frame, ends, Feed.CONSOLIDATED, PriceBasis.AS_TRADED, "coins")


def quote(mid: str, at: datetime, half: str = "0.5", symbol: Symbol = COIN) -> Quote:
    """A quote so far to either side of `mid`."""
    bid, ask = Decimal(mid) - Decimal(half), Decimal(mid) + Decimal(half)
    return Quote(symbol=symbol, bid=bid, ask=ask, bid_size=Decimal(1), ask_size=Decimal(1), time=at, source="t", feed=Feed.CONSOLIDATED)


def closing_quotes(frame: pd.DataFrame, tick: Decimal) -> list[Quote]:
    """A quote two ticks wide at each close."""
    mids = [Decimal(repr(float(close))).quantize(tick) for close in frame["close"]]
    times = pd.DatetimeIndex(frame.index) + Timeframe.MINUTE_5.duration
    return [quote(str(mid), at.to_pydatetime(), str(tick)) for mid, at in zip(mids, times, strict=True)]


def funding(at: datetime, rate: str) -> Funding:
    """A funding."""
    return Funding(symbol=COIN, at=at, rate=Decimal(rate))


@dataclass
class Coins:
    """A source of one perpetual (or, if told so, coin), without a word of its venue; it knows the future."""

    series: dict[Timeframe, BarSeries]
    paid: tuple[Funding, ...] = ()
    quotes: Sequence[Quote] = ()
    kind: AssetClass = AssetClass.CRYPTO_PERPETUAL
    tick: Decimal = Decimal("0.01")
    name: str = "coins"
    asked: list[Timeframe] = field(default_factory=list)

    def instrument(self, symbol: Symbol) -> Instrument:
        """It never closes."""
        return Instrument(symbol=symbol, asset_class=self.kind, calendar="24/7", tick_size=self.tick, lot_size=Decimal("0.001"))

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:  # noqa: ARG002 - the port's signature
        """Finest first."""
        return tuple(self.series)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """What it has."""
        self.asked.append(timeframe)
        if timeframe not in self.series:
            raise NoDataError(f"{symbol}: no {timeframe}")
        return self.series[timeframe]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:  # noqa: ARG002 - the port's signature
        """None."""
        return ()

    def fundings(self, symbol: Symbol) -> tuple[Funding, ...]:  # noqa: ARG002 - the port's signature
        """What was paid, and will be."""
        return self.paid

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:  # noqa: ARG002 - the port's signature
        """Newest by then."""
        return next((one for one in reversed(self.quotes) if one.time <= at), None)

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()


@dataclass
class Telling(Coins):
    """A source whose venue tells."""

    word: Contract | None = None

    def contract(self, symbol: Symbol, at: datetime) -> Contract | None:  # noqa: ARG002 - the port's signature
        """Its word, once it was said."""
        return self.word if self.word is not None and self.word.time <= at else None


def market(frame: pd.DataFrame, tick: str = "0.01") -> Coins:
    """A source of these bars that quotes every close."""
    return Coins({Timeframe.MINUTE_5: series_of(frame)}, (), closing_quotes(frame, Decimal(tick)), tick=Decimal(tick))
