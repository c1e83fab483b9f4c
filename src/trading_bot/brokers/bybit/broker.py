"""Bybit as a `Broker`: what the desk asks, in Bybit's words.

Promises that an acknowledgement is never taken for an acceptance, that nothing is sent twice, and that an account other than the
configured one is never traded. Refuses what Bybit has not, or the desk does not use there: pairs that cancel each other, a target as
part of the position.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.brokers.bybit.accounts import (
    cash_of,
    described,
    linear_account,
    linear_positions,
    margin_states,
    spot_account,
    spot_positions,
)
from trading_bot.brokers.bybit.bookkeeping import Bookkeeper
from trading_bot.brokers.bybit.connection import CONNECT_SECONDS, Connection, Row, understood
from trading_bot.brokers.bybit.guarding import Guarding, Readiness, mode_of
from trading_bot.brokers.bybit.ordering import Ordering
from trading_bot.brokers.bybit.reading import Reader
from trading_bot.brokers.bybit.rounds import Rounds, opening
from trading_bot.brokers.bybit.stream import PrivateStream
from trading_bot.brokers.bybit.syncing import Syncing
from trading_bot.brokers.bybit.wire import amount, identity_of, is_position_stop, order_of, stamp
from trading_bot.brokers.roster import Roster
from trading_bot.brokers.traits import bybit_traits
from trading_bot.domain.books import Account, Position
from trading_bot.domain.errors import (
    BrokerKeysError,
    BrokerUnavailableError,
    DataError,
    OrderNotFoundError,
    OrderRejectedError,
    OutcomeUnknownError,
)
from trading_bot.domain.events import BrokerEvent
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent, OrderRole, OrderSpec, OrderState
from trading_bot.domain.perpetual import MarginState
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol
from trading_bot.network.keys import Keys
from trading_bot.ports import Clock
from trading_bot.settings import BybitSettings

_MARGIN = timedelta(seconds=2)
_RESTART_OVERLAP, _PAYMENTS_OVERLAP = timedelta(minutes=5), timedelta(days=1)
"""Before the last booked event: payments are asked for rarely, and may be told long after trades that came later."""
_KEPT_EVENTS = 10_000


class BybitBroker:
    """`draw` gives numbers from 0 to 1 that spread reconnects, `steady` counts seconds.

    `guardian`: every call may use the guardian's share of the budget.
    """

    name = "bybit"
    foresees = False
    cash_tolerance = Decimal("0.01")

    def __init__(  # noqa: PLR0913, PLR0917 - one argument for each part that is plugged in
        self,
        settings: BybitSettings,
        keys: Keys,
        account: str,
        instruments: Callable[[Symbol], Instrument],
        clock: Clock,
        steady: Callable[[], float],
        draw: Callable[[], float],
        *,
        timeout: float = 5.0,
        guardian: bool = False,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._account = account
        self._instruments = instruments
        self._clock = clock
        self._steady = steady
        self._draw = draw
        self._linear = settings.category == "linear"
        self._line = Connection(settings, keys, steady, timeout=timeout, guardian=guardian)
        self._reader = Reader(self._line, settings.category)
        self._roster = Roster()
        self._books = Bookkeeper(settings.category, self._roster, ())
        self._ready = Readiness(self._line, self._reader, settings.leverage, instruments)
        self._guarding = Guarding(self._line, self._reader, self._books)
        self._ordering = Ordering(self._line, self._reader, settings.category, self.find)
        self._stream: PrivateStream | None = None
        self._sync: Syncing | None = None
        self._uid = ""
        self.settles_within = timedelta(seconds=CONNECT_SECONDS + timeout, milliseconds=settings.receive_window_ms) + _MARGIN

    def traits(self, symbol: Symbol) -> VenueTraits:  # noqa: ARG002 - the port's signature; all symbols of a category alike
        """A stop on the position for perpetuals; conditional orders, and targets watched by the engine, for spot."""
        return bybit_traits(self._settings.category)

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """Begin; with nothing booked the account's cash is the first event."""
        self._check_account()
        self._roster.remember(intents)
        self._books = Bookkeeper(self._settings.category, self._roster, booked)
        self._guarding = Guarding(self._line, self._reader, self._books)
        if not booked:
            at, cash = opening(self._reader, self._settings.category, self._roster, intents, self._cash)
            self._books.begin(cash, at)
        since, paid_since = (booked[-1].at - _RESTART_OVERLAP, booked[-1].at - _PAYMENTS_OVERLAP) if booked else (at, at)
        self._stream = PrivateStream(self._settings, self._keys, ring, self._draw, self._steady)
        rounds = Rounds(self._reader, self._books, stamp(since), stamp(paid_since))
        self._sync = Syncing(rounds, self._books, self._stream, self._steady, ring)
        self._stream.start()

    def close(self) -> None:
        """End the stream."""
        if self._stream is not None:
            self._stream.close()
        self._line.close()

    # -- questions ---------------------------------------------------------------------------------------------------

    @understood("reading the account")
    def account(self) -> Account:
        """Cash, equity and buying power now."""
        self._check_account()
        wallet = self._reader.wallet()
        found = linear_account(self._uid, wallet, self._reader.positions()) if self._linear else spot_account(self._uid, wallet)
        self._hurry_unless(abs(found.cash - self._books.books.cash) <= self.cash_tolerance)
        return found

    @understood("reading positions")
    def positions(self) -> tuple[Position, ...]:
        """Open positions by symbol."""
        self._check_account()
        if self._linear:
            found = linear_positions(self._reader.positions())
        else:
            found = spot_positions(self._reader.wallet(), self._reader.milliseconds, self._is_traded, self._cost)
        ours = self._books.books.positions.values()
        self._hurry_unless({p.symbol: p.quantity for p in found} == {p.symbol: p.quantity for p in ours})
        return found

    @understood("reading margins")
    def standing(self) -> dict[Symbol, MarginState]:
        """Every perpetual with its mark price and where the venue would end it."""
        self._check_account()
        return margin_states(self._reader.positions()) if self._linear else {}

    @understood("reading open orders")
    def open_orders(self) -> tuple[Order, ...]:
        """Working orders, the position's stop and orders placed by hand included, by client order id."""
        self._check_account()
        rows = self._reader.open_orders()
        held = self._reader.positions() if self._linear else ()
        stops = {row["symbol"]: stop for row in held if (stop := self._books.stops.resting(row)) is not None}
        found = [self._recorded(row) for row in rows if not (is_position_stop(row) and row["symbol"] in stops) and amount(row["qty"])]
        return tuple(sorted((*found, *stops.values()), key=lambda o: o.client_order_id))

    @understood("asking for an order")
    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """The order, open or closed, or None if neither the open orders nor the history have it."""
        self._check_account()
        card = self._roster.card(client_order_id)
        if card is not None and self._guards(card.role):
            return self._found_stop(client_order_id, card.spec.symbol)
        row = self._reader.order(client_order_id)
        if row is None:
            return None
        self._books.order(row)
        return self._recorded(row)

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Events with a sequence above `after`, all that the venue is known to have done."""
        sync = self._opened()
        if sync.drain():
            self._end_all_replaced()
        if self._clock.simulated or sync.due():
            try:
                self._check_account()
                with understood("reading what happened"):
                    sync.read()
                self._end_all_replaced()
            except BrokerUnavailableError:
                if not self._books.chronicle.after(after) and not self._is_live():
                    raise
        self._books.chronicle.forget(after - _KEPT_EVENTS)
        return self._books.chronicle.after(after)

    # -- orders ------------------------------------------------------------------------------------------------------

    def submit(self, order: ApprovedOrder) -> Order:
        """Send an order; the answer is an acknowledgement, and for a position's stop what the position shows."""
        self._check_account()
        spec = order.spec
        self._roster.add(order)
        if self._guards(spec.role):
            return self._guarding.place(spec)
        known = self._books.chronicle.order(spec.client_order_id)
        if known is not None:
            return known
        if self._linear and spec.role.adds_risk:
            self._ready.ensure(spec.symbol)
        try:
            placed = self._ordering.create(spec)
        except OutcomeUnknownError:
            self._expect(spec)
            raise
        self._expect(spec)
        return placed

    def replace(self, order: ApprovedOrder) -> Order:
        """Put an exit in the place of another: the position's stop in one call, any other by placing first and canceling then."""
        spec, old = order.spec, order.replaces
        if spec.role.adds_risk or old is None:
            raise OrderRejectedError(f"{spec.client_order_id}: only exits are replaced at Bybit; nothing was placed")
        known = None if self._roster.card(spec.client_order_id) is None else self.find(spec.client_order_id)
        if known is None:
            resting = self.find(old)
            if resting is None or not resting.state.is_working:
                raise OrderNotFoundError(f"{old} rests no more, so {spec.client_order_id} was not placed")
            known = self.submit(order)
        if not self._guards(spec.role):
            known = self.find(spec.client_order_id) or known
            self._end_replaced(old, known)
        return known

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel a working order; one at its end stays as it is. OrderNotFoundError if the venue does not know it."""
        found = self.find(client_order_id)
        if found is None:
            raise OrderNotFoundError(f"Bybit has no order {client_order_id}: nothing was canceled")
        if found.state.is_final:
            return
        if self._guards(found.role):
            self._guarding.remove(found.symbol)
        else:
            self._ordering.cancel(found)

    def _expect(self, spec: OrderSpec) -> None:
        if self._sync is not None:
            self._sync.expect(spec.client_order_id)

    def _end_replaced(self, old: ClientOrderId, new: Order) -> None:
        """Cancel what `new` replaced once it works or has worked; what cannot be canceled now is canceled after a later read."""
        if new.state is OrderState.REJECTED:
            raise OrderRejectedError(f"Bybit refused {new.client_order_id} ({new.reason}); {old} rests on")
        if new.state is OrderState.SUBMITTED:
            return
        with suppress(OrderNotFoundError, OutcomeUnknownError, BrokerUnavailableError):
            self.cancel(old)

    def _end_all_replaced(self) -> None:
        for order in self._books.chronicle.working():
            card = None if self._guards(order.role) else self._roster.replaced_by(order.client_order_id)
            new = None if card is None else self._books.chronicle.order(card.client_order_id)
            if new is not None and new.state is not OrderState.REJECTED:
                self._end_replaced(order.client_order_id, new)

    def next_event_time(self, until: datetime) -> datetime | None:  # noqa: ARG002 - the port's signature
        """None: nobody knows."""
        return None

    def describe(self) -> dict[str, str]:
        """Facts for the doctor, read only."""
        account, user, info = self.account(), self._reader.user(), self._reader.account()
        mode = mode_of(self._reader.positions()) if self._linear else "spot has none"
        limits = f"{self._settings.requests_per_second} calls a second, leverage {self._settings.leverage}, {self._settings.category}"
        return described((user, info), account, self._settings.environment.value, mode, limits)

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _hurry_unless(self, explained: bool) -> None:  # noqa: FBT001 - a fact
        """Read soon if the account shows what the books do not explain."""
        if not explained and self._sync is not None:
            self._sync.hurry()

    def _guards(self, role: OrderRole) -> bool:
        """Whether an order of this role is the stop of a position."""
        return self._linear and role is OrderRole.STOP_LOSS

    def _check_account(self) -> None:
        """BrokerKeysError unless the keys open the configured account."""
        if self._uid:
            return
        uid = str(self._reader.user().get("userID") or "")
        if not uid or (self._account and uid != self._account):
            raise BrokerKeysError(
                f"these keys open Bybit account {uid or 'unknown'}, and broker.account is {self._account}: nothing was sent; "
                "take that account's keys"
            )
        self._uid = uid

    def _cash(self) -> Decimal:
        wallet = self._reader.wallet()
        return cash_of(wallet, self._reader.positions() if self._linear else ())

    def _opened(self) -> Syncing:
        if self._sync is None:
            raise BrokerUnavailableError("Bybit's events are asked for before it was opened")
        return self._sync

    def _is_live(self) -> bool:
        return self._stream is not None and self._stream.live

    def _recorded(self, row: Row) -> Order:
        return order_of(row, self._roster.card(identity_of(row)))

    def _found_stop(self, identity: ClientOrderId, symbol: Symbol) -> Order | None:
        """A position's stop under this id: resting, or as it was last told."""
        order = self._guarding.found(symbol)
        if order is not None and order.client_order_id == identity:
            return order
        told = self._books.chronicle.order(identity)
        if told is not None and not told.state.is_final and self._sync is not None:
            self._sync.read()
        return self._books.chronicle.order(identity)

    def _is_traded(self, symbol: Symbol) -> bool:
        try:
            self._instruments(symbol)
        except DataError:
            return False
        return True

    def _cost(self, symbol: Symbol) -> Decimal:
        """What a coin cost by the books; 0 if it is in none."""
        held = self._books.books.positions.get(symbol)
        return ZERO if held is None else held.average_price
