"""Two runs side by side: what each earned, whether the difference may be luck, and what they were made from.

Promises that the difference is reckoned over the sessions that both have, of daily returns, so that accounts of different size can be
compared; figures side by side are each of the run's own period. Refuses runs without a common session: their difference would be one of
times, not of strategies.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np

from trading_bot.backtest.card import differences
from trading_bot.backtest.figures import FORMS, Number
from trading_bot.backtest.inference import LEAST_RETURNS, Interval, bootstrap, sign_flip_p_value
from trading_bot.backtest.plan import Result
from trading_bot.backtest.statistics import Curve, Floats, cagr, returns, sharpe
from trading_bot.domain.errors import ResearchError
from trading_bot.domain.orders import Side
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import Finite, Ratio, Record, Symbol, UtcTime


class Pair(Record):
    """One figure of both runs, None where it is not defined."""

    field: str
    name: str
    a: Finite | None
    b: Finite | None


class Overlap(Record):
    """The sessions that both runs have, and those of one alone."""

    first: date
    last: date
    common: int
    only_a: int
    only_b: int


class Difference(Record):
    """Daily returns of `a` less those of `b`, over the common sessions."""

    mean: Finite
    """Of a session."""
    per_year: Finite | None
    """Compounded; None below 30 days."""
    per_year_lies: Interval | None
    """By the stationary bootstrap; None with too few sessions."""
    ratio: Finite | None
    """Annualised mean by deviation (information ratio); None where the runs do not differ."""
    ratio_lies: Interval | None
    correlation: Finite | None
    """Of the daily returns."""
    p_value: Ratio | None
    """That the mean lies as far from 0 or further, if neither run were better (two-sided, by random signs)."""


class CommonTrade(Record):
    """A trade that both made: the same symbol, side and moment of entry."""

    symbol: Symbol
    side: Side
    opened_at: UtcTime
    profit_a: Finite
    profit_b: Finite


class Comparison(Record):
    """Two runs side by side."""

    figures: tuple[Pair, ...]
    overlap: Overlap
    difference: Difference
    differs: tuple[str, ...]
    """How what `b` was made from differs from what `a` was, a phrase each; empty if nothing does."""
    common_trades: tuple[CommonTrade, ...]
    trades_a: int
    trades_b: int
    notes: tuple[str, ...]
    """What a reader has to know."""


def compare(a: Result, b: Result, *, seed: int = 0) -> Comparison:
    """Compare two results. `seed`: of the drawn histories and signs. ResearchError if they have no common session."""
    common = tuple(sorted(set(a.sessions) & set(b.sessions)))
    if not common:
        spans = " and ".join(_span(result.sessions) for result in (a, b))
        raise ResearchError(f"the runs have no common session ({spans}): run both over one period, then compare")
    # What never closes has common sessions with an exchange on its days alone.
    year = min(a.periods_per_year, b.periods_per_year)
    return Comparison(
        figures=tuple(Pair(field=f.field, name=f.name, a=_float(f.of(a.performance)), b=_float(f.of(b.performance))) for f in FORMS),
        overlap=Overlap(
            first=common[0],
            last=common[-1],
            common=len(common),
            only_a=len(a.sessions) - len(common),
            only_b=len(b.sessions) - len(common),
        ),
        difference=_difference(common, _changes(a, common), _changes(b, common), year, seed),
        differs=_differs(a, b),
        common_trades=_common_trades(a.trades, b.trades),
        trades_a=len(a.trades),
        trades_b=len(b.trades),
        notes=tuple(_notes(a, b, len(common))),
    )


def _span(sessions: Sequence[date]) -> str:
    return f"{sessions[0]} to {sessions[-1]}" if sessions else "none at all"


def _changes(result: Result, common: Sequence[date]) -> Floats:
    """Returns of the common sessions."""
    changes = returns(result.curve)
    if len(changes) != len(result.sessions):
        raise ResearchError(f"{result.plan.strategy} lost all its equity, so that its returns are not defined: nothing can be compared")
    by_session = dict(zip(result.sessions, changes.tolist(), strict=True))
    return np.array([by_session[day] for day in common], dtype=np.float64)


def _difference(sessions: tuple[date, ...], own: Floats, other: Floats, year: int, seed: int) -> Difference:
    changes = own - other
    # An account that earned the difference each session: its rate of growth and its Sharpe ratio are those of the difference.
    curve = Curve(sessions, np.asarray(np.cumprod(1 + changes), dtype=np.float64), np.zeros(len(sessions)), 1.0)
    drawn = bootstrap(curve, year, seed=seed) if len(returns(curve)) else None
    lies = {} if drawn is None else drawn.intervals()
    return Difference(
        mean=float(changes.mean()),
        per_year=cagr(curve),
        per_year_lies=lies.get("cagr"),
        ratio=sharpe(changes, year),
        ratio_lies=lies.get("sharpe"),
        correlation=_correlation(own, other),
        p_value=_two_sided(changes, seed),
    )


def _two_sided(changes: Floats, seed: int) -> float | None:
    """Twice the chance of the nearer side."""
    above, below = sign_flip_p_value(changes, seed=seed), sign_flip_p_value(-changes, seed=seed)
    return None if above is None or below is None else min(1.0, 2 * min(above, below))


def _correlation(own: Floats, other: Floats) -> float | None:
    """None where one of them did not move."""
    if len(own) < 2 or not own.std() or not other.std():  # noqa: PLR2004 - a deviation needs two
        return None
    return float(np.corrcoef(own, other)[0, 1])


def _differs(a: Result, b: Result) -> tuple[str, ...]:
    engines = () if a.engine is b.engine else (f"engine changed from {a.engine} to {b.engine}",)
    start = () if a.start == b.start else (f"cash at the start changed from {a.start} to {b.start}",)
    if a.card is None or b.card is None:
        which = " and ".join(name for name, result in (("a", a), ("b", b)) if result.card is None)
        return (*engines, *start, f"no run card of {which}: nobody knows what else differs")
    return (*engines, *start, *differences(a.card, b.card))


def _common_trades(a: Sequence[RoundTrip], b: Sequence[RoundTrip]) -> tuple[CommonTrade, ...]:
    others = {(t.symbol, t.side, t.opened_at): float(t.profit) for t in b}
    return tuple(
        CommonTrade(symbol=t.symbol, side=t.side, opened_at=t.opened_at, profit_a=float(t.profit), profit_b=others[key])
        for t in a
        if (key := (t.symbol, t.side, t.opened_at)) in others
    )


def _notes(a: Result, b: Result, common: int) -> list[str]:
    both = [note for note in a.notes if note in b.notes]
    alone = [f"{name}: {note}" for name, result in (("a", a), ("b", b)) for note in result.notes if note not in both]
    found = [*both, *alone]
    if a.sessions != b.sessions:
        found.append("the periods differ: figures side by side are of each run's own, the difference is of the common sessions alone")
    if common < LEAST_RETURNS:
        found.append(f"{common} common sessions are too few for an interval or a p-value; {LEAST_RETURNS} are needed")
    return found


def _float(value: Number | None) -> float | None:
    return None if value is None else float(value)
