"""Research, wired: a market from the configuration, a desk for a strategy, and the mandate that it works under.

Promises that a strategy meets the desk's own session loop, engine, gate and paper broker, on a simulated clock and in memory. Refuses
to run a strategy that reads the future, and any venue but the paper one.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from trading_bot.backtest.event import Desk, SignalAgenda, Tell, result_of, schedule
from trading_bot.backtest.plan import LimitsBy, Market, Plan, Result
from trading_bot.backtest.wanted import Wanted
from trading_bot.bootstrap.sources import build_source
from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.venue_store import MemoryVenueStore
from trading_bot.config import Config
from trading_bot.domain.errors import ConfigError, MandateError, ResearchError
from trading_bot.domain.mandate import Discipline, Limits, Mandate, Mode
from trading_bot.domain.values import ONE, ZERO, derive_id
from trading_bot.execution.approvals import Approvals
from trading_bot.execution.clock import SimulatedClock, SystemWallClock
from trading_bot.execution.engine import Engine
from trading_bot.execution.inbox import Inbox
from trading_bot.execution.parts import Authority, Parts
from trading_bot.execution.session import Session
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.risk import mandate as mandates
from trading_bot.risk.halt import DeskSwitch
from trading_bot.sources.still import StillSource
from trading_bot.storage.home import Home
from trading_bot.storage.memory import MemoryJournal

_NONE = Discipline(
    cooldown_losses="none",
    cooldown_minutes=1,
    reentry_minutes="none",
    streak_losses="none",
    streak_factor=ONE,
    suspend_losses="none",
    suspend_days="none",
)
"""No brakes on behaviour: a strategy is judged by what it does."""


@dataclass(frozen=True)
class EventRun:
    """A finished run, with the journal that tells every step of it."""

    result: Result
    journal: MemoryJournal


def research_market(config: Config, home: Home, last: date | None = None) -> Market:
    """The market that the configuration names. ConfigError for a broker that is not the paper one."""
    if config.broker.name != "paper":
        raise ConfigError(f"research trades on the paper broker, and broker.name is {config.broker.name}: set it to paper")
    calendars = {name: open_calendar(name) for name in ("XNYS", "24/7")}
    began = datetime.combine(config.simulation.first_session, time(), UTC)
    source = build_source(config, calendars, lambda: began, home, last)
    return Market(StillSource(source, config.source.spread_bps), calendars.__getitem__, config.broker, config.source.spread_bps)


def research_mandate(config: Config, plan: Plan) -> Mandate:
    """The mandate of a run: the configuration's own, or the plan's limits and no other."""
    desk = mandates.builtin(config, Mode.BACKTEST, simulated=True)
    universe = {"universe": plan.symbols}
    if plan.limits is LimitsBy.DESK:
        return desk.model_copy(update=universe)
    return desk.model_copy(update={**universe, "limits": _limits(plan), "discipline": _NONE})


def _limits(plan: Plan) -> Limits:
    kept = {"position": plan.share, "risk_per_trade": plan.risk or "none", "buying_power_reserve": plan.reserve}
    free = dict.fromkeys(Limits.model_fields.keys() - kept.keys() - {"margin_reserve", "short_selling"}, "none")
    return Limits.model_validate({**free, **kept, "margin_reserve": ZERO, "short_selling": True})


def run_event(  # noqa: PLR0913, PLR0917 - what a run is made of
    config: Config,
    market: Market,
    plan: Plan,
    wanted: Sequence[Wanted],
    stop: threading.Event | None = None,
    tell: Tell | None = None,
) -> EventRun:
    """Trade what a strategy wants, bar by bar. `tell` hears how many moments are done, of how many. ResearchError if it was stopped."""
    stop = stop or threading.Event()
    journal = MemoryJournal(derive_id("research", str(plan.seed), length=6))
    clock = SimulatedClock(datetime.combine(plan.first, time(), UTC))
    broker = PaperBroker(MemoryVenueStore(), market.source, market.calendars, clock, market.costs)
    view = AsOfView(market.source, clock.now)
    switch = DeskSwitch(None, journal)
    engine = Engine(
        Parts(
            journal=journal,
            broker=broker,
            view=view,
            clock=clock,
            switch=switch,
            authority=Authority(research_mandate(config, plan), SystemWallClock()),
            calendars={name: market.calendars(name) for name in ("XNYS", "24/7")},
            sectors={s: market.source.instrument(s).sector for s in plan.symbols},
        )
    )
    inbox = Inbox(journal, engine, switch, clock, _nobody, Approvals(journal, engine, clock, _nobody))
    session = Session(clock=clock, journal=journal, broker=broker, engine=engine, inbox=inbox, stop=stop)
    closes, _ = schedule(market, plan.symbols, plan.first, plan.last)
    session.run(SignalAgenda(Desk(journal, clock, view, engine), plan.strategy, wanted, closes, tell or _unheard))
    if stop.is_set():
        raise ResearchError("the run was stopped; nothing was kept")
    return EventRun(result_of(market, plan, engine, journal), journal)


def _unheard(_done: int, _total: int) -> None:
    """Nobody listens."""


def _nobody(*_: object) -> None:
    raise MandateError("nobody can approve or resume anything in a run over recorded time")
