"""Reviews of days and weeks, driven from the desk's records to the grade."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.backtest.facts import Facts, Material, facts
from trading_bot.backtest.patterns import behaviours
from trading_bot.backtest.review import CEILINGS, CRITERIA, GRADES, grade, marks, review
from trading_bot.domain.books import Books, Position
from trading_bot.domain.events import CashReason, CashUpdate
from trading_bot.domain.orders import Order, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.proposals import Effect, Finding, Proposal, ProposalKind, Verdict, VerdictOutcome
from trading_bot.domain.records import EquityPoint
from trading_bot.domain.research import Grade
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId, Symbol, VerdictId

Trade = Callable[..., RoundTrip]
NEW_YORK = ZoneInfo("America/New_York")
DAY = date(2024, 3, 4)
NOON = datetime(2024, 3, 4, 17, tzinfo=UTC)
AAPL = Symbol("AAPL")
DOCUMENT = Path(__file__).parents[2] / "docs" / "scoring.md"


def close(session: date, equity: str) -> EquityPoint:
    """A session's close, all in cash."""
    at = datetime.combine(session, time(21), UTC)
    return EquityPoint(at=at, session=session, label="close", equity=Decimal(equity), cash=Decimal(equity), exposure=Decimal(0))


def verdict(number: int, *findings: Finding, at: datetime = NOON) -> Verdict:
    """A verdict on AAPL: rejected if a finding rejects, else approved."""
    rejected = any(f.effect is Effect.REJECT for f in findings)
    return Verdict(
        at=at,
        id=VerdictId(f"v{number}"),
        proposal_id=ProposalId(f"p{number}"),
        decision_id=DecisionId(f"d{number}"),
        symbol=AAPL,
        outcome=VerdictOutcome.REJECTED if rejected else VerdictOutcome.APPROVED,
        findings=findings,
        quantity=Decimal(0 if rejected else 10),
        price=Decimal(100),
    )


def veto(rule: str) -> Finding:
    """A rule that rejected."""
    return Finding(rule=rule, effect=Effect.REJECT, limit="0.30", actual="0.42")


def proposal() -> Proposal:
    """A proposal to hold AAPL."""
    return Proposal(
        at=NOON,
        id=ProposalId("p1"),
        decision_id=DecisionId("d1"),
        action=ProposalKind.HOLD,
        symbol=AAPL,
        side=Side.BUY,
        strategy="momentum",
        exposure=Decimal(1),
        confidence=0.5,
        horizon_days=5,
        thesis="",
        analyst="rules",
        expires_at=NOON,
    )


def holding(stopped: str) -> Books:
    """Books with 10 AAPL, of which a resting stop covers `stopped`."""
    stop = Order(
        client_order_id=ClientOrderId("desk-stop"),
        venue_order_id="1",
        symbol=AAPL,
        side=Side.SELL,
        type=OrderType.STOP,
        role=OrderRole.STOP_LOSS,
        quantity=Decimal(stopped),
        stop_price=Decimal(95),
        time_in_force=TimeInForce.GTC,
        state=OrderState.ACCEPTED,
        filled_quantity=Decimal(0),
        average_price=Decimal(0),
        submitted_at=NOON,
        updated_at=NOON,
    )
    position = Position(symbol=AAPL, quantity=Decimal(10), average_price=Decimal(100), opened_at=NOON)
    return Books(positions={AAPL: position}, orders={stop.client_order_id: stop})


def made_of(  # noqa: PLR0913 - the parts of a period that tests vary
    *,
    points: Sequence[EquityPoint] = (),
    trades: Sequence[RoundTrip] = (),
    verdicts: Sequence[Verdict] = (),
    books: Books | None = None,
    first: date = DAY,
    last: date = DAY,
) -> Facts:
    """Facts of a period that starts with 100,000."""
    material = Material(Decimal(100_000), points, trades, [proposal()], verdicts, [], books or Books())
    return facts(material, first, last, NEW_YORK)


