"""A desk that asks a person first: what waits, what a word does, what silence does, and what no word can do."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import AAPL, CASH, NOW, mandate, proposal
from desks import Bar, SmallDesk, small_desk
from execution.words import FLAT, WANTED, again, asked, asks, ends, post, say
from trading_bot.domain.approvals import ApprovalEnded, ApprovalOutcome, ApprovalRequest, InboxDone
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Verdict
from trading_bot.domain.records import CLOSE, EquityPoint
from trading_bot.domain.values import ProposalId
from trading_bot.execution.approvals import waiting
from trading_bot.execution.parts import Authority
from trading_bot.ports import InboxItem
from trading_bot.risk.gate import approved_verdict_id

RISES: list[Bar] = [(100, 100.2, 99.8, 100), *[(101, 101.2, 100.8, 101)] * 59]
SOON = NOW + timedelta(minutes=5)
LATE = NOW + timedelta(minutes=16)


def ruling(desk: SmallDesk) -> tuple[str, Decimal, list[str]]:
    """Outcome, size and rules of the verdict after the approval."""
    verdict = desk.journal.get(Verdict, approved_verdict_id(WANTED.id))
    assert verdict is not None
    return verdict.outcome, verdict.quantity, [f.rule for f in verdict.findings]


def test_nothing_is_sent_without_a_person_and_the_request_says_how_much_it_would_be() -> None:
    """It lives for a quarter of an hour of trading time, or as long as the proposal."""
    desk = asked()
    expected = ApprovalRequest(
        at=NOW, proposal_id=WANTED.id, symbol=AAPL, quantity=Decimal(149), risk=Decimal("448.49"), expires_at=NOW + timedelta(minutes=15)
    )
    assert waiting(desk.journal) == (expected,)
    assert desk.journal.count(OrderIntent) == 0
    brief = small_desk(FLAT, under=asks())
    brief.engine.handle(proposal(expires_at=SOON))
    assert waiting(brief.journal)[0].expires_at == SOON


def test_an_approved_proposal_is_sent_once_and_may_be_as_large_as_the_position_limit() -> None:
    """149 shares are 15 % of the equity; without a person 49 would be all."""
    desk = asked()
    assert say(desk) == ""
    assert ruling(desk) == ("approved", 149, [])
    assert desk.engine.ledger.books.positions[AAPL].quantity == 149
    assert ends(desk) == [("granted", "operator")]
    assert waiting(desk.journal) == ()
    assert again(desk).engine.ledger.books.positions[AAPL].quantity == 149
    assert desk.journal.count(OrderIntent) == 2


def test_the_engine_sends_an_approved_proposal_once_however_often_it_is_told() -> None:
    """The first verdict after a person's yes stays, though there would be money and time for another."""
    desk = asked()
    granted = ApprovalEnded(at=NOW, proposal_id=WANTED.id, outcome=ApprovalOutcome.GRANTED, by="operator")
    verdicts = [desk.engine.handle_approved(WANTED, granted) for _ in range(2)]
    assert verdicts[0] == verdicts[1]
    assert desk.journal.count(OrderIntent) == 2
    assert desk.engine.ledger.books.positions[AAPL].quantity == 149


def test_an_approved_proposal_is_judged_on_the_prices_of_that_moment() -> None:
    """The price has risen by 1 % since a person was asked: fewer shares."""
    desk = asked(RISES)
    desk.go_to(SOON)
    say(desk)
    assert ruling(desk) == ("approved", 148, [])
    assert desk.engine.ledger.books.positions[AAPL].average_price > 101


def test_observe_asks_nobody() -> None:
    """What may not be sent is rejected, and a word on it is refused."""
    desk = small_desk(FLAT, under=mandate(autonomy="observe"))
    verdict = desk.engine.handle(WANTED)
    assert verdict is not None
    assert (verdict.outcome, waiting(desk.journal)) == ("rejected", ())
    assert "waits for approval" in say(desk)
    assert desk.journal.count(OrderIntent) == 0


def halt(desk: SmallDesk) -> SmallDesk:
    """Somebody halts the desk."""
    desk.switch.halt("operator", "a test", NOW)
    return desk


def reduce(desk: SmallDesk) -> SmallDesk:
    """Somebody forbids new risk."""
    desk.switch.reduce_only("operator", "a test", NOW)
    return desk


def under(**changed: Any) -> Callable[[SmallDesk], SmallDesk]:  # noqa: ANN401 - fields of the mandate
    """The desk is started again under another mandate."""
    return lambda desk: again(desk, under=mandate(**{"autonomy": "confirm", **changed}))


def without_mandate(desk: SmallDesk) -> SmallDesk:
    """The desk is started again, and no mandate holds any more."""
    return again(desk, authority=Authority(None, desk.clock, "it has expired"))


def wait_for_nothing(desk: SmallDesk) -> SmallDesk:
    """Only the price has moved."""
    return desk


def wait(desk: SmallDesk) -> SmallDesk:
    """The newest price is three minutes old."""
    desk.go_to(SOON + timedelta(minutes=3))
    return desk


def lose(desk: SmallDesk) -> SmallDesk:
    """The last session closed with much more than there is now."""
    point = {"session": "2024-03-04", "label": CLOSE, "equity": 2 * CASH, "cash": CASH, "exposure": 0}
    desk.engine.ledger.note_equity(EquityPoint.model_validate({"at": NOW, **point}))
    return desk


