"""Reference of the emulated Alpaca: assets, the clock and the calendar, both in their old and their new shape.

Promises hours that are the exchange calendar's, and a clock that is the venue's own: wrong if a fault says so.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.alpaca.asking import day_of, time_of, words
from trading_bot.sandbox.alpaca.orders import RefusedError, iso
from trading_bot.sandbox.alpaca.trading_api import Call, Reply, Route
from trading_bot.sandbox.alpaca.venue import AlpacaVenue

_NEW_YORK = ZoneInfo("America/New_York")
_YEAR = timedelta(days=365)
_BEFORE, _AFTER = timedelta(hours=5, minutes=30), timedelta(hours=4)
_FILTERS: Mapping[str, str] = {"status": "status", "asset_class": "class", "exchange": "exchange"}
_MARKETS: Mapping[str, Mapping[str, str]] = {
    "NYSE": {"mic": "XNYS", "acronym": "NYSE", "name": "New York Stock Exchange", "timezone": "America/New_York"},
    "NASDAQ": {"mic": "XNAS", "acronym": "NASDAQ", "name": "NASDAQ", "timezone": "America/New_York"},
    "IEX": {"mic": "IEXG", "acronym": "IEX", "name": "Investors Exchange", "timezone": "America/New_York"},
}
"""Markets of the new clock and calendar; all keep New York's hours."""


class ReferenceApi:
    """What is known without an order."""

    def __init__(self, venue: AlpacaVenue) -> None:
        self._venue = venue
        self.routes: tuple[Route, ...] = (
            ("GET", r"/v2/assets", self._assets),
            ("GET", r"/v2/assets/(.+)", lambda c: Reply(200, venue.assets.find(c.parts[0]).json())),
            ("GET", r"/v2/clock", lambda _: Reply(200, self._clock())),
            ("GET", r"/v2/calendar", self._calendar),
            ("GET", r"/v3/clock", self._clocks),
            ("GET", r"/v3/calendar/([^/]+)", self._market_calendar),
        )

    def _assets(self, call: Call) -> Reply:
        wanted = {ours: words(call.query, theirs) for theirs, ours in _FILTERS.items() if call.query.get(theirs)}
        attributes = words(call.query, "attributes")
        told = [asset.json() for asset in self._venue.assets.by_symbol.values()]
        return Reply(200, [a for a in told if all(a[k] in v for k, v in wanted.items()) and attributes <= set(a["attributes"])])

    def _clock(self) -> dict[str, Any]:
        venue, now = self._venue, self._venue.clock.now()
        opening, closing = _session(now)
        closed = venue.script.active("session_closed", now)
        is_open = (opening <= now or venue.market.always_open) and closed is None
        following = _session(closing)[0] if opening <= now else opening
        return {
            "timestamp": venue.now().astimezone(_NEW_YORK).isoformat(),
            "is_open": is_open,
            "next_open": following.astimezone(_NEW_YORK).isoformat(),
            "next_close": closing.astimezone(_NEW_YORK).isoformat(),
        }

    def _clocks(self, call: Call) -> Reply:
        now = self._venue.clock.now()
        told, at = self._clock(), time_of(call.query.get("time")) or now
        if abs(at - now) > _YEAR:
            raise RefusedError(400, None, "invalid time: the calendar does not reach so far")
        phase, until = _phase(at)
        if not call.query.get("time") and told["is_open"] and phase != "core":
            phase, until = "core", datetime.fromisoformat(told["next_close"])
        opening, closing = _session(at)
        row = {
            "timestamp": told["timestamp"] if not call.query.get("time") else iso(at),
            "is_market_day": opening.astimezone(_NEW_YORK).date() == at.astimezone(_NEW_YORK).date(),
            "next_market_open": iso(_session(closing)[0] if opening <= at else opening),
            "next_market_close": iso(closing),
            "phase": phase,
            "phase_until": iso(until),
        }
        return Reply(200, {"clocks": [{"market": dict(_market(name))} | row for name in sorted(words(call.query, "markets")) or ["NYSE"]]})

    def _calendar(self, call: Call) -> Reply:
        settles = call.query.get("date_type", "").upper() == "SETTLEMENT"
        days = [_calendar_day(day, *hours) for day, hours in self._days(call, _YEAR, _YEAR, before=timedelta(days=7)).items()]
        first, last = self._ends(call, _YEAR, _YEAR)
        name = "settlement_date" if settles else "date"
        return Reply(200, [d for d in days if first.isoformat() <= d[name] <= last.isoformat()])

    def _market_calendar(self, call: Call) -> Reply:
        market = _market(call.parts[0])
        zone = UTC if call.query.get("timezone") == "UTC" else _NEW_YORK
        week = timedelta(days=6)
        rows = [
            {
                "date": day.isoformat(),
                "pre_start": (opening - _BEFORE).astimezone(zone).isoformat(),
                "pre_end": opening.astimezone(zone).isoformat(),
                "core_start": opening.astimezone(zone).isoformat(),
                "core_end": closing.astimezone(zone).isoformat(),
                "post_start": closing.astimezone(zone).isoformat(),
                "post_end": (closing + _AFTER).astimezone(zone).isoformat(),
                "settlement_date": _settles(day).isoformat(),
            }
            for day, (opening, closing) in self._days(call, timedelta(0), week).items()
        ]
        return Reply(200, {"market": dict(market), "calendar": rows})

    def _ends(self, call: Call, back: timedelta, ahead: timedelta) -> tuple[date, date]:
        today = self._venue.clock.now().astimezone(_NEW_YORK).date()
        first = day_of(call.query.get("start"), None) or today - back
        return first, day_of(call.query.get("end"), None) or min(max(first, today), date.max - ahead) + ahead

    def _days(
        self, call: Call, back: timedelta, ahead: timedelta, *, before: timedelta = timedelta(0)
    ) -> dict[date, tuple[datetime, datetime]]:
        """Sessions that are asked for, as far as the calendar reaches."""
        calendar, today = open_calendar("XNYS"), self._venue.clock.now().date()
        first, last = self._ends(call, back, ahead)
        earliest, latest = today - 10 * _YEAR, today + _YEAR - timedelta(days=1)
        first, last = max(first, earliest) - before, min(last, latest)
        return {day: calendar.hours(day) for day in calendar.sessions(first, last)} if first <= last else {}


