"""The day whose loss the guardian measures is the UTC day of a market that never closes; at an emulated Bybit, over midnight."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from execution.test_guardian_at_venues import PERPETUAL, Beside, beside_bybit
from trading_bot import config
from trading_bot.domain.mandate import Cure, GuardianOrders
from trading_bot.domain.records import CLOSE, EquityPoint
from trading_bot.execution.guardian import Guardian, Orders
from trading_bot.execution.heartbeat import Heartbeat
from trading_bot.storage.journal import SqlJournal
from venues import bybit_desk

MIDNIGHT = datetime(2024, 3, 7, tzinfo=UTC)
PASSED = "The day's loss limit is passed"


class Day:
    """A guarded position of 400 coins at 100 on an account of 100,000 whose mandate stops the day at a loss of 3 %."""

    def __init__(self, beside: Beside) -> None:
        self.beside, self.clock = beside, beside.desk.clock
        beside.desk.do("position_by_hand", symbol=beside.desk.symbol, quantity="400")
        beside.remember("60")
        limits = config.load(flags={"desk": "coins"}).risk.limits
        assert limits.daily_loss == Decimal("0.03")
        orders = Orders(GuardianOrders(dead_desk=Cure.CURE, daily_loss=Cure.FLATTEN), limits, universe=(beside.desk.symbol,))
        settings = config.load().guardian
        self.guardian = Guardian(
            beside.home, settings, partial(Beside._hands, beside), lambda: orders, beside.told, self.clock, threading.Event()
        )
        self.looks()
        assert [o.stop_price for o in beside.desk.broker.open_orders()] == [Decimal(60)], "the naked position has its stop again"
        self.go(MIDNIGHT - timedelta(minutes=10))
        self.looks()

    def go(self, moment: datetime) -> None:
        """Let time pass."""
        self.clock.sleep_until(moment)

    def falls_to(self, price: str) -> None:
        """The price, at the venue."""
        self.beside.desk.hand.prices[self.beside.desk.symbol] = Decimal(price)
        tick = PERPETUAL.tick_size
        self.beside.desk.do("quote", symbol=self.beside.desk.symbol, bid=str(Decimal(price) - tick), ask=str(Decimal(price) + tick))

    def looks(self) -> None:
        """Several looks, while a desk beats."""
        for _ in range(8):
            Heartbeat(self.beside.home.heartbeat).beat(self.clock.now())
            self.guardian.look()
            self.go(self.clock.now() + timedelta(seconds=5))

    @property
    def held(self) -> Decimal:
        """At the venue."""
        return sum((p.quantity for p in self.beside.desk.broker.positions()), Decimal(0))


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    """From ten minutes to midnight UTC, in New York's evening of the second day."""
    with bybit_desk(PERPETUAL, "linear") as desk:
        made = Day(beside_bybit(desk, tmp_path))
        yield made
        made.guardian.close()


def test_a_loss_on_either_side_of_midnight_is_one_of_two_days(day: Day) -> None:
    """2 % and 2 % are no 4 %; a further loss of the new day is its own."""
    day.falls_to("95")
    day.looks()
    day.go(MIDNIGHT + timedelta(minutes=5))
    day.falls_to("90.5")
    day.looks()
    assert (PASSED in day.beside.told.titles, day.held) == (False, 400)
    day.falls_to("87")
    day.looks()
    assert (PASSED in day.beside.told.titles, day.held) == (True, 0)


def test_within_one_day_the_same_losses_pass_the_limit(day: Day) -> None:
    """So it is midnight that the test above is about."""
    day.falls_to("95")
    day.looks()
    day.falls_to("90.5")
    day.looks()
    assert (PASSED in day.beside.told.titles, day.held) == (True, 0)


def test_the_desks_own_close_of_the_utc_day_is_the_newer_word(day: Day) -> None:
    """Its review at midnight says 100,000: from there 4 % are lost, from the guardian's last look of the evening not 2 %."""
    day.falls_to("95")
    day.looks()
    day.go(MIDNIGHT)
    worth = {"equity": Decimal(100_000), "cash": Decimal(100_000), "exposure": Decimal(0)}
    with SqlJournal.open(day.beside.home.journal, desk="desk01") as journal:
        journal.append(EquityPoint(at=MIDNIGHT, session=(MIDNIGHT - timedelta(days=1)).date(), label=CLOSE, **worth))
    day.falls_to("90.5")
    day.looks()
    assert (PASSED in day.beside.told.titles, day.held) == (True, 0)
