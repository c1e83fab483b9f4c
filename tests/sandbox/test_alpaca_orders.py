"""The emulated Alpaca enforces what surprises people: links of orders, held shares, ends of orders, and who may sell what."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.models import Order
from alpaca.trading.requests import ReplaceOrderRequest

from sandbox.alpaca_kit import Bench, bench

BRACKET = {"order_class": "bracket", "take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}


@pytest.fixture(scope="module")
def idle() -> Iterator[Bench]:
    """An emulator on which nothing is ever placed."""
    with bench() as made:
        yield made


def legs(b: Bench, client_id: str) -> dict[str, str]:
    """Type and status of an order's legs."""
    told = b.call("GET", "/v2/orders:by_client_order_id", client_order_id=client_id).json()
    return {leg["type"]: leg["status"] for leg in told["legs"]}


def refusal(response: object) -> tuple[int, str]:
    """Status and message of an answer."""
    return response.status_code, response.json()["message"]  # type: ignore[attr-defined]  # a Response


def test_an_answer_shows_the_order_before_anything_happened_to_it() -> None:
    """The first word is pending; the fill is seen later."""
    with bench() as b:
        assert (b.post(client_order_id="a").json()["status"], b.status("a")) == ("pending_new", "filled")


def test_legs_wake_only_when_the_entry_is_completely_filled() -> None:
    """A half filled entry is naked, and its legs die with it when it is canceled."""
    with bench([{"fault": "partial_fill", "on": "order", "seconds": 3600}]) as b:
        order = b.post(client_order_id="a", **BRACKET).json()
        assert b.status("a") == "partially_filled"
        assert legs(b, "a") == {"limit": "held", "stop": "held"}
        b.price(90)
        b.wait(seconds=30)
        assert b.held("AAPL")["qty"] == "5"
        b.client.cancel_order_by_id(order["id"])
        assert b.status("a") == "canceled"
        assert legs(b, "a") == {"limit": "canceled", "stop": "canceled"}
        assert b.held("AAPL")["qty"] == "5"


def test_the_stop_of_a_pair_stays_held_and_guards_all_the_same() -> None:
    """It is not among the open orders, and ends the target when it triggers."""
    with bench() as b:
        b.post(client_order_id="a", **BRACKET)
        assert legs(b, "a") == {"limit": "new", "stop": "held"}
        assert [o["type"] for o in b.call("GET", "/v2/orders").json()] == ["limit"]
        assert b.held("AAPL")["qty_available"] == "0"
        b.price(94)
        assert legs(b, "a") == {"limit": "canceled", "stop": "filled"}
        assert b.client.get_all_positions() == []


def test_a_target_that_fills_ends_the_stop() -> None:
    """And the shares are gone once."""
    with bench() as b:
        b.post(client_order_id="a", **BRACKET)
        b.price(111)
        assert legs(b, "a") == {"limit": "filled", "stop": "canceled"}


