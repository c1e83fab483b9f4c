"""The run card names what a result was made from, and what of it has changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from builders import AAPL, NOW
from desks import FIVE, Bar, ScriptedSource
from trading_bot import config
from trading_bot.backtest.card import Inputs, check_card, differences, expect_card, make_card, package_digest
from trading_bot.backtest.plan import Market, Plan
from trading_bot.domain.errors import CardMismatchError, NoDataError
from trading_bot.domain.market import Dividend, Split, Timeframe
from trading_bot.domain.values import Digest, Symbol, derive_digest
from trading_bot.market.calendar import open_calendar

DAY = NOW.date()
OPENING = NOW
CLOSE = NOW.replace(hour=21, minute=0)
"""2024-03-05 in New York, winter time."""
PLAN = Plan(
    strategy="sma_cross",
    values={"fast": 2.0},
    symbols=(AAPL,),
    first=DAY,
    last=DAY,
    timeframe=Timeframe.MINUTE_5,
    share=Decimal("0.2"),
    reserve=Decimal("0.02"),
)
INPUTS = Inputs(strategy=derive_digest("strategy"), config=derive_digest("config"))
COMMAND = "backtest run sma_cross"
SESSION = int((CLOSE - OPENING) / FIVE)


def bars(count: int, **changed: Bar) -> list[Bar]:
    """Flat bars at 100; `bar_3=...` is the fourth one."""
    found: list[Bar] = [(100.0, 101.0, 99.0, 100.0)] * count
    for name, bar in changed.items():
        found[int(name.removeprefix("bar_"))] = bar
    return found


def market(
    script: Sequence[Bar], start: datetime = OPENING, actions: Sequence[Split | Dividend] = (), spread: str = "2", **costs: str
) -> Market:
    """A market on which AAPL trades as scripted."""
    settings = config.load(flags={f"broker.{key}": value for key, value in costs.items()}).broker
    return Market(ScriptedSource(script, start, actions), open_calendar, settings, Decimal(spread))


def test_equal_inputs_give_an_equal_card() -> None:
    """Two sources that were built apart, with the same bars."""
    cards = [make_card(PLAN, market(bars(SESSION)), INPUTS, COMMAND) for _ in range(2)]
    assert cards[0] == cards[1]
    assert list(cards[0].data) == ["AAPL 5m"]
    assert {"python", "numpy", "pandas", "numba", "TA-Lib", "trading-bot", "optuna"} <= cards[0].versions.keys()


@pytest.mark.parametrize("column", range(4))
def test_a_price_that_changed_is_told_by_its_symbol(column: int) -> None:
    """A millionth, in any column of any bar."""
    card = make_card(PLAN, market(bars(SESSION)), INPUTS, COMMAND)
    prices = [100.0, 101.0, 99.0, 100.0]
    prices[column] += 1e-6
    one, two, three, four = prices
    assert check_card(card, market(bars(SESSION, bar_7=(one, two, three, four))), INPUTS) == ("data of AAPL 5m changed",)


def test_history_before_the_period_is_covered_and_what_comes_after_it_is_not() -> None:
    """Indicators read the former; no run may see the latter."""
    early = OPENING - timedelta(days=1)
    card = make_card(PLAN, market(bars(SESSION, bar_0=(100.0, 101.0, 99.0, 100.5)), early), INPUTS, COMMAND)
    assert check_card(card, market(bars(SESSION), early), INPUTS) == ("data of AAPL 5m changed",)
    card = make_card(PLAN, market(bars(SESSION)), INPUTS, COMMAND)
    assert check_card(card, market(bars(SESSION + 50)), INPUTS) == ()
    assert check_card(card, market(bars(SESSION - 1)), INPUTS) == ("data of AAPL 5m changed",)


def test_splits_and_dividends_are_covered_until_the_period_ends() -> None:
    """One inside changes the data; one after it is not known yet."""
    card = make_card(PLAN, market(bars(SESSION)), INPUTS, COMMAND)
    inside = [Split(symbol=AAPL, ex=OPENING, ratio=Decimal(2))]
    after = [Dividend(symbol=AAPL, ex=OPENING + timedelta(days=1), amount=Decimal(1))]
    assert check_card(card, market(bars(SESSION), actions=inside), INPUTS) == ("data of AAPL 5m changed",)
    assert check_card(card, market(bars(SESSION), actions=after), INPUTS) == ()


def test_a_daily_plan_on_finer_bars_covers_these() -> None:
    """The source makes its days from five minutes."""
    daily = PLAN.model_copy(update={"timeframe": Timeframe.DAY})
    assert list(make_card(daily, market(bars(SESSION)), INPUTS, COMMAND).data) == ["AAPL 5m"]


def test_every_other_input_is_told_by_its_name() -> None:
    """Code, configuration, costs, spread, prompts, models, further files."""
    here = market(bars(SESSION))
    card = make_card(PLAN, here, INPUTS, COMMAND)
    other = derive_digest("other")
    assert check_card(card, here, replace(INPUTS, strategy=other)) == ("code changed (the package or the strategy's file)",)
    assert check_card(card, here, replace(INPUTS, config=other)) == ("configuration changed",)
    assert check_card(card, market(bars(SESSION), slippage_bps="7"), INPUTS) == ("configuration changed",)
    assert check_card(card, market(bars(SESSION), spread="3"), INPUTS) == ("configuration changed",)
    assert check_card(card, here, replace(INPUTS, prompts=other)) == ("prompts changed",)
    assert check_card(card, here, replace(INPUTS, models=("opus",))) == ("models changed from none to opus",)
    assert check_card(card, here, replace(INPUTS, files={"sentiment.csv": other})) == ("data of sentiment.csv is new",)


def test_a_plan_is_told_by_its_fields_and_parameters() -> None:
    """Each that another plan has otherwise."""
    here = market(bars(SESSION))
    other = PLAN.model_copy(update={"values": {"fast": 3.0, "slow": 9.0}, "seed": 4})
    assert differences(make_card(PLAN, here, INPUTS, COMMAND), make_card(other, here, INPUTS, COMMAND)) == (
        "plan's parameter fast changed from 2 to 3",
        "plan's parameter slow changed from none to 9",
        "plan's seed changed from 0 to 4",
    )


def test_another_version_is_told_with_both_numbers() -> None:
    """A library that reckons otherwise may give another result."""
    here = market(bars(SESSION))
    card = make_card(PLAN, here, INPUTS, COMMAND)
    old = card.model_copy(update={"versions": {**card.versions, "numpy": "1.0"}})
    assert check_card(old, here, INPUTS) == (f"version of numpy changed from 1.0 to {card.versions['numpy']}",)


def test_a_run_on_changed_data_is_refused_with_all_that_changed() -> None:
    """And one on the same data is not."""
    card = make_card(PLAN, market(bars(SESSION)), INPUTS, COMMAND)
    expect_card(card, market(bars(SESSION)), INPUTS)
    with pytest.raises(CardMismatchError, match=r"data of AAPL 5m changed; prompts changed\. Bring that back, or make a new run"):
        expect_card(card, market(bars(SESSION + 1, bar_1=(90.0, 99.0, 89.0, 91.0))), replace(INPUTS, prompts=Digest("0" * 64)))


def test_a_symbol_that_the_source_lost_is_told() -> None:
    """A file that was removed is no changed file."""
    card = make_card(PLAN, market(bars(SESSION)), INPUTS, COMMAND)
    gone = Market(ScriptedSource(bars(3), symbol=Symbol("SPY")), open_calendar, config.load().broker, Decimal(2))
    assert check_card(card, gone, INPUTS) == ("data of AAPL is gone",)
    with pytest.raises(NoDataError):
        make_card(PLAN, gone, INPUTS, COMMAND)


def test_the_code_is_told_by_text_and_path_of_every_module(tmp_path: Path) -> None:
    """A file that was changed, moved or added is another package; notes beside the code are not code."""
    folders = [tmp_path / name for name in ("one", "same", "changed", "moved")]
    texts = [("a.py", "x = 1"), ("a.py", "x = 1"), ("a.py", "x = 2"), ("b.py", "x = 1")]
    for folder, (name, text) in zip(folders, texts, strict=True):
        folder.mkdir()
        (folder / name).write_text(text, "utf-8")
    (folders[1] / "notes.txt").write_text("notes", "utf-8")
    one, same, changed, moved = (package_digest(folder) for folder in folders)
    assert one == same
    assert len({one, changed, moved}) == 3
