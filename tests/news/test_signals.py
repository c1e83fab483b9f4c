"""News and prices in one score, by hand; and the draw of the arms."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from news.readings import AAPL, reading
from trading_bot.domain.research import Analysis, Recommendation
from trading_bot.domain.values import Symbol
from trading_bot.news.signals import Signals, combine

MONDAY = date(2026, 3, 9)
DAYS = [MONDAY + timedelta(days=n) for n in range(250)]
SYMBOLS = [Symbol(s) for s in ("AAPL", "MSFT", "SPY", "QQQ", "BTC/USD", "NVDA", "AMD", "TSLA")]


def signals(technical: str = "0.5", combined: str = "0.5", experiment: str = "1") -> Signals:
    """Half and half."""
    return Signals(0.4, {"technical": Decimal(technical), "combined": Decimal(combined)}, experiment)


def analysis(**changed: Any) -> Analysis:  # noqa: ANN401 - fields
    """HOLD at 50, with a stop."""
    fields: dict[str, Any] = {
        "symbol": AAPL,
        "recommendation": Recommendation.HOLD,
        "score": 50.0,
        "confidence": 0.5,
        "signals": (),
        "multipliers": (),
        "price": 100.0,
        "stop": 97.0,
        "stop_basis": "3 %",
        "support": None,
        "resistance": None,
        "thesis": "HOLD at 50",
    }
    return Analysis.model_validate(fields | changed)


def test_backed_news_move_a_score_by_their_confidence_and_weight() -> None:
    """By hand: 0.4 x 0.5 = 20 % of the score are news at +0.8, which are 90 points: 0.8 x 50 + 0.2 x 90 = 58; a little more buys."""
    found = combine(analysis(), reading(stories=3, backed=0.8, backed_confidence=0.5), 0.4)
    assert found == analysis(
        score=58.0,
        confidence=0.58,
        strategy="momentum+news",
        thesis="HOLD at 50. News that several feeds tell weigh 20% at +0.80: 50 becomes 58. HOLD.",
    )
    assert combine(analysis(), reading(stories=3, backed=1.0, backed_confidence=0.5), 0.4).recommendation is Recommendation.BUY
    assert combine(analysis(), reading(stories=3, backed=-1.0, backed_confidence=0.75), 0.4).recommendation is Recommendation.AVOID


def test_a_reading_that_nobody_backs_changes_nothing_but_the_name_it_is_counted_by() -> None:
    """However sure one feed is."""
    found = combine(analysis(), reading(score=-1.0, confidence=0.99, stories=40, articles=40, feeds=1), 0.4)
    kept = {"score", "confidence", "recommendation", "price", "stop", "stop_basis", "signals", "multipliers"}
    assert found.model_dump(include=kept) == analysis().model_dump(include=kept)
    assert found.strategy == "momentum+news"


def test_no_news_are_good_enough_to_buy_without_a_stop() -> None:
    """It stays HOLD at any score."""
    found = combine(analysis(score=79.0, stop=None), reading(stories=9, backed=1.0, backed_confidence=1.0), 1.0)
    assert (found.score, found.recommendation) == (100.0, Recommendation.HOLD)


@given(st.floats(0, 100), st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_combined_score_lies_between_its_parts(score: float, backed: float, confidence: float, weight: float) -> None:
    """It is one of 0 to 100, and a confidence from 0 to 1 goes with it."""
    found = combine(analysis(score=score), reading(stories=1, backed=backed, backed_confidence=confidence), weight)
    said = 50 + 50 * backed
    assert min(score, said) - 1e-9 <= found.score <= max(score, said) + 1e-9
    assert Analysis.model_validate(found.model_dump()) == found


def test_an_arm_is_the_same_all_day_and_after_a_restart() -> None:
    """It depends on nothing but symbol, day and the experiment's name; another name draws anew."""
    drawn = {name: [signals(experiment=name).arm(s, d) for s in SYMBOLS for d in DAYS] for name in ("1", "2")}
    again = [signals(experiment="1").arm(s, d) for s in SYMBOLS for d in DAYS]
    assert again == drawn["1"]
    agreed = sum(a == b for a, b in zip(drawn["1"], drawn["2"], strict=True)) / len(again)
    assert agreed == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("combined", ["0.1", "0.5", "0.8"])
def test_over_many_days_each_arm_gets_its_share(combined: str) -> None:
    """Within three deviations of 2,000 draws, and no symbol is always in one arm."""
    found = signals(str(1 - Decimal(combined)), combined)
    drawn = Counter((s, found.arm(s, d)) for s in SYMBOLS for d in DAYS)
    share = sum(n for (_, arm), n in drawn.items() if arm == "combined") / 2000
    assert share == pytest.approx(float(combined), abs=0.034)
    assert all(drawn[symbol, "combined"] and drawn[symbol, "technical"] for symbol in SYMBOLS)


@pytest.mark.parametrize(("technical", "combined", "only"), [("1", "0", "technical"), ("0", "1", "combined")])
def test_a_share_of_one_leaves_nothing_to_the_other(technical: str, combined: str, only: str) -> None:
    """And an arm that is not named has none."""
    found = signals(technical, combined)
    assert {found.arm(s, d) for s in SYMBOLS for d in DAYS} == {only}
