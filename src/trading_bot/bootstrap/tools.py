"""What tools may look at: in a running desk, and without one.

Promises that who has no desk opens the home read-only, asks keyless sources alone, and says how old its journal is; and that its
gate previews on the books' own account, since there is no venue to ask. Refuses to make a journal where there is none.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from trading_bot.bootstrap.bench import Bench, Standing
from trading_bot.bootstrap.brokers import traits_of
from trading_bot.bootstrap.kinds import kind_of
from trading_bot.bootstrap.laboratory import Laboratory
from trading_bot.bootstrap.news import NewsDoor, build_pool, new_nonce, signals_of
from trading_bot.bootstrap.setting import Setting, authority_of
from trading_bot.bootstrap.sources import CALENDARS, build_source
from trading_bot.config import Config, load, recall
from trading_bot.domain.books import Account
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.mandate import Mode
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.values import ZERO, DecisionId, Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.execution.judge import Judge, newest_price
from trading_bot.execution.ledger import Ledger
from trading_bot.llm.local_models import PooledModels
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.news.signals import Signals
from trading_bot.ports import Brief, InboxItem, LocalModels
from trading_bot.risk.halt import DeskSwitch
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.memory import MemoryJournal
from trading_bot.tools.desk_socket import post_to_desk
from trading_bot.tools.scope import Scope

HOME_VARIABLE = "TRADING_BOT_HOME"
OPERATOR_VARIABLE = "TRADING_BOT_OPERATOR_DIR"
FILED = "filed; the desk judges it under its mandate. `decisions` and `approvals` tell what came of it"
SESSION = DecisionId("session")
"""Whose evidence it is what a person's own session looks at."""


@dataclass(frozen=True)
class IdleDesk:
    """A home's desk as it stands, read without touching it."""

    bench: Bench
    view: AsOfView
    universe: Sequence[Symbol]
    home: Home
    simulated: bool
    news: NewsDoor
    signals: Signals
    """How its analyses are scored."""
    models: LocalModels | None

    def scope(self) -> Scope:
        """What a person's session sees, headlines too; what it proposes goes into the home's inbox."""
        seen = self.bench.scope(Brief(SESSION, self.view, self.bench.ledger.books, self.universe, self.news.view()))
        return replace(seen, propose=partial(file_proposal, self.home), age=self._age(), models=self.models, headlines=True)

    def _age(self) -> timedelta | None:
        """How long ago the desk was last there; a simulated one stands still with its clock."""
        reached = self.bench.journal.clock()
        return None if reached is None or self.simulated else max(self.view.now() - reached, timedelta())


@contextmanager
def open_scope() -> Iterator[Scope]:
    """What a server without a desk sees now; home and keys' folder are the environment's. Raises DeskError."""
    home = Home.configured(Path(os.environ.get(HOME_VARIABLE) or "var"), _configured)
    operator = Path(os.environ.get(OPERATOR_VARIABLE) or Path.home() / ".config" / "trading-bot")
    with open_desk(home, operator) as desk:
        yield desk.scope()


@contextmanager
def open_desk(home: Home, operator: Path) -> Iterator[IdleDesk]:
    """The desk of a home as of now; a simulated one as of where it stands. ConfigError, HomeError or StorageError."""
    with SqlJournal.look(home.database) if home.has_journal else nullcontext(MemoryJournal("nobody")) as journal:
        desk = _idle(journal, home, operator)
        with closing(desk.news):
            yield desk


def _idle(journal: SqlJournal | MemoryJournal, home: Home, operator: Path) -> IdleDesk:
    wall = SystemWallClock()
    known = _remembered(journal)
    config, simulated = known.config, known.simulated
    stands = journal.clock() if simulated else None
    clock = Standing(stands or wall.now(), simulated=simulated)
    calendars = {name: open_calendar(name) for name in CALENDARS}
    source = build_source(config, calendars, clock.now, home)
    view = AsOfView(source, clock.now)
    ledger = Ledger(journal)
    authority = authority_of(config, Setting(known.mode, simulated, home, operator), wall)
    judge = Judge(
        ledger=ledger,
        view=view,
        clock=clock,
        switch=DeskSwitch(home.halt_file, journal),
        authority=authority,
        calendars=calendars,
        sectors={s: config.sector_of(s) for s in config.universe.symbols},
        account=partial(_account, ledger, view, config),
        traits=traits_of(config),
        desk=journal.desk,
    )
    bench = Bench(journal, ledger, calendars[kind_of(config).calendar], authority, judge, Laboratory(config, source, calendars.__getitem__))
    return IdleDesk(
        bench, view, config.universe.symbols, home, simulated, NewsDoor(config, home, clock.now), signals_of(config), _models(config)
    )


def _models(config: Config) -> LocalModels | None:
    pool = build_pool(config)
    return None if pool is None else PooledModels(pool, new_nonce)


def file_proposal(home: Home, proposal: Proposal) -> str:
    """Put a proposal into the home's inbox, by the running desk's hand or by our own; say what becomes of it."""
    item = item_of(proposal)
    if not post_to_desk(home.path, item):
        _post(home, item)
        if home.lock_owner() is None:
            return "filed; no desk runs here, so it waits in the inbox until one does, or until it expires"
    return FILED


def item_of(proposal: Proposal) -> InboxItem:
    """A proposal as it lies in the inbox: the same again changes nothing."""
    return InboxItem(f"proposal-{proposal.id}", "proposal", proposal.canonical(), SystemWallClock().now())


def _post(home: Home, item: InboxItem) -> None:
    if not home.has_journal:
        raise ToolFailedError(f"no desk has come up in {home.path} yet, so nobody could judge a proposal: start one with `orchestrator`")
    with SqlJournal.look(home.database) as journal:
        journal.post(item)


@dataclass(frozen=True)
class _Known:
    """What a home remembers of its desk, or what the configuration says where it remembers nothing."""

    config: Config
    mode: Mode
    simulated: bool


def _remembered(journal: SqlJournal | MemoryJournal) -> _Known:
    remembered = journal.fact("config") if isinstance(journal, SqlJournal) else None
    if remembered is None or not isinstance(journal, SqlJournal):
        return _Known(_configured(), Mode.PAPER, simulated=False)
    return _Known(recall(remembered), Mode(journal.fact("mode") or Mode.PAPER), journal.fact("clock kind") == "simulated")


def _configured() -> Config:
    path = Path("config.yaml")
    return load(path if path.is_file() else None, os.environ)


def _account(ledger: Ledger, view: AsOfView, config: Config) -> Account:
    """The account as far as the books know it: a venue would be asked by its desk alone."""
    books = ledger.books
    marks = {s: newest_price(view, s) or p.average_price for s, p in books.positions.items()}
    cash = books.cash if books.sequence else config.broker.cash
    equity = cash + books.equity(marks) - books.cash
    return Account(account_id=config.broker.account, cash=cash, equity=equity, buying_power=max(cash, ZERO))
