"""Walk-forward: parameters are chosen on a window of the past and traded on the window after it, again and again.

    |---- train ----|embargo|- test -|
             |---- train ----|embargo|- test -|      rolling; anchored: every train window begins with the first

Promises that a choice and a result use nothing after their window's end: the source is cut off there, so that a strategy that looks
ahead finds nothing. Positions are closed at a window's border, inside a train window too, so that no label reaches over it: nothing is
left to purge, and `embargo` sessions may be left out besides. Each test window begins with the cash that the one before ended with; only
the test windows are joined to the result. Refuses windows that do not fit into the period, with the numbers.

R. Pardo, "The Evaluation and Optimization of Trading Strategies" (2008), chapter 11.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate

import numpy as np

from trading_bot.backtest.benchmark import buy_and_hold
from trading_bot.backtest.event import schedule
from trading_bot.backtest.lanes import Prepared, prepare
from trading_bot.backtest.plan import Cell, Engine, Market, Plan, Result
from trading_bot.backtest.ranking import annual
from trading_bot.backtest.statistics import DAYS_PER_YEAR, Curve, performance
from trading_bot.backtest.strategy import Signals, Strategy
from trading_bot.backtest.vector import run_prepared
from trading_bot.backtest.wanted import Sentiment
from trading_bot.brokers.units import stamp
from trading_bot.domain.errors import ResearchError
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Finite, Record
from trading_bot.market.frame import IndicatorFrame
from trading_bot.sources.clipped import ClippedSource

Choose = Callable[[Prepared, Strategy, int], Cell | None]
"""The best cell of a train window (its number, from 0); None if none has a score: then the window after it is not traded."""
_CENT = Decimal("0.01")
LEAST_TEST = 2
"""Sessions: positions are closed at the opening of a window's last one."""


@dataclass(frozen=True)
class Lengths:
    """How the period is cut, in sessions."""

    train: int
    test: int
    embargo: int = 0
    anchored: bool = False


@dataclass(frozen=True)
class Window:
    """First and last session of what is learned from, and of what is traded after it."""

    train: tuple[date, date]
    test: tuple[date, date]


@dataclass(frozen=True)
class Ground:
    """What is walked over."""

    market: Market
    plan: Plan
    strategy: Strategy
    sentiment: Sentiment | None = None


class Traded(Record):
    """One window: what was chosen, and what became of it. Returns are totals of their windows; `annual_` ones are compound."""

    train_first: date
    train_last: date
    test_first: date
    test_last: date
    values: dict[str, Finite] | None
    """None if no combination had a score: nothing was traded."""
    inside: Finite | None
    inside_sharpe: Finite | None
    outside: Finite
    outside_sharpe: Finite | None
    trades: int
    efficiency: Finite | None
    """Annual return in the test window by that in the train window; None where the latter is not above 0."""


@dataclass(frozen=True)
class WalkForward:
    """The windows, and the result that their tests make together."""

    windows: tuple[Traded, ...]
    result: Result
    efficiency: float | None
    """Mean annual return of the test windows by that of the train windows (Pardo); None where the latter is not above 0."""


def windows(sessions: Sequence[date], lengths: Lengths) -> list[Window]:
    """Cut `sessions`; those after the last whole test window are left out. ResearchError if not one fits."""
    train, test, embargo = lengths.train, lengths.test, lengths.embargo
    if train < LEAST_TEST or test < LEAST_TEST or embargo < 0:
        raise ResearchError(f"windows of {train} and {test} sessions with {embargo} between are too short: {LEAST_TEST} is the least")
    needed = train + embargo + test
    if len(sessions) < needed:
        raise ResearchError(
            f"the period has {len(sessions)} sessions, and --train {train}, --embargo {embargo} and --test {test} need {needed}: "
            "ask for a longer period or shorter windows"
        )
    found = []
    for begin in range(train + embargo, len(sessions) - test + 1, test):
        learned = sessions[0 if lengths.anchored else begin - embargo - train]
        found.append(Window((learned, sessions[begin - embargo - 1]), (sessions[begin], sessions[begin + test - 1])))
    return found


