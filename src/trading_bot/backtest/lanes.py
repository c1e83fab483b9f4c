"""A market laid out for the sweep kernel: every symbol's bars, quotes, sessions, actions and fees as integers, one after the other.

    source's bars -> the venue's tape and the quotes that it publishes -> columns; sheets -> where each row of a signal is acted on

Prices are ticks, quantities lots, cash quanta of 1e-8, times ns. Promises the integers that the paper venue itself would reckon with.
Refuses, by name, what the kernel does not know: the desk's limits, sources whose quotes are not their bars', bars that overlap, and
costs so fine that 64 bits would overflow (StrategyError).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.event import moments, schedule
from trading_bot.backtest.fee_rows import fee_rows
from trading_bot.backtest.plan import LimitsBy, Market, Plan
from trading_bot.backtest.quote_ticks import quote_ticks
from trading_bot.backtest.wanted import NEVER, Sentiment, Sheet, sheet
from trading_bot.brokers.matching import TickQuote
from trading_bot.brokers.tape import Happening, Prices, Tape
from trading_bot.brokers.timeline import funded
from trading_bot.brokers.units import QUANTUM, Units, moment, quanta, stamp
from trading_bot.brokers.venue import ratio_of
from trading_bot.domain.errors import NoDataError, StrategyError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.margin import turns
from trading_bot.domain.market import Funding, Split
from trading_bot.domain.orders import Side
from trading_bot.domain.perpetual import is_leveraged, liquidation_share
from trading_bot.domain.values import Symbol
from trading_bot.risk.rules import DAY_TRADE_REGIMES, DAY_TRADE_SESSIONS

Integers = npt.NDArray[np.int64]
Records = npt.NDArray[Any]
Pair = tuple[int, int]
FAR = 2**62
BLOCK = 32
"""Bars that are passed over together where none of them can touch anything."""
_PROBES = 5
_EARLIER = timedelta(days=21)
"""Day trades count from sessions before the first bar, too: in another calendar there may have been some."""
_BPS = 10_000
_YEAR = 365
SPLIT, CASH = 0, 1
TERMS = ("numerator", "denominator")
"""Of a fraction."""


BAR = np.dtype(
    [
        (name, np.int64)
        for name in ("start", "end", "low", "high", "volume", "open_bid", "open_ask", "close_bid", "close_ask", "expires", "window")
    ]
)
"""`expires`: close of the session that the bar begins in. `window`: opening from which day trades count against an entry in this
bar; `FAR` where no rule counts them."""
SYMBOL = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("bar0", "bar1", "row0", "row1", "action0", "action1", "split0", "split1", "fee0", "fee1"),
            *("worth", "least", "least_sent", "shortable", "borrowed"),
            *(f"{side}_{rate}_{term}" for side in ("long", "short") for rate in ("turns", "power", "end") for term in TERMS),
        )
    ]
    + [("tick", np.float64), ("top", np.float64)]
)
"""Where a symbol's bars, rows, actions, splits and fees begin and end; quanta that an entry must be worth at the gate, and at the venue;
`borrowed`: whether a short pays for it; `top`: twice the greatest value of a lot, in quanta. Of each side: `turns`, its value as a multiple
of what it takes; `power`, the same of what may be used; `end`, liquidation as a share of the entry price, 0 for none."""
COSTS = np.dtype(
    [("cash", np.int64), ("pattern_equity", np.int64)]
    + [(f"{name}_{term}", np.int64) for name in ("slip", "participation", "borrow", "share", "risk") for term in TERMS]
)
"""What a run is reckoned with: quanta and fractions. A `risk` of 0 is no limit; `pattern_equity`: below it day trades are counted."""


class Lanes(NamedTuple):
    """Columns of all symbols, in the order of their names, one after the other; `symbols` says where each begins."""

    bars: Records
    reach: Integers
    """Rows of low and high; out of reach for a bar without trades."""
    blocks: Integers
    """The same for each `BLOCK` bars, from the first on: the lowest and the highest."""
    symbols: Records
    actions: Integers
    """Rows of time, kind, numerator, denominator."""
    splits: Integers
    """Rows of time, numerator, denominator."""
    fees: Records
    costs: Records
    """One record."""


class Plot(NamedTuple):
    """When the account is marked, and where rows of signals are acted on."""

    close_at: Integers
    marks: Integers
    """Bid + ask of each symbol's newest quote at each close."""
    act_bar: Integers
    """Bar at whose opening a row is acted on, -1 for none. A symbol's rows begin at a multiple of 8."""
    scale: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A plan's market, ready for any number of runs. `sheets` in the order of the lanes."""

    market: Market
    plan: Plan
    sheets: tuple[Sheet, ...]
    actions: tuple[Happening, ...]
    """In the order of `lanes.actions`."""
    sessions: tuple[date, ...]
    periods_per_year: int
    lanes: Lanes
    plot: Plot


