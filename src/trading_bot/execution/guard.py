"""Sees to it that every position is guarded: what is naked gets a stop, or is closed; what a venue cannot keep is watched.

Promises that a position whose entry has ended has live protective quantity as soon as the venue allows, whatever kind of venue it is; that
an entry which fills in part where no stop may rest beside it is ended after two seconds; that stops are renewed before the venue lets them
die and placed anew after a split that they do not follow; and that a venue which refuses is asked again, ever more slowly, and a person is
told. Refuses to enlarge anything: every order comes from the gate, capped at what is held.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.domain.books import Position
from trading_bot.domain.errors import DataError
from trading_bot.domain.orders import Order, OrderIntent, OrderRole, OrderType
from trading_bot.domain.proposals import Proposal, Verdict
from trading_bot.domain.records import DeskState
from trading_bot.domain.traits import Attachment
from trading_bot.domain.values import ZERO, DecisionId, Symbol, derive_id
from trading_bot.execution.apart import Apart
from trading_bot.execution.dispatch import Dispatch
from trading_bot.execution.held import Held, Plan
from trading_bot.execution.judge import Judge, newest_price
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.parts import Parts
from trading_bot.execution.protection import guarding
from trading_bot.risk.gate import Ruling, rule_on_pairs, rule_on_protection, rule_on_reached_target, rule_on_targets
from trading_bot.risk.shapes import jumped, split_targets

PARTIAL_ENTRY = timedelta(seconds=2)
"""A partial fill may be naked for so long where no stop may rest beside its entry."""
_STUCK_ENTRY = timedelta(seconds=15)
"""An entry that cannot be canceled for so long, perhaps since the venue has lost it, holds up its position's stop no longer."""
_IDLE_EXIT = timedelta(seconds=1)
"""An exit may be told so long before or after the fills that it belongs to."""
_RENEW_BEFORE = timedelta(days=10)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(minutes=5)


@dataclass
class _Patience:
    """How often something failed, and when it may be tried again."""

    tries: int = 0
    after: datetime | None = None