def walk_forward(ground: Ground, lengths: Lengths, choose: Choose, tell: Callable[[int, int], object]) -> WalkForward:
    """Walk over the plan's period. `tell` hears how many windows are done, of how many. ResearchError as for `windows`."""
    market, plan = ground.market, ground.plan
    closes, _ = schedule(market, plan.symbols, plan.first, plan.last)
    cut = windows([session for session, _ in closes], lengths)
    cash, traded, results = market.costs.cash, [], []
    tell(0, len(cut))
    for number, window in enumerate(cut):
        best = choose(*_ready(ground, window.train, cash), number)
        result = _tested(ground, window.test, cash, best)
        cash = max(Decimal(str(round(result.equity[-1], 8))), _CENT)
        traded.append(_traded(window, best, result))
        results.append(result)
        tell(number + 1, len(cut))
    return WalkForward(tuple(traded), _joined(ground, results, traded, _notes(results, traded, len(closes), lengths)), _efficiency(traded))


def _ready(ground: Ground, window: tuple[date, date], cash: Decimal) -> tuple[Prepared, Strategy]:
    """The market of a window as if the world ended with it, without symbols that had no bars yet, and the strategy that is out by then."""
    market, plan = ground.market, ground.plan
    calendars = {market.source.instrument(symbol).calendar for symbol in plan.symbols}
    spans = [[market.calendars(name).hours(day) for day in market.calendars(name).sessions(*window)] for name in calendars]
    end = max(closing for span in spans for _, closing in span)
    # What the last but one daily bar says is acted on at the last session's opening; of a shorter bar, within the last session.
    back = 2 if plan.timeframe is Timeframe.DAY else 1
    leave = min(span[-min(back, len(span))][0] for span in spans if span)
    clipped = replace(market, source=ClippedSource(market.source, end), costs=market.costs.model_copy(update={"cash": cash}))
    listed = tuple(symbol for symbol in plan.symbols if clipped.source.timeframes(symbol))
    if not listed:
        raise ResearchError(f"no symbol has bars by {window[1]}, where a window ends: begin later, with --start")
    ready = prepare(clipped, plan.model_copy(update={"first": window[0], "last": window[1], "symbols": listed}), ground.sentiment)
    return ready, _leaving(ground.strategy, leave)


def _leaving(strategy: Strategy, at: datetime) -> Strategy:
    """`strategy`, which from the bars that begin at `at` on enters nothing and leaves everything."""

    def signals(frame: IndicatorFrame, **values: float) -> Signals:
        said, over = strategy.signals(frame, **values), frame.time.as_unit("ns").asi8 >= stamp(at)
        return replace(said, entry=np.where(over, np.int8(0), said.entry), exit=said.exit | over)

    return replace(strategy, signals=signals)


def _tested(ground: Ground, window: tuple[date, date], cash: Decimal, best: Cell | None) -> Result:
    ready, closed = _ready(ground, window, cash)
    if best is None:
        return run_prepared(ready, replace(closed, signals=_nothing))
    return run_prepared(replace(ready, plan=ready.plan.model_copy(update={"values": best.values})), closed)


def _nothing(frame: IndicatorFrame, **_: float) -> Signals:
    never = np.zeros(len(frame), dtype=bool)
    return Signals.of(frame, entry=never, exit=never)


def _traded(window: Window, best: Cell | None, result: Result) -> Traded:
    outside = result.performance.total_return or 0.0
    return Traded(
        train_first=window.train[0],
        train_last=window.train[1],
        test_first=window.test[0],
        test_last=window.test[1],
        values=None if best is None else best.values,
        inside=None if best is None else best.total_return,
        inside_sharpe=None if best is None else best.sharpe,
        outside=outside,
        outside_sharpe=result.performance.sharpe,
        trades=len(result.trades),
        efficiency=None if best is None else _by(annual(outside, _days(window.test)), annual(best.total_return, _days(window.train))),
    )


