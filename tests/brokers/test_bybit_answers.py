"""Odd answers of a scripted Bybit: what is set is read back, what exists is looked up, and what is not sure is said to be unknown."""

import json
import random
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.bybit_kit import BTC, KEYS, Call, Said, Scripted, approved, perpetual, settings, spec, stop
from brokers.test_bybit_books import books, order_row
from trading_bot.brokers.bybit import BybitBroker
from trading_bot.brokers.bybit.accounts import margin_states
from trading_bot.brokers.bybit.wire import order_of
from trading_bot.domain.errors import BrokerUnavailableError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.orders import OrderState, Side
from trading_bot.domain.perpetual import MarginState
from trading_bot.domain.values import ClientOrderId
from trading_bot.execution.clock import RealClock

CREATE, CANCEL, STOP = "/v5/order/create", "/v5/order/cancel", "/v5/position/trading-stop"
POSITIONS, LEVERAGE, MODE = "/v5/position/list", "/v5/position/set-leverage", "/v5/position/switch-mode"
OPEN, CLOSED = "/v5/order/realtime", "/v5/order/history"


@pytest.fixture
def venue() -> Iterator[Scripted]:
    """A scripted Bybit with a flat position at a leverage of 2."""
    with Scripted() as scripted:
        scripted.say("/v5/user/query-api", Said({"userID": 1}))
        scripted.say(POSITIONS, listed(position()))
        scripted.say(CREATE, Said({"orderId": "v-1"}))
        yield scripted


def listed(*rows: dict[str, Any]) -> Said:
    """A list."""
    return Said({"list": list(rows), "nextPageCursor": ""})


