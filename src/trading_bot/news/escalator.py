"""Asks better readers about a symbol as far as the rules of `escalation` go, and keeps what they said together with what it changed.

Promises that it climbs a tier at a time and only while its reason still holds after the last answer; that answers and the account of them
are kept in one transaction; and that no model's failure goes further than a note: what the tiers below said stands. Where a tier failed the
next one up is asked; where one is spared (not worth it, capped, no budget) the climb ends. Refuses to show a model what is
quarantined, and to climb for a story that too few feeds tell: what moves nothing is worth nobody's time.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal

from trading_bot.domain.errors import BadAnswerError, BudgetError, ModelError
from trading_bot.domain.news import Article, ArticleId, Escalation, EscalationEnd, Scored, Sentiment, Tier
from trading_bot.domain.values import ZERO, Symbol, derive_id
from trading_bot.news.as_of import StoredNews
from trading_bot.news.escalation import ASKED, RULES, Plan, Rule, Stake, Standing, Wish, due, held, ladder, plan, telling
from trading_bot.news.reading import read, stories
from trading_bot.ports import Passage, SentimentModel
from trading_bot.settings_news import NewsSettings
from trading_bot.storage.news import NewsPage, NewsStore


class Escalator:
    """Climbs for one home.

    `stake`: what hangs on a symbol; `spent`: USD that a tier has ever cost, as its ledger says; `names`: what symbols are called.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it asks, for whom, and of what
        self,
        store: NewsStore,
        view: StoredNews,
        models: Mapping[Tier, SentimentModel],
        stake: Callable[[Symbol], Stake],
        spent: Callable[[Tier], Decimal],
        names: Mapping[Symbol, str],
        settings: NewsSettings,
    ) -> None:
        self._store = store
        self._view = view
        self._models = models
        self._stake = stake
        self._spent = spent
        self._names = names
        self._settings = settings.escalation
        self._ladder = ladder(tuple(models), settings.tiers)

    def look(self, symbol: Symbol) -> tuple[Escalation, ...]:
        """Climb for every reason that holds; return what was asked and what was spared. StorageError where nothing can be kept."""
        standing, made = self.standing(symbol), list[Escalation]()
        for rule in RULES:
            wish = held(rule, standing, self._settings) if due(rule, standing, self._settings) else None
            climbed = [] if wish is None else self._climb(rule, wish, standing)
            standing = self.standing(symbol) if climbed else standing
            made += climbed
            if any(e.end is not EscalationEnd.ANSWERED for e in climbed):
                break  # who failed or was spared is not asked again for the next reason; another look may
        return tuple(made)

    def standing(self, symbol: Symbol) -> Standing:
        """How `symbol` stands now."""
        with self._store.reading() as page:
            return self._standing(page, symbol, self._view.now())

    def _standing(self, page: NewsPage, symbol: Symbol, now: datetime) -> Standing:
        scale = self._view.scale
        scores = self._known(page, symbol, now)
        since = min(datetime.combine(now.astimezone(UTC).date(), time(), UTC), now - scale.window)
        return Standing(
            now=now,
            reading=read(symbol, now, scores, scale),
            scores=tuple(s for s in scores if s.known_at > now - scale.window and not s.quarantined),
            telling=telling(scores, now, scale),
            stake=self._stake(symbol),
            climbed=page.escalations(since, now),
        )

    def _known(self, page: NewsPage, symbol: Symbol, now: datetime) -> list[Scored]:
        """Scores of the stories that enough feeds tell: the others move nothing, and one feed alone shall neither spend money nor time."""
        scale = self._view.scale
        scores = page.scores(symbol, now - scale.window - scale.baseline, now)
        told = {s.id for s in stories(scores, scale.feeds) if s.feeds >= scale.corroboration}
        return [s for s in scores if s.story in told and not s.quarantined]

    def _climb(self, rule: Rule, wish: Wish, standing: Standing) -> list[Escalation]:
        """From tier to tier, while the reason holds and nothing forbids it."""
        made: list[Escalation] = []
        for tier in self._ladder:
            planned = plan(wish, standing, tier, self._models[tier].price(), self._settings)
            if planned is None:
                continue
            made.append(self._done(planned, standing))
            standing = self.standing(wish.symbol)
            if made[-1].end not in ASKED or held(rule, standing, self._settings) is None:
                break
        return made

    def _done(self, planned: Plan, standing: Standing) -> Escalation:
        """Ask, unless the plan says not to, and keep what came of it."""
        if planned.end is not None:
            return self._keep(planned, standing, planned.end, planned.note)
        before = self._spent(planned.tier)
        passages = self._passages(planned)
        try:
            answers = self._asked(planned.tier, list(passages))
        except BudgetError as error:
            return self._keep(planned, standing, EscalationEnd.NO_BUDGET, f"{error}: the tier below decides")
        except ModelError as error:
            cost = max(self._spent(planned.tier) - before, ZERO)
            return self._keep(planned, standing, EscalationEnd.FAILED, f"{error}: what was said below stands", cost)
        said = {article: answer for answer, articles in zip(answers, passages.values(), strict=True) for article in articles}
        return self._answered(planned, standing, said, max(self._spent(planned.tier) - before, ZERO))

    def _passages(self, planned: Plan) -> dict[Passage, list[ArticleId]]:
        """What is to be judged, each text once, with the articles that hold it."""
        symbol, texts = planned.wish.symbol, dict[Passage, list[ArticleId]]()
        for article in self._articles(planned.articles):
            passage = Passage(f"{article.title}. {article.text}".strip(), symbol, self._names.get(symbol, ""))
            texts.setdefault(passage, []).append(article.id)
        return texts

    def _articles(self, wanted: Sequence[ArticleId]) -> list[Article]:
        with self._store.reading() as page:
            found = [page.article(article) for article in wanted]
        return [article for article in found if article is not None and not article.quarantined]

    def _asked(self, tier: Tier, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        answers = self._models[tier].judge(passages)
        if len(answers) != len(passages):
            raise BadAnswerError(f"{self._models[tier].name} gave {len(answers)} answers to {len(passages)} texts")
        return answers

    def _answered(self, planned: Plan, standing: Standing, said: Mapping[ArticleId, Sentiment], cost: Decimal) -> Escalation:
        """Keep the answers. What they changed is measured at one moment: all else that came meanwhile is in both readings."""
        with self._store.writing() as page:
            now, scale, symbol = self._view.now(), self._view.scale, standing.symbol
            known = self._known(page, symbol, now)
            before = read(symbol, now, known, scale)
            page.score(_scored(known, said, now))
            after = read(symbol, now, self._known(page, symbol, now), scale)
            made = _account(planned, standing, EscalationEnd.ANSWERED, "", cost)
            made = made.model_copy(update={"at": now, "before": before.score, "after": after.score})
            page.climbed(made)
        return made

    def _keep(self, planned: Plan, standing: Standing, end: EscalationEnd, note: str, cost: Decimal = ZERO) -> Escalation:
        made = _account(planned, standing, end, note, cost)
        with self._store.writing() as page:
            page.climbed(made)
        return made


def _scored(known: Sequence[Scored], said: Mapping[ArticleId, Sentiment], now: datetime) -> list[Scored]:
    """A better reader's scores of articles that were scored before."""
    earlier = {s.article: s for s in known if s.article in said}
    return [scored.model_copy(update={"scored_at": now, "sentiment": said[article]}) for article, scored in earlier.items()]


def _account(planned: Plan, standing: Standing, end: EscalationEnd, note: str, cost: Decimal) -> Escalation:
    wish = planned.wish
    return Escalation(
        id=_id(planned, standing.now, end),
        at=standing.now,
        symbol=wish.symbol,
        rule=wish.rule,
        detail=wish.detail,
        tier=planned.tier,
        end=end,
        at_risk=standing.stake.at_risk,
        price=planned.price,
        cost=cost,
        before=standing.reading.score,
        after=None,
        articles=planned.articles,
        note=note,
    )


def _id(planned: Plan, now: datetime, end: EscalationEnd) -> str:
    """An answer is the same for the same articles, a failure at the same moment, and what was spared within the same hour."""
    what = {
        EscalationEnd.ANSWERED: " ".join(sorted(planned.articles)),
        EscalationEnd.FAILED: now.isoformat(),
    }.get(end, now.astimezone(UTC).replace(minute=0, second=0, microsecond=0).isoformat())
    return derive_id("escalation", planned.wish.symbol, planned.wish.rule, planned.tier, end, what)
