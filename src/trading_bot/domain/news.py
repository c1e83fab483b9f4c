"""News as the desk knows it: articles, what tiers made of them, readings of a symbol, and what climbed.

Promises that whatever comes from outside carries where it came from, when it could be known, and what looked wrong with it. A score is
analytics (a float from -1, bad for the holder, to 1); nothing here is an order, a limit or a size.
"""

from enum import StrEnum
from typing import Annotated, NewType

from pydantic import Field

from trading_bot.domain.values import Finite, NonNegative, Ratio, Record, Symbol, UtcTime

ArticleId = NewType("ArticleId", str)
Score = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
"""From -1 (bad for who holds it) to 1."""


class Tier(StrEnum):
    """Who may read an article, cheapest first."""

    LEXICON = "lexicon"
    LINEAR = "linear"
    OLLAMA = "ollama"
    DEEPSEEK = "deepseek"
    CLAUDE = "claude"


class MentionReason(StrEnum):
    """Why an article is held to be about a symbol, strongest first."""

    SOURCE = "source"
    """Its source says so."""
    CASHTAG = "cashtag"
    EXCHANGE = "exchange"
    """As in (NASDAQ: AAPL)."""
    NAME = "name"
    TICKER = "ticker"
    """The bare symbol in capitals, where it is no common word."""


class Mention(Record):
    """One symbol that an article is about."""

    symbol: Symbol
    reason: MentionReason


class Mark(StrEnum):
    """What looked wrong with an article."""

    INSTRUCTION = "instruction"
    """It speaks to a machine: orders, roles, forged results of tools."""
    HIDDEN = "hidden"
    """Characters or markup that a person would not have seen."""
    HUGE = "huge"
    """Words or a body longer than prose has."""
    FUTURE = "future"
    """Dated later than it was received."""
    ANCIENT = "ancient"
    """Dated long before it was received."""
    UNDATED = "undated"
    """Without a date that can be read: the time of receipt stands for it."""
    ASSUMED_ZONE = "assumed_zone"
    """Without a zone: UTC was assumed."""


QUARANTINED = frozenset({Mark.INSTRUCTION, Mark.HIDDEN, Mark.HUGE})
"""An article with one of these is kept and shown to people, and moves nothing."""


class RawArticle(Record):
    """An article as its feed gave it; every text is data of a stranger."""

    feed: str
    url: str = ""
    title: str = ""
    body: str = ""
    """HTML or text."""
    published: str = ""
    """As it stood there."""
    publisher: str = ""
    language: str = ""
    symbols: tuple[str, ...] = ()
    """Tickers that the source itself names."""
    received_at: UtcTime


class Article(Record):
    """An article that can be read: clean text on one line, canonical address, times by rule."""

    id: ArticleId
    """A pure function of feed, canonical address and title: the same article fetched again is the same."""
    feed: str
    publisher: str
    url: str
    title: str
    text: str
    language: str
    published_at: UtcTime
    received_at: UtcTime
    mentions: tuple[Mention, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def known_at(self) -> UtcTime:
        """From when on it could be known; nobody who looks at an earlier time may see it."""
        return max(self.published_at, self.received_at)

    @property
    def quarantined(self) -> bool:
        """Whether it may move nothing."""
        return not QUARANTINED.isdisjoint(self.marks)


class Sentiment(Record):
    """What one tier made of a text."""

    score: Score
    confidence: Ratio
    tier: Tier
    model: str


class Scored(Record):
    """One article's sentiment for one symbol; `story` is the same for all tellings of one thing."""

    article: ArticleId
    symbol: Symbol
    story: ArticleId
    """The first article that told it."""
    feed: str
    known_at: UtcTime
    """Of the article."""
    told_at: UtcTime | None = None
    """When it was published, by its own word: from then on it loses weight; None: when it was known."""
    origin: str = ""
    """Its canonical address: what several feeds hand on from there is one voice."""
    scored_at: UtcTime
    """Nobody who looks at an earlier time may see the score."""
    novelty: Ratio
    """1 for the first telling, near 0 for a word-by-word copy."""
    sentiment: Sentiment
    quarantined: bool = False

    @property
    def dated(self) -> UtcTime:
        """From when on it grows old."""
        return self.known_at if self.told_at is None else self.told_at


class Reading(Record):
    """Sentiment of a symbol as of a moment, of all stories within the window; 0 with confidence 0 where there is none."""

    symbol: Symbol
    as_of: UtcTime
    score: Score
    confidence: Ratio
    stories: int = Field(ge=0)
    articles: int = Field(ge=0)
    feeds: int = Field(ge=0)
    backed: Score
    """The score of those stories alone that enough independent feeds told: the only one that may move a decision."""
    backed_confidence: Ratio
    mean: Finite | None
    """Of past readings, one an hour; None where there are too few."""
    deviation: Finite | None
    volatility: Finite | None
    """Deviation of the changes from one hour to the next."""
    deviations: Finite | None
    """How many deviations the score lies from the mean."""
    anomaly: bool


class FeedHealth(Record):
    """How a feed did when it was last asked."""

    feed: str
    asked_at: UtcTime
    answered_at: UtcTime | None
    """When it last answered."""
    articles: int = Field(ge=0)
    """Of the last answer."""
    note: str = ""
    """Why it did not answer."""


class EscalationRule(StrEnum):
    """Why something climbs."""

    ANOMALY = "anomaly"
    LARGE_POSITION = "large_position"
    NEW_STRATEGY = "new_strategy"
    LIMIT_NEAR = "limit_near"
    DISAGREEMENT = "disagreement"
    """Two models below said opposite things."""


class EscalationEnd(StrEnum):
    """What came of it."""

    ANSWERED = "answered"
    NOT_WORTH_IT = "not_worth_it"
    """The money at risk did not justify the price."""
    CAPPED = "capped"
    """The tier's number of a day is used up."""
    NO_BUDGET = "no_budget"
    FAILED = "failed"


class Escalation(Record):
    """One question that climbed to a tier, or did not, and why."""

    id: str
    at: UtcTime
    symbol: Symbol
    rule: EscalationRule
    detail: str
    """The rule's actual value and threshold, in words."""
    tier: Tier
    end: EscalationEnd
    at_risk: NonNegative
    """Money that hung on the symbol."""
    price: NonNegative
    """USD that the call might have cost."""
    cost: NonNegative
    """USD that it did cost."""
    before: Score
    after: Score | None
    """None where nobody answered."""
    articles: tuple[ArticleId, ...] = ()
    note: str = ""
