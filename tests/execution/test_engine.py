"""The engine with the real gate, journal and paper broker: what it sends, when, and what it never sends."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import AAPL, NOW, mandate, proposal
from desks import Bar, SmallDesk, small_desk
from trading_bot.domain.books import Account
from trading_bot.domain.errors import BrokerUnavailableError, NotApprovedError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent, OrderRole
from trading_bot.domain.proposals import Proposal, ProposalKind, Verdict
from trading_bot.domain.records import Command, CommandAction, CommandDone, DeskState, Doubt, Drift, Send, SendOutcome
from trading_bot.domain.values import ClientOrderId, ProposalId
from trading_bot.execution.engine import Engine
from trading_bot.ports import InboxItem
from trading_bot.storage.memory import MemoryJournal

FLAT: list[Bar] = [(100, 100.2, 99.8, 100)] * 60
FALLS: list[Bar] = [*FLAT[:3], (100, 100.1, 96.5, 96.8), *[(96.8, 97, 96.6, 96.8)] * 50]
RISES: list[Bar] = [*FLAT[:3], (100, 105, 99.9, 104.9), *[(104.9, 105.1, 104.7, 104.9)] * 50]


def close() -> Proposal:
    """A proposal to close AAPL."""
    return proposal(id=ProposalId("closing"), decision_id="closing", action=ProposalKind.CLOSE, entry=None, stop_loss=None, targets=())


def test_an_approved_entry_is_filled_and_every_share_has_its_stop_at_the_venue() -> None:
    """49 shares at the ask of 100.01; two stops of 24 and 25 rest at 97."""
    desk = small_desk(FLAT)
    verdict = desk.engine.handle(proposal())
    assert verdict is not None
    assert (verdict.outcome, verdict.quantity) == ("reduced", 49)
    books = desk.engine.ledger.books
    assert books.positions[AAPL].quantity == 49
    assert books.positions[AAPL].average_price == Decimal("100.01")
    stops = [(o.remaining, o.stop_price) for o in desk.broker.open_orders() if o.role is OrderRole.STOP_LOSS]
    assert sorted(stops) == [(24, Decimal(97)), (25, Decimal(97))]


def test_verdict_and_intents_are_durable_before_anything_is_sent() -> None:
    """A broker that looks into the journal at the moment of the call finds both."""
    desk = small_desk(FLAT)
    seen: list[bool] = []
    send = desk.broker.submit

    def looking(order: ApprovedOrder) -> Order:
        verdict = desk.journal.get(Verdict, order.verdict_id)
        seen.append(
            verdict is not None
            and order.digest in verdict.digests
            and desk.journal.get(OrderIntent, order.spec.client_order_id) is not None
        )
        answer: Order = send(order)
        return answer

    desk.broker.submit = looking
    desk.engine.handle(proposal())
    assert seen == [True, True]


def test_the_same_proposal_again_gets_the_same_verdict_and_no_new_order() -> None:
    """Handling is idempotent by proposal."""
    desk = small_desk(FLAT)
    first = desk.engine.handle(proposal())
    assert desk.engine.handle(proposal()) == first
    assert desk.engine.ledger.books.positions[AAPL].quantity == 49
    assert desk.journal.count(OrderIntent) == 2


def test_an_order_that_differs_from_its_verdict_by_one_digit_is_not_sent() -> None:
    """The digest is compared before every send."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal())
    intent = desk.journal.all(OrderIntent)[0]
    forged_spec = intent.order.spec.model_copy(update={"quantity": Decimal(4900), "client_order_id": "desk01-forged"})
    forged = intent.model_copy(update={"order": intent.order.model_copy(update={"spec": forged_spec})})
    desk.journal.append(forged)
    desk.engine.ledger.note_intents([forged])
    with pytest.raises(NotApprovedError, match="was not sent"):
        desk.engine.resolve()
    assert desk.broker.find(ClientOrderId("desk01-forged")) is None


