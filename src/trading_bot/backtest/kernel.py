"""The sweep kernel: runs a strategy's signals through the paper venue's fill rules, from one moment that matters to the next.

    signals of many combinations -> for each: rows, fills, corporate actions, marks at the closes -> its account

The rules are the venue's (docs/venue.md), the order at one moment too: bars end, day orders expire, borrowed shares are charged,
corporate actions, bars begin, the account is marked, exits, entries. Promises that a bar which can touch nothing costs a comparison.
Supports entries at the market with a stop and at most one target, and exits at the market. Refuses nothing: `lanes` has.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_bot.backtest import compiled as _compiled
from trading_bot.backtest import kernel_desk, kernel_math, kernel_orders, kernel_wants
from trading_bot.backtest.compiled import compiled, inner, refresh
from trading_bot.backtest.kernel_desk import CLOSE, ENTRY, Desk, next_bar, quote
from trading_bot.backtest.kernel_math import part_down, part_even, part_up, split_price
from trading_bot.backtest.kernel_orders import trade_at_open, trade_inside, write
from trading_bot.backtest.kernel_wants import Wants, act, seek
from trading_bot.backtest.lanes import FAR, SPLIT, Lanes, Plot
from trading_bot.brokers.units import DAY

Integers = npt.NDArray[np.int64]
_TOO_LARGE = 2.0**61
SPLIT_ROLE = -1


class Asked(NamedTuple):
    """Signals of several combinations: rows of the lanes' padded length."""

    entry: npt.NDArray[np.int8]
    exit: npt.NDArray[np.int8]
    stop: npt.NDArray[np.float64]
    target: npt.NDArray[np.float64]


class Marks(NamedTuple):
    """Twice the equity, and twice the exposure, in quanta at each close, for each combination. Rows of no length are not reckoned."""

    equity: Integers
    exposure: Integers


class _Ends(NamedTuple):
    """When one combination is marked, at what prices, and where that is written."""

    close_at: Integers
    prices: Integers
    equity: Integers
    exposure: Integers


@compiled
def run(lanes: Lanes, plot: Plot, asked: Asked, books: npt.NDArray[Any], accounts: npt.NDArray[Any], marks: Marks, log: Integers) -> None:  # noqa: PLR0913, PLR0917 - what goes in and what comes out
    """Run every combination of `asked`. `books` are scratch, one for each symbol; `log` takes the fills of the last combination."""
    for n in range(len(asked.entry)):
        desk = Desk(lanes, books, accounts[n : n + 1], log)
        wants = Wants(plot.act_bar, plot.scale, asked.entry[n], asked.exit[n], asked.stop[n], asked.target[n])
        _run(desk, wants, _Ends(plot.close_at, plot.marks, marks.equity[n], marks.exposure[n]))


@inner
def _run(desk: Desk, wants: Wants, ends: _Ends) -> None:
    _begin(desk, wants)
    last, mark = ends.close_at[-1], 0
    while True:
        at = _next_moment(desk)
        mark = _mark(desk, ends, mark, at - 1)
        if at > last:
            return
        _happen(desk, at)
        mark = _mark(desk, ends, mark, at)
        act(desk, wants, at)
        _look_ahead(desk, wants, at)


@inner
def _begin(desk: Desk, wants: Wants) -> None:
    account = desk.account[0]
    account.cash = desk.lanes.costs[0].cash
    account.day_trades[:] = -FAR
    for s in range(len(desk.books)):
        book, symbol = desk.books[s], desk.lanes.symbols[s]
        book.lots, book.side, book.bar_at, book.due_at = 0, 0, FAR, FAR
        book.seen, book.action = symbol.bar0 - 1, symbol.action0
        book.left[:] = 0
        seek(desk, wants, s, symbol.row0)


