"""What climbing was worth once its horizon is over, by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from news.readings import AAPL, NOW
from trading_bot.domain.news import Escalation, EscalationEnd, EscalationRule, Tier
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.news.horizons import Price, a_session, moved
from trading_bot.news.worth import Account, Worth, account, worth

DAY = timedelta(days=1)


def climbed(**changed: Any) -> Escalation:  # noqa: ANN401 - fields
    """A reading of 0.5 that fell to -0.5 at Claude's word, for 20 cents, with 5,000 USD at risk."""
    fields: dict[str, Any] = {
        "id": "e1",
        "at": NOW,
        "symbol": AAPL,
        "rule": EscalationRule.ANOMALY,
        "detail": "",
        "tier": Tier.CLAUDE,
        "end": EscalationEnd.ANSWERED,
        "at_risk": Decimal(5000),
        "price": Decimal("0.50"),
        "cost": Decimal("0.20"),
        "before": 0.5,
        "after": -0.5,
    }
    return Escalation.model_validate(fields | changed)


def priced(**days: float) -> Price:
    """Prices n days after NOW: d0, d1 and so on."""
    known: Mapping[datetime, float] = {NOW + int(day[1:]) * DAY: price for day, price in days.items()}
    return known.get


def test_an_answer_is_worth_what_leaning_by_it_would_have_brought_less_its_cost() -> None:
    """By hand: (-0.5 - 0.5) x (96 / 100 - 1) x 5,000 - 0.20 = 199.80."""
    found = worth(climbed(), lambda _: priced(d0=100, d1=96), NOW + DAY)
    assert found == Worth(id="e1", until=NOW + DAY, change=-1.0, moved=96 / 100 - 1, right=True, worth=Decimal("199.8"))


def test_an_answer_that_pointed_elsewhere_cost_more_than_its_price() -> None:
    """The same, and the price rose by 1 %."""
    found = worth(climbed(), lambda _: priced(d0=100, d1=101), NOW + DAY)
    assert found is not None
    assert (found.right, found.worth) == (False, Decimal("-50.2"))


def test_an_answer_that_changed_nothing_is_worth_less_its_cost_and_points_nowhere() -> None:
    """Whatever the price did."""
    found = worth(climbed(after=0.5), lambda _: priced(d0=100, d1=150), NOW + DAY)
    assert found is not None
    assert (found.right, found.worth) == (None, Decimal("-0.2"))


def test_nothing_is_said_before_the_horizon_without_prices_or_of_what_nobody_answered() -> None:
    """A moment early, either price missing, no prices at all, and an escalation that was spared."""
    whole = priced(d0=100, d1=96)
    assert worth(climbed(), lambda _: whole, NOW + DAY - timedelta(microseconds=1)) is None
    assert worth(climbed(), lambda _: priced(d1=96), NOW + DAY) is None
    assert worth(climbed(), lambda _: priced(d0=100), NOW + DAY) is None
    assert worth(climbed(), lambda _: None, NOW + DAY) is None
    assert worth(climbed(end=EscalationEnd.CAPPED, after=None), lambda _: whole, NOW + DAY) is None


def test_an_account_sums_up_what_climbed_what_it_cost_and_how_often_it_was_right() -> None:
    """One right, one wrong, one that pointed nowhere, one that failed at a cost, one whose day is not over."""
    went: Mapping[Symbol, Price] = {AAPL: priced(d0=100, d1=96), Symbol("UP"): priced(d0=100, d1=101)}
    made = [
        climbed(),
        climbed(id="e2", symbol="UP"),
        climbed(id="e3", after=0.5),
        climbed(id="e4", end=EscalationEnd.FAILED, after=None, cost=Decimal("0.50")),
        climbed(id="e5", at=NOW + DAY),
    ]
    assert account(made, went.get, NOW + DAY) == Account(
        climbed=5, answered=4, cost=Decimal("1.3"), judged=3, worth=Decimal("149.4"), right=0.5
    )
    assert account([], went.get, NOW) == Account(climbed=0, answered=0, cost=ZERO, judged=0, worth=ZERO, right=None)


@pytest.mark.parametrize(
    ("at", "close"),
    [
        ("2026-03-09T13:30:00", "2026-03-09T20:00:00"),  # the opening itself
        ("2026-03-09T13:30:01", "2026-03-10T20:00:00"),
        ("2026-03-06T20:59:00", "2026-03-09T20:00:00"),  # Friday, a minute before the close; New York's clocks change at the weekend
        ("2026-03-07T12:00:00", "2026-03-09T20:00:00"),
        ("2026-03-06T03:00:00", "2026-03-06T21:00:00"),
    ],
)
def test_a_session_is_the_first_whole_one_after_the_news(at: str, close: str) -> None:
    """What comes within a session is judged by the next, so that every story has as much time."""
    moment, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, close))
    assert a_session(open_calendar("XNYS"))(moment) == end


def test_where_nothing_closes_a_session_is_the_next_whole_day() -> None:
    """By UTC."""
    assert a_session(open_calendar("24/7"))(NOW) == datetime(2026, 3, 11, tzinfo=UTC)


def test_a_price_of_0_gives_no_return() -> None:
    """Nothing can be divided by it."""
    assert moved(priced(d0=0, d1=1), NOW, NOW + DAY) is None
