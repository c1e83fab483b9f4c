"""Who climbs to a better reader, as far as it is worth it; over a real store, with readers that say what they are told to."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from news.climbing import ANSWERED, CLAUDE, DEEPSEEK, FAILED, HOUR, LARGE, OLLAMA, Kit, Reader
from news.readings import AAPL, NOW, scale, scored
from trading_bot import config
from trading_bot.domain.errors import BudgetSpentError, ModelUnavailableError
from trading_bot.domain.news import ArticleId, Escalation, EscalationEnd, EscalationRule, Mark, Sentiment, Tier
from trading_bot.domain.values import ZERO
from trading_bot.news.as_of import StoredNews
from trading_bot.news.escalation import MOST_ARTICLES, Stake
from trading_bot.news.escalator import Escalator
from trading_bot.ports import Passage, SentimentModel
from trading_bot.settings_news import NewsSettings
from trading_bot.storage.news import NewsStore


def climbed(made: Sequence[Escalation]) -> list[tuple[EscalationRule, Tier, EscalationEnd]]:
    """What climbed where, and to what end."""
    return [(e.rule, e.tier, e.end) for e in made]


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    """An empty store."""
    with NewsStore.open(tmp_path / "news.db") as store:
        yield Kit(store)


def test_nothing_climbs_without_a_reason_or_without_news(kit: Kit) -> None:
    """A large position alone is none; nor is a story alone."""
    assert kit.look() == ()
    kit.tell(scored("a", 0.5))
    kit.stake = Stake(position=Decimal(4999), equity=Decimal(100_000), at_risk=Decimal(5000))
    assert kit.look() == ()
    assert all(not reader.heard for reader in kit.readers.values())


def test_news_of_a_large_position_climb_and_what_that_changed_is_kept(kit: Kit) -> None:
    """The whole account of one step, and the reading that it left behind."""
    kit.tell(scored("a", 0.5, ago=HOUR))
    (made,) = kit.look(DEEPSEEK)
    assert made == Escalation(
        id=made.id,
        at=NOW,
        symbol=AAPL,
        rule=EscalationRule.LARGE_POSITION,
        detail="the position is 6.0% of equity; 5.0% is the bound",
        tier=DEEPSEEK,
        end=ANSWERED,
        at_risk=Decimal(5000),
        price=Decimal("0.01"),
        cost=Decimal("0.005"),
        before=0.5,
        after=-0.6,
        articles=(ArticleId("a"),),
    )
    assert kit.readers[DEEPSEEK].heard == [[Passage("News. Text of a", AAPL, "Apple")]]
    assert StoredNews(kit.store, lambda: NOW, scale()).reading(AAPL).score == -0.6


def test_it_climbs_to_the_top_while_its_reason_holds(kit: Kit) -> None:
    """Tier by tier, cheapest first; then nobody has anything left to read."""
    kit.tell(scored("a", 0.5))
    made = kit.look()
    rule = EscalationRule.LARGE_POSITION
    assert climbed(made) == [(rule, OLLAMA, ANSWERED), (rule, DEEPSEEK, ANSWERED), (rule, CLAUDE, ANSWERED)]
    assert [(e.before, e.after) for e in made] == [(0.5, -0.5), (-0.5, -0.6), (-0.6, -0.7)]
    assert kit.look(pause_minutes=0) == ()


def test_a_contradiction_ends_where_a_better_reader_settles_it(kit: Kit) -> None:
    """The lexicon is cheered, a local model is not, and DeepSeek sides with the model: Claude is not asked."""
    kit.stake = Stake(at_risk=Decimal(5000))
    kit.tell(scored("a", 0.6))
    assert kit.look() == ()
    with kit.store.writing() as page:
        page.score([scored("a", -0.5, tier=OLLAMA)])
    (made,) = kit.look()
    assert climbed([made]) == [(EscalationRule.DISAGREEMENT, DEEPSEEK, ANSWERED)]
    assert made.detail == "lexicon says +0.60 and ollama -0.50, 1.10 apart; 1.00 is the bound"


def test_a_reader_without_an_opinion_contradicts_nobody(kit: Kit) -> None:
    """A lexicon that found no word of its own is no second voice."""
    kit.stake = Stake(at_risk=Decimal(5000))
    kit.tell(scored("a", 0.0, confidence=0.0))
    with kit.store.writing() as page:
        page.score([scored("a", -1.0, tier=OLLAMA)])
    assert kit.look() == ()


def test_an_anomaly_climbs_with_its_value_and_its_bound(kit: Kit) -> None:
    """Forty calm hours, and then a shock; once a better reader finds it calm too, it goes no higher."""
    kit.stake = Stake(at_risk=Decimal(5000))
    kit.tell(*(scored(f"calm{n}", 0.1 if n % 2 else -0.1, ago=(48 + n) * HOUR) for n in range(60)))
    kit.tell(scored("now", 0.9))
    kit.readers[OLLAMA].said = 0.0
    (made,) = kit.look()
    assert climbed([made]) == [(EscalationRule.ANOMALY, OLLAMA, ANSWERED)]
    assert made.detail.startswith("sentiment lies +")
    assert made.detail.endswith(" deviations from its mean; 3 are the bound")
    assert (made.before, made.after) == (0.9, 0.0)


@pytest.mark.parametrize(
    ("stake", "rule", "detail"),
    [
        (
            Stake(strategies={"old": 20, "young": 19}),
            EscalationRule.NEW_STRATEGY,
            "young has 19 closed trades; it is new below 20",
        ),
        (
            Stake(limits={"daily_loss": Decimal("0.8"), "sector": Decimal("0.5")}),
            EscalationRule.LIMIT_NEAR,
            "80% of daily_loss is used; from 80% on it is near",
        ),
    ],
)
def test_new_strategies_and_near_limits_climb(kit: Kit, stake: Stake, rule: EscalationRule, detail: str) -> None:
    """What costs nothing is worth it even where nothing is at risk; what costs is not."""
    kit.stake = stake
    kit.tell(scored("a", 0.5))
    free, dear = kit.look()
    assert climbed([free, dear]) == [(rule, OLLAMA, ANSWERED), (rule, DEEPSEEK, EscalationEnd.NOT_WORTH_IT)]
    assert (free.detail, dear.detail) == (detail, detail)


@pytest.mark.parametrize("stake", [Stake(strategies={"old": 20}), Stake(limits={"daily_loss": Decimal("0.79")}), Stake()])
def test_old_strategies_and_limits_far_away_do_not_climb(kit: Kit, stake: Stake) -> None:
    """One trade more, one percent less."""
    kit.stake = stake
    kit.tell(scored("a", 0.5))
    assert kit.look() == ()


def test_it_climbs_only_as_far_as_the_money_at_risk_justifies(kit: Kit) -> None:
    """A thousandth of 50 USD is above a cent and below ten."""
    kit.stake = LARGE.model_copy(update={"at_risk": Decimal(50)})
    kit.tell(scored("a", 0.5))
    *_, last = made = kit.look()
    assert [(e.tier, e.end) for e in made] == [(OLLAMA, ANSWERED), (DEEPSEEK, ANSWERED), (CLAUDE, EscalationEnd.NOT_WORTH_IT)]
    assert last.note == "0.10% of the 50.00 at risk is 0.0500 USD; the call may cost 0.1000: the tier below decides"
    assert (last.price, last.cost, last.before, last.after) == (Decimal("0.10"), ZERO, -0.6, None)
    assert not kit.readers[CLAUDE].heard


def test_a_tier_is_asked_so_often_a_day_and_again_on_the_next(kit: Kit) -> None:
    """By UTC; then the tier below decides."""
    found: list[Escalation] = []
    for hours in (0, 2, 4, 10):
        kit.now = NOW + hours * HOUR
        kit.tell(scored(f"a{hours}", 0.5, ago=-hours * HOUR))
        found += kit.look(DEEPSEEK, per_day={DEEPSEEK: 2})
    assert [e.end for e in found] == [ANSWERED, ANSWERED, EscalationEnd.CAPPED, ANSWERED]
    assert found[2].note == "2 of 2 calls of the day were made: the tier below decides"


def test_a_symbol_rests_between_two_climbs_for_one_reason_and_then_needs_news(kit: Kit) -> None:
    """An hour, by the shipped settings."""
    kit.tell(scored("a", -0.5))
    assert len(kit.look(OLLAMA)) == 1
    kit.now = NOW + timedelta(minutes=59)
    kit.tell(scored("b", -0.5, ago=-timedelta(minutes=30)))
    assert kit.look(OLLAMA) == ()
    kit.now = NOW + HOUR
    (again,) = kit.look(OLLAMA)
    assert again.articles == (ArticleId("b"),)
    kit.now = NOW + 3 * HOUR
    assert kit.look() == ()


def test_where_a_model_fails_the_next_one_is_asked_and_where_money_is_spent_nobody(kit: Kit) -> None:
    """What was said below stands; nothing is raised."""
    kit.readers[OLLAMA].said = ModelUnavailableError("it is out of memory")
    kit.readers[CLAUDE].said = BudgetSpentError("5 of 5 USD are spent")
    kit.tell(scored("a", 0.5))
    made = kit.look()
    assert [(e.tier, e.end, e.note) for e in made] == [
        (OLLAMA, FAILED, "it is out of memory: what was said below stands"),
        (DEEPSEEK, ANSWERED, ""),
        (CLAUDE, EscalationEnd.NO_BUDGET, "5 of 5 USD are spent: the tier below decides"),
    ]
    assert [e.after for e in made] == [None, -0.6, None]
    assert StoredNews(kit.store, lambda: NOW, scale()).reading(AAPL).score == -0.6


def test_a_spent_budget_stops_the_climb_below_what_is_dearer(kit: Kit) -> None:
    """DeepSeek's day is over at noon: Claude does not answer in its place."""
    kit.readers[DEEPSEEK].said = BudgetSpentError("2 of 2 USD are spent")
    kit.tell(scored("a", 0.5))
    assert [(e.tier, e.end) for e in kit.look()] == [(OLLAMA, ANSWERED), (DEEPSEEK, EscalationEnd.NO_BUDGET)]
    assert not kit.readers[CLAUDE].heard


