"""A wired desk, from configuration and setting.

Backtest, simulated day, paper and live desk differ here in clock, source, broker, analyst and journal, and nowhere below.
Refuses combinations that could mix up whose money it is: a simulated home is never traded on the real clock.
"""

import threading
import time as time_module
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path

from trading_bot.backtest.report import Header
from trading_bot.bootstrap.bench import Bench
from trading_bot.bootstrap.blinding import Blinding
from trading_bot.bootstrap.brokers import build_broker
from trading_bot.bootstrap.claude import build_asker, build_chair
from trading_bot.bootstrap.faulty import FaultyVenue
from trading_bot.bootstrap.kinds import demand_kind, kind_of
from trading_bot.bootstrap.laboratory import Laboratory
from trading_bot.bootstrap.logs import tell_plainly
from trading_bot.bootstrap.news import NewsDoor
from trading_bot.bootstrap.setting import Setting, authority_of
from trading_bot.bootstrap.sources import CALENDARS, build_source
from trading_bot.config import Config, recall
from trading_bot.domain.approvals import Approval
from trading_bot.domain.errors import ClockError, ConfigError
from trading_bot.domain.mandate import Mode
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.records import DeskStart, MandateInForce
from trading_bot.domain.values import derive_id
from trading_bot.execution.approvals import APPROVE, Approvals, approval_fields
from trading_bot.execution.clock import Bell, RealClock, SimulatedClock, SystemWallClock
from trading_bot.execution.engine import Engine
from trading_bot.execution.guardian_intents import import_intents
from trading_bot.execution.heartbeat import Heartbeat
from trading_bot.execution.inbox import Inbox
from trading_bot.execution.parts import SILENT, Authority, Parts
from trading_bot.execution.session import Session
from trading_bot.llm.budget import spent_today
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.monitoring.notify import AppriseNotifier
from trading_bot.monitoring.systemd import Systemd
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.lookout import Lookout
from trading_bot.orchestrator.running import Streak, TradeLog, Trader
from trading_bot.orchestrator.scheduler import Scheduler
from trading_bot.orchestrator.workflow import Workflow
from trading_bot.ports import Broker, Calendar, Clock, Journal, MarketSource, Notifier, WallClock
from trading_bot.risk.halt import DeskSwitch
from trading_bot.risk.operator import pinned_key, verify_statement
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.memory import MemoryJournal
from trading_bot.storage.owner import own_journal
from trading_bot.tools.host import HttpToolHost

_REMEMBERED = timedelta(days=3)
"""How far back a start reads what was said of a running trade."""
_EASTERN_MORNING = timedelta(hours=4)
"""Before the opening, when a simulated desk gets up: earlier than its first task."""
RESUME = "resume"
_BREATH_S = 0.05
"""Between two looks at whether a venue has carried out a cancel."""


@dataclass(frozen=True)
class Assembly:
    """A wired desk with the parts that commands look at."""

    config: Config
    home: Home
    desk: Desk
    scheduler: Scheduler
    source: MarketSource
    broker: Broker
    journal: Journal
    authority: Authority
    inbox: Inbox
    stop: threading.Event
    bench: Bench
    """What its tools look at."""
    notifier: Notifier
    lookout: Lookout | None = None
    """None of a desk that keeps an exchange's hours."""
    faulty: FaultyVenue | None = None
    """The emulated venue of a day with faults."""
    news: NewsDoor | None = None
    """None in recorded time: a backtest reads none."""

    def close(self) -> None:
        """End streams and connections; orders stay as they are."""
        for part in (self.broker, self.source, self.notifier, self.faulty, self.news):
            getattr(part, "close", _still)()


