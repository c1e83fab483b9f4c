"""The pages on research say what the commands on them say today."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.command_line import Desk, Outcome
from trading_bot.cli import main
from trading_bot.cli.researching import backtest

DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULTS = DOCS / "backtest_results.md"
PERIOD = ("--symbols", "AAPL,SPY,QQQ,TSLA,NVDA", "--start", "2024-01-01", "--end", "2025-01-01")
DESK = "the desk, rules analyst"
_FORMS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("total_return", lambda v: f"{v:+.2%}"),
    ("sharpe", lambda v: f"{v:.2f}"),
    ("max_drawdown", lambda v: f"{v:.2%}"),
    ("win_rate", lambda v: f"{v:.1%}"),
    ("profit_factor", lambda v: f"{v:.2f}"),
    ("trades", str),
    ("exposure", lambda v: f"{v:.1%}"),
)


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    """The rows of the page's first table, by run."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in RESULTS.read_text("utf-8").splitlines() if line.startswith("|")
    ]
    head = next(n for n, row in enumerate(rows) if row[0] == "run")
    last = next(n for n, row in enumerate(rows) if row[0] == "goal")
    return {row[0]: row[1:] for row in rows[head + 2 : last]}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    """A home of its own."""
    monkeypatch.setenv("TRADING_BOT_HOME", str(tmp_path / "home"))

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        try:
            main([str(a) for a in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        return Outcome(code, *capfd.readouterr())

    return Desk(tmp_path / "home", tmp_path, run)


def as_told(figures: dict[str, float | None]) -> list[str]:
    """Figures as the page writes them."""
    return ["-" if (value := figures[name]) is None else form(value).replace("%", " %") for name, form in _FORMS]


def verdict(desk: Desk) -> bool:
    """Whether the last run passed, as `validate` says it twice: in words and by its exit code."""
    judged = desk.run("backtest", "validate", "last")
    assert "PASSED" in judged.out
    assert ("NOT PASSED" in judged.out) is (judged.code != 0)
    return judged.code == 0


@pytest.mark.parametrize("strategy", ["momentum", "mean_reversion", "sma_cross", "buy_and_hold"])
def test_the_year_of_each_strategy_is_what_its_command_gives(desk: Desk, shared: Path, told: dict[str, list[str]], strategy: str) -> None:
    """Every figure of its row, and its verdict."""
    made = json.loads(desk.run("backtest", "run", strategy, "--data", shared / "data/us_daily_core", *PERIOD, "--json").out)
    passed = verdict(desk)
    assert told[strategy] == [*as_told(made["performance"]), "yes" if passed else "no"]


def test_the_year_of_the_desk_is_what_its_command_gives(desk: Desk, shared: Path, told: dict[str, list[str]]) -> None:
    """Every figure of its row, and its verdict; the goals' answers repeat the row."""
    mode = ("orchestrator", "--orchestrator-mode", "backtest")
    assert desk.run(*mode, "--data", shared / "data/us_daily_core", *PERIOD).code == 0
    report = json.loads(next((desk.home / "logs/reports").glob("backtest_*.json")).read_text("utf-8"))
    passed = verdict(desk)
    assert told[DESK] == [*as_told(report["performance"]), "yes" if passed else "no"]
    answers = re.findall(r"\| (?:win|profit|Sharpe|drawdown).* \| (\w+), ([\d.]+(?: %)?) \|", RESULTS.read_text("utf-8"))
    row = told[DESK]
    assert [value for _, value in answers] == [row[3], row[4], row[1], row[2]]
    met = [report["performance"][name] for name in ("win_rate", "profit_factor", "sharpe")]
    assert [said for said, _ in answers] == ["yes" if ok else "no" for ok in (met[0] > 0.5, met[1] > 1.5, met[2] > 1.0, True)]


def test_the_page_of_commands_names_them_all() -> None:
    """Every command of `backtest` that makes or judges something has its row."""
    named = set(re.findall(r"^\| `backtest ([\w-]+)` \|", (DOCS / "research.md").read_text("utf-8"), re.MULTILINE))
    assert named == set(backtest.list_commands(None)) - {"strategies"}  # type: ignore[arg-type]  # the table is the same in any context
