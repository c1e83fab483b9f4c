"""The local models' tools: which there are, how they do, and what they make of a text, for people and for Claude at their side.

Promises that a model's words arrive in the envelope: it may repeat whatever a text told it to say. Refuses runs that decide, since they
read no words of strangers.
"""

from collections.abc import Sequence

from trading_bot.domain.errors import ToolFailedError
from trading_bot.ports import LocalModels, ModelHealth
from trading_bot.tools import queries, queries_news
from trading_bot.tools import results_news as results
from trading_bot.tools.envelope import wrap
from trading_bot.tools.scope import Scope

_PAGE = 20
_LONGEST_NOTE = 150
_LONGEST_ANSWER = 2000
_FOR_PEOPLE = "local models answer a person's session alone: go on without them"
_NONE = "there are no local models: set `ollama.url`, such as http://127.0.0.1:11434, and start desk and session again"


def list_models(scope: Scope, query: queries.Nothing) -> results.ModelsTold:  # noqa: ARG001 - every tool is asked something
    """The configured models, in their order."""
    health = _models(scope).health()
    names = dict.fromkeys(one.model for one in health)
    return results.ModelsTold(as_of=scope.view.now(), models=tuple(_counted(name, health) for name in names))


def _counted(name: str, health: Sequence[ModelHealth]) -> results.ModelTold:
    seats = [one for one in health if one.model == name]
    return results.ModelTold(model=name, servers=len(seats), ready=sum(one.ready for one in seats))


def get_model_health(scope: Scope, query: queries.Page) -> results.HealthTold:
    """A page of models by server."""
    health = _models(scope).health()
    page = health[query.offset : query.offset + _PAGE]
    after = query.offset + len(page)
    return results.HealthTold(
        as_of=scope.view.now(),
        models=tuple(_did(one) for one in page),
        total=len(health),
        next_offset=after if after < len(health) else None,
    )


def _did(one: ModelHealth) -> results.ModelDid:
    return results.ModelDid(
        model=one.model,
        server=one.server,
        ready=one.ready,
        busy=one.busy,
        asked=one.asked,
        failed=one.failed,
        latency_ms=one.latency_ms,
        note=wrap(one.note, _LONGEST_NOTE) if one.note else None,
    )


def classify_text(scope: Scope, query: queries_news.Classify) -> results.Labelled:
    """One of the caller's own labels: the text cannot add any."""
    label, confidence, model = _models(scope).classify(query.text, query.labels, query.model)
    return results.Labelled(as_of=scope.view.now(), label=label, confidence=confidence, model=model)


def summarize(scope: Scope, query: queries_news.Summarize) -> results.Summarized:
    """A few words."""
    summary, model = _models(scope).summarize(query.text, query.words, query.model)
    return results.Summarized(as_of=scope.view.now(), summary=wrap(summary, _LONGEST_ANSWER), model=model)


def ask_local_model(scope: Scope, query: queries_news.AskModel) -> results.Answered:
    """An answer in words."""
    said, model = _models(scope).ask(query.question, query.model)
    return results.Answered(as_of=scope.view.now(), answer=wrap(said, _LONGEST_ANSWER), model=model)


def _models(scope: Scope) -> LocalModels:
    """The models. ToolFailedError where there are none, and for who may not hear them."""
    if not scope.headlines:
        raise ToolFailedError(_FOR_PEOPLE)
    if scope.models is None:
        raise ToolFailedError(_NONE)
    return scope.models
