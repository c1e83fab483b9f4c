"""`docs/scoring.md` says what the code does: its tables are the code's, and its worked example comes out."""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from math import sqrt
from pathlib import Path

from trading_bot.analysts import rules_coins
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.proposals import NOISE_SPREADS
from trading_bot.domain.research import Regime
from trading_bot.domain.values import Symbol
from trading_bot.market import coins, entry, levels
from trading_bot.market.analysis import (
    MULTIPLIERS,
    NOISE_ATR,
    RECOMMENDATIONS,
    SIGNAL_POINTS,
    SIGNALS,
    STOP_ATR,
    STOP_SHARE,
    analyze,
)
from trading_bot.market.indicators import RANK_BARS, VOLATILITY_BARS
from trading_bot.market.regime import BENCHMARKS, THRESHOLDS
from trading_bot.market.screen import TERMS, filters, score
from trading_bot.market.snapshot import LEAST_BARS, Snapshot

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs/scoring.md").read_text().split("## Review")[0]
COINS = re.sub(r"\s+", " ", DOCUMENT.split("## Coins round the clock")[1])


def table(heading: str) -> list[tuple[str, ...]]:
    """Rows of the table whose first line starts with `heading`."""
    lines = DOCUMENT[DOCUMENT.index(f"| {heading} |") :].split("\n\n")[0].splitlines()
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def written(rows: Iterable[tuple[object, ...]]) -> list[tuple[str, ...]]:
    """Rows as the document writes them."""
    return [tuple(f"{cell:g}" if isinstance(cell, float | int) else str(cell) for cell in row) for row in rows]


def test_the_tables_of_the_document_are_the_codes_own(snapshot: Callable[..., Snapshot]) -> None:
    """Every number of filters, terms, signals, multipliers, recommendations, targets and exposure."""
    assert table("filter") == written((check.name, check.wanted) for check in filters(snapshot()))
    assert table("group") == written((t.group, t.name, t.points, t.worst, t.best) for t in TERMS)
    assert table("signal") == written((signal.name, signal.wanted) for signal in SIGNALS)
    assert table("applies on") == written((m.name, f"{m.factor:.2f}") for m in MULTIPLIERS)
    assert table("score, at least | recommendation") == written(RECOMMENDATIONS)
    assert table("target, in multiples of the risk") == written(entry.TARGETS)
    assert table("regime | factor") == written(entry.REGIME_EXPOSURE.items())
    assert table("score, at least | factor") == written(entry.SCORE_EXPOSURE)
    assert table("ATR in per cent of the price, at least") == written(entry.VOLATILITY_EXPOSURE)


def test_the_thresholds_in_its_sentences_are_the_codes_own() -> None:
    """Regime, stop, noise, swings, pullback."""
    said = re.sub(r"\s+", " ", DOCUMENT)
    for sentence in (
        f"fewer than {LEAST_BARS} daily bars",
        f"values is {THRESHOLDS.high_volatility_rank:g} or more, and the volatility {THRESHOLDS.high_volatility:g} a bar or more",
        f"ADX is below {THRESHOLDS.trend_adx:g}, or SMA 50 changed by less than {THRESHOLDS.trend_slope:g} in 10 bars",
        f"if {THRESHOLDS.breadth_volatile:g} of the symbols or more are of high volatility",
        f"`trend_up` if {THRESHOLDS.breadth_up:g} or more",
        f"`trend_down` if {THRESHOLDS.breadth_down:g} or fewer",
        f"({', '.join(BENCHMARKS[:2])} or {BENCHMARKS[2]},",
        f"of support, {STOP_ATR:g} ATR below and {100 * STOP_SHARE:g} % below",
        f"the larger of {'half an' if NOISE_ATR == 0.5 else NOISE_ATR} ATR and {'three' if NOISE_SPREADS == 3 else NOISE_SPREADS} spreads",
        f"the extreme of {levels.WING} bars on either side, counts once those have closed, is remembered for {levels.LOOKBACK} bars",
        f"joins others within {levels.CLUSTER:g} ATR",
        f"no more than {entry.EXTENDED_ATR:g} ATR above SMA 20",
    ):
        assert sentence in said


