"""What Bybit tells becomes what the desk books, in whatever order and however often it is told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.bybit_kit import BTC, approved, bracket, spec, stop
from trading_bot.brokers.bybit.bookkeeping import Bookkeeper
from trading_bot.brokers.bybit.wire import request
from trading_bot.brokers.roster import Roster
from trading_bot.domain.books import Books
from trading_bot.domain.errors import BrokerUnavailableError, OrderRejectedError
from trading_bot.domain.events import CashReason, CashUpdate, OrderUpdate
from trading_bot.domain.orders import Leg, Order, OrderClass, OrderRole, OrderSpec, OrderState, OrderType, Side
from trading_bot.domain.values import ClientOrderId

BORN = datetime(2026, 3, 2, 12, tzinfo=UTC)
T0 = int(BORN.timestamp() * 1000)


def books(*specs: OrderSpec, category: str = "linear") -> Bookkeeper:
    """Books that begin with 10,000 and know these orders as ours."""
    roster = Roster()
    for each in specs:
        roster.add(approved(each))
    keeper = Bookkeeper(category, roster, ())
    keeper.begin(Decimal(10_000), BORN)
    return keeper


def order_row(link: str, status: str, filled: str = "0", at: int = 1, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """An order of 0.01 at the market as the stream tells it."""
    row = {"orderId": f"v-{link}", "orderLinkId": link, "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}
    money = {"price": "0", "cumExecQty": filled, "cumExecValue": str(Decimal(filled) * 50_000), "stopOrderType": "", "triggerPrice": ""}
    state = {"orderStatus": status, "rejectReason": "EC_NoError", "cancelType": "UNKNOWN", "timeInForce": "IOC"}
    return {**row, **money, **state, "category": "linear", "createdTime": str(T0 + 1), "updatedTime": str(T0 + at), **changed}


def fill_row(link: str, number: int, quantity: str = "0.01", **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """An execution at 50,000 with a fee of 0.1."""
    row = {"execId": f"x-{number}", "orderId": f"v-{link}", "orderLinkId": link, "symbol": "BTCUSDT", "side": "Buy", "execType": "Trade"}
    money = {"execQty": quantity, "execPrice": "50000", "execFee": "0.1", "feeCurrency": "USDT", "orderQty": "0.01", "stopOrderType": ""}
    return {**row, **money, "category": "linear", "execTime": str(T0 + 10 + number), "createType": "CreateByUser", **changed}


def position_row(size: str, stop_loss: str = "", at: int = 20, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """A long of this size."""
    row = {"symbol": "BTCUSDT", "side": "Buy" if Decimal(size) else "", "size": size, "avgPrice": "50000", "stopLoss": stop_loss}
    return {**row, "trailingStop": "0", "positionIdx": 0, "category": "linear", "updatedTime": str(T0 + at), **changed}


def folded(keeper: Bookkeeper) -> Books:
    """The desk's books after all events."""
    found = Books()
    for event in keeper.chronicle.after(0):
        found = found.apply(event)
    return found


def last(keeper: Bookkeeper, identity: str) -> Order:
    """The last word on an order."""
    order = keeper.chronicle.order(ClientOrderId(identity))
    assert order is not None
    return order


ENTRY = ("order", order_row("a-1", "New")), ("order", order_row("a-1", "PartiallyFilled", "0.004", 2))
FILLS = ("execution", fill_row("a-1", 1, "0.004")), ("execution", fill_row("a-1", 2, "0.006"))
DONE = ("order", order_row("a-1", "Filled", "0.01", 3))


@given(st.permutations([*ENTRY, *FILLS, DONE, *FILLS, DONE]))
def test_order_and_repetition_of_what_is_told_do_not_matter(told: list[tuple[str, dict[str, Any]]]) -> None:
    """Any order of the same messages, each told twice, gives the same books, and at each event the order is the sum of its fills."""
    keeper = books(spec("a-1"))
    for topic, row in told:
        keeper.message({"topic": topic, "data": [row]})
    found = folded(keeper)
    assert (found.cash, found.positions[BTC].quantity, found.fees) == (Decimal("9499.8"), Decimal("0.01"), Decimal("0.2"))
    assert last(keeper, "a-1").state is OrderState.FILLED
    filled = Decimal(0)
    for event in keeper.chronicle.after(1):
        assert isinstance(event, OrderUpdate)
        filled += event.fill.quantity if event.fill else 0
        assert event.order.filled_quantity == filled


