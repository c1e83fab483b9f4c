"""The vector engine: a strategy's signals through the sweep kernel, one run in full or many combinations as cells.

    prepare once -> signals of each combination -> kernel, in threads that hold no lock -> results or cells

Promises the trades, cash and closes of the event engine under the plan's own limits. Refuses what `lanes.prepare` refuses, signals of
another shape than the frame's (StrategyError), and an account that outgrows 64 bits.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.benchmark import buy_and_hold
from trading_bot.backtest.event import along, tidied, unusual
from trading_bot.backtest.kernel import SPLIT_ROLE, Asked, run
from trading_bot.backtest.kernel_desk import ACCOUNT, BOOK, CLOSE, ENTRY, LOG, STOP, TARGET
from trading_bot.backtest.kernel_marks import TALLY, Marks
from trading_bot.backtest.lanes import Prepared, prepare
from trading_bot.backtest.plan import Cell, Engine, Market, Plan, Result
from trading_bot.backtest.statistics import Curve, performance
from trading_bot.backtest.strategy import Signals, Strategy
from trading_bot.backtest.sweep_figures import Figures
from trading_bot.backtest.wanted import Sentiment
from trading_bot.brokers.tape import Happening
from trading_bot.brokers.units import Units, cash, moment
from trading_bot.domain.errors import StrategyError
from trading_bot.domain.events import SplitUpdate
from trading_bot.domain.market import Split
from trading_bot.domain.orders import Fill, OrderRole, Side
from trading_bot.domain.trades import RoundTrip, TradeLedger
from trading_bot.domain.values import ONE, ClientOrderId, Symbol

Values = Mapping[str, float]
Integers = npt.NDArray[np.int64]
_CHUNK = 128
"""Combinations that one call of the kernel takes: their signals stay in a core's cache."""
_LOG_ROWS = 4096
_ROLES = {ENTRY: OrderRole.ENTRY, STOP: OrderRole.STOP_LOSS, TARGET: OrderRole.TAKE_PROFIT, CLOSE: OrderRole.CLOSE}
_REFUSALS = {
    "no_close": "closable",
    "no_room": "liquidation",
    "no_size": "minimum_size",
    "no_day_trade": "pattern_day_trader",
    "no_short": "short_selling",
    "no_stop": "stop_side",
}


@dataclass(frozen=True, eq=False)
class _Ran:
    """What the kernel gave for some combinations: account records, and marks at each close."""

    accounts: npt.NDArray[Any]
    marks: Marks
    log: Integers


def run_vector(market: Market, plan: Plan, strategy: Strategy, sentiment: Sentiment | None = None) -> Result:
    """Run `strategy` with the plan's values. NoDataError, StrategyError as `prepare`."""
    return run_prepared(prepare(market, plan, sentiment), strategy)


def run_prepared(ready: Prepared, strategy: Strategy) -> Result:
    """The same, on a market that is prepared already."""
    asked = _asked(ready, strategy, [ready.plan.values])
    ran = _run(ready, asked, _LOG_ROWS)
    rows = int(ran.accounts[0]["logged"])
    if rows > _LOG_ROWS:
        ran = _run(ready, asked, rows)
    return _result(ready, ran, ran.log[:rows])


def sweep_cells(ready: Prepared, strategy: Strategy, combos: Sequence[Values], threads: int | None = None) -> list[Cell]:
    """One cell for each of `combos`, in their order. `threads`: default one for each processor that this process may use."""
    return cells(combos, sweep_figures(ready, strategy, combos, threads))


def sweep_figures(ready: Prepared, strategy: Strategy, combos: Sequence[Values], threads: int | None = None) -> Figures:
    """What `sweep_cells` tells, as arrays in the order of `combos`. While this thread makes signals, others run the kernel."""
    kernels = (threads or len(os.sched_getaffinity(0))) - 1
    asked = _in_parts(ready, strategy, combos)
    if not kernels:
        return Figures.joined([_figures(ready, part) for part in asked])
    found, running = list[Figures](), deque[Future[Figures]]()
    with ThreadPoolExecutor(kernels, "sweep") as pool:
        for part in asked:
            # Waiting here is what gives a kernel that is done the interpreter's lock, which it needs to take its next part.
            if len(running) > kernels:
                found.append(running.popleft().result())
            running.append(pool.submit(_figures, ready, part))
        return Figures.joined([*found, *(future.result() for future in running)])


