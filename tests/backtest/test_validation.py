"""The verdict: no to luck at the stated rate, yes to a planted edge, and a reason for each no. Its document is the code's."""

import math
import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import walks
from trading_bot.backtest import inference, validation
from trading_bot.backtest.plan import Result
from trading_bot.backtest.risk_score import (
    CLASSES,
    TERMS,
    Measured,
    RiskClass,
    concentration,
    expected_shortfall,
    leverage,
    risk_class,
    risks,
)
from trading_bot.backtest.statistics import Curve
from trading_bot.backtest.validation import Check, Validation, validate
from trading_bot.domain.trades import RoundTrip

Trade = Callable[..., RoundTrip]
DOCUMENT = (Path(__file__).resolve().parents[2] / "docs/validation.md").read_text()
RULES: tuple[Callable[[np.random.Generator, walks.Floats], walks.Floats], ...] = (
    lambda rng, _: walks.at_random(rng),
    lambda _, market: walks.crossing(market),
    lambda _, market: walks.small_wins(market),
)


def judged(result: Result, seed: int, trials: int = 1) -> Validation:
    """A verdict with fewer draws than a person would ask for: quicker, and as valid."""
    return validate(result, trials=trials, seed=seed, flips=399 if trials == 1 else 999, draws=20)


def check(found: Validation, name: str) -> Check:
    """The check of that name."""
    return next(c for c in found.checks if c.name == name)


def at_most(found: int, tried: int, rate: float) -> float:
    """Chance of `found` or fewer in `tried` if each comes at `rate`: the exact binomial."""
    return sum(math.comb(tried, k) * rate**k * (1 - rate) ** (tried - k) for k in range(found + 1))


def lucky(seed: int, tried: int) -> Result:
    """The best by Sharpe ratio of so many random entries into one random walk."""
    rng = np.random.default_rng([2, seed])
    market = walks.walk(rng)
    positions = [walks.at_random(rng) for _ in range(tried)]
    earned = [walks.earned(market, position) for position in positions]
    return walks.result(market, positions[int(np.argmax([e.mean() / e.std() for e in earned]))])


@pytest.mark.parametrize("drift", [0.0, 0.0006])
def test_strategies_without_skill_pass_less_often_than_the_stated_rate(drift: float) -> None:
    """300 random walks, flat and rising by 15 % a year: entries by a coin, a crossing both ways, many small wins and few large losses.

    So few pass that a true rate of 5 % or more is refuted with an exact p of 0.05; fixed seeds.
    """
    passed = 0
    for seed in range(300):
        rng = np.random.default_rng([1, seed])
        market = walks.walk(rng, drift)
        passed += judged(walks.result(market, RULES[seed % 3](rng, market)), seed).passed
    assert at_most(passed, 300, validation.ALPHA) < 0.05


@pytest.mark.parametrize("tried", [20, 100])
def test_the_best_of_many_without_skill_passes_less_often_than_the_stated_rate(tried: int) -> None:
    """120 walks, the best of 20 or 100 random entries: drawn p-values and bounded ones. None are kept from passing but by saying so."""
    best = [lucky(seed, tried) for seed in range(120)]
    passed = sum(judged(result, seed, tried).passed for seed, result in enumerate(best))
    assert at_most(passed, 120, validation.ALPHA) < 0.05
    unsaid = sum(judged(result, seed).passed for seed, result in enumerate(best))
    assert unsaid > 24  # a fifth: whoever keeps silent about the trials is fooled


def test_a_planted_edge_is_found() -> None:
    """60 walks whose next rise is guessed right 65 times of 100: 9 of 10 pass; in the best of 20 trials half still do."""
    passed = {1: 0, 20: 0}
    for seed in range(60):
        rng = np.random.default_rng([3, seed])
        market = walks.walk(rng)
        result = walks.result(market, walks.gifted(rng, market, 0.65))
        for trials in passed:
            passed[trials] += judged(result, seed, trials).passed
    assert passed[1] >= 54
    assert passed[20] >= 30


