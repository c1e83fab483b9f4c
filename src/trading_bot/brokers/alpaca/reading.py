"""Reading Alpaca's account over REST: orders, executions and payments, into the same story that the stream tells.

Promises that what the stream did not say is found by the next read: orders that left the listing are asked for one by one, executions and
payments are read on from the newest seen, with an overlap. Refuses to book payments from before the desk's books began.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_bot.brokers.alpaca import activities, wire
from trading_bot.brokers.alpaca.coins import is_purchase, less_fees, unfitting
from trading_bot.brokers.alpaca.connection import Connection, rows, understood
from trading_bot.brokers.alpaca.story import Story
from trading_bot.brokers.alpaca.wire import Raw
from trading_bot.domain.errors import OrderNotFoundError
from trading_bot.domain.events import CashReason
from trading_bot.domain.orders import Fill
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol, divided

ORDERS_PAGE = 500
ACTIVITIES_PAGE = 100
OVERLAP = timedelta(minutes=10)
"""Activities are read again so far back: some appear late, and out of order."""
START_OVERLAP = timedelta(days=1)
"""The same after a start, and for orders after a lost connection too."""
OPENING = "opening-balance"
_TRIES = 5
_MOST_PUT_OFF = 1
_TOGETHER = timedelta(seconds=1)
"""An order and its legs are made within so long."""
_MILLISECOND = timedelta(milliseconds=1)


class Reading:
    """Reads one account into its story. `began`: since when payments count; `newest`: what was booked up to then."""

    def __init__(self, connection: Connection, story: Story, began: datetime, newest: datetime) -> None:
        self._connection = connection
        self._story = story
        self._began = began
        self._newest = newest
        self._overlap = START_OVERLAP
        self._strangers: set[str] = set()
        self._put_off: dict[Symbol, int] = {}
        """How often in a row purchases of a coin did not fit its position."""

    # -- orders ------------------------------------------------------------------------------------------------------

    @understood("reading open orders")
    def open_listing(self) -> tuple[dict[str, Any], ...]:
        """All open orders, flat, each taken in; what works for all we know and is not among them is asked for."""
        found = self._listing("reading open orders", {"status": "open"}, None)
        for raw in found:
            self._story.see(raw)
        for venue_id in self._story.missing_from([raw["id"] for raw in found]):
            self.ask(venue_id)
        self.follow_up()
        return found

    @understood("reading orders")
    def recent(self) -> None:
        """Orders since shortly before the newest thing known, whatever became of them: some may never have been answered."""
        for raw in self._listing("reading orders", {"status": "all", "nested": "true"}, self._newest - START_OVERLAP):
            self._story.see(raw)

    @understood("reading an order")
    def ask(self, venue_id: str) -> dict[str, Any] | None:
        """One order with its legs, by Alpaca's id, taken in; None if there is none."""
        try:
            raw: dict[str, Any] = self._connection.get(f"/orders/{venue_id}", f"reading order {venue_id}", nested="true")
        except OrderNotFoundError:
            self._story.to_ask.pop(venue_id, None)
            return None
        self._story.see(raw)
        self._story.to_ask.pop(venue_id, None)
        return raw

    @understood("asking for an order")
    def ask_for(self, identity: ClientOrderId) -> dict[str, Any] | None:
        """One order with its legs, by the id that its sender gave it, taken in; None if there is none."""
        what = f"asking for {identity}"
        try:
            raw: dict[str, Any] = self._connection.get("/orders:by_client_order_id", what, client_order_id=identity)
        except OrderNotFoundError:
            return None
        if raw.get("order_class") in {None, "", "simple"}:
            self._story.see(raw)
            return raw
        return self.ask(raw["id"])

    @understood("reading what belongs to an order")
    def family(self, raw: Raw) -> dict[str, Any] | None:
        """The order with its legs; for a leg, which does not tell whose it is, the order that it is a leg of. None if there is none."""
        whole, ids = self.ask(raw["id"]), {raw["id"]}
        if whole is None or whole.get("legs"):
            return whole
        while raw.get("replaces") and (before := self.ask(raw["replaces"])) is not None:
            raw = before
            ids.add(raw["id"])
        together = self._listing("reading orders", {"status": "all", "nested": "true"}, wire.moment(raw["created_at"]) - _TOGETHER)
        return next((o for o in together if any(leg["id"] in ids for leg in o.get("legs") or ())), None)

    def follow_up(self) -> None:
        """Ask for what the story wants to know more about, until it wants nothing new."""
        asked: set[str] = set()
        while more := [venue_id for venue_id in self._story.to_ask if venue_id not in asked]:
            for venue_id in more:
                asked.add(venue_id)
                self.ask(venue_id)

    def _listing(self, what: str, wanted: dict[str, str], since: datetime | None) -> tuple[dict[str, Any], ...]:
        """All pages by time of submission. Pages overlap by a moment, since orders may share one."""
        found: dict[str, dict[str, Any]] = {}
        while True:
            page = {**wanted, "limit": str(ORDERS_PAGE), "direction": "asc"}
            if since is not None:
                page["after"] = since.isoformat().replace("+00:00", "Z")
            got = rows(self._connection.get("/orders", what, **page), what)
            new = {raw["id"]: raw for raw in got if raw["id"] not in found}
            found |= new
            self._strangers |= {raw["id"] for raw in new.values() if self._is_strange(raw)}
            if len(got) < ORDERS_PAGE or not new:
                return tuple(raw for raw in found.values() if raw.get("symbol") and raw.get("side"))
            since = wire.moment(got[-1]["submitted_at"]) - _MILLISECOND

    def _is_strange(self, raw: Raw) -> bool:
        """Whether an order is surely somebody else's: no id of ours, no leg, and in the place of no other."""
        ours = self._story.roster.card(raw["client_order_id"]) is not None or self._story.named(raw["id"]) is not None
        return not ours and raw.get("order_class") in {None, "", "simple"} and not raw.get("replaces")

    # -- executions and payments ---------------------------------------------------------------------------------------

    @understood("reading what happened")
    def read(self) -> int:
        """Everything that may have happened; the number of executions that nobody had told before."""
        self.open_listing()
        found, new = self._executions()
        for fill in new:
            self._story.book(fill)
        for raw in found:
            if raw["activity_type"] != activities.FILL and activities.counts(raw, self._began):
                self._pay(raw)
        self._newest, self._overlap = activities.newest(found, self._newest), OVERLAP
        return len(new)

    def _activities(self) -> list[dict[str, Any]]:
        what = "reading account activities"
        waiting = [o.submitted_at for i in self._story.chronicle.incomplete() if (o := self._story.order(i)) is not None]
        since = min([self._newest - self._overlap, *waiting]).isoformat().replace("+00:00", "Z")
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            asked = {"after": since, "direction": "asc", "page_size": str(ACTIVITIES_PAGE), **more}
            page = rows(self._connection.get("/account/activities", what, **asked), what)
            found += page
            if len(page) < ACTIVITIES_PAGE:
                return found
            more = {"page_token": page[-1]["id"]}

    def _fill(self, raw: Raw) -> Fill | None:
        """The execution, if it is of an order of ours; an order never heard of is asked for once."""
        venue_id = raw["order_id"]
        if wire.moment(raw["transaction_time"]) <= self._began:
            return None
        if self._story.named(venue_id) is None and venue_id not in self._strangers:
            self.ask(venue_id)
            if self._story.named(venue_id) is None:
                self._strangers.add(venue_id)
        return self._story.fill_of(raw)

    def _executions(self) -> tuple[list[dict[str, Any]], list[Fill]]:
        """Activities, and the executions among them that nobody had told, purchases of coins less their fees.

        More may be executed between reading activities and positions: then both are read again, and if that does not help, purchases
        wait for a later read, but not for ever: somebody else may have changed the position.
        """
        for _ in range(_TRIES):
            found = self._activities()
            fills = [fill for raw in found if raw["activity_type"] == activities.FILL and (fill := self._fill(raw)) is not None]
            new = [fill for fill in fills if not self._story.chronicle.knows(fill.execution_id)]
            bought = {fill.symbol for fill in new if is_purchase(fill)}
            if not bought:
                return found, new
            before = {symbol: self._story.held(symbol) for symbol in bought}
            after = {symbol: wire.quantity_of(raw) for symbol, raw in self.positions().items()}
            odd = unfitting(new, before, after)
            if not odd:
                break
        self._put_off = {symbol: self._put_off.get(symbol, 0) + 1 for symbol in odd}
        waits = {symbol for symbol, times in self._put_off.items() if times <= _MOST_PUT_OFF}
        return found, less_fees([fill for fill in new if fill.symbol not in waits], before, after)

    def _pay(self, raw: Raw) -> None:
        kind, at = raw["activity_type"], activities.happened_at(raw)
        symbol = wire.symbol_of({"asset_class": "crypto" if kind == "CFEE" else None, **raw}) if raw.get("symbol") else None
        if kind in activities.SPLITS and symbol is not None and not self._story.chronicle.knows(raw["id"]):
            self._split(raw["id"], symbol, at)
        reason = activities.CASH.get(kind, CashReason.OTHER)
        reference = f"{raw['id']}/cash" if kind in activities.SPLITS else raw["id"]
        self._story.chronicle.see_cash(reference, reason, wire.amount(raw, "net_amount"), at, symbol)

    def _split(self, reference: str, symbol: Symbol, at: datetime) -> None:
        """A position has another quantity since: what the venue says it is now."""
        position = self.positions().get(symbol)
        held, after = self._story.held(symbol), ZERO if position is None else wire.quantity_of(position)
        if held and after != held:
            ratio = divided(after, held) if after else Decimal(1)
            self._story.chronicle.see_split(reference, symbol, ratio, after, at)

    @understood("reading positions")
    def positions(self) -> dict[Symbol, Raw]:
        """Open positions by our symbol."""
        what = "reading positions"
        return {wire.symbol_of(raw): raw for raw in rows(self._connection.get("/positions", what), what)}
