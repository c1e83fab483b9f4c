"""Several strategies on the same symbols and days, ranked, and the best of them judged as what it is: the best of so many.

Promises that the same experiment at the same moment gives the same line-up, and that the winner's validation counts everybody who ran.
Refuses to recommend a strategy that did not pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from trading_bot.backtest.figures import FORMS
from trading_bot.backtest.lab import Experiment, Lab, Tell, unheard
from trading_bot.backtest.plan import Result
from trading_bot.backtest.statistics import Performance
from trading_bot.backtest.validation import TRADES, Validation, validate
from trading_bot.domain.errors import ResearchError
from trading_bot.domain.research import Backtested, Tried, Trust
from trading_bot.domain.values import Record, Symbol

_SHOWN = frozenset({"total_return", "sharpe", "max_drawdown", "trades"})


class Entrant(Record):
    """A strategy that ran, with its defaults."""

    strategy: str
    figures: Performance


class Lineup(Record):
    """Who ran on what, and who won."""

    symbols: tuple[Symbol, ...]
    first: date
    last: date
    entrants: tuple[Entrant, ...]
    """By falling Sharpe ratio; who has none comes last, equals by name."""
    held: Performance | None
    """Buy and hold of the same symbols."""
    best: Validation
    """Of the first entrant, as the best of all."""


def line_up(lab: Lab, strategies: Sequence[str], experiment: Experiment, now: datetime, tell: Tell = unheard) -> Lineup:
    """Run `experiment` with each of `strategies`. ResearchError without any; errors of the lab pass through."""
    if not strategies:
        raise ResearchError("there is no strategy to compare: name at least one")
    results = []
    for number, name in enumerate(strategies, 1):
        results.append(lab.run(replace(experiment, strategy=name, values={}), now))
        tell(number, len(strategies))
    ranked = sorted(results, key=_by_sharpe)
    best = ranked[0]
    sharpes = [r.performance.sharpe for r in results if r.performance.sharpe is not None]
    return Lineup(
        symbols=best.plan.symbols,
        first=best.plan.first,
        last=best.plan.last,
        entrants=tuple(Entrant(strategy=r.plan.strategy, figures=r.performance) for r in ranked),
        held=best.held,
        best=validate(best, trials=len(results), trial_sharpes=sharpes, seed=best.plan.seed),
    )


def _by_sharpe(result: Result) -> tuple[float, str]:
    ratio = result.performance.sharpe
    return (float("inf") if ratio is None else -ratio, result.plan.strategy)


def assess(lineup: Lineup) -> Backtested:
    """What the published rules say of a line-up: the winner is worth trading if, and only if, its validation passed."""
    best, trust = lineup.entrants[0], trust_in(lineup)
    words = {
        Trust.VALIDATED: "passed every check, counted as the best of all that were tried",
        Trust.NOT_VALIDATED: "did not pass validation",
        Trust.TOO_LITTLE: f"closed too few trades to be judged ({best.figures.trades} of {TRADES})",
    }
    return Backtested(
        symbols=lineup.symbols,
        first=lineup.first,
        last=lineup.last,
        verdict=trust,
        summary=f"{best.strategy} was the best of {len(lineup.entrants)} on {', '.join(lineup.symbols)}; it {words[trust]}.",
        observations=tuple(_observed(lineup)),
        recommendations=tuple(_recommended(lineup, trust)),
        tried=tried(lineup),
        risk_score=lineup.best.risk_score,
        risk_class=lineup.best.risk_class,
    )


def trust_in(lineup: Lineup) -> Trust:
    """How far its winner can be trusted."""
    if lineup.best.passed:
        return Trust.VALIDATED
    return Trust.TOO_LITTLE if lineup.entrants[0].figures.trades < TRADES else Trust.NOT_VALIDATED


def tried(lineup: Lineup) -> tuple[Tried, ...]:
    """The entrants as an answer tells them."""
    return tuple(Tried(strategy=e.strategy, **e.figures.model_dump(include=set(Tried.model_fields))) for e in lineup.entrants)


def _observed(lineup: Lineup) -> Iterator[str]:
    for entrant in lineup.entrants:
        yield f"{entrant.strategy}: {_told(entrant.figures)}"
    if lineup.held is not None:
        yield f"buy and hold, without costs: {_told(lineup.held)}"


def _told(figures: Performance) -> str:
    return ", ".join(f"{form.name} {form.told(form.of(figures))}" for form in FORMS if form.field in _SHOWN)


def _recommended(lineup: Lineup, trust: Trust) -> Iterator[str]:
    if trust is Trust.VALIDATED:
        yield f"look at {lineup.entrants[0].strategy} on other symbols and longer periods before it trades"
        return
    yield "change nothing for this result"
    yield from lineup.best.reasons[:1] if trust is Trust.TOO_LITTLE else lineup.best.reasons