def test_looking_again_at_a_spent_budget_keeps_one_account_of_an_hour(kit: Kit) -> None:
    """However often it is looked."""
    kit.readers[DEEPSEEK].said = BudgetSpentError("2 of 2 USD are spent")
    kit.tell(scored("a", 0.5))
    first, again = kit.look(DEEPSEEK), kit.look(DEEPSEEK)
    assert first == again
    with kit.store.reading() as page:
        assert page.escalations(NOW - HOUR, NOW) == first


def test_what_one_feed_tells_alone_does_not_climb(kit: Kit) -> None:
    """However loud it is: it moves nothing, so it is worth nobody's time, and what others tell climbs as if it were not there."""
    kit.corroboration = 2
    kit.tell(*(scored(f"loud{n}", 1.0, feed="loud", tier=OLLAMA) for n in range(20)))
    assert kit.look() == ()
    kit.tell(scored("a", 0.5), scored("b", 0.5, story="a", feed="two"))
    (made,) = kit.look(DEEPSEEK)
    assert (set(made.articles), made.before, made.after) == ({"a", "b"}, 0.5, -0.6)


def test_no_model_is_shown_what_is_quarantined(kit: Kit) -> None:
    """It is no news either: a large position with nothing else does not climb."""
    kit.tell(scored("evil", 1.0, quarantined=True), marks=(Mark.INSTRUCTION,))
    assert kit.look() == ()
    kit.tell(scored("a", 0.5))
    (made,) = kit.look(OLLAMA)
    assert made.articles == (ArticleId("a"),)
    assert [[p.text for p in passages] for passages in kit.readers[OLLAMA].heard] == [["News. Text of a"]]