def test_a_day_without_trades_is_acceptable_and_says_why() -> None:
    """Nothing done is no fault and no feat."""
    made = review(made_of(points=[close(DAY, "100000")]))
    assert made.grade is Grade.ACCEPTABLE
    assert made.summary == "2024-03-04, +0.00% (+0.00), closed trades 0, won 0, lost 0: ACCEPTABLE"
    assert "no trade was closed: ACCEPTABLE at best" in made.observations
    assert made.recommendations == ()


def test_a_day_without_any_record_can_be_graded_too() -> None:
    """No close, nothing to judge: ACCEPTABLE, and it says that nothing could be judged."""
    value, reasons = grade(made_of())
    assert value is Grade.ACCEPTABLE
    assert reasons[0] == "nothing could be judged"


def test_a_good_day_with_few_trades_is_excellent_by_what_can_be_judged(trade: Trade) -> None:
    """+1 %, no drawdown, no loss; win rate and gross need five trades and are named as not judged."""
    value, reasons = grade(made_of(points=[close(DAY, "101000")], trades=[trade("1000")]))
    assert value is Grade.EXCELLENT
    assert reasons == (
        "3.00 points of 3 on average",
        "return by root of sessions: 1.00%, 3 of 3 points",
        "drawdown from the highest close: 0.00%, 3 of 3 points",
        "largest loss of equity: 0.00%, 3 of 3 points",
        "win rate: not judged (a sample of 1, it needs 5)",
        "gross profit of all gross: not judged (a sample of 1, it needs 5)",
        "verdicts that reject: not judged (a sample of 0, it needs 5)",
    )


def test_a_position_without_full_cover_needs_improvement_whatever_it_earned(trade: Trade) -> None:
    """Nine of ten shares covered is a naked position."""
    made = review(made_of(points=[close(DAY, "101000")], trades=[trade("1000")], books=holding("9")))
    assert made.grade is Grade.NEEDS_IMPROVEMENT
    assert made.recommendations == ("protect or close now: AAPL",)


def test_a_covered_position_is_protected() -> None:
    """Ten of ten shares covered at 95."""
    (position,) = made_of(books=holding("10")).positions
    assert position.protected
    assert (position.stopped, position.stops, position.targets) == (Decimal(10), (Decimal(95),), ())


def test_money_lost_is_acceptable_at_best_and_a_heavy_loss_needs_improvement(trade: Trade) -> None:
    """-0.5 % and -1.5 % in a day."""
    assert grade(made_of(points=[close(DAY, "99500")], trades=[trade("-500")]))[0] is Grade.ACCEPTABLE
    bad = review(made_of(points=[close(DAY, "98500")], trades=[trade("-1500", quantity="100")]))
    assert bad.grade is Grade.NEEDS_IMPROVEMENT
    assert bad.recommendations == ("look at the trades that cost most before adding risk",)


def test_vetoes_are_counted_by_rule_and_outcome() -> None:
    """Two rejections by three findings, one approval."""
    said = [verdict(1, veto("sector")), verdict(2, veto("sector"), veto("max_spread")), verdict(3)]
    made = made_of(verdicts=said)
    assert made.adherence.outcomes == {VerdictOutcome.REJECTED: 2, VerdictOutcome.APPROVED: 1}
    assert made.adherence.vetoes == {"sector": 2, "max_spread": 1}
    assert "proposals 1, verdicts 3 (rejected 2, approved 1)" in review(made).observations
    assert "vetoes by rule: sector 2, max_spread 1" in review(made).observations


def test_a_period_is_bound_by_local_midnight(trade: Trade) -> None:
    """A trade closed at 23:30 in New York belongs to its day, though it is the next in UTC; the next day's does not."""
    late = trade("10", opened=datetime(2024, 3, 5, 3, 30, tzinfo=UTC), hours=1)
    early = trade("20", opened=datetime(2024, 3, 5, 4, 30, tzinfo=UTC), hours=1)
    assert made_of(trades=[late, early], first=DAY, last=DAY).trades.gross_profit == Decimal(10)
    assert made_of(trades=[late, early], first=DAY + timedelta(days=1), last=DAY + timedelta(days=1)).trades.gross_profit == Decimal(20)