def test_the_positions_stop_is_the_leg_of_the_entry_and_follows_the_size() -> None:
    """It is accepted with the first part of the position, grows with it, and has the leg's id, role and parent."""
    keeper = books(bracket("a-1", "49000"))
    keeper.position(position_row("0.004", "49000"))
    first = last(keeper, "a-1-stop")
    assert (first.quantity, first.stop_price, first.parent_id, first.role) == (
        Decimal("0.004"),
        Decimal(49_000),
        ClientOrderId("a-1"),
        OrderRole.STOP_LOSS,
    )
    keeper.position(position_row("0.01", "49000", 21))
    grown = last(keeper, "a-1-stop")
    assert (grown.quantity, grown.side, grown.type, grown.state) == (Decimal("0.01"), Side.SELL, OrderType.STOP, OrderState.ACCEPTED)


def test_an_older_word_on_a_position_changes_nothing() -> None:
    """A message that overtook another is recognised by its time."""
    keeper = books(bracket("a-1", "49000"))
    keeper.position(position_row("0.01", "49000", 30))
    count = len(keeper.chronicle.after(0))
    keeper.position(position_row("0", "", 29))
    keeper.position(position_row("0.004", "49000", 28))
    assert len(keeper.chronicle.after(0)) == count
    assert not keeper.unsettled()


def test_executions_of_the_positions_stop_are_booked_under_our_id() -> None:
    """They carry no id of ours; the flat position that is told before them does not end the stop."""
    keeper = books(bracket("a-1", "49000"))
    keeper.execution(fill_row("a-1", 1))
    keeper.order(order_row("a-1", "Filled", "0.01", 3))
    keeper.position(position_row("0.01", "49000"))
    keeper.position(position_row("0", "", 40))
    assert keeper.unsettled()
    by_stop = {"orderLinkId": "", "orderId": "v-9", "side": "Sell", "stopOrderType": "StopLoss", "createType": "CreateByStopLoss"}
    for number in (2, 3):
        keeper.execution(fill_row("", number, "0.005", **by_stop))
    stopped = last(keeper, "a-1-stop")
    assert (stopped.state, stopped.filled_quantity) == (OrderState.FILLED, Decimal("0.01"))
    found = folded(keeper)
    assert not found.positions
    assert found.cash == Decimal("9999.7")


def test_a_stop_that_was_never_seen_resting_is_booked_by_its_executions() -> None:
    """Position and stop came and went between two reads."""
    keeper = books(bracket("a-1", "49000"))
    keeper.execution(fill_row("a-1", 1))
    keeper.execution(fill_row("", 2, orderId="v-9", side="Sell", stopOrderType="StopLoss"))
    keeper.order(order_row("a-1", "Filled", "0.01", 3))
    assert last(keeper, "a-1-stop").state is OrderState.FILLED
    assert not folded(keeper).positions


def test_a_stop_ends_when_the_position_was_seen_without_it_twice() -> None:
    """Closed by another order: the stop is canceled, with the reason."""
    keeper = books(bracket("a-1", "49000"))
    keeper.position(position_row("0.01", "49000"))
    keeper.position(position_row("0", "", 40))
    assert last(keeper, "a-1-stop").state is OrderState.ACCEPTED
    keeper.position(position_row("0", "", 40))
    assert last(keeper, "a-1-stop").state is OrderState.CANCELED
    assert not keeper.unsettled()


def test_a_moved_stop_takes_the_place_of_the_old_one_at_once() -> None:
    """The position shows the new price: the old order says what replaced it."""
    keeper = books(bracket("a-1", "49000"), stop("b-1", "49500"))
    keeper.position(position_row("0.01", "49000"))
    keeper.position(position_row("0.01", "49500", 21))
    old, new = last(keeper, "a-1-stop"), last(keeper, "b-1")
    assert (old.state, old.reason) == (OrderState.CANCELED, "replaced by b-1")
    assert (new.state, new.quantity) == (OrderState.ACCEPTED, Decimal("0.01"))


def test_the_stop_of_an_unfilled_entry_does_not_take_over_from_one_that_works() -> None:
    """A second entry with the same stop price changes nothing while the first one's stop stands there."""
    keeper = books(bracket("a-1", "49000"), bracket("a-2", "49000"))
    keeper.position(position_row("0.01", "49000"))
    keeper = _again(keeper)
    working = [o.client_order_id for o in keeper.chronicle.working()]
    assert len(working) == 1


def test_a_trailing_stop_is_known_by_its_distance() -> None:
    """It has no price that Bybit tells."""
    trailing = spec("t-1", Side.SELL, type=OrderType.TRAILING_STOP, trail=Decimal(300), role=OrderRole.STOP_LOSS)
    keeper = books(trailing)
    keeper.position(position_row("0.01", "", trailingStop="300"))
    assert (last(keeper, "t-1").type, last(keeper, "t-1").stop_price) == (OrderType.TRAILING_STOP, None)


