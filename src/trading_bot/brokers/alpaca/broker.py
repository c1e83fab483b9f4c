"""Alpaca as a `Broker`: orders by its SDK, books from its stream and its REST answers alike.

Promises that an order is sent at most once, that an unclear answer is said to be one, that stream and reads feed one story in which
everything counts once, and that paper keys never trade a live account nor live keys a paper one: the account says what it is.
Refuses its endpoints that close positions, since they take no client order id.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_bot.brokers.alpaca import wire
from trading_bot.brokers.alpaca.asking import Asking
from trading_bot.brokers.alpaca.connection import Connection, understood
from trading_bot.brokers.alpaca.ordering import Ordering
from trading_bot.brokers.alpaca.reading import OPENING, Reading
from trading_bot.brokers.alpaca.sleepers import Sleepers
from trading_bot.brokers.alpaca.story import Story
from trading_bot.brokers.alpaca.stream import Updates
from trading_bot.brokers.alpaca.syncing import Syncing
from trading_bot.brokers.roster import Roster
from trading_bot.brokers.traits import alpaca_traits
from trading_bot.domain.books import Account, Position
from trading_bot.domain.errors import BrokerKeysError, BrokerUnavailableError
from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.network.backoff import Backoff
from trading_bot.network.keys import Keys
from trading_bot.ports import Clock
from trading_bot.settings import AlpacaEnvironment, AlpacaSettings

_PAPER_NUMBER = "PA"
"""How numbers of paper accounts begin."""
_BEFORE_INTENTS = timedelta(minutes=1)
"""Clocks may differ by so much."""
_TRIES = 5
_FLAGS = {
    "trading blocked": "trading_blocked",
    "account blocked": "account_blocked",
    "transfers blocked": "transfers_blocked",
    "suspended by user": "trade_suspended_by_user",
    "shorting enabled": "shorting_enabled",
}


@dataclass(frozen=True)
class _Opened:
    """What there is once the account is open."""

    story: Story
    reading: Reading
    stream: Updates
    syncing: Syncing
    asking: Asking
    ordering: Ordering
    sleepers: Sleepers


class AlpacaBroker:
    """One account. `account`: its number or id, empty for whichever the keys open; `guardian`: may use the budget's last share.

    `draw`: numbers from 0 to 1, which spread reconnects; `steady`: seconds that never go back.
    """

    name = "alpaca"
    settles_within = timedelta(seconds=30)
    foresees = False
    cash_tolerance = Decimal(1)
    """Fractions and coins are rounded to cents, fill by fill."""

    def __init__(  # noqa: PLR0913, PLR0917 - one argument for each part that is plugged in
        self,
        settings: AlpacaSettings,
        keys: Keys,
        account: str,
        clock: Clock,
        steady: Callable[[], float],
        draw: Callable[[], float],
        *,
        guardian: bool = False,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._account = account
        self._clock = clock
        self._steady = steady
        self._draw = draw
        self._connection = Connection(settings, keys, clock.now, steady, guardian=guardian)
        self._opened: _Opened | None = None

    def traits(self, symbol: Symbol) -> VenueTraits:
        """Pairs of legs for stocks; coins have neither pairs nor plain stops."""
        return alpaca_traits(symbol)

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """Check the account, take up where the books stopped, and listen. May be called again if it failed."""
        self._checked_account()
        roster = Roster()
        roster.remember(intents)
        story = Story(roster, booked)
        began = next((e.at for e in booked if isinstance(e, CashUpdate) and e.reference == OPENING), None)
        if began is None:
            began, cash = self._opening(intents)
            story.chronicle.see_cash(OPENING, CashReason.DEPOSIT, cash, began)
        reading = Reading(self._connection, story, began, max([began, *(event.at for event in booked)]))
        reading.recent()
        reading.read()
        paper = self._settings.environment is AlpacaEnvironment.PAPER
        stream = Updates(self._keys, paper=paper, url=self._settings.url, backoff=Backoff(self._draw), ring=ring)
        syncing = Syncing(reading, story, stream, self._steady, ring, always=self._clock.simulated)
        asking, ordering, sleepers = Asking(reading, story), Ordering(self._connection, reading, story), Sleepers(reading)
        self._opened = _Opened(story, reading, stream, syncing, asking, ordering, sleepers)

    def close(self) -> None:
        """End the stream and close the sockets."""
        if self._opened is not None:
            self._opened.stream.close()
        self._connection.close()

    # -- questions ---------------------------------------------------------------------------------------------------

    def account(self) -> Account:
        """Cash, equity and buying power now. BrokerKeysError if it is not the account, or of the environment, that is configured."""
        raw = self._checked_account()
        with understood("reading the account"):
            found = wire.account_of(raw)
        if self._opened is None:
            return found
        if abs(self._opened.story.books().cash - found.cash) > self.cash_tolerance:
            self._opened.syncing.hurry("cash", found.cash)
        else:
            self._opened.syncing.explained("cash")
        return found

    @understood("reading positions")
    def positions(self) -> tuple[Position, ...]:
        """Open positions by symbol. When one was opened is taken from our own books; Alpaca does not say."""
        opened, now = self._open(), self._clock.now()
        ours, theirs = opened.story.books().positions, opened.reading.positions()
        seen = {symbol: wire.quantity_of(raw) for symbol, raw in theirs.items()}
        if seen != {symbol: position.quantity for symbol, position in ours.items()}:
            opened.syncing.hurry("positions", seen)
        else:
            opened.syncing.explained("positions")
        return tuple(
            Position(
                symbol=symbol,
                quantity=seen[symbol],
                average_price=wire.price_of(raw),
                opened_at=ours[symbol].opened_at if symbol in ours else now,
            )
            for symbol, raw in sorted(theirs.items())
        )

    @understood("reading open orders")
    def open_orders(self) -> tuple[Order, ...]:
        """Working orders; sleeping legs are none. Those of others bear their own ids and count as entries, stops of resting pairs too."""
        opened = self._open()
        foreign = [raw for raw in opened.reading.open_listing() if opened.story.named(raw["id"]) is None and raw["status"] != wire.ASLEEP]
        everything = (*foreign, *opened.sleepers.beside(foreign))
        others = [wire.order_of(raw, ClientOrderId(raw["client_order_id"]), None) for raw in everything]
        return tuple(sorted((*opened.story.working(), *others), key=lambda o: o.client_order_id))

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """The order, open or closed. A leg exists once its entry is completely filled."""
        return self._open().asking.find(client_order_id)

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Events with a sequence above `after`; reads if the stream is mute, something is missing, or it is time."""
        opened = self._open()
        try:
            opened.syncing.sync()
        except BrokerUnavailableError:
            known = opened.story.chronicle.after(after)
            if not known:
                raise
            return known
        return opened.story.chronicle.after(after)

    def next_event_time(self, until: datetime) -> datetime | None:  # noqa: ARG002 - the port's signature
        """Alpaca does not foresee."""
        return None

    def describe(self) -> dict[str, str]:
        """What Alpaca says of the account, in words, for a person who checks the connection."""
        raw = self._checked_account()
        return {
            "account": str(raw["account_number"]),
            "environment": _environment_of(raw).value,
            "status": str(raw.get("status")),
            "equity": f"{raw.get('equity')} {raw.get('currency') or 'USD'}",
            "cash": str(raw.get("cash")),
            "buying power": f"{raw.get('buying_power')} (multiplier {raw.get('multiplier')})",
            **{words: "yes" if raw.get(key) else "no" for words, key in _FLAGS.items()},
            "crypto": str(raw.get("crypto_status") or "not enabled"),
            "requests": f"{self._settings.requests_per_minute} a minute",
        }

    # -- orders ------------------------------------------------------------------------------------------------------

    def submit(self, order: ApprovedOrder) -> Order:
        """Send once; the answer is Alpaca's first word."""
        return self._open().ordering.submit(order)

    def replace(self, order: ApprovedOrder) -> Order:
        """Change the resting order into this one."""
        return self._open().ordering.replace(order)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask to cancel; its end comes as an event."""
        self._open().ordering.cancel(client_order_id)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _opening(self, intents: Sequence[OrderIntent]) -> tuple[datetime, Decimal]:
        """When the books begin, and with how much cash. Orders may have been sent before anything was booked: then before the first."""
        if not intents:
            began = self._venue_time()
            return began, self.account().cash
        began = min(intent.at for intent in intents) - _BEFORE_INTENTS
        for _ in range(_TRIES):
            before = self.account().cash
            roster = Roster()
            roster.remember(intents)
            story = Story(roster)
            reading = Reading(self._connection, story, began, began)
            reading.recent()
            reading.read()
            if self.account().cash == before and not story.chronicle.incomplete():
                return began, before - story.books().cash
        raise BrokerUnavailableError("Alpaca's cash moves while it is read: it cannot be said with how much the books begin; try again")

    @understood("reading Alpaca's clock")
    def _venue_time(self) -> datetime:
        return wire.moment(self._connection.get("/clock", "reading Alpaca's clock")["timestamp"])

    @understood("reading the account")
    def _checked_account(self) -> Mapping[str, Any]:
        raw: Mapping[str, Any] = self._connection.get("/account", "reading the account")
        found, wanted = _environment_of(raw), self._settings.environment
        if found is not wanted:
            raise BrokerKeysError(
                f"these keys open {found} account {raw['account_number']}, and alpaca.environment is {wanted}: take the other pair of keys"
            )
        if self._account and self._account not in {raw["account_number"], raw.get("id")}:
            raise BrokerKeysError(
                f"these keys open account {raw['account_number']}, and broker.account is {self._account}: take that account's keys"
            )
        return raw

    def _open(self) -> _Opened:
        if self._opened is None:
            raise BrokerUnavailableError("the connection to Alpaca was not opened; nothing was sent")
        return self._opened


def _environment_of(raw: Mapping[str, Any]) -> AlpacaEnvironment:
    """Whose money it is, by the account's own number."""
    return AlpacaEnvironment.PAPER if str(raw["account_number"]).startswith(_PAPER_NUMBER) else AlpacaEnvironment.LIVE