def test_the_period_starts_from_the_last_close_before_it() -> None:
    """Friday's close at 110,000 is Monday's start; the drawdown is from the highest close so far."""
    friday = close(date(2024, 3, 1), "110000")
    made = made_of(points=[friday, close(DAY, "104500")])
    assert (made.start_equity, made.end_equity) == (Decimal(110_000), Decimal(104_500))
    assert made.performance.total_return == pytest.approx(-0.05)
    assert made.drawdown == pytest.approx(0.05)


def test_what_comes_after_the_period_changes_nothing(trade: Trade) -> None:
    """Tomorrow's trades, closes and verdicts are not looked at."""
    tomorrow = DAY + timedelta(days=1)
    today = made_of(points=[close(DAY, "101000")], trades=[trade("1000")], verdicts=[verdict(1)])
    later = made_of(
        points=[close(DAY, "101000"), close(tomorrow, "50000")],
        trades=[trade("1000"), trade("-51000", quantity="1000", opened=NOON + timedelta(days=1))],
        verdicts=[verdict(1), verdict(2, veto("sector"), at=NOON + timedelta(days=1))],
    )
    assert today == later


def test_dividends_and_borrow_are_income_and_deposits_are_not() -> None:
    """50 dividend less 8 borrow; the deposit is capital."""
    paid = ((CashReason.DEPOSIT, "1000"), (CashReason.DIVIDEND, "50"), (CashReason.BORROW, "-8"))
    events = [CashUpdate(sequence=n, at=NOON, reason=why, amount=Decimal(much)) for n, (why, much) in enumerate(paid, 1)]
    assert facts(Material(Decimal(1), [], [], [], [], events, Books()), DAY, DAY, NEW_YORK).income == Decimal(42)


def test_small_samples_are_called_small(trade: Trade) -> None:
    """Nineteen trades cannot have ten on each side."""
    made = review(made_of(trades=[trade("10")] * 19))
    assert made.observations[-1] == "patterns need at least 10 trades on each side; there are 19 in all, so none is claimed"


def test_an_hour_that_loses_is_claimed_and_its_counterpart_too(trade: Trade) -> None:
    """Ten lost trades at 10:00 against ten won at 14:00: z is sqrt(20), and the exits, all alike, claim nothing."""
    at_ten, at_two = datetime(2024, 2, 1, 15, tzinfo=UTC), datetime(2024, 2, 1, 19, tzinfo=UTC)
    seen = review(made_of(trades=[trade("-10", opened=at_ten)] * 10 + [trade("10", opened=at_two)] * 10)).observations
    assert "trades with entry hour 10:00 win less often than the others: 0 of 10, -100.00 in all (-4.5 standard errors)" in seen
    assert "trades with entry hour 14:00 win more often than the others: 10 of 10, 100.00 in all (+4.5 standard errors)" in seen
    assert not any("exit" in line for line in seen)


def test_losers_held_longer_than_winners_are_noticed(trade: Trade) -> None:
    """Ten losers of 20 to 29 hours (mean 24.5) against ten winners of 1 to 10 hours (5.5)."""
    losers = [trade("-10", hours=20 + n, opened=NOON + timedelta(days=2 * n)) for n in range(10)]
    winners = [trade("10", hours=1 + n, opened=NOON + timedelta(days=100 + 2 * n)) for n in range(10)]
    habit = next(b for b in behaviours(losers + winners) if b.name == "losing trades")
    assert (habit.mean, habit.mean_of_others) == (24.5, 5.5)
    assert habit.claim is not None
    assert habit.claim.startswith("losing trades: mean hours held 24.5 over 10 trades against 5.5 over 10 others")


