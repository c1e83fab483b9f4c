"""Emulated quotes on the bars of a source: a path that keeps inside each bar, and touches its extremes."""

from datetime import UTC, date, datetime
from decimal import Decimal

from trading_bot.brokers.units import stamp
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.alpaca.making import alpaca_instrument, market_of
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.settings import SyntheticSettings
from trading_bot.sources.synthetic import SyntheticSource

SHARE = Symbol("AAPL")
OPENING, NOON = datetime(2024, 3, 5, 14, 30, tzinfo=UTC), datetime(2024, 3, 5, 17, 0, tzinfo=UTC)


def made(timeframe: Timeframe) -> EmulatedMarket:
    """The invented source's market, as if it were recorded."""
    settings = SyntheticSettings(start=date(2024, 3, 1), timeframe=timeframe, annual_volatility=0.3)
    source = SyntheticSource(5, settings, alpaca_instrument, open_calendar, Decimal(2), lambda: date(2024, 3, 8))
    return market_of(source, [SHARE], open_calendar, seed=1)


def test_quotes_stay_inside_their_bar_and_touch_its_extremes() -> None:
    """Middles from low to high, both reached, the last at the close."""
    market = made(Timeframe.MINUTE_5)
    units = market.units(SHARE)
    for bar in market.bars(SHARE, Timeframe.MINUTE_5, OPENING, NOON):
        mids = [(s.quote.bid + s.quote.ask) // 2 for s in market.walk(SHARE, stamp(bar.start) - 1, stamp(bar.end) - 1)]
        low, high, close = (round(v / float(units.tick)) for v in (bar.low, bar.high, bar.close))
        assert (min(mids), max(mids), mids[-1]) == (low, high, close)
        assert len(mids) == 300


def test_the_newest_quote_is_the_one_that_was_walked_last() -> None:
    """Minute by minute, and over a night, when the last of the day stands."""
    market = made(Timeframe.MINUTE)
    for sized in list(market.walk(SHARE, stamp(OPENING), stamp(OPENING) + 90 * 10**9)):
        assert market.quote(SHARE, sized.quote.time) == sized.quote
    evening = market.quote(SHARE, stamp(datetime(2024, 3, 6, 2, 0, tzinfo=UTC)))
    assert evening is not None
    assert evening.time < stamp(datetime(2024, 3, 5, 21, 0, tzinfo=UTC))
