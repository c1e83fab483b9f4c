"""One fill model, two engines: whatever the strategy, the bars and the costs, event engine and kernel trade the same."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from brokers.venue_kit import DAY, FREE, Row, Weekdays
from brokers.venue_kit import Market as Typed
from trading_bot.backtest.plan import Market, Plan
from trading_bot.backtest.strategy import Signals, Strategy
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import CorporateAction, Dividend, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.frame import IndicatorFrame
from trading_bot.settings import BrokerSettings
from trading_bot.sources.still import StillSource
from two_engines import Both, assert_equal, run_both

NAMES = (Symbol("A"), Symbol("B"), Symbol("C"))
RATIOS = tuple(map(Decimal, ("2", "3", "1.5", "0.5", "0.1", "0.333333")))


@dataclass(frozen=True)
class World:
    """What is drawn: everything else follows from `seed`."""

    seed: int
    symbols: int
    days: int
    minutes: int
    """5-minute bars on each of the last days; 0 for none."""
    round_the_clock: bool
    shorts: bool
    busy: float
    """Share of bars with a signal."""
    settings: BrokerSettings
    spread: Decimal
    share: Decimal
    risk: Decimal | None
    reserve: Decimal
    leverage: Decimal
    maintenance: Decimal
    """Of a perpetual."""
    by_day: bool
    """Whether signals come from daily bars where there are finer ones."""


def _decimals(*texts: str) -> st.SearchStrategy[Decimal]:
    return st.sampled_from([Decimal(text) for text in texts])


costs = st.builds(
    lambda **changed: BrokerSettings.model_validate({**FREE.model_dump(), **changed}),
    cash=_decimals("2000", "26000", "100000", "1234567.89"),
    slippage_bps=_decimals("0", "1", "2.5", "40"),
    participation=_decimals("1", "0.5", "0.05", "0.013"),
    fees=st.sampled_from(["none", "us_equity"]),
    borrow_bps_per_year=_decimals("0", "100", "3000"),
)
worlds = st.builds(
    World,
    seed=st.integers(0, 2**32),
    symbols=st.integers(1, 3),
    days=st.integers(3, 25),
    minutes=st.sampled_from([0, 0, 6, 78]),
    round_the_clock=st.booleans(),
    shorts=st.booleans(),
    busy=st.sampled_from([0.05, 0.2, 0.5]),
    settings=costs,
    spread=_decimals("0", "2", "35"),
    share=_decimals("0.2", "0.5", "0.97", "1"),
    risk=st.none() | _decimals("0.002", "0.02"),
    reserve=_decimals("0", "0.02", "0.5"),
    leverage=_decimals("1", "1", "2", "3"),
    maintenance=_decimals("0.3", "0.01", "0.28"),
    by_day=st.booleans(),
)


def _instrument(world: World, symbol: Symbol, rng: np.random.Generator) -> Instrument:
    coin = world.round_the_clock and symbol == NAMES[0]
    perpetual = {"asset_class": AssetClass.CRYPTO_PERPETUAL, "calendar": "24/7", "lot_size": Decimal("0.001")}
    changed = {**perpetual, "maintenance_rate": world.maintenance} if coin else {}
    shortable = bool(rng.random() < 0.8)
    return Instrument.model_validate({"symbol": symbol, "leverage_cap": world.leverage, "shortable": shortable, **changed})


def _rows(rng: np.random.Generator, count: int, price: float) -> list[Row]:
    """Bars of a jumpy walk: some without trades, some off the tick, most with fewer lots than are wanted."""
    rows = []
    for _ in range(count):
        opening = max(price * (1 + rng.normal(0, 0.02) * (rng.random() < 0.4)), 0.5)
        price = max(opening * (1 + rng.normal(0, 0.015)), 0.5)
        high, low = max(opening, price) * (1 + abs(rng.normal(0, 0.01))), min(opening, price) * (1 - abs(rng.normal(0, 0.01)))
        volume = 0.0 if rng.random() < 0.12 else float(rng.choice([1, 40, 700, 20_000, 5_000_000]))
        places = 2 if rng.random() < 0.9 else 4
        told = [round(float(p), places) for p in (opening, high, low, price)]
        rows.append((told[0], max(told), min(told), told[3], volume))
    return rows


def _typed(world: World, rng: np.random.Generator) -> Typed:
    source = Typed(instruments={name: _instrument(world, name, rng) for name in NAMES[: world.symbols]})
    for number, name in enumerate(NAMES[: world.symbols]):
        calendar = Weekdays(source.instrument(name).calendar)
        price = 20.0 * 3**number
        source.days(_rows(rng, world.days, price), name)
        if world.minutes:
            starts = _starts(calendar, world, rng)
            source.minutes_at(_rows(rng, len(starts), price), starts, name)
        source.events += _actions(name, calendar, world, rng)
    return source


def _starts(calendar: Weekdays, world: World, rng: np.random.Generator) -> list[datetime]:
    """5-minute bars of the last days, with holes."""
    sessions = calendar.sessions(DAY, DAY + timedelta(days=2 * world.days + 3))[: world.days]
    openings = [calendar.hours(day)[0] for day in sessions[-3:]]
    starts = [opening + n * timedelta(minutes=5) for opening in openings for n in range(world.minutes)]
    return [start for start in starts if rng.random() < 0.9] or starts[:1]


def _actions(name: Symbol, calendar: Weekdays, world: World, rng: np.random.Generator) -> tuple[CorporateAction, ...]:
    sessions = calendar.sessions(DAY + timedelta(days=1), DAY + timedelta(days=max(world.days - 1, 2)))
    found: list[CorporateAction] = []
    for day in sessions:
        ex = calendar.hours(day)[0]
        if rng.random() < 0.08:
            found.append(Dividend(symbol=name, ex=ex, amount=Decimal(str(round(float(rng.uniform(0.01, 0.4)), 4)))))
        if calendar.name == "XNYS" and rng.random() < 0.06 and not any(isinstance(a, Split) for a in found):
            found.append(Split(symbol=name, ex=ex, ratio=RATIOS[int(rng.integers(len(RATIOS)))]))
    return tuple(found)


def _wild(world: World) -> Strategy:
    """Signals from chance, the same for the same frame."""

    def signals(frame: IndicatorFrame) -> Signals:
        rng = np.random.default_rng([world.seed, round(float(frame.open[0] * 1000)), len(frame)])
        count = len(frame)
        short = (rng.random(count) < world.busy / 2) & world.shorts
        entry = rng.random(count) < world.busy
        side = np.where(entry, 1, -1)
        stop = frame.close * (1 - side * rng.choice([0.001, 0.01, 0.03, 0.2, -0.01], count))
        aim = frame.close * (1 + side * rng.choice([0.002, 0.01, 0.05, 0.5, -0.01], count))
        stop[rng.random(count) < 0.2] = np.nan
        aim[rng.random(count) < 0.4] = np.nan
        return Signals.of(frame, entry=entry, short=short, exit=rng.random(count) < world.busy, stop=stop, target=aim)

    return Strategy("wild", "Chance.", (), signals)


def _plan(world: World, source: Typed) -> Plan:
    finest = Timeframe.MINUTE_5 if world.minutes and not world.by_day else Timeframe.DAY
    symbols = NAMES[: world.symbols]
    last = max(one.frame.index[-1].date() for one in source.series.values())
    changed: Mapping[str, object] = {"share": world.share, "risk": world.risk, "reserve": world.reserve, "timeframe": finest}
    return Plan.model_validate({"strategy": "wild", "values": {}, "symbols": symbols[::-1], "first": DAY, "last": last, **changed})


# Not shrunk: a world is all chance from one seed, so that a smaller one is another one.
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
@given(world=worlds)
def test_chance_trades_the_same_in_both_engines(world: World) -> None:
    """Longs and shorts, stops and targets, partial fills, splits, dividends, borrow, fees: every trade and every close is equal."""
    assert_equal(_both(world))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(world=worlds, maintenance=_decimals("0.3", "0.32", "0.25"))
def test_what_is_carried_with_leverage_is_ended_the_same_in_both_engines(world: World, maintenance: Decimal) -> None:
    """Three times the margin, all of it in one perpetual: jumps, thin bars and slippage bring it to liquidation eight times a world."""
    all_in = replace(world, share=Decimal(1), risk=None, reserve=Decimal(0), busy=0.5, shorts=True)
    assert_equal(_both(replace(all_in, round_the_clock=True, leverage=Decimal(3), maintenance=maintenance)))


def _both(world: World) -> Both:
    source = _typed(world, np.random.default_rng(world.seed))
    market = Market(StillSource(source, world.spread), Weekdays, world.settings, world.spread)
    return run_both(market, _plan(world, source), _wild(world))
