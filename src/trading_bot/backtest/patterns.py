"""What closed trades have in common: by time, symbol, side and exit, and by how the desk behaved.

Promises that a pattern is claimed only where the difference is larger than chance explains: at least `PATTERN_TRADES` trades on
both sides and two standard errors. Refuses to claim anything of smaller samples; the counts are there for the reader all the same.
With many groups looked at, one in twenty such claims is chance still: a claim is a thing to look at, not a proof.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta, tzinfo
from statistics import fmean, variance

from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ZERO, Amount, Finite, Record, Symbol

PATTERN_TRADES = 10
SIGNIFICANT = 2.0
"""Standard errors beyond which a difference is claimed."""
REENTRY = timedelta(days=1)
"""A symbol bought again so soon after a loss in it is a re-entry."""

HOLDING = (
    (timedelta(hours=1), "under an hour"),
    (timedelta(hours=6, minutes=30), "under a session"),
    (timedelta(days=7), "under a week"),
    (timedelta.max, "a week or longer"),
)


class Group(Record):
    """Closed trades that share a trait. A trade is won if its profit after fees is above 0."""

    trait: str
    value: str
    trades: int
    wins: int
    profit: Amount
    score: Finite | None
    """Standard errors by which it wins more often than the other trades; None if either sample is small."""

    @property
    def claim(self) -> str | None:
        """What stands out, as a sentence, or None."""
        if self.score is None or abs(self.score) < SIGNIFICANT:
            return None
        more = "more" if self.score > 0 else "less"
        return (
            f"trades with {self.trait} {self.value} win {more} often than the others:"
            f" {self.wins} of {self.trades}, {self.profit:.2f} in all ({self.score:+.1f} standard errors)"
        )


class Behaviour(Record):
    """One habit: a mean over the trades that show it beside the mean over those that do not."""

    name: str
    measure: str
    trades: int
    others: int
    mean: Finite | None
    mean_of_others: Finite | None
    score: Finite | None
    """Welch's t; None if either sample is small or nothing varies."""

    @property
    def claim(self) -> str | None:
        """What stands out, as a sentence, or None."""
        if self.score is None or abs(self.score) < SIGNIFICANT:
            return None
        return (
            f"{self.name}: {self.measure} {self.mean:.4g} over {self.trades} trades against"
            f" {self.mean_of_others:.4g} over {self.others} others ({self.score:+.1f} standard errors)"
        )


_TRAITS: dict[str, Callable[[RoundTrip, tzinfo], str]] = {
    "entry hour": lambda t, zone: f"{t.opened_at.astimezone(zone):%H}:00",
    "entry weekday": lambda t, zone: f"{t.opened_at.astimezone(zone):%A}",
    "holding time": lambda t, _: next(name for below, name in HOLDING if t.closed_at - t.opened_at < below),
    "symbol": lambda t, _: t.symbol,
    "side": lambda t, _: t.side.value,
    "exit": lambda t, _: t.exit_role.value,
}


def groups(trades: Sequence[RoundTrip], zone: tzinfo) -> tuple[Group, ...]:
    """Every group of `trades` by trait and value, in that order; hours and weekdays are those of `zone`."""
    wins = sum(t.profit > 0 for t in trades)
    found: list[Group] = []
    for trait, value_of in _TRAITS.items():
        members: defaultdict[str, list[RoundTrip]] = defaultdict(list)
        for trade in trades:
            members[value_of(trade, zone)].append(trade)
        found += [_group(trait, value, members[value], wins, len(trades)) for value in sorted(members)]
    return tuple(found)


def _group(trait: str, value: str, members: Sequence[RoundTrip], all_wins: int, all_trades: int) -> Group:
    wins = sum(t.profit > 0 for t in members)
    return Group(
        trait=trait,
        value=value,
        trades=len(members),
        wins=wins,
        profit=sum((t.profit for t in members), ZERO),
        score=difference_of_shares(wins, len(members), all_wins - wins, all_trades - len(members)),
    )


def behaviours(trades: Iterable[RoundTrip]) -> tuple[Behaviour, ...]:
    """The habits that `trades` show: re-entry after a loss, holding losers, size after a loss."""
    ordered = sorted(trades, key=lambda t: (t.closed_at, t.symbol))
    return (
        _behaviour(
            "re-entry within a day of a loss in the symbol", "mean return", ordered, _reentries(ordered), lambda t: t.return_on_cost
        ),
        _behaviour("losing trades", "mean hours held", ordered, [t.profit < 0 for t in ordered], _hours),
        _behaviour("entries after a lost trade", "mean cost of entry", ordered, _after_losses(ordered), _cost),
    )


def _behaviour(
    name: str, measure: str, trades: Sequence[RoundTrip], shows: Sequence[bool], value_of: Callable[[RoundTrip], float]
) -> Behaviour:
    some = [value_of(t) for t, yes in zip(trades, shows, strict=True) if yes]
    rest = [value_of(t) for t, yes in zip(trades, shows, strict=True) if not yes]
    return Behaviour(
        name=name,
        measure=measure,
        trades=len(some),
        others=len(rest),
        mean=fmean(some) if some else None,
        mean_of_others=fmean(rest) if rest else None,
        score=difference_of_means(some, rest),
    )


def _hours(trade: RoundTrip) -> float:
    return (trade.closed_at - trade.opened_at) / timedelta(hours=1)


def _cost(trade: RoundTrip) -> float:
    return float(trade.entry_price * trade.quantity)


def _after_losses(ordered: Sequence[RoundTrip]) -> list[bool]:
    """Whether the trade closed last before each trade's entry was lost."""
    ends = [t.closed_at for t in ordered]
    before = (bisect_right(ends, t.opened_at) - 1 for t in ordered)
    return [n >= 0 and ordered[n].profit < 0 for n in before]


def _reentries(ordered: Sequence[RoundTrip]) -> list[bool]:
    """Whether each trade was opened within `REENTRY` of the end of the symbol's last trade, a lost one."""
    last: dict[Symbol, RoundTrip] = {}
    found = []
    for trade in ordered:
        before = last.get(trade.symbol)
        found.append(before is not None and before.profit < 0 and trade.opened_at - before.closed_at <= REENTRY)
        last[trade.symbol] = trade
    return found


def difference_of_shares(wins: int, trades: int, other_wins: int, other_trades: int) -> float | None:
    """Score (z) of two proportions with pooled variance (NIST/SEMATECH e-Handbook, 7.3.3). None for small samples or if all are equal."""
    if min(trades, other_trades) < PATTERN_TRADES:
        return None
    pooled = (wins + other_wins) / (trades + other_trades)
    error = math.sqrt(pooled * (1 - pooled) * (1 / trades + 1 / other_trades))
    return (wins / trades - other_wins / other_trades) / error if error else None


def difference_of_means(some: Sequence[float], rest: Sequence[float]) -> float | None:
    """Score (Welch's t) of two means (B. L. Welch, Biometrika 1947). None for small samples or if nothing varies."""
    if min(len(some), len(rest)) < PATTERN_TRADES:
        return None
    error = math.sqrt(variance(some) / len(some) + variance(rest) / len(rest))
    return (fmean(some) - fmean(rest)) / error if error else None
