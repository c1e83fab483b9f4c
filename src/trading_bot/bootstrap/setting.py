"""What distinguishes one run from another, and under which mandate it works."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from trading_bot.config import Config
from trading_bot.domain.errors import MandateError
from trading_bot.domain.mandate import Mandate, Mode
from trading_bot.execution.parts import Authority
from trading_bot.ports import WallClock
from trading_bot.risk import mandate as mandates
from trading_bot.risk.operator import pinned_key
from trading_bot.sandbox.venue_faults import Rule
from trading_bot.storage.home import Home


@dataclass(frozen=True)
class Setting:
    """What distinguishes one run from another.

    `first` and `last`: the period of a backtest. `operator`: folder of the operator's keys.
    """

    mode: Mode
    simulated: bool
    home: Home
    operator: Path
    first: date | None = None
    last: date | None = None
    faults: tuple[Rule, ...] | None = None
    """Not None: a simulated desk trades an emulated Alpaca, with these faults."""
    cassettes: Path | None = None
    """Folder in which calls of a model are recorded; None for the home's own."""
    mask: int | None = None
    """Seed of the mask through which a model sees everything; None for no mask."""


def authority_of(config: Config, setting: Setting, wall: WallClock) -> Authority:
    """Return the mandate that holds for this run, or why none does."""
    try:
        return Authority(load_mandate(config, setting, wall), wall)
    except MandateError as error:
        return Authority(None, wall, str(error))


def load_mandate(config: Config, setting: Setting, wall: WallClock) -> Mandate:
    """Return the mandate that holds for this run; MandateError says why none does."""
    if setting.simulated:
        return mandates.builtin(config, setting.mode, simulated=True)
    binding = mandates.Binding(config.broker.account, setting.mode, config.risk_digest())
    home = setting.home
    return mandates.load(home.mandate, home.mandate_signature, pinned_key(setting.operator), binding, wall.now()).mandate
