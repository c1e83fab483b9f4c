"""Buy and hold on small made-up prices worked out by hand, and on the recorded year 2024."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading_bot.backtest.benchmark import Benchmark, buy_and_hold
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Dividend, Feed, PriceBasis, Quote, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource

A, B = Symbol("AAA"), Symbol("BBB")
MON, TUE, WED = date(2024, 3, 4), date(2024, 3, 5), date(2024, 3, 6)


class Weekdays:
    """A calendar whose sessions are all weekdays, 14:30 to 21:00 UTC."""

    name = "XNYS"
    zone: tzinfo = UTC

    def is_session(self, day: date) -> bool:
        """Monday to Friday."""
        return day.weekday() < 5

    def sessions(self, first: date, last: date) -> tuple[date, ...]:
        """Weekdays from `first` to `last`."""
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return tuple(d for d in days if self.is_session(d))

    def hours(self, session: date) -> tuple[datetime, datetime]:
        """14:30 to 21:00 UTC."""
        return datetime.combine(session, time(14, 30), UTC), datetime.combine(session, time(21), UTC)

    def session_at(self, moment: datetime) -> date | None:
        """The weekday of `moment`, if open then."""
        opening, closing = self.hours(moment.date())
        return moment.date() if self.is_session(moment.date()) and opening <= moment < closing else None

    def next_session(self, day: date) -> date:
        """First weekday after `day`."""
        return self.sessions(day + timedelta(days=1), day + timedelta(days=7))[0]

    def previous_session(self, day: date) -> date:
        """Last weekday before `day`."""
        return self.sessions(day - timedelta(days=7), day - timedelta(days=1))[-1]


def opening(day: date) -> datetime:
    """Opening time of a session."""
    return Weekdays().hours(day)[0]


@dataclass
class Prices:
    """A market source of daily opens and closes."""

    days: Mapping[Symbol, Mapping[date, tuple[float, float]]]
    events: Sequence[CorporateAction] = ()
    basis: PriceBasis = PriceBasis.AS_TRADED
    name: str = field(default="prices")

    def instrument(self, symbol: Symbol) -> Instrument:
        """An equity."""
        return Instrument(symbol=symbol)

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Daily bars."""
        if symbol not in self.days:
            msg = f"{symbol}: no bars"
            raise NoDataError(msg)
        return (Timeframe.DAY,)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """One bar a day from open to close."""
        rows = self.days[symbol]
        index = pd.DatetimeIndex([opening(day) for day in rows])
        table = [(o, max(o, c), min(o, c), c, 1e6) for o, c in rows.values()]
        frame = pd.DataFrame(table, index=index, columns=["open", "high", "low", "close", "volume"])
        ends = np.array([Weekdays().hours(day)[1].replace(tzinfo=None) for day in rows], dtype="datetime64[ns]")
        return BarSeries(symbol, timeframe, frame, ends, Feed.CONSOLIDATED, self.basis, self.name)

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """What was given."""
        return tuple(e for e in self.events if e.symbol == symbol)

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """No quotes here."""
        del symbol, at
        return None

    def notes(self) -> tuple[str, ...]:
        """Nothing to say."""
        return ()