def _market(name: str) -> Mapping[str, str]:
    found = next((m for acronym, m in _MARKETS.items() if name.upper() in {acronym, m["mic"]}), None)
    if found is None:
        raise RefusedError(400, None, f"invalid market: {name[:20]}")
    return found


def _calendar_day(day: date, opening: datetime, closing: datetime) -> dict[str, str]:
    open_at, close_at = (f"{t.astimezone(_NEW_YORK):%H:%M}" for t in (opening, closing))
    more = {"session_open": "0400", "session_close": "2000", "settlement_date": _settles(day).isoformat()}
    return {"date": day.isoformat(), "open": open_at, "close": close_at, **more}


def _settles(day: date) -> date:
    """The next session."""
    return open_calendar("XNYS").next_session(day)


def _session(at: datetime) -> tuple[datetime, datetime]:
    """Hours of the session that is open at `at`, or of the next."""
    calendar = open_calendar("XNYS")
    day = calendar.previous_session(at.date() + timedelta(days=1))
    while calendar.hours(day)[1] <= at:
        day = calendar.next_session(day)
    return calendar.hours(day)


def _phase(at: datetime) -> tuple[str, datetime]:
    """What New York's market does at `at`, and until when."""
    calendar = open_calendar("XNYS")
    opening, closing = calendar.hours(calendar.previous_session(at.date() + timedelta(days=1)))
    while closing + _AFTER <= at:
        opening, closing = calendar.hours(calendar.next_session(opening.astimezone(_NEW_YORK).date()))
    steps = (("closed", opening - _BEFORE), ("pre", opening), ("core", closing), ("post", closing + _AFTER))
    return next((name, until) for name, until in steps if at < until)
