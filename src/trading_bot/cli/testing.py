"""`test`: what the round-the-clock desk needs before it starts, each with its fix. Sends nothing, changes nothing, asks no model."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli import diagnosing, diagnosing_broker, diagnosing_claude
from trading_bot.cli.context import Context, json_option
from trading_bot.cli.findings import Finding
from trading_bot.cli.starting import VENUES, rhythm_options, rhythm_settings, venue_option

if TYPE_CHECKING:
    from datetime import datetime

    from trading_bot.domain.market import Quote
    from trading_bot.domain.values import Symbol
    from trading_bot.ports import MarketSource

_BARS = 200
"""Of 15 minutes: what the slowest indicator of a look is made from."""
_HOUR_MINUTES = 60
_FAST_S = 2.0
"""A price that is so much younger than the machine's time shows a clock that is slow."""
_ASKING = frozenset({"claude", "auto"})


@click.command()
@venue_option
@rhythm_options
@json_option
@click.pass_context
def test(click_context: click.Context, /, *, venue: str | None, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - options shared with `start`
    """Check what `start` with the same options needs, each with its fix; exit status 1 if anything fails."""
    context: Context = replace(click_context.obj, flags=VENUES[venue] | rhythm_settings(**flags))
    config = context.config()
    claude = (diagnosing_claude.claude_binary, diagnosing_claude.claude_billing, budget) if config.analyst in _ASKING else ()
    checks = (*_FIRST, *claude, diagnosing_broker.broker, diagnosing_broker.mode, data, clock, diagnosing.mandate)
    diagnosing.report(click_context, [diagnosing.guarded(check, context) for check in checks], as_json=as_json)


def budget(context: Context) -> Finding:
    """There is money and a call left, and an hour's looks do not need more calls than it may have."""
    config = context.config()
    found = diagnosing_claude.claude_budget(context)
    looks, most = -(-_HOUR_MINUTES // config.trader.interval_minutes), config.budget.calls_per_hour
    if not (found.passed and most) or looks <= most:
        return found
    fix = f"look every {-(-_HOUR_MINUTES // most)} minutes or less often (--interval), or raise budget.calls_per_hour"
    return replace(found, passed=False, seen=f"{looks} looks an hour, and {most} calls are allowed", fix=fix)


def data(context: Context) -> Finding:
    """Each coin is there, trades now, and has the history that a look needs."""
    from trading_bot.bootstrap.kinds import demand_kind
    from trading_bot.bootstrap.sources import close_source
    from trading_bot.domain.errors import DataError

    config = context.config()
    source, now = _market(context)
    try:
        demand_kind(config, source)
        wrong = [
            f"{s}: {found}" for s in config.universe.symbols if (found := _lacking(source, s, now, config.risk.limits.quote_age_seconds))
        ]
    except DataError as error:
        return Finding("data", passed=False, seen=f"{source.name}: {error}", fix="look at source.name, --symbols and the network")
    finally:
        close_source(source)
    seen = f"{source.name}: {len(config.universe.symbols)} coins with fresh prices and history" if not wrong else "; ".join(wrong)
    return Finding("data", not wrong, seen, "take other coins with --symbols, or another source.name" if wrong else "")


def _lacking(source: "MarketSource", symbol: "Symbol", now: "datetime", most: "int | str") -> str:
    """What keeps a coin from being traded; nothing if nothing does."""
    from trading_bot.domain.market import Timeframe
    from trading_bot.market.view import AsOfView

    quote = source.quote(symbol, now)
    if quote is None or (isinstance(most, int) and _age(quote, now) > most):
        return "no price" if quote is None else f"its newest price is {_age(quote, now):.0f} s old, {most} are allowed"
    bars = len(AsOfView(source, lambda: now).bars(symbol, Timeframe.MINUTE_15, _BARS))
    return "" if bars == _BARS else f"{bars} bars of 15 minutes, {_BARS} are needed"


def clock(context: Context) -> Finding:
    """The machine's clock is not behind what the desk and the market have seen."""
    from trading_bot.domain.errors import DataError

    source, now = _market(context)
    quote = reached = None
    with suppress(DataError):
        quote = source.quote(context.config().universe.symbols[0], now)
    if context.home.has_journal:
        with context.journal() as journal:
            reached = journal.clock()
    slow = max(0.0 if quote is None else -_age(quote, now), 0.0 if reached is None else (reached - now).total_seconds())
    good = slow <= _FAST_S
    return Finding(
        "clock", good, f"{now:%Y-%m-%d %H:%M:%S} UTC{'' if good else f', {slow:.0f} s slow'}", "" if good else "set the clock (NTP)"
    )


def _age(quote: "Quote", now: "datetime") -> float:
    return (now - quote.time).total_seconds()


def _market(context: Context) -> "tuple[MarketSource, datetime]":
    """The source of the settings, and the time."""
    from trading_bot.bootstrap.sources import CALENDARS, build_source
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.market.calendar import open_calendar

    wall = SystemWallClock()
    source = build_source(context.config(), {name: open_calendar(name) for name in CALENDARS}, wall.now, context.home)
    return source, wall.now()


_FIRST: tuple[Callable[[Context], Finding], ...] = (
    diagnosing.configuration,
    diagnosing.home,
    diagnosing.owner,
    diagnosing.journal,
    diagnosing.desk_state,
)
