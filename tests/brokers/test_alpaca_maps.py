"""The maps to and from Alpaca's words: complete, exact, and of no word that does not exist."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from alpaca.trading import enums

from brokers.alpaca_words import raw
from trading_bot.brokers.alpaca import activities, wire
from trading_bot.brokers.roster import Card
from trading_bot.domain.orders import Leg, Order, OrderClass, OrderRole, OrderSpec, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.values import ClientOrderId, Symbol


def spec(**changed: Any) -> OrderSpec:  # noqa: ANN401 - fields
    """A market entry."""
    plain = {
        "client_order_id": "desk01-a",
        "symbol": "AAPL",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal("1.50"),
        "role": OrderRole.ENTRY,
    }
    return OrderSpec.model_validate({**plain, **changed})


def leg(name: str, price: str) -> Leg:
    """A leg at a price."""
    return Leg(client_order_id=ClientOrderId(name), price=Decimal(price))


def test_every_status_event_and_kind_of_activity_that_the_sdk_knows_has_its_meaning() -> None:
    """A new one in a new version has to be thought about."""
    assert {status.value for status in enums.OrderStatus} == set(wire.STATES)
    assert {event.value for event in enums.TradeEvent} == set(wire.EVENTS)
    assert {kind.value for kind in enums.ActivityType} <= {*activities.CASH, activities.FILL}
    assert {kind.value for kind in OrderType} == {kind.value for kind in enums.OrderType}
    assert {kind.value for kind in TimeInForce} <= {kind.value for kind in enums.TimeInForce}


def test_every_status_and_activity_of_the_specification_has_its_meaning(shared: Path) -> None:
    """Alpaca's own OpenAPI file knows more than its SDK."""
    schemas = json.loads((shared / "fixtures/alpaca/openapi/trading-api.json").read_text())["components"]["schemas"]
    assert set(schemas["OrderStatus"]["enum"]) <= set(wire.STATES)
    assert set(schemas["ActivityType"]["enum"]) <= {*activities.CASH, activities.FILL}


