"""What several tools look at: quotes, snapshots, marks, the books at their marks, and records up to now.

Promises that a price is on its instrument's tick and says where it comes from, and that a record later than the scope's time is not
seen even if the scope holds it. Refuses to answer without data: the error says what to ask instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from math import isfinite
from zoneinfo import ZoneInfo

from trading_bot.backtest.facts import Material
from trading_bot.domain.books import Books, Position
from trading_bot.domain.errors import NoDataError, ToolFailedError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.margin import maintenance, turns
from trading_bot.domain.market import Feed, Quote, Timeframe
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.proposals import Decision
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.market.snapshot import LEAST_BARS, Snapshot, take
from trading_bot.tools.results import Mark
from trading_bot.tools.scope import Scope

_ZONES: dict[str, tzinfo] = {"XNYS": ZoneInfo("America/New_York")}
BARS = "bars"
"""Source of a price that is a bar's close."""


def zone(scope: Scope) -> tzinfo:
    """The market's own zone, whose midnights bound its days."""
    return _ZONES.get(scope.calendar.name, UTC)


def on_tick(instrument: Instrument, price: float | Decimal | None) -> Decimal | None:
    """Return an analytic price on the nearest tick; None if it is unknown."""
    if price is None or not isfinite(price):
        return None
    return (Decimal(str(price)) / instrument.tick_size).quantize(Decimal(1)) * instrument.tick_size


def level(instrument: Instrument, price: float | Decimal) -> Decimal:
    """Return a known price on the nearest tick. ToolFailedError if it is not finite."""
    found = on_tick(instrument, price)
    if found is None:
        msg = f"the price of {instrument.symbol} is not a finite number: its data cannot be used"
        raise ToolFailedError(msg)
    return found


def quote_of(scope: Scope, symbol: Symbol) -> Quote:
    """Return the newest quote. ToolFailedError before the first."""
    quote = scope.view.quote(symbol)
    if quote is None:
        msg = f"no quote of {symbol} has been published by {scope.view.now().isoformat()}; get_historical shows its closed bars"
        raise ToolFailedError(msg)
    return quote


def snapshot_of(scope: Scope, symbol: Symbol, timeframe: Timeframe = Timeframe.DAY) -> Snapshot:
    """Return the symbol as it stands. ToolFailedError with too few bars."""
    snapshot = take(scope.view, symbol, timeframe)
    if snapshot is None:
        msg = (
            f"{symbol} has fewer than {LEAST_BARS} closed bars of {timeframe}: too few to judge; leave it out or ask for another timeframe"
        )
        raise ToolFailedError(msg)
    return snapshot


def mark_of(quote: Quote, instrument: Instrument) -> Mark:
    """Return the middle of a quote."""
    return Mark(price=level(instrument, quote.mid), time=quote.time, source=quote.source, feed=quote.feed)


def held_at(scope: Scope, position: Position) -> Mark:
    """Return the newest price of what is held: the quote's middle, else the last close, else what was paid."""
    symbol = position.symbol
    paid = Mark(price=round(position.average_price, 4), time=position.opened_at, source="average price paid")
    try:
        instrument, quote = scope.view.instrument(symbol), scope.view.quote(symbol)
        if quote is not None:
            return mark_of(quote, instrument)
        bars = scope.view.bars(symbol, Timeframe.DAY, 1)
        feed: Feed | None = scope.view.feed(symbol, Timeframe.DAY)
    except NoDataError:
        return paid
    close = None if bars.empty else on_tick(instrument, float(bars["close"].iloc[-1]))
    return paid if close is None else Mark(price=close, time=bars.index[-1].to_pydatetime(), source=BARS, feed=feed)


@dataclass(frozen=True)
class Worth:
    """The books at their marks, in the account's currency."""

    books: Books
    marks: dict[Symbol, Mark]
    entering: dict[Symbol, Decimal]
    """Value of working entries."""
    equity: Decimal
    gross: Decimal
    net: Decimal
    unrealized: Decimal
    reserved: Decimal
    """What working entries need."""
    buying_power: Decimal
    """Equity less what positions and working entries need: each its value by `margin.turns`."""
    maintenance: Decimal
    """What equity may not fall below."""


def worth(scope: Scope) -> Worth:
    """Return what is held at the newest prices."""
    books = scope.material.books
    marks = {symbol: held_at(scope, position) for symbol, position in sorted(books.positions.items())}
    values = {symbol: books.positions[symbol].market_value(mark.price) for symbol, mark in marks.items()}
    sides = {symbol: (scope.view.instrument(symbol), books.positions[symbol].side) for symbol in values}
    entries = _entries(scope, books)
    reserved = sum((value / turns(scope.view.instrument(symbol), side) for symbol, side, value in entries), ZERO)
    equity = books.cash + sum(values.values(), ZERO)
    cost = sum((p.quantity * p.average_price for p in books.positions.values()), ZERO)
    needed = sum((abs(value) / turns(*sides[symbol]) for symbol, value in values.items()), reserved)
    return Worth(
        books=books,
        marks=marks,
        entering={s: sum((v for symbol, _, v in entries if symbol == s), ZERO) for s, _, _ in entries},
        equity=equity,
        gross=sum(map(abs, values.values()), ZERO),
        net=sum(values.values(), ZERO),
        unrealized=sum(values.values(), ZERO) - cost,
        reserved=reserved,
        buying_power=max(equity - needed, ZERO),
        maintenance=sum((abs(value) * maintenance(*sides[symbol]) for symbol, value in values.items()), ZERO),
    )


def _entries(scope: Scope, books: Books) -> list[tuple[Symbol, Side, Decimal]]:
    """Symbol, side and value of each working entry, at its limit, else at the newest quote."""
    found = []
    for order in books.working_orders():
        if order.role is OrderRole.ENTRY:
            quote = scope.view.quote(order.symbol)
            price = order.limit_price or order.stop_price or (ZERO if quote is None else quote.ask)
            found.append((order.symbol, order.side, price * order.remaining))
    return found


@dataclass(frozen=True)
class Past:
    """The records of a scope up to its time."""

    material: Material
    decisions: Sequence[Decision]


def past(scope: Scope) -> Past:
    """Return the records that had been written by now."""
    now, material = scope.view.now(), scope.material
    return Past(
        replace(
            material,
            points=[p for p in material.points if p.at <= now],
            trades=[t for t in material.trades if t.closed_at <= now],
            proposals=[p for p in material.proposals if p.at <= now],
            verdicts=[v for v in material.verdicts if v.at <= now],
            events=[e for e in material.events if e.at <= now],
        ),
        [d for d in scope.decisions if d.at <= now],
    )


def journal_age(scope: Scope) -> int | None:
    """Seconds since a desk kept the books, None while one does."""
    return None if scope.age is None else int(scope.age.total_seconds())


def percent(part: float | Decimal, whole: float | Decimal) -> float | None:
    """Return `part` in per cent of `whole`, None where that is not above 0."""
    return float(100 * Decimal(part) / Decimal(whole)) if whole > 0 else None


def age_seconds(moment: datetime, now: datetime) -> int:
    """Whole seconds from `moment` to `now`."""
    return int((now - moment).total_seconds())
