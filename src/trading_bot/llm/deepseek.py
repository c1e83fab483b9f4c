"""DeepSeek as a reader of news, by its OpenAI-compatible API and the `openai` library.

Promises that no call is made without its whole possible cost reserved; that it is settled at the list price of the tokens that were
reported, or at its reservation where nobody can know; that an exchange has one deadline and a largest size; and that the key stands in
the request's header and nowhere else. Refuses the library's own retries, proxies, redirects, tools, and thoughts: where a case is hard the
model may reason inside its form, and that is dropped.
"""

import json
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, cast

from trading_bot.domain.errors import ModelError, ModelUnavailableError
from trading_bot.domain.news import Sentiment, Tier
from trading_bot.llm.budget import READING, Budget, Usage
from trading_bot.llm.calls import Ending
from trading_bot.llm.ollama_server import PROMPT_BYTES, Answer, Question
from trading_bot.llm.prices import Tokens, cost, maximal_turn
from trading_bot.llm.reading import UNSURE, Judgement, judged
from trading_bot.network.deadline import Deadline
from trading_bot.ports.news import Passage
from trading_bot.settings_news import DeepSeekSettings

if TYPE_CHECKING:
    import httpx
    import openai

KEY = "DEEPSEEK_API_KEY"
"""The variable that holds the key, in this process alone."""
_MOST_CALLS = 4
"""For one passage: a question and its repair, and for a hard case both once more."""
_TEMPLATE = 256
"""Tokens that the vendor puts around a question."""
_BYTES = 1024
"""Of an answer, for each token."""
_MOST_TOKENS = 10**9
_HEADERS = frozenset({"host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length", "authorization"})
"""What is sent; an environment made for OpenAI would add its own."""
_REMEDIES = {
    400: "DeepSeek did not accept the question: look at deepseek.model and deepseek.max_tokens",
    401: f"DeepSeek does not take the key: put a valid one into {KEY}",
    402: "the DeepSeek account is empty: top it up, or take deepseek out of news.tiers",
    404: "DeepSeek does not know that: look at deepseek.url and deepseek.model",
    422: "DeepSeek did not accept the question: look at deepseek.model and deepseek.max_tokens",
    429: "DeepSeek is asked too often: wait, or lower news.escalation.per_day",
}
"""By status; the vendor's own words, which may repeat the key, are not told."""
_NOT_PAID = frozenset({401, 402})


class Reasoned(Judgement):
    """The form of a hard case."""

    reasoning: str = ""
    """Read by nobody."""


@dataclass(frozen=True)
class _Heard:
    """An answer."""

    text: str
    usage: Usage | None
    """None where the report cannot be believed."""


@dataclass(frozen=True)
class _Failed:
    """No answer."""

    ending: Ending
    free: bool
    """Whether nothing can have been charged."""
    message: str


