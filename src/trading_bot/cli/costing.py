"""`costs`: what calls of models cost, and what is left. Works beside a desk, and without one."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option
from trading_bot.cli.homes import homes_options, known

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from trading_bot.cli.homes import Known
    from trading_bot.llm.tally import Costs, Share, TierShare
    from trading_bot.settings import BudgetSettings
    from trading_bot.storage.home import Home

_REMEMBERED = timedelta(days=7)
"""How far back the forecast looks."""


@click.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="YYYY-MM-DD, a UTC day; default: today.")
@click.option("--days", type=click.IntRange(min=1, max=3660), default=1, show_default=True, help="So many days, up to that one.")
@homes_options
@json_option
@click.pass_obj
def costs(context: Context, *, day: datetime | None, days: int, others: "Sequence[Path] | None", as_json: bool) -> None:
    """What models cost, by tier, workflow, model, trade and token class; forecast of the day and budget left."""
    last = None if day is None else day.date()
    if others is not None:
        desks = known(context, others)
        _tell_all(desks, [_costs(desk.home, desk.config.budget, last, days) for desk in desks], as_json=as_json)
        return
    found = _costs(context.home, context.config().budget, last, days)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=2))
    else:
        _show(found)


def _tell_all(desks: "Sequence[Known]", found: "Sequence[Costs]", *, as_json: bool) -> None:
    """Each desk as by itself, then their sum."""
    from rich.console import Console

    from trading_bot.llm.tally import together

    both = together(found)
    if as_json:
        each = [{**desk.told, "costs": one.model_dump(mode="json")} for desk, one in zip(desks, found, strict=True)]
        click.echo(json.dumps({"desks": each, "together": both.model_dump(mode="json")}, indent=2))
        return
    out = Console(highlight=False, markup=False)
    for desk, one in zip(desks, found, strict=True):
        out.print(desk.name, style="bold", soft_wrap=True)
        _show(one)
        out.print()
    out.print("All desks", style="bold")
    out.print(
        _table(
            "desk", [*(one.total.model_copy(update={"name": desk.kind.desk}) for desk, one in zip(desks, found, strict=True)), both.total]
        )
    )
    for purse in both.purses:
        spent = f"{purse.spent_today_usd:.4f} USD of {purse.limit_usd:.2f} today, {purse.forecast_usd:.4f} expected"
        out.print(f"{purse.tier:<9}{spent}; {purse.left_usd:.4f} left", soft_wrap=True)


def _costs(home: "Home", limits: "BudgetSettings", last: date | None, days: int) -> "Costs":
    """Read the ledger at one moment; a home without one has spent nothing."""
    from trading_bot.domain.news import Tier
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.llm import tally
    from trading_bot.llm.budget import HOUR, PAID, ledger_time
    from trading_bot.storage.spending import SpendingLedger

    wall = SystemWallClock()
    if not home.has_journal:
        today = wall.now().date()
        last = last or today
        return tally.costs((), (), days=(_first(last, days), last), today=today, hour=0, limits=limits)
    with SpendingLedger.open(home.database) as ledger, ledger.reading() as page:
        now = ledger_time(page, wall)
        today, last = now.date(), last or now.date()
        first = _first(last, days)
        recent = [call for tier in PAID for call in page.only(tier).of_days(today - _REMEMBERED, today)]
        hour = len(page.only(Tier.CLAUDE).since(now - HOUR))
        return tally.costs(page.of_days(first, last), recent, days=(first, last), today=today, hour=hour, limits=limits)


def _first(last: date, days: int) -> date:
    return date.fromordinal(max(last.toordinal() - days + 1, 1))


def _show(found: "Costs") -> None:
    from rich.console import Console

    out = Console(highlight=False, markup=False)
    period = f"{found.last}" if found.first == found.last else f"{found.first} to {found.last}"
    out.print(f"Spent on models, {period} (UTC){'' if found.total.calls else ': nothing'}", style="bold")
    if found.total.calls:
        out.print(_tiers(found.by_tier))
        out.print(_table("workflow", (*found.by_workflow, found.total)))
        out.print(_table("model", found.by_model))
        if found.by_trade:
            out.print(_table("trade", found.by_trade))
    for name, text in _lines(found):
        out.print(f"{name:<9}{text}", soft_wrap=True)


def _tiers(shares: "Sequence[TierShare]") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("tier")
    for column in ("calls", "failed", "open", "USD", "median s"):
        table.add_column(column, justify="right")
    for s in shares:
        taken = "-" if s.median_seconds is None else f"{s.median_seconds:.2f}"
        table.add_row(s.name, str(s.calls), str(s.failures), str(s.open), f"{s.settled_usd:.4f}", taken)
    return table


_COLUMNS = ("calls", "failed", "open", "USD", "input", "output", "cached", "to cache")


def _table(title: str, shares: "Sequence[Share]") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(title)
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for s in shares:
        used = (s.tokens.input, s.tokens.output, s.tokens.cache_read, s.tokens.cache_write)
        table.add_row(s.name, str(s.calls), str(s.failures), str(s.open), f"{s.settled_usd:.4f}", *(f"{count:,}" for count in used))
    return table


def _lines(found: "Costs") -> "Iterator[tuple[str, str]]":
    """What the tables cannot say."""
    from trading_bot.llm.prices import is_listed, price_list

    if found.total.open:
        yield "open", f"{found.total.reserved_usd:.4f} USD are reserved by {found.total.open} calls that have not ended, and count as spent"
    unknown = [s.name for s in found.by_model if not is_listed(s.name) and (s.settled_usd or s.reserved_usd)]
    if unknown:
        yield "price", f"{', '.join(unknown)}: not on the list of {price_list().date}, so at least the dearest price is counted"
    yield (
        "today",
        f"{found.spent_today_usd:.4f} USD of {found.limit_usd:.2f}; {found.forecast_usd:.4f} expected by the end of {found.today}",
    )
    yield "left", f"{found.left_usd:.4f} USD today, {found.calls_left} calls within this hour"
    for purse in found.purses[1:]:
        spent, expected = f"{purse.spent_today_usd:.4f} USD of {purse.limit_usd:.2f} today", f"{purse.forecast_usd:.4f} expected"
        yield str(purse.tier), f"{spent}, {expected}; {purse.left_usd:.4f} left"