@inner
def _next_moment(desk: Desk) -> int:
    found, short, last = FAR, False, 0
    for s in range(len(desk.books)):
        book = desk.books[s]
        found = min(found, book.bar_at, book.row_at, book.due_at)
        short = short or book.lots < 0
    if short:
        last = desk.account[0].clock
        found = min(found, (last // DAY + 1) * DAY)
    return found


@inner
def _look_ahead(desk: Desk, wants: Wants, at: int) -> None:
    """Find, for every symbol to which something happened, what comes next."""
    for s in range(len(desk.books)):
        book = desk.books[s]
        if min(book.bar_at, book.row_at, book.due_at) == at:
            book.due_at = _next_due(desk, s, at)
            if book.row_at == at:
                seek(desk, wants, s, book.row + 1)
            book.bar_at = next_bar(desk, s, at)


@inner
def _next_due(desk: Desk, s: int, at: int) -> int:
    """The next expiry or corporate action, while there is something that it could change."""
    book, actions, last, found = desk.books[s], desk.lanes.actions, desk.lanes.symbols[s].action1, FAR
    if book.left[ENTRY] > 0:
        found = min(found, book.entry_until)
    if book.left[CLOSE] > 0:
        found = min(found, book.close_until)
    while book.action < last and actions[book.action, 0] <= at:
        book.action += 1
    return min(found, actions[book.action, 0]) if book.lots != 0 and book.action < last else found


@inner
def _mark(desk: Desk, ends: _Ends, first: int, until: int) -> int:
    """Mark the account at every close from number `first` on up to `until` (ns); return the number of the next."""
    last = first
    while last < len(ends.close_at) and ends.close_at[last] <= until:
        last += 1
    if last == first:
        return first
    account = desk.account[0]
    worth, exposed = ends.equity[first:last], ends.exposure[first:last]
    worth[:] = 2 * account.cash
    size = abs(2.0 * account.cash)
    for s in range(len(desk.books)):
        lots = desk.books[s].lots
        if lots != 0:
            size += abs(float(lots)) * desk.lanes.symbols[s].top
            _add(worth, exposed, ends.prices[s, first:last], lots * desk.lanes.symbols[s].worth)
    if size > _TOO_LARGE:
        account.broken = 1
    return last


@inner
def _add(worth: Integers, exposed: Integers, prices: Integers, lots: int) -> None:
    """Add a position to the account at several closes; `lots` times quanta of a lot at one tick."""
    for n in range(len(prices)):
        worth[n] += lots * prices[n]
    for n in range(len(exposed)):
        exposed[n] += abs(lots) * prices[n]


# -- what happens by itself ----------------------------------------------------------------------------------------------


@inner
def _happen(desk: Desk, at: int) -> None:
    """Everything that the venue does at `at`."""
    desk.account[0].clock = at
    for s in range(len(desk.books)):
        if desk.books[s].bar_at == at:
            trade_inside(desk, s, at)
    for s in range(len(desk.books)):
        _expire(desk.books[s], at)
    if at % DAY == 0:
        _charge_borrow(desk, at)
    for s in range(len(desk.books)):
        _corporate_actions(desk, s, at)
    for s in range(len(desk.books)):
        # A split has moved the orders, which may now be reached.
        if min(desk.books[s].bar_at, desk.books[s].due_at) == at:
            trade_at_open(desk, s, at)


@inner
def _expire(book: Any, at: int) -> None:  # noqa: ANN401 - a record of BOOK
    if at in (book.entry_until, book.close_until):
        book.left[ENTRY] *= book.entry_until != at
        book.left[CLOSE] *= book.close_until != at


@inner
def _charge_borrow(desk: Desk, at: int) -> None:
    for s in range(len(desk.books)):
        book = desk.books[s]
        if book.lots < 0 and desk.lanes.symbols[s].borrowed:
            bid, ask = quote(desk, s, at)
            value = -book.lots * (bid + ask) * desk.lanes.symbols[s].worth
            desk.account[0].cash -= part_up(value, desk.lanes.costs[0].borrow_numerator, desk.lanes.costs[0].borrow_denominator)


@inner
def _corporate_actions(desk: Desk, s: int, at: int) -> None:
    book, actions, last = desk.books[s], desk.lanes.actions, desk.lanes.symbols[s].action1
    while book.action < last and actions[book.action, 0] <= at:
        action = actions[book.action]
        numerator, denominator = action[2], action[3]
        if action[0] == at and book.lots != 0:
            if action[1] == SPLIT:
                _split(desk, s, at, numerator, denominator)
            else:
                desk.account[0].cash += part_even(book.lots, numerator, denominator)
        book.action += 1


@inner
def _split(desk: Desk, s: int, at: int, numerator: int, denominator: int) -> None:
    """`venue.split`: whole lots stay, the fraction of one is paid out; resting orders follow."""
    book, account = desk.books[s], desk.account[0]
    bid, ask = quote(desk, s, at)
    sign, held = (1 if book.lots > 0 else -1), abs(book.lots)
    rest = held % denominator * numerator % denominator
    book.lots = sign * part_down(held, numerator, denominator)
    account.cash += part_even(sign * rest * ((bid + ask) // 2) * desk.lanes.symbols[s].worth, 1, denominator)
    write(desk, at, s, SPLIT_ROLE, book.lots, book.action, 0)
    for n in range(CLOSE + 1):
        book.left[n] = part_down(book.left[n], numerator, denominator)
        if n != ENTRY:
            book.left[n] = min(book.left[n], abs(book.lots))
    book.stop = split_price(book.stop, numerator, denominator)
    book.reserve = split_price(book.reserve, numerator, denominator)
    if book.target > 0:
        book.target = split_price(book.target, numerator, denominator)


refresh(run, [module.__file__ for module in (kernel_desk, kernel_math, kernel_orders, kernel_wants, _compiled)] + [__file__])
