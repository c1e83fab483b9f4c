"""The invented market: same seed, same market; days are the sums of their minutes; the past never changes."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Dividend, Feed, Funding, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import Calendar
from trading_bot.settings import SyntheticSettings
from trading_bot.sources.synthetic import SyntheticSource

_START = date(2023, 1, 3)
_AAPL, _BTC = Symbol("AAPL"), Symbol("BTCUSDT")
_SUM = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
_SYMBOLS = tuple(Symbol(name) for name in ("AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "XOM", "UNH", "SPY", "QQQ"))
_TECHNOLOGY = _SYMBOLS[:3]
Make = Callable[..., SyntheticSource]


@pytest.fixture(scope="session")
def invent(instruments: Callable[[Symbol], Instrument], calendars: Callable[[str], Calendar]) -> Make:
    """Make a market up to a day."""

    def sectored(symbol: Symbol) -> Instrument:
        sector = "technology" if symbol in _TECHNOLOGY else symbol
        return instruments(symbol).model_copy(update={"sector": sector})

    def make(last: date = date(2024, 12, 31), seed: int = 7, timeframe: Timeframe = Timeframe.MINUTE) -> SyntheticSource:
        chosen = SyntheticSettings(start=_START, timeframe=timeframe, annual_volatility=0.28)
        return SyntheticSource(seed, chosen, sectored, calendars, Decimal(2), lambda: last)

    return make


def _daily(source: SyntheticSource, symbol: Symbol = _AAPL) -> pd.DataFrame:
    return source.bars(symbol, Timeframe.DAY).frame


@pytest.mark.parametrize("symbol", [_AAPL, _BTC])
def test_a_day_is_the_exact_sum_of_its_minutes(invent: Make, symbol: Symbol) -> None:
    """Every day of four months, half days and 24-hour days too."""
    source = invent(date(2023, 4, 28))
    minutes = source.bars(symbol, Timeframe.MINUTE).frame
    summed = minutes.groupby(pd.DatetimeIndex(minutes.index).normalize()).agg(_SUM)
    np.testing.assert_array_equal(summed.to_numpy(), _daily(source, symbol).to_numpy())


@pytest.mark.parametrize("timeframe", [Timeframe.MINUTE_5, Timeframe.HOUR, Timeframe.HOUR_4])
def test_longer_bars_are_sums_of_minutes_that_end_with_the_session(invent: Make, timeframe: Timeframe) -> None:
    """The half day 2023-11-24 closes at 18:00 UTC; its last bar is cut there."""
    source = invent(date(2023, 11, 24))
    series = source.bars(_AAPL, timeframe)
    half = series.frame.loc["2023-11-24"]
    minutes = source.bars(_AAPL, Timeframe.MINUTE).frame.loc["2023-11-24"]
    assert series.ends[-1] == np.datetime64("2023-11-24T18:00")
    assert half["volume"].sum() == minutes["volume"].sum()
    tail = minutes.loc[half.index[-1] :]
    expected = [tail["open"].iloc[0], tail["high"].max(), tail["low"].min(), tail["close"].iloc[-1], tail["volume"].sum()]
    assert half.iloc[-1].tolist() == expected


def test_bars_are_sane_and_on_the_tick(invent: Make) -> None:
    """High and low hold open and close, every minute trades, a share's price has two decimals."""
    frame = invent(date(2023, 6, 30)).bars(_AAPL, Timeframe.MINUTE).frame
    body = frame[["open", "close"]]
    assert (frame["high"] >= body.max(axis=1)).all()
    assert (frame["low"] <= body.min(axis=1)).all()
    assert (frame["volume"] > 0).all()
    assert all(Decimal(repr(price)) % Decimal("0.01") == 0 for price in set(frame["high"].tolist()))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), early=st.dates(date(2023, 1, 4), date(2024, 6, 28)), name=st.sampled_from(["AAPL", "ZZZ", "BTCUSDT"]))
