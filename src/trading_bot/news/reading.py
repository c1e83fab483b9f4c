"""What a symbol's news come to at a moment: one number of all its stories, how sure it is, and how unusual.

    a telling's weight   = confidence x weight of its feed
    a feed's word        = weighted mean of its tellings, as weighty as the weightiest of them: copies add nothing
    a story's score      = median of its feeds' words, each as far as the feed is believed: one liar among three changes little
    a story's weight     = median of its feeds' weights x 0.5 ^ (age / half-life)
    a story's age        = median over its feeds of when each told it first, the earlier of two
    score                = weighted mean of the stories' scores
    confidence           = total weight / (total weight + 1)

Promises that a story counts once however often it is told, that a quarantined article counts nowhere, nor does what was not known by
then, and that `backed` looks only at stories which enough independent feeds told without contradicting it, of those that are believed at
all. Refuses a comparison with fewer than `LEAST_HOURS` past hours that had news, and one of a score that nobody is sure of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from trading_bot.domain.news import ArticleId, Reading, Scored, Tier
from trading_bot.domain.values import Symbol

LEAST_HOURS = 24
"""Past hours with news that a mean and a deviation need."""
LEAST_DEVIATION = 0.02
"""A calmer past is not believed: else the first real story after a week of copies would be beyond any bound."""
_HOUR = timedelta(hours=1)
_RANK = {tier: rank for rank, tier in enumerate(Tier)}
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Scale:
    """How news are weighed."""

    window: timedelta
    half_life: timedelta
    baseline: timedelta
    anomaly: float
    """Deviations from which on a reading is one."""
    corroboration: int
    feeds: Mapping[str, float]
    """Weight by feed; an unknown feed has 1."""


@dataclass(frozen=True)
class Story:
    """All tellings of one thing, for one symbol."""

    id: ArticleId
    first: datetime
    since: datetime
    """From when on it grows old: the median over its feeds of when each told it first, the earlier of two."""
    score: float
    weight: float
    """Before it decays."""
    feeds: int
    """Those that are believed at all."""
    backing: int
    """Voices that back it: feeds on its side, or without an opinion; one address is one voice, however many hand it on."""
    articles: int


def best(scores: Sequence[Scored]) -> tuple[Scored, ...]:
    """Of each article the score of the highest tier, in the order of `scores`."""
    chosen: dict[ArticleId, Scored] = {}
    for scored in scores:
        known = chosen.get(scored.article)
        if known is None or _RANK[scored.sentiment.tier] > _RANK[known.sentiment.tier]:
            chosen[scored.article] = scored
    return tuple(chosen.values())


def stories(scores: Sequence[Scored], feeds: Mapping[str, float]) -> tuple[Story, ...]:
    """The stories of one symbol by their first telling; `scores` of several tiers may be among them."""
    told: dict[ArticleId, list[Scored]] = {}
    for scored in best(scores):
        if not scored.quarantined:
            told.setdefault(scored.story, []).append(scored)
    made = (_story(story, tellings, feeds) for story, tellings in told.items())
    return tuple(sorted(made, key=lambda s: (s.first, s.id)))


def read(symbol: Symbol, now: datetime, scores: Sequence[Scored], scale: Scale) -> Reading:
    """The reading of `symbol` at `now`. `scores`: of its articles known within window and baseline; later ones change nothing."""
    known = [s for s in scores if max(s.known_at, s.scored_at) <= now]
    told = stories(known, scale.feeds)
    fresh = [s for s in told if s.since > now - scale.window]
    backed = [s for s in fresh if s.backing >= scale.corroboration]
    score, confidence = _total(fresh, now, scale)
    sure, sure_confidence = _total(backed, now, scale)
    past = _past(told, now, scale)
    mean, deviation = (float(past.mean()), float(past.std())) if past.size >= LEAST_HOURS else (None, None)
    away = None if mean is None or deviation is None or not confidence else (score - mean) / max(deviation, LEAST_DEVIATION)
    return Reading(
        symbol=symbol,
        as_of=now,
        score=score,
        confidence=confidence,
        stories=len(fresh),
        articles=sum(s.articles for s in fresh),
        feeds=_feeds(known, fresh, scale.feeds),
        backed=sure,
        backed_confidence=sure_confidence,
        mean=mean,
        deviation=deviation,
        volatility=float(np.diff(past).std()) if past.size >= LEAST_HOURS else None,
        deviations=away,
        anomaly=away is not None and abs(away) >= scale.anomaly,
    )


def decay(age: timedelta, half_life: timedelta) -> float:
    """What is left of a weight after `age`."""
    return float(0.5 ** (age / half_life))


def _feeds(scores: Sequence[Scored], told: Sequence[Story], feeds: Mapping[str, float]) -> int:
    """Feeds, of those that are believed at all, which told any of these stories."""
    ids = {s.id for s in told}
    return len({s.feed for s in scores if s.story in ids and not s.quarantined and feeds.get(s.feed, 1.0)})


def _story(story: ArticleId, tellings: Sequence[Scored], feeds: Mapping[str, float]) -> Story:
    by_feed: dict[str, list[tuple[float, float]]] = {}
    for telling in tellings:
        weight = telling.sentiment.confidence * feeds.get(telling.feed, 1.0)
        by_feed.setdefault(telling.feed, []).append((weight, telling.sentiment.score))
    words = {feed: _Word(feeds.get(feed, 1.0), max(weight for weight, _ in pairs), _mean(pairs)) for feed, pairs in by_feed.items()}
    heard = [word for word in words.values() if word.weight] or list(words.values())
    score = _median([(word.trust, word.score) for word in heard])
    backing = {feed for feed, word in words.items() if word.trust and (not word.weight or _same_side(word.score, score))}
    origins = {t.origin or t.article for t in tellings if t.feed in backing}
    return Story(
        id=story,
        first=min(t.known_at for t in tellings),
        since=_lower_middle([t for t in tellings if feeds.get(t.feed, 1.0)] or tellings),
        score=score,
        weight=_median([(word.trust, word.weight) for word in heard]),
        feeds=sum(1 for word in words.values() if word.trust),
        backing=min(len(backing), len(origins)),
        articles=len(tellings),
    )


def _same_side(a: float, b: float) -> bool:
    return a * b > 0 or a == b == 0


def _lower_middle(tellings: Sequence[Scored]) -> datetime:
    """Median over the feeds of when each told it first, the earlier of two: a copier who is early makes nobody's story old."""
    firsts: dict[str, datetime] = {}
    for telling in tellings:
        firsts[telling.feed] = min(firsts.get(telling.feed, telling.dated), telling.dated)
    return sorted(firsts.values())[(len(firsts) - 1) // 2]


class _Word(NamedTuple):
    """What one feed says of a story."""

    trust: float
    """How far the feed is believed."""
    weight: float
    score: float


def _mean(pairs: Sequence[tuple[float, float]]) -> float:
    total = sum(weight for weight, _ in pairs)
    return sum(weight * score for weight, score in pairs) / total if total else 0.0


def _median(pairs: Sequence[tuple[float, float]]) -> float:
    """The value below and above which no more than half of the weight lies; the middle of two where both are such."""
    if len(pairs) == 1:
        return pairs[0][1]
    ordered = sorted(pairs, key=itemgetter(1))
    reached = list(accumulate(weight for weight, _ in ordered))
    half = reached[-1] / 2
    low = next(n for n, sum_ in enumerate(reached) if sum_ >= half)
    high = next(n for n, sum_ in enumerate(reached) if sum_ > half or n == len(reached) - 1)
    return (ordered[low][1] + ordered[high][1]) / 2


def _total(told: Sequence[Story], now: datetime, scale: Scale) -> tuple[float, float]:
    """Score and confidence of these stories."""
    weights = [s.weight * decay(now - s.since, scale.half_life) for s in told]
    total = sum(weights)
    if not total:
        return 0.0, 0.0
    score = sum(w * s.score for w, s in zip(weights, told, strict=True)) / total
    return min(max(score, -1.0), 1.0), total / (total + 1)


def _past(told: Sequence[Story], now: datetime, scale: Scale) -> Floats:
    """Scores at each full hour of the baseline that had news, oldest first; this hour is not among them."""
    hours = int(scale.baseline / _HOUR)
    if not told or not hours:
        return np.empty(0)
    ages = np.array([(now - s.since) / _HOUR for s in told])
    then = ages[None, :] - np.arange(hours, 0, -1, dtype=np.float64)[:, None]
    weights = np.array([s.weight for s in told]) * np.exp2(np.maximum(then, 0) / -(scale.half_life / _HOUR))
    weights[(then < 0) | (then >= scale.window / _HOUR)] = 0.0
    total = weights.sum(axis=1)
    there = total > 0
    found: Floats = (weights @ np.array([s.score for s in told]))[there] / total[there]
    return found
