"""Brakes that act at the session's close: which strategies have lost too often in a row. Pure."""

from collections.abc import Iterable

from trading_bot.domain.mandate import Discipline
from trading_bot.domain.trades import RoundTrip
from trading_bot.risk.case import losing_streak


def losing_strategies(trades: Iterable[tuple[str, RoundTrip]], discipline: Discipline) -> dict[str, int]:
    """Return the strategies to suspend with their losses in a row. `trades`: (strategy, closed trade), oldest first."""
    limit = discipline.suspend_losses
    if limit == "none":
        return {}
    by_strategy: dict[str, list[RoundTrip]] = {}
    for strategy, trade in trades:
        by_strategy.setdefault(strategy, []).append(trade)
    streaks = {strategy: losing_streak(tuple(closed)) for strategy, closed in sorted(by_strategy.items())}
    return {strategy: streak for strategy, streak in streaks.items() if streak >= limit}
