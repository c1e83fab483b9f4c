"""Coins by the rules: what is worth a look, what is opened, where the stop lies; a short is the mirror of a long."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coin_market import COIN, START, quote
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Feed
from trading_bot.domain.orders import Side
from trading_bot.domain.research import EntryPlan, Regime
from trading_bot.market import coins
from trading_bot.market.coins import Chance, Look
from trading_bot.market.entry import TARGETS
from trading_bot.market.snapshot import Snapshot

LEVEL = 100.0
TIMING = {
    "rsi_14": 60.0,
    "macd_histogram": 0.25,
    "volume_sma_5": 150.0,
    "volume_sma_20": 100.0,
    "volatility_rank": 0.5,
    "volatility_20": 0.003,
}
TREND = {"atr_14": 1.0, "sma_20": 99.0, "sma_50": 98.0, "sma_50_slope": 0.01, "adx_14": 30.0}
SHAKING = {"volatility_rank": 0.9, "volatility_20": 0.005}


def snapshot(values: dict[str, float], support: float | None, resistance: float | None) -> Snapshot:
    """Of the coin at 100."""
    levels = {"support": support, "resistance": resistance}
    return Snapshot(symbol=COIN, time=START, bar=START, price=LEVEL, volume=100.0, feed=Feed.CONSOLIDATED, indicators=values, **levels)


def rising(**changed: Any) -> Look:  # noqa: ANN401 - of every type
    """A coin that rises: every signal of a long holds; indicators, and fields of the look, may be changed by name (None: unknown)."""
    support, resistance = (changed.pop(name, None) for name in ("support", "resistance"))
    parts = [{name: changed.pop(name, value) for name, value in part.items()} for part in (TIMING, TREND)]
    timing, trend = ({name: value for name, value in part.items() if value is not None} for part in parts)
    made = Look(
        instrument=Instrument(symbol=COIN, asset_class=AssetClass.CRYPTO_PERPETUAL, calendar="24/7"),
        quote=quote("100", START, "0.01"),
        funding=0.0001,
        timing=snapshot(timing, None, None),
        trend=snapshot(trend, support, resistance),
    )
    return replace(made, **changed)


def mirrored(look: Look) -> Look:
    """The same coin with up and down exchanged around 100."""
    flipped = {"macd_histogram", "sma_50_slope"}

    def turn(seen: Snapshot) -> Snapshot:
        values = {
            name: -value if name in flipped else 100 - value if name == "rsi_14" else 2 * LEVEL - value if name.startswith("sma") else value
            for name, value in seen.indicators.items()
        }
        support, resistance = (None if one is None else 2 * LEVEL - one for one in (seen.resistance, seen.support))
        return replace(seen, price=2 * LEVEL - seen.price, indicators=values, support=support, resistance=resistance)

    bid, ask = (2 * Decimal(100) - price for price in (look.quote.ask, look.quote.bid))
    turned = look.quote.model_copy(update={"bid": bid, "ask": ask})
    paid = None if look.funding is None else -look.funding
    return replace(look, quote=turned, funding=paid, timing=turn(look.timing), trend=turn(look.trend))


def long(look: Look) -> Chance:
    """From the side of a buyer."""
    return Chance(look, Side.BUY)


def planned(chance: Chance) -> EntryPlan:
    """Its plan."""
    found = coins.plan(chance)
    assert found is not None
    return found


# -- what is worth a look --------------------------------------------------------------------------------------------


def test_a_coin_that_rises_by_every_signal_is_opened_long_and_not_short() -> None:
    """100 points for the long, the volume's 20 for the short, from whose side the price lies behind its average."""
    buy, sell = rising().chances
    assert (buy.score, buy.why_not, buy.why_no_trade) == (100.0, "", "")
    assert (sell.score, sell.why_no_trade) == (20.0, "price beyond SMA 20 of hours, in ATR: wanted 0 to 2, is -1")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"atr_14": 0.24}, "ATR of an hour: wanted 0.25 % to 2 %, is 0.24"),
        ({"atr_14": 2.01}, "ATR of an hour: wanted 0.25 % to 2 %, is 2.01"),
        ({"atr_14": None}, "ATR of an hour: wanted 0.25 % to 2 %, is unknown"),
        ({"quote": quote("100", START, "0.03")}, "spread: wanted at most 0.05 %, is 0.06"),
        ({"funding": 0.0006}, "funding that the side pays: wanted at most 0.05 %, is 0.06"),
        ({"funding": None}, "funding that the side pays: wanted at most 0.05 %, is unknown"),
        ({"sma_20": 97.9}, "price beyond SMA 20 of hours, in ATR: wanted 0 to 2, is 2.1"),
        ({"sma_20": 100.1}, "price beyond SMA 20 of hours, in ATR: wanted 0 to 2, is -0.1"),
        ({"volatility_rank": None}, "its regime is unknown"),
        ({"adx_14": None}, "its regime is unknown"),
        ({"rsi_14": 71.0, "macd_histogram": -0.1}, "a score of 60 is below 80"),
    ],
)
def test_what_fails_a_filter_is_worth_no_look_and_says_why(changed: dict[str, object], why: str) -> None:
    """The first filter that fails, an unknown regime, a weak score."""
    assert long(rising(**changed)).why_not == why


