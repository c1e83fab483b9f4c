"""The emulator's answers beside recorded ones of the real venue: every field is there, and is of the same type."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.bybit_house import BTC, House, house

Body = dict[str, Any]


@pytest.fixture(scope="module")
def venue() -> Iterator[House]:
    """A venue where everything has happened once."""
    with house() as made:
        made.order(orderLinkId="entry", stopLoss="57000", takeProfit="66000", tpslMode="Full")
        made.order(price="50000", orderLinkId="rests")
        made.order(category="spot", qty="0.01", marketUnit="baseCoin", orderLinkId="coin")
        made.go()
        made.http.cancel_order(category="linear", symbol=BTC, orderLinkId="rests")
        made.order("Sell", "0.004", reduceOnly=True, orderLinkId="less")
        made.go()
        yield made


READS: dict[str, Callable[[Any], Any]] = {
    "docs_v5/account_account_info_0_Response_Example.json": lambda http: http.get_account_info(),
    "docs_v5/account_fee_rate_0_Response_Example.json": lambda http: http.get_fee_rates(category="linear"),
    "docs_v5/account_wallet_balance_0_Response_Example.json": lambda http: http.get_wallet_balance(accountType="UNIFIED"),
    "docs_v5/market_instrument_2_Response_Example.json": lambda http: http.get_instruments_info(category="spot"),
    "docs_v5/market_kline_0_Response_Example.json": lambda http: http.get_kline(category="linear", symbol=BTC, interval="60"),
    "docs_v5/market_recent_trade_0_Response_Example.json": lambda http: http.get_public_trade_history(category="spot", symbol=BTC),
    "docs_v5/market_tickers_0_Response_Example.json": lambda http: http.get_tickers(category="linear"),
    "docs_v5/market_time_0_Response_Example.json": lambda http: http.get_server_time(),
    "docs_v5/order_execution_0_Response_Example.json": lambda http: http.get_executions(category="linear"),
    "docs_v5/order_order_list_0_Response_Example.json": lambda http: http.get_order_history(category="linear"),
    "docs_v5/position_close_pnl_0_Response_Example.json": lambda http: http.get_closed_pnl(category="linear"),
    "docs_v5/position_position_0_Response_Example.json": lambda http: http.get_positions(category="linear", symbol=BTC),
    "nautilus_lgpl/http_get_account_info.json": lambda http: http.get_account_info(),
    "nautilus_lgpl/http_get_executions.json": lambda http: http.get_executions(category="linear"),
    "nautilus_lgpl/http_get_funding_history.json": lambda http: http.get_funding_rate_history(category="linear", symbol=BTC),
    "nautilus_lgpl/http_get_instruments_linear.json": lambda http: http.get_instruments_info(category="linear"),
    "nautilus_lgpl/http_get_instruments_spot.json": lambda http: http.get_instruments_info(category="spot"),
    "nautilus_lgpl/http_get_klines_linear.json": lambda http: http.get_kline(category="linear", symbol=BTC, interval="5"),
    "nautilus_lgpl/http_get_orders_history.json": lambda http: http.get_order_history(category="linear"),
    "nautilus_lgpl/http_get_orders_realtime_tp_sl.json": lambda http: http.get_open_orders(category="linear", symbol=BTC),
    "nautilus_lgpl/http_get_positions.json": lambda http: http.get_positions(category="linear", symbol=BTC),
    "nautilus_lgpl/http_get_trades_recent.json": lambda http: http.get_public_trade_history(category="linear", symbol=BTC),
    "nautilus_lgpl/http_get_wallet_balance.json": lambda http: http.get_wallet_balance(accountType="UNIFIED"),
}
STREAMED = {
    "docs_v5/websocket_private_order_1_Stream_Example.json": "order",
    "docs_v5/websocket_private_wallet_1_Stream_Example.json": "wallet",
    "nautilus_lgpl/ws_account_execution_adl.json": "execution",
    "nautilus_lgpl/ws_account_order.json": "order",
    "nautilus_lgpl/ws_account_order_stop_market.json": "order",
    "nautilus_lgpl/ws_account_position_short.json": "position",
    "nautilus_lgpl/ws_account_wallet_small_order.json": "wallet",
}
PUBLIC = {
    "docs_v5/websocket_public_kline_0_Response_Example.json": ("linear", "kline.5.BTCUSDT"),
    "docs_v5/websocket_public_ticker_2_Response_Example.json": ("spot", "tickers.BTCUSDT"),
    "nautilus_lgpl/ws_orderbook_snapshot.json": ("linear", "orderbook.1.BTCUSDT"),
}


def lacking(real: Any, ours: Any, where: str = "") -> list[str]:  # noqa: ANN401 - any JSON
    """What the real answer has and ours has not, or has in another type; of lists the first element speaks."""
    if real is None or ours is None:
        return []
    if isinstance(real, dict) and isinstance(ours, dict):
        missing = [f"{where}.{name} is missing" for name in real if name not in ours]
        return missing + [text for name in real if name in ours for text in lacking(real[name], ours[name], f"{where}.{name}")]
    if isinstance(real, list) and isinstance(ours, list):
        return lacking(real[0], ours[0], f"{where}[0]") if real and ours else []
    return [] if type(real) is type(ours) else [f"{where} is {ours!r}, not like {real!r}"]


def recorded(shared: Path, name: str) -> Body:
    """One recorded answer."""
    return dict(json.loads((shared / "fixtures" / "bybit" / name).read_text("utf-8")))


# A settlement's own name for its fields, of orders per option, of coins: what no contract here has.
FOREIGN = ("cumFeeDetail", "spotBorrow", "totalPerpUpl", "extraFees", "nextPageCursor", "xstockMultiplier", "result.category")


def own(text: list[str]) -> list[str]:
    """Without what only other products have."""
    return [line for line in text if not any(name in line for name in FOREIGN)]


@pytest.mark.parametrize("name", READS)
def test_an_answer_has_all_that_the_real_one_has(venue: House, shared: Path, name: str) -> None:
    """Field by field, of the first row of each list."""
    answer = READS[name](venue.http)
    assert answer["result"].get("list", [1])
    assert own(lacking(recorded(shared, name)["result"], answer["result"], "result")) == []


@pytest.mark.parametrize("name", STREAMED)
def test_a_private_message_has_all_that_the_real_one_has(shared: Path, name: str) -> None:
    """Field by field."""
    with house() as made, made.listening() as (ears, _):
        made.order(stopLoss="57000")
        made.go()
        rows = ears.wait(STREAMED[name])
        message = next(message for message in ears.heard if message["topic"] == STREAMED[name])
    assert rows
    assert own(lacking(recorded(shared, name), message)) == []


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_message_has_all_that_the_real_one_has(venue: House, shared: Path, name: str) -> None:
    """Field by field."""
    channel, topic = PUBLIC[name]
    with venue.listening(channel) as (ears, stream):
        stream.subscribe(topic.replace(BTC, "{symbol}"), ears.hear, BTC)
        venue.until(lambda: bool(ears.heard))
    assert own(lacking(recorded(shared, name), ears.heard[0])) == []
