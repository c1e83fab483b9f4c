"""The matching engine under the emulators: orders that rest and trade against quotes, and nothing of accounts or links.

Promises that one long step and many short ones tell the same happenings, each told to the listener at its moment, before the next
quote is looked at, so that a venue's rules (legs, pairs, positions) can act in between. Refuses prices and quantities off the
grid (ValueError): the venue's own rules come first.
"""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from trading_bot.brokers.matching import BUY, TickQuote, allowance, at_market, gapped, marketable
from trading_bot.brokers.units import SECOND
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.exchange.market import EmulatedMarket, Phase, Range, Sized
from trading_bot.sandbox.exchange.tickets import Executed, Lapsed, Listener, Moved, Ticket, Triggered, Working

_FAR = 2**61
_LONG = 3600 * SECOND
_AHEAD = 60 * SECOND
"""Quotes are looked through so far ahead at once, since most of them matter to nobody."""


class Exchange:
    """The book of all symbols. Not safe for threads: its emulator has a lock."""

    def __init__(
        self, market: EmulatedMarket, listener: Listener, *, slippage_bps: Fraction = Fraction(0), participation: Fraction = Fraction(1)
    ) -> None:
        self.market = market
        self._listener = listener
        self._slippage = slippage_bps
        self._participation = participation
        self._orders: dict[int, Working] = {}
        self._numbers: dict[Symbol, dict[int, None]] = {}
        """Of the orders of each symbol that has any, oldest first."""
        self._number = 0
        self._execution = 0
        self._clock = -1
        self._used: dict[Symbol, tuple[int, int]] = {}
        """Time of the last quote that was traded with, and lots taken from it."""
        self._next: dict[Symbol, Sized | None] = {}
        """The next quote that matters, worked out up to `_seen`; dropped when the symbol's orders change, or a hand moves something."""
        self._seen: dict[Symbol, int] = {}
        self._touched = 0

    @property
    def clock(self) -> int:
        """How far matching has come (ns)."""
        return self._clock

    def order(self, number: int) -> Working | None:
        """An order that works."""
        return self._orders.get(number)

    def orders(self, symbol: Symbol | None = None) -> tuple[Working, ...]:
        """Orders that work, oldest first."""
        return tuple(self._orders.values() if symbol is None else (self._orders[n] for n in self._numbers.get(symbol, ())))

    # -- orders ----------------------------------------------------------------------------------------------------------

    def place(self, ticket: Ticket, at: int) -> Working:
        """Put an order into the book; it trades with the newest quote at the next `advance` (to the same time is enough)."""
        units = self.market.units(ticket.symbol)
        self._number += 1
        order = Working(
            number=self._number,
            ticket=ticket,
            units=units,
            quantity=units.lots(ticket.quantity),
            limit=None if ticket.limit is None else units.ticks(ticket.limit),
            stop=None if ticket.stop is None else units.ticks(ticket.stop),
            placed_at=at,
        )
        if order.trails:
            quote = self.market.quote(ticket.symbol, at)
            order = order if quote is None else _trailed(order, quote)
        return self._keep(order)

    def cancel(self, number: int) -> Working | None:
        """Take an order out of the book; None if it rests no more."""
        order = self._orders.get(number)
        if order is not None:
            self._drop(order)
        return order

    def amend(
        self,
        number: int,
        *,
        quantity: Decimal | None = None,
        limit: Decimal | None = None,
        stop: Decimal | None = None,
        trail: Decimal | None = None,
    ) -> Working | None:
        """Change an order in its place (`quantity` counts what was filled); None if it rests no more."""
        order = self._orders.get(number)
        if order is None:
            return None
        told = {"quantity": quantity, "limit": limit, "stop": stop, "trail": trail}
        units, changes = order.units, {name: value for name, value in told.items() if value is not None}
        return self._keep(
            replace(
                order,
                ticket=replace(order.ticket, **changes),  # type: ignore[arg-type]  # names and types are those of the ticket
                quantity=order.quantity if quantity is None else units.lots(quantity),
                limit=order.limit if limit is None else units.ticks(limit),
                stop=order.stop if stop is None else units.ticks(stop),
                best=order.best if trail is None else None,
                looked_at=-1,
            )
        )

    def fill_next(self, number: int, quantity: Decimal, pause_ns: int = _LONG) -> None:
        """Let the next execution be of `quantity` at most, and none follow for `pause_ns`."""
        order = self._orders.get(number)
        if order is not None:
            self._keep(replace(order, next_at_most=max(order.units.lots(quantity), 1), pause=pause_ns))

    def execute(self, number: int, quantity: Decimal, at: int, price: Decimal | None = None) -> None:
        """Execute by hand, at `price` or at the market; nothing if the order rests no more."""
        order = self._orders.get(number)
        quote = None if order is None else self.market.quote(order.ticket.symbol, at)
        if order is None or (quote is None and price is None):
            return
        ticks = order.units.ticks(price) if price is not None else at_market(order.ticket.side, quote, self._slippage)  # type: ignore[arg-type]  # one of the two is there
        self._execute(order, min(order.units.lots(quantity), order.remaining), ticks, at, maker=False)

    def _keep(self, order: Working) -> Working:
        if order.remaining > 0:
            self._next.pop(order.ticket.symbol, None)
            self._orders[order.number] = order
            self._numbers.setdefault(order.ticket.symbol, {})[order.number] = None
        else:
            self._drop(order)
        return order

    def _drop(self, order: Working) -> None:
        symbol = order.ticket.symbol
        self._next.pop(symbol, None)
        self._orders.pop(order.number, None)
        self._numbers.get(symbol, {}).pop(order.number, None)
        if not self._numbers.get(symbol):
            self._numbers.pop(symbol, None)

    # -- time ------------------------------------------------------------------------------------------------------------

    def advance(self, to: int) -> None:
        """Let happen all that happens up to `to`; the listener may place, amend and cancel meanwhile."""
        self._try_fresh(max(self._clock, min((o.placed_at for o in self._orders.values() if o.looked_at < 0), default=to)))
        while (found := self._first(to)) is not None:
            symbol, sized = found
            self._clock = max(self._clock, sized.quote.time)
            self._next.pop(symbol, None)
            for number in [o.number for o in self.orders(symbol)]:
                self._try(number, sized, self._clock, resting=True)
            self._seen[symbol] = self._clock
            self._try_fresh(self._clock)
        self._clock = max(self._clock, to)

    def requote(self, symbol: Symbol) -> None:
        """Try the resting orders of a symbol with its newest quote, which a hand has changed."""
        sized = self.market.sized(symbol, self._clock)
        if sized is not None and not self.market.halted(symbol, self._clock):
            for number in [o.number for o in self.orders(symbol)]:
                self._try(number, sized, self._clock, resting=True)
        self._next.pop(symbol, None)

    def _try_fresh(self, at: int) -> None:
        """Try orders that were never tried with the newest quote."""
        while fresh := [o.number for o in self._orders.values() if o.looked_at < 0]:
            for number in fresh:
                order = self._orders.get(number)
                if order is None:
                    continue
                symbol, time = order.ticket.symbol, max(at, order.placed_at)
                sized = self.market.sized(symbol, time)
                self._orders[order.number] = replace(order, looked_at=time)
                if sized is not None and not self.market.halted(symbol, time):
                    self._try(order.number, sized, time, resting=False)
                self._lapse(order.number, time)

    def _first(self, to: int) -> tuple[Symbol, Sized] | None:
        """The first quote after the clock, up to `to`, with which something may happen."""
        best: tuple[Symbol, Sized] | None = None
        if self._touched != self.market.touched:
            self._next.clear()
            self._touched = self.market.touched
        for symbol in sorted(self._numbers):
            known = self._ahead(symbol, to)
            if known is not None and known.quote.time <= to and (best is None or known.quote.time < best[1].quote.time):
                best = symbol, known
        return best

    def _ahead(self, symbol: Symbol, to: int) -> Sized | None:
        if symbol in self._next:
            known = self._next[symbol]
            if known is not None or self._seen[symbol] >= to:
                return known
            after = self._seen[symbol]
        else:
            after = self._clock
        found = self._search(symbol, after, to + _AHEAD)
        self._next[symbol] = found
        self._seen[symbol] = to + _AHEAD if found is None else found.quote.time
        return found

    def _search(self, symbol: Symbol, after: int, to: int) -> Sized | None:
        """The first quote that matters, in the times at which the symbol trades."""
        orders = self.orders(symbol)
        matters = _range(orders)
        wanted = Phase.EXTENDED if any(o.ticket.extended for o in orders) else Phase.REGULAR
        while after < to:
            begin, end = self.market.trading(symbol, after, wanted)
            found = next(self.market.walk(symbol, max(after, begin - 1), min(to, end - 1), matters), None)
            if found is not None:
                return found
            after = end
        return None

    # -- matching --------------------------------------------------------------------------------------------------------

    def _try(self, number: int, sized: Sized, at: int, *, resting: bool) -> None:
        order = self._orders.get(number)
        if order is None or (order.looked_at < 0 and resting) or order.paused_until > at:
            return
        phase = self.market.phase(order.ticket.symbol, at)
        if phase < (Phase.EXTENDED if order.ticket.extended else Phase.REGULAR):
            return
        before = order
        if order.trails and order.waits:
            order = self._trail(order, sized.quote, at)
        if order.waits:
            if not _touched(order, sized.quote):
                return
            order = self._keep(replace(order, triggered=True))
            self._listener(Triggered(order, at))
            order = self._orders.get(number)
        if order is not None:
            self._trade(order, sized, at, resting=resting and not before.waits)

    def _trail(self, order: Working, quote: TickQuote, at: int) -> Working:
        moved = _trailed(order, quote)
        if moved is order:
            return order
        self._orders[order.number] = moved
        if moved.stop != order.stop:
            self._listener(Moved(moved, at))
        return self._orders.get(order.number, moved)

    def _trade(self, order: Working, sized: Sized, at: int, *, resting: bool) -> None:
        quote, side = sized.quote, order.ticket.side
        price = at_market(side, quote, self._slippage) if order.limit is None else marketable(side, order.limit, quote)
        maker = resting and order.limit is not None
        if price is None or (order.ticket.post_only and not maker):
            return
        lots = min(order.remaining, self._room(order.ticket.symbol, sized))
        if order.next_at_most is not None:
            lots = min(lots, order.next_at_most)
        if lots <= 0 or (order.ticket.whole and lots < order.remaining):
            return
        used_at, used = self._used.get(order.ticket.symbol, (-1, 0))
        self._used[order.ticket.symbol] = (quote.time, lots + (used if used_at == quote.time else 0))
        limit = order.limit
        self._execute(order, lots, limit if maker and limit is not None else price, at, maker=maker)

    def _room(self, symbol: Symbol, sized: Sized) -> int:
        used_at, used = self._used.get(symbol, (-1, 0))
        return max(allowance(sized.size, self._participation) - (used if used_at == sized.quote.time else 0), 0)

    def _execute(self, order: Working, lots: int, price: int, at: int, *, maker: bool) -> None:
        self._execution += 1
        paused = order.paused_until if order.next_at_most is None else at + order.pause
        after = replace(order, filled=order.filled + lots, value=order.value + lots * price, next_at_most=None, paused_until=paused)
        self._keep(after)
        self._listener(Executed(after, self._execution, order.units.quantity(lots), order.units.price(price), at, maker))

    def _lapse(self, number: int, at: int) -> None:
        """End what had to trade at once and did not, and what would have traded though it must not."""
        order = self._orders.get(number)
        if order is None or order.waits:
            return
        quote = self.market.quote(order.ticket.symbol, at)
        crosses = quote is not None and order.limit is not None and marketable(order.ticket.side, order.limit, quote) is not None
        if order.ticket.immediate or (order.ticket.post_only and crosses):
            self.cancel(number)
            self._listener(Lapsed(order, at))