def _in_parts(ready: Prepared, strategy: Strategy, combos: Sequence[Values]) -> Iterator[Asked]:
    blank = np.full((_CHUNK, len(ready.plot.act_bar)), np.nan)
    return (_asked(ready, strategy, combos[n : n + _CHUNK], blank) for n in range(0, len(combos), _CHUNK))


def sweep_equity(ready: Prepared, strategy: Strategy, combos: Sequence[Values]) -> npt.NDArray[np.float64]:
    """Equity at each close as a multiple of the starting cash [sessions x combos]: what overfitting is measured on."""
    parts = [_run(ready, _asked(ready, strategy, combos[n : n + _CHUNK]), 0).marks.equity for n in range(0, len(combos), _CHUNK)]
    return np.concatenate(parts).T / (2 * int(ready.lanes.costs[0]["cash"]))


def cells(combos: Sequence[Values], found: Figures) -> list[Cell]:
    """Cells of combinations and their figures; what is not defined is None there and NaN here."""
    columns = (found.total_return, found.sharpe, found.max_drawdown, found.trades, found.win_rate, found.profit_factor, found.final)
    return [
        Cell.model_construct(
            values=dict(values),
            total_return=total,
            sharpe=_known(sharpe),
            max_drawdown=fall,
            trades=trades,
            win_rate=_known(rate),
            profit_factor=_known(factor),
            final_equity=cash(final) / 2,
        )
        for values, total, sharpe, fall, trades, rate, factor, final in zip(combos, *(c.tolist() for c in columns), strict=True)
    ]


