"""A desk that dies between two writes, or whose venue says no: what the next start finds, and finishes, at a later time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from builders import AAPL, NOW, mandate, proposal
from desks import Bar, SmallDesk, small_desk
from trading_bot.domain.errors import (
    BrokerUnavailableError,
    NoDataError,
    OrderNotFoundError,
    OrderRejectedError,
    OutcomeUnknownError,
    SourceFailedError,
)
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent, OrderRole, OrderType
from trading_bot.domain.proposals import EntryStyle, ProposalKind
from trading_bot.domain.records import Command, CommandAction, CommandDone, DeskState, Send, SendOutcome
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId
from trading_bot.ports import InboxItem

FLAT: list[Bar] = [(100, 100.2, 99.8, 100)] * 60
NIGHT = NOW + timedelta(hours=10)
"""After the close: nothing fills before the next morning."""


class KilledError(Exception):
    """Stands for SIGKILL: nobody in the desk catches it."""


def killed(*_: object) -> None:
    """Die here."""
    raise KilledError


def again(desk: SmallDesk, bars: list[Bar] = FLAT) -> SmallDesk:
    """The next process on the same journal, venue and clock."""
    return small_desk(bars, journal=desk.journal, broker=desk.broker, clock=desk.clock)


def holding(bars: list[Bar] = FLAT) -> SmallDesk:
    """A desk that has bought 49 AAPL, with stops at 97."""
    desk = small_desk(bars)
    desk.engine.handle(proposal())
    return desk


def lose_stops(desk: SmallDesk) -> None:
    """Somebody cancels every stop at the venue by hand."""
    for order in desk.broker.open_orders():
        if order.role is OrderRole.STOP_LOSS:
            desk.broker.cancel(order.client_order_id)


def stops_of(desk: SmallDesk) -> Decimal:
    """Quantity that resting stops would sell."""
    return sum((o.remaining for o in desk.broker.open_orders() if o.role is OrderRole.STOP_LOSS), Decimal(0))


def post(desk: SmallDesk, action: CommandAction, item: str = "item-1") -> None:
    """Put a command into the desk's inbox."""
    desk.journal.post(InboxItem(item, "command", Command(action=action, by="test", reason="a test").canonical(), NOW))


def test_a_position_whose_loss_of_a_stop_was_booked_before_the_kill_gets_its_stop_at_the_next_start() -> None:
    """The events are durable, the stop was not asked for yet, and the venue has nothing new to tell."""
    desk = holding()
    lose_stops(desk)
    desk.engine.protect = killed  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        desk.engine.pump()
    assert stops_of(again(desk)) == 49


def test_a_stop_that_the_venue_refuses_is_followed_by_a_market_exit() -> None:
    """A position gets a stop or is closed; neither is asked for under the same id twice."""
    desk = holding()
    send = desk.broker.submit

    def refusing(order: ApprovedOrder) -> Order:
        if order.spec.type is OrderType.STOP:
            msg = "no stops today"
            raise OrderRejectedError(msg)
        answer: Order = send(order)
        return answer

    desk.broker.submit = refusing
    lose_stops(desk)
    desk.go_to(NOW + timedelta(minutes=1))
    desk.go_to(NOW + timedelta(minutes=2))
    assert desk.engine.ledger.books.positions == {}


