"""Desks for tests of the command line: one that has never run, and one after a simulated session."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cli.command_line import Desk, Outcome
from trading_bot.cli import main
from trading_bot.cli import trader as claude_trader


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    """A desk that has never run."""
    home, operator = tmp_path / "home", tmp_path / "operator"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRADING_BOT_HOME", str(home))
    monkeypatch.setenv("TRADING_BOT_OPERATOR_DIR", str(operator))
    monkeypatch.setenv("COLUMNS", "80")

    return Desk(home, operator, _runner(main, capfd))


@pytest.fixture
def trader(desk: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    """A desk of coins that has never run, and `claude-trader`; its market is invented from a short past on, which is quick."""
    monkeypatch.setenv("TRADING_BOT_TRADER_HOME", str(desk.home))
    monkeypatch.delenv("TRADING_BOT_HOME")
    monkeypatch.setenv("TRADING_BOT__SOURCE__SYNTHETIC__START", "2024-02-01")
    return replace(desk, run=_runner(claude_trader, capfd))


def _runner(program: Callable[[list[str]], None], capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        try:
            program([str(a) for a in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(scope="session")
def traded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated home after one whole session; copy it before you change it."""
    home = tmp_path_factory.mktemp("traded") / "home"
    with pytest.raises(SystemExit) as end:
        main(["--home", str(home), "orchestrator", "--fast"])
    assert not end.value.code
    return home


@pytest.fixture
def traded(desk: Desk, traded_home: Path) -> Desk:
    """A desk whose home has seen one simulated session."""
    shutil.copytree(traded_home, desk.home)
    return desk