def _known(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - NaN is the one that differs from itself


# -- signals -------------------------------------------------------------------------------------------------------------


def _asked(ready: Prepared, strategy: Strategy, combos: Sequence[Values], blank: npt.NDArray[np.float64] | None = None) -> Asked:
    """Signals of `combos` for every symbol, in the lanes' rows. `blank`: NaN for each of them and each row, which is not written to."""
    size = (len(combos), len(ready.plot.act_bar))
    nothing = np.full(size, np.nan) if blank is None else blank[: len(combos)]
    asked = Asked(np.zeros(size, np.int8), np.zeros(size, np.int8), nothing, nothing)
    for one, first in zip(ready.sheets, ready.lanes.symbols["row0"].tolist(), strict=False):
        shape, blank_row = (len(one.frame),), one.frame.nothing
        rows = slice(first, first + shape[0])
        entries, exits = asked.entry[:, rows], asked.exit[:, rows].view(np.bool_)
        for n, values in enumerate(combos):
            signals = strategy.signals(one.frame, **values)
            entries[n], exits[n] = _checked(strategy.name, signals, shape)
            if signals.stop is not blank_row:
                asked = asked._replace(stop=_written(asked.stop, nothing, n, rows, signals.stop))
            if signals.target is not blank_row:
                asked = asked._replace(target=_written(asked.target, nothing, n, rows, signals.target))
    return asked


def _checked(name: str, signals: Signals, shape: tuple[int]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """Entries and exits. StrategyError for a column of another shape."""
    entry, leave = signals.entry, signals.exit
    if not entry.shape == leave.shape == signals.stop.shape == signals.target.shape == shape:
        columns = (entry, leave, signals.stop, signals.target)
        wrong = next(column.shape for column in columns if column.shape != shape)
        raise StrategyError(f"{name} answers {wrong} to a frame of {shape[0]} rows: return one value for each row")
    return entry, leave


def _written(
    block: npt.NDArray[np.float64], blank: npt.NDArray[np.float64], n: int, rows: slice, column: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """`block` with `column` in its place; a blank one is copied first."""
    own = block.copy() if block is blank else block
    own[n, rows] = column
    return own


def _run(ready: Prepared, asked: Asked, log_rows: int, *, curves: bool = True) -> _Ran:
    """Run the kernel. `curves`: whether the equity of each combination is kept. StrategyError if an account outgrew 64 bits."""
    count, closes = len(asked.entry), len(ready.plot.close_at)
    equity = np.empty((count if curves else 1, closes), np.int64)
    marks = Marks(equity, np.zeros((count, closes if log_rows else 0), np.int64), np.zeros(count, TALLY))
    ran = _Ran(np.zeros(count, ACCOUNT), marks, np.zeros((log_rows, LOG), np.int64))
    run(ready.lanes, ready.plot, asked, np.zeros(len(ready.sheets), BOOK), ran.accounts, ran.marks, ran.log)
    if ran.accounts["broken"].any():
        raise StrategyError("the account grew beyond what 64 bits can hold (11 billion): begin with less cash, or run the event engine")
    return ran


def _figures(ready: Prepared, asked: Asked) -> Figures:
    ran = _run(ready, asked, 0, curves=False)
    start = 2 * int(ready.lanes.costs[0]["cash"])
    return Figures.of(ran.accounts, ran.marks.tallies, start, len(ready.plot.close_at), ready.periods_per_year)


# -- a result ------------------------------------------------------------------------------------------------------------


def _result(ready: Prepared, ran: _Ran, log: Integers) -> Result:
    market, plan = ready.market, ready.plan
    start = market.costs.cash
    equity, exposure = ([float(cash(v) / 2) for v in column[0].tolist()] for column in ran.marks[:2])
    curve = Curve(ready.sessions, np.array(equity), np.array(exposure), float(start))
    held = buy_and_hold(market.source, plan.symbols, plan.first, plan.last, market.calendars, start)
    fills, trades = _told(ready, log)
    return Result(
        engine=Engine.VECTOR,
        plan=plan,
        start=start,
        sessions=ready.sessions,
        equity=tuple(equity),
        exposure=tuple(exposure),
        benchmark=tuple(along(dict(zip(held.curve.sessions, held.curve.equity.tolist(), strict=True)), curve)),
        periods_per_year=ready.periods_per_year,
        trades=tuple(trades),
        performance=performance(curve, trades, fills, periods_per_year=ready.periods_per_year),
        notes=tidied(*_refused(ran.accounts[0]), *unusual(market, plan), *held.notes),
    )


def _refused(account: Any) -> Iterator[str]:  # noqa: ANN401 - a record of ACCOUNT
    counts = [f"{rule} {account[name]}" for name, rule in _REFUSALS.items() if account[name]]
    if counts:
        yield f"the gate refused: {', '.join(counts)}"


def _told(ready: Prepared, log: Integers) -> tuple[list[Fill], list[RoundTrip]]:
    """Fills and round trips of a log, in its order."""
    ledger, fills = TradeLedger(), []
    units = [Units(one.instrument.tick_size, one.instrument.lot_size) for one in ready.sheets]
    for number, row in enumerate(log.tolist(), start=1):
        at, s, _, role, lots, price, _ = row
        if role == SPLIT_ROLE:
            ledger.add(_split(number, moment(at), ready.actions[price], units[s].quantity(lots)))
        else:
            fills.append(_fill(number, row, ready.sheets[s].symbol, units[s]))
            ledger.book(fills[-1])
    return fills, ledger.closed


def _split(number: int, at: datetime, action: Happening, after: Decimal) -> SplitUpdate:
    ratio = action.ratio if isinstance(action, Split) else ONE
    return SplitUpdate(sequence=number, at=at, symbol=action.symbol, ratio=ratio, quantity_after=after)


def _fill(number: int, row: Sequence[int], symbol: Symbol, units: Units) -> Fill:
    at, _, order, role, lots, price, charge = row
    return Fill.model_construct(
        execution_id=f"e{number:08d}",
        client_order_id=ClientOrderId(f"vector-{order}"),
        symbol=symbol,
        side=Side.BUY if lots > 0 else Side.SELL,
        role=_ROLES[role],
        quantity=units.quantity(abs(lots)),
        price=units.price(price),
        fee=cash(charge),
        at=moment(at),
    )