def _efficiency(traded: Iterable[Traded]) -> float | None:
    both = [
        (annual(t.outside, _days((t.test_first, t.test_last))), annual(t.inside, _days((t.train_first, t.train_last))))
        for t in traded
        if t.inside is not None
    ]
    known = [(outside, inside) for outside, inside in both if outside is not None and inside is not None]
    return _by(sum(o for o, _ in known) / len(known), sum(i for _, i in known) / len(known)) if known else None


def _by(outside: float | None, inside: float | None) -> float | None:
    return None if outside is None or inside is None or inside <= 0 else outside / inside


def _days(span: tuple[date, date]) -> int:
    return (span[1] - span[0]).days + 1


def _joined(ground: Ground, results: Sequence[Result], traded: Sequence[Traded], notes: tuple[str, ...]) -> Result:
    """The test windows, one after the other. The plan's values are those of the last window that was traded."""
    market, plan, start = ground.market, ground.plan, ground.market.costs.cash
    last = next((t.values for t in reversed(traded) if t.values is not None), plan.values)
    days = tuple(day for r in results for day in r.sessions)
    equity, exposure = (np.array([v for r in results for v in getattr(r, name)]) for name in ("equity", "exposure"))
    curve = Curve(days, equity, exposure, float(start))
    trades = tuple(t for r in results for t in r.trades)
    held = buy_and_hold(market.source, plan.symbols, days[0], days[-1], market.calendars, start).curve
    worth = dict(zip(held.sessions, held.equity.tolist(), strict=True))
    figures = performance(curve, trades, periods_per_year=results[0].periods_per_year)
    return Result(
        engine=Engine.VECTOR,
        plan=plan.model_copy(update={"first": days[0], "last": days[-1], "values": last}),
        start=start,
        sessions=days,
        equity=tuple(equity.tolist()),
        exposure=tuple(exposure.tolist()),
        benchmark=tuple(accumulate(days, lambda before, day: worth.get(day, before), initial=float(start)))[1:],
        periods_per_year=results[0].periods_per_year,
        trades=trades,
        performance=figures.model_copy(update=_costs(results, curve)),
        notes=notes,
    )


def _costs(results: Sequence[Result], curve: Curve) -> dict[str, Decimal | float | None]:
    """Fees, and turnover from what each window traded: its own turnover is that by its mean equity and its share of a year."""
    years = [r.curve.calendar_days / DAYS_PER_YEAR for r in results]
    values = [r.performance.turnover for r in results]
    fees = sum((r.performance.costs for r in results), Decimal(0))
    if any(value is None for value in values):
        return {"costs": fees, "turnover": None}
    sums = sum((v or 0.0) * y * float(np.mean(r.curve.equity)) for v, y, r in zip(values, years, results, strict=True))
    return {"costs": fees, "turnover": sums * DAYS_PER_YEAR / curve.calendar_days / float(np.mean(curve.equity))}


def _notes(results: Sequence[Result], traded: Sequence[Traded], sessions: int, lengths: Lengths) -> tuple[str, ...]:
    used = lengths.train + lengths.embargo + lengths.test * len(traded)
    idle = sum(t.values is None for t in traded)
    held = sum(bool(r.exposure[-1]) for r in results)
    kind = "anchored" if lengths.anchored else "rolling"
    before = "all sessions" if lengths.anchored else f"the {lengths.train} sessions"
    own = [
        f"walk-forward, {kind}: {len(traded)} windows of {lengths.test} sessions, each with what was best in {before} before it",
        "positions are closed at each window's border, and entered again on a new signal alone",
        "the plan's parameters are those of the last window that was traded",
        *([f"{idle} windows were not traded: no combination had a score in their train window"] if idle else []),
        *([f"{held} windows ended with a position that could not be closed; the next one begins with its mark as cash"] if held else []),
        *([f"the last {sessions - used} sessions fill no window and were left out"] if sessions > used else []),
    ]
    return (*own, *dict.fromkeys(note for r in results for note in r.notes))
