"""What a symbol's price did after its past stories.

Promises that a story counts once, from the moment at which it could first be known, by what was known of it as of `now`; that only horizons
which are over count; and a mean only of `LEAST_STORIES` stories or more. Refuses to say that a story was the cause.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import fmean

from pydantic import Field

from trading_bot.domain.news import ArticleId, Score, Scored
from trading_bot.domain.values import Finite, Ratio, Record, Symbol, UtcTime
from trading_bot.news.horizons import Horizon, Price, moved
from trading_bot.news.reading import stories

LEAST_STORIES = 10
NEUTRAL = 0.1
"""A story between this score and its opposite says neither."""
_TONES = ("positive", "neutral", "negative")


class StoryImpact(Record):
    """One story, and the return after it by horizon."""

    story: ArticleId
    first: UtcTime
    score: Score
    feeds: int = Field(ge=0)
    moved: Mapping[str, Finite | None]
    """None while the horizon is not over, and where a price is missing."""


class ToneImpact(Record):
    """What followed stories of one tone, up to one horizon."""

    tone: str
    horizon: str
    stories: int = Field(ge=0)
    """Whose horizon is over and whose prices are known."""
    mean: Finite | None
    rose: Ratio | None
    """Share after which the price rose."""
    note: str = ""
    """Why there is no mean."""


class Impact(Record):
    """What the price of a symbol did after its stories."""

    symbol: Symbol
    as_of: UtcTime
    stories: tuple[StoryImpact, ...]
    """Newest first."""
    tones: tuple[ToneImpact, ...]


def impact(  # noqa: PLR0913, PLR0917 - what is known, and how it is looked at
    symbol: Symbol,
    now: datetime,
    scores: Sequence[Scored],
    feeds: Mapping[str, float],
    price: Price | None,
    horizons: Mapping[str, Horizon],
) -> Impact:
    """What followed the stories among `scores`. `price`: as of `now`; `feeds`: weight by feed; `horizons`: by name."""
    told = [s for s in stories([s for s in scores if max(s.known_at, s.scored_at) <= now], feeds) if s.weight]
    followed = tuple(
        StoryImpact(
            story=story.id,
            first=story.first,
            score=min(max(story.score, -1.0), 1.0),
            feeds=story.feeds,
            moved={name: _moved(price, story.first, horizon(story.first), now) for name, horizon in horizons.items()},
        )
        for story in reversed(told)
    )
    tones = tuple(_tone(tone, name, followed) for name in horizons for tone in _TONES)
    return Impact(symbol=symbol, as_of=now, stories=followed, tones=tones)


def _moved(price: Price | None, start: datetime, end: datetime, now: datetime) -> float | None:
    return None if price is None or end > now else moved(price, start, end)


def _tone(tone: str, horizon: str, followed: Sequence[StoryImpact]) -> ToneImpact:
    found = [went for s in followed if tone_of(s.score) == tone and (went := s.moved[horizon]) is not None]
    enough = len(found) >= LEAST_STORIES
    return ToneImpact(
        tone=tone,
        horizon=horizon,
        stories=len(found),
        mean=fmean(found) if enough else None,
        rose=sum(went > 0 for went in found) / len(found) if enough else None,
        note="" if enough else f"{len(found)} {tone} stories are too few to say anything; {LEAST_STORIES} are needed",
    )


def tone_of(score: float) -> str:
    """In which direction a story speaks."""
    if abs(score) < NEUTRAL:
        return "neutral"
    return "positive" if score > 0 else "negative"