def test_forty_feeds_that_tell_one_story_crowd_nobody_out_and_one_text_is_asked_about_once(kit: Kit) -> None:
    """Every story has its turn before a second telling has; equal texts are one question, and each article has its answer."""
    kit.tell(*(scored(f"copy{n:02}", 1.0, story="copy00", feed=f"feed{n}") for n in range(40)), text=lambda _: "The same")
    kit.tell(*(scored(f"other{n}", 0.3) for n in range(3)))
    (made,) = kit.look(OLLAMA)
    assert {"other0", "other1", "other2"} <= set(made.articles)
    assert len(made.articles) == MOST_ARTICLES
    ((*heard,),) = kit.readers[OLLAMA].heard
    assert sorted(p.text for p in heard) == ["News. Text of other0", "News. Text of other1", "News. Text of other2", "News. The same"]
    with kit.store.reading() as page:
        scores = page.scores(AAPL, NOW - HOUR, NOW)
    assert {s.article for s in scores if s.sentiment.tier is OLLAMA} == set(made.articles)


def test_an_answer_too_few_is_a_failure_like_any_other(kit: Kit) -> None:
    """And changes nothing."""

    class Forgetful(Reader):
        def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
            return super().judge(passages)[1:]

    kit.readers[OLLAMA] = Forgetful(OLLAMA, -0.5)
    kit.tell(scored("a", 0.5))
    (made,) = kit.look(OLLAMA)
    assert (made.end, made.note) == (FAILED, "a ollama gave 0 answers to 1 texts: what was said below stands")
    assert StoredNews(kit.store, lambda: NOW, scale()).reading(AAPL).score == 0.5


def test_a_tier_that_the_configuration_does_not_name_is_not_asked(kit: Kit) -> None:
    """Though it is there."""
    kit.tell(scored("a", 0.5))
    models: dict[Tier, SentimentModel] = dict(kit.readers)
    named = NewsSettings.model_validate(config.load().news.model_dump() | {"tiers": ["lexicon", "deepseek"]})
    view = StoredNews(kit.store, lambda: kit.now, scale(corroboration=1))
    made = Escalator(kit.store, view, models, lambda _: LARGE, lambda _: ZERO, {}, named).look(AAPL)
    assert [e.tier for e in made] == [DEEPSEEK]


def test_what_changed_is_measured_at_one_moment(kit: Kit) -> None:
    """An article that comes while a model thinks is in both readings, and the answer counts from when it was there."""
    later = NOW + timedelta(minutes=5)

    class Slow(Reader):
        def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
            kit.now = later
            kit.tell(scored("b", 0.5, ago=-timedelta(minutes=4)))
            return super().judge(passages)

    kit.readers[OLLAMA] = Slow(OLLAMA, 0.5)
    kit.tell(scored("a", 0.5))
    (made,) = kit.look(OLLAMA)
    assert (made.at, made.articles, made.before, made.after) == (later, (ArticleId("a"),), 0.5, 0.5)
    before = StoredNews(kit.store, lambda: later - timedelta(seconds=1), scale()).scores(AAPL, HOUR)
    assert all(s.sentiment.tier is Tier.LEXICON for s in before), "nobody who looks at an earlier time sees the answer"
