"""The news tools: articles, what they come to for a symbol, where that is unusual, and what prices did after them.

Promises nothing that was not known and scored by the scope's time, and names, titles and publishers in their envelope and only where a
person's session asks: a run that decides reads no words of strangers. Refuses symbols outside the universe: nobody reads for them.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.news import Article, ArticleId, Mention, Reading, Scored
from trading_bot.domain.values import Symbol
from trading_bot.news.horizons import a_day, a_session, an_hour, prices
from trading_bot.news.impact import LEAST_STORIES, ToneImpact, impact
from trading_bot.ports import NewsView
from trading_bot.tools import queries, queries_news
from trading_bot.tools import results_news as results
from trading_bot.tools.envelope import Untrusted, wrap
from trading_bot.tools.scope import Scope

_MENTIONS = 4
_ANOMALIES = 20
_TITLE = 160
_PUBLISHER = 40
_NONE = "nobody reads news here: `news run` starts reading; until then go on without them"
_NO_PRICES = "no bars finer than a day: what prices did after a story cannot be known"
_READING = ("symbol", "confidence", "backed", "backed_confidence", "stories", "feeds", "deviations")

Scores = Mapping[tuple[ArticleId, Symbol], Scored]


def get_news(scope: Scope, query: queries_news.News) -> results.NewsTold:
    """A page of articles, newest first, each with what was made of it."""
    news, since = _news(scope), timedelta(hours=query.hours)
    if query.symbol is not None:
        _in_universe(scope, query.symbol)
    after = query.offset + query.limit
    found = news.articles(query.symbol, since, after + 1)
    page = found[query.offset : after]
    told = [(article, _mentions(scope, article, query.symbol)) for article in page]
    scores = _scores(news, since, {m.symbol for _, mentions in told for m in mentions[:_MENTIONS]})
    return results.NewsTold(
        as_of=scope.view.now(),
        articles=tuple(_article(scope, article, mentions, scores) for article, mentions in told),
        next_offset=after if after < len(found) else None,
    )


def _mentions(scope: Scope, article: Article, first: Symbol | None) -> list[Mention]:
    """Symbols of the universe that an article is about, the one that was asked for first."""
    known = [mention for mention in article.mentions if mention.symbol in scope.universe]
    return sorted(known, key=lambda mention: mention.symbol != first)


def _scores(news: NewsView, since: timedelta, symbols: set[Symbol]) -> Scores:
    return {(scored.article, scored.symbol): scored for symbol in sorted(symbols) for scored in news.scores(symbol, since)}


def _article(scope: Scope, article: Article, mentions: Sequence[Mention], scores: Scores) -> results.ArticleTold:
    shown = mentions[:_MENTIONS]
    read = next((s for m in shown if (s := scores.get((article.id, m.symbol)))), None)
    return results.ArticleTold(
        article=article.id,
        known_at=article.known_at,
        feed=article.feed,
        story=None if read is None or read.story == article.id else read.story,
        novelty=None if read is None else read.novelty,
        mentions=tuple(_mention(mention, scores.get((article.id, mention.symbol))) for mention in shown),
        others=len(mentions) - len(shown),
        quarantined=article.quarantined,
        marks=article.marks,
        publisher=_words(scope, article.publisher, _PUBLISHER),
        title=_words(scope, article.title, _TITLE),
    )


def _mention(mention: Mention, scored: Scored | None) -> results.MentionTold:
    if scored is None:
        return results.MentionTold(symbol=mention.symbol, reason=mention.reason)
    said = scored.sentiment
    return results.MentionTold(
        symbol=mention.symbol, reason=mention.reason, tier=said.tier, sentiment=said.score, confidence=said.confidence
    )


def _words(scope: Scope, text: str, most: int) -> Untrusted | None:
    """Words of a stranger, for a person alone."""
    return wrap(text, most) if scope.headlines else None


def get_sentiment(scope: Scope, query: queries.OfSymbol) -> results.SentimentTold:
    """The reading of one symbol."""
    news = _news(scope)
    _in_universe(scope, query.symbol)
    found = news.reading(query.symbol)
    return results.SentimentTold(
        as_of=scope.view.now(),
        sentiment=found.score,
        articles=found.articles,
        mean=found.mean,
        deviation=found.deviation,
        volatility=found.volatility,
        anomaly=found.anomaly,
        **{name: getattr(found, name) for name in _READING},
    )


def get_sentiment_anomalies(scope: Scope, query: queries.Page) -> results.AnomaliesTold:
    """What is unusual in the universe, largest first."""
    news = _news(scope)
    readings = [news.reading(symbol) for symbol in scope.universe]
    unusual = sorted((r for r in readings if r.anomaly), key=lambda r: (-abs(r.deviations or 0.0), r.symbol))
    silent = sum(not r.stories for r in readings)
    unknown = sum(bool(r.stories) and r.deviations is None for r in readings)
    page = unusual[query.offset : query.offset + _ANOMALIES]
    after = query.offset + len(page)
    return results.AnomaliesTold(
        as_of=scope.view.now(),
        anomalies=tuple(_anomaly(found) for found in page),
        total=len(unusual),
        calm=len(readings) - len(unusual) - silent - unknown,
        silent=silent,
        unknown=unknown,
        next_offset=after if after < len(unusual) else None,
    )


def _anomaly(found: Reading) -> results.Anomaly:
    return results.Anomaly(sentiment=found.score, **{name: getattr(found, name) for name in _READING})


def get_news_impact(scope: Scope, query: queries_news.Impact) -> results.ImpactTold:
    """What the price did after stories of each tone."""
    news, now, since = _news(scope), scope.view.now(), timedelta(days=query.days)
    _in_universe(scope, query.symbol)
    price = prices(scope.view, query.symbol, now - since)
    horizons = {"hour": an_hour, "session": a_session(scope.calendar), "day": a_day}
    found = impact(query.symbol, now, news.scores(query.symbol, since), news.weights(), price, horizons)
    return results.ImpactTold(
        as_of=now,
        symbol=query.symbol,
        stories=len(found.stories),
        needed=LEAST_STORIES,
        followed=tuple(_followed(one) for one in found.tones if one.stories),
        note=_NO_PRICES if price is None else None,
    )


def _followed(found: ToneImpact) -> results.Followed:
    return results.Followed(
        tone=found.tone,
        horizon=found.horizon,
        stories=found.stories,
        mean_percent=None if found.mean is None else 100 * found.mean,
        rose_percent=None if found.rose is None else 100 * found.rose,
    )


def _news(scope: Scope) -> NewsView:
    """The news as of the scope's time. ToolFailedError where there are none."""
    if scope.news is None:
        raise ToolFailedError(_NONE)
    return scope.news.frozen(scope.view.now())


def _in_universe(scope: Scope, symbol: Symbol) -> None:
    if symbol not in scope.universe:
        raise ToolFailedError(f"{symbol} is not in the universe, so nobody reads news about it: ask for another, or go on without")
