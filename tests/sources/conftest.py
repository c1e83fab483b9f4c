"""Calendars for tests of sources: New York's by its rules on recorded sessions, and one that never closes."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path

import exchange_calendars
import pytest

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import Symbol
from trading_bot.ports import Calendar
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource

_EARLY, _LATE = date(1998, 1, 1), date(2026, 12, 31)


@dataclass(eq=False)
class Table:
    """A calendar whose hours stand in a table."""

    name: str
    table: dict[date, tuple[datetime, datetime]]
    zone: tzinfo = UTC

    def is_session(self, day: date) -> bool:
        """Whether the table has the day."""
        return day in self.table

    def sessions(self, first: date, last: date) -> tuple[date, ...]:
        """Days of the table in the span."""
        return tuple(day for day in self.table if first <= day <= last)

    def hours(self, session: date) -> tuple[datetime, datetime]:
        """Opening and closing time."""
        if session not in self.table:
            raise NoDataError(str(session))
        return self.table[session]

    def session_at(self, moment: datetime) -> date | None:
        """The open session."""
        return next((day for day, (opening, closing) in self.table.items() if opening <= moment < closing), None)

    def next_session(self, day: date) -> date:
        """First session after `day`."""
        return min(other for other in self.table if other > day)

    def previous_session(self, day: date) -> date:
        """Last session before `day`."""
        return max(other for other in self.table if other < day)


@cache
def _calendar(name: str) -> Table:
    if name == "XNYS":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # exchange_calendars uses what pandas 3.1 deprecates
            known = exchange_calendars.get_calendar("XNYS", start=_EARLY.isoformat(), end=_LATE.isoformat()).schedule
        rows = zip(known.index, known["open"], known["close"], strict=True)
        return Table(name, {day.date(): (opening.to_pydatetime(), closing.to_pydatetime()) for day, opening, closing in rows})
    days = [_EARLY + timedelta(days=n) for n in range((_LATE - _EARLY).days)]
    midnights = [datetime.combine(day, time(), UTC) for day in days]
    return Table(name, {d: (m, m + timedelta(days=1)) for d, m in zip(days, midnights, strict=True)})


@pytest.fixture(scope="session")
def calendars() -> Callable[[str], Calendar]:
    """Calendars by name."""

    def find(name: str) -> Calendar:
        return _calendar(name)

    return find


@pytest.fixture(scope="session")
def instruments() -> Callable[[Symbol], Instrument]:
    """Shares, but for symbols that end in USDT or USD."""

    def find(symbol: Symbol) -> Instrument:
        if symbol.endswith(("USDT", "USD")):
            return Instrument(symbol=symbol, asset_class=AssetClass.CRYPTO_SPOT, venue="any", calendar="24/7", tick_size=Decimal("0.00001"))
        return Instrument(symbol=symbol)

    return find


@pytest.fixture(scope="session")
def files(instruments: Callable[[Symbol], Instrument], calendars: Callable[[str], Calendar]) -> Callable[..., FileSource]:
    """Make a source over paths; keywords are settings of each."""

    def make(*paths: Path, **settings: str) -> FileSource:
        return FileSource([FileSettings.model_validate({"path": p, **settings}) for p in paths], instruments, calendars, Decimal(2))

    return make