BODIES: dict[str, tuple[OrderSpec, dict[str, object]]] = {
    "market": (spec(), {"type": "market", "qty": "1.5", "time_in_force": "day"}),
    "limit outside the session": (
        spec(type=OrderType.LIMIT, limit_price="10.10", extended_hours=True),
        {"type": "limit", "qty": "1.5", "time_in_force": "day", "limit_price": "10.1", "extended_hours": True},
    ),
    "entry with stop and target": (
        spec(order_class=OrderClass.BRACKET, stop_loss=leg("s", "9"), take_profit=leg("t", "12.5"), time_in_force=TimeInForce.GTC),
        {
            "type": "market",
            "qty": "1.5",
            "time_in_force": "gtc",
            "order_class": "bracket",
            "stop_loss": {"stop_price": "9"},
            "take_profit": {"limit_price": "12.5"},
        },
    ),
    "entry with a stop alone": (
        spec(order_class=OrderClass.BRACKET, stop_loss=leg("s", "9")),
        {"type": "market", "qty": "1.5", "time_in_force": "day", "order_class": "oto", "stop_loss": {"stop_price": "9"}},
    ),
    "target and stop": (
        spec(
            type=OrderType.LIMIT,
            limit_price="12",
            order_class=OrderClass.OCO,
            stop_loss=leg("s", "9"),
            role=OrderRole.TAKE_PROFIT,
            side=Side.SELL,
        ),
        {
            "side": "sell",
            "type": "limit",
            "qty": "1.5",
            "time_in_force": "day",
            "order_class": "oco",
            "stop_loss": {"stop_price": "9"},
            "take_profit": {"limit_price": "12"},
        },
    ),
    "stop": (
        spec(type=OrderType.STOP, stop_price="9.99", role=OrderRole.STOP_LOSS, side=Side.SELL),
        {
            "side": "sell",
            "type": "stop",
            "qty": "1.5",
            "time_in_force": "day",
            "stop_price": "9.99",
            "position_intent": "sell_to_close",
        },
    ),
    "stop-limit": (
        spec(type=OrderType.STOP_LIMIT, stop_price="9.99", limit_price="9.5"),
        {"type": "stop_limit", "qty": "1.5", "time_in_force": "day", "stop_price": "9.99", "limit_price": "9.5"},
    ),
    "trailing stop that covers a short": (
        spec(type=OrderType.TRAILING_STOP, trail="0.50", role=OrderRole.STOP_LOSS),
        {"type": "trailing_stop", "qty": "1.5", "time_in_force": "day", "trail_price": "0.5", "position_intent": "buy_to_close"},
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_an_order_goes_out_as_exact_text(case: str) -> None:
    """No amount passes through a float."""
    wanted = {"symbol": "AAPL", "side": "buy", "client_order_id": "desk01-a", **BODIES[case][1]}
    assert wire.order_body(BODIES[case][0]) == wanted


def test_a_coin_s_order_says_nothing_of_its_intent() -> None:
    """Alpaca knows no short coins."""
    sold = spec(symbol="BTC/USD", side=Side.SELL, role=OrderRole.CLOSE)
    assert "position_intent" not in wire.order_body(sold)


def test_a_replacement_names_its_quantity_only_if_that_changes() -> None:
    """That of a fractional order may not be named; what is filled already counts."""
    moved = spec(type=OrderType.STOP, stop_price="9.5", role=OrderRole.STOP_LOSS, side=Side.SELL)
    plain = {"stop_price": "9.5", "time_in_force": "day", "client_order_id": "desk01-a"}

    def resting(quantity: str, filled: str) -> Order:
        told = raw("v-1", "desk01-0", "new", qty=quantity, filled_qty=filled, filled_avg_price="9")
        return wire.order_of(told, ClientOrderId("desk01-0"), None)

    assert wire.replace_body(moved, resting("1.5", "0")) == plain
    assert wire.replace_body(moved, resting("2.5", "1")) == plain
    assert wire.replace_body(moved, resting("4", "1")) == {**plain, "qty": "2.5"}


def test_coins_have_one_name() -> None:
    """Positions and some messages leave the stroke out."""
    names = {"BTCUSD": "BTC/USD", "BTC/USD": "BTC/USD", "ETHUSDT": "ETH/USDT", "USDTUSD": "USDT/USD", "ETHBTC": "ETH/BTC"}
    assert {name: wire.symbol_of({"symbol": name, "asset_class": "crypto"}) for name in names} == names
    assert wire.symbol_of({"symbol": "MUSD", "asset_class": "us_equity"}) == "MUSD"


def test_the_documented_message_is_understood(shared: Path) -> None:
    """The one message of the stream that Alpaca's documentation shows."""
    message = json.loads((shared / "fixtures/alpaca/trade_updates_stream/stream_08_trade_updates_fill.json").read_text())["data"]
    order = wire.order_of(message["order"], ClientOrderId("desk01-a"), Card(ClientOrderId("desk01-a"), OrderRole.CLOSE, spec()))
    assert order == Order(
        client_order_id=ClientOrderId("desk01-a"),
        venue_order_id="a5be8f5e-fdfa-41f5-a644-7a74fe947a8f",
        symbol=Symbol("SOL/USD"),
        side=Side.SELL,
        type=OrderType.MARKET,
        role=OrderRole.CLOSE,
        quantity=Decimal("1790.86"),
        time_in_force=TimeInForce.GTC,
        state=OrderState.FILLED,
        filled_quantity=Decimal("1790.86"),
        average_price=Decimal("105.8988475"),
        submitted_at=datetime(2022, 4, 19, 17, 45, 4, 980944, tzinfo=UTC),
        updated_at=datetime(2022, 4, 19, 17, 45, 5, 27690, tzinfo=UTC),
    )


def test_an_account_without_the_fields_of_the_day_trading_rule_is_read(shared: Path) -> None:
    """Alpaca dropped them in July 2026."""
    raw = json.loads((shared / "fixtures/alpaca/alpaca-py/GET_v2_account_test_get_account.json").read_text())
    dropped = ("pattern_day_trader", "daytrade_count", "last_daytrade_count", "daytrading_buying_power")
    account = wire.account_of({key: value for key, value in raw.items() if key not in dropped})
    assert account.account_id == raw["account_number"]
    assert account.equity == Decimal(raw["equity"])


def test_states_of_ours_are_all_reached_or_are_the_desk_s_own() -> None:
    """Intended, submitted and unknown are words of the desk; Alpaca's begin with its answer."""
    own = {OrderState.INTENDED, OrderState.SUBMITTED, OrderState.UNKNOWN}
    assert set(wire.STATES.values()) | own == set(OrderState)
    assert get_args(OrderState) == ()
