"""What both emulators make of fault rules and start times: the same words, and the same refusals."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner

from sandbox.alpaca_kit import bench
from sandbox.bybit_house import house
from trading_bot.cli.emulated_start import start_of
from trading_bot.cli.sandboxing import sandbox
from trading_bot.domain.errors import ConfigError

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize("venue", ["alpaca", "bybit"])
def test_what_would_happen_to_a_symbol_that_is_not_traded_is_refused_with_its_line(venue: str, tmp_path: Path) -> None:
    """Before anything is served, and not when its time comes."""
    file = tmp_path / "faults.yaml"
    file.write_text("- {fault: slow, symbol: NOSUCH}\n- {fault: halt, symbol: NOSUCH, after: 5}\n", "utf-8")
    outcome = CliRunner().invoke(sandbox, [venue, "--port", "0", "--faults", str(file)])
    assert isinstance(outcome.exception, ConfigError)
    assert "line 2: halt: NOSUCH is not traded here" in str(outcome.exception)


def test_rules_by_hand_have_two_shapes_at_both_and_are_held_to_what_is_traded() -> None:
    """Flat beside `do`, or under `rule`."""
    shapes = ({"do": "fault", "fault": "slow", "seconds": 0}, {"do": "fault", "rule": {"fault": "slow", "seconds": 0}})
    wrong = {"do": "fault", "rule": {"fault": "halt", "symbol": "NOSUCH"}}
    with bench() as alpaca, house() as bybit:
        for url in (alpaca.emulator.url, bybit.api.url):
            assert [told(url, shape) for shape in shapes] == [200, 200]
            assert told(url, wrong) != 200


def test_what_the_venue_does_not_let_happen_is_written_down_and_breaks_nothing() -> None:
    """An order by hand that is far too large, at its time."""
    rule = {"fault": "order_by_hand", "side": "buy", "quantity": "1e9", "after": 1}
    with bench([rule | {"symbol": "AAPL"}]) as alpaca:
        alpaca.wait(seconds=2)
        assert [n["do"] for n in alpaca.emulator.evidence.after(0) if "refused" in n] == ["order_by_hand"]
        assert alpaca.call("GET", "/v2/account").status_code == 200
    with house(rule | {"symbol": "BTCUSDT"}) as bybit:
        bybit.go(2)
        assert bybit.coin()["coin"] == "USDT"


@pytest.mark.parametrize(
    "text", ["2024-03-05", "2024-03-05T09:30", "2024-03-05 09:30:15", "2024-03-05T09:30:00+01:00", "2024-03-05T09:30Z"]
)
def test_a_start_has_one_form_at_both(text: str) -> None:
    """A day or a time, by the venue's clock where it names none."""
    plain = datetime.fromisoformat(text)
    for zone in (UTC, NEW_YORK):
        assert start_of(text, zone) == (plain if plain.tzinfo else plain.replace(tzinfo=zone))
    with pytest.raises(click.UsageError, match="2024-03-05T09:30"):
        start_of("half past nine", UTC)


def told(url: str, deed: Mapping[str, object]) -> int:
    """The status with which a deed by hand is answered, or the code in its body."""
    request = Request(f"{url}/__control", json.dumps(deed).encode(), {"Content-Type": "application/json"})  # noqa: S310 - loopback
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except OSError as error:
        return int(getattr(error, "code", 0))