def test_funding_that_the_other_side_pays_is_no_hindrance() -> None:
    """Shorts pay the long 0.3 %."""
    assert long(rising(funding=-0.003)).why_not == ""


@pytest.mark.parametrize(
    ("changed", "regime", "why"),
    [
        ({"rsi_14": 75.0}, Regime.TREND_UP, ""),
        ({"adx_14": 19.0}, Regime.RANGE, "nothing is opened in range"),
        ({"volatility_rank": 0.9, "volatility_20": 0.005}, Regime.HIGH_VOLATILITY, ""),
        ({"volatility_rank": 0.9, "volatility_20": 0.0049}, Regime.TREND_UP, ""),
        (
            {"volatility_rank": 0.9, "volatility_20": 0.005, "rsi_14": 75.0},
            Regime.HIGH_VOLATILITY,
            "a score of 80 is below 100 in high_volatility",
        ),
        ({"volatility_rank": 0.9, "volatility_20": 0.005, "sma_50_slope": -0.01}, Regime.HIGH_VOLATILITY, "it is against the trend"),
        ({"sma_50_slope": -0.01}, Regime.TREND_DOWN, "it is against the trend"),
    ],
)
def test_each_regime_opens_its_gate_so_far(changed: dict[str, object], regime: Regime, why: str) -> None:
    """Trends need 80 points, high volatility 100; a range opens nothing, and nothing goes against the hours' slope."""
    seen = rising(**changed)
    assert (seen.regime, long(seen).why_no_trade) == (regime, why)


# -- entry, stop, targets --------------------------------------------------------------------------------------------


def test_a_plan_enters_at_the_quote_with_two_targets_and_a_stop_of_two_atr() -> None:
    """Bought at the ask of 100.01: stop 98.01, targets at 1.5 and 2.5 times the risk of 2."""
    found = planned(long(rising()))
    assert (found.entry, found.stop_loss, found.noise, found.exposure) == (Decimal("100.01"), Decimal("98.01"), Decimal("0.5"), Decimal(1))
    assert [(t.price, t.fraction) for t in found.targets] == [(Decimal("103.01"), Decimal("0.5")), (Decimal("105.01"), Decimal("0.5"))]
    assert found.reason == "Stop by 2 ATR."


@pytest.mark.parametrize(("support", "distance"), [(98.01, "2.5"), (99.51, "1.5"), (90.01, "3"), (100.5, "2")])
def test_a_stop_lies_half_an_atr_beyond_the_nearest_swing_within_bounds(support: float, distance: str) -> None:
    """A swing 2 ATR behind; one too near; one too far; and one that the price has passed, which is none."""
    found = planned(long(rising(support=support)))
    assert found.entry - found.stop_loss == Decimal(distance)


