"""One life of a desk in a run of chaos: real journal, gate, engine, session and adapter, with a trader that does something all the time.

Promises that what it does is a function of seed and life, as far as the venue's answers are, and that it ends by itself only when it is
at rest: nothing doubtful, nothing naked, books and broker alike.
"""

import threading
import time
from collections.abc import Callable
from ctypes import c_double
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import requests
import structlog

from trading_bot.bootstrap.brokers import build_broker
from trading_bot.bootstrap.setting import Setting
from trading_bot.bootstrap.sources import build_source, open_source
from trading_bot.config import Config
from trading_bot.domain.errors import BrokerError, DataError
from trading_bot.domain.instrument import Rounding
from trading_bot.domain.mandate import Mandate, Mode
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import EntryStyle, Proposal, ProposalKind, Target
from trading_bot.domain.reconciliation import Reaction
from trading_bot.domain.values import DecisionId, ProposalId, Symbol, derive_id
from trading_bot.execution.approvals import Approvals
from trading_bot.execution.clock import RealClock, SystemWallClock
from trading_bot.execution.engine import Engine
from trading_bot.execution.inbox import Inbox
from trading_bot.execution.parts import Authority, Parts
from trading_bot.execution.session import Session
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.ports import Journal, MarketSource
from trading_bot.risk.halt import DeskSwitch
from trading_bot.storage.home import Home

_SETTLE_S = 60.0
_PATIENT_S = 0.4
"""Between two looks at whether the desk is at rest."""

Spoil = Callable[[], None]
"""Breaks the desk, before it is made: for those who try the audit."""


@dataclass(frozen=True)
class Life:
    """What a life is made of. `seconds`: for which the desk trades, all lives together; `die_at`: write point of its journal, or 0."""

    home: Path
    config: Config
    mandate: Mandate
    seed: int
    number: int
    seconds: float
    die_at: int = 0
    spoil: Spoil | None = None


def _command(config: Config, **deed: object) -> None:
    """Have the emulator do something to every symbol."""
    connection = getattr(config, config.broker.name)
    for symbol in config.universe.symbols:
        requests.post(f"{connection.url}/__control", json={**deed, "symbol": symbol}, timeout=5)


@dataclass(frozen=True)
class Wires:
    """What runner and lives share while they run."""

    offset: c_double
    """Seconds by which the machine's clock is set wrong."""
    until: c_double
    frozen: c_double
    """1 while the emulator fills nothing more; a life that follows one which died meanwhile lets it go on, as it could not come up."""
    """When trading ends, in seconds of the true clock; 0 until a desk is up for the first time, which says it."""


