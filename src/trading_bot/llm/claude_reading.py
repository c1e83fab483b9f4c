"""Claude as a reader of news: one question a passage, through the manager, to a persona that has no tools.

Promises that a stranger's text reaches the model as data between two lines that it cannot contain, and the binary's command line as
nothing that it expands; that all which can come of it is a score, a confidence, or an error; and that each call is budgeted, recorded and
logged as every other. Refuses to let it call anything: no server is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError

from trading_bot.domain.errors import BadAnswerError, BudgetError, ModelError, ModelUnavailableError
from trading_bot.domain.news import Score, Sentiment, Tier
from trading_bot.domain.values import DecisionId, Ratio, Record
from trading_bot.llm.budget import PROVOKED, READING
from trading_bot.llm.calls import Asker, Ending, NoTools, Question, Reply
from trading_bot.llm.claude_manager import reservation
from trading_bot.llm.prompts import EXPANDED
from trading_bot.llm.reading import about, enveloped, fresh, tamed
from trading_bot.ports.news import Passage
from trading_bot.settings import ClaudeSettings

_RUNS = 2
"""The manager asks once more where that can help."""


class Judged(Record):
    """What Claude says of a piece of news."""

    score: Score
    confidence: Ratio


SCHEMA = Judged.model_json_schema()
_ERRORS: Mapping[Ending, type[ModelError]] = {
    Ending.OVER_BUDGET: BudgetError,
    Ending.USAGE_LIMIT: BudgetError,
    **dict.fromkeys((*PROVOKED, Ending.REFUSED), BadAnswerError),
}
"""What an ending is to who asked; every other one: Claude cannot be asked."""


@dataclass(frozen=True)
class ClaudeReader:
    """Reads by `asker`. `new_id` gives ids of decisions and nonces; `now`: the time at which the model is."""

    tier = Tier.CLAUDE
    name = "claude"
    asker: Asker
    settings: ClaudeSettings
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """One sentiment for each. BudgetError, ModelUnavailableError or BadAnswerError: then the tier below answers for all of them."""
        return [self._judged(passage) for passage in passages]

    def price(self) -> Decimal:
        """USD for one passage, at most."""
        return _RUNS * reservation(self.settings, self.settings.models.get(READING, self.settings.model))

    def _judged(self, passage: Passage) -> Sentiment:
        grant = NoTools(DecisionId(f"news-{self.new_id()[:16]}"), self.now())
        reply = self.asker.ask(Question(READING, self._told(passage), SCHEMA, grant))
        if reply.ending is not Ending.ANSWERED:
            raise _error(reply)
        try:
            said = Judged.model_validate(reply.output)
        except ValidationError:
            raise BadAnswerError("claude did not answer as asked: the tier below has to answer") from None
        return Sentiment(score=said.score, confidence=said.confidence, tier=self.tier, model=reply.model)

    def _told(self, passage: Passage) -> str:
        """The command's argument: whom it is judged for, and the text between its two lines."""
        text = tamed(passage.text.translate(EXPANDED))
        return f"for holders of {about(passage).translate(EXPANDED)}\n{enveloped(text, fresh(self.new_id, text))}"


def _error(reply: Reply) -> ModelError:
    kind = _ERRORS.get(reply.ending, ModelUnavailableError)
    return kind(f"claude did not judge ({reply.ending}: {reply.note}): `costs` and the log of calls say more; the tier below has to answer")
