"""Emulators as the command line asks for them."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from trading_bot.cli.emulated_start import start_of
from trading_bot.domain.errors import DeskError
from trading_bot.execution.clock import SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator
from trading_bot.sandbox.alpaca.making import SYMBOLS, invented_market, recorded_market
from trading_bot.sandbox.alpaca.setup import Setup
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.venue_faults import load

_NEW_YORK = ZoneInfo("America/New_York")


def alpaca_emulator(port: int, faults: Path | None, log: Path | None, told: Mapping[str, Any]) -> AlpacaEmulator:
    """An emulated Alpaca by the options of the command. click.UsageError says what is wrong with one."""
    clock = EmulatedClock.running(SystemWallClock(), start_of(told["start"], _NEW_YORK), told["speed"])
    setup = Setup(
        key=told["key"],
        secret=told["secret"],
        cash=_amount(told["cash"]),
        live=told["live_account"],
        requests_per_minute=told["requests_per_minute"],
        seed=told["seed"],
    )
    market = _market(told)
    return AlpacaEmulator(market, clock, setup, load(faults, market.symbols) if faults else (), port=port, log=log)


def _market(told: Mapping[str, Any]) -> EmulatedMarket:
    symbols = tuple(s.strip().upper() for s in (told["symbols"] or "").split(",") if s.strip())
    if not told["data"]:
        return invented_market(symbols or SYMBOLS, open_calendar, seed=told["seed"], always_open=told["always_open"])
    if not symbols:
        raise click.UsageError("--data needs --symbols: which of the files' symbols are traded")
    try:
        market = recorded_market(told["data"], symbols, open_calendar, seed=told["seed"])
        for symbol in market.symbols:
            market.actions(symbol)
    except DeskError as error:
        raise click.UsageError(f"--data: {error}") from error
    market.always_open = told["always_open"]
    return market


def _amount(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise click.UsageError(f"--cash {text} is not an amount") from error
    if not found.is_finite() or found <= 0:
        raise click.UsageError(f"--cash {text} must be above 0")
    return found