def test_whoever_cancels_one_of_a_pair_cancels_both() -> None:
    """The position is naked afterwards."""
    with bench() as b:
        b.buy()
        oco = {"order_class": "oco", "take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}
        told = b.post(client_order_id="a", side="sell", type="limit", time_in_force="gtc", **oco).json()
        assert (told["limit_price"], legs(b, "a")) == ("110", {"stop": "held"})
        assert b.call("DELETE", f"/v2/orders/{told['legs'][0]['id']}").status_code == 204
        assert (b.status("a"), legs(b, "a")) == ("canceled", {"stop": "canceled"})


def test_one_triggers_other_has_a_single_leg() -> None:
    """A stop alone, which is new when it wakes."""
    with bench() as b:
        b.post(client_order_id="a", order_class="oto", stop_loss={"stop_price": "95"})
        assert legs(b, "a") == {"stop": "new"}


def test_a_bracket_whose_stop_the_price_has_passed_is_refused() -> None:
    """Its legs have to lie on their sides of the entry."""
    with bench() as b:
        wrong = BRACKET | {"stop_loss": {"stop_price": "101"}}
        assert refusal(b.post(**wrong)) == (422, "stop_loss.stop_price must be <= base_price - 0.01")


def test_a_stop_beside_an_open_order_of_the_other_side_is_a_potential_wash_trade() -> None:
    """403 of the 40310000 family, naming the order that is in the way."""
    with bench() as b:
        b.buy()
        entry = b.post(type="limit", limit_price="90").json()
        answer = b.post(side="sell", type="stop", stop_price="95")
        assert refusal(answer) == (403, "potential wash trade detected. use complex orders")
        assert (answer.json()["code"], answer.json()["existing_order_id"]) == (40310000, entry["id"])
        assert b.post(side="sell", type="limit", limit_price="120").status_code == 200


def test_a_second_entry_may_not_work_beside_a_resting_stop() -> None:
    """So scaling in cancels the stop first."""
    with bench() as b:
        b.buy()
        b.post(side="sell", type="stop", stop_price="95", time_in_force="gtc")
        answer = b.post(type="limit", limit_price="99")
        assert answer.json()["reject_reason"] == "opposite side market/stop order exists"


def test_shares_held_for_one_order_cannot_be_sold_by_another() -> None:
    """It says how many there are and how many are free."""
    with bench() as b:
        b.buy()
        b.post(side="sell", type="limit", limit_price="120", qty="7")
        answer = b.post(side="sell", type="limit", limit_price="121", qty="4")
        assert refusal(answer) == (403, "insufficient qty available for order (requested: 4, available: 3)")
        assert answer.json()["held_for_orders"] == "7"
        assert refusal(b.post(side="sell", qty="15"))[0] == 403


def test_day_orders_die_at_the_close_with_their_legs_and_gtc_after_90_days() -> None:
    """The position stays, without a stop."""
    with bench() as b:
        b.post(client_order_id="entry", **BRACKET)
        b.buy(5, "MSFT")
        b.post(client_order_id="gtc", symbol="MSFT", qty="5", side="sell", type="limit", limit_price="9000", time_in_force="gtc")
        b.wait(hours=5, minutes=59)
        assert legs(b, "entry") == {"limit": "new", "stop": "held"}
        b.wait(minutes=1)
        assert legs(b, "entry") == {"limit": "expired", "stop": "expired"}
        b.wait(days=89)
        assert b.status("gtc") == "new"
        b.wait(days=1)
        assert b.status("gtc") == "expired"


def test_an_order_before_the_opening_waits_and_cannot_be_replaced_yet() -> None:
    """It is accepted, and new when the market opens."""
    with bench(at=datetime(2024, 3, 5, 12, 0, tzinfo=UTC)) as b:
        told = b.post(client_order_id="a", type="limit", limit_price="90").json()
        assert b.status("a") == "accepted"
        assert refusal(b.call("PATCH", f"/v2/orders/{told['id']}", {"limit_price": "91"}))[0] == 422
        b.wait(hours=2, minutes=31)
        assert b.status("a") == "new"


def test_extended_hours_want_a_day_limit() -> None:
    """Which then trades before the opening."""
    with bench(at=datetime(2024, 3, 5, 12, 0, tzinfo=UTC)) as b:
        assert refusal(b.post(extended_hours=True)) == (422, "extended hours order must be DAY limit orders")
        b.post(client_order_id="a", type="limit", limit_price="101", extended_hours=True)
        assert b.status("a") == "filled"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"qty": "0"}, 422, "qty must be > 0"),
        ({"qty": "-1"}, 422, "qty must be > 0"),
        ({"qty": None}, 422, "qty or notional is required"),
        ({"symbol": "NOPE"}, 422, 'asset "NOPE" not found'),
        ({"side": "up"}, 422, "invalid side"),
        ({"type": "limit"}, 422, "limit orders require a limit price"),
        (
            {"type": "limit", "limit_price": "99.001"},
            422,
            "invalid limit_price 99.001. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        ({"qty": "0.5", "time_in_force": "gtc"}, 422, "fractional orders must be DAY orders"),
        ({"qty": "1.5", **BRACKET}, 422, "fractional orders must be simple orders"),
        ({"qty": "0.5", "side": "sell"}, 422, "fractional orders cannot be sold short"),
        ({"qty": None, "notional": "0.5"}, 403, "cost basis must be >= minimal amount of order 1"),
        ({"order_class": "bracket", "stop_loss": {"stop_price": "95"}}, 422, "bracket orders require take_profit.limit_price"),
        ({"qty": "100000"}, 403, "insufficient buying power"),
        ({"symbol": "BTC/USD", "qty": "0.1"}, 422, "invalid crypto time_in_force"),
        (
            {"symbol": "BTC/USD", "qty": "0.1", "time_in_force": "gtc", **BRACKET},
            422,
            "crypto orders not allowed for advanced order_class: otoco",
        ),
        (
            {"symbol": "BTC/USD", "qty": "0.1", "time_in_force": "gtc", "type": "stop", "stop_price": "1"},
            422,
            "invalid order type for crypto order",
        ),
        (
            {"symbol": "BTC/USD", "qty": "1", "side": "sell", "time_in_force": "gtc"},
            403,
            "insufficient balance for BTC (requested: 1, available: 0)",
        ),
        ({"client_order_id": "x" * 129}, 422, "client_order_id must be no more than 128 characters"),
    ],
)
def test_a_wrong_order_is_refused_in_alpacas_words(idle: Bench, body: dict[str, object], status: int, message: str) -> None:
    """And nothing is placed."""
    assert refusal(idle.post(**body)) == (status, message)
    assert idle.call("GET", "/v2/orders", status="all").json() == []