@pytest.mark.parametrize(
    ("bars", "happens", "rule"),
    [
        (FLAT, halt, "desk_state"),
        (FLAT, reduce, "desk_state"),
        (FLAT, under(issued_at=NOW - timedelta(days=2), expires_at=NOW), "mandate_expiry"),
        (FLAT, without_mandate, "mandate"),
        (FLAT, under(autonomy="observe"), "autonomy"),
        (FLAT, under(universe=("SPY",)), "universe"),
        (FLAT, wait, "quote_age"),
        ([*FLAT[:1], *[(109, 109.2, 108.8, 109)] * 9], wait_for_nothing, "price_collar"),
        ([*FLAT[:1], *[(105, 105.2, 104.8, 105)] * 9], wait_for_nothing, "target_ahead"),
        ([*FLAT[:1], *[(96, 96.2, 95.8, 96)] * 9], wait_for_nothing, "stop_side"),
        (FLAT, lose, "daily_loss"),
        (FLAT, under(orders_per_minute=1), "orders_per_minute"),
    ],
)
def test_every_other_rule_still_binds_what_a_person_approved(bars: list[Bar], happens: Callable[[SmallDesk], SmallDesk], rule: str) -> None:
    """What has happened since the person was asked is seen, and nothing is sent."""
    desk = asked(bars)
    desk.go_to(SOON)
    desk = happens(desk)
    assert say(desk) == ""
    outcome, _, rules = ruling(desk)
    assert (outcome, rule in rules) == ("rejected", True)
    assert desk.journal.count(OrderIntent) == 0
    assert ends(desk) == [("granted", "operator")]


def test_of_two_approved_proposals_for_one_symbol_the_second_is_rejected() -> None:
    """One position a symbol, whoever approves."""
    desk = asked()
    second = proposal(id=ProposalId("proposal-2"), decision_id="decision-2")
    desk.engine.handle(second)
    say(desk)
    say(desk, of=second.id, item="word-2")
    verdict = desk.journal.get(Verdict, approved_verdict_id(second.id))
    assert verdict is not None
    assert [f.rule for f in verdict.findings] == ["one_position"]
    assert desk.engine.ledger.books.positions[AAPL].quantity == 149


def test_a_denied_proposal_is_never_sent() -> None:
    """A yes after the no is refused."""
    desk = asked()
    assert say(desk, approve=False) == ""
    assert "denied by operator already" in say(desk, item="word-2")
    assert ends(desk) == [("denied", "operator")]
    assert desk.journal.count(OrderIntent) == 0


def test_silence_is_a_no() -> None:
    """The desk says so itself as soon as the time is over."""
    desk = asked()
    desk.go_to(LATE)
    assert ends(desk) == [("timed_out", "time")]
    assert "timed out by time already" in say(desk)
    assert desk.journal.count(OrderIntent) == 0


def test_silence_is_a_no_while_the_desk_is_away() -> None:
    """The next start finds the time over, and a yes that came in the meantime too late."""
    desk = asked()
    post(desk)
    desk.clock.sleep_until(LATE)
    next_desk = again(desk)
    assert ends(next_desk) == [("timed_out", "time")]
    assert [d.refused for d in desk.journal.all(InboxDone)] == [f"proposal {WANTED.id} was timed out by time already"]
    assert desk.journal.count(OrderIntent) == 0


def test_a_word_while_the_desk_is_away_counts_if_its_next_start_is_in_time() -> None:
    """It waits in the inbox."""
    desk = asked()
    post(desk)
    desk.clock.sleep_until(SOON)
    assert again(desk).engine.ledger.books.positions[AAPL].quantity == 149


def test_a_second_yes_is_refused_and_sends_nothing() -> None:
    """A proposal has one end."""
    desk = asked()
    say(desk)
    assert say(desk, item="word-2") == f"proposal {WANTED.id} was granted by operator already"
    assert say(desk, item="word-3", approve=False) == f"proposal {WANTED.id} was granted by operator already"
    assert desk.journal.count(OrderIntent) == 2


def test_a_word_on_what_nobody_asked_about_is_refused() -> None:
    """Unknown ids, and proposals that are known but do not wait."""
    desk = small_desk(FLAT)
    desk.engine.handle(WANTED)
    for number, identity in enumerate((WANTED.id, "nothing", "../../etc/passwd", "x' OR 1=1 --", "")):
        assert "no proposal" in say(desk, of=identity, item=f"word-{number}")
    assert desk.journal.count(OrderIntent) == 2


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '{"approve":true}', '{"proposal_id":"proposal-1","approve":"perhaps","by":"me"}', "x" * 200_000]
)
def test_what_is_no_approval_is_recorded_as_refused(body: str) -> None:
    """And the desk goes on to the next item."""
    desk = asked()
    desk.journal.post(InboxItem("noise", "approval", body, NOW))
    assert say(desk) == ""
    noise = desk.journal.get(InboxDone, "noise")
    assert noise is not None
    assert noise.refused
    assert len(noise.refused) < 200
    assert desk.engine.ledger.books.positions[AAPL].quantity == 149
