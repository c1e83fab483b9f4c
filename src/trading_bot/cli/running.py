"""`orchestrator` and `run`: the commands that own the home and let the desk work."""

from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.context import Context
from trading_bot.cli.guarding import demand_account, demand_all, desk_in, owned_as_desk, owned_for, stoppable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trading_bot.bootstrap.desk import Assembly
    from trading_bot.bootstrap.setting import Setting
    from trading_bot.config import Config
    from trading_bot.domain.values import Symbol
    from trading_bot.orchestrator.scheduler import Slot
    from trading_bot.ports import MarketSource

_WORKFLOWS = ("pre-market", "market-open", "monitor", "end-of-day", "weekly")
_GAP_DAYS = 4
"""The longest weekend: a period may end so many days after its last bar."""
_PATIENCE_S = 300.0
"""How long `run` waits for another command that has the home; one workflow takes seconds."""

_source_options = (
    click.option("--source", help="Market data: synthetic, files, or an installed one."),
    click.option("--data", multiple=True, type=click.Path(path_type=Path), help="File or folder of bars; may be given again."),
    click.option("--symbols", help="Comma-separated universe, e.g. AAPL,SPY."),
    click.option("--cassettes", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Recorded calls for --analyst replay."),
    click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random."),
    click.option("--analyst", type=click.Choice(["rules", "claude", "replay", "auto"]), help="Who proposes."),
)


def _with_source(command: Any) -> Any:  # noqa: ANN401 - click's decorators
    for option in reversed(_source_options):
        command = option(command)
    return command


@click.command()
@click.option("--orchestrator-mode", "mode", type=click.Choice(["paper", "live", "backtest"]), default="paper", show_default=True)
@click.option("--fast", is_flag=True, help="Simulated clock and synthetic market: one session in seconds, no mandate needed.")
@click.option("--sessions", type=click.IntRange(min=1), default=1, show_default=True, help="How many sessions a --fast desk trades in all.")
@click.option("--faults", is_flag=True, help="With --fast: on an emulated Alpaca where things go wrong; tells how each was survived.")
@click.option("--fault-script", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="YAML rules for --faults.")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day of a backtest.")
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Last day of a backtest.")
@click.option("--cash", help="Starting cash of the paper broker in a backtest.")
@_with_source
@click.pass_obj
def orchestrator(  # noqa: PLR0913 - flags of the main command
    context: Context,
    /,
    mode: str,
    *,
    fast: bool,
    sessions: int,
    faults: bool,
    fault_script: Path | None,
    start: datetime | None,
    end: datetime | None,
    **flags: Any,  # noqa: ANN401 - options shared with `run`
) -> None:
    """Run the desk until it is stopped (paper, live), for some sessions (--fast), or over recorded time (backtest)."""
    from trading_bot.domain.mandate import Mode

    config = context.config(to_settings(**flags))
    if mode == "backtest":
        if fast or start is None or end is None:
            raise click.UsageError("a backtest needs --start and --end, and takes no --fast")
        _backtest(context, config, start.date(), end.date())
        return
    if start is not None or end is not None or flags.get("cash") is not None:
        raise click.UsageError("--start, --end and --cash belong to --orchestrator-mode backtest")
    if fast and mode == "live":
        raise click.UsageError("--fast is a simulation; it cannot be live")
    if (faults or fault_script) and not fast:
        raise click.UsageError("--faults belongs to --fast: real venues bring faults of their own")
    setting = context.setting(Mode(mode), simulated=fast)
    if faults or fault_script:
        setting = _with_faults(setting, fault_script)
    demand_all(config, setting)
    trade(config, setting, lambda assembly: assembly.scheduler.first_slots(sessions), partial(_tell_sessions, sessions))


def _with_faults(setting: "Setting", script: Path | None) -> "Setting":
    """The same run on an emulated venue with faults, in a home of its own that begins anew each time."""
    from dataclasses import replace

    from trading_bot.bootstrap.faulty import fresh_home, rules_of
    from trading_bot.storage.home import Home

    rules = rules_of(script)
    return replace(setting, home=Home(fresh_home(setting.home.path)), faults=rules)


@click.command()
@click.argument("workflow", type=click.Choice(_WORKFLOWS))
@click.option("--fast", is_flag=True, help="On the simulated clock of a simulated home: go to the workflow's next slot first.")
@_with_source
@click.pass_obj
def run(context: Context, /, workflow: str, *, fast: bool, **flags: Any) -> None:  # noqa: ANN401 - options shared with `orchestrator`
    """Run WORKFLOW's latest due slot, once.

    Safe to run twice and at the same time: a slot that has ended is not run again, a second command waits for the first, and where
    a whole desk runs, it does the work itself.
    """
    from trading_bot.bootstrap.desk import announce, build
    from trading_bot.domain.mandate import Mode

    config = context.config(to_settings(**flags))
    setting = context.setting(Mode.PAPER, simulated=fast)
    demand_all(config, setting)
    desk = desk_in(context.home)
    if desk is not None:
        click.echo(f"nothing to do: the desk that runs here does its {workflow} itself: {desk}")
        return
    with owned_for(setting, f"run {workflow}", _PATIENCE_S), stoppable() as stop:
        assembly = build(config, setting, stop)
        if not setting.simulated:
            demand_account(assembly)
        announce(assembly, _version())
        try:
            click.echo(_run_once(assembly, workflow))
        finally:
            assembly.close()


def _run_once(assembly: "Assembly", workflow: str) -> str:
    from trading_bot.cli.times import eastern
    from trading_bot.domain.records import TaskRun
    from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator

    desk, scheduler = assembly.desk, assembly.scheduler
    desk.session.begin()
    if desk.clock.simulated and scheduler.latest_due(workflow, desk.clock.now()) is None:
        ahead = scheduler.upcoming(desk.clock.now(), workflow)
        if ahead is not None:
            desk.session.wait(ahead.due)
    orchestrator_ = TradingOrchestrator(desk, scheduler, assembly.stop)
    before = scheduler.latest_due(workflow, desk.clock.now())
    if before is None:
        ahead = scheduler.upcoming(desk.clock.now(), workflow)
        return f"{workflow} is not due; next {eastern(ahead.due)}" if ahead is not None else f"{workflow} is not scheduled"
    done_before = scheduler.has_ended(before)
    orchestrator_.run_slot(before)
    ended = assembly.journal.get(TaskRun, f"{before.id}:ended")
    outcome = "not ended" if ended is None else f"{ended.status}: {ended.reason}"
    return f"{before.task} of {before.session}: {'had run already; ' if done_before else ''}{outcome}"


def trade(
    config: "Config",
    setting: "Setting",
    plan: "Callable[[Assembly], Sequence[Slot]]" = lambda _assembly: (),
    tell_end: "Callable[[Assembly, Sequence[Slot], bool], None]" = lambda _assembly, _slots, _stopped: None,
) -> None:
    """Own the home and let its desk work: on a simulated clock through the slots of `plan`, on the real one until it is stopped.

    `tell_end` hears of these slots and whether somebody stopped it.
    """
    from trading_bot.bootstrap.desk import announce, build
    from trading_bot.bootstrap.doors import desk_socket
    from trading_bot.bootstrap.sources import open_source
    from trading_bot.cli.progress import Progress
    from trading_bot.cli.tables import opening_lines
    from trading_bot.monitoring.systemd import Systemd
    from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator

    with owned_as_desk(setting), stoppable() as stop:
        assembly = build(config, setting, stop)
        if not setting.simulated:
            demand_account(assembly)
        announce(assembly, _version())
        slots = plan(assembly) if setting.simulated else ()
        left = [slot for slot in slots if not assembly.scheduler.has_ended(slot)]
        if not setting.simulated:
            opening_lines(assembly)
            open_source(assembly.source, config.universe.symbols)
        with desk_socket(assembly), Progress(len(left), zone=assembly.desk.calendar.zone) as progress:
            until = slots[-1].due if slots else None
            loop = TradingOrchestrator(assembly.desk, assembly.scheduler, stop, until=until, tell=progress.tell, lookout=assembly.lookout)
            loop.run(Systemd().ready)
        assembly.close()
        tell_end(assembly, slots, stop.is_set())
        if stop.is_set():
            click.echo("Stopped. Start again to go on where it stopped; positions keep their stops at the broker.")


def _tell_sessions(sessions: int, assembly: "Assembly", slots: "Sequence[Slot]", stopped: bool) -> None:  # noqa: FBT001 - as `trade` tells it
    """What came of a stock desk's sessions, and of their faults."""
    from trading_bot.bootstrap.faulty import audited, saves
    from trading_bot.cli.tables import closing_table, saves_table

    closing_table(assembly, slots[-1].session if slots else None)
    if assembly.faulty is not None:
        found = audited(assembly.faulty, assembly.journal, assembly.desk.clock.now())
        saves_table(saves(assembly.faulty, assembly.journal), [f"{v.rule} {v.subject}: {v.text}" for v in found])
    if slots and not stopped:
        click.echo(f"Traded {sessions} simulated session(s); --sessions {sessions + 1} goes on. `report` tells more.")


def _backtest(context: Context, config: "Config", first: date, last: date) -> None:
    from trading_bot.backtest.report import write
    from trading_bot.bootstrap.desk import announce, build, save_backtest
    from trading_bot.bootstrap.setting import Setting
    from trading_bot.cli.progress import Progress
    from trading_bot.cli.tables import backtest_table
    from trading_bot.domain.mandate import Mode
    from trading_bot.market.calendar import open_calendar
    from trading_bot.orchestrator.backtesting import Period, check, report
    from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator

    if last < first:
        raise click.UsageError(f"--end {last} is before --start {first}")
    if not open_calendar("XNYS").sessions(first, last):
        raise click.UsageError(f"there is no trading session from {first} to {last}: widen --start and --end")
    context.home.prepare()
    with stoppable() as stop:
        assembly = build(
            config, Setting(Mode.BACKTEST, simulated=True, home=context.home, operator=context.operator, first=first, last=last), stop
        )
        period = Period(assembly.source, open_calendar, config.universe.symbols, first, last)
        check(period)
        announce(assembly, _version())
        slots = assembly.scheduler.slots_between(first, last)
        with Progress(len(slots), by_session=True) as progress:
            TradingOrchestrator(assembly.desk, assembly.scheduler, stop, until=slots[-1].due if slots else None, tell=progress.tell).run()
        if stop.is_set():
            raise click.ClickException("the backtest was stopped; nothing was written")
    made = report(assembly.desk, period)
    kept = _keep(context, assembly, first, last)
    name = f"{first}_{last}_{made['config_digest'][:8]}"
    path = context.home.reports / f"backtest_{name}.json"
    journal = save_backtest(assembly, name)
    write(path, made)
    backtest_table(made, path, journal)
    click.echo(f"run      {kept}: `backtest validate {kept}` says how far to trust it, `backtest report {kept} --open` draws it")
    for line in _early_ends(assembly.source, config.universe.symbols, last):
        click.echo(line)


def _keep(context: Context, assembly: "Assembly", first: date, last: date) -> str:
    """Put the result on the shelf of runs; return its name there."""
    from trading_bot.backtest.shelf import Shelf
    from trading_bot.bootstrap.desk_results import desk_card, desk_plan, desk_result
    from trading_bot.cli.researching_run import command_line
    from trading_bot.execution.clock import SystemWallClock

    plan = desk_plan(assembly.config, f"desk:{assembly.config.analyst}", first, last)
    result = desk_result(assembly, plan).with_card(desk_card(assembly, plan, command_line()))
    return Shelf(context.home.backtests).save(result, SystemWallClock().now())


def _early_ends(source: "MarketSource", symbols: "Sequence[Symbol]", last: date) -> list[str]:
    """What ends before the period does: sessions without prices must not pass for sessions without trades."""
    ends = {f"{s} {t}": source.bars(s, t).frame.index[-1].date() for s in symbols for t in source.timeframes(s)}
    return [
        f"NO PRICES of {name} after {end}, though the run goes on to {last}" for name, end in ends.items() if (last - end).days > _GAP_DAYS
    ]


def to_settings(**flags: Any) -> dict[str, Any]:  # noqa: ANN401 - values of flags
    """Turn flags that were given into settings."""
    names = {"source": "source.name", "seed": "seed", "analyst": "analyst", "cassettes": "cassettes", "cash": "broker.cash"}
    settings = {names[k]: v for k, v in flags.items() if k in names and v is not None}
    if flags.get("data"):
        settings |= {"source.files": [{"path": str(path)} for path in flags["data"]]}
        settings.setdefault("source.name", "files")
    if flags.get("symbols"):
        settings["universe.symbols"] = [s.strip().upper() for s in flags["symbols"].split(",") if s.strip()]
    return settings


def _version() -> str:
    from trading_bot import __version__

    return __version__