def test_a_stop_that_is_hit_closes_the_position_and_cancels_the_target() -> None:
    """The bar that falls to 96.50 takes both stops; nothing rests afterwards."""
    desk = small_desk(FALLS)
    desk.engine.handle(proposal())
    desk.go_to(NOW + timedelta(minutes=30))
    assert desk.engine.ledger.books.positions == {}
    assert desk.broker.open_orders() == ()
    assert [t.exit_role for t in desk.engine.ledger.trades.closed] == [OrderRole.STOP_LOSS]
    assert desk.engine.ledger.trades.closed[0].profit < -140


def test_a_target_that_is_hit_leaves_the_rest_with_its_stop() -> None:
    """The first target at 104.50 sells 24; 25 stay, guarded by 25."""
    desk = small_desk(RISES)
    desk.engine.handle(proposal())
    desk.go_to(NOW + timedelta(minutes=30))
    assert desk.engine.ledger.books.positions[AAPL].quantity == 25
    assert [o.remaining for o in desk.broker.open_orders() if o.role is OrderRole.STOP_LOSS] == [25]


def test_a_stop_can_be_moved_to_less_risk_and_not_to_more() -> None:
    """Up from 97 to 99 passes; down to 95 is refused."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal())
    move = {"action": ProposalKind.MOVE_STOP, "entry": None, "targets": ()}
    up = desk.engine.handle(proposal(id=ProposalId("up"), decision_id="up", stop_loss=Decimal(99), **move))
    down = desk.engine.handle(proposal(id=ProposalId("down"), decision_id="down", stop_loss=Decimal(95), **move))
    assert up is not None
    assert down is not None
    assert (up.outcome, down.outcome) == ("approved", "rejected")
    assert [f.rule for f in down.findings] == ["less_risk_only"]
    stops = [o for o in desk.broker.open_orders() if o.role is OrderRole.STOP_LOSS]
    assert sorted((o.remaining, o.stop_price) for o in stops) == [(24, Decimal(99)), (25, Decimal(99))]


def test_a_stop_moved_beyond_the_price_is_a_market_exit() -> None:
    """A stop at 101 with the market at 100 cannot rest."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal())
    desk.engine.handle(
        proposal(id=ProposalId("up"), decision_id="up", action=ProposalKind.MOVE_STOP, entry=None, targets=(), stop_loss=Decimal(101))
    )
    assert desk.engine.ledger.books.positions == {}


def test_a_halted_desk_sends_no_entry_and_still_closes(tmp_path: Path) -> None:
    """HALT is looked at before every send; closing passes."""
    desk = small_desk(FLAT, halt_file=tmp_path / "HALT")
    desk.engine.handle(proposal())
    desk.switch.halt("test", "a test", NOW)
    again = desk.engine.handle(proposal(id=ProposalId("two"), decision_id="two"))
    closing = desk.engine.handle(close())
    assert again is not None
    assert closing is not None
    assert (again.outcome, closing.outcome) == ("rejected", "approved")
    assert desk.engine.ledger.books.positions == {}


def test_a_halt_between_verdict_and_send_stops_the_send(tmp_path: Path) -> None:
    """The first of two brackets goes out, HALT appears, the second is abandoned; what was bought keeps its stop."""
    halt = tmp_path / "HALT"
    desk = small_desk(FLAT, halt_file=halt)
    send = desk.broker.submit

    def halting(order: ApprovedOrder) -> Order:
        answer: Order = send(order)
        halt.touch()
        return answer

    desk.broker.submit = halting
    desk.engine.handle(proposal())
    assert [s.outcome for s in desk.journal.all(Send)] == [SendOutcome.ACKNOWLEDGED, SendOutcome.ABANDONED]
    assert desk.engine.ledger.books.positions[AAPL].quantity == 24
    assert [o.remaining for o in desk.broker.open_orders() if o.role is OrderRole.STOP_LOSS] == [24]