def test_a_weaker_score_and_a_shaking_market_make_it_smaller() -> None:
    """0.6 at 80 points; half in high volatility."""
    assert planned(long(rising(rsi_14=75.0))).exposure == Decimal("0.6")
    assert planned(long(rising(**SHAKING))).exposure == Decimal("0.5")


@pytest.mark.parametrize(("tick", "mid"), [("50", "100"), ("0.5", "100")])
def test_a_tick_too_coarse_for_a_stop_means_no_plan_and_a_fair_one_is_kept_to(tick: str, mid: str) -> None:
    """A stop 2 away on a tick of 50 is none; on 0.5 it lies on the tick."""
    grid = Instrument(symbol=COIN, asset_class=AssetClass.CRYPTO_PERPETUAL, calendar="24/7", tick_size=Decimal(tick))
    found = coins.plan(long(rising(instrument=grid, quote=quote(mid, START, "0"))))
    assert (found is None) == (tick == "50")
    assert found is None or found.stop_loss == Decimal(98)


HALVES = st.integers(-8, 8).map(lambda n: n / 4)
LOOKS = st.fixed_dictionaries(
    {
        "rsi_14": st.sampled_from([20.0, 30.0, 45.0, 55.0, 70.0, 80.0]),
        "macd_histogram": st.sampled_from([-0.25, 0.25]),
        "volume_sma_5": st.sampled_from([50.0, 100.0, 150.0]),
        "volatility_rank": st.sampled_from([None, 0.5, 0.95]),
        "volatility_20": st.sampled_from([0.003, 0.006]),
        "atr_14": st.sampled_from([0.25, 0.5, 1.0, 1.75, 3.0]),
        "sma_20": HALVES.map(lambda gap: LEVEL + gap + 0.125),
        "sma_50": HALVES.map(lambda gap: LEVEL + 2 * gap + 0.0625),
        "sma_50_slope": st.sampled_from([-0.02, -0.001, 0.001, 0.02]),
        "adx_14": st.sampled_from([10.0, 30.0]),
        "support": st.one_of(st.none(), HALVES.map(lambda gap: LEVEL - 2.5 + gap)),
        "resistance": st.one_of(st.none(), HALVES.map(lambda gap: LEVEL + 2.5 + gap)),
        "funding": st.sampled_from([-0.001, -0.0001, 0.0, 0.0001, 0.001]),
    }
)


@settings(max_examples=150, deadline=None)
@given(changed=LOOKS)
def test_a_short_is_the_mirror_of_a_long(changed: dict[str, Any]) -> None:
    """Filters, signals, regime, gates and plan of one side are those of the other side in the mirror."""
    look = rising(**changed)
    turned = mirrored(look)
    for side in Side:
        one, other = Chance(look, side), Chance(turned, side.opposite)
        for checks in ("filters", "signals"):
            assert [check.passed for check in getattr(one, checks)] == [check.passed for check in getattr(other, checks)]
        assert bool(one.why_no_trade) == bool(other.why_no_trade)
        here, there = coins.plan(one), coins.plan(other)
        assert (here is None) == (there is None)
        if here is not None and there is not None:
            levels = [(here.entry, there.entry), (here.stop_loss, there.stop_loss)]
            levels += [(a.price, b.price) for a, b in zip(here.targets, there.targets, strict=True)]
            assert [a + b for a, b in levels] == [200] * 4
            assert (here.noise, here.exposure, here.reason) == (there.noise, there.exposure, there.reason)


@settings(max_examples=100, deadline=None)
@given(fast=HALVES, slow=HALVES, rsi=st.sampled_from([60.0, 80.0]), turn=st.booleans())
def test_nothing_is_opened_whose_trend_the_watch_would_call_lost(fast: float, slow: float, rsi: float, *, turn: bool) -> None:
    """What is opened lies beyond SMA 50 of the hours, behind which a trade is closed."""
    look = rising(sma_20=LEVEL + fast + 0.125, sma_50=LEVEL + slow, rsi_14=rsi)
    for chance in (mirrored(look) if turn else look).chances:
        average = chance.look.trend.indicators["sma_50"]
        assert chance.why_no_trade or (LEVEL - average) * chance.side.sign >= 0


