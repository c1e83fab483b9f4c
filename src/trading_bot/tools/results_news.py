"""Answers of the news tools and of the local models. Sentiment lies between -1, bad for the holder, and 1.

Promises words of strangers in their envelope alone, and only where a person's session asks; a run that decides reads numbers.
"""

from trading_bot.domain.news import Mark, MentionReason, Tier
from trading_bot.domain.values import Record, UtcTime
from trading_bot.tools.envelope import Untrusted
from trading_bot.tools.results import Number, Percent, Result


class MentionTold(Record):
    """One symbol that an article is about, and what was made of it for who holds that; left out until somebody has read it."""

    symbol: str
    reason: MentionReason
    tier: Tier | None = None
    sentiment: Number | None = None
    confidence: Number | None = None


class ArticleTold(Record):
    """One article."""

    article: str
    known_at: UtcTime
    feed: str
    story: str | None = None
    """The first article that told the same; left out where it is this one."""
    novelty: Number | None = None
    """1 for the first telling, near 0 for a copy."""
    mentions: tuple[MentionTold, ...]
    others: int = 0
    """Symbols of the universe that it mentions too."""
    quarantined: bool = False
    """It looks like an attack, and moves nothing."""
    marks: tuple[Mark, ...] = ()
    publisher: Untrusted | None = None
    title: Untrusted | None = None


class NewsTold(Result):
    """Articles, newest first."""

    articles: tuple[ArticleTold, ...]
    next_offset: int | None = None


class SentimentTold(Result):
    """What all stories of the window come to."""

    symbol: str
    sentiment: Number
    confidence: Number
    backed: Number
    """Of those stories alone that enough independent feeds told: the only one that may move a decision."""
    backed_confidence: Number
    stories: int
    articles: int
    feeds: int
    mean: Number | None
    """Of past hours; null with too few."""
    deviation: Number | None
    volatility: Number | None
    deviations: Number | None
    """How many of them the sentiment lies from the mean."""
    anomaly: bool


class Anomaly(Record):
    """A symbol whose news are unlike its past's."""

    symbol: str
    sentiment: Number
    confidence: Number
    backed: Number
    backed_confidence: Number
    stories: int
    feeds: int
    deviations: Number


class AnomaliesTold(Result):
    """The universe's anomalies, largest first, and how many of the others there are."""

    anomalies: tuple[Anomaly, ...]
    total: int
    calm: int
    """As ever."""
    silent: int
    """Without a story in the window."""
    unknown: int
    """With too little past to compare."""
    next_offset: int | None = None


class Followed(Record):
    """What the price did after stories of one tone."""

    tone: str
    horizon: str
    """hour, session (to the close of the first that opens after the story) or day."""
    stories: int
    """Whose horizon is over and whose prices are known."""
    mean_percent: Percent | None
    """Null with fewer stories than are needed."""
    rose_percent: Percent | None


class ImpactTold(Result):
    """What came after the stories of a symbol; that is no cause."""

    symbol: str
    stories: int
    needed: int
    """Fewer stories of a tone say nothing."""
    followed: tuple[Followed, ...]
    note: str | None = None


class ModelTold(Record):
    """One local model."""

    model: str
    servers: int
    ready: int
    """Servers on which it may be asked now."""


class ModelsTold(Result):
    """The models that are configured."""

    models: tuple[ModelTold, ...]


class ModelDid(Record):
    """How one model on one server did."""

    model: str
    server: str
    ready: bool
    busy: int
    asked: int
    failed: int
    latency_ms: Number | None
    note: Untrusted | None = None
    """Why it may not be asked, or what went wrong last."""


class HealthTold(Result):
    """Every model on every server."""

    models: tuple[ModelDid, ...]
    total: int
    next_offset: int | None = None


class Labelled(Result):
    """One of the labels that were given."""

    label: str
    confidence: Number
    model: str


class Summarized(Result):
    """A model's summary."""

    summary: Untrusted
    model: str


class Answered(Result):
    """A model's answer."""

    answer: Untrusted
    model: str
