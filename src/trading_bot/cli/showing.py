"""`status`, `trades`, `report`, `journal export`, `audit verify`: looks at a desk without touching it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option

if TYPE_CHECKING:
    from trading_bot.config import Config
    from trading_bot.execution.ledger import Ledger
    from trading_bot.orchestrator.round_status import RoundStatus
    from trading_bot.orchestrator.status import Status
    from trading_bot.storage.home import Owner, Starting
    from trading_bot.storage.journal import SqlJournal


@click.command()
@json_option
@click.pass_obj
def status(context: Context, *, as_json: bool) -> None:
    """State, positions and their protection, next task; of a desk that goes round the clock its trade and its last looks too."""
    from trading_bot.cli.tables import status_table
    from trading_bot.cli.trader_tables import round_rows

    seen = _status(context)
    if as_json:
        owner = None if seen.owner is None else asdict(seen.owner)
        rounds = {} if seen.rounds is None else seen.rounds.model_dump(mode="json")
        value = {**seen.found.model_dump(mode="json"), **rounds, "clock": seen.clock, "owner": owner}
        click.echo(json.dumps(value, indent=2, default=datetime.isoformat))
    else:
        more = () if seen.rounds is None else round_rows(seen.rounds, seen.zone)
        status_table(seen.found, context.home, seen.clock, seen.owner, seen.zone, more)


@dataclass(frozen=True)
class _Seen:
    """The desk's state, its kind of clock, who runs it, and its market's zone."""

    found: "Status"
    clock: str
    owner: "Owner | Starting | None"
    zone: tzinfo
    rounds: "RoundStatus | None"
    """None of a desk of stocks."""


def _status(context: Context) -> _Seen:
    from trading_bot.bootstrap.kinds import kind_of
    from trading_bot.config import recall
    from trading_bot.domain.mandate import Mode
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.execution.ledger import Ledger
    from trading_bot.llm.budget import spent_today
    from trading_bot.market.calendar import open_calendar
    from trading_bot.orchestrator import status as statuses
    from trading_bot.orchestrator.scheduler import Scheduler
    from trading_bot.risk.halt import DeskSwitch

    with context.journal() as journal:
        config, clock = recall(journal.fact("config")), journal.fact("clock kind") or "real"
        reached, kind, ledger = journal.clock(), kind_of(config), Ledger(journal)
        now = reached if reached is not None and clock == "simulated" else SystemWallClock().now()
        calendar, owner = open_calendar(kind.calendar), context.home.lock_owner()
        found = statuses.status(
            journal=journal,
            ledger=ledger,
            scheduler=Scheduler(calendar, config.schedule, journal, now, kind.table(config)),
            switch=DeskSwitch(context.home.halt_file, journal),
            calendar=calendar,
            now=now,
            mode=Mode(journal.fact("mode") or Mode.PAPER),
            budget=config.budget.claude_usd_per_day,
            spent=spent_today(context.home, SystemWallClock()),
            running=owner is not None,
        )
        rounds = _rounds(context, config, journal, ledger, now) if config.desk == "coins" else None
    return _Seen(found, clock, owner, calendar.zone, rounds)


def _rounds(context: Context, config: "Config", journal: "SqlJournal", ledger: "Ledger", now: datetime) -> "RoundStatus":
    from trading_bot.bootstrap.sources import CALENDARS, build_source
    from trading_bot.cli.trade_history import cost_of
    from trading_bot.market.calendar import open_calendar
    from trading_bot.market.view import AsOfView
    from trading_bot.orchestrator.round_status import round_status

    def view() -> AsOfView:
        source = build_source(config, {name: open_calendar(name) for name in CALENDARS}, lambda: now, context.home)
        return AsOfView(source, lambda: now)

    with context.spending() as page:
        return round_status(journal, ledger, now, view, partial(cost_of, page))


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many of the newest to show.")
@json_option
@click.pass_obj
def trades(context: Context, *, limit: int, as_json: bool) -> None:
    """Closed trades, newest last, and what they earned."""
    from trading_bot.cli.tables import trades_table
    from trading_bot.execution.ledger import Ledger

    with context.journal() as journal:
        ledger = Ledger(journal)
        closed = ledger.trades.closed[-limit:]
        if as_json:
            rows = [{**t.model_dump(mode="json"), "strategy": ledger.strategy_of(t)} for t in closed]
            click.echo(json.dumps({"trades": rows, "open": [p.model_dump(mode="json") for p in ledger.books.positions.values()]}, indent=2))
        else:
            trades_table(closed, ledger, context.kind.zone)


@click.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="YYYY-MM-DD; default: the newest.")
@json_option
@click.pass_obj
def report(context: Context, *, day: datetime | None, as_json: bool) -> None:
    """The newest daily report, or the one of a day."""
    from trading_bot.cli.tables import report_table

    pattern = f"daily_{day:%Y%m%d}.json" if day else "daily_*.json"
    found = sorted(context.home.reports.glob(pattern))
    if not found:
        msg = f"{context.home.reports} has no {pattern}; reports are written at the end of a session"
        raise click.ClickException(msg)
    with _reading(found[-1]):
        content = json.loads(found[-1].read_text("utf-8"))
        if as_json:
            click.echo(json.dumps(content, indent=2))
        else:
            report_table(content, found[-1])


@click.group()
def journal() -> None:
    """The desk's append-only journal."""