class HalfHours(Prices):
    """The same prices as two bars of half an hour a session: opening to 100, then 100 to the close."""

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Half hours."""
        del symbol
        return (Timeframe.MINUTE_30,)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """The first and the last half hour of each day."""
        daily = super().bars(symbol, timeframe)
        later = daily.frame.assign(open=100.0).set_axis(daily.frame.index + pd.Timedelta(hours=6))
        frame = pd.concat([daily.frame.assign(close=100.0), later]).sort_index()
        return BarSeries(symbol, timeframe, frame, frame.index.to_numpy(), daily.feed, daily.basis, self.name)


def hold(source: Prices, *symbols: Symbol, first: date = MON, last: date = WED) -> Benchmark:
    """Buy and hold 1,000 dollars from Monday to Wednesday."""
    return buy_and_hold(source, symbols, first, last, lambda _: Weekdays(), Decimal(1000))


def test_cash_is_shared_equally_at_the_first_open_and_marked_at_closes() -> None:
    """500 in each: AAA 50 -> 55 is +10 %, BBB 20 -> 19 is -5 %; together +2.5 %."""
    made = hold(Prices({A: {MON: (50, 51), TUE: (51, 52), WED: (52, 55)}, B: {MON: (20, 21), TUE: (21, 20), WED: (20, 19)}}), A, B)
    assert made.returns == {A: pytest.approx(0.10), B: pytest.approx(-0.05)}
    assert made.curve.equity.tolist() == pytest.approx([1035, 1020, 1025])
    assert made.performance.total_return == pytest.approx(0.025)
    assert made.performance.profit == Decimal("25.00")
    assert made.notes == ()


def test_a_split_multiplies_the_shares_and_changes_no_return() -> None:
    """Two for one on Tuesday: 20 shares of 50 become 40 of 25."""
    split = Split(symbol=A, ex=opening(TUE), ratio=Decimal(2))
    made = hold(Prices({A: {MON: (50, 50), TUE: (25, 25), WED: (25, 30)}}, [split]), A)
    assert made.curve.equity.tolist() == pytest.approx([1000, 1000, 1200])


def test_a_dividend_is_kept_as_cash_by_who_held_before_its_ex_date() -> None:
    """20 shares get 1 dollar each on Tuesday and none on Monday, when they were bought at the opening of the ex-date."""
    paid: list[CorporateAction] = [Dividend(symbol=A, ex=opening(day), amount=Decimal(1)) for day in (MON, TUE)]
    made = hold(Prices({A: {MON: (50, 50), TUE: (49, 49), WED: (49, 60)}}, paid), A)
    assert made.curve.equity.tolist() == pytest.approx([1000, 1000, 1220])
    assert made.curve.exposure.tolist() == pytest.approx([1000, 980, 1200])


def test_a_dividend_on_the_day_of_a_split_is_per_new_share() -> None:
    """Two for one and 1 dollar on Tuesday: 40 shares get 40 dollars."""
    events: list[CorporateAction] = [
        Dividend(symbol=A, ex=opening(TUE), amount=Decimal(1)),
        Split(symbol=A, ex=opening(TUE), ratio=Decimal(2)),
    ]
    made = hold(Prices({A: {MON: (50, 50), TUE: (25, 25), WED: (25, 25)}}, events), A)
    assert made.curve.equity.tolist() == pytest.approx([1000, 1040, 1040])


def test_a_symbol_that_starts_late_is_cash_until_then_and_said_so() -> None:
    """BBB appears on Tuesday; its 500 wait."""
    made = hold(Prices({A: {MON: (50, 50), TUE: (50, 50), WED: (50, 50)}, B: {TUE: (20, 22), WED: (22, 24)}}), A, B)
    assert made.curve.equity.tolist() == pytest.approx([1000, 1050, 1100])
    assert made.notes == ("BBB: no bars before 2024-03-05; bought then, held as cash until then",)


def test_a_symbol_that_ends_early_stays_at_its_last_close_and_said_so() -> None:
    """AAA is heard of no more after Monday."""
    made = hold(Prices({A: {MON: (50, 60)}}), A)
    assert made.curve.equity.tolist() == pytest.approx([1200, 1200, 1200])
    assert made.notes == ("AAA: no bars after 2024-03-04; kept at that close",)


def test_a_symbol_without_bars_is_left_out_and_prices_not_as_traded_are_marked() -> None:
    """All cash goes to what can be bought."""
    made = hold(Prices({A: dict.fromkeys((MON, TUE, WED), (50.0, 50.0))}, basis=PriceBasis.NOT_AS_TRADED), A, B)
    assert made.returns == {A: 0.0}
    assert made.notes == ("BBB: no bars in the period; left out", "AAA: prices are not as traded")


def test_without_any_bar_there_is_no_benchmark() -> None:
    """The error says what to change."""
    with pytest.raises(NoDataError, match="no bars of AAA from 2025-01-01 to 2025-01-03; ask for"):
        hold(Prices({A: {MON: (50, 50)}}), A, first=date(2025, 1, 1), last=date(2025, 1, 3))


def test_intraday_bars_serve_where_there_are_no_daily_ones() -> None:
    """A source's coarsest bars count: the first open and the last close of each session."""
    made = hold(HalfHours({A: {MON: (50, 51), TUE: (52, 55)}}), A, last=TUE)
    assert made.curve.equity.tolist() == pytest.approx([1020, 1100])


def test_what_happens_after_the_last_session_changes_nothing() -> None:
    """Later prices, splits and dividends belong to the future."""
    now = {MON: (50.0, 51.0), TUE: (51.0, 52.0)}
    later: list[CorporateAction] = [
        Split(symbol=A, ex=opening(WED), ratio=Decimal(3)),
        Dividend(symbol=A, ex=opening(WED), amount=Decimal(2)),
    ]
    before = hold(Prices({A: now}), A, last=TUE)
    after = hold(Prices({A: {**now, WED: (17, 17)}}, later), A, last=TUE)
    assert before.performance == after.performance


@pytest.mark.parametrize(("symbol", "known"), [("AAPL", (250.42 + 0.99) / 187.15 - 1), ("NVDA", (134.29 + 0.004 + 3 * 0.01) / 49.244 - 1)])
def test_the_recorded_year_gives_the_known_total_return(shared: Path, symbol: str, known: float) -> None:
    """2024 from the first open to the last close: AAPL +34.34 % with 0.99 of dividends; NVDA over its ten for one split.

    NVDA in today's shares: dividends of 0.04 before the split (0.004) and 0.01 three times after it, bought at 492.44 / 10. Weekdays
    without trading (holidays) have no bars and change nothing.
    """
    settings = FileSettings(path=shared / "data" / "us_daily_core")
    source = FileSource([settings], lambda s: Instrument(symbol=s), lambda _: Weekdays(), Decimal(2))
    made = buy_and_hold(source, [Symbol(symbol)], date(2024, 1, 2), date(2024, 12, 31), lambda _: Weekdays(), Decimal(100_000))
    assert made.returns[Symbol(symbol)] == pytest.approx(known, abs=5e-5)
    assert made.notes == ()
