"""The venue's matching and its rules of an order's life: acknowledged, accepted, triggered, executed, ended.

Promises that an order is accepted, or rejected, only after it was acknowledged; that stops of a position follow its size and end with it;
that nothing which may only reduce ever opens; and that one long step of time tells the same as many short ones, but for liquidation,
which is looked at each minute. Not safe for threads: its server has a lock.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from trading_bot.brokers.units import SECOND, moment
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.sandbox.bybit import guards, settling
from trading_bot.sandbox.bybit.contracts import LINEAR, Contract
from trading_bot.sandbox.bybit.ledger import Execution, Ledger, Names
from trading_bot.sandbox.bybit.orders import Asked, Order, Status, Stop
from trading_bot.sandbox.bybit.positions import Position
from trading_bot.sandbox.bybit.resting import HONEST, Fortune, ticket_of
from trading_bot.sandbox.bybit.wire import NAMES, Refused
from trading_bot.sandbox.evidence import Evidence
from trading_bot.sandbox.exchange.book import Exchange
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.tickets import Executed, Happening, Lapsed, Ticket, Triggered

_MINUTE = 60 * SECOND
BY_USER = "CancelByUser"


class Engine:
    """Orders, matching and the account, of both categories."""

    def __init__(
        self, markets: Mapping[str, EmulatedMarket], at: int, seed: int, evidence: Evidence, tell: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self.markets = dict(markets)
        self.evidence = evidence
        self.tell = tell
        self.names = Names(seed)
        self.ledger = Ledger(self.names, evidence, tell)
        self.books = {name: Exchange(market, partial(self._happened, name)) for name, market in markets.items()}
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        """Those of them that have not ended."""
        self.guards: dict[tuple[Symbol, Stop], str] = {}
        """The stops that the venue keeps for positions."""
        self.rates: dict[Symbol, Decimal] = {}
        """Funding rates that a hand has set."""
        self.clock = at
        self.dirty: set[Symbol] = set()
        """Positions to be told at the end of a step."""
        self._links: dict[tuple[str, str], str] = {}
        self._numbers: dict[tuple[str, int], str] = {}
        self._arrivals: list[tuple[Order, Fortune]] = []
        self._late: dict[str, list[dict[str, Any]]] = {}
        """What is told of an order later than it happened."""
        for book in self.books.values():
            book.advance(at)

    # -- what there is ---------------------------------------------------------------------------------------------------

    def contract(self, category: str, symbol: str) -> Contract:
        """The contract of this name, or a refusal."""
        market = self.markets.get(category)
        try:
            if market is not None:
                return Contract(market.instrument(Symbol(symbol)), category)
        except NoDataError:
            pass
        raise Refused("spot_symbol") if category == "spot" else Refused("parameter", "symbol invalid")

    def contracts(self, category: str) -> list[Contract]:
        """All contracts of a category."""
        market = self.markets.get(category)
        return [] if market is None else [Contract(market.instrument(symbol), category) for symbol in market.symbols]

    def mark(self, contract: Contract) -> Decimal:
        """Mark price, which is also the index and the last price: the middle of the newest quote."""
        price = self.markets[contract.category].price(contract.symbol, self.clock)
        return price if price is not None else ZERO

    def quote(self, contract: Contract) -> tuple[Decimal, Decimal]:
        """Bid and ask."""
        market = self.markets[contract.category]
        quote, units = market.quote(contract.symbol, self.clock), market.units(contract.symbol)
        return (units.price(quote.bid), units.price(quote.ask)) if quote is not None else (ZERO, ZERO)

    def halted(self, contract: Contract) -> bool:
        """Whether it does not trade now."""
        return self.markets[contract.category].halted(contract.symbol, self.clock)

    def find(self, category: str, order_id: str, link: str) -> Order | None:
        """An order by its id, or by the client's."""
        order = self.orders.get(order_id or self._links.get((category, link), ""))
        return order if order is not None and order.contract.category == category and order.status is not Status.CREATED else None

    def knows(self, category: str, link: str) -> bool:
        """Whether a client's id was ever used."""
        return (category, link) in self._links

    def working(self, category: str | None = None, symbol: str | None = None) -> list[Order]:
        """Orders that have not ended, oldest first; those not yet accepted too."""
        return [o for o in self.open.values() if category in {None, o.contract.category} and symbol in {None, o.contract.symbol}]

    def exposed(self) -> Iterator[Position]:
        """Positions that are not flat."""
        return (position for position in self.ledger.positions.values() if position.size)

    # -- what clients and hands do ---------------------------------------------------------------------------------------

    def place(self, asked: Asked, fortune: Fortune = HONEST, *, by_hand: bool = False) -> Order:
        """Acknowledge an order; it is accepted at the next step."""
        order = self.create(asked)
        order.by_hand = by_hand
        self._arrivals.append((order, fortune))
        return order

    def create(self, asked: Asked) -> Order:
        """A new order, known to nobody."""
        now = self.clock // 1_000_000
        row, identity = self.names.number(), self.names.next("order")
        order = Order(identity, asked, now, now, row, self.mark(asked.contract))
        self.orders[order.id] = self.open[order.id] = order
        if asked.link:
            self._links[asked.contract.category, asked.link] = order.id
        return order

    def cancel(self, order: Order, cancel_type: str = BY_USER, reason: str = "EC_PerCancelRequest") -> None:
        """End an order."""
        waited = order.waits
        if order.number is not None:
            self.books[order.contract.category].cancel(order.number)
        order.cancel_type, order.reject_reason = cancel_type, reason if not waited else order.reject_reason
        spot = order.contract.category != LINEAR
        ended = Status.PARTIAL_CANCELED if spot and order.filled else Status.CANCELED
        self.change(order, Status.DEACTIVATED if waited else ended)

    def reject(self, order: Order, reason: str) -> None:
        """Refuse what was acknowledged already."""
        order.reject_reason = reason
        if order.number is not None:
            self.books[order.contract.category].cancel(order.number)
        self.change(order, Status.REJECTED)

    def execute(self, order: Order, quantity: Decimal) -> None:
        """Fill by hand, at the market."""
        if order.number is not None and quantity > ZERO:
            self.books[order.contract.category].execute(order.number, quantity, self.clock)

    def rest(self, order: Order, ticket: Ticket) -> None:
        """Put an order into the book."""
        if order.number is not None:
            self.books[order.contract.category].cancel(order.number)
        working = self.books[order.contract.category].place(ticket, self.clock)
        order.number = working.number
        self._numbers[order.contract.category, working.number] = order.id

    def amend(self, order: Order, *, quantity: Decimal | None = None, price: Decimal | None = None, trigger: Decimal | None = None) -> None:
        """Change an order in its place and tell it."""
        changes = {"quantity": quantity, "price": price, "trigger": trigger}
        told = {name: value for name, value in changes.items() if value is not None}
        order.asked = replace(order.asked, **told)  # type: ignore[arg-type]  # three fields, all of them amounts
        if order.number is not None:
            self.books[order.contract.category].amend(order.number, quantity=quantity, limit=price, stop=trigger)
        done = order.filled > ZERO and order.left == ZERO
        self.change(order, Status.FILLED if done else order.status)

    def change(self, order: Order, status: Status) -> None:
        """Give an order a status, and tell it."""
        order.status = status
        if not status.is_open:
            self.open.pop(order.id, None)
        order.updated = self.clock // 1_000_000
        self.announce(order)

    def announce(self, order: Order) -> None:
        """Tell streams and auditors how an order is."""
        asked, row = order.asked, order.streamed()
        if order.id in self._late:
            self._late[order.id].append(row)
        else:
            self.tell("order", row)
        self.evidence.note(
            "order",
            moment(self.clock),
            number=order.row,
            venue_id=order.id,
            client_id=asked.link,
            symbol=order.contract.symbol,
            category=order.contract.category,
            side=NAMES[asked.side],
            type="Market" if asked.market else "Limit",
            quantity=asked.quantity,
            filled=order.filled,
            stop=asked.trigger,
            limit=asked.price,
            status=order.status,
            reduce_only=asked.reduce_only,
            stop_order_type=str(asked.stop),
            by_hand=order.by_hand,
        )

    # -- time ------------------------------------------------------------------------------------------------------------

    def advance(self, to: int) -> None:
        """Let happen all that happens up to `to`."""
        self._accept()
        while True:
            funding = settling.next_funding(self.clock)
            stride = self.clock + _MINUTE if any(self.exposed()) else to
            step = min(max(to, self.clock), funding, stride)
            for book in self.books.values():
                book.advance(step)
            self.clock = step
            if step == funding:
                settling.fund(self, step)
            settling.liquidate(self)
            self._accept()
            if step >= to:
                return

    def _accept(self) -> None:
        arrivals, self._arrivals = self._arrivals, []
        for order, fortune in arrivals:
            if order.status is not Status.CREATED:
                continue
            if fortune.fills_first:
                self._late[order.id] = []
            if fortune.reject:
                self.reject(order, fortune.reject)
            else:
                self._take(order, fortune)
            for row in self._late.pop(order.id, ()):
                self.tell("order", row)
        if arrivals:
            for book in self.books.values():
                book.advance(self.clock)

    def _take(self, order: Order, fortune: Fortune) -> None:
        """Take an acknowledged order into the book."""
        asked = order.asked
        if asked.value is not None:
            self._by_value(order)
            asked = order.asked
            if not asked.quantity:
                self.reject(order, "EC_InvalidAmount")
                return
        self.rest(order, ticket_of(asked))
        self.change(order, Status.NEW if asked.stop is Stop.NONE else Status.UNTRIGGERED)
        if fortune.fills_first and not order.waits:
            self.execute(order, order.left)
        if fortune.part is not None and order.number is not None:
            quantity = order.contract.instrument.round_quantity(asked.quantity * fortune.part)
            self.books[order.contract.category].fill_next(order.number, max(quantity, order.contract.step), fortune.pause)

    def _by_value(self, order: Order) -> None:
        """Give a spot market buy by value its quantity."""
        price = order.asked.trigger or self.quote(order.contract)[1]
        quantity = order.contract.instrument.round_quantity((order.asked.value or ZERO) / price) if price else ZERO
        order.asked = replace(order.asked, quantity=quantity)

    # -- what happens ----------------------------------------------------------------------------------------------------

    def _happened(self, category: str, happening: Happening) -> None:
        self.clock = max(self.clock, happening.at)
        order = self.orders[self._numbers[category, happening.order.number]]
        match happening:
            case Triggered():
                self._triggered(order)
            case Executed():
                self._executed(order, happening)
            case Lapsed():
                reason = "EC_PostOnlyWillTakeLiquidity" if order.asked.time_in_force == "PostOnly" else "EC_NoImmediateQtyToFill"
                self.cancel(order, "UNKNOWN", reason)
                guards.spend(self, order)
            case _:
                pass

    def _triggered(self, order: Order) -> None:
        if guards.begins_to_trail(self, order):
            return
        self.change(order, Status.TRIGGERED)
        if order.asked.reduce_only and not guards.cap(self, order):
            return
        if order.asked.reduce_only or settling.affords(self, order):
            order.status = Status.NEW
            if not order.asked.market:
                self.change(order, Status.NEW)
        else:
            self.cancel(order, "CancelByCannotAffordOrderCost", "EC_PerCancelRequest")

    def _executed(self, order: Order, done: Executed) -> None:
        contract, before, first = order.contract, self.sign(order.contract), order.filled == ZERO
        self.ledger.book(Execution(order, done.quantity, done.price, done.at, done.maker, self.mark(contract)))
        self.change(order, Status.FILLED if order.left == ZERO else Status.PARTIAL)
        if contract.category == LINEAR:
            self.dirty.add(contract.symbol)
            guards.follow(self, order, before, first=first)

    def sign(self, contract: Contract) -> int:
        """Side of the position; 0 when flat, and on spot."""
        return self.ledger.position(contract).sign if contract.category == LINEAR else 0
