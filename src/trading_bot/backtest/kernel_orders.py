"""Orders and fills of the sweep kernel: what `brokers/venue.py`, `timeline.py` and `intake.py` do to one symbol, on int64 records.

A symbol has at most four working orders: an entry at the market with its stop and its target, and a close at the market. Legs
wake with the entry's first fill, which comes when it is sent: so they need no sleep. Promises the venue's fills in the venue's order.
"""

from typing import Any

from trading_bot.backtest.compiled import apart, inner
from trading_bot.backtest.kernel_desk import CLOSE, ENTRY, STOP, TARGET, Desk, begun, standing
from trading_bot.backtest.kernel_math import BUY, allowance, at_market, fee, liquidation, part_down, requirement, stopped_inside
from trading_bot.brokers.units import DAY

_MANY = 2**31
"""More lots than this, multiplied by each other, may not fit into 64 bits."""

# -- fills ---------------------------------------------------------------------------------------------------------------


@apart
def fill(desk: Desk, s: int, which: int, lots: int, price: int, at: int, bar: int, maker: bool) -> None:  # noqa: FBT001, PLR0913, PLR0917 - what a fill is
    """Execute `lots` of one order: cash, position, its trade, the other orders."""
    book, account = desk.books[s], desk.account[0]
    side = book.side if which == ENTRY else -book.side
    value = lots * price * desk.lanes.symbols[s].worth
    charge = _charge(desk, s, side, lots, value, at, maker)
    account.cash -= side * value + charge
    book.used[which] = lots + (book.used[which] if book.bar[which] == bar else 0)
    book.bar[which] = bar
    book.left[which] -= lots
    write(desk, at, s, which, side * lots, price, charge)
    if book.lots == 0:
        book.opened, book.entered, book.exited, book.fees, book.cost = at, 0, 0, 0, 0
    book.lots += side * lots
    _carry(desk, s, lots, value, which == ENTRY)
    book.fees += charge
    if which == ENTRY:
        book.entered += value
        _grow(book, lots, at)
    else:
        book.exited += value
        _shrink(book, which, lots)
        if book.lots == 0:
            _end_trade(desk, s, at)


@inner
def _carry(desk: Desk, s: int, lots: int, value: int, adds: bool) -> None:  # noqa: FBT001 - a fill's own words
    """What a perpetual is held at after a fill, and where the venue would end it."""
    book, symbol = desk.books[s], desk.lanes.symbols[s]
    book.end = 0
    if symbol.borrowed or book.lots == 0:
        return
    held = abs(book.lots)
    if adds:
        book.cost += value
    else:
        desk.account[0].broken |= held + lots > _MANY
        book.cost = part_down(book.cost, held, held + lots)
    book.end = liquidation(symbol, book.lots, book.cost)


@apart
def liquidate(desk: Desk, s: int, price: int, at: int) -> None:
    """`venue.liquidate`: the whole position at `price`, by an order of the venue's own."""
    book = desk.books[s]
    book.left[ENTRY], book.left[CLOSE] = 0, abs(book.lots)
    desk.account[0].orders += 1
    fill(desk, s, CLOSE, abs(book.lots), price, at, -1, False)  # noqa: FBT003 - who is closed is no maker


@inner
def _charge(desk: Desk, s: int, side: int, lots: int, value: int, at: int, maker: bool) -> int:  # noqa: FBT001, PLR0913, PLR0917 - a fill
    """Its fee by the row in force; the first row holds before its day, too."""
    symbol, fees = desk.lanes.symbols[s], desk.lanes.fees
    if symbol.fee0 == symbol.fee1:
        return 0
    row = symbol.fee1 - 1
    while row > symbol.fee0 and fees[row].since > at:
        row -= 1
    return fee(fees[row], side, lots, value, maker)


@inner
def write(desk: Desk, at: int, s: int, role: int, lots: int, price: int, charge: int) -> None:  # noqa: PLR0913, PLR0917 - a row
    """Add a row to the log, if it has room; count it anyway."""
    account, row = desk.account[0], desk.account[0].logged
    if row < len(desk.log):
        line = desk.log[row]
        line[0], line[1], line[2], line[3], line[4], line[5], line[6] = at, s, account.orders, role, lots, price, charge
    account.logged += 1


