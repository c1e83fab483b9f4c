"""Moments at which it is looked what news did to a price, fixed beforehand, and the prices of then.

Promises a horizon that depends on the moment of the news alone, and prices of closed bars only, adjusted alike at both ends. Refuses a
price that is older than `STALE`: it says nothing about that moment.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import Calendar, View

Horizon = Callable[[datetime], datetime]
Price = Callable[[datetime], float | None]
"""Of one symbol: the last one known at a moment, None where there is none."""
STALE = timedelta(days=4)
"""As long as markets close for holidays around a weekend."""
_TIMEFRAMES = tuple(t for t in Timeframe if t is not Timeframe.DAY)
_MANY = 1_000_000


def an_hour(moment: datetime) -> datetime:
    """One hour later."""
    return moment + timedelta(hours=1)


def a_day(moment: datetime) -> datetime:
    """24 hours later."""
    return moment + timedelta(days=1)


def a_session(calendar: Calendar) -> Horizon:
    """The close of the first session that opens at `moment` or later."""

    def close(moment: datetime) -> datetime:
        day = moment.astimezone(UTC).date()
        session = day if calendar.is_session(day) else calendar.next_session(day)
        while calendar.hours(session)[0] < moment:
            session = calendar.next_session(session)
        return calendar.hours(session)[1]

    return close


def prices(view: View, symbol: Symbol, since: datetime) -> Price | None:
    """Closes of the finest bars below a day that reach back to `since`, else of those that reach furthest; None where there are none."""
    found: tuple[list[datetime], list[float]] | None = None
    for timeframe in _TIMEFRAMES:
        ends, closes = _closes(view, symbol, timeframe)
        if ends and (found is None or ends[0] < found[0][0]):
            found = ends, closes
        if found is not None and found[0][0] <= since:
            break
    return None if found is None else _last(*found)


def moved(price: Price, start: datetime, end: datetime) -> float | None:
    """Return over a span; None where a price at either end is missing."""
    first, last = price(start), price(end)
    return None if first is None or last is None or first <= 0 else last / first - 1


def _closes(view: View, symbol: Symbol, timeframe: Timeframe) -> tuple[list[datetime], list[float]]:
    try:
        bars = view.bars(symbol, timeframe, _MANY)
    except NoDataError:
        return [], []
    return [start.to_pydatetime() + timeframe.duration for start in bars.index], bars["close"].tolist()


def _last(ends: list[datetime], closes: list[float]) -> Price:
    def price(moment: datetime) -> float | None:
        at = bisect_right(ends, moment) - 1
        return closes[at] if at >= 0 and moment - ends[at] <= STALE else None

    return price
