"""Readings by hand, and what no article can do to them."""

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from news.readings import AAPL, NOW, reading, scale, scored
from trading_bot.domain.news import Reading, Scored, Tier
from trading_bot.news.reading import LEAST_DEVIATION, read

HOUR = timedelta(hours=1)


def told(found: Reading, *fields: str) -> list[object]:
    """These fields of a reading."""
    return [getattr(found, field) for field in fields]


def test_a_symbol_without_news_reads_nothing() -> None:
    """0, and sure of nothing."""
    assert read(AAPL, NOW, [], scale()) == reading()


def test_a_reading_is_the_mean_of_its_stories_weighed_by_confidence_feed_and_age() -> None:
    """By hand: weights 0.8, 0.5 x 0.5 (of a feed half believed) and 0.4 x 0.5 (one half-life ago)."""
    scores = [
        scored("a", 0.5, confidence=0.8),
        scored("b", -1.0, confidence=0.5, feed="doubted"),
        scored("c", 1.0, confidence=0.4, ago=6 * HOUR),
    ]
    found = read(AAPL, NOW, scores, scale({"doubted": 0.5}))
    by_hand = reading(score=0.35 / 1.25, confidence=1.25 / 2.25, stories=3, articles=3, feeds=2)
    assert found.model_dump(mode="json") == pytest.approx(by_hand.model_dump(mode="json"))


def test_a_story_is_what_its_feeds_say_each_as_far_as_it_is_believed() -> None:
    """By hand: feed one says (1 x 1 + 0.5 x -0.5) / 1.5 = 0.5, two 0.3; the doubted one says -1 and does not reach the middle."""
    scores = [
        scored("a", 1.0),
        scored("b", -0.5, confidence=0.5, story="a"),
        scored("c", -1.0, story="a", feed="doubted"),
        scored("d", 0.3, story="a", feed="two"),
    ]
    found = read(AAPL, NOW, scores, scale({"doubted": 0.5}))
    assert told(found, "score", "backed", "stories", "articles", "feeds") == pytest.approx([0.3, 0.3, 1, 4, 3])
    assert found.confidence == found.backed_confidence == 0.5


def test_one_liar_among_three_feeds_moves_a_story_no_further_than_the_others_say() -> None:
    """Whatever he says, and however sure he is: 0.4 and 0.6 were said by others."""
    honest = [scored("a", 0.4, confidence=0.7), scored("b", 0.6, confidence=0.7, story="a", feed="two")]
    lies = [read(AAPL, NOW, [*honest, scored("c", lie, story="a", feed="three")], scale()) for lie in (-1.0, 0.0, 1.0)]
    assert [r.backed for r in lies] == pytest.approx([0.4, 0.4, 0.6])
    assert [r.backed_confidence for r in lies] == pytest.approx([0.7 / 1.7] * 3)


def test_two_feeds_that_contradict_each_other_back_nothing() -> None:
    """One says good, the other bad: nobody knows."""
    found = read(AAPL, NOW, [scored("a", 0.9), scored("b", -0.3, story="a", feed="two")], scale())
    assert (found.feeds, found.backed_confidence) == (2, 0)


def test_of_each_article_the_best_tier_counts() -> None:
    """Whatever the order in which they read it."""
    scores = [scored("a", -0.9, tier=Tier.CLAUDE), scored("a", 0.9), scored("a", 0.4, tier=Tier.OLLAMA)]
    assert read(AAPL, NOW, scores, scale()).score == -0.9


def test_only_what_enough_independent_feeds_told_is_backed() -> None:
    """Forty tellings by one feed back nothing; a second feed does, unless nobody believes it."""
    alone = [scored(f"a{n}", 0.6, story="a0") for n in range(40)]
    second, nobody = scored("b", 0.6, story="a0", feed="two"), scored("b", 0.6, story="a0", feed="nobody")
    found = [read(AAPL, NOW, scores, scale({"nobody": 0.0})) for scores in (alone, [*alone, nobody], [*alone, second])]
    assert [r.feeds for r in found] == [1, 1, 2]
    assert [r.backed for r in found] == pytest.approx([0, 0, 0.6])
    assert [r.backed_confidence for r in found] == [0, 0, 0.5]
    assert read(AAPL, NOW, [*alone, second], scale(corroboration=3)).backed == 0


def test_a_feed_without_an_opinion_takes_nothing_from_those_that_have_one() -> None:
    """It told the story, and that is all."""
    scores = [scored("a", 0.8), scored("b", 0.0, confidence=0.0, story="a", feed="two")]
    found = read(AAPL, NOW, scores, scale())
    assert (found.score, found.backed) == (0.8, 0.8)