def test_an_id_is_taken_once() -> None:
    """The second order with it is refused."""
    with bench() as b:
        b.post(client_order_id="a")
        assert refusal(b.post(client_order_id="a")) == (422, "client_order_id must be unique")


def test_assets_and_accounts_can_forbid() -> None:
    """Not tradable, inactive, hard to borrow, blocked."""
    with bench() as b:
        b.emulator.do("asset", symbol="MSFT", easy_to_borrow=False)
        assert refusal(b.post(symbol="MSFT", side="sell")) == (422, 'asset "MSFT" cannot be sold short')
        b.emulator.do("asset", symbol="MSFT", tradable=False)
        assert refusal(b.post(symbol="MSFT"))[1] == "asset MSFT is not tradable"
        b.emulator.do("asset", symbol="MSFT", status="inactive")
        assert refusal(b.post(symbol="MSFT"))[1] == "asset MSFT is not active"
        b.emulator.do("account", shorting_enabled=False)
        assert refusal(b.post(side="sell")) == (403, "account is not allowed to short")
        b.emulator.do("account", trading_blocked=True)
        assert refusal(b.post())[0] == 403
        assert b.account()["trading_blocked"]


def test_a_short_can_be_opened_and_covered() -> None:
    """With margin and an asset that is easy to borrow."""
    with bench() as b:
        b.post(side="sell")
        assert b.held("AAPL")["qty"] == "-10"
        assert refusal(b.post(qty="11"))[0] == 403
        b.post(client_order_id="cover")
        assert b.status("cover") == "filled"
        assert b.client.get_all_positions() == []


def test_buying_power_is_twice_the_equity_and_half_of_a_position_is_bound() -> None:
    """Regulation T; open orders count too."""
    with bench() as b:
        assert b.account()["buying_power"] == "200000"
        b.buy(500)
        account = b.account()
        assert float(account["buying_power"]) == pytest.approx(150_000, abs=50)
        assert float(account["maintenance_margin"]) == pytest.approx(15_000, abs=10)
        b.post(type="limit", limit_price="90", qty="1000")
        assert float(b.account()["buying_power"]) == pytest.approx(60_000, abs=50)


def test_the_account_lacks_the_fields_of_the_old_day_trading_rule() -> None:
    """They ended in 2026."""
    with bench() as b:
        told = b.call("GET", "/v2/account").json()
        assert not {"pattern_day_trader", "daytrade_count", "daytrading_buying_power", "last_daytrade_count"} & set(told)
        assert told["account_number"].startswith("PA")
    with bench(live=True) as b:
        assert not b.call("GET", "/v2/account").json()["account_number"].startswith("PA")