def test_a_later_horizon_changes_nothing_that_was_there(invent: Make, seed: int, early: date, name: str) -> None:
    """Bars and events up to a day are the same whether the market goes on or not, minutes included."""
    short, long = invent(early, seed), invent(date(2024, 7, 31), seed)
    for symbol in (Symbol("OTHER"), Symbol(name)):
        daily = _daily(short, symbol)
        assert daily.equals(_daily(long, symbol).iloc[: len(daily)])
        known = short.actions(symbol)
        assert known == long.actions(symbol)[: len(known)]
    noon = datetime(early.year, early.month, early.day, 17, 1, tzinfo=UTC)
    assert short.quote(Symbol(name), noon) == long.quote(Symbol(name), noon)


def test_minutes_of_a_short_history_are_those_of_a_long_one(invent: Make) -> None:
    """Whatever else was worked out beside them."""
    short = invent(date(2023, 2, 28)).bars(_AAPL, Timeframe.MINUTE).frame
    assert short.equals(invent(date(2023, 12, 29)).bars(_AAPL, Timeframe.MINUTE).frame.iloc[: len(short)])


def test_another_seed_is_another_market(invent: Make) -> None:
    """And the same seed the same."""
    assert _daily(invent()).equals(_daily(invent()))
    assert not _daily(invent()).equals(_daily(invent(seed=8)))


def test_the_market_has_splits_and_quarterly_dividends(invent: Make) -> None:
    """Over two years of twelve symbols; prices fall by the ratio, and the events are at openings."""
    source = invent()
    splits = [a for symbol in _SYMBOLS for a in source.actions(symbol) if isinstance(a, Split)]
    assert splits
    for split in splits:
        frame = _daily(source, split.symbol)
        number = frame.index.to_list().index(pd.Timestamp(split.ex))
        jump = frame["close"].iloc[number - 1] / frame["open"].iloc[number]
        assert abs(jump / float(split.ratio) - 1) < 0.15
    paid = {s: sum(isinstance(a, Dividend) for a in source.actions(s)) for s in _SYMBOLS}
    assert set(paid.values()) <= {0, 7, 8}
    assert len([s for s in paid if paid[s]]) >= 4


def test_the_market_is_lively_enough_to_trade(invent: Make) -> None:
    """Prices between 20 and 600 USD, more than a million shares a day, a true range of half a dollar on almost every day."""
    source = invent()
    for symbol in _SYMBOLS:
        frame = _daily(source, symbol)
        assert frame["low"].min() > 20, symbol
        assert frame["high"].max() < 600, symbol
        assert (frame["volume"] > 1_000_000).all(), symbol
        assert ((frame["high"] - frame["low"]).rolling(14).mean().dropna() > 0.5).mean() > 0.9, symbol


def test_returns_have_fat_tails_clusters_and_sectors(invent: Make) -> None:
    """Kurtosis above the normal's, squares that remember, sector mates closer than strangers; about the volatility asked for."""
    source = invent(date(2026, 6, 30))
    log = {s: np.log(_daily(source, s)["close"]).diff().iloc[1:] for s in _SYMBOLS}
    returns = pd.DataFrame(log).where(lambda table: table.abs() < 0.3).fillna(0.0)
    correlation = returns.corr()
    mates = correlation.loc["AAPL", ["MSFT", "NVDA"]].mean()
    assert returns.kurt().mean() > 1
    assert np.mean([(returns[s] ** 2).autocorr(1) for s in _SYMBOLS]) > 0.03
    assert mates > correlation.loc["AAPL", ["JPM", "XOM", "UNH"]].mean() + 0.05
    assert 0.22 < returns.std().mean() * 252**0.5 < 0.38


def test_volume_is_high_at_the_edges_of_a_session(invent: Make) -> None:
    """The first and last half hour trade more than the two quarters around noon."""
    frame = invent(date(2023, 3, 31)).bars(_AAPL, Timeframe.MINUTE_30).frame
    by_slot = frame["volume"].groupby(frame.groupby(pd.DatetimeIndex(frame.index).normalize()).cumcount()).mean()
    assert by_slot.iloc[[0, 12]].min() > 1.5 * by_slot.iloc[5:8].max()