@journal.command(name="export")
@click.option("--backtest", help="Export a backtest's journal: its name, or `latest`.")
@click.option("--output", type=click.Path(path_type=Path), help="A file; default: standard output.")
@click.pass_obj
def export_(context: Context, *, backtest: str | None, output: Path | None) -> None:
    """Print what happened as canonical JSON lines: ordered, without wall times and without recovery rows.

    Without a desk's journal in the home, the newest backtest's is exported.
    """
    from trading_bot.storage.export import export

    with _chosen(context, backtest) as chosen:
        lines = export(chosen)
        if output is None:
            for line in lines:
                click.echo(line)
        else:
            output.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _chosen(context: Context, backtest: str | None) -> "SqlJournal":
    from trading_bot.storage.journal import SqlJournal

    runs = sorted(context.home.backtests.glob("*/journal.db"), key=lambda path: path.stat().st_mtime_ns)
    if backtest is None and (context.home.has_journal or not runs):
        return context.journal()
    wanted = [path for path in runs if backtest in {None, "latest", path.parent.name}]
    if not wanted:
        names = ", ".join(path.parent.name for path in runs) or "none"
        msg = f"{context.home.backtests} has no backtest {backtest}; it has {names}"
        raise click.ClickException(msg)
    return SqlJournal.look(wanted[-1])


@click.group()
def audit() -> None:
    """The hash chain over every journal row."""


@audit.command()
@json_option
@click.pass_context
def verify(click_context: click.Context, *, as_json: bool) -> None:
    """Read the whole journal against its hashes and the heads anchored in reports; exit status 1 if a row is not as written."""
    from trading_bot.storage.audit import verify as verify_chain

    context: Context = click_context.obj
    context.journal().close()
    anchors = [_anchor(path) for path in sorted(context.home.reports.glob("[dw]*_*.json"))]
    result = verify_chain(context.home.database, anchors)
    intact = f"intact: {result.rows} rows, {len(anchors)} anchors in reports, head {result.head[:16]}"
    text = intact if result.intact else f"NOT INTACT at row {result.first_bad}: {result.problem}"
    click.echo(
        json.dumps({**result.model_dump(mode="json"), "intact": result.intact, "anchors": len(anchors)}, indent=2) if as_json else text
    )
    if not result.intact:
        click_context.exit(1)


def _anchor(path: Path) -> tuple[int, str]:
    """The head of the chain that a report names."""
    with _reading(path):
        found = json.loads(path.read_text("utf-8"))["audit"]
        return int(found["rows"]), str(found["hash"])


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """A report that was cut off or edited is an error that names it."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        from trading_bot.domain.errors import StorageError

        msg = f"{path} is not a report as this program writes them ({error!r}): restore it from a backup, or move it away"
        raise StorageError(msg) from error