def build(config: Config, setting: Setting, stop: threading.Event | None = None) -> Assembly:
    """Return a wired desk. Raises ConfigError, HomeError, StorageError or ClockError; a missing mandate only forbids new risk."""
    tell_plainly()
    stop = stop or threading.Event()
    calendars = {name: open_calendar(name) for name in CALENDARS}
    wall = SystemWallClock()
    journal = _journal(config, setting, wall)
    calendar = calendars[kind_of(config).calendar]
    clock = _clock(config, setting, journal, calendar, stop)
    source = build_source(config, calendars, clock.now, setting.home, setting.last)
    faulty = None if setting.faults is None else FaultyVenue(config, setting.faults, source, calendars.__getitem__, clock)
    broker = build_broker(config, setting, source, calendars, clock) if faulty is None else faulty.broker
    authority = authority_of(config, setting, wall)
    switch = DeskSwitch(None if setting.mode is Mode.BACKTEST else setting.home.halt_file, journal)
    view = AsOfView(source, clock.now)
    demand_kind(config, source)
    sectors = {s: source.instrument(s).sector for s in config.universe.symbols}
    notifier = SILENT if setting.simulated or not config.notify.urls else AppriseNotifier(config.notify.urls)
    engine = Engine(
        Parts(
            journal=journal,
            broker=broker,
            view=view,
            clock=clock,
            switch=switch,
            authority=authority,
            calendars=calendars,
            sectors=sectors,
            notifier=notifier,
            breathe=_still if clock.simulated else partial(time_module.sleep, _BREATH_S),
            approval_time=timedelta(minutes=config.approval_minutes),
        )
    )
    approvals = Approvals(journal, engine, clock, partial(_authenticate_approval, setting, journal, wall))
    inbox = Inbox(journal, engine, switch, clock, partial(_authenticate, setting, journal, wall), approvals)
    bell, beat = (clock.bell, partial(_beat, setting.home, wall, Systemd())) if isinstance(clock, RealClock) else (Bell(), _still)
    session = Session(clock=clock, journal=journal, broker=broker, engine=engine, inbox=inbox, stop=stop, bell=bell, beat=beat)
    news = NewsDoor(config, setting.home, clock.now) if setting.mode is not Mode.BACKTEST else None
    lab = Laboratory(config, source, calendars.__getitem__)
    bench = Bench(journal, engine.ledger, calendar, authority, engine.judge, lab)
    blinding = Blinding.of(setting.mask, config.universe.symbols, source)
    host = HttpToolHost(bench.scope, answering=blinding.answering)
    chair = build_chair(config, lambda: blinding.over(build_asker(config, setting, host, wall, stop)))
    desk = Desk(
        mode=setting.mode,
        journal=journal,
        clock=clock,
        view=view,
        analyst=chair.analyst,
        approver=chair.approver,
        engine=engine,
        switch=switch,
        session=session,
        workflow=Workflow(journal, clock),
        calendar=calendar,
        universe=config.universe.symbols,
        news=news.view if news is not None else _still,
        lab=lab if _tries_alternatives(config, setting) else None,
        reports=None if setting.mode is Mode.BACKTEST else setting.home.reports,
        header=partial(_header, config, setting, journal, source),
        limits=authority.mandate.limits if authority.mandate is not None else config.risk.limits,
        trader=_trader(config, engine, journal, clock),
        daily_budget=config.budget.claude_usd_per_day,
        spent_today=partial(spent_today, setting.home, wall),
    )
    scheduler = Scheduler(calendar, config.schedule, journal, _since(journal, clock), kind_of(config).table(config))
    lookout = None if desk.trader is None else Lookout(desk, scheduler, source.timeframes(config.universe.symbols[0])[0])
    return Assembly(
        config, setting.home, desk, scheduler, source, broker, journal, authority, inbox, stop, bench, notifier, lookout, faulty, news
    )


def reopen(home: Home, operator: Path) -> Assembly:
    """Wire the desk of a home as it was last run, to carry out a command where no desk runs. HomeError if there was none."""
    with SqlJournal.look(home.database) as journal:
        config, mode, clock = recall(journal.fact("config")), Mode(journal.fact("mode") or Mode.PAPER), journal.fact("clock kind")
    return build(config, Setting(mode, clock == "simulated", home, operator))


def _trader(config: Config, engine: Engine, journal: Journal, clock: Clock) -> Trader | None:
    """What a desk that goes round the clock remembers of its last looks."""
    if config.desk != "coins":
        return None
    since = clock.now() - _REMEMBERED
    return Trader(config.trader, TradeLog(journal, engine.ledger, since), Streak(journal, since))


def _tries_alternatives(config: Config, setting: Setting) -> bool:
    """Whether the week's end backtests alternatives."""
    wanted = config.research.weekly_backtests
    return wanted == "always" or (wanted == "desk" and setting.mode is not Mode.BACKTEST)


def save_backtest(assembly: Assembly, name: str) -> Path:
    """Write a finished backtest's journal into the home, in place of an earlier run of the same name; return its path."""
    if not isinstance(assembly.journal, MemoryJournal):
        msg = "only a backtest keeps its journal in memory"
        raise ConfigError(msg)
    path = assembly.home.backtests / name / "journal.db"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    for old in path.parent.glob("journal.db*"):
        old.unlink()
    assembly.journal.save(path)
    return path


