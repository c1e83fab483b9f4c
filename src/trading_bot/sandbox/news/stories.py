"""What an emulated newsroom has to tell: a person's file, or stories that it invents as time passes.

Promises that the same seed tells the same stories at the same moments, some of them again under another house's name. Refuses a file
that it cannot read (ConfigError with the line).
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any

from pydantic import BeforeValidator

from trading_bot.domain.errors import ConfigError
from trading_bot.domain.values import Record
from trading_bot.sandbox.rule_files import rule_of
from trading_bot.yaml_text import read

Symbols = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(value.split()) if isinstance(value, str) else value)]


class Story(Record):
    """One article. `published` is sent as it stands where it is no ISO time with a zone, so that feeds may be as wrong as real ones."""

    title: str = ""
    body: str = ""
    url: str = ""
    published: str = ""
    publisher: str = "Emulated Wire"
    symbols: Symbols = ()
    """In a file: words with blanks between them."""

    @property
    def moment(self) -> datetime | None:
        """When it was published, None if that cannot be read."""
        try:
            made = datetime.fromisoformat(self.published)
        except ValueError:
            return None
        return made if made.tzinfo else None


Stories = Callable[[datetime], Sequence[Story]]
"""What can be read at a moment, newest first."""


def load(path: Path) -> tuple[Story, ...]:
    """The stories of a CSV file with a header, or of a YAML list. ConfigError names file and line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if path.suffix == ".csv":
        table = csv.DictReader(text.splitlines(keepends=True))
        return tuple(rule_of(_row(row), Story, f"{path}, line {table.line_num}") for row in table)
    tree, lines = read(text, str(path))
    if not isinstance(tree, list):
        raise ConfigError(f"{path}: a list of stories is wanted, such as `- {{title: ..., published: 2026-03-09T14:30:00Z}}`")
    return tuple(rule_of(item, Story, f"{path}, line {lines.get((str(n),), 1)}") for n, item in enumerate(tree))


def _row(row: Mapping[str | None, Any]) -> dict[str | None, Any]:
    """A row without the cells that it leaves out."""
    return {name: cell for name, cell in row.items() if cell}


_HOUSES = ("Emulated Wire", "Sandbox Times", "Loopback Journal", "Daily Fixture")
_EVENTS = (
    ("{name} beats quarterly profit estimates and raises its forecast", "Revenue of {name} ({symbol}) grew {percent}% from a year ago."),
    ("{name} cuts its forecast as demand weakens", "{name} ({symbol}) now expects sales to fall {percent}% this year."),
    ("Regulator opens an inquiry into {name}", "Shares of {name} ({symbol}) fell {percent}% before the opening bell."),
    ("{name} wins a large order", "The contract is worth {percent}% of the yearly sales of {name} ({symbol})."),
    ("Analysts are divided over {name}", "Price targets for {name} ({symbol}) lie {percent}% apart."),
    ("{name} recalls a product after complaints", "The recall may cost {name} ({symbol}) {percent}% of its profit."),
    ("{name} announces a share buyback", "{name} ({symbol}) will buy back {percent}% of its shares."),
    ("{name} names a new chief financial officer", "The change at {name} ({symbol}) takes effect next month."),
)
_SHOWN = 100
_TOLD_AGAIN = 0.25


class Invented:
    """Stories about `symbols`, one each `every`, as many before `start` as a feed shows."""

    def __init__(self, seed: int, symbols: Sequence[str], start: datetime, every: timedelta) -> None:
        self._seed = seed
        self._symbols = tuple(symbols)
        self._start = start
        self._every = every

    def __call__(self, now: datetime) -> Sequence[Story]:
        """The newest hundred."""
        newest = (now - self._start) // self._every
        return [self.story(number) for number in range(newest, newest - _SHOWN, -1)]

    def story(self, number: int) -> Story:
        """One of them; it may tell an earlier one again."""
        chance = Random(f"{self._seed}/{number}")  # noqa: S311 - stories are no secrets
        again = chance.random() < _TOLD_AGAIN
        house = chance.choice(_HOUSES)
        told = Random(f"{self._seed}/{number - 1 if again else number}/what")  # noqa: S311 - as above
        symbol = told.choice(self._symbols)
        title, body = told.choice(_EVENTS)
        filled = {"name": symbol.partition("/")[0], "symbol": symbol, "percent": told.randrange(2, 30)}
        return Story(
            title=title.format(**filled),
            body=body.format(**filled),
            url=f"https://news.example/{house.replace(' ', '-').lower()}/{self._seed}/{number}",
            published=(self._start + number * self._every).isoformat(),
            publisher=house,
            symbols=(symbol,),
        )
