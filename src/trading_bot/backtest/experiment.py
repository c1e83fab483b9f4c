"""Results of the A/B test of analyses: with news and without, by closed trades.

Promises that results are told once, at a size fixed beforehand: of the first `size` trades of each arm, in order of their ends, and that
later trades change nothing in them. Refuses results before both arms have so many: nobody shall stop at a lucky moment. The test begins
when the second arm opens its first trade, so that both are judged over the same time.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import fmean

import numpy as np
from pydantic import Field

from trading_bot.backtest.inference import permutation_p_value
from trading_bot.backtest.statistics import trade_statistics
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import Finite, Ratio, Record
from trading_bot.news.signals import STRATEGIES
from trading_bot.settings_news import Arm

SEED = 0
"""Of the permutations: the same trades give the same p-value."""


class ArmCount(Record):
    """How far one arm is."""

    arm: Arm
    strategy: str
    trades: int = Field(ge=0)
    """Closed, of those opened since the test began."""


class ArmResult(Record):
    """What an arm's first trades came to."""

    arm: Arm
    mean_return: Finite
    """Of a trade, on its cost."""
    win_rate: Ratio
    profit_factor: Finite | None
    """None without a lost trade."""


class Finding(Record):
    """Both arms compared, at the size fixed beforehand."""

    size: int = Field(ge=1)
    arms: tuple[ArmResult, ...]
    difference: Finite
    """Mean return with news less that without."""
    p_value: Ratio | None
    """That means lie as far apart or further, if news made no difference (two-sided permutation test); None for too few trades."""


class Experiment(Record):
    """The test as it stands."""

    name: str
    size: int = Field(ge=1)
    """Closed trades that each arm needs."""
    arms: tuple[ArmCount, ...]
    finding: Finding | None
    note: str
    """What may be concluded, or what is missing."""


def experiment(trades: Iterable[tuple[str, RoundTrip]], name: str, size: int, since: datetime | None = None) -> Experiment:
    """The test of `name` over closed trades with their strategies. `since`: trades opened earlier belong to another test."""
    by_arm = _by_arm([(s, t) for s, t in trades if since is None or t.opened_at >= since])
    arms = tuple(ArmCount(arm=arm, strategy=STRATEGIES[arm], trades=len(closed)) for arm, closed in by_arm.items())
    missing = [f"{a.arm} has {a.trades} of {size} closed trades" for a in arms if a.trades < size]
    if missing:
        return Experiment(name=name, size=size, arms=arms, finding=None, note=f"{'; '.join(missing)}: results are told when both are there")
    finding = _finding({arm: closed[:size] for arm, closed in by_arm.items()}, size)
    return Experiment(name=name, size=size, arms=arms, finding=finding, note=_concluded(finding))


def _by_arm(trades: Sequence[tuple[str, RoundTrip]]) -> dict[Arm, list[RoundTrip]]:
    """Closed trades of each arm by their ends, of those opened since both arms trade."""
    ordered = sorted((t for t in trades), key=lambda pair: (pair[1].closed_at, pair[1].symbol, pair[1].entry_order))
    found = {arm: [trade for name, trade in ordered if name == strategy] for arm, strategy in STRATEGIES.items()}
    if not all(found.values()):
        return found
    began = max(min(t.opened_at for t in closed) for closed in found.values())
    return {arm: [t for t in closed if t.opened_at >= began] for arm, closed in found.items()}


def _finding(by_arm: Mapping[Arm, Sequence[RoundTrip]], size: int) -> Finding:
    returns = {arm: np.array([t.return_on_cost for t in closed]) for arm, closed in by_arm.items()}
    return Finding(
        size=size,
        arms=tuple(_result(arm, closed) for arm, closed in by_arm.items()),
        difference=float(returns["combined"].mean() - returns["technical"].mean()),
        p_value=permutation_p_value(returns["combined"], returns["technical"], seed=SEED),
    )


def _result(arm: Arm, closed: Sequence[RoundTrip]) -> ArmResult:
    told = trade_statistics(closed)
    return ArmResult(
        arm=arm,
        mean_return=fmean(t.return_on_cost for t in closed),
        win_rate=told.wins / len(closed),
        profit_factor=told.profit_factor,
    )


def _concluded(finding: Finding) -> str:
    if finding.p_value is None:
        return "so few trades cannot tell luck from skill"
    apart = f"with news a trade returned {finding.difference:+.2%} beside one without (p = {finding.p_value:.3f}"
    return f"{apart}, read once at {finding.size} trades an arm)"
