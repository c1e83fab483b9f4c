"""Books and round trips: whatever a venue tells, they come to what a naive recount of the same events comes to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trading_bot.backtest.facts import protections
from trading_bot.domain.books import Books
from trading_bot.domain.errors import IllegalTransitionError, StorageError
from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate, OrderUpdate, SplitUpdate
from trading_bot.domain.orders import Fill, Order, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.trades import RoundTrip, TradeLedger
from trading_bot.domain.values import ClientOrderId, Symbol

START = datetime(2024, 1, 2, 15, tzinfo=UTC)
AAPL, TSLA = Symbol("AAPL"), Symbol("TSLA")
TINY = Decimal("0.0001")
"""What ten places of average prices may come to over the quantities drawn here."""


class Venue:
    """Tells events with the numbers and times of a venue, and nothing that a venue could not tell."""

    def __init__(self) -> None:
        self.events: list[BrokerEvent] = []
        self.held: dict[Symbol, Decimal] = {}
        self.cash("100000", CashReason.DEPOSIT)

    def cash(self, amount: str, reason: CashReason = CashReason.DIVIDEND) -> None:
        """Pay in or out."""
        self.events.append(CashUpdate(sequence=self._next, at=self._now, reason=reason, amount=Decimal(amount)))

    def trade(self, side: Side, quantity: str, price: str, *, symbol: Symbol = AAPL, fee: str = "0") -> None:
        """Fill an order at once and whole."""
        order = self.order(OrderState.FILLED, symbol=symbol, side=side, quantity=quantity)
        fill = Fill(
            execution_id=f"x{self._next}",
            client_order_id=order.client_order_id,
            symbol=symbol,
            side=side,
            role=order.role,
            quantity=Decimal(quantity),
            price=Decimal(price),
            fee=Decimal(fee),
            at=self._now,
        )
        self.held[symbol] = self.held.get(symbol, Decimal(0)) + fill.quantity * side.sign
        self.events.append(OrderUpdate(sequence=self._next, at=self._now, order=order, fill=fill))

    def split(self, ratio: str, *, symbol: Symbol = AAPL) -> None:
        """Split what is held, fractions of a share paid out at 1."""
        exact = Fraction(self.held.get(symbol, Decimal(0))) * Fraction(ratio).limit_denominator(20)
        if exact:
            whole = Decimal(int(exact))
            self.held[symbol] = whole
            self.events.append(SplitUpdate(sequence=self._next, at=self._now, symbol=symbol, ratio=Decimal(ratio), quantity_after=whole))
            self.cash(str(round(Decimal(float(exact - int(exact))), 8)), CashReason.CASH_IN_LIEU)

    def tell(self, order: Order) -> None:
        """An order changed without a fill."""
        self.events.append(OrderUpdate(sequence=self._next, at=self._now, order=order))

    def order(
        self, state: OrderState, *, symbol: Symbol = AAPL, side: Side = Side.BUY, quantity: str = "1", stop: str | None = None
    ) -> Order:
        """An order in some state; with a stop price the stop loss `stop-SYMBOL`."""
        return Order(
            client_order_id=ClientOrderId(f"order-{self._next}" if stop is None else f"stop-{symbol.lower()}"),
            venue_order_id=str(self._next),
            symbol=symbol,
            side=side,
            type=OrderType.MARKET if stop is None else OrderType.STOP,
            role=OrderRole.ENTRY if stop is None else OrderRole.STOP_LOSS,
            quantity=Decimal(quantity),
            stop_price=None if stop is None else Decimal(stop),
            time_in_force=TimeInForce.GTC,
            state=state,
            filled_quantity=Decimal(quantity) if state is OrderState.FILLED else Decimal(0),
            average_price=Decimal(0),
            submitted_at=self._now,
            updated_at=self._now,
        )

    def books(self) -> Books:
        """What the desk makes of it."""
        books = Books()
        for event in self.events:
            books = books.apply(event)
        return books

    def trips(self) -> list[RoundTrip]:
        """The closed trades."""
        ledger = TradeLedger()
        for event in self.events:
            ledger.add(event)
        return ledger.closed

    @property
    def _next(self) -> int:
        return len(self.events) + 1

    @property
    def _now(self) -> datetime:
        return START + timedelta(minutes=len(self.events))


@dataclass(frozen=True)
class Step:
    """One thing that may happen to one symbol."""

    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    fee: Decimal
    split: str
    """Before the trade; `1` for none."""


steps = st.lists(
    st.builds(
        Step,
        symbol=st.sampled_from([AAPL, TSLA]),
        side=st.sampled_from(Side),
        quantity=st.integers(1, 400),
        price=st.decimals("0.01", 900, places=2),
        fee=st.decimals("-0.5", 5, places=2),
        split=st.sampled_from(["1"] * 6 + ["2", "3", "1.5", "0.333333", "0.05"]),
    ),
    max_size=12,
)


def played(drawn: list[Step], *, flat: bool = False) -> Venue:
    """A venue that has told all this, and if `flat` has closed what was left."""
    venue = Venue()
    for step in drawn:
        if step.split != "1":
            venue.split(step.split, symbol=step.symbol)
        venue.trade(step.side, str(step.quantity), str(step.price), symbol=step.symbol, fee=str(step.fee))
    for symbol, quantity in sorted(venue.held.items()) if flat else ():
        if quantity:
            venue.trade(Side.SELL if quantity > 0 else Side.BUY, str(abs(quantity)), "7.77", symbol=symbol, fee="0.03")
    return venue


@given(steps)
def test_cash_and_positions_equal_a_naive_recount(drawn: list[Step]) -> None:
    """Cash is the sum of what was paid; positions are what the venue holds; no flat position stays in the books."""
    venue = played(drawn)
    books = venue.books()
    fills = [e.fill for e in venue.events if isinstance(e, OrderUpdate) and e.fill is not None]
    paid = sum((e.amount for e in venue.events if isinstance(e, CashUpdate)), Decimal(0))
    assert books.cash == paid - sum(f.side.sign * f.quantity * f.price + f.fee for f in fills)
    assert {s: p.quantity for s, p in books.positions.items()} == {s: q for s, q in venue.held.items() if q}
    assert books.fees == sum(f.fee for f in fills)
    assert not books.orders


@given(steps)
def test_what_was_earned_explains_every_cent(drawn: list[Step]) -> None:
    """Cash and what positions cost = deposit + realised - fees + income, whatever was split, turned round or paid out."""
    books = played(drawn).books()
    cost = sum((p.quantity * p.average_price for p in books.positions.values()), Decimal(0))
    assert abs(books.cash + cost - (100_000 + books.realized - books.fees + books.income)) < TINY


@given(steps)
def test_profits_of_round_trips_sum_to_what_was_realised_less_fees(drawn: list[Step]) -> None:
    """Once everything is flat, trade by trade and in the books it is the same money; fees are in both."""
    venue = played(drawn, flat=True)
    assume(not any(isinstance(e, SplitUpdate) and e.quantity_after == 0 for e in venue.events))
    books, trips = venue.books(), venue.trips()
    assert abs(sum((t.profit for t in trips), Decimal(0)) - (books.realized - books.fees)) < TINY
    assert sum((t.fees for t in trips), Decimal(0)) == books.fees
    assert [t.closed_at for t in trips] == sorted(t.closed_at for t in trips)


@given(steps)
def test_books_can_be_written_reported_and_read_whatever_their_averages(drawn: list[Step]) -> None:
    """An average price without end (10.01 and two of 10.02) must not stop a status, a report or a journal."""
    books = played(drawn).books()
    assert Books.model_validate_json(books.canonical()) == books
    assert [p.average_price for p in protections(books)] == [p.average_price for _, p in sorted(books.positions.items())]


@given(steps)
def test_an_event_counts_once_and_a_gap_raises(drawn: list[Step]) -> None:
    """Told twice, nothing changes; with one left out, the books refuse the next."""
    venue = played(drawn, flat=True)
    books = Books()
    for event in venue.events:
        assert books.apply(event).apply(event) == (books := books.apply(event))
    if len(venue.events) > 1:
        with pytest.raises(StorageError, match="is missing"):
            Books().apply(venue.events[1])


def test_an_order_cannot_come_back_from_its_partial_fill_to_rest() -> None:
    """The venue's words are held against the table of moves."""
    venue = Venue()
    first = venue.order(OrderState.PARTIALLY_FILLED)
    venue.tell(first)
    venue.tell(first.model_copy(update={"state": OrderState.ACCEPTED}))
    with pytest.raises(IllegalTransitionError):
        venue.books()


