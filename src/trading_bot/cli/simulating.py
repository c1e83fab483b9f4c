"""`simulate`: the round-the-clock desk on a simulated clock, in a home of its own below the trader's.

Promises that it needs no key, no network, no mandate and no setting; that a run which was killed goes on where it died; and that one which
has ended says how to go on. Refuses to mix two simulations in one home.
"""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.context import Context
from trading_bot.cli.starting import rhythm_options, rhythm_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trading_bot.bootstrap.desk import Assembly
    from trading_bot.bootstrap.setting import Setting
    from trading_bot.config import Config
    from trading_bot.orchestrator.scheduler import Slot
    from trading_bot.ports import MarketSource
    from trading_bot.storage.home import Home

FOLDER = "simulated"
_DAY_MINUTES = 1440
_HISTORY_DAYS = 14
"""Of recorded bars before the first look: what indicators are made from."""
_ANOTHER = "begin anew with --fresh"


@click.command()
@click.option("--cycles", type=click.IntRange(min=1), default=96, show_default=True, help="How many looks in all; a higher number goes on.")
@click.option("--data", multiple=True, type=click.Path(path_type=Path), help="File or folder of recorded bars; may be given again.")
@click.option("--start", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day, UTC.")
@click.option("--fresh", is_flag=True, help="Begin anew; what the last simulation left is deleted.")
@rhythm_options
@click.pass_obj
def simulate(context: Context, /, *, cycles: int, first: datetime | None, fresh: bool, **flags: Any) -> None:  # noqa: ANN401 - options shared with `start`
    """Go round on a simulated clock, as fast as it goes: over an invented market, or over recorded prices (--data)."""
    from dataclasses import replace

    from trading_bot.cli.guarding import demand_all
    from trading_bot.cli.running import trade
    from trading_bot.domain.errors import HomeMismatchError
    from trading_bot.domain.mandate import Mode
    from trading_bot.storage.home import Home

    home = Home(context.home_path / FOLDER)
    if fresh:
        _clear(home)
    config = _config(context, **flags)
    setting = replace(context.setting(Mode.PAPER, simulated=True), home=home)
    try:
        demand_all(config, setting)
        _demand_same(config, home, first)
        began = None if home.has_journal else _first_day(config, setting, first)
        trade(config, replace(setting, first=began), partial(_looks, cycles), partial(_tell_end, cycles))
    except HomeMismatchError as error:
        raise HomeMismatchError(f"{error}; or {_ANOTHER}") from error


def _config(context: Context, **flags: Any) -> "Config":  # noqa: ANN401 - values of flags
    """Settings of a simulation: rules unless somebody else is asked for, and no market that is somewhere else."""
    from trading_bot.sources.files_read import Library

    flags["data"] = [path.absolute() for path in flags["data"]]  # the home remembers them, whoever looks at it from where
    settings = {"analyst": "rules", "broker.name": "paper", **rhythm_settings(**flags)}
    config = context.config(settings)
    if config.source.name == "files" and not flags.get("symbols"):
        held = set(Library(config.source.files).symbols())
        settings["universe.symbols"] = [s for s in config.universe.symbols if s in held] or list(config.universe.symbols)
    elif config.source.name != "files":
        settings["source.name"] = "synthetic"
    return context.config(settings)


def _clear(home: "Home") -> None:
    """Delete the last simulation. HomeError for a folder that is none, HomeLockedError for one that runs."""
    import shutil

    from trading_bot.domain.errors import HomeError, HomeLockedError
    from trading_bot.storage.peek import peek

    owner = home.lock_owner()
    if owner is not None:
        raise HomeLockedError(f"{home.path} is owned by {owner}; stop that process first")
    if home.has_journal and peek(home.database, (), 0).facts.get("clock kind") != "simulated":
        raise HomeError(f"{home.path} holds a desk on the real clock: nothing of it is deleted")
    if home.path.exists():
        shutil.rmtree(home.path)


def _demand_same(config: "Config", home: "Home", first: datetime | None) -> None:
    """Raise HomeMismatchError if the simulation that is to go on was another."""
    from trading_bot.config import recall
    from trading_bot.domain.errors import HomeMismatchError
    from trading_bot.domain.records import DeskStart
    from trading_bot.storage.journal import SqlJournal

    if not home.has_journal:
        return
    with SqlJournal.look(home.database) as journal:
        known, starts = recall(journal.fact("config")), journal.all(DeskStart)
    begun = starts[0].at.date() if starts else None
    before = (known.source, known.universe.symbols, begun if first is not None else None)
    now = (config.source, config.universe.symbols, None if first is None else first.date())
    if before != now:
        market = ", ".join(str(one.path) for one in known.source.files) if known.source.name == "files" else "an invented market"
        coins = ", ".join(known.universe.symbols)
        raise HomeMismatchError(f"{home.path} holds a simulation of {coins} over {market}, begun on {begun}: go on with the same")


def _first_day(config: "Config", setting: "Setting", wanted: datetime | None) -> "date | None":
    """The first day of a new simulation; None leaves it to the settings. ConfigError for no coin, NoDataError without bars."""
    from datetime import timedelta

    from trading_bot.bootstrap.kinds import demand_kind
    from trading_bot.bootstrap.sources import CALENDARS, build_source
    from trading_bot.domain.errors import NoDataError
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.market.calendar import open_calendar

    source = build_source(config, {name: open_calendar(name) for name in CALENDARS}, SystemWallClock().now, setting.home)
    demand_kind(config, source)
    if config.source.name != "files":
        return None if wanted is None else wanted.date()
    begin, end = _reach(source, config)
    day = begin.date() + timedelta(days=_HISTORY_DAYS) if wanted is None else wanted.date()
    if not begin.date() <= day < end.date():
        reach = f"reach from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, and the first look would be on {day}"
        fix = "choose another --start" if wanted else f"before it {_HISTORY_DAYS} days are needed; --start chooses"
        raise NoDataError(f"the bars of {', '.join(config.universe.symbols)} {reach}: {fix}")
    return day


def _reach(source: "MarketSource", config: "Config") -> "tuple[datetime, datetime]":
    """From when on every coin has bars, and until when any has."""
    from datetime import UTC

    import pandas as pd

    finest = [source.bars(s, source.timeframes(s)[0]) for s in config.universe.symbols]
    begin: datetime = max(series.frame.index[0] for series in finest).to_pydatetime()
    end: datetime = pd.Timestamp(max(series.ends[-1] for series in finest)).to_pydatetime()
    return begin, end.replace(tzinfo=UTC)


def _looks(cycles: int, assembly: "Assembly") -> "Sequence[Slot]":
    """All slots up to the look with the number `cycles`, or to the last for which there are prices."""
    from trading_bot.orchestrator.scheduler import LOOK

    config, scheduler = assembly.config, assembly.scheduler
    slots = scheduler.first_slots(cycles * config.trader.interval_minutes // _DAY_MINUTES + 2)
    end = _reach(assembly.source, config)[1] if config.source.name == "files" else None
    looks = [slot for slot in slots if slot.workflow == LOOK and (end is None or slot.due < end)][:cycles]
    return [slot for slot in slots if looks and slot.due <= looks[-1].due]


def _tell_end(cycles: int, assembly: "Assembly", slots: "Sequence[Slot]", stopped: bool) -> None:  # noqa: FBT001 - as `trade` tells it
    from trading_bot.cli.trader_tables import round_table
    from trading_bot.orchestrator.scheduler import LOOK

    round_table(assembly)
    if stopped:
        return
    looks = sum(1 for slot in slots if slot.workflow == LOOK)
    on = f"--cycles {cycles + cycles} goes on" if looks == cycles else "the recorded prices end here"
    click.echo(
        f"Went round {looks} times in all; {on}, --fresh begins anew. `claude-trader --home {assembly.home.path} history` tells more."
    )
