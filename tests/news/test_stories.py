"""Which articles tell one story."""

import csv
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_bot.news.stories import Signature, bands, contradict, is_same_story, novelty, signature, similarity

HEADLINES = st.lists(
    st.sampled_from(["Apple", "Tesla", "profit", "rises", "falls", "Q2", "Q3", "5%", "guidance", "cuts", "the", "…", "Œuvre"])
)
LEAD = (
    "Boeing shares dropped on Tuesday after the regulator opened a new probe into the quality of the 737 MAX, adding to the troubles of "
    "a planemaker whose deliveries have fallen for three quarters in a row, the agency said."
)


def of(words: list[str]) -> Signature:
    """The signature of some words as a headline."""
    return signature(" ".join(words))


def found(a: Signature, b: Signature) -> bool:
    """Whether an index over band keys would find one by the other."""
    return not set(bands(a)).isdisjoint(bands(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (
            "Apple second-quarter profit rises 5%, beats estimates",
            "UPDATE 2-Apple second-quarter profit rises 5%, beats estimates - Reuters",
        ),
        ("Apple Q2 profit rises 5%, beats estimates", "Apple's second-quarter profit rises 5%, beating analysts' estimates"),
        ("Boeing shares drop after regulator opens new probe into 737 MAX", "Boeing shares drop after regulator opens new probe..."),
        ("AutoZone misses first-quarter profit, revenue estimates", "AutoZone (AZO) Misses Q1 Earnings and Revenue Estimates"),
        ("Nvidia unveils new AI chip at annual conference", "Nvidia reveals new AI chip at conference | MarketWatch"),
        ("Tesla cuts prices in China again", "Tesla slashes China prices again"),
        ("MicroStrategy to join Nasdaq 100 this month", "MICROSTRATEGY TO JOIN NASDAQ 100 THIS MONTH"),
    ],
)
def test_a_headline_told_again_is_the_same_story(a: str, b: str) -> None:
    """Prefixes, publishers, cut ends and other words for the same."""
    one, other = signature(a), signature(b)
    assert is_same_story(one, other)
    assert found(one, other)
    assert novelty(other, [one]) < 0.6


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Apple Q2 profit rises", "Apple Q3 profit falls"),
        ("Apple Q2 profit rises 5%", "Apple Q3 profit rises 5%"),
        ("Apple Q2 profit rises 5%, beats estimates", "Microsoft Q2 profit rises 5%, beats estimates"),
        ("Apple shares rise after results", "Apple shares fall after results"),
        ("Adobe (ADBE) Reports Q2 Earnings: What Key Metrics Say", "Oracle (ORCL) Reports Q2 Earnings: What Key Metrics Say"),
        ("Five Below (FIVE) Tops Q3 Earnings and Revenue Estimates", "Ulta Beauty (ULTA) Tops Q3 Earnings and Revenue Estimates"),
        (
            "Investors Heavily Search Adobe Inc. (ADBE): What You Need to Know",
            "Investors Heavily Search Salesforce Inc. (CRM): What You Need to Know",
        ),
    ],
)
def test_headlines_of_one_template_about_different_things_are_different_stories(a: str, b: str) -> None:
    """However alike their words are."""
    one, other = signature(a), signature(b)
    assert not is_same_story(one, other)
    assert novelty(other, [one]) == 1


def test_the_same_text_under_another_headline_is_the_same_story() -> None:
    """As of an agency whose customers write headlines of their own; a feed's cut text too."""
    one = signature("Boeing sinks on fresh probe", LEAD)
    assert is_same_story(one, signature("Planemaker under scrutiny over 737 MAX quality", LEAD))
    assert is_same_story(one, signature("Planemaker under scrutiny", LEAD[:170] + "..."))
    assert found(one, signature("Planemaker under scrutiny over 737 MAX quality", LEAD))


def test_novelty_falls_from_the_first_telling_to_a_copy() -> None:
    """A rewrite lies between them."""
    first, rewrite = signature("Tesla cuts prices in China again"), signature("Tesla slashes China prices again")
    assert novelty(first, []) == 1
    assert novelty(first, [signature("Oil ends higher")]) == 1
    assert novelty(first, [first]) == 0
    assert 0 < novelty(rewrite, [first]) < 1


@settings(max_examples=60, deadline=None)
@given(HEADLINES, HEADLINES)
def test_similarity_is_symmetric_and_the_order_of_words_changes_nothing(a: list[str], b: list[str]) -> None:
    """Nor does the order of articles."""
    one, other = of(a), of(b)
    assert similarity(one, other) == similarity(other, one)
    assert contradict(one, other) == contradict(other, one)
    assert similarity(one, one) in {0.0, 1.0}
    assert all(0 <= key < 2**63 for key in bands(one))
    assert signature(" ".join(sorted(a))).names == signature(" ".join(sorted(a, reverse=True))).names


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_has_a_signature_that_is_kept_whole(title: str, text: str) -> None:
    """As bytes and back."""
    made = signature(title, text)
    again = Signature.unpack(made.pack())
    assert (again.names, again.numbers, again.lean, bands(again)) == (made.names, made.numbers, made.lean, bands(made))
    assert similarity(made, again) == similarity(made, made)


def test_signatures_are_the_same_in_every_process() -> None:
    """Whatever the seed of Python's hashes; these very numbers stand in databases."""
    program = "from trading_bot.news.stories import *; print(signature('Apple Q2 profit rises 5%', 'x').pack().hex())"
    command = [sys.executable, "-c", program]
    runs = {subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() for _ in "ab"}  # noqa: S603 - this Python
    assert runs == {signature("Apple Q2 profit rises 5%", "x").pack().hex()}
    assert signature("Apple Q2 profit rises 5%").title[:3].tolist() == FIRST


FIRST = [245072318, 261897939, 569091967]


def test_what_feeds_do_to_recorded_headlines_leaves_most_of_them_the_same_story(shared: Path) -> None:
    """And of headlines about different symbols hardly any are joined."""
    with (shared / "data" / "news" / "stockbench_djia_2024-12_to_2025-04.csv").open(encoding="utf-8", newline="") as file:
        titles = list(dict.fromkeys(row["title"] for row in csv.DictReader(file)))[:500]
    known = [signature(title) for title in titles]

    def kept(told: list[str]) -> float:
        again = [signature(title) for title in told]
        return sum(is_same_story(a, b) and found(a, b) for a, b in zip(known, again, strict=True)) / len(known)

    assert kept([f"UPDATE 2-{title} - Reuters" for title in titles]) > 0.99
    assert kept([title[: len(title) * 3 // 4] + "..." for title in titles]) > 0.9
    joined = sum(is_same_story(a, b) for a, b in pairwise(known))
    assert joined < 0.02 * len(known)
