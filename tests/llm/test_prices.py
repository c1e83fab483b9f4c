"""Prices of models: the vendor's list, by token class, and never a guess that is too low."""

from datetime import date
from decimal import Decimal

import pytest

from trading_bot.llm.prices import Tokens, cost, is_listed, maximal_turn, price_list

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-haiku-4-5", ("1", "5", "0.1", "1.25")),
        ("claude-sonnet-4-5", ("3", "15", "0.3", "3.75")),
        ("claude-opus-4-5", ("5", "25", "0.5", "6.25")),
        ("claude-opus-4-1", ("15", "75", "1.5", "18.75")),
        ("deepseek-flash", ("0.3", "1.2", "0.006", "0.3")),
    ],
)
def test_a_million_tokens_of_each_class_cost_what_the_list_says(model: str, expected: tuple[str, ...]) -> None:
    """Input, output, read from the cache, written to it."""
    classes = ("input", "output", "cache_read", "cache_write")
    assert [cost(model, Tokens(**{name: MILLION})) for name in classes] == [Decimal(text) for text in expected]


def test_classes_of_one_call_add_up() -> None:
    """866 tokens in and 64 out, a tenth of them from the cache."""
    assert cost("claude-haiku-4-5", Tokens(input=800, output=64, cache_read=66, cache_write=0)) == Decimal("0.0011266")


@pytest.mark.parametrize(
    "spelled",
    [
        "claude-haiku-4-5-20251001",
        "claude-haiku-4-5@20251001",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "claude-haiku-4-5[1m]",
    ],
)
def test_a_model_is_known_under_every_vendors_spelling(spelled: str) -> None:
    """Dates, versions and regions change no price."""
    assert cost(spelled, Tokens(output=MILLION)) == Decimal(5)


@pytest.mark.parametrize("model", ["opus", "claude-opus-4-9", "claude-haiku-4", "claude-haiku-4-5-turbo", "", "gpt"])
def test_a_model_that_is_not_listed_counts_at_the_dearest_price(model: str) -> None:
    """A new model with an old one's beginning is not the old one."""
    dearest = {name: max(getattr(p, name) for p in price_list().prices) for name in ("input", "output", "cache_read", "cache_write")}
    assert not is_listed(model)
    assert {name: cost(model, Tokens(**{name: MILLION})) for name in dearest} == dearest


def test_a_price_that_depends_on_the_prompt_takes_the_higher_band_above_its_border() -> None:
    """All prompts of a call together decide: never too low."""
    assert cost("claude-haiku-5-5", Tokens(input=100_000)) == Decimal("0.01")
    assert cost("claude-haiku-5-5", Tokens(input=50_000, cache_read=50_001)) == Decimal("0.02750005")


def test_a_maximal_turn_reads_its_prompt_the_dearest_way_and_fills_its_answer() -> None:
    """The whole prompt written to the hour's cache; no more of it than the model's window takes."""
    assert maximal_turn("claude-haiku-4-5", 100_000, 4096) == Decimal("0.22048")
    assert maximal_turn("claude-haiku-4-5", 5_000_000, 4096) == Decimal("0.42048")
    assert maximal_turn("claude-opus-4-9", MILLION, 1000) == Decimal("30.075")


def test_the_list_says_where_and_when_it_was_read() -> None:
    """And no model stands twice in one band."""
    found = price_list()
    assert [(source.vendor, source.url.split("/")[2]) for source in found.sources] == [
        ("Anthropic", "platform.claude.com"),
        ("DeepSeek", "api-docs.deepseek.com"),
    ]
    assert found.date >= date(2026, 11, 21)
    assert len({(p.model, p.above) for p in found.prices}) == len(found.prices)
