"""Alpaca as a `Broker`: orders by its SDK, books from its stream and its REST answers alike.

Promises that an order is sent at most once, that an unclear answer is said to be one, that stream and reads feed one story in which
everything counts once, and that paper keys never trade a live account nor live keys a paper one: the account says what it is.
Refuses its endpoints that close positions, since they take no client order id.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_bot.brokers.alpaca import wire
from trading_bot.brokers.alpaca.connection import Connection
from trading_bot.brokers.alpaca.reading import OPENING, Reading
from trading_bot.brokers.alpaca.story import Story
from trading_bot.brokers.alpaca.stream import Updates
from trading_bot.brokers.roster import Roster
from trading_bot.brokers.traits import alpaca_traits
from trading_bot.domain.books import Account, Position
from trading_bot.domain.errors import (
    BrokerError,
    BrokerKeysError,
    BrokerUnavailableError,
    OrderNotFoundError,
    OrderRejectedError,
    OutcomeUnknownError,
)
from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent, OrderSpec
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.network.backoff import Backoff
from trading_bot.network.budget import Purpose
from trading_bot.network.keys import Keys
from trading_bot.ports import Clock
from trading_bot.settings import AlpacaEnvironment, AlpacaSettings

READ_EVERY = 15.0
"""Seconds between two reads while the stream speaks and nothing is missing."""
READ_SOON = 2.0
"""The same otherwise."""
RENEW_AFTER = 20.0
"""A stream that is connected and mute for so long is connected anew."""
_LOG = logging.getLogger(__name__)
_PAPER_NUMBER = "PA"
"""How numbers of paper accounts begin."""


@dataclass(frozen=True)
class Surroundings:
    """What the adapter is given of the world. `draw`: numbers from 0 to 1; `steady`: seconds that never go back."""

    clock: Clock
    steady: Callable[[], float]
    draw: Callable[[], float]


class AlpacaBroker:
    """One account. `account`: its number or id, empty for whichever the keys open; `guardian`: may use the budget's last share."""

    name = "alpaca"
    settles_within = timedelta(seconds=30)
    foresees = False
    cash_tolerance = Decimal(1)
    """Fractions and coins are rounded to cents, fill by fill."""

    def __init__(self, settings: AlpacaSettings, keys: Keys, account: str, around: Surroundings, *, guardian: bool = False) -> None:
        self._settings = settings
        self._keys = keys
        self._account = account
        self._around = around
        self._connection = Connection(settings, keys, around.clock.now, around.steady, guardian=guardian)
        self._roster = Roster()
        self._story = Story(self._roster)
        self._reading: Reading | None = None
        self._stream: Updates | None = None
        self._connections = 0
        self._read_at: float | None = None
        self._mute_since: float | None = None
        self._behind = False
        """Whether the last read failed, or a message was not understood."""

    def traits(self, symbol: Symbol) -> VenueTraits:
        """Pairs of legs for stocks; coins have neither pairs nor plain stops."""
        return alpaca_traits(symbol)

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """Check the account, take up where the books stopped, and listen. May be called again if it failed."""
        raw = self._checked_account()
        self._roster.remember(intents)
        self._story = story = Story(self._roster, booked)
        began = _began(booked)
        if began is None:
            began = wire.moment(self._connection.get("/clock", "reading Alpaca's clock")["timestamp"])
            story.chronicle.see_cash(OPENING, CashReason.DEPOSIT, wire.amount(raw, "cash"), began)
        self._reading = Reading(self._connection, story, began, max([began, *(event.at for event in booked)]))
        self._reading.recent()
        self._read()
        paper = self._settings.environment is AlpacaEnvironment.PAPER
        self._stream = Updates(self._keys, paper=paper, url=self._settings.url, backoff=Backoff(self._around.draw), ring=ring)

    def close(self) -> None:
        """End the stream and close the sockets."""
        if self._stream is not None:
            self._stream.close()
        self._connection.close()

    # -- questions ---------------------------------------------------------------------------------------------------

    def account(self) -> Account:
        """Cash, equity and buying power now. BrokerKeysError if it is not the account, or of the environment, that is configured."""
        return wire.account_of(self._checked_account())

    def positions(self) -> tuple[Position, ...]:
        """Open positions by symbol. When one was opened is taken from our own books; Alpaca does not say."""
        ours, now = self._story.books().positions, self._around.clock.now()
        return tuple(
            Position(
                symbol=symbol,
                quantity=wire.quantity_of(raw),
                average_price=wire.price_of(raw),
                opened_at=ours[symbol].opened_at if symbol in ours else now,
            )
            for symbol, raw in sorted(self._reader().positions().items())
        )

    def open_orders(self) -> tuple[Order, ...]:
        """Working orders; sleeping legs are none. Those of others bear their own ids and count as entries."""
        listed = self._reader().open_listing()
        ours = [
            o for o in self._story.chronicle.working() if (said := self._story.order(o.client_order_id)) is None or not said.state.is_final
        ]
        others = [wire.order_of(raw, ClientOrderId(raw["client_order_id"]), None) for raw in listed if self._is_strange(raw)]
        return tuple(sorted((*ours, *others), key=lambda o: o.client_order_id))

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """The order, open or closed. A leg exists once its entry is completely filled."""
        raw = self._lookup(client_order_id)
        if raw is None:
            return None
        return self._story.order(client_order_id) or self._strange(raw, client_order_id)

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Events with a sequence above `after`; reads if the stream is mute, something is missing, or it is time."""
        try:
            self._listen()
            if self._is_read_due():
                self._read()
        except BrokerUnavailableError:
            known = self._story.chronicle.after(after)
            if not known:
                raise
            return known
        return self._story.chronicle.after(after)

    def next_event_time(self, until: datetime) -> datetime | None:  # noqa: ARG002 - the port's signature
        """Alpaca does not foresee."""
        return None

    def describe(self) -> dict[str, str]:
        """What Alpaca says of the account, in words, for a person who checks the connection."""
        raw = self._checked_account()
        flags = {
            "trading blocked": "trading_blocked",
            "account blocked": "account_blocked",
            "transfers blocked": "transfers_blocked",
            "suspended by user": "trade_suspended_by_user",
            "shorting enabled": "shorting_enabled",
        }
        return {
            "account": raw["account_number"],
            "environment": _environment_of(raw).value,
            "status": str(raw.get("status")),
            "equity": f"{raw.get('equity')} {raw.get('currency') or 'USD'}",
            "cash": str(raw.get("cash")),
            "buying power": f"{raw.get('buying_power')} (multiplier {raw.get('multiplier')})",
            **{words: "yes" if raw.get(key) else "no" for words, key in flags.items()},
            "crypto": str(raw.get("crypto_status") or "not enabled"),
            "requests": f"{self._settings.requests_per_minute} a minute",
        }

    # -- orders ------------------------------------------------------------------------------------------------------

    def submit(self, order: ApprovedOrder) -> Order:
        """Send once. A refusal is believed when Alpaca does not have the order: a second order under one id is refused too."""
        spec = order.spec
        self._roster.add(order)
        body = wire.order_body(spec)
        return self._act(spec, lambda purpose: self._connection.post("/orders", body, f"order {spec.client_order_id}", purpose))

    def replace(self, order: ApprovedOrder) -> Order:
        """Patch the resting order. The old one may fill before the new one is there: then the new one is rejected later, by an event."""
        spec, replaced = order.spec, order.replaces
        self._roster.add(order)
        venue_id, old = self._resting(replaced)
        if old is None or venue_id is None or old.state.is_final:
            existing = self._lookup(spec.client_order_id)
            if existing is not None:
                return self._answered(existing, spec.client_order_id)
            raise OrderNotFoundError(f"{replaced or 'no order'} rests no more, so {spec.client_order_id} was not placed")
        if (spec.symbol, spec.side, spec.type) != (old.symbol, old.side, old.type):
            raise OrderRejectedError(f"{spec.client_order_id}: Alpaca keeps symbol, side and type of a replaced order; nothing was placed")
        body, what = wire.replace_body(spec, old.quantity), f"replacing {replaced} by {spec.client_order_id}"
        try:
            answer = self._act(spec, lambda purpose: self._connection.patch(f"/orders/{venue_id}", body, what, purpose))
        except OrderRejectedError as error:
            raise self._replace_refused(venue_id, old, error) from error
        self._story.to_ask[venue_id] = None
        return answer

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask to cancel; its end comes as an event. BrokerUnavailableError if Alpaca will not just now (it is being replaced)."""
        venue_id = self._story.venue_id(client_order_id)
        if venue_id is None:
            raw = self._lookup(client_order_id)
            venue_id = None if raw is None else str(raw["id"])
        if venue_id is None:
            raise OrderNotFoundError(f"Alpaca has no order {client_order_id}: nothing was canceled")
        try:
            self._connection.delete(f"/orders/{venue_id}", f"canceling {client_order_id}")
        except OrderRejectedError as error:
            raw = self._reader().ask(venue_id)
            if raw is not None and raw["status"] not in {*wire.ENDED, "pending_cancel"}:
                raise BrokerUnavailableError(f"{client_order_id} is {raw['status']} and cannot be canceled now: {error}") from error
        self._story.to_ask[venue_id] = None

    def _act(self, spec: OrderSpec, send: Callable[[Purpose], dict[str, Any]]) -> Order:
        identity = spec.client_order_id
        try:
            raw = send(Purpose.ORDER if spec.role.adds_risk else Purpose.CANCEL)
        except OrderRejectedError:
            existing = self._existing(identity)
            if existing is None:
                raise
            raw = existing
        return self._answered(raw, identity)

    def _existing(self, identity: ClientOrderId) -> dict[str, Any] | None:
        """The order that was refused, if Alpaca has it already. OutcomeUnknownError if that cannot be found out."""
        try:
            return self._lookup(identity)
        except BrokerUnavailableError as error:
            raise OutcomeUnknownError(f"{identity} was refused, perhaps since it exists already; it MAY be placed: {error}") from error

    def _answered(self, raw: dict[str, Any], identity: ClientOrderId) -> Order:
        try:
            self._story.see(raw)
            return self._story.order(identity) or self._strange(raw, identity)
        except (KeyError, ValueError) as error:
            raise OutcomeUnknownError(f"{identity}: Alpaca's answer cannot be read ({error!r}); it MAY have been placed") from error

    def _resting(self, identity: ClientOrderId | None) -> tuple[str | None, Order | None]:
        if identity is None:
            return None, None
        if self._story.order(identity) is None:
            self._lookup(identity)
        return self._story.venue_id(identity), self._story.order(identity)

    def _replace_refused(self, venue_id: str, old: Order, error: BrokerError) -> BrokerError:
        raw = self._reader().ask(venue_id)
        if raw is None or raw["status"] in wire.ENDED:
            return OrderNotFoundError(f"{old.client_order_id} rests no more ({error})")
        return error

    # -- inside ------------------------------------------------------------------------------------------------------

    def _checked_account(self) -> Mapping[str, Any]:
        raw: Mapping[str, Any] = self._connection.get("/account", "reading the account")
        found, wanted = _environment_of(raw), self._settings.environment
        if found is not wanted:
            raise BrokerKeysError(f"these keys open {found} account {raw['account_number']}, and alpaca.environment is {wanted}")
        if self._account and self._account not in {raw["account_number"], raw.get("id")}:
            raise BrokerKeysError(f"these keys open account {raw['account_number']}, and broker.account is {self._account}")
        return raw

    def _reader(self) -> Reading:
        if self._reading is None:
            raise BrokerUnavailableError("the connection to Alpaca was not opened; nothing was asked")
        return self._reading

    def _lookup(self, identity: ClientOrderId) -> dict[str, Any] | None:
        """The venue's word on one order; of a leg by Alpaca's own id, or by its parent."""
        reader, card = self._reader(), self._roster.card(identity)
        if card is not None and card.parent_id is not None and self._story.order(identity) is None:
            self._lookup(card.parent_id)
            if self._story.order(identity) is None:
                return None
        known = self._story.venue_id(identity)
        return reader.ask_for(identity) if known is None else reader.ask(known)

    def _is_strange(self, raw: Mapping[str, Any]) -> bool:
        return self._story.named(raw["id"]) is None and raw["status"] != wire.ASLEEP

    def _strange(self, raw: Mapping[str, Any], identity: ClientOrderId) -> Order:
        return wire.order_of(raw, identity, self._roster.card(identity))

    def _listen(self) -> None:
        messages = [] if self._stream is None else self._stream.drain()
        for message in messages:
            try:
                self._story.hear(message)
            except (KeyError, ValueError, TypeError, ArithmeticError) as error:
                # Not believed, and no reason to stop: the next read says what is true.
                _LOG.warning("alpaca trade updates: a message that makes no sense (%s) is not booked", type(error).__name__)
                self._behind = True
        self._reader().follow_up()

    def _is_read_due(self) -> bool:
        if self._stream is None or self._read_at is None or self._around.clock.simulated:
            return True
        now = self._around.steady()
        gap = self._stream.mute or self._stream.connections != self._connections
        soon = gap or self._behind or bool(self._story.chronicle.incomplete())
        return now - self._read_at >= (READ_SOON if soon else READ_EVERY)

    def _read(self) -> None:
        now, stream = self._around.steady(), self._stream
        again = stream is not None and stream.connections != self._connections
        self._read_at, self._behind = now, True
        if again:
            self._reader().recent()
        unheard = self._reader().read()
        self._behind = False
        if stream is None:
            return
        if again:
            self._connections = stream.connections
        elif unheard:
            stream.doubt()
        if not stream.mute:
            self._mute_since = None
        elif self._mute_since is None:
            self._mute_since = now
        elif now - self._mute_since >= RENEW_AFTER:
            self._mute_since = now
            stream.renew()


def _environment_of(raw: Mapping[str, Any]) -> AlpacaEnvironment:
    """Whose money it is, by the account's own number."""
    return AlpacaEnvironment.PAPER if str(raw["account_number"]).startswith(_PAPER_NUMBER) else AlpacaEnvironment.LIVE


def _began(booked: Sequence[BrokerEvent]) -> datetime | None:
    return next((e.at for e in booked if isinstance(e, CashUpdate) and e.reference == OPENING), None)
