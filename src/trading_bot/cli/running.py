"""`orchestrator` and `run`: the commands that own the home and let the desk work."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.context import Context

if TYPE_CHECKING:
    from trading_bot.bootstrap import Assembly, Setting
    from trading_bot.config import Config

_LIVE_WORD = "TRADE REAL MONEY"
_WORKFLOWS = ("pre-market", "market-open", "monitor", "end-of-day", "weekly")

_source_options = (
    click.option("--source", help="Market data: synthetic, files, or an installed one."),
    click.option("--data", multiple=True, type=click.Path(path_type=Path), help="File or folder of bars; may be given again."),
    click.option("--symbols", help="Comma-separated universe, e.g. AAPL,SPY."),
    click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random."),
    click.option("--analyst", type=click.Choice(["rules"]), help="Who proposes."),
)


def _with_source(command: Any) -> Any:  # noqa: ANN401 - click's decorators
    for option in reversed(_source_options):
        command = option(command)
    return command


@click.command()
@click.option("--orchestrator-mode", "mode", type=click.Choice(["paper", "live", "backtest"]), default="paper", show_default=True)
@click.option("--fast", is_flag=True, help="Simulated clock and synthetic market: one session in seconds, no mandate needed.")
@click.option("--sessions", type=click.IntRange(min=1), default=1, show_default=True, help="How many sessions a --fast desk trades in all.")
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
    start: datetime | None,
    end: datetime | None,
    **flags: Any,  # noqa: ANN401 - options shared with `run`
) -> None:
    """Run the desk until it is stopped (paper, live), for some sessions (--fast), or over recorded time (backtest)."""
    from trading_bot.domain.mandate import Mode

    config = context.config(_to_settings(**flags))
    if mode == "backtest":
        if fast or start is None or end is None:
            raise click.UsageError("a backtest needs --start and --end, and takes no --fast")
        _backtest(context, config, start.date(), end.date())
        return
    if start is not None or end is not None or flags.get("cash") is not None:
        raise click.UsageError("--start, --end and --cash belong to --orchestrator-mode backtest")
    if fast and mode == "live":
        raise click.UsageError("--fast is a simulation; it cannot be live")
    setting = context.setting(Mode(mode), simulated=fast)
    if not fast:
        _demand_mandate(config, setting)
    if mode == "live":
        _demand_live_word()
    _trade(config, setting, sessions)


@click.command()
@click.argument("workflow", type=click.Choice(_WORKFLOWS))
@click.option("--fast", is_flag=True, help="On the simulated clock of a simulated home: go to the workflow's next slot first.")
@_with_source
@click.pass_obj
def run(context: Context, /, workflow: str, *, fast: bool, **flags: Any) -> None:  # noqa: ANN401 - options shared with `orchestrator`
    """Run WORKFLOW's latest due slot, once. Safe to run twice and at the same time."""
    from trading_bot.bootstrap import announce, build
    from trading_bot.domain.mandate import Mode

    config = context.config(_to_settings(**flags))
    setting = context.setting(Mode.PAPER, simulated=fast)
    if not fast:
        _demand_mandate(config, setting)
    with _owned(setting, f"run {workflow}"), _stoppable() as stop:
        assembly = build(config, setting, stop)
        announce(assembly, _version())
        click.echo(_run_once(assembly, workflow))


def _run_once(assembly: "Assembly", workflow: str) -> str:
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
        return f"{workflow} is not due; next at {ahead.due.isoformat()}" if ahead is not None else f"{workflow} is not scheduled"
    done_before = scheduler.has_ended(before)
    orchestrator_.run_slot(before)
    ended = assembly.journal.get(TaskRun, f"{before.id}:ended")
    outcome = "not ended" if ended is None else f"{ended.status}: {ended.reason}"
    return f"{before.task} of {before.session}: {'had run already; ' if done_before else ''}{outcome}"


def _trade(config: "Config", setting: "Setting", sessions: int) -> None:
    from trading_bot.bootstrap import announce, build
    from trading_bot.cli.progress import Progress
    from trading_bot.cli.tables import closing_table
    from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator

    with _owned(setting, "orchestrator"), _stoppable() as stop:
        assembly = build(config, setting, stop)
        announce(assembly, _version())
        slots = assembly.scheduler.first_slots(sessions) if setting.simulated else []
        left = [slot for slot in slots if not assembly.scheduler.has_ended(slot)]
        with Progress(len(left)) as progress:
            until = slots[-1].due if slots else None
            TradingOrchestrator(assembly.desk, assembly.scheduler, stop, until=until, tell=progress.tell).run()
        closing_table(assembly, slots[-1].session if slots else None)
        if stop.is_set():
            click.echo("Stopped. Start again to go on where it stopped; positions keep their stops at the broker.")
        elif setting.simulated:
            click.echo(f"This desk has traded {sessions} simulated session(s); --sessions {sessions + 1} goes on with the next.")


def _backtest(context: Context, config: "Config", first: date, last: date) -> None:
    from trading_bot.backtest.report import write
    from trading_bot.bootstrap import Setting, announce, build, save_backtest
    from trading_bot.cli.progress import Progress
    from trading_bot.cli.tables import backtest_table
    from trading_bot.domain.mandate import Mode
    from trading_bot.market.calendar import open_calendar
    from trading_bot.orchestrator.backtesting import Period, check, report
    from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator

    if last < first:
        raise click.UsageError(f"--end {last} is before --start {first}")
    context.home.prepare()
    with _stoppable() as stop:
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
    name = f"{first}_{last}_{made['config_digest'][:8]}"
    path = context.home.reports / f"backtest_{name}.json"
    journal = save_backtest(assembly, name)
    write(path, made)
    backtest_table(made, path, journal)


def _to_settings(**flags: Any) -> dict[str, Any]:  # noqa: ANN401 - values of flags
    """Turn flags that were given into settings."""
    names = {"source": "source.name", "seed": "seed", "analyst": "analyst", "cash": "broker.cash"}
    settings = {names[k]: v for k, v in flags.items() if k in names and v is not None}
    if flags.get("data"):
        settings |= {"source.files": [{"path": str(path)} for path in flags["data"]]}
        settings.setdefault("source.name", "files")
    if flags.get("symbols"):
        settings["universe.symbols"] = [s.strip().upper() for s in flags["symbols"].split(",") if s.strip()]
    return settings


def _demand_mandate(config: "Config", setting: "Setting") -> None:
    """A desk on the real clock does not even start without a mandate that holds."""
    from trading_bot.bootstrap import load_mandate
    from trading_bot.execution.clock import SystemWallClock

    load_mandate(config, setting, SystemWallClock())


def _demand_live_word() -> None:
    """Real money needs words typed by a person."""
    from trading_bot.cli.terminal import ask_words

    ask_words(f"This desk will trade real money. Type {_LIVE_WORD} to go on: ", _LIVE_WORD)


@contextmanager
def _owned(setting: "Setting", purpose: str) -> Iterator[None]:
    """Own the home for the duration."""
    from trading_bot.execution.clock import SystemWallClock

    setting.home.prepare()
    with setting.home.lock(purpose, SystemWallClock().now()):
        yield


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into a clean stop; the second one ends at once, which is safe too."""
    stop = threading.Event()

    def ask(number: int, _frame: object) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _version() -> str:
    from trading_bot import __version__

    return __version__