def test_a_stop_set_by_hand_is_not_ours() -> None:
    """Neither by its price nor by its side."""
    keeper = books(stop("b-1", "49500"))
    keeper.position(position_row("0.01", "48000"))
    keeper.position(position_row("0.01", "49500", 21, side="Sell"))
    assert len(keeper.chronicle.after(0)) == 1


@pytest.mark.parametrize("kind", ["BustTrade", "AdlTrade"])
def test_what_the_venue_closes_by_itself_is_booked(kind: str) -> None:
    """A liquidation carries no id: it is a closing order called after the venue's."""
    keeper = books(spec("a-1"))
    keeper.execution(fill_row("a-1", 1))
    keeper.order(order_row("a-1", "Filled", "0.01", 3))
    for number in (2, 3):
        keeper.execution(fill_row("", number, "0.005", orderId="liq", side="Sell", execType=kind, createType="CreateByLiq"))
    closing = last(keeper, "venue-liq")
    assert (closing.role, closing.state, closing.quantity) == (OrderRole.CLOSE, OrderState.FILLED, Decimal("0.01"))
    assert not folded(keeper).positions


def test_what_is_done_by_hand_is_not_booked() -> None:
    """Orders and executions without an id of ours are no events."""
    keeper = books(spec("a-1"))
    keeper.order(order_row("hand", "New"))
    keeper.execution(fill_row("hand", 1))
    keeper.execution(fill_row("", 2, orderId="web"))
    assert len(keeper.chronicle.after(0)) == 1


def test_what_was_before_the_desk_is_not_booked() -> None:
    """The first event holds it already."""
    keeper = books(spec("a-1"))
    keeper.execution(fill_row("a-1", 1, execTime=str(T0)))
    keeper.cash({"id": "1", "type": "SETTLEMENT", "change": "-1", "transactionTime": str(T0)})
    assert len(keeper.chronicle.after(0)) == 1


def test_an_order_that_is_refused_after_its_acknowledgement_ends_rejected() -> None:
    """With Bybit's reason; a part that was executed before makes it a canceled one."""
    keeper = books(spec("a-1"), spec("a-2"))
    keeper.order(order_row("a-1", "Rejected", rejectReason="EC_NoEnoughQtyToFill"))
    assert (last(keeper, "a-1").state, last(keeper, "a-1").reason) == (OrderState.REJECTED, "EC_NoEnoughQtyToFill")
    keeper.execution(fill_row("a-2", 1, "0.004"))
    keeper.order(order_row("a-2", "Rejected", "0.004"))
    assert last(keeper, "a-2").state is OrderState.CANCELED


def test_a_state_or_an_execution_that_nobody_knows_is_said_so() -> None:
    """It is not taken for something else."""
    keeper = books(spec("a-1"))
    with pytest.raises(BrokerUnavailableError, match="Paused"):
        keeper.order(order_row("a-1", "Paused"))
    with pytest.raises(BrokerUnavailableError, match="Gift"):
        keeper.execution(fill_row("a-1", 1, execType="Gift"))


def test_funding_and_transfers_are_cash_and_are_booked_once() -> None:
    """Funding announced by an execution is only a reason to read the log; trades in the log are in the executions already."""
    keeper = books(spec("a-1"))
    keeper.execution(fill_row("", 1, execType="Funding"))
    assert keeper.funding_seen
    rows = [
        ("1", "SETTLEMENT", "-0.5"),
        ("2", "TRANSFER_IN", "100"),
        ("3", "TRADE", "-7"),
        ("4", "AIRDROP", "3"),
        ("1", "SETTLEMENT", "-0.5"),
    ]
    for name, kind, change in rows:
        keeper.cash({"id": name, "type": kind, "change": change, "symbol": "", "transactionTime": str(T0 + 50)})
    told = [(e.reason, e.amount) for e in keeper.chronicle.after(1) if isinstance(e, CashUpdate)]
    assert told == [(CashReason.FUNDING, Decimal("-0.5")), (CashReason.DEPOSIT, 100), (CashReason.OTHER, 3)]


