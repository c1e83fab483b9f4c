"""A strategy at the desk: the agenda that turns its signals into proposals, bar by bar, for the desk's own session loop.

Promises that every proposal goes through the engine and its gate like an analyst's, that a moment's exits come before its entries and
symbols in order, and that nothing is done where nothing is wanted: an idle bar costs nothing. Refuses to size, and to send.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from trading_bot.backtest.benchmark import buy_and_hold
from trading_bot.backtest.facts import fills
from trading_bot.backtest.plan import Engine as EngineName
from trading_bot.backtest.plan import Market, Plan, Result
from trading_bot.backtest.statistics import Curve, performance
from trading_bot.backtest.wanted import Wanted
from trading_bot.brokers.units import moment, stamp
from trading_bot.domain.instrument import SESSIONS_PER_YEAR, Instrument
from trading_bot.domain.market import PriceBasis
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.perpetual import is_leveraged, liquidation_price
from trading_bot.domain.proposals import Effect, Proposal, ProposalKind, Target, Verdict, VerdictOutcome
from trading_bot.domain.records import CLOSE, EquityPoint
from trading_bot.domain.values import ONE, ZERO, DecisionId, ProposalId, Symbol, derive_id
from trading_bot.execution.engine import Engine
from trading_bot.ports import Clock, Funded, Journal, View

Tell = Callable[[int, int], None]
"""Hears how many moments are done, and of how many."""
ANALYST = "strategy"
_LIFE = timedelta(minutes=1)
"""A proposal is judged at the moment when it is made, or never."""
_MARK = "prices are NOT AS TRADED"
_LONGEST = 365
"""Days of the horizon that a strategy's proposal states: it has none."""


@dataclass(frozen=True)
class Row:
    """One symbol at one moment: what is wanted. Prices in ticks, 0 for none."""

    symbol: Symbol
    entry: int
    exit: bool
    stop: int
    target: int


class _Levels(NamedTuple):
    """Prices of a proposal."""

    entry: Decimal | None = None
    stop: Decimal | None = None
    targets: tuple[Target, ...] = ()


_NOWHERE = _Levels()


@dataclass(frozen=True)
class Desk:
    """What the agenda works with."""

    journal: Journal
    clock: Clock
    view: View
    engine: Engine


class SignalAgenda:
    """What there is to do: rows by moment, and a mark of the account at each session's close.

    `closes`: session and its close (ns), by rising time. `strategy`: name, for the proposals.
    """

    def __init__(self, desk: Desk, strategy: str, wanted: Sequence[Wanted], closes: Sequence[tuple[date, int]], tell: Tell) -> None:
        self._desk = desk
        self._strategy = strategy
        self._rows = _by_moment(wanted)
        self._closes = {at: session for session, at in closes}
        self._moments = sorted({*self._rows, *self._closes})
        self._done = 0
        self._tell = tell

    def next_due(self) -> datetime | None:
        """The next moment at which something is wanted, or a session closes."""
        return moment(self._moments[self._done]) if self._done < len(self._moments) else None

    def run_due(self) -> None:
        """Mark the account, then exits, then entries of this moment."""
        at = self._moments[self._done]
        if at in self._closes:
            self._mark(self._closes[at])
        rows = self._rows.get(at, ())
        for row in rows:
            if row.exit:
                self._leave(row)
        for row in rows:
            if row.entry:
                self._enter(row)
        self._done += 1
        self._tell(self._done, len(self._moments))

    def _leave(self, row: Row) -> None:
        """Take the rest of a working entry off, and close what is held."""
        engine = self._desk.engine
        for order in engine.ledger.books.working_orders(row.symbol):
            if order.role is OrderRole.ENTRY:
                engine.cancel(order.client_order_id)
        position = engine.ledger.books.positions.get(row.symbol)
        if position is not None:
            engine.handle(self._proposal(row, ProposalKind.CLOSE, position.side))

    def _enter(self, row: Row) -> None:
        books, side = self._desk.engine.ledger.books, Side.BUY if row.entry > 0 else Side.SELL
        if row.symbol in books.positions or any(o.role is OrderRole.ENTRY for o in books.working_orders(row.symbol)):
            return
        proposal = self._opening(row, side)
        if proposal is not None:
            self._desk.engine.handle(proposal)

    def _opening(self, row: Row, side: Side) -> Proposal | None:
        """The proposal to open, None where its levels make no sense at this price: the gate would say no."""
        quote = self._desk.view.quote(row.symbol)
        if quote is None or (not row.stop and side is Side.SELL):
            return None
        instrument = self._desk.view.instrument(row.symbol)
        entry = quote.ask if side is Side.BUY else quote.bid
        stop, target = (row.stop or _lowest(instrument, entry)) * instrument.tick_size, row.target * instrument.tick_size
        crossed = (entry - stop) * side.sign <= 0 or (row.target and (target - entry) * side.sign <= 0)
        if crossed:
            return None
        targets = (Target(price=target, fraction=ONE),) if row.target else ()
        return self._proposal(row, ProposalKind.OPEN, side, _Levels(entry, stop, targets))

    def _proposal(self, row: Row, kind: ProposalKind, side: Side, levels: _Levels = _NOWHERE) -> Proposal:
        now = self._desk.clock.now()
        identity = derive_id("strategy", self._strategy, row.symbol, kind, now.isoformat())
        return Proposal(
            at=now,
            id=ProposalId(identity),
            decision_id=DecisionId(identity),
            action=kind,
            symbol=row.symbol,
            side=side,
            strategy=self._strategy,
            entry=levels.entry,
            stop_loss=levels.stop,
            targets=levels.targets,
            exposure=ONE,
            confidence=1.0,
            horizon_days=_LONGEST,
            thesis=f"{self._strategy} gave its signal",
            analyst=ANALYST,
            expires_at=now + _LIFE,
        )

    def _mark(self, session: date) -> None:
        engine, now = self._desk.engine, self._desk.clock.now()
        books, marks = engine.ledger.books, engine.marks()
        point = EquityPoint(
            at=now,
            session=session,
            label=CLOSE,
            equity=books.equity(marks),
            cash=books.cash,
            exposure=sum((abs(p.market_value(marks[s])) for s, p in books.positions.items()), ZERO),
        )
        self._desk.journal.append(point)
        engine.ledger.note_equity(point)


