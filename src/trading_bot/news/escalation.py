"""When a symbol's news climb to a better reader: rules as a table, and what it may cost.

Promises that every rule tells its actual value and its threshold, and that a tier is asked only for what neither it nor a better one has
read, only within its calls of a day, and only while a set share of the money at risk exceeds the price; what costs nothing always is
worth it. Refuses to send up what is quarantined.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest

from trading_bot.domain.news import ArticleId, Escalation, EscalationEnd, EscalationRule, Reading, Scored, Sentiment, Tier
from trading_bot.domain.values import ZERO, NonNegative, Record, Symbol, divided
from trading_bot.news.reading import Scale, decay, stories
from trading_bot.settings_news import EscalationSettings

MOST_ARTICLES = 8
"""One question holds so many, the most telling."""
ASKED = frozenset({EscalationEnd.ANSWERED, EscalationEnd.FAILED})
"""Ends of what was asked; the others were spared."""
_CLIMB = (Tier.OLLAMA, Tier.DEEPSEEK, Tier.CLAUDE)
_RANK = {tier: rank for rank, tier in enumerate(Tier)}


class Stake(Record):
    """What hangs on a symbol now; all of it is the desk's own."""

    position: NonNegative = ZERO
    """Value of what is held."""
    equity: NonNegative = ZERO
    at_risk: NonNegative = ZERO
    """Money that a wrong decision in the symbol may cost."""
    strategies: Mapping[str, int] = {}
    """Strategies that trade it, with their closed trades."""
    limits: Mapping[str, NonNegative] = {}
    """Share of each limit that is used."""


@dataclass(frozen=True)
class Standing:
    """How a symbol stands at a moment."""

    now: datetime
    reading: Reading
    scores: tuple[Scored, ...]
    """Of every tier, of stories within the window that may move something, oldest first."""
    telling: tuple[ArticleId, ...]
    """The articles that move the reading most, most telling first."""
    stake: Stake
    climbed: tuple[Escalation, ...] = ()
    """Of any symbol, as long as a story counts and at least since the day began."""

    @property
    def symbol(self) -> Symbol:
        """What it is about."""
        return self.reading.symbol

    def read_by(self, article: ArticleId) -> Tier:
        """The best tier that read an article."""
        return max((s.sentiment.tier for s in self.scores if s.article == article), key=_RANK.__getitem__, default=Tier.LEXICON)

    def last(self, rule: EscalationRule, ends: Collection[EscalationEnd]) -> datetime | None:
        """When the symbol last climbed for this reason to one of these ends."""
        return max((e.at for e in self.climbed if e.symbol == self.symbol and e.rule is rule and e.end in ends), default=None)


@dataclass(frozen=True)
class Wish:
    """A reason to climb, and what should be read."""

    symbol: Symbol
    rule: EscalationRule
    detail: str
    articles: tuple[ArticleId, ...]


@dataclass(frozen=True)
class Plan:
    """A tier that a wish may climb to; with an end it does not, and `note` says why."""

    wish: Wish
    tier: Tier
    articles: tuple[ArticleId, ...]
    """What the tier has yet to read."""
    price: Decimal
    end: EscalationEnd | None = None
    note: str = ""


Holds = tuple[str, tuple[ArticleId, ...]]
"""The actual value and the threshold in words, and the articles that it is about."""


def _anomaly(standing: Standing, settings: EscalationSettings) -> Holds | None:
    away = standing.reading.deviations
    if away is None or abs(away) < settings.deviations:
        return None
    return f"sentiment lies {away:+.1f} deviations from its mean; {settings.deviations:g} are the bound", standing.telling


def _large_position(standing: Standing, settings: EscalationSettings) -> Holds | None:
    stake = standing.stake
    if not stake.equity or stake.position < settings.position * stake.equity:
        return None
    share = divided(stake.position, stake.equity)
    return f"the position is {share:.1%} of equity; {settings.position:.1%} is the bound", standing.telling


def _new_strategy(standing: Standing, settings: EscalationSettings) -> Holds | None:
    if not standing.stake.strategies:
        return None
    name, trades = min(standing.stake.strategies.items(), key=lambda item: (item[1], item[0]))
    if trades >= settings.new_strategy_trades:
        return None
    return f"{name} has {trades} closed trades; it is new below {settings.new_strategy_trades}", standing.telling


def _limit_near(standing: Standing, settings: EscalationSettings) -> Holds | None:
    if not standing.stake.limits:
        return None
    name, used = max(standing.stake.limits.items(), key=lambda item: (item[1], item[0]))
    if used < settings.limit_near:
        return None
    return f"{used:.0%} of {name} is used; from {settings.limit_near:.0%} on it is near", standing.telling