@dataclass(frozen=True, eq=False)
class _Lane:
    """One symbol, before it is joined to the others."""

    sheet: Sheet
    units: Units
    tape: Tape
    quotes: Integers
    """Rows: bid and ask at the open, bid and ask at the close."""
    days: Integers
    """Rows: `expires`, `window`."""


def prepare(market: Market, plan: Plan, sentiment: Sentiment | None = None) -> Prepared:
    """Lay out the market of `plan`. NoDataError for a symbol or a period without bars, StrategyError for what the kernel does not know."""
    if plan.limits is not LimitsBy.RESEARCH:
        raise StrategyError("the vector engine does not know the desk's limits: run the event engine, or take the plan's own limits")
    prices = Prices(market.source, market.calendars)
    closes, periods = schedule(market, plan.symbols, plan.first, plan.last)
    if not closes:
        raise NoDataError(f"there is no session from {plan.first} to {plan.last}: ask for a longer period")
    ordered = [_lane(market, prices, plan, symbol, sentiment) for symbol in sorted(plan.symbols)]
    close_at = np.array([at for _, at in closes], dtype=np.int64)
    return Prepared(
        market=market,
        plan=plan,
        sheets=tuple(o.sheet for o in ordered),
        actions=tuple(action for o in ordered for _, action in o.tape.actions),
        sessions=tuple(day for day, _ in closes),
        periods_per_year=periods,
        lanes=_lanes(ordered, market, plan),
        plot=_plot(ordered, close_at, moments(plan.first, plan.last)),
    )


def _lane(market: Market, prices: Prices, plan: Plan, symbol: Symbol, sentiment: Sentiment | None) -> _Lane:
    seen = sheet(market, prices, symbol, plan.timeframe, sentiment)
    tape, units = prices.tape(symbol), prices.units(symbol)
    if len(tape.starts) > 1 and (tape.starts[1:] < tape.ends[:-1]).any():
        raise StrategyError(f"{symbol}: bars overlap, which the vector engine does not know: run the event engine")
    if is_leveraged(seen.instrument) and tape.splits:
        raise StrategyError(f"{symbol}: a perpetual that splits, which the vector engine does not know: run the event engine")
    ticks = [quote_ticks(column, seen.instrument, market.spread_bps) for column in tape.told()]
    lane = _Lane(seen, units, tape, np.stack([*ticks[0], *ticks[1]]), _days(market, seen.instrument, tape))
    _probe(market, symbol, lane)
    return lane


def _probe(market: Market, symbol: Symbol, lane: _Lane) -> None:
    """StrategyError for a source that publishes other quotes than its bars' opens."""
    count = len(lane.tape.starts)
    for number in sorted({*np.linspace(0, count - 1, _PROBES).astype(int).tolist()}):
        quote = market.source.quote(symbol, moment(int(lane.tape.starts[number])))
        found = None if quote is None else (lane.units.ticks_down(quote.bid), lane.units.ticks_up(quote.ask))
        if found != tuple(lane.quotes[:2, number].tolist()):
            raise StrategyError(f"{symbol}: the quotes of source {market.source.name} are not its bars' opens: run the event engine")


