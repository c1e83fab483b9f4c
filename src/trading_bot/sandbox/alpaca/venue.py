"""The life of orders at the emulated Alpaca: accepted, woken, filled, replaced, expired, canceled, and who ends with whom.

Promises Alpaca's links: legs wake when their entry is completely filled and die with one that is not; a pair ends together, whoever ends
it; resting orders do not follow splits. Every change is told on the stream and noted as evidence. Not safe for threads: the server has a
lock.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from trading_bot.brokers.units import moment, stamp
from trading_bot.domain.market import Split
from trading_bot.domain.values import ZERO, Symbol, amount_text
from trading_bot.sandbox.alpaca import rules
from trading_bot.sandbox.alpaca.account import AlpacaAccount, Standing
from trading_bot.sandbox.alpaca.assets import Assets, stable_id
from trading_bot.sandbox.alpaca.intake import Intake
from trading_bot.sandbox.alpaca.orders import AlpacaOrder, missing, text, unprocessable
from trading_bot.sandbox.alpaca.outbox import Outbox
from trading_bot.sandbox.alpaca.records import Records
from trading_bot.sandbox.alpaca.setup import Setup
from trading_bot.sandbox.evidence import Evidence
from trading_bot.sandbox.exchange.book import Exchange
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket, Phase
from trading_bot.sandbox.exchange.tickets import Executed, Happening, Lapsed, Moved, Ticket, Triggered
from trading_bot.sandbox.venue_faults import FaultScript, Rule


class AlpacaVenue:
    """One account and the exchange under it."""

    def __init__(self, market: EmulatedMarket, clock: EmulatedClock, setup: Setup, script: FaultScript, evidence: Evidence) -> None:
        self.market, self.clock, self.setup, self.script, self.evidence = market, clock, setup, script, evidence
        self.exchange = Exchange(market, self._happened, slippage_bps=setup.slippage_bps, participation=setup.participation)
        self.assets = Assets.of({s: market.instrument(s) for s in market.symbols})
        start = clock.now()
        self.account = AlpacaAccount(setup.number, setup.cash, start - timedelta(days=30), setup.multiplier, dict(setup.flags))
        self.account.note("CSD", self.account.created_at, setup.cash, description="deposit")
        self.outbox = Outbox(script, clock)
        self.orders: dict[str, AlpacaOrder] = {}
        self._open: dict[str, AlpacaOrder] = {}
        self._by_client: dict[str, str] = {}
        self.by_hand: set[str] = set()
        """Client order ids of what somebody else placed, for the evidence."""
        self._by_number: dict[int, str] = {}
        self._ending: list[tuple[int, str]] = []
        """Cancels that are pending: when they are done, and of which order."""
        self._actions: dict[Symbol, tuple[datetime, list[tuple[int, Any]]]] = {}
        self._late: dict[str, Rule] = {}
        self._intake = Intake(self)
        self.records = Records(self)
        self.exchange.advance(stamp(start))
        script.begin(start)

    # -- questions -------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The venue's own time: with a clock that is wrong, if a fault says so."""
        skew = self.script.active("clock_skew", self.clock.now())
        return self.clock.now() + timedelta(seconds=skew.seconds if skew else 0)

    def price(self, symbol: Symbol) -> Decimal:
        """Newest middle price; 0 before the first."""
        return self.market.price(symbol, self.clock.nanos()) or ZERO

    def ask(self, symbol: Symbol) -> Decimal:
        """Newest ask; 0 before the first."""
        quote = self.market.quote(symbol, self.clock.nanos())
        return ZERO if quote is None else self.market.units(symbol).price(quote.ask)

    def working(self) -> list[AlpacaOrder]:
        """Orders that can trade: those in the book, held or not."""
        return [o for o in self._open.values() if o.number is not None]

    def find(self, identity: str) -> AlpacaOrder:
        """By the venue's id. 404 if there is none."""
        if identity not in self.orders:
            raise missing(f"order not found for {identity}")
        return self.orders[identity]

    def find_client(self, client_id: str) -> AlpacaOrder:
        """By the client's id. 404 if there is none."""
        if client_id not in self._by_client:
            raise missing(f"order not found for {client_id}")
        return self.orders[self._by_client[client_id]]

    def knows(self, client_id: str | None) -> bool:
        """Whether an order came with this id."""
        return client_id in self._by_client

    def told(self, order: AlpacaOrder, *, nested: bool = True) -> dict[str, Any]:
        """An order as JSON, its legs in it."""
        legs = [self.orders[i].json() for i in order.legs] if nested and order.legs else None
        return order.json(legs)

    def standing(self) -> Standing:
        """How the account stands."""
        entries = [o for o in self.working() if self.account.quantity(o.symbol) * o.sign >= 0]
        needs = [(self.assets.find(o.symbol), o.remaining * (o.limit or o.stop or self.ask(o.symbol))) for o in entries]
        return self.account.standing(self.assets.find, self.price, needs)

    # -- orders ----------------------------------------------------------------------------------------------------------

    def submit(self, body: Mapping[str, Any], faults: tuple[Rule, ...] = ()) -> AlpacaOrder:
        """Take an order. RefusedError if nothing was placed; else the answer shows it before anything happened to it."""
        asked = rules.read(body, self.assets)
        quantity = self._intake.judge(asked)
        order = self._intake.drafted(asked, quantity)
        legs = self._intake.legs(order, asked)
        order = self._save(replace(order, legs=tuple(leg.id for leg in legs)))
        for leg in legs:
            self._save(leg)
        early = next((rule for rule in faults if rule.fault == "fill_before_acceptance"), None)
        if early is not None:
            self._late[order.id] = early
        return order

    def start(self, order: AlpacaOrder, faults: tuple[Rule, ...] = ()) -> None:
        """Let an order work that was taken; legs of a pair work with it."""
        refusal = next((r for r in faults if r.fault == "reject"), None)
        if refusal is not None:
            self._end(order, "rejected", "failed_at")
            return
        order = self._place(order, "new" if self._trades_now(order) else "accepted", quiet=order.id in self._late)
        partial = next((r for r in faults if r.fault == "partial_fill"), None)
        if partial is not None and order.number is not None:
            lot = self.market.units(order.symbol).lot
            part = (order.qty * Decimal(str(partial.fraction)) / lot).to_integral_value(ROUND_DOWN) * lot
            self.exchange.fill_next(order.number, max(part, lot), int(partial.seconds * 10**9))
        if order.order_class == "oco":
            for leg in order.legs:
                self._place(self.orders[leg], "held", quiet=True)
        self.advance()
        self._late.pop(order.id, None)

    def cancel(self, identity: str, faults: tuple[Rule, ...] = ()) -> None:
        """Ask for the end of an order: it is pending until the next turn. 422 if it has ended."""
        order = self.find(identity)
        if order.ended:
            raise unprocessable(f'order is already in "{order.status}" state')
        if order.status == "pending_cancel":
            return
        order = self._save(replace(order, status="pending_cancel"), "pending_cancel")
        late = next((r for r in faults if r.fault == "late_fill_after_cancel"), None)
        if late is not None:
            self._late[order.id] = late
        self._ending.append((self.clock.nanos() + self.setup.cancel_after // timedelta(microseconds=1) * 1000, order.id))

    def replace(self, identity: str, body: Mapping[str, Any]) -> AlpacaOrder:
        """Put a new order in the place of one; links are kept."""
        old = self.find(identity)
        if old.ended or old.status == "pending_cancel":
            raise unprocessable(f'order is already in "{old.status}" state')
        if old.status == "accepted":
            raise unprocessable("unable to replace order, order isn't sent to exchange yet")
        new = self._intake.successor(old, body)
        number = old.number
        if number is not None:
            self.exchange.cancel(number)
        at = self.now()
        self._save(replace(old, status="replaced", replaced_by=new.id, replaced_at=at, number=None), "replaced")
        if old.parent is not None:
            parent = self.orders[old.parent]
            self._save(replace(parent, legs=tuple(new.id if leg == old.id else leg for leg in parent.legs)))
        for leg in old.legs:
            self._save(replace(self.orders[leg], parent=new.id))
        self._save(new)
        if number is not None:
            new = self._place(new, new.status, quiet=False)
        self.advance()
        return new

    # -- life ------------------------------------------------------------------------------------------------------------

    def _trades_now(self, order: AlpacaOrder) -> bool:
        phase = self.market.phase(order.symbol, self.clock.nanos())
        return phase >= (Phase.EXTENDED if order.extended else Phase.REGULAR)

    def _place(self, order: AlpacaOrder, status: str, *, quiet: bool) -> AlpacaOrder:
        """Put an order into the book."""
        ticket = Ticket(
            symbol=order.symbol,
            side=order.sign,
            kind=order.kind,
            quantity=order.remaining,
            limit=order.limit,
            stop=None if order.kind == "trailing_stop" else order.stop,
            trail=order.trail_price,
            trail_percent=order.trail_percent,
            immediate=order.tif in {"ioc", "fok"},
            whole=order.tif == "fok",
            extended=order.extended,
            client_id=order.client_order_id,
        )
        working = self.exchange.place(ticket, self.exchange.clock)
        self._by_number[working.number] = order.id
        units = working.units
        moved = {} if not working.trails else {"stop": units.price(working.stop or 0), "hwm": units.price(working.best or 0)}
        order = replace(order, number=working.number, status=status, **moved)  # type: ignore[arg-type]  # two prices
        return self._save(order, None if quiet else status)

    def _happened(self, happening: Happening) -> None:
        order = self.orders[self._by_number[happening.order.number]]
        units = happening.order.units
        if isinstance(happening, Executed):
            self._filled(order, happening)
        elif isinstance(happening, Moved):
            self._save(replace(order, stop=units.price(happening.order.stop or 0), hwm=units.price(happening.order.best or 0)))
        elif isinstance(happening, Triggered):
            for other in self._partners(order):
                self._end(other, "canceled", "canceled_at")
            if order.status == "held":
                self._save(replace(order, status="new"), "new")
        elif isinstance(happening, Lapsed):
            self._end(replace(order, number=None), "canceled", "canceled_at")

    def _filled(self, order: AlpacaOrder, done: Executed) -> None:
        at = moment(done.at) + (self.now() - self.clock.now())
        total = order.filled + done.quantity
        status = "filled" if total >= order.qty else ("pending_cancel" if order.status == "pending_cancel" else "partially_filled")
        number = None if total >= order.qty else order.number
        value = order.value + done.quantity * done.price
        after = replace(order, filled=total, value=value, status=status, filled_at=at, number=number)
        asset = self.assets.find(order.symbol)
        money, coins = self.account.fill(after, asset, done.quantity, done.price, maker=done.maker)
        execution = stable_id("execution", self.setup.seed, self.account.number, done.execution)
        self._save(after)
        self.records.fill(after, done, execution, at)
        self.records.charge(asset, money, coins, done, at)
        event = "fill" if after.status == "filled" else "partial_fill"
        told = {"execution_id": execution, "price": text(done.price), "qty": text(done.quantity)}
        position = amount_text(self.account.quantity(order.symbol))
        self.outbox.tell(event, after, at, position_qty=position, **told)
        if order.id in self._late and self._late[order.id].fault == "fill_before_acceptance":
            self.outbox.tell("new", replace(order, status="new"), at)
            self._late.pop(order.id)
        self._linked(after)

    def _linked(self, order: AlpacaOrder) -> None:
        """What a fill does to other orders: wake legs, shrink or end the other of a pair."""
        if order.order_class in {"bracket", "oto"} and order.parent is None:
            if order.status == "filled":
                self._wake(order)
            return
        for other in self._partners(order):
            if order.status == "filled":
                self._end(other, "canceled", "canceled_at")
            elif other.number is not None and other.remaining > order.remaining:
                self.exchange.amend(other.number, quantity=other.filled + order.remaining)
                self._save(replace(other, qty=other.filled + order.remaining))

    def _wake(self, entry: AlpacaOrder) -> None:
        """Let the legs of a filled entry work. The stop of a pair stays `held`, and guards all the same."""
        legs = [self.orders[leg] for leg in entry.legs if not self.orders[leg].ended]
        for leg in legs:
            status = "held" if len(legs) > 1 and leg.stop is not None else "new"
            leg = replace(leg, expires_at=self._intake.expiry(self.assets.find(leg.symbol), leg.tif, extended=False))  # noqa: PLW2901 - the same leg
            self._place(leg, status, quiet=status == "held")

    def _partners(self, order: AlpacaOrder) -> list[AlpacaOrder]:
        """The other open exits of its pair."""
        parent = self.orders.get(order.parent or "")
        head = order if parent is None and order.order_class == "oco" else parent
        if head is None or (order.parent is None and order.order_class != "oco"):
            return []
        members = [head, *(self.orders[i] for i in head.legs)] if head.order_class == "oco" else [self.orders[i] for i in head.legs]
        return [m for m in members if m.id != order.id and not m.ended]

    def _end(self, order: AlpacaOrder, status: str, field: str) -> None:
        """Take an order off, and with it the legs that never woke."""
        if order.number is not None:
            self.exchange.cancel(order.number)
        ended: dict[str, Any] = {field: self.now()}
        self._save(replace(order, status=status, number=None, **ended), status)
        if order.order_class in {"bracket", "oto"} and order.parent is None:
            for leg in order.legs:
                if not self.orders[leg].ended and self.orders[leg].number is None:
                    self._end(self.orders[leg], "canceled", "canceled_at")

    def _save(self, order: AlpacaOrder, event: str | None = None) -> AlpacaOrder:
        """Keep an order, note it, and tell of it if `event` says how."""
        order = replace(order, updated_at=self.now())
        self.orders[order.id] = order
        self._by_client[order.client_order_id] = order.id
        self._open.pop(order.id, None)
        if not order.ended:
            self._open[order.id] = order
        amounts = {"quantity": order.qty, "filled": order.filled, "stop": order.stop, "limit": order.limit}
        ids = {"number": order.sequence, "venue_id": order.id, "client_id": order.client_order_id, "parent": order.parent}
        words = {"symbol": order.symbol, "side": order.side, "type": order.type, "status": order.status, "order_class": order.order_class}
        told = {"works": order.number is not None, "reduce_only": False, "by_hand": order.client_order_id in self.by_hand}
        self.evidence.note("order", self.clock.now(), **ids, **words, **amounts, **told)
        if event is not None:
            self.outbox.tell(event, order, order.updated_at)
        return order

    # -- time ------------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Let happen all that happens up to now."""
        now = self.clock.nanos()
        while (at := self._next_deadline(now)) is not None:
            self.exchange.advance(at)
            self._happen(at)
        self.exchange.advance(now)
        for order in [o for o in self._open.values() if o.status == "accepted" and o.number is not None and self._trades_now(o)]:
            self._save(replace(order, status="new"), "new")
        self.outbox.flush()

    def _next_deadline(self, now: int) -> int | None:
        times = [
            stamp(o.expires_at) for o in self._open.values() if o.expires_at is not None and (o.number is not None or o.parent is None)
        ]
        times += [due for due, _ in self._ending]
        times += [at for symbol in list(self.account.held) for at, _ in self._actions_of(symbol)]
        found = min((max(t, self.exchange.clock) for t in times), default=now + 1)
        return found if found <= now else None

    def _actions_of(self, symbol: Symbol) -> list[tuple[int, Any]]:
        """Splits and dividends of `symbol` that have not happened yet."""
        known = self._actions.get(symbol)
        today = self.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        if known is None or known[0] != today:
            ahead = [(stamp(a.ex), a) for a in self.market.actions(symbol) if stamp(a.ex) > self.exchange.clock]
            known = self._actions[symbol] = (today, ahead)
        return known[1]

    def _happen(self, at: int) -> None:
        for due, identity in [e for e in self._ending if e[0] <= at]:
            self._ending.remove((due, identity))
            self._finish_cancel(self.orders[identity])
        for order in [o for o in self._open.values() if o.expires_at is not None and stamp(o.expires_at) <= at]:
            if not self.orders[order.id].ended and (order.number is not None or order.parent is None):
                self._end(self.orders[order.id], "expired", "expired_at")
        for symbol in list(self.account.held):
            for due, action in [a for a in self._actions_of(symbol) if a[0] <= at]:
                self._actions[symbol][1].remove((due, action))
                if isinstance(action, Split):
                    self.records.split(symbol, action.ratio)
                else:
                    self.records.dividend(symbol, action.amount)

    def _finish_cancel(self, order: AlpacaOrder) -> None:
        """End an order and its partners: whoever cancels one of a pair cancels both."""
        if order.ended:
            return
        late = self._late.pop(order.id, None)
        if late is not None and order.number is not None:
            lot = self.market.units(order.symbol).lot
            part = (order.remaining * Decimal(str(late.fraction)) / lot).to_integral_value(ROUND_DOWN) * lot
            with self.outbox.later():
                self.exchange.execute(order.number, max(part, lot), self.exchange.clock)
            order = self.orders[order.id]
        if not order.ended:
            for other in self._partners(order):
                self._end(other, "canceled", "canceled_at")
            self._end(order, "canceled", "canceled_at")
        self.outbox.flush(late=True)
