"""Funding rates of perpetuals from files beside their bars: `SYMBOL_funding.csv`, a time and a rate in each line.

Promises rising times and exact rates as written, and an error with file and line for what cannot be read. Refuses to guess where a rate
is missing: what the file does not tell was not funded.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from trading_bot.domain.errors import BadBarsError
from trading_bot.domain.market import Funding
from trading_bot.domain.values import Symbol

_TIMES = ("ts", "time", "timestamp", "datetime", "fundingtime")
_RATES = ("funding_rate", "fundingrate", "rate")
_PLACES = Decimal("1e-12")


def read_funding(path: Path, symbol: Symbol) -> tuple[Funding, ...]:
    """The rates in `path`. BadBarsError names the line of a time or a rate that cannot be read, or of a time that does not rise."""
    found = tuple(_rows(path, symbol))
    for number, (before, after) in enumerate(pairwise(found), start=3):
        if after.at <= before.at:
            raise BadBarsError(f"{path.name}, line {number}: {after.at.isoformat()} does not come after the line before; sort the file")
    return found


def _rows(path: Path, symbol: Symbol) -> Iterator[Funding]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.reader(file)
        head = [name.strip().lower() for name in next(table, [])]
        when, what = (next((n for n, name in enumerate(head) if name in names), None) for names in (_TIMES, _RATES))
        if when is None or what is None:
            raise BadBarsError(f"{path.name}: its first line has to name a time ({_TIMES[0]}) and a rate ({_RATES[0]})")
        for number, row in enumerate(table, start=2):
            try:
                yield Funding(symbol=symbol, at=_moment(row[when]), rate=Decimal(row[what]).quantize(_PLACES))
            except (ValueError, IndexError, InvalidOperation) as error:
                raise BadBarsError(f"{path.name}, line {number}: {','.join(row)!r} is no time and rate; correct or remove it") from error


def _moment(text: str) -> datetime:
    """An ISO time, UTC if it names no zone, or milliseconds since 1970."""
    if text.strip().isdigit():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