def test_spot_charges_a_buy_in_the_coin() -> None:
    """What is kept of the coin is not in the position, and costs no money; a sale is charged in money."""
    keeper = books(spec("a-1"), spec("a-2", Side.SELL, role=OrderRole.CLOSE), category="spot")
    keeper.execution(fill_row("a-1", 1, category="spot", execFee="0.00001", feeCurrency="BTC"))
    keeper.order(order_row("a-1", "Filled", "0.01", 3, category="spot"))
    found = folded(keeper)
    assert (found.positions[BTC].quantity, found.cash, found.fees) == (Decimal("0.00999"), Decimal(9500), Decimal("0.5"))
    keeper.execution(fill_row("a-2", 2, "0.00999", category="spot", side="Sell", orderQty="0.00999"))
    keeper.order(order_row("a-2", "Filled", "0.00999", 4, category="spot", side="Sell", qty="0.00999"))
    assert not folded(keeper).positions
    assert folded(keeper).cash == Decimal("9999.4")


def test_another_category_on_the_same_stream_is_left_alone() -> None:
    """Bybit streams all categories of the account at once."""
    keeper = books(spec("a-1"))
    keeper.message({"topic": "execution", "data": [fill_row("a-1", 1, category="spot")]})
    keeper.message({"topic": "wallet", "data": [{}]})
    assert len(keeper.chronicle.after(0)) == 1
    assert not keeper.unsettled()


def test_books_go_on_after_a_restart() -> None:
    """A new bookkeeper that is given what was booked tells nothing again, and finds stop and fills by their old ids."""
    keeper = books(bracket("a-1", "49000"))
    keeper.execution(fill_row("a-1", 1))
    keeper.order(order_row("a-1", "Filled", "0.01", 3))
    keeper.position(position_row("0.01", "49000"))
    later = _again(keeper)
    assert later.chronicle.after(0) == ()
    later.execution(fill_row("", 2, orderId="v-9", side="Sell", stopOrderType="StopLoss"))
    assert last(later, "a-1-stop").state is OrderState.FILLED


def _again(keeper: Bookkeeper) -> Bookkeeper:
    """The same messages to a bookkeeper that was restarted."""
    booked = keeper.chronicle.after(0)
    later = Bookkeeper("linear", keeper.stops._roster, booked)
    later.execution(fill_row("a-1", 1)) if any(isinstance(e, OrderUpdate) and e.fill for e in booked) else None
    later.position(position_row("0.01", "49000", 25))
    assert later.born == BORN
    return later


def test_what_is_sent_for_a_perpetual() -> None:
    """One-way, exits only reduce, the stop goes with the entry for the whole position, a conditional entry says its direction."""
    entry = request(bracket("a-1", "49000.0", limit_price=Decimal("50000.10")), "linear")
    assert entry["stopLoss"] == "49000"
    assert (entry["tpslMode"], entry["positionIdx"], entry["reduceOnly"], entry["price"]) == ("Full", 0, False, "50000.1")
    assert request(spec("a-2", Side.SELL, role=OrderRole.CLOSE), "linear")["reduceOnly"] is True
    breakout = request(spec("a-3", type=OrderType.STOP, stop_price=Decimal(51000)), "linear")
    assert (breakout["triggerPrice"], breakout["triggerDirection"], breakout["orderType"]) == ("51000", 1, "Market")


def test_what_is_sent_for_spot() -> None:
    """Quantities are in the coin; a stop is a conditional order, which reserves nothing."""
    assert request(spec("a-1"), "spot")["marketUnit"] == "baseCoin"
    guard = request(stop("b-1", "49000"), "spot")
    assert (guard["orderFilter"], guard["triggerPrice"], guard["side"], guard["qty"]) == ("StopOrder", "49000", "Sell", "0.01")


def test_what_bybit_lacks_is_refused_before_it_is_sent() -> None:
    """Pairs, targets of the position, stops attached in spot, trailing stops in the book."""
    leg = Leg(client_order_id=ClientOrderId("leg"), price=Decimal(49000))
    pair: dict[str, Any] = {"order_class": OrderClass.OCO, "stop_loss": leg, "role": OrderRole.TAKE_PROFIT, "limit_price": Decimal(52000)}
    lacking = [
        (spec("a-1", Side.SELL, **pair), "linear"),
        (bracket("a-2", "49000", take_profit=leg), "linear"),
        (bracket("a-3", "49000"), "spot"),
        (spec("a-4", Side.SELL, type=OrderType.TRAILING_STOP, trail=Decimal(9), role=OrderRole.STOP_LOSS), "spot"),
    ]
    for wanted, category in lacking:
        with pytest.raises(OrderRejectedError, match="nothing was placed"):
            request(wanted, category)


def test_events_are_in_time() -> None:
    """What is told late stands behind what was told before."""
    keeper = books(spec("a-1"))
    keeper.execution(fill_row("a-1", 1))
    keeper.order(order_row("a-1", "Filled", "0.01", 3))
    times = [e.at for e in keeper.chronicle.after(0)]
    assert times == sorted(times)
    assert times[-1] - BORN == timedelta(milliseconds=11)
