"""The detector finds strategies that read the future, names where, and leaves honest ones alone."""

from pathlib import Path

import numpy as np
import pytest

from cheats import CHEATS
from frames import random_bars, random_frame, strategy_file
from trading_bot.backtest.another_future import another_future
from trading_bot.backtest.loading import load_strategy, shipped
from trading_bot.backtest.look_ahead import Finding, Method, demand_no_look_ahead, find_look_ahead
from trading_bot.backtest.strategy import Strategy
from trading_bot.domain.errors import LookAheadError, StrategyError
from trading_bot.domain.market import Timeframe
from trading_bot.market.frame import IndicatorFrame

HONEST = {
    "an expanding mean": """
return Signals.of(frame, entry=turned((close > close.expanding(20).mean()).to_numpy()), exit=no)
""",
    "a rolling score": """
score = ((close - close.rolling(60).mean()) / close.rolling(60).std()).to_numpy()
return Signals.of(frame, entry=turned(score < -1.5), exit=turned(score > 0))
""",
    "holes filled from before": """
weekly = close.where(np.arange(count) % 5 == 4).ffill()
return Signals.of(frame, entry=(close > weekly * 1.03).to_numpy(), exit=no)
""",
    "a position remembered in a loop": """
entry, leave, held = no.copy(), no.copy(), 0.0
for n in range(1, count):
    if not held and close[n] > close[n - 1] * 1.02:
        entry[n], held = True, close[n]
    elif held and abs(close[n] / held - 1) > 0.05:
        leave[n], held = True, 0.0
return Signals.of(frame, entry=entry, exit=leave)
""",
    "days of the week": """
return Signals.of(frame, entry=frame.time.day_of_week == 0, exit=frame.time.day_of_week == 4)
""",
    "an exponential average by pandas, with levels": """
slow = close.ewm(span=30).mean()
spread = close.rolling(20).std().to_numpy()
up = (close > slow).to_numpy()
stop = np.where(frame.close - 2 * spread > 0, frame.close - 2 * spread, np.nan)
return Signals.of(frame, entry=turned(up), exit=turned(~up), stop=stop, target=frame.close + 3 * spread)
""",
    "a fit to what was known at each bar": """
entry = no.copy()
for n in range(100, count, 10):
    slope = np.polyfit(np.arange(100), frame.close[n - 100:n], 1)[0]
    entry[n] = slope > 0
return Signals.of(frame, entry=entry, exit=~entry)
""",
}

LONG = ["the next close", "a centred mean", "the mean and deviation of the whole", "the last close"]
LONG += ["the longest history that it was ever asked about"]


def mine(folder: Path, body: str) -> Strategy:
    """The strategy whose `signals(frame)` is `body`."""
    return load_strategy(str(strategy_file(folder, body))).strategy


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_strategy_that_reads_the_future_is_found(tmp_path: Path, cheat: str) -> None:
    """On two years of days; what is found is a signal before the bar that was changed."""
    found = find_look_ahead(mine(tmp_path, CHEATS[cheat]), random_frame(700, seed=4), {}, seed=1)
    assert found is not None
    assert found.bar < found.moment or found.method is Method.ADDED
    assert found.was != found.became


@pytest.mark.parametrize("name", LONG)
def test_it_is_found_in_a_long_frame_too(tmp_path: Path, name: str) -> None:
    """Eight thousand minutes, looked at in windows."""
    strategy = mine(tmp_path, CHEATS[name])
    assert find_look_ahead(strategy, random_frame(8000, seed=2, timeframe=Timeframe.MINUTE), {}, seed=1) is not None


@pytest.mark.parametrize("case", HONEST)
def test_an_honest_strategy_is_left_alone(tmp_path: Path, case: str) -> None:
    """Whatever it is made of, as long as it looks back."""
    strategy = mine(tmp_path, HONEST[case])
    for seed in range(3):
        demand_no_look_ahead(strategy, random_frame(500, seed), {}, seed)


@pytest.mark.parametrize("strategy", shipped(), ids=lambda s: s.name)
def test_the_shipped_strategies_look_back_only(strategy: Strategy) -> None:
    """With default and with other values, on a short, a usual and a long frame."""
    for count, timeframe in ((1, Timeframe.DAY), (2, Timeframe.DAY), (90, Timeframe.DAY), (2500, Timeframe.DAY), (6000, Timeframe.MINUTE)):
        demand_no_look_ahead(strategy, random_frame(count, 5, timeframe), {}, seed=count)
    if strategy.name == "sma_cross":
        demand_no_look_ahead(strategy, random_frame(900, 6), {"fast": 5, "slow": 200, "stop": 12.0}, seed=1)