def _header(config: Config, setting: Setting, journal: Journal, source: MarketSource) -> Header:
    """What a report says of this desk."""
    symbols = config.universe.symbols
    return Header(
        desk=journal.desk,
        mode=setting.mode,
        seed=config.seed,
        symbols=symbols,
        config_digest=config.trading_digest(),
        bars=[source.bars(s, t) for s in symbols for t in source.timeframes(s)],
        source_notes=source.notes(),
        audit=journal.head(),
    )


def announce(assembly: Assembly, version: str) -> None:
    """Journal that this process took the home, and under which mandate."""
    journal, now = assembly.journal, assembly.desk.clock.now()
    journal.append(DeskStart(at=now, number=journal.count(DeskStart) + 1, mode=assembly.desk.mode, version=version))
    mandate = assembly.authority.mandate
    if mandate is None:
        return
    known = journal.all(MandateInForce)
    digest = mandate.fingerprint()
    if not known or known[-1].digest != digest:
        signed = not _is_builtin(assembly)
        journal.append(MandateInForce(at=now, digest=digest, account=mandate.account, signed=signed, body=mandate.canonical()))


def _is_builtin(assembly: Assembly) -> bool:
    return assembly.desk.clock.simulated


def _journal(config: Config, setting: Setting, wall: WallClock) -> Journal:
    if setting.mode is Mode.BACKTEST:
        return MemoryJournal(derive_id("backtest", str(config.seed), length=6))
    setting.home.prepare()
    fixed = derive_id("simulated", str(config.seed), length=6) if setting.simulated else None
    journal = own_journal(setting.home, wall, fixed)
    clock = "simulated" if setting.simulated else "real"
    journal.bind({"clock kind": clock, "mode": setting.mode, "account": config.broker.account, "source": config.source.name})
    if setting.simulated:
        journal.relax()
        journal.bind({"seed": str(config.seed)})
    journal.remember("config", config.canonical())
    import_intents(setting.home.guardian_log, journal)
    return journal


def _clock(config: Config, setting: Setting, journal: Journal, calendar: Calendar, stop: threading.Event) -> Clock:
    reached = journal.clock()
    if setting.simulated:
        return SimulatedClock(reached or _first_morning(config, setting, calendar))
    clock = RealClock(stop)
    if reached is not None and clock.now() < reached:
        msg = f"the machine's clock says {clock.now().isoformat()}, but this desk has seen {reached.isoformat()}: set the clock right (NTP)"
        raise ClockError(msg)
    return clock


def _first_morning(config: Config, setting: Setting, calendar: Calendar) -> datetime:
    if setting.first is not None:
        return datetime.combine(setting.first, time(), calendar.zone).astimezone(UTC)
    wanted = config.simulation.first_session
    session = wanted if calendar.is_session(wanted) else calendar.next_session(wanted)
    return calendar.hours(session)[0] - (_EASTERN_MORNING if config.desk == "stocks" else timedelta(0))


def _beat(home: Home, wall: WallClock, systemd: Systemd) -> None:
    """Show guardian and systemd that the loop turns."""
    Heartbeat(home.heartbeat).beat(wall.now())
    systemd.alive()


def _still() -> None:
    """Nothing."""


def _authenticate(setting: Setting, journal: Journal, wall: WallClock, proof: str, number: int) -> None:
    """Let a resume pass: with the operator's signature, or on a simulated clock, where nothing is at stake."""
    if not setting.simulated:
        verify_statement(proof, RESUME, resume_fields(journal, number), pinned_key(setting.operator), wall.now())


def _authenticate_approval(setting: Setting, journal: Journal, wall: WallClock, word: Approval, proposal: Proposal) -> None:
    """Let an approval pass, by the same rule as a resume."""
    if not setting.simulated:
        verify_statement(word.proof, APPROVE, approval_fields(journal.desk, proposal), pinned_key(setting.operator), wall.now())


def resume_fields(journal: Journal, number: int) -> dict[str, str]:
    """Return what a statement to resume is about: this desk, in the state with this running number."""
    return {"desk": journal.desk, "state": str(number)}


def _since(journal: Journal, clock: Clock) -> datetime:
    """When the desk first started: what was due before belongs to nobody."""
    starts = journal.all(DeskStart)
    return starts[0].at if starts else clock.now()