def test_who_rides_a_rising_market_shows_no_skill() -> None:
    """Entries by a coin in a market that doubles in a year: the trades win beyond luck, and yet less than the market explains."""
    rng = np.random.default_rng(4)
    market = walks.walk(rng, 0.003)
    found = judged(walks.result(market, walks.at_random(rng)), 1)
    assert check(found, "p-value of the trades").passed
    assert not check(found, "p-value against the market").passed
    assert not found.passed
    assert found.reasons == (check(found, "p-value against the market").reason,)


def gift(seed: int = 5) -> Result:
    """A result that passes."""
    rng = np.random.default_rng(seed)
    market = walks.walk(rng)
    return walks.result(market, walks.gifted(rng, market, 0.7))


def test_a_result_that_passes_says_what_it_rests_on() -> None:
    """Every check with its number, no reason against it, intervals around the measured figures, the score as the sum of its terms."""
    result = gift()
    found = validate(result, seed=1)
    assert found.passed
    assert found.reasons == ()
    assert [c.actual for c in found.checks][:2] == [len(result.trades), result.performance.win_rate]
    assert check(found, "Sharpe ratio").actual == result.performance.sharpe
    assert set(found.intervals) == {"total_return", "cagr", "sharpe", "max_drawdown"}
    for name in ("total_return", "cagr", "sharpe"):
        assert found.intervals[name].low < getattr(result.performance, name) < found.intervals[name].high
    assert found.risk_score == sum(risk.points for risk in found.risks)
    assert found.p_value == max(check(found, name).actual or 0 for name in ("p-value of the trades", "p-value against the market"))
    assert Validation.model_validate_json(found.canonical()) == found


def test_the_same_seed_gives_the_same_verdict() -> None:
    """To the last digit; another seed draws others."""
    result = gift(6)
    assert validate(result, seed=1) == validate(result, seed=1)
    assert validate(result, seed=1).intervals != validate(result, seed=2).intervals


def test_too_few_trades_have_no_numbers_and_do_not_pass() -> None:
    """29 of them: their count is said, the win rate and the p-values are not."""
    whole = gift()
    found = validate(whole.model_copy(update={"trades": whole.trades[:29]}), seed=1)
    assert not found.passed
    assert check(found, "closed trades").actual == 29
    assert (
        check(found, "closed trades").reason == "29 closed trades are too few; 30 or more are needed: test a longer period or more symbols"
    )
    for name in ("win rate", "p-value of the trades", "p-value against the market"):
        assert (check(found, name).actual, check(found, name).passed) == (None, False)
        assert check(found, name).reason.startswith(f"{name}: not known, because 29 closed trades")
    assert found.p_value is None
    assert len(found.reasons) == 4


def test_without_buy_and_hold_beside_it_nothing_passes() -> None:
    """A rising market would pass for skill."""
    market = walks.walk(np.random.default_rng(5))
    found = validate(walks.result(market, walks.gifted(np.random.default_rng(6), market, 0.7), benchmark=False), seed=1)
    assert not found.passed
    assert [c.name for c in found.checks if not c.passed] == ["p-value against the market"]
    assert "there is no buy and hold of a moving market beside it" in found.reasons[0]


def test_ruin_and_an_account_that_never_moved_do_not_pass() -> None:
    """Neither has a Sharpe ratio; ruin earns all points of what cannot be known."""
    whole = gift()
    ruined = validate(whole.model_copy(update={"equity": (*whole.equity[:-1], 0.0)}), seed=1)
    assert "equity that never was 0 or less" in check(ruined, "Sharpe ratio").reason
    assert (ruined.deflated_sharpe, ruined.intervals) == (None, {})
    unknown = {risk.name for risk in ruined.risks if risk.actual is None}
    assert {risk.points == risk.of for risk in ruined.risks if risk.name in unknown} == {True}
    assert len(unknown) == 5
    still = validate(whole.model_copy(update={"equity": (100.0,) * 504, "start": Decimal(100)}), seed=1)
    assert check(still, "Sharpe ratio").reason == "Sharpe ratio: not known, because equity never moved"
    assert not still.passed