def _touched(order: Working, quote: TickQuote) -> bool:
    rises = order.ticket.side == BUY if order.ticket.rises is None else order.ticket.rises
    return order.stop is not None and gapped(1 if rises else -1, order.stop, quote)


def _trailed(order: Working, quote: TickQuote) -> Working:
    """`order` with its stop brought after the best price; the same object if nothing moved."""
    side, middle = order.ticket.side, (quote.bid + quote.ask) // 2
    best = middle if order.best is None else (min(order.best, middle) if side == BUY else max(order.best, middle))
    if best == order.best and order.stop is not None:
        return order
    if order.ticket.trail is not None:
        distance = order.units.ticks(order.ticket.trail)
    else:
        distance = max(round(best * Fraction(order.ticket.trail_percent or 1) / 100), 1)
    return replace(order, best=best, stop=max(best + side * distance, 1))


def _range(orders: tuple[Working, ...]) -> Range:
    """Doubled middle prices outside of which one of `orders` may trade."""
    low, high = -_FAR, _FAR
    for order in orders:
        price = order.stop if order.waits else order.limit
        if price is None or (order.trails and order.waits):
            return Range()
        rises = order.ticket.rises if order.waits and order.ticket.rises is not None else (order.ticket.side == BUY) == order.waits
        low, high = (low, min(high, 2 * price)) if rises else (max(low, 2 * price), high)
    return Range(low, high)
