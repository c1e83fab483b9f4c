"""A mistake in the configuration is named with the key, the file and the line, or with whoever else said it."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from trading_bot import config
from trading_bot.domain.errors import ConfigError

MISTAKES = {
    "risk:\n  limits:\n    positon: 0.1\n": "line 3: risk.limits.positon is not a known setting (a typo?)",
    "risk:\n  limits:\n    position: -0.1\n": "line 3: risk.limits.position must be greater than 0, or the word `none` for no limit",
    "risk:\n  limits:\n    position: 0\n": "line 3: risk.limits.position must be greater than 0, or the word `none` for no limit",
    "risk:\n  limits:\n    open_positions: 0\n": "line 3: risk.limits.open_positions must be greater than or equal to 1",
    "risk:\n  limits:\n    position: null\n": "line 3: risk.limits.position must be a number, or the word `none` for no limit",
    "risk:\n  limits:\n    position: .nan\n": "line 3: risk.limits.position must be a valid decimal",
    "risk:\n  limits: 3\n": "line 2: risk.limits must be a section of `key: value` lines",
    "sede: 3\n": "line 1: sede is not a known setting (a typo?)",
    "universe:\n  instruments:\n    AAPL: {tick: 3}\n": "line 3: universe.instruments.AAPL.tick is not a known setting (a typo?)",
    "universe:\n  symbols: []\n": "line 2: universe.symbols must have at least one item",
    "universe:\n  symbols: AAPL\n": "line 2: universe.symbols must be a list, such as [AAPL, SPY]",
    "universe:\n  symbols: [AAPL, AAPL]\n": "line 2: universe.symbols must name each symbol once; AAPL is there twice",
    "simulation:\n  first_session: 2024-02-30\n": "line 2: simulation.first_session must be a valid date",
    "source:\n  name: ${NOT_SET}\n": "line 2: source.name needs the environment variable NOT_SET, which is not set",
    "seed: 1\nseed: 2\n": "line 2: not valid YAML: the key seed is given twice",
    "seed: [\n": "line 2: not valid YAML: expected the node content",
    "\tseed: 3\n": "line 1: not valid YAML: found character",
    "? [a, b]\n: 3\n": "line 1: not valid YAML: a key must be a word",
    "seed: &a [*a]\n": "an anchor contains itself",
    "seed: \x00\n": "special characters are not allowed",
    "just words\n": "must hold settings as `key: value`",
    "- a\n": "must hold settings as `key: value`",
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items())
def test_a_mistake_in_the_file_is_named_with_key_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    """Whatever was typed, one line says what is wrong with it and where."""
    file = tmp_path / "config.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", sorted(config.load().risk.limits.model_dump().keys() - {"short_selling"}))
@pytest.mark.parametrize("value", ["-1", "0"])
def test_a_limit_that_is_negative_or_zero_is_refused_by_name(tmp_path: Path, limit: str, value: str) -> None:
    """Every limit of the mandate; only a reserve may be nothing."""
    file = tmp_path / "config.yaml"
    file.write_text(f"risk:\n  limits:\n    {limit}: {value}\n", "utf-8")
    if value == "0" and limit.endswith("_reserve"):
        config.load(file)
        return
    with pytest.raises(ConfigError, match=f"{re.escape(str(file))}, line 3: risk.limits.{limit} must be greater than"):
        config.load(file)


def test_each_mistake_has_a_line_of_its_own(tmp_path: Path) -> None:
    """Two typos are told at once."""
    file = tmp_path / "config.yaml"
    file.write_text("sede: 3\nbudgit: {}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    assert len(str(caught.value).splitlines()) == 2


ELSEWHERE = {
    "TRADING_BOT__RISK__LIMITZ__POSITION": "risk.limitz is not a known setting (a typo?)",
    "TRADING_BOT__RISK__LIMITS__POSITION": "risk.limits.position must be greater than 0",
    "TRADING_BOT__SEED__X": "seed is no section, so it has no x",
}


@pytest.mark.parametrize(("variable", "message"), ELSEWHERE.items())
def test_a_mistake_in_the_environment_is_named_with_its_variable(variable: str, message: str) -> None:
    """The variable is named, not the file whose setting it changes."""
    with pytest.raises(ConfigError) as caught:
        config.load(None, {variable: "-1"})
    assert str(caught.value).startswith(f"environment variable {variable}: {message}")


def test_a_variable_that_is_no_yaml_is_named() -> None:
    """A bracket that is not closed ends in a sentence."""
    with pytest.raises(ConfigError, match=r"environment variable TRADING_BOT__SEED, line 1: not valid YAML"):
        config.load(None, {"TRADING_BOT__SEED": "["})


def test_a_mistake_in_a_flag_is_named_with_the_flag() -> None:
    """So is a number that is none."""
    with pytest.raises(ConfigError, match=r"flag for broker\.cash: broker\.cash must be greater than 0"):
        config.load(flags={"broker.cash": "-5"})


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """Missing, or a folder."""
    with pytest.raises(ConfigError, match="the configuration cannot be read"):
        config.load(tmp_path / name)


def test_words_and_numbers_stay_what_was_typed(tmp_path: Path) -> None:
    """Tickers that YAML takes for truth values are tickers, and no digit of a limit is lost."""
    file = tmp_path / "config.yaml"
    file.write_text("universe:\n  symbols: [ON, NO, TRUE]\nrisk:\n  limits:\n    position: 0.10000000000000001\n", "utf-8")
    made = config.load(file)
    assert made.universe.symbols == ("ON", "NO", "TRUE")
    assert made.risk.limits.position == Decimal("0.10000000000000001")


def test_later_layers_win(tmp_path: Path) -> None:
    """Defaults, then the file, then the environment, then flags."""
    file = tmp_path / "config.yaml"
    file.write_text("seed: 1\nsimulation:\n  first_session: 2024-03-08\nbroker:\n  account: ${WHOSE}\n", "utf-8")
    made = config.load(file, {"TRADING_BOT__SEED": "2", "TRADING_BOT__BROKER__CASH": "5", "WHOSE": "mine"}, {"broker.cash": "6"})
    assert (made.seed, made.broker.cash, made.broker.account) == (2, Decimal(6), "mine")
    assert made.simulation.first_session == date(2024, 3, 8)
    assert made.universe == config.load().universe


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """No setting is a setting left alone."""
    file = tmp_path / "config.yaml"
    file.write_text("# nothing\n", "utf-8")
    assert config.load(file) == config.load()