def test_reentries_and_size_after_a_loss_are_told_from_other_trades(trade: Trade) -> None:
    """AAPL lost, bought again two hours later at twice the size; MSFT two days later is neither."""
    lost = trade("-10", opened=NOON)
    again = trade("20", opened=NOON + timedelta(hours=3), quantity="20")
    other = trade("30", symbol="MSFT", opened=NOON + timedelta(days=2))
    reentry, _, size = behaviours([other, again, lost])
    assert (reentry.trades, reentry.mean, reentry.others) == (1, 0.01, 2)
    assert (size.trades, size.mean, size.mean_of_others) == (1, 2000.0, 1000.0)
    assert (reentry.score, reentry.claim) == (None, None)


@given(st.lists(st.integers(-3000, 3000), max_size=30), st.integers(90_000, 110_000))
def test_any_day_gets_a_grade_and_never_a_better_one_than_its_ceilings(profits: list[int], equity: int) -> None:
    """No mix of trades breaks the review; money lost is never GOOD."""
    closed = [_lost_or_won(p) for p in profits]
    made = made_of(points=[close(DAY, str(equity))], trades=closed)
    value = review(made).grade
    ceilings = [c.grade for c in CEILINGS if c.holds(made)]
    assert all(tuple(Grade).index(value) >= tuple(Grade).index(c) for c in ceilings)
    assert equity >= 100_000 or value in {Grade.ACCEPTABLE, Grade.NEEDS_IMPROVEMENT}


def _lost_or_won(profit: int) -> RoundTrip:
    return RoundTrip(
        symbol=AAPL,
        side=Side.BUY,
        quantity=Decimal(100),
        entry_price=Decimal(100),
        exit_price=Decimal(100) + Decimal(profit) / 100,
        opened_at=NOON,
        closed_at=NOON + timedelta(hours=1),
        profit=Decimal(profit),
        fees=Decimal(0),
        entry_order=ClientOrderId("desk-entry"),
        exit_role=OrderRole.CLOSE,
    )


def table(first_column: str) -> list[list[str]]:
    """Cells of the rows under the table of the document's review section whose first heading is `first_column`."""
    section = DOCUMENT.read_text("utf-8").split("## Review (C8)", 1)[1].split("\n## ", 1)[0]
    body = re.search(rf"^\| {re.escape(first_column)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", section, re.MULTILINE)
    assert body is not None, f"docs/scoring.md has no table headed {first_column!r} in its section on reviews"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in body[1].splitlines()]


def test_the_document_shows_the_thresholds_of_the_code() -> None:
    """`docs/scoring.md` and `CRITERIA`, `GRADES`, `CEILINGS` agree row by row."""
    words = {True: "at most", False: "at least"}
    expected = [
        [c.name, *(f"{words[c.thresholds[0] < c.thresholds[-1]]} {t:.2%}" for t in c.thresholds), str(c.least) if c.least else "-"]
        for c in CRITERIA
    ]
    assert table("criterion") == expected
    assert table("mean of points, at least") == [[f"{least:.2f}", value.value] for least, value in GRADES]
    assert table("condition") == [[c.reason, c.grade.value] for c in CEILINGS]


def test_the_documents_worked_example_comes_out_as_written() -> None:
    """The week of the document, read from it and reckoned again."""
    points = [close(date.fromisoformat(day), equity) for day, equity in table("session")]
    closed = [
        _lost_or_won(int(profit)).model_copy(
            update={"symbol": symbol, "closed_at": datetime.combine(date.fromisoformat(day), time(18), UTC)}
        )
        for day, symbol, profit in table("closed on")
    ]
    said = [verdict(n, *([veto("sector")] if n < 5 else [])) for n in range(8)]
    made = made_of(points=points, trades=closed, verdicts=said, last=points[-1].session)
    assert [[m.criterion.name, f"{m.value:.2%}", str(m.points)] for m in marks(made)] == table("measured")
    value, reasons = grade(made)
    assert (value, reasons[0]) == (Grade.GOOD, "2.33 points of 3 on average")
