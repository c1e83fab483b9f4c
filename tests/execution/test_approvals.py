"""A desk that asks a person first: what waits, what a word does, what silence does, and what no word can do."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import AAPL, CASH, NOW, mandate, proposal
from desks import Bar, SmallDesk, small_desk
from execution.dying import deaths
from killing import Day
from trading_bot import config
from trading_bot.config import Config
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Proposal, Verdict, VerdictOutcome
from trading_bot.domain.records import (
    CLOSE,
    Approval,
    ApprovalEnded,
    ApprovalRequest,
    EquityPoint,
    InboxDone,
)
from trading_bot.domain.values import ProposalId
from trading_bot.execution.approvals import APPROVE, Authenticate, approval_fields, waiting
from trading_bot.execution.parts import Authority
from trading_bot.ports import InboxItem
from trading_bot.risk.gate import approved_verdict_id
from trading_bot.risk.operator import create_operator_key, pinned_key, sign_statement, verify_statement
from trading_bot.storage.export import export
from trading_bot.storage.journal import SqlJournal

FLAT: list[Bar] = [(100, 100.2, 99.8, 100)] * 60
RISES: list[Bar] = [(100, 100.2, 99.8, 100), *[(101, 101.2, 100.8, 101)] * 59]
SOON = NOW + timedelta(minutes=5)
LATE = NOW + timedelta(minutes=16)
PASSPHRASE = "correct horse battery"  # noqa: S105 - of a key that lives as long as its test
WANTED = proposal()


def asks(**limits: Any) -> Mandate:  # noqa: ANN401 - values of limits
    """A mandate under which a person is asked."""
    return mandate(autonomy="confirm", **limits)


def asked(bars: list[Bar] = FLAT, under: Mandate | None = None, **parts: Any) -> SmallDesk:  # noqa: ANN401 - parts of the desk
    """A desk that waits for a person's word on AAPL."""
    desk = small_desk(bars, under=under or asks(), **parts)
    verdict = desk.engine.handle(WANTED)
    assert verdict is not None
    assert verdict.outcome is VerdictOutcome.NEEDS_APPROVAL
    return desk


def again(desk: SmallDesk, bars: list[Bar] = FLAT, **parts: Any) -> SmallDesk:  # noqa: ANN401 - parts of the desk
    """The next process on the same journal, venue and clock."""
    return small_desk(bars, **{"under": asks(), **parts}, journal=desk.journal, broker=desk.broker, clock=desk.clock)


def post(desk: SmallDesk, *, approve: bool = True, item: str = "word-1", of: str = WANTED.id, proof: str = "") -> None:
    """Put a person's word into the inbox."""
    body = Approval(proposal_id=ProposalId(of), approve=approve, by="operator", proof=proof).canonical()
    desk.journal.post(InboxItem(item, "approval", body, NOW))


def say(desk: SmallDesk, **word: Any) -> str:  # noqa: ANN401 - as `post`
    """Put a person's word into the inbox, have it served, return why it was refused."""
    post(desk, **word)
    desk.inbox.serve()
    done = desk.journal.get(InboxDone, word.get("item", "word-1"))
    assert done is not None
    return done.refused


def ruling(desk: SmallDesk) -> tuple[str, Decimal, list[str]]:
    """Outcome, size and rules of the verdict after the approval."""
    verdict = desk.journal.get(Verdict, approved_verdict_id(WANTED.id))
    assert verdict is not None
    return verdict.outcome, verdict.quantity, [f.rule for f in verdict.findings]


def ends(desk: SmallDesk) -> list[tuple[str, str]]:
    """How each waiting ended, and by whom."""
    return [(e.outcome, e.by) for e in desk.journal.all(ApprovalEnded)]


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


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's folder."""
    folder = tmp_path_factory.mktemp("operator")
    create_operator_key(folder, PASSPHRASE)
    return folder


def by_key(folder: Path, later: timedelta = timedelta(minutes=1)) -> Authenticate:
    """What a desk on a real clock demands, so much later than the proof was made."""

    def authenticate(word: Approval, wanted: Proposal) -> None:
        verify_statement(word.proof, APPROVE, approval_fields("desk01", wanted), pinned_key(folder), NOW + later)

    return authenticate