class Desk:
    """The parts of a desk, and the agenda of somebody who trades all the time."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a desk is made of, and those who torment it
        self, life: Life, wires: Wires, journal: Journal, clock: RealClock, home: Home, stop: threading.Event
    ) -> None:
        if wires.frozen.value:
            _command(life.config, do="resume")
            wires.frozen.value = 0
        setting = Setting(Mode.PAPER, simulated=False, home=home, operator=home.path)
        always = open_calendar("24/7")
        calendars = {"XNYS": always, "24/7": always}
        self.source: MarketSource = build_source(life.config, calendars, clock.now, home)
        open_source(self.source, life.config.universe.symbols)
        self.view = AsOfView(self.source, clock.now)
        broker = build_broker(life.config, setting, self.source, calendars, clock)
        switch = DeskSwitch(home.halt_file, journal)
        authority = Authority(life.mandate, SystemWallClock())
        sectors = dict.fromkeys(life.config.universe.symbols, "all")
        breathe = lambda: time.sleep(0.02)  # noqa: E731 - one line
        self.engine = Engine(Parts(journal, broker, self.view, clock, switch, authority, calendars, sectors, breathe))
        approvals = Approvals(journal, self.engine, clock, lambda _word, _proposal: None)
        inbox = Inbox(journal, self.engine, switch, clock, lambda _proof, _number: None, approvals)
        self.session = Session(clock=clock, journal=journal, broker=broker, engine=self.engine, inbox=inbox, stop=stop, bell=clock.bell)
        self.broker, self.clock, self._life, self._wires = broker, clock, life, wires
        self._true = SystemWallClock()
        self._draw = Random(f"{life.seed}:{life.number}")  # noqa: S311 - chaos has to be the same again
        self._steps = 0
        self._frozen = False
        self.rested = False
        """Whether it came to rest, and stayed so when nothing was filled any more."""

    # -- agenda ------------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        """Soon, until the time is over and the desk is at rest, or never will be."""
        now, left = self.clock.now(), self._left()
        if left > 0:
            return now + timedelta(seconds=self._draw.uniform(0.02, 0.2))
        if self.is_at_rest():
            self.rested = self._frozen
            if not self._frozen:
                self._freeze()
        over = self.rested or left < -_SETTLE_S
        return None if over else now + timedelta(seconds=_PATIENT_S)

    def run_due(self) -> None:
        """One step, as the seed has it."""
        if self._left() <= 0:
            return
        self._steps += 1
        step = self._draw.choices((self._open, self._close, self._reduce, self._move), (6, 1, 1, 2))[0]
        try:
            step(self._draw.choice(self._life.config.universe.symbols))
        except (BrokerError, DataError) as error:
            structlog.get_logger().info("a step failed", step=step.__name__, error=str(error))

    def _left(self) -> float:
        """Seconds for which it still trades, however wrong the clock of the desk is."""
        now = self._true.now().timestamp()
        until = self._wires.until
        until.value = until.value or now + self._life.seconds
        return until.value - now

    def is_at_rest(self) -> bool:
        """Whether nothing is doubtful or naked, and books and broker agree but for what is only told, such as others' orders."""
        try:
            self.engine.resolve()
            self.engine.pump()
            return not self.engine.restless and all(found.reaction is Reaction.TELL for found in self.engine.compare())
        except (BrokerError, DataError):
            return False

    def _freeze(self) -> None:
        """Have the emulator fill nothing more, so that what is compared stands still."""
        self._wires.frozen.value = 1
        _command(self._life.config, do="halt", seconds=3600)
        self._frozen = True

    # -- steps -------------------------------------------------------------------------------------------------------

    def _open(self, symbol: Symbol) -> None:
        quote = self.view.quote(symbol)
        if quote is None:
            return
        instrument, draw = self.view.instrument(symbol), self._draw
        side = draw.choice((Side.BUY, Side.SELL)) if instrument.shortable else Side.BUY
        style = EntryStyle.PULLBACK if draw.random() < 0.3 else EntryStyle.NOW  # noqa: PLR2004 - a share
        price = quote.mid * (1 - Decimal("0.001") * side.sign) if style is EntryStyle.PULLBACK else quote.mid
        entry = instrument.round_price(price)

        def away(sign: int) -> Decimal:
            share = Decimal(str(round(draw.uniform(0.004, 0.02), 4)))
            return instrument.round_price(entry * (1 + share * sign * side.sign), Rounding.NEAREST)

        targets = [Target(price=away(+1), fraction=Decimal(1))] if draw.random() < 0.5 else self._two(away)  # noqa: PLR2004 - a coin
        stop = away(-1)
        self._propose(symbol, ProposalKind.OPEN, side, style=style, entry=entry, stop_loss=stop, targets=targets)

    @staticmethod
    def _two(away: Callable[[int], Decimal]) -> list[Target]:
        return [Target(price=price, fraction=Decimal("0.5")) for price in (away(+1), away(+1))]

    def _close(self, symbol: Symbol) -> None:
        self._on_held(symbol, ProposalKind.CLOSE)

    def _reduce(self, symbol: Symbol) -> None:
        self._on_held(symbol, ProposalKind.REDUCE, fraction=Decimal("0.5"))

    def _move(self, symbol: Symbol) -> None:
        quote, held = self.view.quote(symbol), self.engine.ledger.books.positions.get(symbol)
        if quote is not None and held is not None:
            stop = self.view.instrument(symbol).round_price(quote.mid * (1 - Decimal("0.005") * held.side.sign))
            self._on_held(symbol, ProposalKind.MOVE_STOP, stop_loss=stop)

    def _on_held(self, symbol: Symbol, action: ProposalKind, **fields: Any) -> None:  # noqa: ANN401 - fields of a proposal
        held = self.engine.ledger.books.positions.get(symbol)
        if held is not None:
            self._propose(symbol, action, held.side, **fields)

    def _propose(self, symbol: Symbol, action: ProposalKind, side: Side, **fields: Any) -> None:  # noqa: ANN401 - fields of a proposal
        decision = DecisionId(derive_id("chaos", str(self._life.seed), str(self._life.number), str(self._steps)))
        now = self.clock.now()
        proposal = Proposal(
            at=now,
            id=ProposalId(derive_id("proposal", decision)),
            decision_id=decision,
            action=action,
            symbol=symbol,
            side=side,
            strategy="chaos",
            exposure=Decimal(1),
            confidence=0.5,
            horizon_days=1,
            thesis="chaos",
            analyst="chaos",
            expires_at=now + timedelta(seconds=20),
            **{**fields, "targets": tuple(fields.get("targets", ()))},
        )
        self.engine.handle(proposal)
