"""What the sweep kernel keeps of one run: a record for each symbol, one for the account, and what both are worth by the newest quotes.

Promises the venue's integers: `brokers/state.py`, `tape.py` and `margin.py` on int64 records. Refuses nothing.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.compiled import apart, inner
from trading_bot.backtest.kernel_math import BUY, requirement, split_price
from trading_bot.backtest.lanes import BLOCK, FAR, Lanes

ENTRY, STOP, TARGET, CLOSE = 0, 1, 2, 3
Integers = npt.NDArray[np.int64]
Records = npt.NDArray[Any]

BOOK = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("lots", "side", "seen", "bar_at", "row", "row_at", "row_bar", "due_at", "action"),
            *("opened", "entered", "exited", "fees", "cost", "end"),
            *("reserve", "entry_until", "close_until", "stop", "hit", "target", "target_from"),
        )
    ]
    + [(name, np.int64, 4) for name in ("left", "bar", "used")]
)
"""One symbol. `lots` held (a short's below 0), on `side`; `seen`: newest bar that was looked at. Next moments of bars, signals, and
expiries or actions: `bar_at`, `row_at`, `due_at`; `row` and `action` are the next of theirs, `row_bar` begins at `row_at`. Of the running
trade: its time, values in and out, fees; of a perpetual its `cost`, held at entry prices, and the tick at which it is ended, 0 for none.
Of the orders: where they stand and when they end; `hit`: whether the stop was touched; of each the lots `left`, the `bar` in
which it last filled, and the lots of that bar that it `used`."""

ACCOUNT = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("clock", "cash", "trades", "wins", "losses", "gained", "lost", "orders", "logged", "broken"),
            *("no_stop", "no_room", "no_short", "no_day_trade", "no_size", "no_close", "not_taken"),
        )
    ]
    + [("day_trades", np.int64, 3)]
)
"""The account of one run; `day_trades`: closes of the newest three; `broken`: whether amounts outgrew 64 bits. Refusals by their reason."""

LOG = 7
"""Columns of the log: time, symbol, order, role, signed lots, price, fee. A split has role -1, its action's number and what is held."""


class Desk(NamedTuple):
    """All that one run works with."""

    lanes: Lanes
    books: Records
    account: Records
    log: Integers


@inner
def begun(desk: Desk, s: int, at: int) -> int:
    """Last bar that began at or before `at`, `bar0 - 1` if none did. Moments never go back."""
    book, bars, last = desk.books[s], desk.lanes.bars, desk.lanes.symbols[s].bar1
    found, step = book.seen, 1
    while found + step < last and bars[found + step].start <= at:
        found += step
        step *= 2
    while step > 1:
        step //= 2
        if found + step < last and bars[found + step].start <= at:
            found += step
    book.seen = found
    return int(found)


@apart
def quote(desk: Desk, s: int, at: int) -> tuple[int, int]:
    """Bid and ask of the newest quote at `at`, in the shares of `at`; 0 before the first."""
    number, symbol, splits = begun(desk, s, at), desk.lanes.symbols[s], desk.lanes.splits
    if number < symbol.bar0:
        return 0, 0
    bar = desk.lanes.bars[number]
    bid, ask, told = bar.open_bid, bar.open_ask, bar.start
    if bar.end <= at:
        bid, ask, told = bar.close_bid, bar.close_ask, bar.end
    for n in range(symbol.split0, symbol.split1):
        if told < splits[n, 0] <= at:
            bid = split_price(bid, splits[n, 1], splits[n, 2])
            ask = split_price(ask, splits[n, 1], splits[n, 2])
    return bid, ask


@apart
def standing(desk: Desk, at: int) -> tuple[int, int]:
    """Twice the equity, and what new positions may still need: `margin.standing`."""
    account, symbols = desk.account[0], desk.lanes.symbols
    twice, equity, needed = 2 * account.cash, account.cash, 0
    for s in range(len(desk.books)):
        book = desk.books[s]
        if book.lots != 0:
            bid, ask = quote(desk, s, at)
            value = book.lots * (bid + ask) * symbols[s].worth
            twice += value
            equity += value // 2
            needed += requirement(symbols[s], book.lots, abs(value // 2))
        if book.left[ENTRY] > 0:
            needed += requirement(symbols[s], book.side, book.left[ENTRY] * book.reserve * symbols[s].worth)
    return twice, equity - needed


@inner
def next_bar(desk: Desk, s: int, after: int) -> int:
    """Start or end, after `after`, of the first bar up to the next row's that can touch a working order; `FAR` without any."""
    book, symbol, bars = desk.books[s], desk.lanes.symbols[s], desk.lanes.bars
    reach, blocks = desk.lanes.reach, desk.lanes.blocks
    low, high = -FAR // 2, FAR // 2
    if book.left[ENTRY] > 0 or book.left[CLOSE] > 0 or (book.left[STOP] > 0 and book.hit):
        low, high = FAR // 2, -FAR // 2
    elif book.left[STOP] == 0 and book.left[TARGET] == 0:
        return FAR
    elif book.side == BUY:
        low, high = max(book.stop, book.end), book.target if book.left[TARGET] > 0 else high
    else:
        low, high = book.target if book.left[TARGET] > 0 else low, min(book.stop, book.end) if book.end > 0 else book.stop
    number, last = max(begun(desk, s, after), symbol.bar0), min(symbol.bar1, book.row_bar + 1)
    if bars[number].end <= after:
        number += 1
    while number < last and low < reach[number, 0] and reach[number, 1] < high:
        number += 1
        while number % BLOCK == 0 and number < last and low < blocks[number // BLOCK, 0] and blocks[number // BLOCK, 1] < high:
            number += BLOCK
    if number >= last:
        return FAR
    return int(bars[number].start if bars[number].start > after else bars[number].end)