def test_a_replacement_is_a_new_order_and_keeps_the_links() -> None:
    """The stop of a pair moves, the target still ends it."""
    with bench() as b:
        b.post(client_order_id="a", **BRACKET)
        told = b.call("GET", "/v2/orders:by_client_order_id", client_order_id="a").json()
        stop = next(leg["id"] for leg in told["legs"] if leg["stop_price"])
        new = b.client.replace_order_by_id(stop, ReplaceOrderRequest(stop_price=97, client_order_id="moved"))
        assert isinstance(new, Order)
        assert (str(new.replaces), new.stop_price) == (stop, "97")
        assert (b.status("moved"), b.order(stop).status.value) == ("held", "replaced")
        b.price(111)
        assert (b.status("moved"), legs(b, "a")) == ("canceled", {"limit": "filled", "stop": "canceled"})


def test_a_cancel_is_pending_first_and_impossible_after_the_end() -> None:
    """204, then canceled; 422 for what is filled."""
    with bench() as b:
        told = b.post(client_order_id="a", type="limit", limit_price="90").json()
        b.client.cancel_order_by_id(told["id"])
        assert [n["status"] for n in b.emulator.evidence.of("order")][-1] == "pending_cancel"
        assert b.status("a") == "canceled"
        with pytest.raises(APIError) as caught:
            b.client.cancel_order_by_id(told["id"])
        assert caught.value.status_code == 422


def test_a_trailing_stop_follows_the_price() -> None:
    """Its high-water mark and its stop are told."""
    with bench() as b:
        b.buy()
        b.post(client_order_id="a", side="sell", type="trailing_stop", trail_price="2", time_in_force="gtc")
        b.price(105)
        told = b.call("GET", "/v2/orders:by_client_order_id", client_order_id="a").json()
        assert (told["hwm"], told["stop_price"], told["trail_price"]) == ("105.01", "103.01", "2")
        b.price(103)
        assert b.status("a") == "filled"


def test_a_coins_fee_is_taken_from_what_is_credited() -> None:
    """Bought coins arrive short, sold ones pay in dollars, and activities say so."""
    with bench() as b:
        b.price(50_000, "BTC/USD")
        b.buy(1, "BTC/USD")
        position = b.held("BTCUSD")
        assert (position["symbol"], position["qty"]) == ("BTCUSD", "0.9975")
        b.post(symbol="BTC/USD", qty="0.9975", side="sell", time_in_force="gtc")
        fees = b.call("GET", "/v2/account/activities/CFEE").json()
        assert sorted((f["qty"], f["net_amount"]) for f in fees) == [("-0.0025", "0"), ("0", "-124.69")]


def test_a_split_changes_the_position_and_not_the_resting_orders() -> None:
    """The stop stands where it stood, for the old number of shares."""
    with bench() as b:
        b.buy()
        b.post(client_order_id="stop", side="sell", type="stop", stop_price="40", time_in_force="gtc")
        b.emulator.do("split", symbol="AAPL", ratio="2")
        position = b.held("AAPL")
        assert (position["qty"], position["current_price"]) == ("20", "50")
        stop = b.call("GET", "/v2/orders:by_client_order_id", client_order_id="stop").json()
        assert (stop["qty"], stop["stop_price"]) == ("10", "40")
        assert {a["qty"] for a in b.call("GET", "/v2/account/activities/SPLIT").json()} == {"-10", "20"}


def test_a_fill_in_the_activities_names_its_execution_behind_two_colons() -> None:
    """The same id that the stream tells; pages go on where the last ended."""
    with bench() as b:
        for _ in range(5):
            b.buy(1)
            b.wait(seconds=1)
        fills = {n["execution_id"] for n in b.emulator.evidence.of("fill")}
        first = b.call("GET", "/v2/account/activities/FILL", page_size="3", direction="asc").json()
        rest = b.call("GET", "/v2/account/activities/FILL", page_size="3", direction="asc", page_token=first[-1]["id"]).json()
        assert (len(first), len(rest)) == (3, 2)
        assert {a["id"].split("::")[1] for a in first + rest} == fills
        assert {(a["cum_qty"], a["leaves_qty"], a["order_status"]) for a in first} == {("1", "0", "filled")}