def test_a_send_without_an_answer_is_resolved_by_its_id_and_never_sent_under_another() -> None:
    """The venue took the order, the answer was lost: found, acknowledged, one position, no new id."""
    desk = small_desk(FLAT)
    send = desk.broker.submit

    def losing(order: ApprovedOrder) -> Order:
        send(order)
        raise OutcomeUnknownError("the answer was lost; the order MAY have been placed")

    desk.broker.submit = losing
    desk.engine.handle(proposal())
    assert desk.journal.all(Send) == ()
    desk.engine.resolve()
    assert {s.outcome for s in desk.journal.all(Send)} == {SendOutcome.ACKNOWLEDGED}
    assert [d.found for d in desk.journal.all(Doubt)] == [True, True]
    assert desk.engine.ledger.books.positions[AAPL].quantity == 49


def test_an_order_that_never_arrived_is_sent_again_under_its_own_id_while_its_price_is_fresh() -> None:
    """The same two ids, once each at the venue."""
    desk = small_desk(FLAT)
    send = desk.broker.submit
    desk.broker.submit = _raising(BrokerUnavailableError("down"))
    desk.engine.handle(proposal())
    desk.broker.submit = send
    desk.engine.resolve()
    desk.engine.pump()
    assert desk.engine.ledger.books.positions[AAPL].quantity == 49
    assert desk.journal.count(OrderIntent) == 2


def test_an_entry_that_never_arrived_is_abandoned_when_its_price_has_grown_old() -> None:
    """Two minutes later the quote of the verdict is past its limit of 90 seconds."""
    desk = small_desk(FLAT)
    send = desk.broker.submit
    desk.broker.submit = _raising(BrokerUnavailableError("down"))
    desk.engine.handle(proposal())
    desk.broker.submit = send
    desk.go_to(NOW + timedelta(minutes=2))
    assert {s.outcome for s in desk.journal.all(Send)} == {SendOutcome.ABANDONED}
    assert desk.engine.ledger.books.positions == {}


def test_a_rejection_by_the_venue_is_recorded_and_the_day_goes_on() -> None:
    """Nothing was placed; the reason stands in the journal."""
    desk = small_desk(FLAT)
    desk.broker.submit = _raising(OrderRejectedError("not today"))
    desk.engine.handle(proposal())
    assert [(s.outcome, s.reason) for s in desk.journal.all(Send)] == [(SendOutcome.REJECTED, "not today")] * 2
    assert desk.engine.ledger.books.positions == {}


def _raising(error: Exception) -> Callable[[ApprovedOrder], Order]:
    def submit(_order: ApprovedOrder) -> Order:
        raise error

    return submit


def test_a_position_that_loses_its_stop_gets_one_again_at_the_same_price() -> None:
    """Somebody cancels a stop at the venue by hand: a new one rests for the naked part."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal())
    stop = next(o for o in desk.broker.open_orders() if o.role is OrderRole.STOP_LOSS)
    desk.broker.cancel(stop.client_order_id)
    desk.engine.pump()
    stops = [o for o in desk.broker.open_orders() if o.role is OrderRole.STOP_LOSS]
    assert sum(o.remaining for o in stops) == 49
    assert {o.stop_price for o in stops} == {Decimal(97)}


def test_drift_makes_the_desk_reduce_only_and_nothing_is_traded_to_mend_it() -> None:
    """A position that the books do not know: told, not touched."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal())
    positions = desk.broker.positions()
    desk.broker.positions = lambda: (positions[0].model_copy(update={"quantity": Decimal(60)}),)
    before = desk.journal.count(OrderIntent)
    assert [str(d) for d in desk.engine.reconcile()] == ["position AAPL: books 49, broker 60"]
    assert desk.switch.state() is DeskState.REDUCE_ONLY
    assert len(desk.journal.all(Drift)) == 1
    assert desk.journal.count(OrderIntent) == before


