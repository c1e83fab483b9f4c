"""Parts that other packages bring."""

from importlib.metadata import EntryPoint

import pytest

from trading_bot.domain.errors import ConfigError
from trading_bot.plugins import BROKERS, SOURCES, third_party


def _point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, SOURCES.group)


def test_a_source_is_found_by_its_name() -> None:
    """The entry point is loaded; any callable will do here."""
    assert third_party(SOURCES, "mine", [_point("mine", "os.path:join"), _point("other", "os.path:split")]).__name__ == "join"


def test_an_unknown_name_lists_what_is_known() -> None:
    """Built-in and installed names, in order."""
    with pytest.raises(ConfigError, match=r"source\.name: 'fles' cannot be used: known are alpaca, bybit, files, mine, store, synthetic"):
        third_party(SOURCES, "fles", [_point("mine", "os.path:join")])


def test_a_name_that_two_packages_bring_is_refused() -> None:
    """Nobody picks one silently."""
    with pytest.raises(ConfigError, match="2 installed packages bring it"):
        third_party(SOURCES, "mine", [_point("mine", "os.path:join"), _point("mine", "os.path:split")])


@pytest.mark.parametrize("value", ["no_such_module_here:make", "os.path:no_such_name"])
def test_a_package_that_cannot_be_imported_says_why(value: str) -> None:
    """The configuration is at fault, not the desk."""
    with pytest.raises(ConfigError, match="cannot be imported"):
        third_party(SOURCES, "mine", [_point("mine", value)])


def test_nothing_but_the_built_in_parts_is_installed_here() -> None:
    """The environment's own entry points are asked by default."""
    with pytest.raises(ConfigError, match=r"known are alpaca, bybit, files, store, synthetic$"):
        third_party(SOURCES, "nobody")
    with pytest.raises(ConfigError, match=r"known are alpaca, bybit, paper$"):
        third_party(BROKERS, "nobody")