def _days(market: Market, instrument: Instrument, tape: Tape) -> Integers:
    """For each bar the close of its session, and the opening from which day trades count."""
    calendar = market.calendars(instrument.calendar)
    first, last = moment(int(tape.starts[0])).date(), moment(int(tape.starts[-1])).date()
    hours = [calendar.hours(day) for day in calendar.sessions(first - _EARLIER, last)]
    opens, closes = (np.array([stamp(pair[n]) for pair in hours], dtype=np.int64) for n in (0, 1))
    session = np.searchsorted(opens, tape.starts, side="right") - 1
    if instrument.asset_class is not AssetClass.EQUITY or not len(opens):
        return np.stack([_at(closes, session), np.full(len(session), FAR)])
    days = tape.starts.astype("datetime64[ns]").astype("datetime64[D]")
    ruled = np.zeros(len(days), dtype=bool)
    for regime in DAY_TRADE_REGIMES:
        ruled |= (days >= np.datetime64(regime.first, "D")) & (days <= np.datetime64(regime.last, "D"))
    return np.stack([_at(closes, session), np.where(ruled, _at(opens, np.maximum(session - DAY_TRADE_SESSIONS + 1, 0)), FAR)])


def _at(times: Integers, number: Integers) -> Integers:
    """`times` by number, `FAR` for -1."""
    return np.append(times, FAR)[number]


def _lanes(ordered: Sequence[_Lane], market: Market, plan: Plan) -> Lanes:
    bars = np.concatenate([_bars(one) for one in ordered])
    actions = [_actions(one) for one in ordered]
    splits = [_splits(one) for one in actions]
    fees = [fee_rows(market.costs.fees, one.sheet.instrument) for one in ordered]
    symbols = np.zeros(len(ordered), SYMBOL)
    ranges = {"bar": [o.tape.starts for o in ordered], "row": [_padded(o.sheet.acts) for o in ordered], "action": actions}
    for name, parts in {**ranges, "split": splits, "fee": fees}.items():
        ends = np.cumsum([len(part) for part in parts])
        symbols[f"{name}0"][1:], symbols[f"{name}1"] = ends[:-1], ends
    for row, one in zip(symbols, ordered, strict=True):
        _describe(row, one, plan)
    traded = bars["volume"] > 0
    reach = np.stack([np.where(traded, bars["low"], FAR), np.where(traded, bars["high"], -FAR)], axis=1)
    firsts = np.arange(0, len(reach), BLOCK)
    blocks = np.stack([np.minimum.reduceat(reach[:, 0], firsts), np.maximum.reduceat(reach[:, 1], firsts)], axis=1)
    return Lanes(bars, reach, blocks, symbols, np.concatenate(actions), np.concatenate(splits), np.concatenate(fees), _costs(market, plan))


def _plot(ordered: Sequence[_Lane], close_at: Integers, period: Pair) -> Plot:
    base, acts = 0, []
    for one in ordered:
        acts.append(_acting(one, base, period))
        base += len(one.tape.starts)
    marks = np.stack([_marks(one, _splits(_actions(one)), close_at) for one in ordered])
    return Plot(close_at, marks, np.concatenate(acts), np.concatenate([_padded(o.sheet.scale_then, 1.0) for o in ordered]))


def _bars(lane: _Lane) -> Records:
    tape, bars = lane.tape, np.zeros(len(lane.tape.starts), BAR)
    columns = (tape.starts, tape.ends, tape.lows, tape.highs, tape.volumes, *lane.quotes, *lane.days)
    for name, column in zip(BAR.names or (), columns, strict=True):
        bars[name] = column
    return bars


