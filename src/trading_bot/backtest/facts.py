"""The facts of a day or a week, from the desk's own records.

Promises that the same records give the same facts, and that nothing after the period's end is looked at. Refuses to judge:
that is `review`'s.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Self, TypeVar

from trading_bot.backtest.patterns import Behaviour, Group, behaviours, groups
from trading_bot.backtest.statistics import Curve, Performance, TradeStatistics, closes, performance, trade_statistics
from trading_bot.domain.books import Books, Position
from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate, OrderUpdate
from trading_bot.domain.orders import Fill, OrderRole
from trading_bot.domain.proposals import Effect, Proposal, Verdict, VerdictOutcome
from trading_bot.domain.records import EquityPoint
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ZERO, Amount, Finite, NonNegative, Positive, Record, Symbol, UtcTime


@dataclass(frozen=True)
class Material:
    """The records that a review is made from. They may reach further back than the period: patterns use all trades up to its end."""

    start: Decimal
    """Equity before the first of `points`."""
    points: Sequence[EquityPoint]
    trades: Sequence[RoundTrip]
    proposals: Sequence[Proposal]
    verdicts: Sequence[Verdict]
    events: Sequence[BrokerEvent]
    books: Books
    """As of the period's end."""

    def until(self, last: date, zone: tzinfo) -> Self:
        """Without the records after `last`; points by their session, trades by their end, the rest by its time."""
        return self._cut(date.min, last, datetime.min.replace(tzinfo=UTC), _midnight(last + timedelta(days=1), zone))

    def within(self, first: date, last: date, zone: tzinfo) -> Self:
        """The records of the sessions from `first` to `last`, both included; `start` is the last close before them."""
        inside = self._cut(first, last, _midnight(first, zone), _midnight(last + timedelta(days=1), zone))
        earlier = [p for p in closes(self.points) if p.session < first]
        return replace(inside, start=earlier[-1].equity if earlier else self.start)

    def _cut(self, first: date, last: date, begin: datetime, end: datetime) -> Self:
        return replace(
            self,
            points=[p for p in self.points if first <= p.session <= last],
            trades=[t for t in self.trades if begin <= t.closed_at < end],
            proposals=[p for p in self.proposals if begin <= p.at < end],
            verdicts=[v for v in self.verdicts if begin <= v.at < end],
            events=[e for e in self.events if begin <= e.at < end],
        )


class Protection(Record):
    """An open position and the orders that rest to end it."""

    symbol: Symbol
    quantity: Amount
    average_price: NonNegative
    opened_at: UtcTime
    stopped: NonNegative
    """Quantity that resting stops cover."""
    stops: tuple[Positive, ...]
    targets: tuple[Positive, ...]
    protected: bool


class Adherence(Record):
    """What was proposed, and what the gate said to it."""

    proposals: int
    verdicts: int
    outcomes: dict[VerdictOutcome, int]
    vetoes: dict[str, int]
    """Rejections by rule; one verdict may have several."""
    cuts: dict[str, int]
    """Reductions and approvals asked for, by rule."""


class Facts(Record):
    """All that a review judges."""

    first: date
    last: date
    start_equity: Amount
    end_equity: Amount
    performance: Performance
    trades: TradeStatistics
    largest_loss: NonNegative
    drawdown: Finite | None
    """Share by which the last close lies below the highest one so far."""
    income: Amount
    """Dividends, borrow and funding."""
    pattern_trades: int
    """Trades that patterns were sought in, from before the period too."""
    groups: tuple[Group, ...]
    behaviours: tuple[Behaviour, ...]
    adherence: Adherence
    positions: tuple[Protection, ...]


_Name = TypeVar("_Name", bound=str)


def facts(material: Material, first: date, last: date, zone: tzinfo, *, periods_per_year: int = 252) -> Facts:
    """The facts of the sessions from `first` to `last`, both included.

    `zone`: the market's own; its midnights bound the period, its hours and weekdays name the patterns. The period's last close has to
    be among the equity points already: without it there is no return.
    """
    known, inside = material.until(last, zone), material.within(first, last, zone)
    curve = Curve.of(inside.points, inside.start)
    worth = [material.start, *(p.equity for p in closes(known.points))]
    cash = [e.amount for e in inside.events if isinstance(e, CashUpdate) and e.reason is not CashReason.DEPOSIT]
    return Facts(
        first=first,
        last=last,
        start_equity=inside.start,
        end_equity=worth[-1],
        performance=performance(curve, inside.trades, fills(inside.events), periods_per_year=periods_per_year),
        trades=trade_statistics(inside.trades),
        largest_loss=max((-t.profit for t in inside.trades if t.profit < 0), default=ZERO),
        drawdown=float(1 - worth[-1] / max(worth)) if curve.sessions else None,
        income=sum(cash, ZERO),
        pattern_trades=len(known.trades),
        groups=groups(known.trades, zone),
        behaviours=behaviours(known.trades),
        adherence=adherence(inside.proposals, inside.verdicts),
        positions=protections(material.books),
    )


def fills(events: Iterable[BrokerEvent]) -> list[Fill]:
    """What was executed, in order."""
    return [e.fill for e in events if isinstance(e, OrderUpdate) and e.fill is not None]


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def adherence(proposals: Sequence[Proposal], verdicts: Sequence[Verdict]) -> Adherence:
    """Count verdicts by outcome, and findings by rule."""
    findings = [f for v in verdicts for f in v.findings]
    return Adherence(
        proposals=len(proposals),
        verdicts=len(verdicts),
        outcomes=_counted(v.outcome for v in verdicts),
        vetoes=_counted(f.rule for f in findings if f.effect is Effect.REJECT),
        cuts=_counted(f.rule for f in findings if f.effect in {Effect.REDUCE, Effect.NEEDS_APPROVAL}),
    )


def _counted(names: Iterable[_Name]) -> dict[_Name, int]:
    """How often each name occurs, the most frequent first, then by name."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def protections(books: Books) -> tuple[Protection, ...]:
    """Every open position with its resting stops and targets, by symbol. Protected means that stops cover all of it."""
    return tuple(_protection(books.positions[symbol], books) for symbol in sorted(books.positions))


def _protection(position: Position, books: Books) -> Protection:
    exits = [o for o in books.working_orders(position.symbol) if o.side is position.side.opposite]
    stops = [o for o in exits if o.role is OrderRole.STOP_LOSS]
    stopped = sum((o.remaining for o in stops), ZERO)
    return Protection(
        symbol=position.symbol,
        quantity=position.quantity,
        average_price=position.average_price,
        opened_at=position.opened_at,
        stopped=stopped,
        stops=tuple(sorted(o.stop_price for o in stops if o.stop_price is not None)),
        targets=tuple(sorted(o.limit_price for o in exits if o.role is OrderRole.TAKE_PROFIT and o.limit_price is not None)),
        protected=stopped >= abs(position.quantity),
    )