def test_a_story_does_not_become_new_by_being_told_again() -> None:
    """Three days after its first telling it counts no more, whoever tells it now."""
    scores = [scored("a", 0.8, ago=72 * HOUR), scored("b", 0.8, story="a", feed="two")]
    found = read(AAPL, NOW, scores, scale())
    assert (found.score, found.stories, found.feeds) == (0, 0, 0)


def calm(hours: int, score: float = 0.1) -> list[Scored]:
    """A story every hour, half of them `score` and half its opposite, each alone in its window."""
    return [scored(f"calm{n}", score if n % 2 else -score, ago=n * HOUR + timedelta(minutes=1)) for n in range(1, hours + 1)]


HOURLY = scale(window=HOUR, half_life=HOUR)
"""Readings of one hour's story alone."""


def test_an_anomaly_lies_three_deviations_from_the_mean_of_past_hours() -> None:
    """By hand: half of forty hours read 0.1 and half -0.1: mean 0, deviation 0.1, changes of 0.2 to and fro."""
    past = calm(40)
    low, high = (read(AAPL, NOW, [*past, scored("now", score)], HOURLY) for score in (0.29, 0.31))
    assert low.volatility == pytest.approx(0.2, rel=0.01)
    assert told(low, "mean", "deviation", "deviations", "anomaly") == pytest.approx([0, 0.1, 2.9, False])
    assert told(high, "mean", "deviation", "deviations", "anomaly") == pytest.approx([0, 0.1, 3.1, True])


def test_fewer_than_a_day_of_hours_with_news_compare_with_nothing() -> None:
    """23 are too few, 24 are not."""
    few, enough = (read(AAPL, NOW, [*calm(n), scored("now", 1.0)], HOURLY) for n in (23, 24))
    assert told(few, "mean", "deviation", "volatility", "deviations", "anomaly") == [None, None, None, None, False]
    assert enough.anomaly


def test_a_past_without_any_deviation_is_not_believed() -> None:
    """A hundredth of a point after a week of copies is no anomaly."""
    found = read(AAPL, NOW, [*calm(48, 0.0), scored("now", 0.03)], HOURLY)
    assert told(found, "deviation", "deviations", "anomaly") == pytest.approx([0, 0.03 / LEAST_DEVIATION, False])


def test_what_nobody_is_sure_of_is_no_anomaly() -> None:
    """A score of 0 with confidence 0 far from the mean says nothing."""
    past = [scored(f"good{n}", 0.9, ago=n * HOUR + timedelta(minutes=1)) for n in range(1, 40)]
    found = read(AAPL, NOW, [*past, scored("now", -1.0, confidence=0.0)], HOURLY)
    assert told(found, "score", "confidence", "mean", "deviations", "anomaly") == pytest.approx([0, 0, 0.9, None, False])


def test_a_half_life_of_a_minute_is_reckoned_with() -> None:
    """Two weeks are twenty thousand of them."""
    found = read(AAPL, NOW, [*calm(48), scored("now", 0.5)], scale(half_life=timedelta(minutes=1)))
    assert found.score == pytest.approx(0.5)


tellings = st.builds(
    scored,
    st.sampled_from([f"a{n}" for n in range(30)]),
    st.floats(-1, 1),
    ago=st.timedeltas(timedelta(0), timedelta(days=16)),
    confidence=st.floats(0, 1),
    story=st.sampled_from(["s1", "s2", "s3", "s4", "s5"]),
    feed=st.sampled_from(["one", "two", "three", "nobody"]),
    tier=st.sampled_from(Tier),
    quarantined=st.booleans(),
)
news = st.lists(tellings, max_size=25, unique_by=lambda s: (s.article, s.sentiment.tier))
FEEDS = {"two": 0.5, "nobody": 0.0}
numbers = ("score", "confidence", "backed", "backed_confidence", "mean", "deviation", "volatility", "deviations")