def test_the_worked_example_comes_out_as_written(snapshot: Callable[..., Snapshot]) -> None:
    """From the values given to the plan computed."""
    given = {name: float(value) for name, value in table("given")}
    share = snapshot(**given)
    candidate = score(share)
    analysis = analyze(share, Regime.RANGE, 0.02)
    plan = entry.plan_entry(analysis, share, Instrument(symbol=Symbol("AAA")), Regime.RANGE)
    assert plan is not None
    assert all(check.passed for check in filters(share))
    assert table("computed") == [
        ("volume", f"{candidate.volume:.2f}"),
        ("technical", f"{candidate.technical:.2f}"),
        ("trend", f"{candidate.trend:.2f}"),
        ("liquidity", f"{candidate.liquidity:.2f}"),
        ("screen score", f"{candidate.score:.2f}"),
        ("analysis score", f"{analysis.score:.2f}"),
        ("recommendation", analysis.recommendation),
        ("stop basis", analysis.stop_basis),
        ("style", plan.style),
        ("entry", str(plan.entry)),
        ("stop", str(plan.stop_loss)),
        ("first target", str(plan.targets[0].price)),
        ("second target", str(plan.targets[1].price)),
        ("exposure", str(plan.exposure)),
    ]


def test_the_tables_of_coins_are_the_codes_own() -> None:
    """Filters, signals, gates and exposure."""
    assert table("filter of a coin") == written((one.name, one.wanted) for one in coins.FILTERS)
    assert table("signal of a side") == written((one.name, one.wanted) for one in coins.SIGNALS)
    assert table("regime of a coin") == written(coins.LEAST_SCORE.items())
    assert table("score of a coin, at least") == written(coins.SCORE_EXPOSURE)
    assert table("regime of a coin that makes it smaller") == written(coins.REGIME_EXPOSURE.items())


def test_the_numbers_in_the_sentences_on_coins_are_the_codes_own() -> None:
    """What is looked at, how a trade is opened, and how it is watched."""
    first, second = entry.TARGETS
    hours = rules_coins.HORIZON // timedelta(hours=1)
    for sentence in (
        f"{RANK_BARS} volatilities of {VOLATILITY_BARS} bars need {RANK_BARS + VOLATILITY_BARS} quarters of an hour",
        f"closed more than {coins.STALE_BARS} lengths of it ago",
        f"told more than {coins.STALE_FUNDING // timedelta(hours=1)} hours ago is unknown",
        f"Five signals of {SIGNAL_POINTS:g} points",
        f"and has {coins.LOOK_SCORE:g} points, in a regime that is known",
        f"is {THRESHOLDS.high_volatility_rank:g} or more, and the volatility {coins.VOLATILE:g} a bar or more",
        f"(about {100 * coins.VOLATILE * sqrt(96 * 365):.0f} % a year)",
        f"The stop lies {coins.BEYOND_SWING_ATR} ATR of an hour beyond",
        f"no nearer than {coins.LEAST_STOP_ATR} and no further than {coins.MOST_STOP_ATR} ATR; {coins.STOP_ATR} ATR away",
        f"half at {first[0]}, half at {second[0]} times the risk",
        f"The noise is {'half' if NOISE_ATR == 0.5 else NOISE_ATR} an ATR of an hour",
        f"The confidence is {coins.CONFIDENCE:g}, the chance of {first[0]} before -1",
        f"{hours} hours after the opening it is closed",
        f"Funding that takes {100 * rules_coins.HARD_FUNDING:.1f} % or more",
        f"and {rules_coins.SHAKEN} of one that wins is given up",
        f"has reached {rules_coins.TRAIL_FROM} times the first risk, to {rules_coins.TRAIL_ATR:g} ATR of an hour behind",
        f"It moves by {rules_coins.STEP_ATR:g} ATR or more",
    ):
        assert sentence in COINS
    assert len(coins.SIGNALS) == 5
    assert len(rules_coins.RULES) == len(re.findall(r" \d\. ", COINS.split("### While it runs")[1]))
