"""Exact integer arithmetic of the sweep kernel: the rules of `brokers/matching.py`, `margin.py` and `fees.py` on int64.

Promises the same integers as those rules while amounts stay below 2**61 cash quanta (23 billion); `lanes` refuses terms of a
fraction that could overflow before. Refuses nothing itself: the kernel says when an account grew beyond.
"""

from typing import Any

from trading_bot.backtest.compiled import inner

Row = Any
"""A record of `lanes.COSTS`, `lanes.SYMBOL` or `fee_rows.FEE`, which numba knows and mypy does not."""

BUY, SELL = 1, -1


@inner
def part_down(amount: int, numerator: int, denominator: int) -> int:
    """`amount * numerator / denominator`, rounded down; no product is larger than the answer or both terms multiplied."""
    if numerator == 0:
        return 0
    if denominator == 1:
        return amount * numerator
    return amount // denominator * numerator + amount % denominator * numerator // denominator


@inner
def part_up(amount: int, numerator: int, denominator: int) -> int:
    """`amount * numerator / denominator`, rounded up."""
    return -part_down(-amount, numerator, denominator)


@inner
def part_even(amount: int, numerator: int, denominator: int) -> int:
    """`amount * numerator / denominator` to the nearest whole number, a half to the even one."""
    if denominator == 1:
        return amount * numerator
    low = part_down(amount, numerator, denominator)
    twice = 2 * (amount % denominator * numerator % denominator)
    return low + 1 if twice > denominator or (twice == denominator and low % 2 == 1) else low


@inner
def at_market(costs: Row, side: int, bid: int, ask: int) -> int:
    """`matching.at_market`."""
    price = ask if side == BUY else bid
    return max(price + side * part_up(price, costs.slip_numerator, costs.slip_denominator), 1)


@inner
def stopped_inside(costs: Row, side: int, stop: int, half: int, low: int, high: int) -> int:  # noqa: PLR0913, PLR0917 - as there
    """`matching.stopped_inside`."""
    price = stop + side * (half + part_up(stop, costs.slip_numerator, costs.slip_denominator))
    return max(min(max(price, low), high), 1)


@inner
def allowance(costs: Row, volume: int) -> int:
    """`matching.allowance`."""
    return max(part_down(volume, costs.participation_numerator, costs.participation_denominator), 1) if volume > 0 else 0


@inner
def split_price(ticks: int, numerator: int, denominator: int) -> int:
    """`matching.split_price` for a ratio of `numerator` new shares for `denominator` old ones."""
    return max(part_even(ticks, denominator, numerator), 1)


@inner
def requirement(symbol: Row, side: int, value: int) -> int:
    """`margin.requirement`: its value over what its side may be worth as a multiple of what it takes."""
    if side > 0:
        return part_up(value, symbol.long_turns_denominator, symbol.long_turns_numerator)
    return part_up(value, symbol.short_turns_denominator, symbol.short_turns_numerator)


@inner
def liquidation(symbol: Row, lots: int, cost: int) -> int:
    """`margin.liquidation`: ticks at which signed `lots` that cost `cost` quanta are ended, 0 for nowhere."""
    if lots > 0:
        return int(part_down(cost, symbol.long_end_numerator, symbol.long_end_denominator) // (lots * symbol.worth))
    return int(-(-part_up(cost, symbol.short_end_numerator, symbol.short_end_denominator) // (-lots * symbol.worth)))


@inner
def fee(found: Row, side: int, lots: int, value: int, maker: bool) -> int:  # noqa: FBT001 - a fill's own words
    """`fees.fee` by the row in force: each kind rounded up by itself to the step of the asset class."""
    total = 0
    if side == SELL:
        total += _up_to(part_up(value, found.sec_numerator, found.sec_denominator), found.step)
        total += _up_to(min(part_up(lots, found.taf_numerator, found.taf_denominator), found.taf_cap), found.step)
    if maker:
        total += _up_to(part_up(value, found.maker_numerator, found.maker_denominator), found.step)
    else:
        total += _up_to(part_up(value, found.taker_numerator, found.taker_denominator), found.step)
    return total


@inner
def _up_to(amount: int, step: int) -> int:
    return -(-amount // step) * step if amount > 0 else 0