def _describe(row: Any, lane: _Lane, plan: Plan) -> None:  # noqa: ANN401 - a record of SYMBOL
    instrument = lane.sheet.instrument
    row["borrowed"] = not is_leveraged(instrument)
    row["worth"], row["tick"], row["shortable"] = lane.units.worth, float(instrument.tick_size), instrument.shortable
    row["top"] = 2.0 * float(lane.quotes.max()) * lane.units.worth
    for name, side in (("long", Side.BUY), ("short", Side.SELL)):
        times = Fraction(turns(instrument, side))
        end = liquidation_share(side, instrument) if is_leveraged(instrument) else Fraction(0)
        _write(row, f"{name}_turns", times)
        _write(row, f"{name}_power", times * (1 - Fraction(plan.reserve)))
        _write(row, f"{name}_end", max(end, Fraction(0)))
    row["least"] = -(-max(instrument.minimum_notional, instrument.tick_size) // QUANTUM)
    row["least_sent"] = -(-instrument.minimum_notional // QUANTUM)


def _padded(values: npt.NDArray[Any], filler: float = 0) -> npt.NDArray[Any]:
    return np.append(values, np.full(-len(values) % 8, filler, dtype=values.dtype))


def _acting(lane: _Lane, base: int, period: Pair) -> Integers:
    acts = lane.sheet.acts
    inside = (acts >= period[0]) & (acts <= period[1]) & (acts < NEVER)
    number = np.searchsorted(lane.tape.starts, acts, side="left") + base
    return _padded(np.where(inside, number, -1), -1)


def _actions(lane: _Lane) -> Integers:
    rows = []
    for at, action in lane.tape.actions:
        if isinstance(action, Split):
            rows.append((at, SPLIT, *_terms(ratio_of(action), f"{action.symbol}'s split")))
        elif isinstance(action, Funding):
            rows.append((at, CASH, *_terms(funded(action.rate, lane.units, _quote_at(lane, at)), f"{action.symbol}'s funding")))
        else:
            per_lot = Fraction(action.amount * lane.units.lot / QUANTUM)
            rows.append((at, CASH, *_terms(per_lot, f"{action.symbol}'s dividend")))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _quote_at(lane: _Lane, at: int) -> TickQuote | None:
    """The newest quote at `at`; None before the first."""
    bar = lane.tape.begun(at)
    if bar < 0:
        return None
    told = 2 if lane.tape.ends[bar] <= at else 0
    return TickQuote(int(lane.quotes[told, bar]), int(lane.quotes[told + 1, bar]), at)


def _splits(actions: Integers) -> Integers:
    return np.ascontiguousarray(actions[actions[:, 1] == SPLIT][:, (0, 2, 3)])


def _marks(lane: _Lane, splits: Integers, close_at: Integers) -> Integers:
    """Bid + ask of the newest quote at each close, in the shares of that moment; 0 before the first."""
    tape = lane.tape
    bar = np.searchsorted(tape.starts, close_at, side="right") - 1
    closed = tape.ends[bar] <= close_at
    told = np.where(closed, tape.ends[bar], tape.starts[bar])
    bids, asks = (np.where(closed, lane.quotes[n + 2, bar], lane.quotes[n, bar]) for n in (0, 1))
    for at, numerator, denominator in splits.tolist():
        for row in np.flatnonzero((told < at) & (at <= close_at)).tolist():
            ratio = Fraction(numerator, denominator)
            bids[row], asks[row] = (max(round(int(p[row]) / ratio), 1) for p in (bids, asks))
    return np.where(bar >= 0, bids + asks, 0)


def _costs(market: Market, plan: Plan) -> Records:
    costs, row = market.costs, np.zeros(1, COSTS)
    row["cash"], row["pattern_equity"] = quanta(costs.cash), max(quanta(regime.minimum_equity) for regime in DAY_TRADE_REGIMES)
    shares = {
        "slip": Fraction(costs.slippage_bps) / _BPS,
        "participation": Fraction(costs.participation),
        "borrow": Fraction(costs.borrow_bps_per_year) / (2 * _BPS * _YEAR),
        "share": Fraction(plan.share),
        "risk": Fraction(plan.risk or 0),
    }
    for name, share in shares.items():
        _write(row, name, share)
    return row


def _write(row: Any, name: str, value: Fraction) -> None:  # noqa: ANN401 - a record, or one of them
    """Write both terms of a fraction."""
    for term, number in zip(TERMS, _terms(value, name), strict=True):
        row[f"{name}_{term}"] = number


def _terms(value: Fraction, name: str) -> Pair:
    if abs(value.numerator) * value.denominator > FAR:
        raise StrategyError(f"{name} is too fine for the vector engine ({value}): use fewer decimal places, or run the event engine")
    return value.numerator, value.denominator