@inner
def _grow(book: Any, lots: int, at: int) -> None:  # noqa: ANN401 - a record of BOOK
    """Legs wake with the entry's first fill, and grow with each."""
    if book.left[STOP] == 0:
        book.target_from, book.hit = at, 0
        book.bar[STOP] = book.bar[TARGET] = -1
    book.left[STOP] += lots
    if book.target > 0:
        book.left[TARGET] += lots


@inner
def _shrink(book: Any, which: int, lots: int) -> None:  # noqa: ANN401 - a record of BOOK
    """A leg's fill shrinks the other leg and ends the rest of its entry; no exit rests for more than is held."""
    if which != CLOSE:
        book.left[ENTRY] = 0
        other = TARGET if which == STOP else STOP
        book.left[other] = max(book.left[other] - lots, 0)
    for n in range(STOP, CLOSE + 1):
        book.left[n] = min(book.left[n], abs(book.lots))


@inner
def _end_trade(desk: Desk, s: int, at: int) -> None:
    """Count the trade that has just become flat."""
    book, account = desk.books[s], desk.account[0]
    profit = (book.exited - book.entered) * book.side - book.fees
    account.trades += 1
    account.wins += profit > 0
    account.losses += profit < 0
    account.gained += max(profit, 0)
    account.lost += max(-profit, 0)
    if at // DAY == book.opened // DAY:
        newest = account.day_trades
        newest[0], newest[1], newest[2] = newest[1], newest[2], at


# -- prices --------------------------------------------------------------------------------------------------------------


@inner
def _room(desk: Desk, s: int, which: int, number: int, volume: int) -> int:
    book = desk.books[s]
    used = book.used[which] if book.bar[which] == number else 0
    return int(min(book.left[which], max(allowance(desk.lanes.costs[0], volume) - used, 0)))


@inner
def _room_at_quote(desk: Desk, s: int, which: int, at: int) -> int:
    """Lots that an order may take of the bar in progress, measured by the last closed one."""
    number, bars = desk.books[s].seen, desk.lanes.bars
    in_progress = bars[number].end > at
    if in_progress and bars[number].volume == 0:
        return 0
    measured = number - 1 if in_progress and number > desk.lanes.symbols[s].bar0 else number
    return _room(desk, s, which, number, max(bars[measured].volume, 1))


@inner
def take(desk: Desk, s: int, which: int, bid: int, ask: int, at: int) -> None:  # noqa: PLR0913, PLR0917 - an order meets a quote
    """Let a market order, or a stop that was touched, trade with the quote at `at`."""
    book = desk.books[s]
    lots = _room_at_quote(desk, s, which, at) if book.left[which] > 0 else 0
    if lots == 0:
        return
    price = at_market(desk.lanes.costs[0], book.side if which == ENTRY else -book.side, bid, ask)
    if which == ENTRY and price > book.reserve and not _covers(desk, s, price, at):
        book.left[ENTRY] = 0
    else:
        fill(desk, s, which, lots, price, at, book.seen, False)  # noqa: FBT003 - who takes is no maker


@apart
def _covers(desk: Desk, s: int, price: int, at: int) -> bool:
    book, symbol = desk.books[s], desk.lanes.symbols[s]
    wanted = requirement(symbol, book.side, book.left[ENTRY] * price * symbol.worth)
    held_back = requirement(symbol, book.side, book.left[ENTRY] * book.reserve * symbol.worth)
    return bool(wanted - held_back <= standing(desk, at)[1])


