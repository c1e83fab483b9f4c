"""Local models as readers of news: one judges, and where it is unsure or contradicts a cheaper reader, others vote.

Promises a number in range whatever the text says, a confidence that sinks with the votes against it, and a contradiction that whoever
asks can see (`Vote.apart`). Refuses to answer where no model gave an answer in its form: the tier below does.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from statistics import fmean

from trading_bot.domain.errors import ModelError
from trading_bot.domain.news import Sentiment, Tier
from trading_bot.llm.ollama_pool import OllamaPool
from trading_bot.llm.reading import UNSURE, Judgement, judged
from trading_bot.ports.news import Passage, SentimentModel

_VOTERS = 3
_ALONE = 0.5
"""Of its confidence a model keeps that nobody could second."""


@dataclass(frozen=True)
class Vote:
    """How a judgement came about."""

    sentiment: Sentiment
    answers: tuple[Sentiment, ...]
    """Of each model, in the order in which they were asked."""
    beside: Sentiment | None
    """Of the cheaper reader."""

    @property
    def apart(self) -> float:
        """Distance of the two scores, of all that were told, which contradict each other most; 0 for a lone one."""
        scores = [said.score for said in (*self.answers, self.beside) if said is not None]
        return max(scores) - min(scores)


class OllamaReader:
    """Reads by the models of `pool`. `draw` gives nonces; `disagreement`: distance to `beside` from which on others are asked."""

    tier = Tier.OLLAMA
    name = "ollama"

    def __init__(self, pool: OllamaPool, draw: Callable[[], str], disagreement: float, beside: SentimentModel | None = None) -> None:
        self._pool = pool
        self._draw = draw
        self._disagreement = disagreement
        self._beside = beside

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """One sentiment for each. ModelUnavailableError or BadAnswerError: then the tier below answers for all of them."""
        return [self.vote(passage).sentiment for passage in passages]

    def price(self) -> Decimal:
        """Nothing but time."""
        return Decimal(0)

    def vote(self, passage: Passage) -> Vote:
        """The same for one, with all that was said."""
        beside = self._cheaper(passage)
        answers = [self._read(passage, ())]
        while self._contested(answers, beside) and (more := self._another(passage, answers)) is not None:
            answers.append(more)
        alone = len(answers) == 1 and self._contested(answers, beside)
        return Vote(_merged(answers, _ALONE if alone else 1.0), tuple(answers), beside)

    def _cheaper(self, passage: Passage) -> Sentiment | None:
        try:
            return self._beside.judge([passage])[0] if self._beside else None
        except ModelError:
            return None

    def _contested(self, answers: Sequence[Sentiment], beside: Sentiment | None) -> bool:
        """Whether one more has to be asked."""
        if len(answers) == 1:
            far = beside is not None and abs(answers[0].score - beside.score) >= self._disagreement
            return far or answers[0].confidence < UNSURE
        return len(answers) < _VOTERS and len({_side(said) for said in answers}) > 1

    def _another(self, passage: Passage, answers: Sequence[Sentiment]) -> Sentiment | None:
        try:
            return self._read(passage, {said.model for said in answers})
        except ModelError:
            return None

    def _read(self, passage: Passage, without: Collection[str]) -> Sentiment:
        said, answer = judged(partial(self._pool.ask, without=without), self._draw, passage, Judgement)
        return said.told(Tier.OLLAMA, answer.model)


def _side(said: Sentiment) -> int:
    return (said.score > 0) - (said.score < 0)


def _merged(answers: Sequence[Sentiment], weight: float) -> Sentiment:
    """What most say, as sure as they are, less those who say otherwise; without a majority the middle of all."""
    sides = Counter(_side(said) for said in answers)
    (side, count), *others = sides.most_common()
    tied = bool(others) and others[0][1] == count
    winners = [said for said in answers if tied or _side(said) == side]
    share = weight * count / len(answers)
    return Sentiment(
        score=round(fmean(said.score for said in winners), 4),
        confidence=round(fmean(said.confidence for said in winners) * share, 4),
        tier=Tier.OLLAMA,
        model="+".join(said.model for said in answers),
    )