def test_a_venue_that_refuses_every_exit_makes_the_desk_reduce_only_and_is_asked_ever_more_slowly() -> None:
    """Each time for a stop and for an exit, under new ids; a restart at a later time does not fail on them."""
    desk = holding()
    desk.broker.submit = _raising(OrderRejectedError("no exits today"))
    lose_stops(desk)
    for minute in range(1, 61):
        desk.go_to(NOW + timedelta(minutes=minute))
    refused = [s for s in desk.journal.all(Send) if s.outcome is SendOutcome.REJECTED]
    minutes = [(s.at - NOW) // timedelta(minutes=1) for s in refused[::2]]
    assert minutes == [1, 2, 3, 4, 5, 6, 7, 9, 12, 17, 22, 27, 32, 37, 42, 47, 52, 57]
    assert len({s.client_order_id for s in refused}) == len(refused)
    assert desk.switch.state() is DeskState.REDUCE_ONLY
    assert again(desk).engine.ledger.books.positions[AAPL].quantity == 49


def test_a_stop_without_an_answer_is_not_asked_for_twice() -> None:
    """It is in flight: resolved by its id, and then the position has exactly one."""
    desk = holding()
    send = desk.broker.submit
    desk.broker.submit = _raising(BrokerUnavailableError("down"))
    lose_stops(desk)
    desk.engine.pump()
    desk.broker.submit = send
    desk.go_to(NOW + timedelta(minutes=1))
    assert stops_of(desk) == 49
    assert desk.journal.count(OrderIntent) == 3


def test_an_exit_is_not_given_up_while_the_venue_cannot_say_what_rests_in_its_way() -> None:
    """It waits as it was meant, and the venue's silence is not taken for a refusal, for which a person would be called."""
    desk = holding()
    traits, look = desk.broker.traits, desk.broker.open_orders
    desk.broker.traits = lambda symbol: traits(symbol).model_copy(update={"exits_reserve": True})
    lose_stops(desk)
    desk.broker.open_orders = _raising(BrokerUnavailableError("asks to wait"))
    desk.engine.pump()
    assert desk.switch.state() is DeskState.RUNNING
    assert [s for s in desk.journal.all(Send) if s.outcome is SendOutcome.ABANDONED] == []
    desk.broker.open_orders = look
    desk.go_to(NOW + timedelta(minutes=1))
    assert stops_of(desk) == 49
    assert desk.journal.count(OrderIntent) == 3


def test_a_position_is_guarded_while_an_entry_into_it_is_in_doubt() -> None:
    """It takes half a minute until an entry is known never to have arrived."""
    desk = holding()
    desk.broker.settles_within = timedelta(seconds=30)
    entry = desk.journal.all(OrderIntent)[0]
    desk.engine.ledger.pending[ClientOrderId("desk01-lost")] = entry.model_copy(update={"at": NOW})
    desk.broker.find = lambda _: None
    lose_stops(desk)
    desk.go_to(NOW + timedelta(seconds=10))
    assert stops_of(desk) == 49
    assert len(desk.engine.ledger.pending) == 1


def test_a_rest_that_is_worth_too_little_to_be_sold_is_left_and_stops_nobody() -> None:
    """The venue was asked, and said so; a person can do no more."""
    desk = holding()
    instrument = desk.engine.judge.view.instrument
    desk.engine.judge.view.instrument = lambda symbol: instrument(symbol).model_copy(  # type: ignore[method-assign]
        update={"minimum_notional": Decimal(100_000)}
    )
    desk.broker.submit = _raising(OrderRejectedError("cost basis must be >= minimal amount of order"))
    lose_stops(desk)
    for minute in range(1, 10):
        desk.go_to(NOW + timedelta(minutes=minute))
    assert len([s for s in desk.journal.all(Send) if s.outcome is SendOutcome.REJECTED]) == 2
    assert desk.switch.state() is DeskState.RUNNING
    assert not desk.engine.restless


def test_what_the_venue_does_hold_is_guarded_though_the_books_say_more() -> None:
    """A drift is for a person to look at; until then the stop is for what is there."""
    desk = holding()
    traits, positions = desk.broker.traits, desk.broker.positions
    desk.broker.traits = lambda symbol: traits(symbol).model_copy(update={"exits_reserve": True})
    desk.broker.positions = lambda: tuple(p.model_copy(update={"quantity": Decimal(40)}) for p in positions())
    lose_stops(desk)
    for minute in range(1, 10):
        desk.go_to(NOW + timedelta(minutes=minute))
    assert stops_of(desk) == 40
    assert desk.switch.state() is DeskState.REDUCE_ONLY


def test_an_order_that_the_venue_will_not_answer_for_holds_up_neither_others_nor_the_guarding() -> None:
    """Its answer may be in words that nobody knows, each time; the position beside it still gets its stop."""
    desk = holding()
    send, find = desk.broker.submit, desk.broker.find
    odd = desk.journal.all(OrderIntent)[0]
    desk.engine.ledger.pending[odd.order.spec.client_order_id] = odd.model_copy(update={"at": NOW})
    desk.broker.find = lambda identity: (
        _raising(BrokerUnavailableError("?"))() if identity == odd.order.spec.client_order_id else find(identity)
    )
    lose_stops(desk)
    desk.broker.submit = _raising(BrokerUnavailableError("down"))
    desk.clock.sleep_until(NOW + timedelta(seconds=10))
    desk.engine.pump()
    assert len(desk.engine.ledger.pending) == 2
    desk.broker.submit = send
    desk.go_to(NOW + timedelta(minutes=1))
    assert stops_of(desk) == 49
    assert list(desk.engine.ledger.pending) == [odd.order.spec.client_order_id]
    lose_stops(desk)
    desk.go_to(NOW + timedelta(minutes=2))
    assert stops_of(desk) == 49


def test_a_stop_that_the_venue_acknowledged_and_lost_is_asked_for_anew() -> None:
    """Nothing ever tells of it: after five seconds it counts as failed, and the position is not left naked for good."""
    desk = holding()
    send, lost = desk.broker.submit, list[ApprovedOrder]()
    first: Order = desk.broker.open_orders()[0]

    def losing(order: ApprovedOrder) -> Order:
        lost.append(order)
        return first

    desk.broker.submit = losing
    lose_stops(desk)
    desk.engine.pump()
    desk.engine.pump()
    assert len(lost) == 1
    desk.broker.submit = send
    desk.clock.sleep_until(NOW + timedelta(seconds=6))
    desk.engine.pump()
    desk.engine.pump()
    assert stops_of(desk) == 49 or desk.engine.ledger.books.positions == {}


def test_an_entry_sent_again_without_an_answer_is_waited_for_anew() -> None:
    """It may be on the way, so it is neither sent once more nor given up at once because the first one never arrived."""
    desk = small_desk(FLAT)
    desk.broker.settles_within = timedelta(seconds=30)
    sent = list[ApprovedOrder]()

    def losing(order: ApprovedOrder) -> Order:
        sent.append(order)
        msg = "no answer"
        raise OutcomeUnknownError(msg)

    desk.broker.submit = losing
    desk.engine.handle(proposal())
    first = len(sent)
    for second in (31, 32, 33, 34, 59):
        desk.clock.sleep_until(NOW + timedelta(seconds=second))
        desk.engine.resolve()
    assert len(sent) == 2 * first
    assert len(desk.engine.ledger.pending) == first


def test_a_close_that_is_not_in_the_books_yet_is_not_sent_again() -> None:
    """Where the venue does not cap exits it would sell twice what is held."""
    desk = holding()
    desk.broker.events = lambda _: ()
    for number in (2, 3):
        desk.engine.handle(
            proposal(action=ProposalKind.CLOSE, id=ProposalId(f"close-{number}"), decision_id=DecisionId(f"decision-{number}"))
        )
    closing = [i.order.spec.quantity for i in desk.journal.all(OrderIntent) if i.order.spec.role is OrderRole.CLOSE]
    assert closing == [49]


def test_an_entry_that_is_not_in_the_books_yet_counts_as_risk() -> None:
    """Between the venue's acknowledgement and its first word of an order another proposal may be judged."""
    desk = small_desk(FLAT)
    desk.broker.events = lambda _: ()
    desk.engine.handle(proposal())
    assert desk.engine.ledger.books.positions == {}
    assert desk.engine.ledger.pending_entries(NOW)[AAPL][0] > 0


def test_a_position_in_what_the_source_does_not_know_any_more_ends_no_desk() -> None:
    """Delisted, renamed, or out of the universe: a person is told once, entries of it are withdrawn, and a flatten goes on."""
    desk = holding()
    told: list[str] = []
    desk.engine._guard._parts.notifier.tell = lambda title, _body: told.append(title)  # type: ignore[assignment, method-assign]
    desk.engine.judge.view.instrument = _raising(NoDataError("delisted"))  # type: ignore[assignment, method-assign]
    lose_stops(desk)
    desk.go_to(NOW + timedelta(minutes=1))
    post(desk, CommandAction.FLATTEN)
    desk.go_to(NOW + timedelta(minutes=2))
    assert told == ["A position cannot be looked after"]
    assert desk.switch.state() is DeskState.HALTED


def test_an_entry_in_doubt_is_given_up_where_no_price_can_be_had() -> None:
    """The venue does not have it, and the source of prices is away: it is not sent late, and the desk goes on."""
    desk = small_desk(FLAT)
    send = desk.broker.submit
    desk.broker.submit = _raising(BrokerUnavailableError("down"))
    desk.engine.handle(proposal())
    desk.broker.submit = send
    desk.engine.judge.view.quote = _raising(SourceFailedError("away"))  # type: ignore[assignment, method-assign]
    desk.engine.resolve()
    assert {s.outcome for s in desk.journal.all(Send)} == {SendOutcome.ABANDONED}


@pytest.mark.parametrize("later", [NOW, NOW + timedelta(seconds=30), NIGHT + timedelta(minutes=5)])
def test_a_flatten_killed_before_it_was_recorded_as_done_is_finished_later(later: datetime) -> None:
    """Its closing orders may rest until the morning; the second run asks for nothing twice."""
    desk = holding()
    desk.go_to(min(later, NIGHT))
    post(desk, CommandAction.FLATTEN)
    desk.inbox._done = killed  # type: ignore[assignment, method-assign]
    with pytest.raises(KilledError):
        desk.inbox.serve()
    intents = desk.journal.count(OrderIntent)
    desk.clock.sleep_until(later)
    second = again(desk)
    assert [c.refused for c in second.journal.all(CommandDone)] == [""]
    assert second.journal.count(OrderIntent) == intents
    closing = sum(o.remaining for o in second.broker.open_orders() if o.role is OrderRole.CLOSE)
    assert sum(p.quantity for p in second.engine.ledger.books.positions.values()) == closing


def test_a_flatten_goes_on_where_an_entry_is_gone_from_the_venue() -> None:
    """An order that cannot be canceled because it is not there holds no close up."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal(style=EntryStyle.PULLBACK, entry=Decimal("98.5")))
    cancel = desk.broker.cancel

    def forgetting(identity: str) -> None:
        cancel(identity)
        msg = "the venue has no such order"
        raise OrderNotFoundError(msg)

    desk.broker.cancel = forgetting
    post(desk, CommandAction.FLATTEN)
    desk.inbox.serve()
    assert desk.broker.open_orders() == ()
    assert len(desk.journal.all(CommandDone)) == 1


@pytest.mark.parametrize("action", [CommandAction.HALT, CommandAction.REDUCE_ONLY])
def test_entries_that_rest_are_withdrawn_when_the_desk_may_take_no_new_risk(action: CommandAction) -> None:
    """A limit that fills after a halt would add risk; the pullback order is taken from the venue."""
    desk = small_desk(FLAT)
    desk.engine.handle(proposal(style=EntryStyle.PULLBACK, entry=Decimal("98.5")))
    assert len(desk.broker.open_orders()) == 2
    post(desk, action)
    desk.go_to(NOW + timedelta(minutes=1))
    assert desk.broker.open_orders() == ()


def test_an_entry_is_not_sent_late_after_the_session_has_closed() -> None:
    """A market order resolved after the close would trade at tomorrow's open, on today's price."""
    desk = small_desk(FLAT * 2, under=mandate(quote_age_seconds=600))
    closing = NOW + timedelta(hours=6, minutes=29, seconds=30)
    desk.go_to(closing - timedelta(minutes=1))
    send = desk.broker.submit
    desk.broker.submit = _raising(BrokerUnavailableError("down"))
    desk.engine.handle(proposal(expires_at=closing + timedelta(hours=1)))
    assert len(desk.engine.ledger.pending) == 2
    desk.broker.submit = send
    desk.go_to(closing + timedelta(minutes=1))
    assert {s.outcome for s in desk.journal.all(Send)} == {SendOutcome.ABANDONED}


def test_an_entry_is_not_sent_late_on_a_quote_that_has_grown_old_meanwhile() -> None:
    """80 s old at the verdict, 150 s when the venue answers again: neither the intent's age nor luck makes it fresh."""
    desk = small_desk(FLAT)
    desk.go_to(NOW + timedelta(seconds=80))
    send = desk.broker.submit
    desk.broker.submit = _raising(BrokerUnavailableError("down"))
    desk.engine.handle(proposal())
    desk.broker.submit = send
    desk.go_to(NOW + timedelta(seconds=150))
    assert {s.outcome for s in desk.journal.all(Send)} == {SendOutcome.ABANDONED}


def test_an_entry_is_not_sent_late_after_its_proposal_has_expired_even_without_a_limit_on_age() -> None:
    """No limit on a quote's age is no licence: the proposal was good for half an hour, the venue answers after forty minutes."""
    desk = small_desk(FLAT, under=mandate(quote_age_seconds="none"))
    send = desk.broker.submit
    desk.broker.submit = _raising(BrokerUnavailableError("down"))
    desk.engine.handle(proposal())
    desk.engine.resolve()
    desk.clock.sleep_until(NOW + timedelta(minutes=40))
    desk.broker.submit = send
    desk.engine.resolve()
    assert {s.outcome for s in desk.journal.all(Send)} == {SendOutcome.ABANDONED}
    assert desk.engine.ledger.books.positions == {}


def _raising(error: Exception) -> Callable[..., Order]:
    def submit(*_: object) -> Order:
        raise error

    return submit