@inner
def trade_at_open(desk: Desk, s: int, at: int) -> None:
    """Working orders meet the opening quote of the bar that begins at `at`: stops, closes, entries, targets."""
    number, book = begun(desk, s, at), desk.books[s]
    if number < desk.lanes.symbols[s].bar0:
        return
    bar = desk.lanes.bars[number]
    if bar.start != at or bar.volume == 0:
        return
    bid, ask = bar.open_bid, bar.open_ask
    _end_at_open(desk, s, bid, ask, at)
    if book.left[STOP] > 0 and -book.side * (bid + ask - 2 * book.stop) >= 0:
        book.hit = 1
    for which in (STOP, CLOSE, ENTRY):
        if which != STOP or book.hit:
            take(desk, s, which, bid, ask, at)
    price = bid if book.side == BUY else ask
    if book.left[TARGET] > 0 and book.side * (price - book.target) >= 0:
        lots = _room_at_quote(desk, s, TARGET, at)
        if lots > 0:
            fill(desk, s, TARGET, lots, price, at, number, False)  # noqa: FBT003 - who takes is no maker


@inner
def trade_inside(desk: Desk, s: int, at: int) -> None:
    """What the bar that ends at `at` did to resting orders: the stop first, then what was left of the target before."""
    number = begun(desk, s, at)
    begins = number >= desk.lanes.symbols[s].bar0 and desk.lanes.bars[number].start == at
    number -= begins
    if number < desk.lanes.symbols[s].bar0:
        return
    bar, book = desk.lanes.bars[number], desk.books[s]
    if bar.end != at or bar.volume == 0:
        return
    rested = book.left[TARGET]
    _try_exits(desk, s, number, at)
    if book.left[TARGET] > 0 and book.target_from <= bar.start:
        _try_target(desk, s, number, rested, at)
    if not begins:
        # No new bar publishes a newer price: what takes any price takes the closing quote.
        for which in (ENTRY, STOP, CLOSE):
            if which != STOP or book.hit:
                take(desk, s, which, bar.close_bid, bar.close_ask, at)


@inner
def _end_at_open(desk: Desk, s: int, bid: int, ask: int, at: int) -> None:
    """`timeline._end_at_quote`: a gap beyond liquidation takes all."""
    book = desk.books[s]
    if book.end > 0 and -book.side * (bid + ask - 2 * book.end) >= 0:
        liquidate(desk, s, at_market(desk.lanes.costs[0], -book.side, bid, ask), at)


@inner
def _try_exits(desk: Desk, s: int, number: int, at: int) -> None:
    """The stop, unless the price passes liquidation before it; and liquidation, of what the stop leaves."""
    bar, book = desk.lanes.bars[number], desk.books[s]
    reached = (bar.low <= book.end) if book.side == BUY else (bar.high >= book.end)
    end = book.end if reached else 0
    if book.left[STOP] > 0 and not book.hit and (end == 0 or book.side * (book.stop - end) >= 0):
        _try_stop(desk, s, number, at)
    if end > 0 and book.lots != 0:
        half = (bar.open_ask - bar.open_bid + 1) // 2
        liquidate(desk, s, stopped_inside(desk.lanes.costs[0], -book.side, end, half, bar.low, bar.high), at)


@apart
def _try_stop(desk: Desk, s: int, number: int, at: int) -> None:
    bar, book = desk.lanes.bars[number], desk.books[s]
    if (bar.low > book.stop) if book.side == BUY else (bar.high < book.stop):
        return
    book.hit = 1
    lots = _room(desk, s, STOP, number, bar.volume)
    if lots > 0:
        half = (bar.open_ask - bar.open_bid + 1) // 2
        price = stopped_inside(desk.lanes.costs[0], -book.side, book.stop, half, bar.low, bar.high)
        fill(desk, s, STOP, lots, price, at, number, False)  # noqa: FBT003 - who takes is no maker


@apart
def _try_target(desk: Desk, s: int, number: int, rested: int, at: int) -> None:
    bar, book = desk.lanes.bars[number], desk.books[s]
    if (bar.high <= book.target) if book.side == BUY else (bar.low >= book.target):
        return
    lots = min(_room(desk, s, TARGET, number, bar.volume), rested)
    if lots > 0:
        fill(desk, s, TARGET, lots, book.target, at, number, True)  # noqa: FBT003 - who rests is a maker
