"""What an engine is made of: the parts that `bootstrap` chose, and the authority that the desk works under."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from trading_bot.domain.mandate import Mandate
from trading_bot.domain.values import Symbol
from trading_bot.ports import Broker, Calendar, Clock, Journal, Notifier, View, WallClock
from trading_bot.risk.halt import DeskSwitch


@dataclass(frozen=True)
class Authority:
    """The mandate that the desk works under, or why there is none."""

    mandate: Mandate | None
    wall: WallClock
    why_not: str = ""

    @property
    def expired(self) -> bool:
        """Whether the mandate's time is over, by wall time."""
        return self.mandate is not None and self.wall.now() >= self.mandate.expires_at


class Silent:
    """Tells nobody: for desks on simulated clocks."""

    def tell(self, title: str, body: str) -> None:
        """Nothing."""


SILENT = Silent()


@dataclass(frozen=True)
class Parts:
    """What an engine is made of."""

    journal: Journal
    broker: Broker
    view: View
    clock: Clock
    switch: DeskSwitch
    authority: Authority
    calendars: Mapping[str, Calendar]
    sectors: Mapping[Symbol, str]
    breathe: Callable[[], None] = lambda: None
    """Waits a moment while the venue works; nothing on a simulated clock."""
    notifier: Notifier = SILENT
    approval_time: timedelta = timedelta(minutes=15)
    """A proposal that waits for a person is denied after so long (trading time)."""