def signed(folder: Path, kind: str = APPROVE, desk: str = "desk01", of: Proposal = WANTED) -> str:
    """The operator's statement."""
    return sign_statement(kind, approval_fields(desk, of), folder, PASSPHRASE, NOW)


def test_a_proof_for_this_very_proposal_lets_it_pass(keys: Path) -> None:
    """Signed with the operator's key, a minute ago."""
    desk = asked(authenticate=by_key(keys))
    assert say(desk, proof=signed(keys)) == ""
    assert desk.engine.ledger.books.positions[AAPL].quantity == 149


def test_a_bad_proof_is_refused_and_the_proposal_waits_on(keys: Path, tmp_path: Path) -> None:
    """None, noise, another purpose, another desk, another proposal, the same id with other content, another key, another word."""
    create_operator_key(tmp_path, PASSPHRASE)
    other, larger = proposal(id=ProposalId("proposal-2")), proposal(stop_loss=Decimal(99))
    proofs = [
        "",
        "yes",
        "{}",
        signed(keys, kind="resume"),
        signed(keys, desk="desk02"),
        signed(keys, of=other),
        signed(keys, of=larger),
        signed(tmp_path),
        signed(keys).replace("approve", "APPROVE"),
    ]
    desk = asked(authenticate=by_key(keys))
    for number, proof in enumerate(proofs):
        assert say(desk, proof=proof, item=f"word-{number}"), proof
    assert (len(waiting(desk.journal)), desk.journal.count(OrderIntent), ends(desk)) == (1, 0, [])
    assert say(desk, proof=signed(keys), item="in the end") == ""
    assert desk.engine.ledger.books.positions[AAPL].quantity == 149


def test_a_proof_holds_for_minutes(keys: Path) -> None:
    """One that lay about is none."""
    desk = asked(authenticate=by_key(keys, later=timedelta(minutes=6)))
    assert "make it again at a terminal" in say(desk, proof=signed(keys))
    assert desk.journal.count(OrderIntent) == 0


def test_a_no_needs_no_proof(keys: Path) -> None:
    """Nobody is kept from being careful."""
    desk = asked(authenticate=by_key(keys))
    assert say(desk, approve=False) == ""
    assert ends(desk) == [("denied", "operator")]


def life_of(approve: bool, desk: SmallDesk) -> None:  # noqa: FBT001 - told apart by the table
    """A person is asked, and answers."""
    desk.engine.handle(WANTED)
    post(desk, approve=approve)
    desk.inbox.serve()


def on_disk(folder: Path) -> SqlJournal:
    """A new journal."""
    return SqlJournal.open(folder / f"{uuid.uuid4().hex}.db", desk="desk01")


@pytest.mark.parametrize("approve", [True, False])
def test_an_approval_killed_anywhere_repeats_nothing_and_loses_nothing(approve: bool, tmp_path: Path) -> None:  # noqa: FBT001 - told apart by the table
    """Before, within and after every transaction, before and after every order: the export of a desk that was left alone."""
    quiet = small_desk(FLAT, under=asks())
    life_of(approve, quiet)
    expected = list(export(quiet.journal))
    for number, desk in deaths(lambda: small_desk(FLAT, under=asks(), journal=on_disk(tmp_path)), lambda desk: life_of(approve, desk)):
        next_desk = again(desk)
        life_of(approve, next_desk)
        next_desk.engine.resolve()
        assert list(export(next_desk.journal)) == expected, f"killed at {number}"


class AskingDay(Day):
    """A simulated day on which nobody answers."""

    @property
    def settings(self) -> Config:
        """A person is asked."""
        return config.load(flags={"seed": self.seed, "risk.autonomy": "confirm"})


def test_a_day_of_unanswered_requests_killed_on_its_way_is_the_same_day(tmp_path: Path) -> None:
    """SIGKILL around the transactions in which requests are made and end."""
    quiet = AskingDay(tmp_path / "quiet", 3)
    quiet.home.mkdir()
    assert quiet.finish() == 1
    assert sum('"kind":"approval"' in line for line in quiet.exported()) == 2
    for point in (150, 158, 164, 184, 188, 192):
        day = AskingDay(tmp_path / str(point), 3)
        day.home.mkdir()
        assert day.finish(kill_at=point) == 2
        assert day.exported() == quiet.exported()
        assert day.problems() == []
