"""A store with news, a clock that is set by hand, and readers that say what they are told to."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from news.readings import AAPL, NOW, scale
from trading_bot import config
from trading_bot.domain.errors import DeskError
from trading_bot.domain.news import Article, Escalation, EscalationEnd, Mark, Scored, Sentiment, Tier
from trading_bot.domain.values import ZERO
from trading_bot.news.as_of import StoredNews
from trading_bot.news.escalation import Stake
from trading_bot.news.escalator import Escalator
from trading_bot.ports import Passage, SentimentModel
from trading_bot.settings_news import NewsSettings
from trading_bot.storage.news import NewsStore, ReadArticle, Telling

HOUR = timedelta(hours=1)
OLLAMA, DEEPSEEK, CLAUDE = Tier.OLLAMA, Tier.DEEPSEEK, Tier.CLAUDE
ANSWERED, FAILED = EscalationEnd.ANSWERED, EscalationEnd.FAILED
LARGE = Stake(position=Decimal(6000), equity=Decimal(100_000), at_risk=Decimal(5000))
"""6 % of equity; a thousandth of what is at risk is 5 USD."""


class Reader:
    """Gives every text one score, or fails; a call costs half of what it may."""

    def __init__(self, tier: Tier, score: float | DeskError, price: str = "0") -> None:
        self.tier, self.name = tier, f"a {tier}"
        self.said = score
        self.heard: list[Sequence[Passage]] = []
        self.spent = ZERO
        self._price = Decimal(price)

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """The score, as often as asked."""
        self.heard.append(passages)
        if isinstance(self.said, DeskError):
            raise self.said
        self.spent += self._price * len(passages) / 2
        return [Sentiment(score=self.said, confidence=1.0, tier=self.tier, model=self.name) for _ in passages]

    def price(self) -> Decimal:
        """Of one text."""
        return self._price


class Kit:
    """A store, a clock that is set by hand, and whoever reads."""

    def __init__(self, store: NewsStore) -> None:
        self.store = store
        self.now = NOW
        self.stake = LARGE
        self.corroboration = 1
        """One feed is enough, where a test does not say otherwise."""
        self.readers = {OLLAMA: Reader(OLLAMA, -0.5), DEEPSEEK: Reader(DEEPSEEK, -0.6, "0.01"), CLAUDE: Reader(CLAUDE, -0.7, "0.10")}

    def tell(self, *scores: Scored, text: Callable[[Scored], str] = lambda s: f"Text of {s.article}", marks: tuple[Mark, ...] = ()) -> None:
        """Keep articles with their scores."""
        with self.store.writing() as page:
            page.add([_read(s, text(s), marks) for s in scores])

    def escalator(self, *tiers: Tier, **changed: Any) -> Escalator:  # noqa: ANN401 - settings by name
        """Who climbs to `tiers` (all there are, if none is named), by the shipped settings but for what is `changed`."""
        models: dict[Tier, SentimentModel] = {tier: self.readers[tier] for tier in tiers or self.readers}
        shipped = config.load().news.model_dump()
        settings = NewsSettings.model_validate(shipped | {"escalation": shipped["escalation"] | changed})
        view = StoredNews(self.store, lambda: self.now, scale(corroboration=self.corroboration))
        return Escalator(self.store, view, models, lambda _: self.stake, lambda t: self.readers[t].spent, {AAPL: "Apple"}, settings)

    def look(self, *tiers: Tier, **changed: Any) -> tuple[Escalation, ...]:  # noqa: ANN401 - settings by name
        """Climb once; what is told was kept."""
        made = self.escalator(*tiers, **changed).look(AAPL)
        with self.store.reading() as page:
            assert {e.id for e in made} <= {e.id for e in page.escalations(NOW - 48 * HOUR, self.now)}
        return made


def _read(scored: Scored, text: str, marks: tuple[Mark, ...]) -> ReadArticle:
    article = Article(
        id=scored.article,
        feed=scored.feed,
        publisher="",
        url=f"https://news.example/{scored.article}",
        title="News",
        text=text,
        language="en",
        published_at=scored.known_at,
        received_at=scored.known_at,
        marks=marks,
    )
    return ReadArticle(article, Telling(scored.article, scored.story, b"", frozenset({scored.symbol})), (), (scored,))
