"""A mask over one universe: what names, dates and price levels become for a model that shall not recognise them, and back.

Promises a pure function of seed, symbols and ticks: the same real thing has the same mask all through a run, and
`unmask(mask(x)) == x` for symbols, dates, and prices on the tick. Prices are multiplied by a factor of their symbol and numbers of shares
divided by it, so money stays. Refuses a symbol that it does not know, real or invented: `ToolFailedError`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import Self

import numpy as np

from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.values import Symbol, canonical_json, derive_digest

VERSION = 1
STRANGER = "UNKNOWN"
"""What a real name becomes that a blind model says: a guess that is neither confirmed nor believed."""
BLANK = "#"
"""Stands where a number was that may be a price."""
_LEAST_WEEKS, _MOST_WEEKS = 5300, 7000
"""About a hundred years, and a hundred and thirty: no date of any market is near."""
_LEAST_FACTOR, _MOST_FACTOR = 1.3, 4.0
"""A factor is between these, or one by these: a level is never near its own."""
_DIGITS = 5
"""Significant digits of a masked number that lies on no tick."""
_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_WORDS = re.compile(rf"(?P<time>{_DATE.pattern}(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)|(?P<number>(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?!\w|\.\d))")
_SHARE = re.compile(r"\s?%")
_FREE_BEFORE = re.compile(r"\b(?:SMA|EMA|score|score of) $")
_FREE_AFTER = re.compile(r"\s?%| ATR\b")
"""Beside what a number in our own rules' words is no price."""


@dataclass(frozen=True)
class Asset:
    """One symbol behind its mask."""

    alias: str
    factor: Decimal
    tick: Decimal

    @cached_property
    def places(self) -> Decimal:
        """Grid of masked prices: fine enough that two ticks never become one number."""
        return min(Decimal("0.01"), Decimal(1).scaleb((self.factor * self.tick / 2).adjusted()))


