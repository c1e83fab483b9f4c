"""Orders on the emulated Bybit, by its real SDK: acknowledged, accepted, triggered, executed, ended, and refused by the venue's codes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from sandbox.bybit_house import BTC, House, house, refused

D = Decimal


@pytest.fixture(scope="module")
def idle() -> Iterator[House]:
    """A venue where nothing that is asked is accepted, so that many tests may share it."""
    with house() as made:
        yield made


@pytest.fixture
def venue() -> Iterator[House]:
    """A venue of its own."""
    with house() as made:
        yield made


def test_an_acknowledgement_is_not_an_acceptance(venue: House) -> None:
    """The order is there when time goes on, not when it was acknowledged; the stream tells each step of its life."""
    with venue.listening() as (ears, _):
        sent = venue.order(orderLinkId="first")
        assert (sent["orderLinkId"], venue.api.evidence.of("order"), ears.statuses("first")) == ("first", [], [])
        venue.go()
        ears.wait("wallet")
        assert ears.statuses("first") == ["New", "Filled"]
    order = venue.find(sent["orderId"])
    assert (order["orderStatus"], order["cumExecQty"], order["timeInForce"], order["createType"]) == (
        "Filled",
        "0.01",
        "IOC",
        "CreateByUser",
    )


def test_a_taker_pays_more_than_a_maker(venue: House) -> None:
    """Linear fees are paid in the quote coin at once; the balance changes by fee and realised profit alone."""
    venue.trade(qty="0.1")
    resting = venue.order("Sell", "0.1", price="60600")
    venue.price("61000")
    taken, made = venue.executions()
    assert (taken["isMaker"], taken["execFee"], taken["feeCurrency"]) == (False, "3.3", "USDT")
    assert (made["isMaker"], made["execPrice"], made["execFee"], made["closedSize"]) == (True, "60600.0", "1.212", "0.1")
    assert taken["execId"] != made["execId"]
    assert venue.find(resting["orderId"])["orderStatus"] == "Filled"
    assert D(venue.coin()["walletBalance"]) == D(10_000) - D("3.3") + D(60) - D("1.212")
    closed = venue.http.get_closed_pnl(category="linear")["result"]["list"]
    assert [(row["side"], row["avgEntryPrice"], row["avgExitPrice"]) for row in closed] == [("Sell", "60000", "60600.0")]


def test_a_resting_order_is_amended_and_canceled(venue: House) -> None:
    """In its place, with its id; then it is closed history, and a second cancel finds nothing."""
    sent = venue.order(price="50000", orderLinkId="rests")
    venue.go()
    venue.http.amend_order(category="linear", symbol=BTC, orderLinkId="rests", qty="0.02", price="51000")
    assert [(o["price"], o["qty"], o["orderStatus"]) for o in venue.working()] == [("51000.0", "0.02", "New")]
    assert refused(venue.http.amend_order, category="linear", symbol=BTC, orderLinkId="rests", qty="0.02") == 10001
    venue.http.cancel_order(category="linear", symbol=BTC, orderId=sent["orderId"])
    assert venue.working() == []
    history = venue.http.get_order_history(category="linear", orderLinkId="rests")["result"]["list"]
    assert [(o["orderStatus"], o["cancelType"], o["leavesQty"]) for o in history] == [("Cancelled", "CancelByUser", "0")]
    assert refused(venue.http.cancel_order, category="linear", symbol=BTC, orderLinkId="rests") == 110001


def test_an_order_that_may_not_take_is_canceled_by_the_engine(venue: House) -> None:
    """It was acknowledged before."""
    order = venue.trade(price="60100", timeInForce="PostOnly")
    assert (order["orderStatus"], order["rejectReason"]) == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")
    order = venue.trade(price="59000", timeInForce="IOC")
    assert (order["orderStatus"], order["rejectReason"]) == ("Cancelled", "EC_NoImmediateQtyToFill")


BAD: dict[str, tuple[int, dict[str, Any]]] = {
    "an unknown symbol": (10001, {"symbol": "NOPEUSDT"}),
    "an unknown spot pair": (170121, {"symbol": "NOPEUSDT", "category": "spot"}),
    "off the tick": (10001, {"price": "50000.05"}),
    "off the tick on spot": (170134, {"price": "50000.005", "category": "spot"}),
    "off the step": (10001, {"qty": "0.0015"}),
    "off the step on spot": (170137, {"qty": "0.0000015", "price": "50000", "category": "spot"}),
    "nothing": (10001, {"qty": "0"}),
    "a negative quantity": (10001, {"qty": "-1"}),
    "no number": (10001, {"qty": "many"}),
    "worth too little": (110094, {"qty": "0.001", "price": "100"}),
    "worth too little on spot": (170140, {"qty": "0.00001", "price": "50000", "category": "spot"}),
    "more than the margin carries": (110007, {"qty": "2"}),
    "more than there is on spot": (170131, {"qty": "1", "price": "50000", "category": "spot"}),
    "what is not held on spot": (170131, {"side": "Sell", "category": "spot"}),
    "hedge mode": (10001, {"positionIdx": 1}),
    "a long client id": (10001, {"orderLinkId": "x" * 37}),
    "a client id with spaces": (10001, {"orderLinkId": "x y"}),
    "reducing nothing": (110017, {"reduceOnly": True}),
    "a stop above a purchase": (10001, {"stopLoss": "61000"}),
    "a target below a purchase": (10001, {"takeProfit": "59000"}),
    "a stop beside reduce-only": (10001, {"reduceOnly": True, "stopLoss": "59000"}),
    "a trigger that was passed, rising": (110092, {"triggerPrice": "59000", "triggerDirection": 1}),
    "a trigger that was passed, falling": (110093, {"triggerPrice": "61000", "triggerDirection": 2}),
    "a trigger without direction": (10001, {"triggerPrice": "61000"}),
    "a price out of range": (110003, {"price": "99999999"}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_order_is_refused_by_its_code(idle: House, what: str) -> None:
    """At once, and nothing is placed."""
    code, said = BAD[what]
    wanted = {"side": "Buy", "qty": "0.01"} | said
    assert refused(idle.order, **wanted) == code
    assert (idle.working(), idle.working("spot")) == ([], [])


def test_a_client_id_is_never_taken_twice(venue: House) -> None:
    """Not even after its order has ended."""
    venue.trade(orderLinkId="once")
    assert refused(venue.order, orderLinkId="once") == 110072
    venue.trade(category="spot", price="50000", orderLinkId="once")
    assert refused(venue.order, category="spot", price="50000", orderLinkId="once") == 170141
    assert refused(venue.http.cancel_order, category="spot", symbol=BTC, orderLinkId="other") == 170213


def test_a_conditional_order_waits_among_the_others(venue: House) -> None:
    """It is listed with them, holds no margin, keeps its id, and is told as triggered before it is filled."""
    with venue.listening() as (ears, _):
        sent = venue.order(triggerPrice="60500", triggerDirection=1, orderLinkId="later", qty="0.02")
        venue.order(price="50000", orderLinkId="rests")
        venue.go()
        assert {o["orderLinkId"]: (o["orderStatus"], o["stopOrderType"]) for o in venue.working()} == {
            "later": ("Untriggered", "Stop"),
            "rests": ("New", "UNKNOWN"),
        }
        only = venue.http.get_open_orders(category="linear", symbol=BTC, orderFilter="StopOrder")["result"]["list"]
        assert [o["orderLinkId"] for o in only] == ["later"]
        venue.price("60600")
        ears.wait("execution")
        venue.until(lambda: ears.statuses("later")[-1:] == ["Filled"])
        assert ears.statuses("later") == ["Untriggered", "Triggered", "Filled"]
    assert (venue.find(sent["orderId"])["orderStatus"], venue.executions()[0]["createType"]) == ("Filled", "CreateByStopOrder")


def test_a_conditional_order_that_the_margin_does_not_carry_ends_when_it_is_triggered(venue: House) -> None:
    """And one that is canceled before is deactivated."""
    big = venue.order(qty="2", triggerPrice="60500", triggerDirection=1)
    other = venue.order(triggerPrice="59000", triggerDirection=2)
    venue.go()
    venue.http.cancel_order(category="linear", symbol=BTC, orderId=other["orderId"])
    venue.price("60600")
    assert (venue.find(big["orderId"])["orderStatus"], venue.find(other["orderId"])["orderStatus"]) == ("Cancelled", "Deactivated")
    assert venue.position()["size"] == "0"


def test_an_order_that_only_reduces_never_opens(venue: House) -> None:
    """It is cut to the position when it is placed and when the position shrinks, and goes when that is gone."""
    venue.trade(qty="0.03")
    resting = venue.order("Sell", "0.05", price="66000", reduceOnly=True)
    venue.go()
    assert venue.find(resting["orderId"])["qty"] == "0.03"
    venue.trade("Sell", "0.01", reduceOnly=True)
    assert venue.find(resting["orderId"])["qty"] == "0.02"
    assert refused(venue.order, "Buy", reduceOnly=True) == 110017
    venue.trade("Sell", "0.09", reduceOnly=True)
    ended = venue.find(resting["orderId"])
    assert (venue.position()["size"], ended["orderStatus"], ended["cancelType"]) == ("0", "Cancelled", "CancelByReduceOnly")


def test_a_spot_purchase_is_charged_in_the_coin(venue: House) -> None:
    """So less is held than was bought, and no more can be sold."""
    order = venue.trade(category="spot", marketUnit="baseCoin")
    (execution,) = venue.executions("spot")
    assert (execution["feeCurrency"], execution["execFee"], venue.coin("BTC")["walletBalance"]) == ("BTC", "0.00001", "0.00999")
    assert "createType" not in execution
    assert (order["orderStatus"], venue.coin()["walletBalance"]) == ("Filled", "9400")
    assert refused(venue.order, "Sell", "0.01", category="spot") == 170131
    sold = venue.trade("Sell", "0.00999", category="spot")
    assert (sold["cumExecFee"], venue.coin("BTC")["walletBalance"]) == ("0.5994", "0")


def test_a_spot_purchase_goes_by_value_unless_it_says_otherwise(venue: House) -> None:
    """`qty` of a market buy is money."""
    order = venue.trade(category="spot", qty="300")
    assert (order["cumExecQty"], order["cumExecValue"], order["orderStatus"]) == ("0.005", "300", "Filled")


def test_a_spot_stop_reserves_nothing_and_a_resting_sale_does(venue: House) -> None:
    """Both may stand beside each other for the same coins."""
    venue.trade(category="spot", marketUnit="baseCoin")
    venue.order("Sell", "0.00999", category="spot", orderFilter="StopOrder", triggerPrice="57000", orderLinkId="stop")
    venue.go()
    assert venue.coin("BTC")["locked"] == "0"
    venue.order("Sell", "0.00999", category="spot", price="66000", orderLinkId="target")
    venue.go()
    assert venue.coin("BTC")["locked"] == "0.00999"
    assert {o["orderLinkId"]: o["orderStatus"] for o in venue.working("spot")} == {"stop": "Untriggered", "target": "New"}
    venue.http.cancel_order(category="spot", symbol=BTC, orderLinkId="target")
    venue.price("56900")
    assert venue.coin("BTC")["walletBalance"] == "0"


def test_everything_of_a_symbol_is_canceled_at_once(venue: House) -> None:
    """Conditional orders too; without a symbol or a coin it is refused."""
    venue.order(price="50000")
    venue.order(triggerPrice="66000", triggerDirection=1)
    venue.go()
    assert refused(venue.http.cancel_all_orders, category="linear") == 10001
    assert len(venue.http.cancel_all_orders(category="linear", symbol=BTC)["result"]["list"]) == 2
    assert venue.working() == []


def test_lists_come_page_by_page_and_the_newest_closed_orders_stay_at_hand(venue: House) -> None:
    """Each order is on exactly one page, whatever arrives meanwhile."""
    for number in range(7):
        venue.order(price="50000", orderLinkId=f"n-{number}")
    venue.go()
    seen, cursor = [], ""
    while True:
        result = venue.http.get_open_orders(category="linear", symbol=BTC, limit=3, cursor=cursor)["result"]
        seen += [o["orderLinkId"] for o in result["list"]]
        venue.order(price="50000")
        if not (cursor := result["nextPageCursor"]):
            break
    assert seen == [f"n-{number}" for number in reversed(range(7))]
    venue.http.cancel_order(category="linear", symbol=BTC, orderLinkId="n-3")
    found = venue.http.get_open_orders(category="linear", symbol=BTC, orderLinkId="n-3")["result"]["list"]
    assert [o["orderStatus"] for o in found] == ["Cancelled"]
    assert refused(venue.http.get_open_orders, category="linear") == 10001


def test_only_five_hundred_closed_orders_stay_at_hand(venue: House) -> None:
    """Older ones are history."""
    for number in range(503):
        venue.api.service.engine.cancel(venue.api.service.engine.create(_asked(venue, f"n-{number}")))
    of_old = {"category": "linear", "orderLinkId": "n-0"}
    assert venue.http.get_open_orders(**of_old)["result"]["list"] == []
    assert len(venue.http.get_order_history(**of_old)["result"]["list"]) == 1
    assert len(venue.http.get_open_orders(category="linear", orderLinkId="n-3")["result"]["list"]) == 1


def _asked(venue: House, link: str) -> Any:  # noqa: ANN401 - an order as the engine takes it
    from trading_bot.sandbox.bybit.orders import Asked  # noqa: PLC0415 - for this one test

    contract = venue.api.service.engine.contract("linear", BTC)
    return Asked(contract, 1, market=False, quantity=D("0.01"), price=D(50_000), link=link)


def test_a_batch_answers_for_each_order(venue: House) -> None:
    """One may be refused while the other is taken."""
    wanted = {"symbol": BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    answer = venue.http.place_batch_order(category="linear", request=[wanted | {"price": "50000"}, wanted | {"price": "1.23"}])
    assert [one["code"] for one in answer["retExtInfo"]["list"]] == [0, 10001]
    venue.go()
    assert len(venue.working()) == 1


def test_a_partly_filled_order_tells_what_is_left() -> None:
    """As much as each quote offers."""
    with house(size=D("0.01")) as venue:
        sent = venue.order(qty="0.03", price="60100")
        venue.go()
        first = venue.find(sent["orderId"])
        venue.go(5)
        assert (first["orderStatus"], first["cumExecQty"], first["leavesQty"]) == ("PartiallyFilled", "0.01", "0.02")
        assert (venue.find(sent["orderId"])["orderStatus"], len(venue.executions())) == ("Filled", 3)
