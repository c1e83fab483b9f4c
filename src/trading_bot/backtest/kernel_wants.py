"""What a strategy wants, carried out by the sweep kernel: rows of signals become orders at an opening.

Promises the gate's and the intake's answers under the plan's own limits: `risk/rules.py`, `risk/sizing.py` and `brokers/intake.py` on
integers. Refuses, and counts, what they refuse.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.compiled import inner
from trading_bot.backtest.kernel_desk import CLOSE, ENTRY, Desk, begun, standing
from trading_bot.backtest.kernel_math import BUY, at_market, part_down, requirement
from trading_bot.backtest.kernel_orders import take
from trading_bot.backtest.lanes import FAR
from trading_bot.domain.proposals import NOISE_SPREADS

_SPREADS = int(NOISE_SPREADS)
_NUDGE = 1e-6
"""Of a tick: `wanted.ticks_of`."""


class Wants(NamedTuple):
    """Signals of one combination, in the lanes' rows, and where rows are acted on: `lanes.Plot`."""

    act_bar: npt.NDArray[np.int64]
    scale: npt.NDArray[np.float64]
    entry: npt.NDArray[np.int8]
    exit: npt.NDArray[np.int8]
    stop: npt.NDArray[np.float64]
    target: npt.NDArray[np.float64]


@inner
def seek(desk: Desk, wants: Wants, s: int, first: int) -> None:
    """Find the next row, from `first` on, that wants something; of several that are acted on at one opening the newest."""
    book, acts = desk.books[s], wants.act_bar
    row, last = first, desk.lanes.symbols[s].row1
    while True:
        row = _next_row(wants, row, last)
        if row == last:
            book.row, book.row_at, book.row_bar = last, FAR, FAR
            return
        if acts[row] >= 0:
            break
        row += 1
    later = row + 1
    while later < last and acts[later] == acts[row]:
        if wants.entry[later] != 0 or wants.exit[later] != 0:
            row = later
        later += 1
    book.row, book.row_at, book.row_bar = row, desk.lanes.bars[acts[row]].start, acts[row]


@inner
def _next_row(wants: Wants, first: int, last: int) -> int:
    """First row from `first` on with an entry or an exit, `last` without any; eight rows are looked at together."""
    row = first
    while row < last and row % 8:
        if wants.entry[row] != 0 or wants.exit[row] != 0:
            return row
        row += 1
    entries, exits = wants.entry.view(np.int64), wants.exit.view(np.int64)
    word = row // 8
    while word < last // 8 and (entries[word] | exits[word]) == 0:
        word += 1
    row = word * 8
    while row < last and wants.entry[row] == 0 and wants.exit[row] == 0:
        row += 1
    return min(row, last)


@inner
def act(desk: Desk, wants: Wants, at: int) -> None:
    """Carry out the rows of this moment: all exits, then all entries."""
    for s in range(len(desk.books)):
        if desk.books[s].row_at == at and wants.exit[desk.books[s].row]:
            _leave(desk, s, at)
    for s in range(len(desk.books)):
        book, row = desk.books[s], desk.books[s].row
        if book.row_at == at and wants.entry[row] != 0 and book.lots == 0 and book.left[ENTRY] == 0:
            side, tick = 1 if wants.entry[row] > 0 else -1, desk.lanes.symbols[s].tick
            stop = _ticks(wants.stop[row] / wants.scale[row], tick, side == BUY)
            target = _ticks(wants.target[row] / wants.scale[row], tick, side != BUY)
            _enter(desk, s, at, side, stop, target)


@inner
def _ticks(price: float, tick: float, down: bool) -> int:  # noqa: FBT001 - a direction
    """`wanted.ticks_of`: a price as traded in ticks, 0 for none."""
    rounded = np.floor(price / tick + _NUDGE) if down else np.ceil(price / tick - _NUDGE)
    return np.int64(rounded) if np.isfinite(rounded) and rounded > 0 else np.int64(0)  # type: ignore[return-value]  # an int to numba