def alike(one: object, other: object) -> bool:
    """The same but for rounding."""
    return one == pytest.approx(other, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(news)
def test_scores_and_confidences_stay_in_their_range(scores: list[Scored]) -> None:
    """The record refuses what does not; `backed` rests on no more than the whole does."""
    found = read(AAPL, NOW, scores, scale(FEEDS))
    assert found.backed_confidence <= found.confidence + 1e-12


@settings(max_examples=100, deadline=None)
@given(news, st.integers(0, 2**32))
def test_the_order_in_which_scores_come_does_not_matter(scores: list[Scored], seed: int) -> None:
    """Workers finish as they finish."""
    shuffled = random.Random(seed).sample(scores, len(scores))
    one, other = (read(AAPL, NOW, heard, scale(FEEDS)).model_dump() for heard in (scores, shuffled))
    assert alike([one[n] for n in numbers if n != "deviations"], [other[n] for n in numbers if n != "deviations"])


@settings(max_examples=100, deadline=None)
@given(news, tellings, st.integers(1, 40))
def test_forty_copies_move_no_more_than_one_story(scores: list[Scored], story: Scored, copies: int) -> None:
    """A feed that tells the same again adds articles, and nothing else."""
    one = story.model_copy(update={"article": "new", "story": "new", "quarantined": False})
    many = [one.model_copy(update={"article": f"copy{n}"}) for n in range(copies)]
    once, often = read(AAPL, NOW, [*scores, one], scale(FEEDS)), read(AAPL, NOW, [*scores, one, *many], scale(FEEDS))
    assert alike([getattr(once, n) for n in numbers[:4]], [getattr(often, n) for n in numbers[:4]])
    assert (once.stories, once.feeds) == (often.stories, often.feeds)


@settings(max_examples=100, deadline=None)
@given(news, news)
def test_a_quarantined_article_has_no_effect(scores: list[Scored], held: list[Scored]) -> None:
    """Not on a single number, even if it tells a story that others told."""
    aside = [s.model_copy(update={"article": f"held{n}", "quarantined": True}) for n, s in enumerate(held)]
    assert read(AAPL, NOW, [*scores, *aside], scale(FEEDS)) == read(AAPL, NOW, scores, scale(FEEDS))


@settings(max_examples=100, deadline=None)
@given(news, news, st.booleans())
def test_what_is_added_after_now_changes_nothing(scores: list[Scored], later: list[Scored], known: bool) -> None:  # noqa: FBT001 - drawn
    """Neither an article that was not known yet, nor a score that was made later of one that was."""
    minute = NOW + timedelta(minutes=1)
    after = [s.model_copy(update={"scored_at": minute, "known_at": s.known_at if known else minute}) for s in later]
    assert read(AAPL, NOW, [*scores, *after], scale(FEEDS)) == read(AAPL, NOW, scores, scale(FEEDS))


def test_a_feed_that_nobody_believes_makes_no_story_older() -> None:
    """It told the story a day before the one that is believed."""
    honest, early = scored("a", 0.5, ago=HOUR), scored("b", 0.5, story="a", feed="nobody", ago=24 * HOUR)
    alone, beside = (read(AAPL, NOW, told, scale(feeds={"nobody": 0.0})) for told in ([honest], [honest, early]))
    assert beside == alone.model_copy(update={"articles": 2})


def test_who_copies_a_story_before_the_others_makes_it_no_older() -> None:
    """Two feeds told it an hour ago; a third that says it did so a day before is one of three."""
    honest = [scored("a", 0.5, ago=HOUR), scored("b", 0.5, story="a", feed="two", ago=HOUR)]
    early = scored("c", 0.5, story="a", feed="three", ago=24 * HOUR)
    assert read(AAPL, NOW, [*honest, early], scale()) == read(AAPL, NOW, honest, scale()).model_copy(update={"feeds": 3, "articles": 3})


def test_who_twists_a_story_that_others_tell_without_a_tone_backs_nothing() -> None:
    """One feed told it neutrally; the same with an accusation in it is one voice against one, however much either is believed."""
    honest, twisted = scored("a", 0.0, confidence=0.8), scored("b", -0.93, story="a", feed="two")
    found = [read(AAPL, NOW, [honest, twisted], scale({"one": one, "two": two})) for one, two in ((1, 1), (0.5, 0.6), (0.8, 0.2))]
    assert [r.backed_confidence for r in found] == [0, 0, 0]


def test_what_two_feeds_hand_on_from_one_address_is_one_voice() -> None:
    """Two feeds of one house, or two that carry one agency's release."""
    same = [scored("a", 0.5).model_copy(update={"origin": "https://wire/1"})]
    same.append(scored("b", 0.5, story="a", feed="two").model_copy(update={"origin": "https://wire/1"}))
    other = same[1].model_copy(update={"origin": "https://paper/9"})
    assert [read(AAPL, NOW, [same[0], second], scale()).backed for second in (same[1], other)] == [0, 0.5]


def test_an_old_article_that_arrives_today_is_old() -> None:
    """Published two half-lives ago, and known since now."""
    late = scored("a", 0.5).model_copy(update={"told_at": NOW - 12 * HOUR})
    assert read(AAPL, NOW, [late], scale()).confidence == pytest.approx(0.25 / 1.25)
    assert read(AAPL, NOW, [late.model_copy(update={"told_at": NOW - 72 * HOUR})], scale()).stories == 0
