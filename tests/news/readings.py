"""Scores, scales and readings for tests: a sound default of everything, changed by keyword."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trading_bot.domain.news import ArticleId, Reading, Scored, Sentiment, Tier
from trading_bot.domain.values import Symbol
from trading_bot.news.reading import Scale

NOW = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)
AAPL = Symbol("AAPL")


def scored(  # noqa: PLR0913 - by name
    article: str,
    score: float = 0.5,
    *,
    ago: timedelta = timedelta(0),
    confidence: float = 1.0,
    story: str | None = None,
    feed: str = "one",
    tier: Tier = Tier.LEXICON,
    late: timedelta = timedelta(0),
    quarantined: bool = False,
) -> Scored:
    """An article's score, known `ago` before NOW and made `late` after that; it tells a story of its own."""
    return Scored(
        article=ArticleId(article),
        symbol=AAPL,
        story=ArticleId(story or article),
        feed=feed,
        known_at=NOW - ago,
        scored_at=NOW - ago + late,
        novelty=1.0,
        sentiment=Sentiment(score=score, confidence=confidence, tier=tier, model=f"a {tier}"),
        quarantined=quarantined,
    )


def scale(feeds: Mapping[str, float] | None = None, **changed: Any) -> Scale:  # noqa: ANN401 - fields
    """Two days, half of a weight gone in six hours, against two weeks; two feeds back a story."""
    fields: dict[str, Any] = {
        "window": timedelta(days=2),
        "half_life": timedelta(hours=6),
        "baseline": timedelta(days=14),
        "anomaly": 3.0,
        "corroboration": 2,
    }
    return Scale(**(fields | changed), feeds=feeds or {})


def reading(**changed: Any) -> Reading:  # noqa: ANN401 - fields
    """Of nothing at all."""
    fields: dict[str, Any] = {
        "symbol": AAPL,
        "as_of": NOW,
        "score": 0.0,
        "confidence": 0.0,
        "stories": 0,
        "articles": 0,
        "feeds": 0,
        "backed": 0.0,
        "backed_confidence": 0.0,
        "mean": None,
        "deviation": None,
        "volatility": None,
        "deviations": None,
        "anomaly": False,
    }
    return Reading.model_validate(fields | changed)
