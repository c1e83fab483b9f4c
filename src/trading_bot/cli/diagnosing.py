"""`doctor`: one line for each thing that has to hold, PASS or FAIL, and the fix."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

import click

from trading_bot.cli import diagnosing_broker, diagnosing_claude
from trading_bot.cli.context import Context, json_option
from trading_bot.cli.findings import Finding
from trading_bot.domain.errors import DeskError

_OLDEST_PYTHON = (3, 11)
_FREE_BYTES = 200 * 1024 * 1024


@click.command()
@click.option("--fast", is_flag=True, help="For a simulated home: no signed mandate is needed.")
@click.option("--analyst", type=click.Choice(["rules", "claude", "replay", "auto"]), help="As for `orchestrator`: checks what it needs.")
@json_option
@click.pass_context
def doctor(click_context: click.Context, *, fast: bool, analyst: str | None, as_json: bool) -> None:
    """Check machine, home, data, mandate and what the analyst needs, each with its fix; exit status 1 if anything fails."""
    context: Context = click_context.obj
    own = [c for c in _CHECKS if not (fast and c is mandate)]
    checks = [*own, *diagnosing_broker.CHECKS, *(diagnosing_claude.CHECKS if _asks_claude(context, analyst) else (_claude_unasked,))]
    report(click_context, [guarded(check, context) for check in checks], as_json=as_json)


def report(click_context: click.Context, findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print what was found; exit status 1 if anything failed."""
    if as_json:
        click.echo(json.dumps([asdict(f) for f in findings], indent=2))
    else:
        for found in findings:
            fix = f"\n      fix: {click_context.obj.kind.told(found.fix)}" if found.fix else ""
            click.echo(f"{'PASS' if found.passed else 'FAIL'}  {found.name:<14} {found.seen}{fix}")
    if not all(f.passed for f in findings):
        click_context.exit(1)


def _asks_claude(context: Context, analyst: str | None) -> bool:
    """Whether the desk would ask Claude; settings that cannot be read are another check's."""
    try:
        config = context.config({} if analyst is None else {"analyst": analyst})
    except DeskError:
        return False
    return config.analyst in {"claude", "auto"} or config.claude.approver == "claude"


def _claude_unasked(_context: Context) -> Finding:
    return Finding("claude", passed=True, seen="not asked here; `doctor --analyst claude` checks it")


def guarded(check: "Callable[[Context], Finding]", context: Context) -> Finding:
    """A check that cannot be made has failed; a desk's own errors say what to do."""
    name = check.__name__.strip("_").replace("_", " ")
    try:
        return check(context)
    except DeskError as error:
        return Finding(name, passed=False, seen=error.code, fix=str(error))
    except ImportError as error:
        return Finding(name, passed=False, seen=str(error), fix="install the locked dependencies: make install")


def python(_context: Context) -> Finding:
    """It is new enough."""
    seen = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= _OLDEST_PYTHON
    return Finding("python", good, seen, "" if good else "install Python 3.11 or newer and run `make install` again")


def libraries(_context: Context) -> Finding:
    """The one with a C core computes."""
    import numpy as np
    import talib

    rising = talib.SMA(np.arange(1.0, 11.0), timeperiod=5)[-1]
    good = bool(rising == 8.0)  # noqa: PLR2004 - the mean of 6 to 10
    return Finding("libraries", good, f"TA-Lib {talib.__version__}", "" if good else "reinstall TA-Lib: make install")


def configuration(context: Context) -> Finding:
    """The settings can be read."""
    config = context.config()
    return Finding(
        "configuration",
        passed=True,
        seen=f"{len(config.universe.symbols)} symbols, source {config.source.name}, broker {config.broker.name}",
    )


def home(context: Context) -> Finding:
    """The home can be written, and there is space."""
    context.home.prepare()
    free = shutil.disk_usage(context.home_path).free
    good = free >= _FREE_BYTES
    return Finding("home", good, f"{context.home_path}, {free // 2**20} MiB free", "" if good else "free some disk space")


def owner(context: Context) -> Finding:
    """Who runs a desk here; never a failure."""
    owner = context.home.lock_owner()
    return Finding("owner", passed=True, seen=str(owner) if owner else "no desk runs on this home")


def journal(context: Context) -> Finding:
    """The journal is as it was written."""
    from trading_bot.storage.audit import verify
    from trading_bot.storage.database import named

    if not context.home.has_journal:
        return Finding("journal", passed=True, seen="none yet")
    address = context.home.database
    result = verify(address)
    seen = f"{result.rows} rows in {named(address)}" if isinstance(address, str) else f"{result.rows} rows"
    return Finding("journal", result.intact, seen, "" if result.intact else f"{result.problem}; restore a backup")


def desk_state(context: Context) -> Finding:
    """Nothing holds the desk back."""
    from trading_bot.domain.records import DeskState
    from trading_bot.risk.halt import DeskSwitch

    if not context.home.has_journal:
        return Finding("desk state", passed=True, seen="no desk yet")
    with context.journal() as journal:
        state, reason = DeskSwitch(context.home.halt_file, journal).explain()
    good = state is DeskState.RUNNING
    return Finding("desk state", good, f"{state}: {reason}", "" if good else "look at `status`; when the cause is gone: `resume`")


def calendar(_context: Context) -> Finding:
    """The exchange's calendar knows what is ahead."""
    from datetime import timedelta

    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.market.calendar import open_calendar

    today = SystemWallClock().now().date()
    ahead = open_calendar("XNYS").sessions(today, today + timedelta(days=30))
    return Finding(
        "calendar", bool(ahead), f"next session {ahead[0] if ahead else 'unknown'}", "" if ahead else "update exchange-calendars"
    )


def market_data(context: Context) -> Finding:
    """The first symbol has a quote."""
    from trading_bot.bootstrap.sources import build_source
    from trading_bot.cli.times import told
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.market.calendar import open_calendar

    config = context.config()
    source = build_source(config, {name: open_calendar(name) for name in ("XNYS", "24/7")}, SystemWallClock().now, context.home)
    symbol = config.universe.symbols[0]
    quote = source.quote(symbol, SystemWallClock().now())
    fix = "" if quote is not None else "the source has no quote of the first symbol; check source and dates"
    return Finding(
        "market data",
        quote is not None,
        "no quote" if quote is None else f"{symbol} {quote.mid} at {told(quote.time, context.kind.zone)}",
        fix,
    )


def mandate(context: Context) -> Finding:
    """Judged for the mode that it names; whether venue and home mean the same is `mode`'s to say."""
    from trading_bot.bootstrap.guardian import mode_of
    from trading_bot.bootstrap.setting import load_mandate
    from trading_bot.cli.times import told
    from trading_bot.execution.clock import SystemWallClock

    if context.home.has_journal:
        with context.journal() as journal:
            if journal.fact("clock kind") == "simulated":
                return Finding("mandate", passed=True, seen="none needed: this home's desk is simulated")
    config = context.config()
    mode = diagnosing_broker.mandated(context) or mode_of(config)
    mandate = load_mandate(config, context.setting(mode, simulated=False), SystemWallClock())
    return Finding(
        "mandate", passed=True, seen=f"for {mandate.mode}, {mandate.autonomy}, until {told(mandate.expires_at, context.kind.zone)}"
    )


_CHECKS: tuple[Callable[[Context], Finding], ...] = (
    python,
    libraries,
    configuration,
    home,
    owner,
    journal,
    desk_state,
    calendar,
    market_data,
    mandate,
)
