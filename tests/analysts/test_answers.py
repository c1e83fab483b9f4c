"""What a model is told to answer, and how its answer is read: small schemas, exact prices, clean text."""

from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from trading_bot.analysts.answers import Graded, Judged, Picks, Plan, Ruling, Said, abstention, clean, read, schema
from trading_bot.analysts.trade_answers import Opening, Watched
from trading_bot.domain.values import canonical_json

ANSWERS = (Picks, Judged, Plan, Graded, Ruling, Opening, Watched)
PLAN: dict[str, Any] = {
    "symbol": "AAPL",
    "style": "now",
    "entry": 129.77,
    "stop": "125.5",
    "targets": [{"price": 136, "fraction": 0.5}, {"price": 140.25, "fraction": "0.5"}],
    "exposure": 0.75,
    "reason": "near SMA 20",
    "claims": [{"evidence": "abcdefgh", "field": "entry", "value": 129.77}],
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_schema_is_small_and_asks_for_the_fields_that_are_read(answer: type[Said]) -> None:
    """It is sent with every request: 650 bytes at most. A screen claims for each candidate, not as a whole."""
    told = schema(answer)
    assert len(canonical_json(told)) <= 650
    assert {*told["properties"]} | {"claims"} == {*answer.model_fields, "abstain"}
    assert "required" not in told


def test_a_schema_takes_an_answer_and_an_abstention() -> None:
    """By an independent validator."""
    jsonschema.validate(PLAN, schema(Plan))
    jsonschema.validate({"abstain": "no data"}, schema(Plan))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**PLAN, "style": "soon"}, schema(Plan))


def test_prices_are_read_exactly_from_numbers_and_from_strings() -> None:
    """The shortest spelling of a float is what was meant."""
    plan, wrong = read(Plan, PLAN)
    assert plan is not None
    assert (plan.entry, plan.stop, plan.exposure) == (Decimal("129.77"), Decimal("125.5"), Decimal("0.75"))
    assert [(t.price, t.fraction) for t in plan.targets] == [(Decimal(136), Decimal("0.5")), (Decimal("140.25"), Decimal("0.5"))]
    assert wrong == ()


def test_what_nobody_asked_for_is_not_heard() -> None:
    """A quantity or an order beside the answer changes nothing."""
    assert read(Plan, {**PLAN, "quantity": 10_000, "orders": [{"side": "buy"}]}) == read(Plan, PLAN)


BAD: dict[str, Any] = {
    "a negative price": {"entry": -1},
    "a price that is true": {"entry": True},
    "infinity": {"entry": float("inf")},
    "a huge exponent": {"entry": "1e999999999"},
    "a long number": {"entry": "1" * 200_000},
    "a list": {"entry": [1]},
    "200 KB of symbol": {"symbol": "A" * 200_000},
    "a thousand targets": {"targets": [{"price": 140, "fraction": 0.001}] * 1000},
    "a thousand claims": {"claims": PLAN["claims"] * 1000},
    "claims of nothing": {"claims": [{}]},
    "a claim of a list": {"claims": [{"evidence": "a", "field": "b", "value": [1, 2]}]},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_a_bad_answer_is_told_what_is_wrong_in_a_few_short_sentences(fields: dict[str, Any]) -> None:
    """And never raises."""
    plan, wrong = read(Plan, {**PLAN, **fields})
    assert plan is None
    assert 0 < len(wrong) <= 5
    assert all(len(sentence) <= 200 for sentence in wrong)


def test_text_loses_what_a_person_cannot_see_and_ends_somewhere() -> None:
    """Control, zero-width and direction characters; line ends become spaces."""
    assert clean("buy\u202e it\x1b[31m\u200b now\r\nat\tonce", 40) == "buy it[31m now at once"
    assert len(clean("x" * 200_000, 300)) == 300


@pytest.mark.parametrize(("said", "why"), [("no data", "no data"), ("", None), ("\u200b", None), (None, None), (7, None)])
def test_only_words_abstain(said: object, why: str | None) -> None:
    """An empty reason is none."""
    assert abstention({"abstain": said}) == why
