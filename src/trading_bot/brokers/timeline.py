"""From moment to moment: finds when something can happen next, and lets it happen by the fill rules.

Promises that one big step and many small ones tell the same events: what happens at a moment depends on the state and on
what was public by then. At one moment the order is: bars end, day orders expire, borrowed shares are charged, corporate
actions, bars begin.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from trading_bot.brokers.margin import End, covers, liquidation
from trading_bot.brokers.matching import (
    BUY,
    TickBar,
    TickQuote,
    allowance,
    at_market,
    gapped,
    marketable,
    stopped_inside,
    touched,
    traded_through,
    trail_start,
    trailed,
)
from trading_bot.brokers.state import State, VenueOrder
from trading_bot.brokers.tape import Band, Prices, Tape
from trading_bot.brokers.units import DAY, QUANTUM, Units
from trading_bot.brokers.venue import SESSION_CLOSED, Venue
from trading_bot.domain.events import CashReason
from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.market import Funding, Split
from trading_bot.domain.orders import OrderState
from trading_bot.domain.values import Symbol

_FAR = 2**61
_ANYTHING = Band(_FAR, -_FAR)
_DAYS_OF_YEAR = 365
_FINE = 1000
NOT_COVERED = "buying power no longer covers it"


@dataclass(frozen=True)
class Rules:
    """Costs and limits of the venue."""

    slippage_bps: Fraction
    participation: Fraction
    borrow_bps_per_year: Fraction


class Timeline:
    """Advances a venue along the prices."""

    def __init__(self, prices: Prices, rules: Rules) -> None:
        self._prices = prices
        self._rules = rules

    def advance(self, venue: Venue, to: int) -> None:
        """Let happen all that happens up to `to` (ns)."""
        while (at := self.next_moment(venue.state, to)) is not None:
            self._happen(venue, at)
        venue.state.clock = max(venue.state.clock, to)

    def first_event(self, venue: Venue, until: int) -> int | None:
        """Time of the first event up to `until`; `venue` is used up."""
        while (at := self.next_moment(venue.state, until)) is not None:
            self._happen(venue, at)
            if venue.events:
                return at
        return None

    def next_moment(self, state: State, until: int) -> int | None:
        """The first moment after the state's clock, up to `until`, at which something may happen."""
        after, found = state.clock, until + 1
        if until <= after:
            return None
        symbols = {order.symbol for order in state.orders.values()}
        for symbol in sorted({*symbols, *state.holdings}):
            tape, end = self._prices.tape(symbol), self._end(state, symbol)
            found = min(found, tape.action_after(after) or found)
            if symbol in symbols or end is not None:
                found = min(found, tape.next_moment(after, min(found, until), _band(state.working(symbol), end)) or found)
        expiries = (o.expires for o in state.orders.values() if o.expires is not None and o.expires > after)
        found = min((found, *expiries))
        if any(holding.lots < 0 for holding in state.holdings.values()):
            found = min(found, (after // DAY + 1) * DAY)
        return found if found <= until else None

    def _happen(self, venue: Venue, at: int) -> None:
        state = venue.state
        state.clock = at
        symbols = sorted({*state.holdings, *(order.symbol for order in state.orders.values())})
        for symbol in symbols:
            self._bar_ends(venue, symbol, at)
        for order in [o for o in state.orders.values() if o.expires == at]:
            venue.end(order, OrderState.EXPIRED, SESSION_CLOSED, at)
        if at % DAY == 0:
            self._charge_borrow(venue, at)
        for symbol in symbols:
            self._corporate_actions(venue, symbol, at)
        for symbol in symbols:
            self._bar_begins(venue, symbol, at)

    # -- bars ------------------------------------------------------------------------------------------------------

    def _bar_begins(self, venue: Venue, symbol: Symbol, at: int) -> None:
        tape = self._prices.tape(symbol)
        number = tape.begun(at)
        if number >= 0 and tape.starts[number] == at and tape.volumes[number] > 0:
            self._end_at_quote(venue, symbol, at)
            self.trade_at_quote(venue, symbol, at)

    def _end(self, state: State, symbol: Symbol) -> End | None:
        holding = state.holdings.get(symbol)
        return None if holding is None else liquidation(holding, self._prices.instrument(symbol))

    def _end_at_quote(self, venue: Venue, symbol: Symbol, at: int) -> None:
        """A gap beyond liquidation takes the whole position, whatever stops it passed too: their price would be the same."""
        quote, end = self._prices.fresh(symbol, at), self._end(venue.state, symbol)
        if quote is not None and end is not None and gapped(end.side, end.price, quote):
            venue.liquidate(symbol, at_market(end.side, quote, self._rules.slippage_bps), at)

    def trade_at_quote(self, venue: Venue, symbol: Symbol, at: int, since: int = 0) -> None:
        """Trade with the newest quote, if it is fresh. `since`: number of the first order that takes part."""
        quote = self._prices.fresh(symbol, at)
        if quote is None:
            return
        done: set[int] = set()
        while ready := [o for o in venue.state.working(symbol) if o.number >= since and o.number not in done]:
            order = min(ready, key=_urgency)
            done.add(order.number)
            self._try_quote(venue, order, quote, at)

    def _try_quote(self, venue: Venue, order: VenueOrder, quote: TickQuote, at: int) -> None:
        if order.waits_for_stop:
            if not gapped(order.side, order.stop or 0, quote):
                if order.trail is not None:
                    _follow(venue, order, trail_start(order.side, quote, order.trail), at)
                return
            order = venue.keep(replace(order, triggered=True, active_from=at))
        bps = self._rules.slippage_bps
        price = at_market(order.side, quote, bps) if order.limit is None else marketable(order.side, order.limit, quote)
        room, bar = self._room_at_quote(order, at)
        lots = min(order.remaining, room)
        if price is not None and lots > 0:
            self._take(venue, order, lots, price, at, bar)

    def _take(self, venue: Venue, order: VenueOrder, lots: int, price: int, at: int, bar: int) -> None:  # noqa: PLR0913, PLR0917 - a fill
        """Fill an order that takes what is there, unless its price ran away from the account."""
        if covers(venue.state, order, price, self._prices):
            venue.fill(order, lots, price, at, maker=False, bar=bar)
        else:
            venue.end(order, OrderState.CANCELED, NOT_COVERED, at)

    def _room_at_quote(self, order: VenueOrder, at: int) -> tuple[int, int]:
        """Lots that `order` may take now, and the start of the bar they count against.

        The bar in progress has not told its volume yet, so the last closed one measures it; before the first, its own.
        """
        tape = self._prices.tape(order.symbol)
        number = tape.begun(at)
        if number < 0:
            return order.remaining, 0
        bar = tape.bar(number)
        if bar.end > at and bar.volume == 0:
            return 0, bar.start
        measured = bar.volume if bar.end <= at or number == 0 else int(tape.volumes[number - 1])
        return self._room(order, bar, max(measured, 1)), bar.start

    def _room(self, order: VenueOrder, bar: TickBar, volume: int) -> int:
        used = order.used if order.bar == bar.start else 0
        return max(allowance(volume, self._rules.participation) - used, 0)

    def _bar_ends(self, venue: Venue, symbol: Symbol, at: int) -> None:
        tape = self._prices.tape(symbol)
        number = tape.begun(at - 1)
        if number < 0 or tape.ends[number] != at or tape.volumes[number] == 0:
            return
        bar = tape.bar(number)
        self._trade_inside(venue, symbol, bar)
        if _nothing_begins(tape, number + 1, at):
            self._take_close(venue, symbol, at)

    def _trade_inside(self, venue: Venue, symbol: Symbol, bar: TickBar) -> None:
        """Worst order of events: exits by stop, entries, stops of those entries, and last the targets that rested before.

        Liquidation comes among the stops, in its place by price.
        """
        quote = self._prices.quote(symbol, bar.start)
        half = 0 if quote is None else quote.half_spread
        resting = {o.number: o.remaining for o in venue.state.working(symbol)}
        for phase in (_is_guard, _is_entry, _is_guard, _is_target):
            end = self._end(venue.state, symbol) if phase is _is_guard else None
            reached = end if end is not None and touched(end.side, end.price, bar) else None
            for number in [o.number for o in venue.state.working(symbol) if phase(o) and not _comes_after(o, reached)]:
                order = venue.state.orders.get(number)
                if order is not None:
                    self._try_inside(venue, order, bar, half, resting.get(number, 0))
            if reached is not None and symbol in venue.state.holdings:
                venue.liquidate(symbol, stopped_inside(reached.side, reached.price, bar, half, self._rules.slippage_bps), bar.end)
        for order in venue.state.working(symbol):
            _follow_inside(venue, order, bar)

    def _try_inside(self, venue: Venue, order: VenueOrder, bar: TickBar, half: int, rested: int) -> None:
        room = min(order.remaining, self._room(order, bar, bar.volume))
        if order.waits_for_stop:
            stop = order.stop or 0
            if not touched(order.side, stop, bar):
                return
            order = venue.keep(replace(order, triggered=True, active_from=bar.end))
            if order.limit is None and room > 0:
                price = stopped_inside(order.side, stop, bar, half, self._rules.slippage_bps)
                self._take(venue, order, room, price, bar.end, bar.start)
        elif order.limit is not None and order.active_from <= bar.start and traded_through(order.side, order.limit, bar):
            lots = min(room, rested)
            if lots > 0:
                venue.fill(order, lots, order.limit, bar.end, maker=True, bar=bar.start)

    def _take_close(self, venue: Venue, symbol: Symbol, at: int) -> None:
        """Let market orders take the closing quote, where no new bar publishes a newer one."""
        quote = self._prices.fresh(symbol, at)
        for order in venue.state.working(symbol):
            current = venue.state.orders.get(order.number)
            if quote is not None and current is not None and _takes(current) and current.submitted_at < at:
                self._try_quote(venue, current, quote, at)

    # -- the rest --------------------------------------------------------------------------------------------------

    def _charge_borrow(self, venue: Venue, at: int) -> None:
        for symbol, holding in sorted(venue.state.holdings.items()):
            quote = self._prices.quote(symbol, at)
            perpetual = self._prices.instrument(symbol).asset_class is AssetClass.CRYPTO_PERPETUAL
            if holding.lots >= 0 or quote is None or perpetual:  # of a perpetual nothing is borrowed: it is funded
                continue
            value = -holding.lots * (quote.bid + quote.ask) * holding.units.worth
            yearly = value * self._rules.borrow_bps_per_year / 20_000
            venue.pay(CashReason.BORROW, -_ceiling(yearly / _DAYS_OF_YEAR), at, symbol)

    def _corporate_actions(self, venue: Venue, symbol: Symbol, at: int) -> None:
        for action in self._prices.tape(symbol).actions_at(at):
            units = self._prices.units(symbol)
            if isinstance(action, Split):
                venue.split(action, self._price_at(symbol, at), at)
            elif isinstance(action, Funding):
                venue.accrue(CashReason.FUNDING, symbol, funded(action.rate, units, self._prices.quote(symbol, at)), at)
            else:
                venue.accrue(CashReason.DIVIDEND, symbol, Fraction(action.amount * units.lot / QUANTUM), at)

    def _price_at(self, symbol: Symbol, at: int) -> int:
        """Middle of the newest quote (ticks), in the shares of `at`; 0 before the first."""
        quote = self._prices.quote(symbol, at)
        return 0 if quote is None else (quote.bid + quote.ask) // 2


def funded(rate: Decimal, units: Units, quote: TickQuote | None) -> Fraction:
    """Cash quanta, to a thousandth, that a funding at `rate` brings to one lot held long, at the middle of `quote`; 0 without one."""
    exact = Fraction(0) if quote is None else -Fraction(rate) * (quote.bid + quote.ask) * units.worth / 2
    return Fraction(round(exact * _FINE), _FINE)


def _band(orders: Iterable[VenueOrder], end: End | None) -> Band:
    """The band outside of which one of `orders` may trade, or the position is ended."""
    low = end.price if end is not None and end.side != BUY else -_FAR
    high = end.price if end is not None and end.side == BUY else _FAR
    for order in orders:
        price = order.stop if order.waits_for_stop else order.limit
        if price is None:
            return _ANYTHING
        falls = (order.side == BUY) != order.waits_for_stop
        low, high = (max(low, price), high) if falls else (low, min(high, price))
        if order.trail is not None and order.waits_for_stop:
            # A new best price moves it.
            best = price - order.side * order.trail
            low, high = (max(low, best - 1), high) if order.side == BUY else (low, min(high, best + 1))
    return Band(low, high)


def _follow(venue: Venue, order: VenueOrder, level: int, at: int) -> VenueOrder:
    """Bring a trailing stop to `level`, unless that is back; told as an order update, so that books know where it stands."""
    stop = trailed(order.side, order.stop or level, level)
    return order if stop == order.stop else venue.tell(replace(order, stop=stop), at)


def _follow_inside(venue: Venue, order: VenueOrder, bar: TickBar) -> None:
    """Bring a trailing stop after the best price of a bar that did not touch it where it stood.

    Of a bar that began before the order, only the close surely came after it. A close at the stop's new place or beyond came after the
    best price, so the stop was reached: it trades at the next price that is published.
    """
    if order.trail is None or not order.waits_for_stop:
        return
    extreme = bar.low if order.side == BUY else bar.high
    best = extreme if order.active_from <= bar.start else bar.close
    order = _follow(venue, order, best + order.side * order.trail, bar.end)
    if order.side * (bar.close - (order.stop or 0)) >= 0:
        venue.keep(replace(order, triggered=True, active_from=bar.end))


def _nothing_begins(tape: Tape, number: int, at: int) -> bool:
    return number >= len(tape.starts) or int(tape.starts[number]) != at


def _takes(order: VenueOrder) -> bool:
    """Whether it trades at any price: a market order, or a stop that was touched."""
    return order.limit is None and not order.waits_for_stop


def _comes_after(order: VenueOrder, end: End | None) -> bool:
    """Whether the price passes liquidation before it comes to this stop."""
    return end is not None and order.side == end.side and order.side * ((order.stop or 0) - end.price) > 0


def _is_guard(order: VenueOrder) -> bool:
    return order.is_exit and order.waits_for_stop


def _is_entry(order: VenueOrder) -> bool:
    return not order.is_exit


def _is_target(order: VenueOrder) -> bool:
    return order.is_exit and not order.waits_for_stop


def _urgency(order: VenueOrder) -> tuple[int, int]:
    """Stops and market exits first, then entries, then targets; the older first."""
    if not order.is_exit:
        return 1, order.number
    return (0 if order.limit is None or order.waits_for_stop else 2), order.number


def _ceiling(amount: Fraction) -> int:
    return -(-amount.numerator // amount.denominator)
