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
from trading_bot.backtest import kernel_desk, kernel_marks, kernel_math, kernel_orders, kernel_wants
from trading_bot.backtest.compiled import apart, compiled, inner, refresh
from trading_bot.backtest.kernel_desk import CLOSE, ENTRY, Desk, next_bar, quote
from trading_bot.backtest.kernel_marks import Ends, Marks, begin, mark
from trading_bot.backtest.kernel_math import part_down, part_even, part_up, split_price
from trading_bot.backtest.kernel_orders import trade_at_open, trade_inside, write
from trading_bot.backtest.kernel_wants import Wants, act, seek
from trading_bot.backtest.lanes import FAR, SPLIT, Lanes, Plot
from trading_bot.brokers.units import DAY

Integers = npt.NDArray[np.int64]
SPLIT_ROLE = -1


class Asked(NamedTuple):
    """Signals of several combinations: rows of the lanes' padded length."""

    entry: npt.NDArray[np.int8]
    exit: npt.NDArray[np.int8]
    stop: npt.NDArray[np.float64]
    target: npt.NDArray[np.float64]


@compiled
def run(lanes: Lanes, plot: Plot, asked: Asked, books: npt.NDArray[Any], accounts: npt.NDArray[Any], marks: Marks, log: Integers) -> None:  # noqa: PLR0913, PLR0917 - what goes in and what comes out
    """Run every combination of `asked`. `books` are scratch, one for each symbol; `log` takes the fills of the last combination."""
    for n in range(len(asked.entry)):
        desk = Desk(lanes, books, accounts[n : n + 1], log)
        wants = Wants(plot.act_bar, plot.scale, asked.entry[n], asked.exit[n], asked.stop[n], asked.target[n])
        _run(desk, wants, Ends(plot.close_at, plot.marks, marks.equity[n % len(marks.equity)], marks.exposure[n], marks.tallies[n]))


@inner
def _run(desk: Desk, wants: Wants, ends: Ends) -> None:
    _begin(desk, wants)
    begin(ends.tally, 2 * desk.account[0].cash)
    last, done = ends.close_at[-1], 0
    while True:
        at = _next_moment(desk)
        done = mark(desk, ends, done, at - 1)
        if at > last:
            return
        _happen(desk, at)
        done = mark(desk, ends, done, at)
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


@apart
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


refresh(run, [module.__file__ for module in (kernel_desk, kernel_marks, kernel_math, kernel_orders, kernel_wants, _compiled)] + [__file__])
