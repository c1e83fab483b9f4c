"""A look at the venue of a home, beside what the desk's books say of it: for commands that show and change nothing."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from trading_bot.bootstrap.brokers import build_broker
from trading_bot.bootstrap.guardian import mode_of
from trading_bot.bootstrap.setting import Setting
from trading_bot.bootstrap.sources import CALENDARS, build_source
from trading_bot.config import Config, recall
from trading_bot.domain.errors import HomeError, StorageError
from trading_bot.domain.mandate import Mode
from trading_bot.domain.orders import OrderIntent, OrderSpec
from trading_bot.domain.reconciliation import Difference, DifferenceKind
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.execution.clock import RealClock, SimulatedClock
from trading_bot.execution.guardian_sight import Holdings, holdings
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.reconcile import BrokerSide, Ours, differences
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import Broker, Clock
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.peek import peek


@dataclass(frozen=True)
class VenueLook:
    """The venue, and the desk's books if they can be read."""

    config: Config
    mode: Mode
    simulated: bool
    """Whether time stands still here: waiting changes nothing."""
    broker: Broker
    desk: str
    ledger: Ledger | None
    why_not: str
    """Why there are no books."""

    def holdings(self) -> Holdings:
        """What the venue says now."""
        account, positions = self.broker.account(), self.broker.positions()
        return holdings(account, positions, self.broker.open_orders())

    def ours(self) -> frozenset[Symbol]:
        """Symbols that are the desk's: that it ever meant to open, or holds in its books; without books those that it may trade."""
        if self.ledger is None:
            return frozenset(self.config.universe.symbols)
        return self.ledger.traded | set(self.ledger.books.positions)

    def differences(self, seen: Holdings) -> tuple[Difference, ...]:
        """What differs between books and venue, and what is not guarded there."""
        bare = [
            Difference(
                kind=DifferenceKind.MISSING_PROTECTION,
                subject=f"protection {s}",
                books=f"a stop for {abs(seen.held[s].quantity)}",
                broker=f"{q} naked",
            )
            for s, q in seen.naked().items()
        ]
        if self.ledger is None:
            return tuple(bare)
        orders = [i.order.spec for i in self.ledger.intents]
        ids = {identity for spec in orders for identity in _ids(spec)}
        ours = Ours(self.desk, ids, {spec.symbol for spec in orders}, self.broker.cash_tolerance)
        side = BrokerSide(seen.account, seen.positions, seen.orders)
        return (*differences(self.ledger.books, side, ours), *bare)


def _ids(spec: OrderSpec) -> Iterator[ClientOrderId]:
    yield spec.client_order_id
    yield from (leg.client_order_id for leg in (spec.stop_loss, spec.take_profit) if leg is not None)


@contextmanager
def looking(setting: Setting, given: Config) -> Iterator[VenueLook]:
    """Open the venue of a home as its desk last knew it; where there was none, or its journal cannot be read, as `given` names it."""
    home = setting.home
    ledger, why_not, desk, clock = None, "no desk has run here yet", "", None
    config, mode, simulated = given, mode_of(given), setting.simulated
    if home.has_journal:
        try:
            peek(home.database, (), 0)  # at once or not at all: it may be locked by a desk that hangs
            with SqlJournal.look(home.database) as journal:
                config, mode = recall(journal.fact("config")), Mode(journal.fact("mode") or mode)
                simulated, desk = journal.fact("clock kind") == "simulated", journal.desk
                clock, ledger, why_not = journal.clock(), Ledger(journal), ""
        except (StorageError, HomeError) as error:
            why_not = str(error)
    ticking: Clock = SimulatedClock(clock) if simulated and clock is not None else RealClock(threading.Event())
    calendars = {name: open_calendar(name) for name in CALENDARS}
    source = build_source(config, calendars, ticking.now, home)
    broker = build_broker(config, Setting(mode, simulated, home, setting.operator), source, calendars, ticking)
    with closing(broker):
        intents: tuple[OrderIntent, ...] = () if ledger is None else tuple(ledger.intents)
        broker.open(intents, () if ledger is None else tuple(ledger.events), lambda: None)
        yield VenueLook(config, mode, simulated, broker, desk, ledger, why_not)
