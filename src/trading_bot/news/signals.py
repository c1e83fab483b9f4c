"""News and prices in one score, and the A/B test that says whether news earn their place in it.

    share of news = weight x confidence of the backed reading
    score         = (1 - share) x technical score + share x (50 + 50 x backed reading)

Promises that a reading nobody backs changes nothing, that a symbol is analysed in the same arm all day and again after a restart, and
that the arm stands in the strategy's name, so that trades are counted by it. Refuses to lend a stop: without one there is no purchase.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading_bot.domain.news import Reading
from trading_bot.domain.research import Analysis
from trading_bot.domain.values import ZERO, Symbol, derive_digest
from trading_bot.market.analysis import Stop, recommend
from trading_bot.settings_news import Arm

STRATEGIES: Mapping[Arm, str] = {"technical": "momentum", "combined": "momentum+news"}
"""What trades of each arm are counted as."""
_MIDDLE = 50.0
_MOST = 100.0
_DIGITS = 8


@dataclass(frozen=True)
class Signals:
    """How analyses are scored."""

    weight: float
    """Of a reading at full confidence."""
    arms: Mapping[Arm, Decimal]
    """Share of each; they add up to 1."""
    experiment: str
    """Another name draws the arms anew."""

    def arm(self, symbol: Symbol, day: date) -> Arm:
        """The arm of `symbol` on `day`: a pure function of both and of the experiment's name."""
        drawn = Decimal(int(derive_digest(self.experiment, symbol, day.isoformat())[:_DIGITS], 16)) / 16**_DIGITS
        reached = ZERO
        for arm in STRATEGIES:
            reached += self.arms.get(arm, ZERO)
            if drawn < reached:
                return arm
        return "technical"


def combine(analysis: Analysis, reading: Reading, weight: float) -> Analysis:
    """`analysis` with news in its score and in its recommendation."""
    share = weight * reading.backed_confidence
    score = min((1 - share) * analysis.score + share * (_MIDDLE + _MIDDLE * reading.backed), _MOST)
    recommendation = recommend(score, Stop(analysis.stop, analysis.stop_basis))
    told = f"News that several feeds tell weigh {share:.0%} at {reading.backed:+.2f}: {analysis.score:.0f} becomes {score:.0f}."
    return analysis.model_copy(
        update={
            "score": score,
            "confidence": score / _MOST,
            "recommendation": recommendation,
            "thesis": f"{analysis.thesis}. {told} {recommendation}.",
            "strategy": STRATEGIES["combined"],
        }
    )
