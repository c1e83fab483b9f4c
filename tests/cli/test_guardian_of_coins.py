"""The guardian of a desk of coins, in real processes: at the paper venue and at an emulated Bybit. 5 s each: it waits before it acts."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brokers.bybit_floor import Floor, floor
from brokers.bybit_kit import BTC, KEYS, bracket
from brokers.venue_kit import approved, spec
from cli.command_line import Desk
from cli.test_guardian_commands import process, wait_for_line
from trading_bot import config
from trading_bot.bootstrap.brokers import build_broker
from trading_bot.bootstrap.setting import Setting
from trading_bot.bootstrap.sources import CALENDARS, build_source
from trading_bot.domain.mandate import Mode
from trading_bot.execution.clock import RealClock
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import Broker
from trading_bot.storage.home import Home

GUARDIAN = ("--desk", "coins", "guardian")


@pytest.fixture
def hasty(trader: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk of one coin whose guardian waits for seconds alone, on a market that is invented up to now."""
    recently = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    for name, value in {
        "UNIVERSE__SYMBOLS": "[BTCUSDT]",
        "SOURCE__NAME": "synthetic",
        "SOURCE__SYNTHETIC__START": recently,
        "GUARDIAN__INTERVAL_SECONDS": "0.1",
        "GUARDIAN__HEARTBEAT_SECONDS": "5",
        "GUARDIAN__NAKED_SECONDS": "2",
    }.items():
        monkeypatch.setenv(f"TRADING_BOT__{name}", value)
    return trader


def sign(desk: Desk, **flags: Any) -> None:  # noqa: ANN401 - settings
    """The mandate of a desk of this coin."""
    desk.sign_mandate(desk="coins", universe__symbols=[BTC], **flags)


def paper(desk: Desk) -> Broker:
    """The test's own door to the paper venue."""
    settings, home = config.load(environment=os.environ, flags={"desk": "coins"}), Home(desk.home)
    calendars, clock = {name: open_calendar(name) for name in CALENDARS}, RealClock(threading.Event())
    source = build_source(settings, calendars, clock.now, home)
    return build_broker(settings, Setting(Mode.PAPER, simulated=False, home=home, operator=desk.operator), source, calendars, clock)


def test_a_naked_short_is_bought_back_on_paper(hasty: Desk) -> None:
    """Nobody knows where its stop belongs."""
    sign(hasty)
    paper(hasty).submit(approved(spec("sold", "sell", quantity="1", symbol=BTC)))
    with process(*GUARDIAN, until="Guarding") as guardian:
        wait_for_line(guardian, "The guardian acted (cure): done")
    assert paper(hasty).positions() == ()


@pytest.fixture
def at_bybit(hasty: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Floor]:
    """An emulated Bybit, and a mandate that has a dead desk's positions closed."""
    with floor() as on:
        changed = {"broker.name": "bybit", "source.name": "bybit", "bybit.url": on.api.url, "risk.guardian.dead_desk": "flatten"}
        for name, value in changed.items():
            monkeypatch.setenv(f"TRADING_BOT__{name.replace('.', '__').upper()}", value)
        monkeypatch.setenv("BYBIT_API_KEY", KEYS.key)
        monkeypatch.setenv("BYBIT_API_SECRET", KEYS.secret)
        sign(hasty, **{name.replace(".", "__"): value for name, value in changed.items()})
        yield on


def test_a_naked_perpetual_of_the_mandates_universe_is_closed_at_bybit(at_bybit: Floor) -> None:
    """Though no desk ever ran here: until its journal can be read, the universe is the desk's."""
    with process(*GUARDIAN, until="Guarding") as guardian:
        at_bybit.api.control(do="position_by_hand", symbol=BTC, quantity="-0.1")
        wait_for_line(guardian, "The guardian acted")
    assert at_bybit.broker.positions() == ()


def test_the_position_of_a_dead_trader_is_closed_at_bybit_if_the_mandate_says_so(hasty: Desk, at_bybit: Floor) -> None:
    """With its stop; then HALT is there."""
    at_bybit.send(bracket("entry", "49000"))
    at_bybit.agree()
    assert len(at_bybit.broker.positions()) == 1
    with process(*GUARDIAN, until="Guarding") as guardian:
        wait_for_line(guardian, "The guardian acted (flatten): done")
    assert (at_bybit.broker.positions(), at_bybit.broker.open_orders()) == ((), ())
    assert (hasty.home / "HALT").exists()