@inner
def _leave(desk: Desk, s: int, at: int) -> None:
    """Cancel what is left of an entry, and close at the market what is held and not being closed."""
    book = desk.books[s]
    book.left[ENTRY] = 0
    if book.lots == 0 or book.left[CLOSE] > 0:
        desk.account[0].no_close += book.lots != 0
        return
    bar = desk.lanes.bars[begun(desk, s, at)]
    desk.account[0].orders += 1
    book.left[CLOSE], book.bar[CLOSE], book.close_until = abs(book.lots), -1, bar.expires
    take(desk, s, CLOSE, bar.open_bid, bar.open_ask, at)


@inner
def _enter(desk: Desk, s: int, at: int, side: int, stop: int, target: int) -> None:  # noqa: PLR0913, PLR0917 - what is wanted
    """Judge, size and send an entry as the gate and the venue's intake do."""
    bar, symbol, account = desk.lanes.bars[begun(desk, s, at)], desk.lanes.symbols[s], desk.account[0]
    price = bar.open_ask if side == BUY else bar.open_bid
    stop = stop if stop > 0 or side != BUY else part_down(price, symbol.long_end_numerator, symbol.long_end_denominator) + 1
    distance = (price - stop) * side
    if distance <= 0 or (stop == 0 and side != BUY) or (target > 0 and (target - price) * side <= 0):
        return
    twice, available = standing(desk, at)
    if _is_refused(desk, s, bar, side, price, distance, twice):
        return
    lots = _size(desk, s, side, price * symbol.worth, distance * symbol.worth, twice, available)
    if lots * price * symbol.worth < symbol.least:
        account.no_size += 1
        return
    book, reserve = desk.books[s], at_market(desk.lanes.costs[0], side, bar.open_bid, bar.open_ask)
    value = lots * reserve * symbol.worth
    if value < symbol.least_sent or requirement(symbol, side, value) > available:
        account.not_taken += 1
        return
    account.orders += 1
    book.side, book.stop, book.target, book.reserve = side, stop, target, reserve
    book.left[ENTRY], book.bar[ENTRY], book.entry_until = lots, -1, bar.expires
    take(desk, s, ENTRY, bar.open_bid, bar.open_ask, at)


@inner
def _is_refused(desk: Desk, s: int, bar: Any, side: int, price: int, distance: int, twice: int) -> bool:  # noqa: ANN401, PLR0913, PLR0917 - what the gate looks at; a record of BAR
    """The gate's rules that no limit turns off; each that speaks is counted."""
    account = desk.account[0]
    near = distance < max(_SPREADS * (bar.open_ask - bar.open_bid), 1)
    unborrowed = side != BUY and not desk.lanes.symbols[s].shortable
    late = _is_late(desk.lanes.symbols[s], side, price, price - side * distance)
    pattern = account.day_trades[0] >= bar.window and twice < 2 * desk.lanes.costs[0].pattern_equity
    account.no_stop += near
    account.no_room += late
    account.no_short += unborrowed
    account.no_day_trade += pattern
    return bool(near or late or unborrowed or pattern)


@inner
def _is_late(symbol: Any, side: int, price: int, stop: int) -> bool:  # noqa: ANN401 - a record of SYMBOL
    """Whether the venue would end the position before it comes to its stop."""
    if side == BUY:
        return bool(symbol.long_end_numerator > 0 and stop * symbol.long_end_denominator <= price * symbol.long_end_numerator)
    return bool(symbol.short_end_numerator > 0 and stop * symbol.short_end_denominator >= price * symbol.short_end_numerator)


@inner
def _size(desk: Desk, s: int, side: int, value: int, loss: int, twice: int, available: int) -> int:  # noqa: PLR0913, PLR0917 - what a size depends on
    """`sizing.size`: the least of a share of equity, of usable buying power, and of what may be lost. `value`, `loss`: quanta of a lot."""
    costs, symbol, equity, usable = desk.lanes.costs[0], desk.lanes.symbols[s], max(twice, 0), max(available, 0)
    lots = part_down(equity, costs.share_numerator, costs.share_denominator) // (2 * value)
    if side == BUY:
        power = part_down(usable, symbol.long_power_numerator, symbol.long_power_denominator)
    else:
        power = part_down(usable, symbol.short_power_numerator, symbol.short_power_denominator)
    lots = min(lots, power // value)
    if costs.risk_numerator > 0:
        lots = min(lots, part_down(equity, costs.risk_numerator, costs.risk_denominator) // (2 * loss))
    return lots
