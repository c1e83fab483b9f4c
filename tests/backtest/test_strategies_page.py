"""What `docs/strategies.md` shows works, and what it lists is there."""

import re
from pathlib import Path

import pytest

from frames import random_frame
from trading_bot.backtest.asking import ask
from trading_bot.backtest.loading import load_strategy, shipped
from trading_bot.backtest.look_ahead import find_look_ahead
from trading_bot.backtest.sentiment_file import DAYS
from trading_bot.domain.market import Timeframe
from trading_bot.market.frame import IndicatorFrame

PAGE = (Path(__file__).resolve().parents[2] / "docs/strategies.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("block", "honest"), [(0, True), (1, False)])
def test_the_strategies_on_the_page_do_what_the_page_says(tmp_path: Path, block: int, *, honest: bool) -> None:
    """The first trades and looks back only; the second reads the future, and is found."""
    path = tmp_path / "shown.py"
    path.write_text(BLOCKS[block], "utf-8")
    strategy = load_strategy(str(path)).strategy
    assert ask(strategy, random_frame(700), {}).entry.any()
    assert (find_look_ahead(strategy, random_frame(700), {}, seed=1) is None) == honest
    assert len(BLOCKS) == 2


def test_the_shipped_strategies_and_their_parameters_are_on_the_page() -> None:
    """All, in order."""
    table = re.findall(r"^\| `(\w+)` \| .* \| (none|`.*`) \|$", PAGE, re.MULTILINE)
    assert table == [(s.name, " ".join(f"`{p.name}`" for p in s.parameters) or "none") for s in shipped()]


def test_every_call_on_the_page_is_one_of_the_frame() -> None:
    """Methods by name, and the example of a coarser timeframe."""
    part = PAGE[PAGE.index("## The frame") : PAGE.index("## What is refused")]
    named = set(re.findall(r"`(\w+)\(", part))
    assert named == {
        "sma",
        "ema",
        "rsi",
        "atr",
        "adx",
        "highest",
        "lowest",
        "deviation",
        "volume_sma",
        "bands",
        "macd",
        "swings",
        "higher",
        "keep",
    }
    assert {name for name in named if not callable(getattr(IndicatorFrame, name, None))} == set()
    frame = random_frame(5000, timeframe=Timeframe.MINUTE)
    assert frame.higher("1h", lambda hours: hours.sma(50))[-1] > 0
    assert f"NaN after {DAYS} days" in part
