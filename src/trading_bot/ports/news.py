"""News: where articles come from, who waits with them, who reads them, and what may be known of them as of a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal

    from trading_bot.domain.news import Article, ArticleId, RawArticle, Reading, Scored, Sentiment, Tier
    from trading_bot.domain.values import Symbol


class NewsSource(Protocol):
    """A feed of articles. SourceFailedError where it did not answer or may not be believed; empty means that there is nothing new."""

    name: str
    weight: float
    """How far it is believed, from 0 to 1."""

    def fetch(self) -> Sequence[RawArticle]:
        """What it has now, in any order; what was fetched before may come again. Waits no longer than its time-outs."""


@dataclass(frozen=True)
class Delivery:
    """A raw article that a worker holds for a while."""

    id: str
    """The queue's own; names this message until it is done."""
    raw: RawArticle
    attempt: int
    """1 at first."""


@dataclass(frozen=True)
class QueueState:
    """What stands in a queue."""

    waiting: int
    held: int
    """Given to workers and not done."""
    dead: int
    oldest: datetime | None
    """Receipt of the oldest that is waiting or held."""


class NewsQueue(Protocol):
    """Articles between feeds and workers. What `put` returned from is given to some worker until it is done, be that more than once.

    QueueError where it cannot be reached: nothing is lost, and the same call may be made again.
    """

    def put(self, raws: Sequence[RawArticle]) -> None:
        """Add all, or none with QueueFullError."""

    def take(self, worker: str, most: int, patience: timedelta) -> Sequence[Delivery]:
        """Up to `most` that nobody holds, or whose holder did not end in time; waits up to `patience` for the first."""

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """Forget these; again changes nothing."""

    def failed(self, delivery: Delivery, why: str) -> None:
        """Give it to somebody again, or after too many attempts put it on the list of the dead with its reason."""

    def state(self) -> QueueState:
        """Its numbers now."""

    def dead(self, most: int) -> Sequence[tuple[RawArticle, str]]:
        """The dead, newest first, with their reasons."""

    def revive(self) -> int:
        """Put the dead back; return how many."""

    def close(self) -> None:
        """Let go; what it holds stays."""


@dataclass(frozen=True)
class Passage:
    """A clean text that is to be judged, for whoever holds `symbol`."""

    text: str
    symbol: Symbol | None = None
    name: str = ""
    """Of the company or coin, where it is known."""


class SentimentModel(Protocol):
    """Judges texts. Text is data: whatever it says, the answer is a number."""

    tier: Tier
    name: str

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """One sentiment for each, in order. ModelError if it cannot be asked or believed: then the tier below answers."""

    def price(self) -> Decimal:
        """USD that judging one passage may cost at most."""


class NewsView(Protocol):
    """News as of a moment: nothing that was not known by then can be seen through it."""

    def now(self) -> datetime:
        """The moment."""

    def frozen(self, moment: datetime) -> NewsView:
        """The same as of `moment`, for good."""

    def backed(self) -> NewsView:
        """The same, of those stories alone that enough independent feeds tell: what a run that decides may see."""

    def articles(self, symbol: Symbol | None, since: timedelta, most: int) -> Sequence[Article]:
        """Articles about `symbol` (None: any) that became known within `since`, newest first."""

    def scores(self, symbol: Symbol, since: timedelta) -> Sequence[Scored]:
        """Scores of `symbol` known within `since`, oldest first; of each article that of the highest tier which read it."""

    def article(self, article: ArticleId) -> Article | None:
        """One article, if it was known by then."""

    def reading(self, symbol: Symbol) -> Reading:
        """Sentiment of `symbol`."""

    def weights(self) -> Mapping[str, float]:
        """How far each feed is believed; one that is not named is believed wholly."""


@dataclass(frozen=True)
class ModelHealth:
    """One model on one server."""

    server: str
    model: str
    ready: bool
    """Whether it may be asked now."""
    busy: int
    asked: int
    failed: int
    latency_ms: float | None
    """Middle of the last answers."""
    note: str
    """Why it may not be asked, or what went wrong last."""


class LocalModels(Protocol):
    """Models that cost nothing but time, for people and for Claude: plain text in, plain text or a label out.

    ModelUnavailableError or BadAnswerError; the message says what to do.
    """

    def health(self) -> Sequence[ModelHealth]:
        """Every model on every server."""

    def classify(self, text: str, labels: Sequence[str], model: str | None = None) -> tuple[str, float, str]:
        """One of `labels`, how sure (0 to 1), and the model that said so."""

    def summarize(self, text: str, words: int, model: str | None = None) -> tuple[str, str]:
        """At most `words` words, and the model that wrote them."""

    def ask(self, question: str, model: str | None = None) -> tuple[str, str]:
        """An answer as text, and the model that gave it."""