def _disagreement(standing: Standing, settings: EscalationSettings) -> Holds | None:
    """The two best tiers that had an opinion: what a better one settled is settled, whatever the lexicon says."""
    said: dict[ArticleId, list[Sentiment]] = {}
    for scored in sorted(standing.scores, key=lambda s: _RANK[s.sentiment.tier]):
        if scored.sentiment.confidence:
            said.setdefault(scored.article, []).append(scored.sentiment)
    pairs = {article: (heard[-2], heard[-1]) for article, heard in said.items() if len(heard) > 1}
    apart = {article: abs(above.score - below.score) for article, (below, above) in pairs.items()}
    contested = sorted((a for a in apart if apart[a] >= settings.disagreement), key=lambda a: (-apart[a], a))
    if not contested:
        return None
    below, above = pairs[contested[0]]
    both = f"{below.tier} says {below.score:+.2f} and {above.tier} {above.score:+.2f}, {apart[contested[0]]:.2f} apart"
    return f"{both}; {settings.disagreement:.2f} is the bound", tuple(contested[:MOST_ARTICLES])


@dataclass(frozen=True)
class Rule:
    """One reason to climb."""

    name: EscalationRule
    holds: Callable[[Standing, EscalationSettings], Holds | None]
    lasts: bool
    """It holds for long by itself: only news since the last answer make it one again."""


RULES = (
    Rule(EscalationRule.ANOMALY, _anomaly, lasts=False),
    Rule(EscalationRule.LARGE_POSITION, _large_position, lasts=True),
    Rule(EscalationRule.NEW_STRATEGY, _new_strategy, lasts=True),
    Rule(EscalationRule.LIMIT_NEAR, _limit_near, lasts=True),
    Rule(EscalationRule.DISAGREEMENT, _disagreement, lasts=False),
)


def telling(scores: Sequence[Scored], now: datetime, scale: Scale) -> tuple[ArticleId, ...]:
    """Articles of the stories within the window that move the reading most: one of each, newest first, then another feed's of each."""
    fresh = [s for s in stories(scores, scale.feeds) if s.since > now - scale.window]
    weight = {s.id: s.weight * decay(now - s.since, scale.half_life) for s in fresh}
    pull = {s.id: abs(s.score) * weight[s.id] for s in fresh}
    queues: dict[ArticleId, dict[str, ArticleId]] = {s.id: {} for s in sorted(fresh, key=lambda s: (-pull[s.id], -weight[s.id], s.id))}
    for scored in sorted(scores, key=lambda s: (s.known_at, s.article), reverse=True):
        if scored.story in queues and not scored.quarantined:
            queues[scored.story].setdefault(scored.feed, scored.article)
    rounds = zip_longest(*(queue.values() for queue in queues.values()))
    return tuple(article for told in rounds for article in told if article is not None)[:MOST_ARTICLES]


def held(rule: Rule, standing: Standing, settings: EscalationSettings) -> Wish | None:
    """The wish of a rule that holds, and that there is something to read for."""
    found = rule.holds(standing, settings)
    return Wish(standing.symbol, rule.name, *found) if found is not None and found[1] else None


def due(rule: Rule, standing: Standing, settings: EscalationSettings) -> bool:
    """Whether the symbol may climb for this reason again."""
    asked, answered = standing.last(rule.name, ASKED), standing.last(rule.name, {EscalationEnd.ANSWERED})
    if asked is not None and standing.now - asked < timedelta(minutes=settings.pause_minutes):
        return False
    return answered is None or not rule.lasts or any(s.known_at > answered for s in standing.scores)


def wishes(standing: Standing, settings: EscalationSettings) -> tuple[Wish, ...]:
    """Every reason to climb now, in the order of the table."""
    found = (held(rule, standing, settings) for rule in RULES if due(rule, standing, settings))
    return tuple(wish for wish in found if wish is not None)


def ladder(there: Sequence[Tier], allowed: Sequence[Tier]) -> tuple[Tier, ...]:
    """The tiers that may be climbed to, cheapest first: those that are there, as far as the configuration names them."""
    return tuple(tier for tier in _CLIMB if tier in there and tier in allowed)


def plan(wish: Wish, standing: Standing, tier: Tier, price: Decimal, settings: EscalationSettings) -> Plan | None:
    """What asking `tier` comes to, at `price` for each article; None where it has nothing left to read."""
    unread = tuple(a for a in wish.articles if _RANK[standing.read_by(a)] < _RANK[tier])
    if not unread:
        return None
    cost, worth = price * len(unread), settings.worth * standing.stake.at_risk
    if cost and worth <= cost:
        note = f"{settings.worth:.2%} of the {standing.stake.at_risk:.2f} at risk is {worth:.4f} USD; the call may cost {cost:.4f}"
        return Plan(wish, tier, unread, cost, EscalationEnd.NOT_WORTH_IT, f"{note}: the tier below decides")
    calls, most = calls_today(standing, tier), settings.per_day.get(tier)
    if most is not None and calls >= most:
        return Plan(wish, tier, unread, cost, EscalationEnd.CAPPED, f"{calls} of {most} calls of the day were made: the tier below decides")
    return Plan(wish, tier, unread, cost)


def calls_today(standing: Standing, tier: Tier) -> int:
    """How often a tier was asked on this UTC day, of any symbol."""
    day = standing.now.astimezone(UTC).date()
    return sum(1 for e in standing.climbed if e.tier is tier and e.end in ASKED and e.at.date() == day)