def test_a_quote_is_the_open_of_the_running_minute_and_the_last_close_at_night(invent: Make) -> None:
    """Read from the session in question, equal to the whole series."""
    source = invent(date(2023, 6, 30))
    minutes = source.bars(_AAPL, Timeframe.MINUTE).frame
    running = source.quote(_AAPL, datetime(2023, 6, 29, 15, 0, 59, tzinfo=UTC))
    night = source.quote(_AAPL, datetime(2023, 6, 30, 3, 0, tzinfo=UTC))
    assert running is not None
    assert night is not None
    assert (running.mid, running.source) == (
        Decimal(repr(float(minutes["open"].loc[pd.Timestamp("2023-06-29 15:00", tz="UTC")]))),
        "bar-open",
    )
    assert (night.mid, night.source) == (
        Decimal(repr(float(minutes["close"].loc[pd.Timestamp("2023-06-29 19:59", tz="UTC")]))),
        "bar-close",
    )
    assert night.time == datetime(2023, 6, 29, 20, 0, tzinfo=UTC)
    assert source.quote(_AAPL, datetime(2023, 1, 3, 14, 29, tzinfo=UTC)) is None


def test_the_horizon_moves_with_the_clock(calendars: Callable[[str], Calendar]) -> None:
    """A source that lives on sees new sessions, and only those."""
    days = iter([date(2023, 1, 31), date(2023, 1, 31) + timedelta(days=1)])
    chosen = SyntheticSettings(start=_START, timeframe=Timeframe.DAY, annual_volatility=0.28)
    source = SyntheticSource(7, chosen, lambda s: Instrument(symbol=s), calendars, Decimal(2), lambda: next(days))
    before, after = _daily(source), _daily(source)
    assert (len(before), len(after)) == (20, 21)
    assert after.iloc[:20].equals(before)


def test_the_series_says_what_it_is(invent: Make) -> None:
    """As traded, consolidated, invented; no finer than configured."""
    source = invent(timeframe=Timeframe.HOUR)
    series = source.bars(_AAPL, Timeframe.DAY)
    assert (series.feed, series.basis, series.source) == (Feed.CONSOLIDATED, PriceBasis.AS_TRADED, "synthetic")
    assert source.timeframes(_AAPL) == (Timeframe.HOUR, Timeframe.HOUR_4, Timeframe.DAY)
    assert "seed 7" in source.notes()[0]
    with pytest.raises(NoDataError, match="begins at 1h"):
        source.bars(_AAPL, Timeframe.MINUTE)


def test_a_market_without_a_session_is_refused(invent: Make, calendars: Callable[[str], Calendar]) -> None:
    """Start on a Saturday and look the same day."""
    chosen = SyntheticSettings(start=date(2024, 1, 6), timeframe=Timeframe.DAY, annual_volatility=0.28)
    source = SyntheticSource(7, chosen, invent().instrument, calendars, Decimal(2), lambda: date(2024, 1, 7))
    with pytest.raises(NoDataError, match="no session between 2024-01-06 and 2024-01-07"):
        source.bars(_AAPL, Timeframe.DAY)


def test_invented_perpetuals_are_funded_every_eight_hours_and_the_past_never_changes() -> None:
    """Mostly longs pay, at times shorts; two coins differ; a coin held outright, or a share, is not funded."""

    def rates(last: date, symbol: Symbol = _BTC, kind: AssetClass = AssetClass.CRYPTO_PERPETUAL, seed: int = 7) -> tuple[Funding, ...]:
        settings = SyntheticSettings(start=_START, timeframe=Timeframe.MINUTE, annual_volatility=0.6)
        coin = Instrument(symbol=symbol, asset_class=kind, calendar="24/7")
        return SyntheticSource(seed, settings, lambda _: coin, open_calendar, Decimal(2), lambda: last).fundings(symbol)

    year, month = rates(date(2024, 1, 2)), rates(date(2023, 2, 2))
    assert year[: len(month)] == month
    assert {b.at - a.at for a, b in pairwise(year)} == {timedelta(hours=8)}
    assert (year[0].at, year[-1].at) == (datetime(2023, 1, 3, tzinfo=UTC), datetime(2024, 1, 2, 16, tzinfo=UTC))
    negative = sum(one.rate < 0 for one in year) / len(year)
    assert 0.02 < negative < 0.45
    assert max(abs(one.rate) for one in year) <= Decimal("0.002")
    assert len({rates(date(2023, 2, 2)), rates(date(2023, 2, 2), Symbol("ETHUSDT")), rates(date(2023, 2, 2), seed=8)}) == 3
    assert rates(date(2023, 2, 2), kind=AssetClass.CRYPTO_SPOT) == ()