@dataclass(frozen=True)
class DeepSeekReader:
    """Reads at the vendor's price. `new_id` gives ids of calls and nonces, `steady` counts seconds."""

    tier = Tier.DEEPSEEK
    name = "deepseek"
    settings: DeepSeekSettings
    key: str = field(repr=False)
    budget: Budget
    new_id: Callable[[], str]
    steady: Callable[[], float]

    def __post_init__(self) -> None:
        if not self.key.strip():
            raise ModelUnavailableError(f"there is no key for DeepSeek: export {KEY}, or take deepseek out of news.tiers")

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """One sentiment for each. BudgetError, ModelUnavailableError or BadAnswerError: then the tier below answers for all of them."""
        return [self._judged(passage) for passage in passages]

    def price(self) -> Decimal:
        """USD for one passage, at most."""
        return _MOST_CALLS * self._most

    @cached_property
    def _most(self) -> Decimal:
        """USD that one call may cost: what is configured, or what its tokens cost by the list where that is more."""
        return max(self.settings.usd_per_call, maximal_turn(self.settings.model, PROMPT_BYTES + _TEMPLATE, self.settings.max_tokens))

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _judged(self, passage: Passage) -> Sentiment:
        said: Judgement = judged(self._ask, self.new_id, passage, Judgement)[0]
        if said.confidence < UNSURE:
            with suppress(ModelError):  # then the unsure word stands
                said = judged(self._ask, self.new_id, passage, Reasoned, "sentiment_hard")[0]
        return said.told(self.tier, self.settings.model)

    def _ask(self, question: Question, _model: str | None) -> Answer:
        """One call: reserved, made, settled."""
        call, model = self.new_id(), self.settings.model
        self.budget.reserve(call, decision_id=call, workflow=READING, model=model, amount=self._most)
        found = self._exchange(question)
        if isinstance(found, _Failed):
            self._give_up(call, found)
        ending = Ending.ANSWERED if _is_object(found.text) else Ending.UNPARSEABLE
        if found.usage is None:
            self.budget.forfeit(call, ending)
        else:
            self.budget.settle(call, found.usage, ending)
        return Answer(found.text, model, self.settings.url)

    def _give_up(self, call: str, failed: _Failed) -> NoReturn:
        if failed.free:
            self.budget.settle(call, Usage(), failed.ending)
        else:
            self.budget.forfeit(call, failed.ending)
        raise ModelUnavailableError(failed.message)

    def _exchange(self, question: Question) -> _Heard | _Failed:
        import httpx  # noqa: PLC0415 - heavy, and nobody needs it who has no key
        import openai  # noqa: PLC0415 - the same

        from trading_bot.network.bounded_http import BoundedTransport  # noqa: PLC0415 - the same

        whole = Deadline(self.steady, self.settings.total_seconds)
        transport = BoundedTransport(whole.left, _BYTES * (64 + self.settings.max_tokens), self._context)
        never_sent = (httpx.ConnectError, httpx.ConnectTimeout)
        hooks = {"request": [_ours_alone]}
        try:
            with httpx.Client(transport=transport, trust_env=False, follow_redirects=False, event_hooks=hooks) as http:
                return _heard(self._created(openai, http, question), self.settings.model)
        except openai.APIStatusError as error:
            return _refused(error.status_code)
        except openai.APIConnectionError as error:
            free = isinstance(error.__cause__, never_sent)
            return self._silent(free=free) if free or isinstance(error, openai.APITimeoutError) else self._broken()
        except (openai.OpenAIError, httpx.HTTPError, OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
            return self._broken()  # what is no DeepSeek's answer fails in its client in many ways

    def _created(self, library: Any, http: "httpx.Client", question: Question) -> Any:  # noqa: ANN401 - the library, and what it parsed
        client: openai.OpenAI = library.OpenAI(
            api_key=self.key.strip(),
            base_url=self.settings.url,
            max_retries=0,
            timeout=self.settings.total_seconds,
            http_client=cast("Any", http),
        )
        return client.chat.completions.create(
            model=self.settings.model,
            messages=[{"role": "system", "content": question.system}, {"role": "user", "content": question.text}],
            response_format={"type": "json_object"},
            max_tokens=self.settings.max_tokens,
            temperature=0,
            extra_body={"thinking": {"type": "disabled"}},
        )

    def _silent(self, *, free: bool) -> _Failed:
        what = "cannot be reached: look at deepseek.url" if free else "was not done in time: raise deepseek.total_seconds"
        return _Failed(Ending.SILENT, free, f"{self.settings.url} {what}, or let the tier below answer")

    def _broken(self) -> _Failed:
        return _Failed(Ending.API_ERROR, free=False, message=f"{self.settings.url} broke off, or is no DeepSeek: look at deepseek.url")


def _refused(status: int) -> _Failed:
    told = _REMEDIES.get(status, f"DeepSeek has a fault of its own (HTTP {status}): wait, and let the tier below answer")
    return _Failed(Ending.NO_LOGIN if status in _NOT_PAID else Ending.API_ERROR, free=True, message=told)


def _heard(found: Any, model: str) -> _Heard:  # noqa: ANN401 - whatever the server sent, parsed
    """What was said, and what it cost."""
    return _Heard(str(found.choices[0].message.content or ""), _usage(found.usage, model))


def _usage(told: Any, model: str) -> Usage | None:  # noqa: ANN401 - the same
    """Tokens at list price; what was read from the vendor's cache is cheaper."""
    read, written = (_count(getattr(told, name, None)) for name in ("prompt_tokens", "completion_tokens"))
    if not read or not written:
        return None
    cached = min(_count(getattr(told, "prompt_cache_hit_tokens", None)), read)
    tokens = Tokens(input=read - cached, output=written, cache_read=cached)
    return Usage(cost_usd=cost(model, tokens), tokens=tokens, turns=1)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else 0


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _ours_alone(request: "httpx.Request") -> None:
    for name in set(request.headers) - _HEADERS:
        del request.headers[name]