def position(size: str = "0", stop_loss: str = "", **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """A row of the list of positions."""
    row = {"symbol": BTC, "side": "Buy" if size != "0" else "", "size": size, "leverage": "2", "positionIdx": 0, "stopLoss": stop_loss}
    return {**row, "trailingStop": "", "updatedTime": "1700000000000", **changed}


def broker(venue: Scripted) -> BybitBroker:
    """An adapter that was not opened: it has no stream."""
    clock = RealClock(threading.Event())
    return BybitBroker(settings(venue.url), KEYS, "1", perpetual, clock, time.monotonic, random.Random(1).random)


def test_no_entry_before_the_leverage_is_read_back(venue: Scripted) -> None:
    """The venue says yes and shows another one: nothing is placed."""
    venue.say(POSITIONS, listed(position(leverage="10")))
    with pytest.raises(OrderRejectedError, match="leverage of 2"):
        broker(venue).submit(approved(spec("a-1")))
    assert venue.sent(LEVERAGE) == [{"category": "linear", "symbol": BTC, "buyLeverage": "2", "sellLeverage": "2"}]
    assert venue.sent(CREATE) == []


@pytest.mark.parametrize("row", [{}, {"orderId": "v-1", "side": "Sideways"}, {"orderId": "v-1", "qty": "many"}, {"qty": None}])
def test_a_list_in_words_that_nobody_knows_is_no_answer(venue: Scripted, row: dict[str, Any]) -> None:
    """The venue is asked again later; the desk does not fall over, and takes nothing for empty."""
    venue.say(OPEN, listed({"symbol": BTC, "side": "Buy", "orderLinkId": "hand-1", **row}))
    venue.say(POSITIONS, listed({"symbol": BTC, "size": "some", **row}))
    for ask in (broker(venue).open_orders, broker(venue).positions):
        with pytest.raises(BrokerUnavailableError):
            ask()


@pytest.mark.parametrize(("told", "liquidation"), [("27000.5", Decimal("27000.5")), ("", None), ("0", None), ("0.00", None)])
def test_margins_are_told_as_the_venue_reckons_them(venue: Scripted, told: str, liquidation: Decimal | None) -> None:
    """An empty price or a 0 means that none would bring the liquidation about; what is not held is not told."""
    flat = position(markPrice="3000", liqPrice="") | {"symbol": "ETHUSDT"}
    venue.say(POSITIONS, listed(position("0.01", markPrice="50000.1", liqPrice=told), flat))
    assert broker(venue).standing() == {BTC: MarginState(symbol=BTC, mark=Decimal("50000.1"), liquidation=liquidation)}


@pytest.mark.parametrize("changed", [{}, {"markPrice": ""}, {"markPrice": "0"}, {"markPrice": "much"}, {"markPrice": "1", "liqPrice": "x"}])
def test_a_margin_in_words_that_nobody_knows_is_no_answer(venue: Scripted, changed: dict[str, str]) -> None:
    """A position without a mark price is not taken for one that is far from its end."""
    venue.say(POSITIONS, listed(position("0.01", **changed)))
    with pytest.raises(BrokerUnavailableError, match="reading margins"):
        broker(venue).standing()


def test_recorded_margins_are_read(shared: Path) -> None:
    """Of Bybit's documentation, and of another client's recordings."""
    folder = shared / "fixtures" / "bybit"
    for name in ("docs_v5/position_position_0_Response_Example.json", "nautilus_lgpl/http_get_positions.json"):
        rows = json.loads((folder / name).read_text())["result"]["list"]
        held = [row for row in rows if float(row["size"] or 0)]
        states = margin_states(rows)
        assert {symbol: state.mark for symbol, state in states.items()} == {r["symbol"]: Decimal(r["markPrice"]) for r in held}


def test_no_entry_in_hedge_mode(venue: Scripted) -> None:
    """One-way mode is asked for, and has to be shown."""
    venue.say(POSITIONS, listed(position(positionIdx=1), position(positionIdx=2)))
    with pytest.raises(OrderRejectedError, match="one-way"):
        broker(venue).submit(approved(spec("a-1")))
    assert venue.sent(MODE) == [{"category": "linear", "symbol": BTC, "mode": 0}]
    assert venue.sent(CREATE) == []


def test_a_setting_without_an_answer_is_no_order_without_an_answer(venue: Scripted) -> None:
    """Nothing was placed, and it can be tried again; what was set already is no refusal."""
    venue.say(POSITIONS, listed(position(leverage="3")))
    venue.say(LEVERAGE, None)
    desk = broker(venue)
    with pytest.raises(BrokerUnavailableError):
        desk.submit(approved(spec("a-1")))
    rows = iter([listed(position(leverage="3")), listed(position())])
    venue.answers[POSITIONS] = lambda _: next(rows)
    venue.say(LEVERAGE, Said(code=110043, message="leverage not modified"))
    assert desk.submit(approved(spec("a-1"))).state is OrderState.SUBMITTED
    assert len(venue.sent(CREATE)) == 1


def test_exits_wait_for_no_leverage(venue: Scripted) -> None:
    """What closes is sent at once."""
    venue.say(POSITIONS, listed(position(leverage="10")))
    broker(venue).submit(approved(spec("c-1", Side.SELL, role="close")))
    assert venue.sent(POSITIONS) == []
    assert venue.sent(CREATE)[0]["reduceOnly"] is True


def test_a_stop_that_the_position_does_not_show_is_unknown(venue: Scripted) -> None:
    """A yes is not enough; and where the position cannot be read, the stop is an acknowledgement."""
    venue.say(POSITIONS, listed(position("0.01")))
    desk = broker(venue)
    with pytest.raises(OutcomeUnknownError):
        desk.submit(approved(stop("b-1", "49000")))
    answers = iter([listed(position("0.01")), None])
    venue.answers[POSITIONS] = lambda _: next(answers)
    assert desk.submit(approved(stop("b-2", "49000"))).state is OrderState.SUBMITTED


def test_a_stop_that_is_set_so_already_is_placed(venue: Scripted) -> None:
    """Bybit calls it unchanged."""
    rows = iter([listed(position("0.01")), listed(position("0.01", "49000"))])
    venue.answers[POSITIONS] = lambda _: next(rows)
    venue.say(STOP, Said(code=34040, message="not modified"))
    assert broker(venue).submit(approved(stop("b-1", "49000"))).state is OrderState.ACCEPTED


def test_an_id_that_is_in_use_is_looked_up_and_not_sent_again(venue: Scripted) -> None:
    """The order as the venue has it; unknown while it shows none."""
    venue.say(CREATE, Said(code=110072, message="duplicate"))
    desk = broker(venue)
    with pytest.raises(OutcomeUnknownError):
        desk.submit(approved(spec("a-1")))
    venue.say(CLOSED, listed(order_row("a-1", "Filled", "0.01")))
    assert desk.submit(approved(spec("a-1"))).state is OrderState.FILLED


def test_an_order_is_absent_only_if_both_lists_say_so(venue: Scripted) -> None:
    """One list that cannot be read is no answer."""
    desk = broker(venue)
    assert desk.find(ClientOrderId("a-1")) is None
    venue.say(CLOSED, None)
    with pytest.raises(BrokerUnavailableError):
        desk.find(ClientOrderId("a-1"))
    assert [c.asked["orderLinkId"] for c in venue.calls if c.path == OPEN] == ["a-1", "a-1"]


@pytest.mark.parametrize(("code", "state"), [(110001, "Filled"), (110010, "Cancelled")])
def test_a_cancel_that_comes_too_late_leaves_the_order_as_it_is(venue: Scripted, code: int, state: str) -> None:
    """The venue has no such working order, and shows its end."""
    rows = iter([listed(order_row("a-1", "New")), listed(order_row("a-1", state))])
    venue.answers[OPEN] = lambda _: next(rows)
    venue.say(CANCEL, Said(code=code, message="too late"))
    broker(venue).cancel(ClientOrderId("a-1"))
    assert len(venue.sent(CANCEL)) == 1


def test_a_cancel_of_what_is_neither_there_nor_ended_is_unknown(venue: Scripted) -> None:
    """Lists lag: ask again."""
    venue.say(OPEN, listed(order_row("a-1", "New")))
    venue.say(CANCEL, Said(code=110001, message="not exists"))
    with pytest.raises(OutcomeUnknownError):
        broker(venue).cancel(ClientOrderId("a-1"))


def test_every_page_of_a_list_is_read(venue: Scripted) -> None:
    """Until the cursor ends."""
    pages = {None: ("a-1", "p%3D2"), "p=2": ("a-2", "")}

    def page(call: Call) -> Said:
        name, cursor = pages[call.asked.get("cursor")]
        return Said({"list": [order_row(name, "New")], "nextPageCursor": cursor})

    venue.answers[OPEN] = page
    assert [o.client_order_id for o in broker(venue).open_orders()] == ["a-1", "a-2"]


def test_orders_as_they_were_recorded_are_understood(shared: Path) -> None:
    """Bybit's own examples and other people's recordings, of all kinds and states."""
    found = []
    for path in sorted((shared / "fixtures/bybit").rglob("*order*.json")):
        body = json.loads(path.read_text("utf-8"))
        result = body.get("result", body)
        rows = result.get("list", result.get("data", []))
        found += [order_of(row, None) for row in rows if isinstance(row, dict) and "orderStatus" in row]
    assert len(found) >= 10
    assert {OrderState.ACCEPTED, OrderState.CANCELED, OrderState.FILLED} <= {o.state for o in found}


def test_a_recorded_deleveraging_is_booked(shared: Path) -> None:
    """As the stream told it."""
    keeper = books()
    keeper.born = None
    body = json.loads((shared / "fixtures/bybit/nautilus_lgpl/ws_account_execution_adl.json").read_text("utf-8"))
    keeper.message(body)
    assert [o.state for o in keeper.chronicle._told.values()] == [OrderState.FILLED]
