"""What the desk remembers while it runs, rebuilt from the journal at every start: books, trades, sends, equity marks.

Promises that a ledger built from the journal equals the one that was kept in memory up to the last durable row.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile

from trading_bot.domain.books import Books
from trading_bot.domain.events import BookedEvent, BrokerEvent, OrderUpdate, SplitUpdate
from trading_bot.domain.orders import OrderIntent, OrderRole, OrderType
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.records import CLOSE, DeskState, DeskStateChange, EquityPoint, Send, SendOutcome, StrategySuspension
from trading_bot.domain.trades import RoundTrip, TradeLedger
from trading_bot.domain.values import ZERO, ClientOrderId, ProposalId, Symbol
from trading_bot.ports import Journal

_TOLD_WITHIN = timedelta(seconds=5)
"""A venue that has acknowledged an order tells of it, or shows it to who asks, within so long; else it was lost there."""


class Ledger:
    """Books and history of one desk."""

    def __init__(self, journal: Journal) -> None:
        self.books = Books()
        self.trades = TradeLedger()
        self.pending: dict[ClientOrderId, OrderIntent] = {}
        """Intents without a definite end of their sending."""
        self._untold: dict[ClientOrderId, datetime] = {}
        """Orders that the venue has acknowledged and not told of, and since when."""
        self._told: set[ClientOrderId] = set()
        self.intents: list[OrderIntent] = []
        self.suspended: dict[str, datetime] = {}
        """Suspended strategies, and since when."""
        self.events: list[BrokerEvent] = []
        """Everything that the venue told, in its order."""
        self.deposit = ZERO
        """Cash that the desk began with."""
        self.equity_high = ZERO
        self.equity_last_close = ZERO
        self.equity_newest = ZERO
        self._lifted: dict[str, datetime] = {}
        self._resumed_at: datetime | None = None
        self._strategies: dict[ProposalId, str] = {}
        self._intent_of: dict[ClientOrderId, OrderIntent] = {}
        self._entry_of: dict[Symbol, OrderIntent] = {}
        self._split_at: dict[Symbol, datetime] = {}
        self._group_of: dict[ClientOrderId, ClientOrderId] = {}
        self.ids: set[ClientOrderId] = set()
        """Ids of all orders and legs that the desk ever meant to send."""
        self._load(journal)

    def _load(self, journal: Journal) -> None:
        for proposal in journal.all(Proposal):
            self.note_proposal(proposal)
        self.note_intents(journal.all(OrderIntent))
        for send in journal.all(Send):
            self.note_send(send)
        self.note_events(row.event for row in journal.all(BookedEvent))
        for suspension in journal.all(StrategySuspension):
            self.note_suspension(suspension)
        resumes = [c for c in journal.all(DeskStateChange) if c.state is DeskState.RUNNING]
        marks: list[EquityPoint | DeskStateChange] = sorted([*journal.all(EquityPoint), *resumes], key=lambda record: record.at)
        for mark in marks:
            if isinstance(mark, EquityPoint):
                self.note_equity(mark)
            else:
                self.note_resume(mark.at)

    def note_proposal(self, proposal: Proposal) -> None:
        """Remember whose strategy a proposal is."""
        self._strategies[proposal.id] = proposal.strategy

    def note_intents(self, intents: Iterable[OrderIntent]) -> None:
        """Take in intents that have just become durable."""
        for intent in intents:
            identity = intent.order.spec.client_order_id
            if identity not in self._intent_of:
                self._intent_of[identity] = self.pending[identity] = intent
                self.intents.append(intent)
                self._note_spec(intent)

    def _note_spec(self, intent: OrderIntent) -> None:
        spec, replaced = intent.order.spec, intent.order.replaces
        legs = [leg.client_order_id for leg in (spec.stop_loss, spec.take_profit) if leg is not None]
        self.ids.update({spec.client_order_id, *legs})
        root = spec.client_order_id if replaced is None else self.group(replaced)
        self._group_of.update(dict.fromkeys((spec.client_order_id, *legs), root))
        if spec.role is OrderRole.ENTRY:
            self._entry_of[spec.symbol] = intent

    def group(self, client_order_id: ClientOrderId) -> ClientOrderId:
        """The order whose pair or bracket this one belongs to, itself or in the place of another: canceling one ends the others."""
        return self._group_of.get(client_order_id, client_order_id)

    def newest_entry(self, symbol: Symbol) -> OrderIntent | None:
        """The newest order that was meant to open a position in `symbol`."""
        return self._entry_of.get(symbol)

    def split_since(self, symbol: Symbol, moment: datetime) -> bool:
        """Whether `symbol` was split after `moment` while it was held."""
        return symbol in self._split_at and self._split_at[symbol] > moment

    @property
    def traded(self) -> frozenset[Symbol]:
        """Symbols that the desk ever meant to open."""
        return frozenset(self._entry_of)

    def note_send(self, send: Send) -> None:
        """Take in the end of a sending."""
        self.pending.pop(send.client_order_id, None)
        if send.outcome is SendOutcome.ACKNOWLEDGED and send.client_order_id not in self._told:
            self._untold[send.client_order_id] = send.at

    def on_the_way(self, now: datetime) -> list[OrderIntent]:
        """Intents that may be at the venue, and are not in the books yet: what is counted in neither would be sent twice."""
        told_soon = (self._intent_of[i] for i, at in self._untold.items() if now - at < _TOLD_WITHIN and i in self._intent_of)
        return [*(i for identity, i in self.pending.items() if identity not in self._told), *told_soon]

    def vanished(self, identity: ClientOrderId, now: datetime) -> bool:
        """Whether the venue acknowledged an order and never told of it."""
        return identity in self._untold and now - self._untold[identity] >= _TOLD_WITHIN

    def leaving(self, symbol: Symbol, now: datetime) -> Decimal:
        """Quantity of `symbol` that exits at the market will close which are not in the books yet."""
        specs = (intent.order.spec for intent in self.on_the_way(now))
        return sum((s.quantity for s in specs if s.symbol == symbol and not s.role.adds_risk and s.type is OrderType.MARKET), ZERO)

    def note_events(self, events: Iterable[BrokerEvent]) -> None:
        """Take in broker events, in the venue's order."""
        for event in events:
            first = self.books.sequence == 0
            self.books = self.books.apply(event)
            self.trades.add(event)
            self.events.append(event)
            if isinstance(event, OrderUpdate):
                self._told.add(event.order.client_order_id)
                self._untold.pop(event.order.client_order_id, None)
            if isinstance(event, SplitUpdate):
                self._split_at[event.symbol] = event.at
            if first:
                self.deposit = self.equity_high = self.equity_last_close = self.equity_newest = self.books.cash

    def note_equity(self, point: EquityPoint) -> None:
        """Take in an equity mark."""
        self.equity_high = point.equity if point.at == self._resumed_at else max(self.equity_high, point.equity)
        self.equity_newest = point.equity
        if point.label == CLOSE:
            self.equity_last_close = point.equity

    def note_suspension(self, suspension: StrategySuspension) -> None:
        """Take in a strategy's suspension or return."""
        if suspension.suspended:
            self.suspended[suspension.strategy] = suspension.at
        else:
            self.suspended.pop(suspension.strategy, None)
            self._lifted[suspension.strategy] = suspension.at

    def note_resume(self, at: datetime) -> None:
        """A person let the desk go on: drawdown counts from the equity of that moment, in whatever order the two are told."""
        self._resumed_at = at
        self.equity_high = self.equity_newest

    def trades_at_stake(self) -> Iterable[tuple[str, RoundTrip]]:
        """Strategy and closed trade, oldest first, without those from before a strategy's last suspension ended."""
        named = ((self.strategy_of(trade), trade) for trade in self.trades.closed)
        return [(s, t) for s, t in named if s not in self._lifted or t.closed_at > self._lifted[s]]

    def entries_since(self, moment: datetime) -> int:
        """Number of proposals that were entered at or after `moment`."""
        return len({i.order.proposal_id for i in self._since(moment) if i.order.spec.role is OrderRole.ENTRY})

    def orders_since(self, moment: datetime) -> int:
        """Number of orders sent at or after `moment`."""
        return sum(1 for _ in self._since(moment))

    def _since(self, moment: datetime) -> Iterable[OrderIntent]:
        for intent in reversed(self.intents):
            if intent.at < moment:
                return
            yield intent

    def day_trades_since(self, moment: datetime) -> int:
        """Trades opened and closed on one day, closed at or after `moment`."""
        recent = takewhile(lambda t: t.closed_at >= moment, reversed(self.trades.closed))
        return sum(1 for t in recent if t.opened_at.date() == t.closed_at.date())

    def strategy_of(self, trade: RoundTrip) -> str:
        """The strategy that opened a trade, or `unknown`."""
        intent = self._intent_of.get(trade.entry_order)
        return "unknown" if intent is None else self._strategies.get(intent.order.proposal_id, "unknown")

    def pending_entries(self, now: datetime) -> dict[Symbol, tuple[Decimal, Decimal]]:
        """Value and risk of working entries and of entries being sent, by symbol."""
        totals: dict[Symbol, tuple[Decimal, Decimal]] = {}
        for intent, left in self._entries_left(now):
            spec = intent.order.spec
            price = spec.limit_price or spec.stop_price or self._reference(intent)
            risk = abs(price - spec.stop_loss.price) if spec.stop_loss is not None else price
            value, at_risk = totals.get(spec.symbol, (ZERO, ZERO))
            totals[spec.symbol] = (value + price * left, at_risk + risk * left)
        return totals

    def _entries_left(self, now: datetime) -> Iterable[tuple[OrderIntent, Decimal]]:
        for intent in self.on_the_way(now):
            if intent.order.spec.role is OrderRole.ENTRY:
                yield intent, intent.order.spec.quantity
        for order in self.books.working_orders():
            intent_ = self._intent_of.get(order.client_order_id)
            if order.role is OrderRole.ENTRY and intent_ is not None:
                yield intent_, order.remaining

    def _reference(self, intent: OrderIntent) -> Decimal:
        """A price for a market entry: its nearest bound, the take profit, or else the stop."""
        legs = (intent.order.spec.take_profit, intent.order.spec.stop_loss)
        return next((leg.price for leg in legs if leg is not None), ZERO)
