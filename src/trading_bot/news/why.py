"""Why a reading is what it is: every story with its weight, every telling with who read it. Enough to reckon it again by hand.

Promises the very stories, weights and order that `reading.read` used, so that the shares told here add up to its score.
"""

from collections.abc import Callable

from pydantic import Field

from trading_bot.domain.news import ArticleId, Mark, Reading, Score, Scored, Tier
from trading_bot.domain.values import Finite, Ratio, Record, Symbol, UtcTime
from trading_bot.news.reading import Scale, best, decay, read, stories
from trading_bot.ports import NewsView


class Told(Record):
    """One telling of a story."""

    article: ArticleId
    known_at: UtcTime
    told_at: UtcTime
    """When it was published, by its own word."""
    feed: str
    feed_weight: Ratio
    publisher: str
    title: str
    url: str
    tier: Tier
    model: str
    score: Score
    confidence: Ratio
    novelty: Ratio
    marks: tuple[Mark, ...]


class Counted(Record):
    """One story as it counts now."""

    story: ArticleId
    first: UtcTime
    """When it was known first."""
    since: UtcTime
    """From when on it grows old."""
    age_minutes: Finite
    score: Score
    weight: Finite
    """Median over its feeds of confidence x feed weight."""
    decay: Ratio
    share: Ratio
    """Of the reading: weight x decay over the sum of all."""
    feeds: int = Field(ge=1)
    backed: bool
    tellings: tuple[Told, ...]


class Why(Record):
    """A reading with its reasons, weightiest story first; and what was set aside."""

    reading: Reading
    half_life_minutes: Finite
    corroboration: int
    """Feeds that a story needs to be backed."""
    counted: tuple[Counted, ...]
    quarantined: tuple[Told, ...]


def why(symbol: Symbol, view: NewsView, scale: Scale) -> Why:
    """The reading of `symbol` as of the view, taken apart."""
    now, scores = view.now(), view.scores(symbol, scale.window + scale.baseline)
    fresh = [s for s in stories(scores, scale.feeds) if s.since > now - scale.window]
    total = sum(s.weight * decay(now - s.since, scale.half_life) for s in fresh)
    tell = _teller(view, scale)
    told: dict[ArticleId, list[Scored]] = {}
    for scored in best(scores):
        if not scored.quarantined:
            told.setdefault(scored.story, []).append(scored)
    counted = [
        Counted(
            story=story.id,
            first=story.first,
            since=story.since,
            age_minutes=(now - story.since).total_seconds() / 60,
            score=story.score,
            weight=story.weight,
            decay=(left := decay(now - story.since, scale.half_life)),
            share=story.weight * left / total if total else 0.0,
            feeds=story.feeds,
            backed=story.backing >= scale.corroboration,
            tellings=tuple(tell(scored) for scored in told[story.id]),
        )
        for story in fresh
    ]
    aside = tuple(tell(s) for s in best(scores) if s.quarantined and s.known_at > now - scale.window)
    return Why(
        reading=read(symbol, now, scores, scale),
        half_life_minutes=scale.half_life.total_seconds() / 60,
        corroboration=scale.corroboration,
        counted=tuple(sorted(counted, key=lambda c: -c.share)),
        quarantined=aside,
    )


def _teller(view: NewsView, scale: Scale) -> Callable[[Scored], Told]:
    def tell(scored: Scored) -> Told:
        article = view.article(scored.article)
        return Told(
            article=scored.article,
            known_at=scored.known_at,
            told_at=scored.dated,
            feed=scored.feed,
            feed_weight=scale.feeds.get(scored.feed, 1.0),
            publisher=article.publisher if article else "",
            title=article.title if article else "",
            url=article.url if article else "",
            tier=scored.sentiment.tier,
            model=scored.sentiment.model,
            score=scored.sentiment.score,
            confidence=scored.sentiment.confidence,
            novelty=scored.novelty,
            marks=article.marks if article else (),
        )

    return tell