def _lowest(instrument: Instrument, entry: Decimal) -> int:
    """Ticks of the stop of a long that wants none: the last one before a perpetual is liquidated, else the least price there is."""
    end = liquidation_price(Side.BUY, entry, instrument) if is_leveraged(instrument) else None
    return 1 if end is None else int(end // instrument.tick_size) + 1


def _by_moment(wanted: Sequence[Wanted]) -> dict[int, tuple[Row, ...]]:
    """Rows by moment (ns), symbols in order."""
    found: dict[int, list[Row]] = {}
    for one in sorted(wanted, key=lambda w: w.symbol):
        columns = (one.at, one.entry, one.exit, one.stop, one.target)
        for at, entry, leave, stop, target in zip(*(c.tolist() for c in columns), strict=True):
            found.setdefault(at, []).append(Row(one.symbol, entry, leave, stop, target))
    return {at: tuple(rows) for at, rows in found.items()}


def schedule(market: Market, symbols: Sequence[Symbol], first: date, last: date) -> tuple[list[tuple[date, int]], int]:
    """Sessions with their closes (ns) between two days, and how many there are in a year: round the clock if any symbol trades so."""
    names = {market.source.instrument(symbol).calendar for symbol in symbols}
    name = "24/7" if "24/7" in names else "XNYS"
    calendar = market.calendars(name)
    return [(day, stamp(calendar.hours(day)[1])) for day in calendar.sessions(first, last)], SESSIONS_PER_YEAR[name]


def result_of(market: Market, plan: Plan, engine: Engine, journal: Journal) -> Result:
    """What came of a run that has ended: curve, trades, figures, buy and hold beside them."""
    ledger = engine.ledger
    _, periods = schedule(market, plan.symbols, plan.first, plan.last)
    curve = Curve.of(journal.all(EquityPoint), ledger.deposit)
    held = buy_and_hold(market.source, plan.symbols, plan.first, plan.last, market.calendars, ledger.deposit)
    worth = dict(zip(held.curve.sessions, held.curve.equity.tolist(), strict=True))
    return Result(
        engine=EngineName.EVENT,
        plan=plan,
        start=ledger.deposit,
        sessions=curve.sessions,
        equity=tuple(curve.equity.tolist()),
        exposure=tuple(curve.exposure.tolist()),
        benchmark=tuple(along(worth, curve)),
        periods_per_year=periods,
        trades=tuple(ledger.trades.closed),
        performance=performance(curve, ledger.trades.closed, fills(ledger.events), periods_per_year=periods),
        notes=tidied(*_notes(journal.all(Verdict)), *unusual(market, plan), *held.notes),
    )


def along(worth: Mapping[date, float], curve: Curve) -> Iterator[float]:
    """`worth` brought to the sessions of `curve`: what it was at the newest of its own, the curve's start before the first."""
    newest = curve.start
    for session in curve.sessions:
        newest = worth.get(session, newest)
        yield newest


def _notes(verdicts: Sequence[Verdict]) -> Iterator[str]:
    judged = [v for v in verdicts if v.outcome in {VerdictOutcome.REJECTED, VerdictOutcome.NEEDS_APPROVAL}]
    refused = Counter(f.rule for v in judged for f in v.findings if f.effect in {Effect.REJECT, Effect.NEEDS_APPROVAL})
    if refused:
        yield f"the gate refused: {', '.join(f'{rule} {count}' for rule, count in sorted(refused.items()))}"


def unusual(market: Market, plan: Plan) -> Iterator[str]:
    """What a reader has to know of the data, a sentence each."""
    for symbol in plan.symbols:
        series = [market.source.bars(symbol, timeframe) for timeframe in market.source.timeframes(symbol)]
        if any(one.basis is PriceBasis.NOT_AS_TRADED for one in series):
            yield f"{symbol}: {_MARK}"
        if isinstance(market.source, Funded) and market.source.fundings(symbol):
            yield f"{symbol}: funding is paid and received by the run, and not by buy and hold"
        ends = max((one.frame.index[-1].date() for one in series if len(one.ends)), default=plan.first)
        if ends < plan.last - timedelta(days=7):
            yield f"{symbol}: no bars after {ends}; marked at its last price until {plan.last}"
    yield from market.source.notes()


def tidied(*notes: str) -> tuple[str, ...]:
    """`notes` without what is said twice: of prices that are not as traded, the first note is enough."""
    marked = {note.partition(":")[0] for note in notes if note.endswith(_MARK)}
    said = (n for n in notes if n.endswith(_MARK) or not (n.partition(":")[0] in marked and n.endswith("not as traded")))
    return tuple(dict.fromkeys(said))


def moments(first: date, last: date) -> tuple[int, int]:
    """The period in ns: from the first midnight to the end of the last day, UTC."""
    ends = np.array([first, last + timedelta(days=1)], dtype="datetime64[ns]").astype(np.int64)
    return int(ends[0]), int(ends[1])