@dataclass(frozen=True)
class Mask:
    """What one run's model is shown instead of the market."""

    seed: int
    assets: Mapping[Symbol, Asset]
    sectors: Mapping[str, str]
    shift: timedelta
    """Added to every date; whole weeks."""

    @classmethod
    def draw(cls, seed: int, instruments: Mapping[Symbol, Instrument]) -> Self:
        """The mask of these instruments; `seed` is at least 0."""
        symbols = sorted(instruments)
        sectors = sorted({instruments[s].sector for s in symbols})
        order = np.random.default_rng([seed, 0]).permutation(len(symbols))
        weeks = int(np.random.default_rng([seed, 1]).integers(_LEAST_WEEKS, _MOST_WEEKS))
        aliases = dict(zip(symbols, (f"ASSET{n + 1:02}" for n in order), strict=True))
        assets = {s: Asset(aliases[s], _factor(seed, s), instruments[s].tick_size) for s in symbols}
        return cls(seed, assets, {name: f"SECTOR{n:02}" for n, name in enumerate(sectors, 1)}, timedelta(weeks=weeks))

    @cached_property
    def key(self) -> str:
        """What a record keeps of the mask: enough to draw it again for the same universe, and to see whether it is the same."""
        drawn = canonical_json([[s, a.alias, str(a.factor), str(a.tick)] for s, a in self.assets.items()])
        return canonical_json({"version": VERSION, "seed": self.seed, "digest": derive_digest(drawn, str(self.shift.days))})

    @cached_property
    def _symbols(self) -> Mapping[str, Symbol]:
        return {asset.alias: symbol for symbol, asset in self.assets.items()}

    def alias(self, symbol: str) -> str:
        """What a symbol is called. ToolFailedError for one that has no mask."""
        if symbol not in self.assets:
            raise ToolFailedError("a symbol outside the universe cannot be shown to a blind model: name it in --symbols")
        return self.assets[Symbol(symbol)].alias

    def symbol(self, alias: str) -> Symbol:
        """Whose mask this is. ToolFailedError for a name that is none, a real symbol above all."""
        if alias.upper() not in self._symbols:
            raise ToolFailedError(f"there is no such asset; there are {', '.join(sorted(self._symbols))}")
        return self._symbols[alias.upper()]

    def price(self, price: Decimal, symbol: Symbol) -> Decimal:
        """A price of `symbol`, or a distance between two, as it is shown."""
        asset = self.assets[symbol]
        return (price * asset.factor).quantize(asset.places, ROUND_HALF_EVEN)

    def real_price(self, shown: Decimal, symbol: Symbol) -> Decimal:
        """The price on the tick that is meant by a shown one."""
        asset = self.assets[symbol]
        return (shown / asset.factor / asset.tick).quantize(Decimal(1), ROUND_HALF_EVEN) * asset.tick

    def measure(self, value: Decimal, symbol: Symbol) -> Decimal:
        """An analytic number in units of the price, such as an ATR, to five significant digits."""
        return _significant(value * self.assets[symbol].factor)

    def real_measure(self, shown: Decimal, symbol: Symbol) -> Decimal:
        """What is meant by such a number."""
        return _significant(shown / self.assets[symbol].factor)

    def quantity(self, shares: Decimal, symbol: Symbol) -> Decimal:
        """A number of shares as it is shown."""
        return _significant(shares / self.assets[symbol].factor)

    def real_quantity(self, shown: Decimal, symbol: Symbol) -> Decimal:
        """What is meant by it."""
        return _significant(shown * self.assets[symbol].factor)

    def dates(self, text: str) -> str:
        """The text with every ISO date moved; what looks like one and is none becomes blank."""
        return _DATE.sub(lambda found: _moved(found, self.shift), text)

    def real_dates(self, text: str) -> str:
        """The text with every ISO date moved back."""
        return _DATE.sub(lambda found: _moved(found, -self.shift), text)

    def named(self, text: str) -> str:
        """Words whose numbers are none of any price: names and dates alone are masked."""
        return self.dates(self._names.sub(lambda found: self.alias(found[0]), text))

    def real_named(self, text: str) -> str:
        """Such words with real names and dates; a real name among them is a guess."""
        return self.real_dates(self._aliases.sub(lambda found: self.symbol(found[0]), self._names.sub(STRANGER, text)))

    def levelled(self, text: str, symbol: Symbol | None) -> str:
        """Words of our own rules about the prices of `symbol`: levels are scaled, or blank where nobody knows whose they are."""

        def scaled(found: re.Match[str]) -> str:
            if _FREE_BEFORE.search(found.string[: found.start()]) or _FREE_AFTER.match(found.string, found.end()):
                return found[0]
            return BLANK if symbol is None else f"{self.price(Decimal(found[0].replace(',', '')), symbol):f}"

        return self._rewritten(text, scaled)

    def blanked(self, text: str) -> str:
        """Words that somebody else wrote: of all numbers, only percentages stay."""
        return self._rewritten(text, lambda found: found[0] if _SHARE.match(found.string, found.end()) else BLANK)

    def _rewritten(self, text: str, number: Callable[[re.Match[str]], str]) -> str:
        """Names and dates masked, every number as `number` says. Numbers go first: an alias has digits of its own."""
        told = _WORDS.sub(lambda found: found[0] if found["time"] else number(found), text)
        return self.named(told)

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return _any_of(self.assets)

    @cached_property
    def _aliases(self) -> re.Pattern[str]:
        return _any_of(self._symbols)


def _factor(seed: int, symbol: Symbol) -> Decimal:
    """Drawn for the symbol alone, so that it stays when the universe grows; evenly by its logarithm, up or down."""
    drawn = np.random.default_rng([seed, 2, *symbol.encode()])
    size = float(np.exp(drawn.uniform(np.log(_LEAST_FACTOR), np.log(_MOST_FACTOR))))
    return _significant(Decimal(size if drawn.integers(2) else 1 / size))


def _moved(found: re.Match[str], by: timedelta) -> str:
    try:
        return (date(int(found[1]), int(found[2]), int(found[3])) + by).isoformat()
    except (ValueError, OverflowError):
        return BLANK


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Finds each of these words whole, the longest first: BRK.B is not BRK."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})(?!\w)")


def _significant(value: Decimal) -> Decimal:
    return Decimal(f"{value:.{_DIGITS}g}")