def test_without_a_mandate_nothing_is_opened_and_everything_can_be_closed() -> None:
    """An expired mandate stops new risk; a position can still be closed."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal())
    expired = small_desk(
        FLAT, journal=desk.journal, broker=desk.broker, clock=desk.clock, under=mandate(issued_at=NOW - timedelta(days=2), expires_at=NOW)
    )
    verdict = expired.engine.handle(proposal(id=ProposalId("two"), decision_id="two"))
    assert verdict is not None
    assert "mandate_expiry" in [f.rule for f in verdict.findings]
    expired.engine.handle(close())
    assert expired.engine.ledger.books.positions == {}


def test_flatten_cancels_entries_closes_everything_and_does_so_once() -> None:
    """A command by its item id: repeated after a crash it does nothing new."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal())
    body = Command(action=CommandAction.FLATTEN, by="test", reason="a test").canonical()
    desk.journal.post(InboxItem("item-1", "command", body, NOW))
    assert desk.inbox.serve() == 1
    assert desk.engine.ledger.books.positions == {}
    assert desk.broker.open_orders() == ()
    intents = desk.journal.count(OrderIntent)
    desk.engine.flatten("item-1")
    assert desk.journal.count(OrderIntent) == intents
    assert [c.refused for c in desk.journal.all(CommandDone)] == [""]


def test_an_unreadable_command_is_consumed_and_told() -> None:
    """It is not carried out, and does not come again."""
    desk = small_desk(FLAT)
    desk.journal.post(InboxItem("item-1", "command", '{"action":"buy"}', NOW))
    desk.inbox.serve()
    assert desk.journal.pending() == ()
    assert desk.journal.all(CommandDone)[0].refused.startswith("not a command")


def test_books_rebuilt_from_the_journal_equal_those_kept_in_memory() -> None:
    """A restart changes nothing that the desk knows."""
    desk = small_desk(RISES)
    desk.engine.handle(proposal())
    desk.go_to(NOW + timedelta(minutes=30))
    again = Engine(desk.engine._parts)
    assert again.ledger.books == desk.engine.ledger.books
    assert again.ledger.trades.closed == desk.engine.ledger.trades.closed
    assert [row.event.sequence for row in desk.journal.all(BookedEvent)] == list(range(1, desk.engine.ledger.books.sequence + 1))


bar = st.tuples(st.floats(90, 110), st.floats(0, 3), st.floats(0, 3), st.floats(-2, 2)).map(
    lambda b: (round(b[0], 2), round(b[0] + b[1] + abs(b[3]), 2), round(b[0] - b[2] - abs(b[3]), 2), round(b[0] + b[3], 2))
)


@settings(max_examples=40, deadline=None)
@given(bars=st.lists(bar, min_size=12, max_size=24), steps=st.lists(st.integers(1, 40), min_size=3, max_size=8))
def test_whatever_the_market_does_books_equal_broker_and_nothing_is_naked(bars: list[Bar], steps: list[int]) -> None:
    """Random bars, looked at at random moments: cash, positions and orders agree, stops cover what is held."""
    desk: SmallDesk = small_desk([(100, 100.2, 99.8, 100), *bars])
    desk.engine.handle(proposal())
    moment = NOW
    for step in steps:
        moment += timedelta(minutes=step)
        desk.go_to(moment)
        assert desk.engine.reconcile() == ()
        held = desk.engine.ledger.books.positions.get(AAPL)
        stops = sum((o.remaining for o in desk.broker.open_orders() if o.role is OrderRole.STOP_LOSS), Decimal(0))
        closing = sum((o.remaining for o in desk.broker.open_orders() if o.role is OrderRole.CLOSE), Decimal(0))
        assert (held.quantity if held else 0) <= stops + closing
    assert isinstance(desk.journal, MemoryJournal)


def test_an_order_is_judged_by_the_account_of_its_own_moment() -> None:
    """Read once with the comparison before it, and anew for whatever is judged later."""
    desk = small_desk(FLAT)
    account, asked = desk.broker.account, []

    def counted() -> Account:
        asked.append(desk.clock.now())
        found: Account = account()
        return found

    desk.broker.account = counted
    assert desk.engine.judge.account() == account()
    asked.clear()
    desk.engine.handle(proposal())
    assert len(asked) == 1
    poor = account().model_copy(update={"buying_power": Decimal(0)})
    desk.broker.account = lambda: poor
    assert desk.engine.judge.account() == poor
