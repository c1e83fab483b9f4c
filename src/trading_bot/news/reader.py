"""From raw articles to scored ones: clean, find out what each is about, which story it tells, and what it is worth; then keep all at once.

Promises that an article which was read before is not read again, that stories are told apart under the store's own lock, and that an
article is scored by the best tier that answers, at worst by the lexicon. Refuses to be stopped by one article that cannot be read: it
says which and why, and goes on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_bot.domain.errors import ModelError
from trading_bot.domain.news import Article, ArticleId, RawArticle, Scored, Sentiment
from trading_bot.domain.values import Symbol
from trading_bot.news.article import Reader, UnreadableError
from trading_bot.news.stories import Signature, bands, is_same_story, novelty, signature, similarity
from trading_bot.ports import Passage, SentimentModel
from trading_bot.storage.news import NewsPage, NewsStore, ReadArticle, Telling

Sentiments = tuple[Sentiment, ...]


@dataclass(frozen=True)
class Judged:
    """One article with what it is about and how it sounds, before its story is known."""

    article: Article
    signature: Signature
    sentiments: Mapping[Symbol, Sentiments]
    """By every tier that has read it."""


class NewsReader:
    """Reads batches of raw articles into a store. `models`: cheapest first; the first one never fails."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it reads with
        self,
        store: NewsStore,
        reader: Reader,
        models: Sequence[SentimentModel],
        now: Callable[[], datetime],
        window: timedelta,
        names: Mapping[Symbol, str],
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._reader = reader
        self._models = tuple(models)
        self._now = now
        self._window = window
        self._names = names
        self._tell = tell

    def read(self, raws: Sequence[RawArticle]) -> tuple[ReadArticle, ...]:
        """Read a batch and return what was new in it. StorageError: nothing of it was kept, and it may be read again."""
        articles = list({a.id: a for a in (self._article(raw) for raw in raws) if a is not None}.values())
        with self._store.reading() as page:
            known = page.known([a.id for a in articles])
        fresh = self._judged([a for a in articles if a.id not in known])
        if not fresh:
            return ()
        with self._store.writing() as page:
            told = self._told(page, fresh)
            page.add(told)
        return tuple(told)

    def _article(self, raw: RawArticle) -> Article | None:
        try:
            return self._reader.read(raw)
        except UnreadableError as error:
            self._tell(f"{raw.feed}: {error}")
            return None

    def _judged(self, articles: Sequence[Article]) -> list[Judged]:
        about = {a.id: [self._passage(a, m.symbol) for m in a.mentions] for a in articles}
        told = self._sentiments([(passage, a.quarantined) for a in articles for passage in about[a.id]])
        found = {a.id: {p.symbol: next(told) for p in about[a.id] if p.symbol is not None} for a in articles}
        return [Judged(a, signature(a.title, a.text), found[a.id]) for a in articles]

    def _passage(self, article: Article, symbol: Symbol) -> Passage:
        return Passage(f"{article.title}. {article.text}".strip(), symbol, self._names.get(symbol, ""))

    def _sentiments(self, wanted: Sequence[tuple[Passage, bool]]) -> Iterator[Sentiments]:
        """Every tier's word on each passage; what is quarantined is shown to no model that could be talked to."""
        first, *others = self._models
        told = [[said] for said in first.judge([passage for passage, _ in wanted])] if wanted else []
        for (passage, quarantined), words in zip(wanted, told, strict=True):
            asked = (self._asked(model, passage) for model in others if not quarantined)
            words += [said for said in asked if said is not None]
        return iter([tuple(words) for words in told])

    def _asked(self, model: SentimentModel, passage: Passage) -> Sentiment | None:
        """One word of one model; None if it has none, which costs no other passage its answer."""
        try:
            return model.judge([passage])[0]
        except ModelError as error:
            self._tell(f"{model.name}: {error}; the tier below answers")
            return None

    def _told(self, page: NewsPage, fresh: Sequence[Judged]) -> list[ReadArticle]:
        """Each article with its story: that of the most similar telling within the window, or its own."""
        oldest = min(j.article.known_at for j in fresh) - self._window
        known = page.tellings({b for j in fresh for b in bands(j.signature)}, oldest)
        told: list[ReadArticle] = []
        for judged in sorted(fresh, key=lambda j: (j.article.known_at, j.article.id)):
            read = self._assigned(judged, known)
            for band in read.bands:
                known.setdefault(band, []).append(read.telling)
            told.append(read)
        return told

    def _assigned(self, judged: Judged, known: Mapping[int, Sequence[Telling]]) -> ReadArticle:
        article = judged.article
        own = () if article.quarantined else bands(judged.signature)  # what moves nothing joins no stories either
        about = frozenset(str(symbol) for symbol in judged.sentiments)
        near = {t.article: t for band in own for t in known.get(band, ()) if about & t.symbols or not (about and t.symbols)}
        told = [(Signature.unpack(t.signature), t.story) for t in near.values()]
        same = [(similarity(judged.signature, other), story) for other, story in told if is_same_story(judged.signature, other)]
        story = max(same)[1] if same else article.id
        new = novelty(judged.signature, [other for other, _ in told])
        told_by = [(symbol, said) for symbol, words in judged.sentiments.items() for said in words]
        scored = tuple(self._scored(article, symbol, said, (story, new)) for symbol, said in told_by)
        return ReadArticle(article, Telling(article.id, story, judged.signature.pack(), about), own, scored)

    def _scored(self, article: Article, symbol: Symbol, sentiment: Sentiment, telling: tuple[ArticleId, float]) -> Scored:
        story, new = telling
        return Scored(
            article=article.id,
            symbol=symbol,
            story=story,
            feed=article.feed,
            known_at=article.known_at,
            told_at=min(article.published_at, article.known_at),
            origin=article.url,
            scored_at=max(article.known_at, self._now()),
            novelty=new,
            sentiment=sentiment,
            quarantined=article.quarantined,
        )
