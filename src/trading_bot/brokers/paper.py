"""The paper venue: a broker of its own that knows nothing of the engine.

Promises that every call is one exclusive turn which first advances matching to now, so that a resting stop triggers whether the
desk lives or not; that an id known to the venue is never placed twice, and a refused one is refused again the same way.
Refuses an account that is not the one it was made for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from trading_bot.brokers import intake, margin
from trading_bot.brokers.state import SleepingLeg, State, VenueOrder
from trading_bot.brokers.tape import Prices
from trading_bot.brokers.timeline import Rules, Timeline
from trading_bot.brokers.units import cash, moment, quanta, stamp
from trading_bot.brokers.venue import Venue
from trading_bot.brokers.venue_store import Changes, Ledger, VenueStore
from trading_bot.domain.books import Account, Position
from trading_bot.domain.errors import NoDataError, OrderNotFoundError, OrderRejectedError, StorageError
from trading_bot.domain.events import BrokerEvent, CashReason
from trading_bot.domain.orders import ApprovedOrder, Order, OrderClass, OrderIntent, OrderRole, OrderSpec, OrderState
from trading_bot.domain.perpetual import MarginState, is_leveraged
from trading_bot.domain.traits import PAPER, VenueTraits
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.ports import Calendar, Clock, MarketSource
from trading_bot.settings import BrokerSettings

T = TypeVar("T")

_CANCELED = "canceled on request"


class PaperBroker:
    """A `Broker` on recorded, invented or live prices. StorageError or HomeMismatchError if its database cannot be used."""

    name = "paper"
    settles_within = timedelta(0)
    foresees = True
    cash_tolerance = Decimal(0)

    def __init__(
        self, store: VenueStore, source: MarketSource, calendars: Callable[[str], Calendar], clock: Clock, settings: BrokerSettings
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._prices = Prices(source, calendars)
        self._slippage = Fraction(settings.slippage_bps)
        rules = Rules(self._slippage, Fraction(settings.participation), Fraction(settings.borrow_bps_per_year))
        self._timeline = Timeline(self._prices, rules)
        self._reached = (-1, 0)
        """Version of the state last seen, and how far it was found to have nothing to tell."""
        self._next: tuple[int, datetime, datetime | None] | None = None

    def traits(self, symbol: Symbol) -> VenueTraits:  # noqa: ARG002 - the port's signature; all symbols alike
        """Brackets whose legs wake with the first fill."""
        return PAPER

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """Nothing: the venue remembers all by itself, and has no stream."""

    def close(self) -> None:
        """Nothing."""

    # -- questions ---------------------------------------------------------------------------------------------------

    def account(self) -> Account:
        """Cash, equity and buying power now."""
        return self._turn(lambda _, venue: self._account(venue.state))

    def positions(self) -> tuple[Position, ...]:
        """Open positions by symbol."""
        return self._turn(lambda _, venue: tuple([holding.record for _, holding in sorted(venue.state.holdings.items())]))

    def standing(self) -> Mapping[Symbol, MarginState]:
        """Perpetuals held, each with the middle of its newest quote (its average price before the first) and where it would be ended."""
        return self._turn(lambda _, venue: self._margins(venue.state))

    def open_orders(self) -> tuple[Order, ...]:
        """Working orders, woken legs included, by client order id."""
        return self._turn(lambda _, venue: tuple([o.record for o in sorted(venue.state.orders.values(), key=_identity)]))

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """The order, open or closed. A leg exists from its entry's first fill on."""
        found = self._turn(lambda ledger, venue: _find(ledger, venue, client_order_id))
        return None if found is None else found.record

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Events with a sequence above `after`."""
        return self._turn(lambda ledger, venue: (*ledger.events(after), *[e for e in venue.events if e.sequence > after]))

    def next_event_time(self, until: datetime) -> datetime | None:
        """When the next event up to `until` comes if nobody does anything. Changes nothing."""
        return self._turn(lambda _, venue: self._ahead(venue, until))

    # -- orders ------------------------------------------------------------------------------------------------------

    def submit(self, order: ApprovedOrder) -> Order:
        """Place an order, or return the one that is known by its id. OrderRejectedError says what to do."""
        return self._once(order.spec, lambda venue, known: self._place(venue, order.spec, known, None))

    def replace(self, order: ApprovedOrder) -> Order:
        """Put an order in the place of a resting one. OrderNotFoundError if that one rests no more, OrderRejectedError as `submit`."""
        return self._once(order.spec, lambda venue, known: self._place(venue, order.spec, known, _resting(venue, order)))

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel a working order; one at its end stays as it is. OrderNotFoundError if the venue never had it."""

        def end(ledger: Ledger, venue: Venue) -> None:
            found = _find(ledger, venue, client_order_id)
            if found is None:
                raise OrderNotFoundError(f"the venue has no order {client_order_id}: nothing was canceled")
            if found.state.is_working:
                venue.end(found, OrderState.CANCELED, _CANCELED, venue.state.clock)

        self._turn(end)

    def _once(self, spec: OrderSpec, place: Callable[[Venue, Callable[[str], bool]], VenueOrder]) -> Order:
        identity = spec.client_order_id

        def answer(ledger: Ledger, venue: Venue) -> VenueOrder | str:
            def known(other: str) -> bool:
                return venue.state.sleeps(other) or _find(ledger, venue, ClientOrderId(other)) is not None

            found = _find(ledger, venue, identity) or ledger.refusal(identity)
            if found is not None:
                return found
            try:
                return place(venue, known)
            except OrderRejectedError as error:
                ledger.refuse(identity, str(error), venue.state.clock)
                return str(error)

        found = self._turn(answer)
        if isinstance(found, str):
            raise OrderRejectedError(found)
        return found.record

    def _place(self, venue: Venue, spec: OrderSpec, known: Callable[[str], bool], old: VenueOrder | None) -> VenueOrder:
        now = venue.state.clock
        request = self._request(venue.state, spec, known, old)
        intake.check(request)
        opening, closing = self._prices.session(spec.symbol, now)
        order = intake.draft(request, venue.next_number(), now, closing)
        if old is not None:
            venue.end(old, OrderState.CANCELED, f"replaced by {spec.client_order_id}", now)
            order = replace(order, group=old.group, parent_id=old.parent_id, stop_leg=old.stop_leg, target_leg=old.target_leg)
        venue.tell(order, now)
        if spec.order_class is OrderClass.OCO and spec.stop_loss is not None:
            leg = SleepingLeg(spec.stop_loss.client_order_id, order.units.ticks(spec.stop_loss.price))
            venue.add_leg(order, leg, OrderRole.STOP_LOSS, order.quantity, now)
        if opening <= now:
            self._timeline.trade_at_quote(venue, spec.symbol, now, since=order.number)
        return venue.touched[order.number]

    def _request(self, state: State, spec: OrderSpec, known: Callable[[str], bool], old: VenueOrder | None) -> intake.Request:
        judged = state
        if old is not None:
            judged = state.copy()
            judged.orders.pop(old.number)
        try:
            self._prices.tape(spec.symbol)
            units = self._prices.units(spec.symbol)
        except (NoDataError, ValueError) as error:
            raise OrderRejectedError(f"{spec.client_order_id}: {spec.symbol} is not traded here ({error}); nothing was placed") from error
        return intake.Request(
            spec=spec,
            instrument=self._prices.instrument(spec.symbol),
            units=units,
            state=judged,
            quote=self._prices.quote(spec.symbol, state.clock),
            slippage=self._slippage,
            available=margin.standing(judged, self._prices).available,
            known=known,
        )

    # -- turns -------------------------------------------------------------------------------------------------------

    def _turn(self, work: Callable[[Ledger, Venue], T]) -> T:
        """What `work` makes of one exclusive turn, advanced to now; what happened is written when it ends without an error."""
        with self._store.exclusive() as ledger:
            venue = self._opened(ledger, stamp(self._clock.now()))
            found = work(ledger, venue)
            state = venue.state
            if venue.changed:
                state.version += 1
                ledger.save(Changes(self._settings.account, state, tuple(venue.touched.values()), tuple(venue.events)))
            seen = self._reached[1] if self._reached[0] == state.version else 0
            self._reached = (state.version, max(seen, state.clock))
            return found

    def _account(self, state: State) -> Account:
        found = margin.standing(state, self._prices)
        return Account(
            account_id=self._settings.account,
            cash=cash(state.cash),
            equity=cash(found.equity),
            buying_power=cash(max(found.available, 0)),
            maintenance_margin=cash(found.maintenance),
        )

    def _margins(self, state: State) -> dict[Symbol, MarginState]:
        found = {}
        for symbol, held in sorted(state.holdings.items()):
            instrument, quote = self._prices.instrument(symbol), self._prices.quote(symbol, state.clock)
            if is_leveraged(instrument):
                mark = held.record.average_price if quote is None else held.units.price(quote.bid + quote.ask) / 2
                end = margin.liquidation(held, instrument)
                found[symbol] = MarginState(symbol=symbol, mark=mark, liquidation=None if end is None else held.units.price(end.price))
        return found

    def _ahead(self, venue: Venue, until: datetime) -> datetime | None:
        version = venue.state.version + venue.changed
        if self._next is None or self._next[:2] != (version, until):
            ahead = Venue(venue.state.copy(), self._settings.fees)
            found = self._timeline.first_event(ahead, stamp(until))
            self._next = (version, until, None if found is None else moment(found))
            if not (ahead.changed or venue.changed):
                self._reached = (version, stamp(until))
        return self._next[2]

    def _opened(self, ledger: Ledger, now: int) -> Venue:
        state = ledger.load(self._settings.account)
        if state is None:
            venue = Venue(State(clock=now), self._settings.fees)
            venue.pay(CashReason.DEPOSIT, quanta(self._settings.cash), now)
            return venue
        if state.version == self._reached[0]:
            state.clock = max(state.clock, min(self._reached[1], now))
        else:
            self._check_grid(state)
        venue = Venue(state, self._settings.fees)
        if now > state.clock:
            self._timeline.advance(venue, now)
        return venue

    def _check_grid(self, state: State) -> None:
        """StorageError if an instrument's grid is not the one on which its orders and positions were written."""
        written = {held.symbol: held.units for held in state.holdings.values()} | {o.symbol: o.units for o in state.orders.values()}
        for symbol, old in sorted(written.items()):
            now = self._prices.units(symbol)
            if now != old:
                was = f"{symbol} was traded on tick {old.tick} and lot {old.lot}"
                raise StorageError(f"{was}, and is configured with {now.tick} and {now.lot}: set tick_size and lot_size back")


def _identity(order: VenueOrder) -> ClientOrderId:
    return order.client_order_id


def _find(ledger: Ledger, venue: Venue, client_order_id: ClientOrderId) -> VenueOrder | None:
    return venue.find(client_order_id) or ledger.find(client_order_id)


def _resting(venue: Venue, order: ApprovedOrder) -> VenueOrder:
    """The order that is to be replaced, if the new one fits into its place."""
    spec = order.spec
    old = next((o for o in venue.state.orders.values() if o.client_order_id == order.replaces), None)
    if old is None:
        raise OrderNotFoundError(f"{order.replaces or 'no order'} rests no more, so {spec.client_order_id} was not placed")
    record = old.record
    if (spec.symbol, spec.side, spec.reduce_only) != (record.symbol, record.side, old.is_exit) or spec.order_class is not OrderClass.SIMPLE:
        what = f"a {record.role} that would {record.side} {record.symbol}"
        raise OrderRejectedError(
            f"{spec.client_order_id} cannot take the place of {what}: keep symbol, side and role, and send no legs; nothing was placed"
        )
    return old