def test_a_split_takes_the_remembered_stop_with_it() -> None:
    """A stop at 90 is one at 30 after a split of three for one: what loses its stop then is not protected at 90."""
    venue = Venue()
    venue.trade(Side.BUY, "10", "100")
    stop = venue.order(OrderState.ACCEPTED, side=Side.SELL, quantity="10", stop="90")
    venue.tell(stop)
    venue.tell(stop.model_copy(update={"state": OrderState.CANCELED}))
    venue.split("3")
    books = venue.books()
    assert books.stops == {AAPL: Decimal(30)}
    assert (books.positions[AAPL].quantity, books.positions[AAPL].average_price) == (Decimal(30), Decimal("33.3333333333"))


def test_a_position_that_a_reverse_split_pays_out_leaves_no_trade_and_no_stop() -> None:
    """Five shares of a reverse split of one for twenty are cash; the next purchase begins a trade of its own."""
    venue = Venue()
    venue.trade(Side.BUY, "5", "1")
    venue.tell(venue.order(OrderState.ACCEPTED, side=Side.SELL, quantity="5", stop="0.9"))
    venue.split("0.05")
    venue.trade(Side.BUY, "2", "20")
    venue.trade(Side.SELL, "2", "21")
    books = venue.books()
    assert (books.positions, books.stops) == ({}, {})
    assert (books.realized, books.income) == (Decimal(-3), Decimal("0.25"))
    assert [(t.quantity, t.entry_price, t.profit) for t in venue.trips()] == [(Decimal(2), Decimal(20), Decimal(2))]


def test_a_fill_that_turns_a_position_round_closes_one_trade_and_opens_another() -> None:
    """Long 1 at 10, sold 3 at 11 for a fee of 1: a third of it belongs to the long; short 2, bought back at 10."""
    venue = Venue()
    venue.trade(Side.BUY, "1", "10")
    venue.trade(Side.SELL, "3", "11", fee="1")
    venue.trade(Side.BUY, "2", "10")
    long, short = venue.trips()
    assert (long.side, long.profit, long.fees) == (Side.BUY, Decimal("0.6666666667"), Decimal("0.3333333333"))
    assert (short.side, short.profit, short.fees) == (Side.SELL, Decimal("1.3333333333"), Decimal("0.6666666667"))