def test_the_first_bar_and_its_column_are_named(tmp_path: Path) -> None:
    """Only row 41 falls. Row 39's exit is the first to know: were row 40's rise turned round, 100 x (100/110)^2 = 83, it would be one."""
    bars = random_bars(120)
    bars["close"] = np.where(np.arange(120) == 40, 110.0, 100.0)
    bars["high"], bars["low"], bars["open"] = bars["close"] + 1, bars["close"] - 1, bars["close"]
    strategy = mine(
        tmp_path,
        """
falls = (close.shift(-1) < close * 0.95).to_numpy()
return Signals.of(frame, entry=turned((close > 105).to_numpy()), exit=falls)
""",
    )
    found = find_look_ahead(strategy, IndicatorFrame(bars), {}, seed=1)
    assert found is not None
    assert (found.bar, found.column) == (bars.index[39].to_pydatetime(), "exit")
    assert found.moment == bars.index[40]
    assert (found.was, found.became) == ("no", "yes")


def test_the_message_says_strategy_column_bar_and_what_was_done(tmp_path: Path) -> None:
    """Enough to find the line."""
    with pytest.raises(LookAheadError) as raised:
        demand_no_look_ahead(mine(tmp_path, CHEATS["the next close"]), random_frame(300), {}, seed=1)
    text = str(raised.value)
    assert text.startswith("strategy mine reads the future: entry of the bar of 2015-0")
    assert "was" in text
    assert "became" in text
    assert "replaced by others" in text or "taken away" in text


def test_the_same_seed_finds_the_same(tmp_path: Path) -> None:
    """A finding can be looked at again."""
    strategy = mine(tmp_path, CHEATS["a centred mean"])
    first, second = (find_look_ahead(strategy, random_frame(300), {}, seed=7) for _ in range(2))
    assert isinstance(first, Finding)
    assert first == second


def test_a_strategy_that_draws_lots_is_told_so(tmp_path: Path) -> None:
    """It answers the same question in two ways: that is no look-ahead, and no strategy."""
    strategy = mine(tmp_path, "return Signals.of(frame, entry=np.random.default_rng().random(count) > 0.9, exit=no)")
    with pytest.raises(StrategyError, match="answers the same question in two ways"):
        find_look_ahead(strategy, random_frame(300), {}, seed=1)


def test_a_strategy_that_cannot_do_with_fewer_bars_is_told_how_many_it_was_given(tmp_path: Path) -> None:
    """It reads a day by its date: that day has not come in a shorter frame."""
    strategy = mine(tmp_path, "return Signals.of(frame, entry=frame.close > frame.close[frame.time == '2015-10-01'][0], exit=no)")
    with pytest.raises(StrategyError, match=r"IndexError in .*mine\.py, line \d+: .* It was asked about \d+ bars that end on 2015-"):
        find_look_ahead(strategy, random_frame(300), {}, seed=1)


def test_another_future_keeps_the_past_and_changes_all_that_follows() -> None:
    """Prices, volumes, scale and sentiment; every bar holds together."""
    frame = random_frame(300)
    for cut, strength in ((1, 2.0), (150, 2.0), (150, -12.0), (299, 12.0), (300, 2.0)):
        other = another_future(frame, cut, np.random.default_rng(1), strength)
        assert len(other) > cut
        assert other.bars[:cut].equals(frame.bars[:cut].set_index(other.time[:cut]))
        for name in ("scale", "sentiment"):
            assert np.array_equal(getattr(other, name)[:cut], getattr(frame, name)[:cut], equal_nan=True)
        common = min(len(other), 300)
        for name in ("open", "high", "low", "close", "volume", "scale", "sentiment"):
            assert (getattr(other, name)[cut:common] != getattr(frame, name)[cut:common]).all(), name
        assert (other.high[cut:] >= np.maximum(other.open, other.close)[cut:] * (1 - 1e-12)).all()
        assert (other.low[cut:] <= np.minimum(other.open, other.close)[cut:] * (1 + 1e-12)).all()
        assert (other.low > 0).all()
        assert other.time.is_monotonic_increasing
        assert other.time.is_unique
