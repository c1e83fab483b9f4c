"""A market of written coins for tests: one rises, one falls, one stands still; a desk that looks at it, and a trade in it."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from builders import mandate, position, proposal
from tools import scopes
from trading_bot import config
from trading_bot.backtest.facts import Material
from trading_bot.domain.books import Books
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import CorporateAction, Feed, PriceBasis, Quote, Timeframe
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import Target
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import DecisionId, ProposalId, Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries, Brief
from trading_bot.sources.bar_quotes import BarQuotes
from trading_bot.tools.scope import Scope

UP, DOWN, STILL = map(Symbol, ("UPUSDT", "DOWNUSDT", "STILLUSDT"))
COINS = (UP, DOWN, STILL)
NOW = datetime(2025, 10, 10, 18, tzinfo=UTC)
_FIRST, _DAYS = datetime(2025, 7, 20, tzinfo=UTC), 90
_DRIFT = {UP: 0.00004, DOWN: -0.00004, STILL: 0.0}
_WAVE = {UP: 0.004, DOWN: -0.004, STILL: 0.0}
_M15 = Timeframe.MINUTE_15
OPENED = DecisionId("opened")


def coin(symbol: Symbol) -> Instrument:
    """A perpetual at three times its margin."""
    grid = {"tick_size": Decimal("0.01"), "lot_size": Decimal("0.001"), "minimum_notional": Decimal(5)}
    return Instrument(
        symbol=symbol,
        asset_class=AssetClass.CRYPTO_PERPETUAL,
        calendar="24/7",
        currency="USDT",
        leverage_cap=Decimal(3),
        maintenance_rate=Decimal("0.01"),
        **grid,
    )


class CoinSource:
    """Fifteen-minute bars by formula; `turn`: when every trend turns round."""

    name = "coins"

    def __init__(self, turn: datetime | None = None) -> None:
        self._series = {symbol: _series(symbol, turn) for symbol in COINS}
        self._quotes = {symbol: BarQuotes([series], coin(symbol), Decimal(1)) for symbol, series in self._series.items()}

    def instrument(self, symbol: Symbol) -> Instrument:
        """It never closes."""
        return coin(symbol)

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Quarters of an hour."""
        return (_M15,) if symbol in self._series else ()

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """The formula's."""
        if symbol not in self._series or timeframe is not _M15:
            msg = f"there are no bars of {timeframe} of {symbol}"
            raise NoDataError(msg)
        return self._series[symbol]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:  # noqa: ARG002 - the port's signature
        """Coins have none."""
        return ()

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Opens and closes of the bars."""
        return self._quotes[symbol].at(at)

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()


def _series(symbol: Symbol, turn: datetime | None) -> BarSeries:
    index = pd.date_range(_FIRST, periods=_DAYS * 96, freq="15min")
    turned = np.zeros(len(index)) if turn is None else np.asarray(index >= pd.Timestamp(turn)).astype(float)
    drift = _DRIFT[symbol] * (1 - 6 * turned)
    wave = np.array([_WAVE[symbol] * math.sin(n / 23) for n in range(len(index))])
    close = 1000 * np.exp(np.cumsum(drift) + wave)
    opens = np.concatenate(([close[0]], close[:-1]))
    reach = 0.0015 if symbol != STILL else 0.0
    high, low = np.maximum(opens, close) * (1 + reach), np.minimum(opens, close) * (1 - reach)
    volume = np.linspace(1e5, 2e5, len(index))
    frame = pd.DataFrame({"open": opens, "high": high, "low": low, "close": close, "volume": volume}, index=index, dtype="float64")
    ends = (index.tz_convert(None) + _M15.duration).to_numpy("datetime64[ns]")
    return BarSeries(symbol, _M15, frame, ends, Feed.CONSOLIDATED, PriceBasis.AS_TRADED, "coins")


def brief(  # noqa: PLR0913 - what tests vary
    decision: str = OPENED,
    at: datetime = NOW,
    books: Books | None = None,
    *,
    source: CoinSource | None = None,
    universe: tuple[Symbol, ...] = COINS,
    woken_by: str = "",
) -> Brief:
    """What an analyst is given at one moment."""
    view = AsOfView(source or CoinSource(), lambda: at)
    return Brief(DecisionId(decision), view, books or Books(cash=Decimal(10_000)), universe, woken_by=woken_by)


def scope_of(asked: Brief) -> Scope:
    """The desk as its tools see it: the books of the brief, whose position a proposal of `OPENED` opened."""
    settings = config.load(flags={"desk": "coins"})
    opened = [
        proposal(at=p.opened_at, id=ProposalId("opened"), decision_id=OPENED, symbol=s, side=p.side, **_prices(p.side), analyst="claude")
        for s, p in asked.books.positions.items()
    ]
    material = Material(start=Decimal(10_000), points=[], trades=[], proposals=opened, verdicts=[], events=[], books=asked.books)
    limits = settings.risk.limits.model_dump() | {"universe": COINS}
    plain = scopes.scope(mandate=mandate(**limits), news=None, lab=None)
    return replace(
        plain,
        decision=asked.decision_id,
        view=asked.view,
        universe=asked.universe,
        calendar=open_calendar("24/7"),
        material=material,
        decisions=(),
    )


def _prices(side: Side) -> Mapping[str, Any]:
    down, up = (Decimal(90), Decimal(130)) if side is Side.BUY else (Decimal(130), Decimal(90))
    return {"entry": Decimal(100), "stop_loss": down, "targets": (Target(price=up, fraction=Decimal(1)),), "expires_at": NOW}


def price(of: Brief, symbol: Symbol) -> Decimal:
    """The middle of the quote, on the tick."""
    quote = of.view.quote(symbol)
    assert quote is not None
    return of.view.instrument(symbol).round_price(quote.mid)


def holding(at: datetime, symbol: Symbol = UP, side: Side = Side.BUY, stop: str | None = None, source: CoinSource | None = None) -> Books:
    """Ten of a coin, bought or sold short two hours before, with a stop five per cent away."""
    now = brief(at=at, source=source)
    entry = price(brief(at=at - timedelta(hours=2), source=source), symbol)
    resting = Decimal(stop) if stop else coin(symbol).round_price(price(now, symbol) * (1 - side.sign * Decimal("0.05")))
    held = position(symbol, str(10 * side.sign), str(entry)).model_copy(update={"opened_at": at - timedelta(hours=2)})
    return Books(cash=Decimal(10_000) - 10 * side.sign * entry, positions={symbol: held}, stops={symbol: resting})


def running(books: Books) -> RunningTrade:
    """The trade in these books."""
    ((symbol, held),) = books.positions.items()
    return RunningTrade(
        id=OPENED,
        symbol=symbol,
        side=held.side,
        quantity=abs(held.quantity),
        entry=held.average_price,
        opened_at=held.opened_at,
        first_stop=books.stops[symbol],
        stop=books.stops[symbol],
        targets=(Target(price=held.average_price * (1 + held.side.sign * Decimal("0.2")), fraction=Decimal(1)),),
        confidence=0.7,
        thesis="the trend holds",
    )