def test_an_empty_result_is_judged_too() -> None:
    """No session, no trade: no number but counts, and the worst score but for leverage, which is unknown as well."""
    whole = gift()
    found = validate(whole.model_copy(update={"sessions": (), "equity": (), "exposure": (), "benchmark": (), "trades": ()}), seed=1)
    assert not found.passed
    assert (found.risk_score, found.risk_class) == (100, RiskClass.UNACCEPTABLE)


def test_a_count_of_trials_below_one_is_refused() -> None:
    """The result itself is one."""
    with pytest.raises(ValueError, match="the result itself is one"):
        validate(gift(), trials=0, seed=1)


def test_trials_correct_the_p_values_and_deflate_the_sharpe_ratio() -> None:
    """Of 20: p becomes 1 - (1 - p) ** 20. Sharpe ratios that vary more deflate more; their number counts where it is higher."""
    result = gift()
    alone, many = validate(result, seed=1), validate(result, trials=20, seed=1)
    assert alone.p_value is not None
    assert many.p_value == pytest.approx(1 - (1 - alone.p_value) ** 20)
    near, far = (validate(result, trial_sharpes=[k * n for n in range(20)], seed=1) for k in (0.01, 0.3))
    assert near.trials == far.trials == 20
    assert near.deflated_sharpe is not None
    assert far.deflated_sharpe is not None
    assert near.deflated_sharpe > far.deflated_sharpe


def test_the_terms_of_the_risk_score_by_hand(trade: Trade) -> None:
    """Worst 5 % of 40 sessions: -4 % and -2 %, mean 3 %. Best tenth of 20 trades: 50 and 30 of 100 gained, 0.8. 150 of 100 held: 1.5."""
    changes = np.array([-0.04, -0.02] + [0.01] * 38)
    trades = [trade(p) for p in ("50", "30", "10", "10", *["-5"] * 16)]
    curve = Curve((date(2024, 1, 1),), np.array([100.0]), np.array([150.0]), 100)
    assert expected_shortfall(changes) == pytest.approx(0.03)
    assert concentration(trades) == pytest.approx(0.8)
    assert leverage(curve) == 1.5
    found = risks(Measured(max_drawdown=0.2, volatility=0.35, changes=changes, trades=trades, deflated_sharpe=None, curve=curve))
    assert [risk.points for risk in found] == pytest.approx([12.5, 5, 7.5, 10, 10, 20, 5])


def test_a_score_on_a_threshold_is_of_the_worse_class() -> None:
    """0, 25, 50, 75 and just below each."""
    names = [risk_class(score) for score in (0, 24.9, 25, 49.9, 50, 74.9, 75, 100)]
    assert names == ["LOW", "LOW", "MEDIUM", "MEDIUM", "HIGH", "HIGH", "UNACCEPTABLE", "UNACCEPTABLE"]


def table(heading: str) -> list[tuple[str, ...]]:
    """Rows of the document's table whose first line starts with `heading`."""
    lines = DOCUMENT[DOCUMENT.index(f"| {heading} |") :].split("\n\n")[0].splitlines()
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def written(rows: Iterable[tuple[object, ...]]) -> list[tuple[str, ...]]:
    """Rows as the document writes them."""
    return [tuple(f"{cell:g}" if isinstance(cell, float | int) else str(cell) for cell in row) for row in rows]


def test_the_document_says_what_the_code_does() -> None:
    """Checks, terms, classes and the numbers in its sentences."""
    assert [row[:2] for row in table("check")] == [(c.name, c.wanted) for c in validate(gift(), seed=1).checks]
    assert table("term") == written((t.name, t.points, t.calm, t.worst) for t in TERMS)
    assert sum(t.points for t in TERMS) == 100
    assert table("class") == written((name, least) for least, name in reversed(CLASSES))
    said = re.sub(r"\s+", " ", DOCUMENT)
    for sentence in (
        f"fewer than {inference.LEAST_RETURNS} sessions",
        f"Up to {validation._MOST_DRAWN} trials",
        f"{inference.FLIPS:,} random signs",
        f"{inference.DRAWS:,} histories",
    ):
        assert sentence in said