class Guard:
    """Looks after positions, each time that something was booked and on every turn of the loop."""

    def __init__(self, parts: Parts, ledger: Ledger, dispatch: Dispatch, judge: Judge) -> None:
        self._parts = parts
        self._ledger = ledger
        self._dispatch = dispatch
        self._judge = judge
        self._since: dict[tuple[Symbol, str], datetime] = {}
        """When a condition of a position was first seen."""
        self._patience: dict[Symbol, _Patience] = {}
        self._too_small: dict[Symbol, Decimal] = {}
        """Positions for which the venue takes no exit, since they are worth too little."""
        self._plans: dict[str, Proposal | None] = {}
        self._unseen: set[Symbol] = set()
        """Held symbols of which the market-data source knows nothing."""

    @property
    def restless(self) -> bool:
        """Whether something is naked or half entered, so that the next look should come soon."""
        return bool(self._since)

    def watch(self) -> None:
        """Look at every position, and do what is needed. What goes wrong with one holds up no other."""
        books = self._ledger.books
        if not books.positions and not books.orders:
            self._since = {}
            return
        in_flight = {i.order.spec.symbol for i in self._ledger.on_the_way(self._parts.clock.now()) if self._is_waited_for(i)}
        working: dict[Symbol, list[Order]] = {}
        for order in books.working_orders():
            working.setdefault(order.symbol, []).append(order)
        apart = Apart()
        for symbol in sorted(books.positions.keys() - in_flight):
            with apart.one(), self._known(symbol):
                self._look_after(self._held(books.positions[symbol], working.get(symbol, [])))
        for symbol in sorted(working.keys() - books.positions.keys() - in_flight):
            with apart.one():
                self._sweep(symbol, working[symbol])
        self._since = {key: at for key, at in self._since.items() if key[0] in books.positions or key[0] in working}
        apart.end()

    @contextmanager
    def _known(self, symbol: Symbol) -> Iterator[None]:
        """A person is told, once, of a position that cannot be looked after, since nobody says what a lot of it is."""
        try:
            yield
            self._unseen.discard(symbol)
        except DataError as error:
            if symbol not in self._unseen:
                self._unseen.add(symbol)
                self._parts.notifier.tell("A position cannot be looked after", f"{symbol}: {error}")

    def _is_waited_for(self, intent: OrderIntent) -> bool:
        """Whether a position is left alone until this is resolved. An entry may stay in doubt for longer than one may be naked."""
        return not intent.order.spec.role.adds_risk or self._parts.clock.now() - intent.at < PARTIAL_ENTRY

    def _held(self, position: Position, working: Sequence[Order]) -> Held:
        plan = self._plan(position.symbol)
        stop = self._ledger.books.stops.get(position.symbol, plan.stop)
        symbol = position.symbol
        return Held(position, self._parts.broker.traits(symbol), working, plan, stop, self._parts.view.instrument(symbol))

    def _plan(self, symbol: Symbol) -> Plan:
        """Stop and targets of the newest entry; none of them after a split, which moved all prices."""
        intent = self._ledger.newest_entry(symbol)
        if intent is None or self._ledger.split_since(symbol, intent.at):
            return Plan(None)
        identity = intent.order.proposal_id
        if identity not in self._plans:
            self._plans[identity] = self._parts.journal.get(Proposal, identity)
        proposal = self._plans[identity]
        return Plan(None) if proposal is None else Plan(proposal.stop_loss, proposal.targets)

    def _look_after(self, held: Held) -> None:
        symbol, traits = held.position.symbol, held.traits
        if self._waits_for_entry(held):
            return
        if self._jumped_over(held):
            self._exit(held)
        elif self._too_small.get(symbol) == held.position.quantity:
            self._since.pop((symbol, "naked"), None)
        elif held.naked > 0:
            if self._lasts(symbol, "naked", traits.exits_told_within):
                self._cure(held)
        else:
            self._since.pop((symbol, "naked"), None)
            self._patience.pop(symbol, None)
            self._improve(held)

    def _waits_for_entry(self, held: Held) -> bool:
        """Whether no stop may rest yet, since the entry still works; one that fills in part is ended."""
        symbol, entries = held.position.symbol, held.orders(OrderRole.ENTRY)
        if not entries or held.traits.stop_beside_entry:
            self._since.pop((symbol, "partial"), None)
            return False
        if self._lasts(symbol, "partial", PARTIAL_ENTRY, held.position.opened_at):
            for entry in entries:
                self._dispatch.cancel(entry.client_order_id)
        return not self._lasts(symbol, "partial", _STUCK_ENTRY, held.position.opened_at)

    def _sweep(self, symbol: Symbol, working: Sequence[Order]) -> None:
        """Take off exits that have nothing left to close, where the venue does not: they would open something."""
        exits = [o for o in working if not o.role.adds_risk]
        if not exits or self._parts.broker.traits(symbol).caps_exits:
            self._since.pop((symbol, "idle"), None)
        elif self._lasts(symbol, "idle", _IDLE_EXIT):
            for order in exits:
                self._dispatch.cancel(order.client_order_id)

    def _lasts(self, symbol: Symbol, what: str, long: timedelta, since: datetime | None = None) -> bool:
        """Whether a condition has lasted for `long`, from its first sight on, or from `since` if the venue's time for it can be true."""
        now = self._parts.clock.now()
        first = since if since is not None and now - long <= since <= now else now
        return now - self._since.setdefault((symbol, what), first) >= long

    # -- what is naked -----------------------------------------------------------------------------------------------

    def _cure(self, held: Held) -> None:
        """Ask for pairs or a stop; if the venue refuses, for a market exit; if that too, tell a person and try again later."""
        symbol, stop = held.position.symbol, held.stop
        patience = self._patience.setdefault(symbol, _Patience())
        now = self._parts.clock.now()
        if patience.after is not None and now < patience.after:
            return
        # Where resting exits hold shares back they are all taken off first, so everything is guarded anew.
        quantity = abs(held.position.quantity) if held.traits.exits_reserve else held.naked
        if patience.tries:
            # Perhaps the venue holds less than the books say. What it does hold is guarded all the same.
            quantity = min(quantity, self._unguarded_at_venue(held))
        if quantity <= 0:
            self._put_off(patience, now)
            return
        ways: list[tuple[str, Callable[[DecisionId], Ruling]]] = [
            ("stop", lambda cause: rule_on_protection(self._judge.exit(symbol), cause, quantity, stop)),
            ("exit", lambda cause: rule_on_protection(self._judge.exit(symbol), cause, quantity, None)),
        ]
        if stop is not None and self._wants_pairs(held, quantity):
            targets = held.plan.targets
            ways.insert(0, ("pairs", lambda cause: rule_on_pairs(self._judge.exit(symbol), cause, quantity, stop, targets)))
        if not any(self._try(symbol, name, patience.tries, make) for name, make in ways):
            self._refused(held, quantity, patience, now)

    def _unguarded_at_venue(self, held: Held) -> Decimal:
        """What the venue itself holds of a position, all of it where exits are placed anew, if not all of it is guarded."""
        position = held.position
        there = next((p for p in self._parts.broker.positions() if p.symbol == position.symbol and p.side is position.side), None)
        whole = ZERO if there is None else abs(there.quantity)
        bare = whole - guarding(position, held.working)
        return whole if bare > 0 and held.traits.exits_reserve else bare

    def _wants_pairs(self, held: Held, quantity: Decimal) -> bool:
        fits = held.traits.pairs and held.traits.one_leg_pair and not (held.traits.whole_lots_rest and quantity % 1)
        return fits and bool(held.plan.targets) and held.position.symbol not in self._ledger.books.paid

    def _try(self, symbol: Symbol, name: str, number: int, make: Callable[[DecisionId], Ruling]) -> bool:
        """Carry out a ruling, once for the same books and try; whether the venue took it, or may have."""
        again = (str(number),) if number else ()
        ruling = make(DecisionId(derive_id("protect", name, symbol, str(self._ledger.books.sequence), *again)))
        if self._parts.journal.get(Verdict, ruling.verdict.id) is None:
            self._dispatch.carry_out(ruling)
        return not all(self._dispatch.failed(order) for order in ruling.orders)

    def _refused(self, held: Held, quantity: Decimal, patience: _Patience, now: datetime) -> None:
        symbol = held.position.symbol
        if self._is_dust(held):
            self._too_small[symbol] = held.position.quantity
            self._parts.notifier.tell("A rest is too small to be sold", f"{held.position.quantity} of {symbol} stays, without a stop")
            return
        reason = f"the venue refuses every exit for {quantity} of {symbol}: look at the position there"
        self._put_off(patience, now)
        if self._parts.switch.state() is DeskState.RUNNING:
            self._parts.switch.reduce_only("engine", reason, now)
            self._parts.notifier.tell("A position has no stop", reason)

    def _is_dust(self, held: Held) -> bool:
        """Whether a position is worth less than the least that its venue trades: what fees and partial fills leave of it."""
        price = newest_price(self._parts.view, held.position.symbol)
        return price is not None and abs(held.position.quantity) * price < held.instrument.minimum_notional

    @staticmethod
    def _put_off(patience: _Patience, now: datetime) -> None:
        patience.tries += 1
        patience.after = now + min(_FIRST_PAUSE * 2**patience.tries, _LONGEST_PAUSE)

    # -- what is guarded, and could be better ------------------------------------------------------------------------

    def _improve(self, held: Held) -> None:
        symbol, position, traits = held.position.symbol, held.position, held.traits
        if not traits.caps_exits and held.oversized:
            # What is canceled here is naked for a moment, and guarded anew at the next look.
            for order in held.orders(OrderRole.STOP_LOSS):
                self._dispatch.cancel(order.client_order_id)
        elif self._is_stale(held):
            quantity, stop = abs(position.quantity), held.stop
            newest = max(o.submitted_at for o in held.working).isoformat()
            self._once("renew", symbol, newest, lambda cause: rule_on_protection(self._judge.exit(symbol), cause, quantity, stop))
        elif held.orders(OrderRole.ENTRY) or held.orders(OrderRole.CLOSE) or held.trails:
            return
        elif not traits.targets_rest:
            self._take_reached_target(held)
        elif held.plan.targets and held.stop is not None and not held.orders(OrderRole.TAKE_PROFIT):
            self._set_targets(held, held.stop)

    def _set_targets(self, held: Held, stop: Decimal) -> None:
        """Put the targets that did not come with the entry: pairs in the place of its lone stop, or limits beside it."""
        symbol, quantity, targets = held.position.symbol, abs(held.position.quantity), held.plan.targets
        if symbol in self._ledger.books.paid:
            return
        since = held.position.opened_at.isoformat()
        if self._wants_pairs(held, quantity):
            self._once("pairs", symbol, since, lambda cause: rule_on_pairs(self._judge.exit(symbol), cause, quantity, stop, targets))
        elif held.traits.attachment is Attachment.POSITION_STOP:
            self._once("targets", symbol, since, lambda cause: rule_on_targets(self._judge.exit(symbol), cause, quantity, targets))

    def _once(self, name: str, symbol: Symbol, of: str, make: Callable[[DecisionId], Ruling]) -> None:
        """Carry out a ruling that is tried once for one state of things."""
        ruling = make(DecisionId(derive_id("guard", name, symbol, of)))
        if ruling.orders and self._parts.journal.get(Verdict, ruling.verdict.id) is None:
            self._dispatch.carry_out(ruling)

    def _is_stale(self, held: Held) -> bool:
        """Whether a resting exit is about to die of age, or is from before a split that it did not follow."""
        exits = [o for o in held.working if not o.role.adds_risk]
        life, now = held.traits.stop_lifetime, self._parts.clock.now()
        old = life is not None and any(now - o.submitted_at >= life - _RENEW_BEFORE for o in exits)
        follows = held.traits.exits_follow_splits
        return old or (not follows and any(self._ledger.split_since(o.symbol, o.submitted_at) for o in exits))

    # -- what the venue cannot keep ----------------------------------------------------------------------------------

    def _jumped_over(self, held: Held) -> bool:
        """Whether the price is beyond the limit of a stop-limit: it may never fill."""
        if held.traits.stop_type is not OrderType.STOP_LIMIT or held.stop is None or held.orders(OrderRole.CLOSE):
            return False
        price = newest_price(self._parts.view, held.position.symbol)
        limit = jumped(held.position.side, held.stop, self._parts.view.instrument(held.position.symbol))
        return price is not None and (price - limit) * held.position.side.sign < 0

    def _exit(self, held: Held) -> None:
        symbol, quantity = held.position.symbol, abs(held.position.quantity)
        patience = self._patience.setdefault(symbol, _Patience())
        now = self._parts.clock.now()
        if patience.after is not None and now < patience.after:
            return
        if not self._try(symbol, "exit", patience.tries, lambda c: rule_on_protection(self._judge.exit(symbol), c, quantity, None)):
            self._refused(held, quantity, patience, now)

    def _take_reached_target(self, held: Held) -> None:
        """Sell at the market what belongs to a target that the price has reached."""
        symbol, price = held.position.symbol, newest_price(self._parts.view, held.position.symbol)
        entered, exited = self._ledger.trades.progress(symbol)
        reach = ZERO
        if price is None or not held.plan.targets:
            return
        for part, target in split_targets(entered, held.plan.targets, self._parts.view.instrument(symbol)):
            reach += part
            if target is None or (price - target.price) * held.position.side.sign < 0:
                return
            if reach > exited:
                quantity = min(reach - exited, abs(held.position.quantity))
                self._once("target", symbol, f"{held.position.opened_at.isoformat()} {target.price}", self._reached(symbol, quantity))
                return

    def _reached(self, symbol: Symbol, quantity: Decimal) -> Callable[[DecisionId], Ruling]:
        return lambda cause: rule_on_reached_target(self._judge.exit(symbol), cause, quantity)