@settings(max_examples=100, deadline=None)
@given(changed=LOOKS, side=st.sampled_from(list(Side)))
def test_a_thousandfold_price_changes_nothing_but_prices(changed: dict[str, Any], side: Side) -> None:
    """No filter or signal looks at an amount of currency."""
    look, k = rising(**changed), 1000
    priced = {"macd_histogram", "atr_14", "sma_20", "sma_50"}

    def grown(seen: Snapshot) -> Snapshot:
        values = {name: k * value if name in priced else value for name, value in seen.indicators.items()}
        levels = [None if one is None else k * one for one in (seen.support, seen.resistance)]
        return replace(seen, price=k * seen.price, indicators=values, support=levels[0], resistance=levels[1])

    grid = look.instrument.model_copy(update={"tick_size": k * look.instrument.tick_size})
    priced_quote = look.quote.model_copy(update={"bid": k * look.quote.bid, "ask": k * look.quote.ask})
    other = Chance(replace(look, instrument=grid, quote=priced_quote, timing=grown(look.timing), trend=grown(look.trend)), side)
    one = Chance(look, side)
    assert (one.score, one.why_no_trade) == (other.score, other.why_no_trade)
    here, there = coins.plan(one), coins.plan(other)
    assert (here is None) == (there is None)
    if here is not None and there is not None:
        assert (k * here.entry, k * here.stop_loss, here.exposure) == (there.entry, there.stop_loss, there.exposure)
        assert [k * t.price for t in here.targets] == [t.price for t in there.targets]


@settings(max_examples=100, deadline=None)
@given(
    changed=LOOKS,
    side=st.sampled_from(list(Side)),
    tick=st.sampled_from(["0.0001", "0.01", "0.07", "0.5", "3", "40"]),
    mid=st.decimals(80, 120, places=4),
)
def test_a_plan_is_on_the_tick_in_order_and_outside_the_noise(changed: dict[str, Any], side: Side, tick: str, mid: Decimal) -> None:
    """Stop behind the entry by more than noise and spreads, targets ahead and never further than their multiple of the risk."""
    grid = rising().instrument.model_copy(update={"tick_size": Decimal(tick)})
    bid = grid.round_price(max(mid, Decimal(tick)))
    seen = rising(**changed, instrument=grid, quote=quote(str(bid + grid.tick_size), START, tick))
    found, sign = coins.plan(Chance(seen, side)), side.sign
    if found is None:
        return
    risk = (found.entry - found.stop_loss) * sign
    assert risk >= max(found.noise, 3 * seen.quote.spread)
    gains = [(t.price - found.entry) * sign for t in found.targets]
    assert [0 < gain <= multiple * risk for gain, (multiple, _) in zip(gains, TARGETS, strict=True)] == [True, True]
    assert [price % grid.tick_size for price in (found.entry, found.stop_loss, *(t.price for t in found.targets))] == [0] * 4
    assert Decimal("0.2") <= found.exposure <= 1


def test_a_coin_that_cannot_be_sold_short_is_looked_at_from_one_side() -> None:
    """Spot."""
    spot = Instrument(symbol=COIN, asset_class=AssetClass.CRYPTO_SPOT, calendar="24/7", shortable=False)
    assert [chance.side for chance in rising(instrument=spot).chances] == [Side.BUY]


def test_the_best_is_opened_by_score_then_by_strength_of_trend() -> None:
    """80 points come after 100, however strong the trend."""
    strong, weak, poor = (long(rising(**changed)) for changed in ({"adx_14": 40.0}, {}, {"adx_14": 50.0, "rsi_14": 75.0}))
    assert sorted([poor, weak, strong], key=coins.rank) == [strong, weak, poor]
