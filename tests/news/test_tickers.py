"""Mentions: who an article is about and why; strangers and ordinary words are nobody."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.news import Mention, MentionReason
from trading_bot.domain.values import Symbol
from trading_bot.news.names import names
from trading_bot.news.tickers import Tickers

UNIVERSE = "AAPL MSFT TSLA META V TGT GPS F GOOG GOOGL BRK.B BA ALL ON IT AI JPM T LOW BTCUSDT ETH/USD SPY NVDA WXYZ".split()  # noqa: SIM905 - a list of symbols
TICKERS = Tickers([Symbol(s) for s in UNIVERSE], names())


def about(title: str, text: str = "", tagged: tuple[str, ...] = ()) -> dict[str, str]:
    """Symbols and reasons."""
    return {m.symbol: m.reason.value for m in TICKERS.mentions(title, text, tagged)}


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Apple shares rise", {"AAPL": "name"}),
        ("Tesla's margins and Tesla\u2019s sales", {"TSLA": "name"}),
        ("APPLE UNVEILS NEW PHONE TODAY", {"AAPL": "name"}),
        ("Ford Motor recalls trucks", {"F": "name"}),
        ("Alphabet beats", {"GOOG": "name", "GOOGL": "name"}),
        ("Berkshire buys more", {"BRK.B": "name"}),
        ("BRK.B and BRK-B, $BRK.B", {"BRK.B": "cashtag"}),
        ("Retailers such as Target and Lowe's fell", {"TGT": "name", "LOW": "name"}),
        ("Visa (V) gains; Target's sales; shares of Gap", {"V": "name", "TGT": "name", "GPS": "name"}),
        ("Some Corp (NASDAQ: AAPL) and (NYSE:BA)", {"AAPL": "exchange", "BA": "exchange"}),
        ("Buy $TSLA and $aapl", {"TSLA": "cashtag", "AAPL": "cashtag"}),
        ("Why WXYZ jumped", {"WXYZ": "ticker"}),
        ("The allstate stock (ALL)", {"ALL": "ticker"}),
        ("BA stock slips", {"BA": "ticker"}),
        ("bitcoin and Ethereum slide", {"BTCUSDT": "name", "ETH/USD": "name"}),
        ("Pairs such as ETHUSDT fell, and so did $BTC", {"BTCUSDT": "cashtag", "ETH/USD": "ticker"}),
        ("T\u0435sla with a Cyrillic letter", {"TSLA": "name"}),
        ("AT&T cuts", {"T": "name"}),
    ],
)
def test_who_is_called_is_found_with_the_reason(title: str, found: dict[str, str]) -> None:
    """By name, ticker, exchange, cashtag, in every way that papers write them."""
    assert about(title) == found


@pytest.mark.parametrize(
    "title",
    [
        "Best apple pie and Apple Pie recipes",
        "New visa requirements; Visa Requirements for Travellers",
        "A meta analysis, a Meta-Analysis",
        "Analysts raise target price, Price Target and Target Price",
        "The trade gap widens; Gap Year plans; Wage Gap",
        "Harrison Ford and Gerald Ford",
        "ALL eyes ON IT: AI and the CEO",
        "NEW RULES FOR ALL WXYZ FIRMS IN ASIA",
        "Worth $M, $5B and $T of debt",
        "AAPLX, XAAPL, $AAPLX (NASDAQ: AAPLQ)",
        "information technology (IT), artificial intelligence (AI)",
        "A shell company; Square Feet; block party; snap election",
        "He has a BA and works for the PM",
    ],
)
def test_ordinary_words_and_invented_tickers_are_nobody(title: str) -> None:
    """No mention at all."""
    assert about(title) == {}


def test_the_source_is_believed_first_and_only_within_the_universe() -> None:
    """Tags in any spelling; a tag of a stranger is nothing."""
    assert TICKERS.mentions("Apple and Tesla", "", ("NASDAQ:TSLA", "crypto:btc", "FAKE", "$brk-b", "")) == (
        Mention(symbol=Symbol("TSLA"), reason=MentionReason.SOURCE),
        Mention(symbol=Symbol("BTCUSDT"), reason=MentionReason.SOURCE),
        Mention(symbol=Symbol("BRK.B"), reason=MentionReason.SOURCE),
        Mention(symbol=Symbol("AAPL"), reason=MentionReason.NAME),
    )


def test_the_longest_name_wins_even_if_nobody_trades_it() -> None:
    """Apple Hospitality is not Apple."""
    assert about("Apple Hospitality REIT raises dividend") == {}


@given(st.text(max_size=200), st.text(max_size=200), st.lists(st.text(max_size=10), max_size=3))
def test_no_text_breaks_it_and_every_mention_is_of_the_universe(title: str, text: str, tagged: list[str]) -> None:
    """Whatever is written."""
    assert {m.symbol for m in TICKERS.mentions(title, text, tagged)} <= set(UNIVERSE)


def test_headlines_of_41_symbols_are_told_apart(shared: Path) -> None:
    """Tags of a vendor, who also tags what a headline does not name: what is found is tagged, and most that is tagged is found."""
    by_title: dict[str, set[str]] = {}
    with (shared / "data/news/fmp_midcaps_2024-06_to_2025-01.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_title.setdefault(row["title"], set()).add(row["symbol"])
    tickers = Tickers(sorted({Symbol(s) for tagged in by_title.values() for s in tagged}), names())
    found = {title: {str(m.symbol) for m in tickers.mentions(title, "", ())} for title in by_title}
    right = sum(len(found[title] & tagged) for title, tagged in by_title.items())
    assert right / sum(map(len, found.values())) > 0.99
    assert right / sum(map(len, by_title.values())) > 0.70
