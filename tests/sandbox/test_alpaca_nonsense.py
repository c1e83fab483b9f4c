"""Whatever a client says, the emulated Alpaca answers with a refusal in the vendor's words: it neither breaks nor hangs."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from sandbox.alpaca_kit import Bench, bench

ROUNDS = 300
ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
FIELDS = (*ORDER, "notional", "limit_price", "stop_price", "trail_percent", "order_class", "take_profit", "stop_loss", "client_order_id")
FIELDS += ("extended_hours", "position_intent", "legs", "symbols", "name", "no_shorting", "unknown")
VALUES: tuple[Any, ...] = (None, True, 0, -1, 1.5, 1e308, float("nan"), 10**40, "", "NaN", "1e400", "-5", "١٢", "💥", "oco", "limit")
VALUES += ([], {}, [1], {"limit_price": [1]}, {"stop_price": "NaN"}, "a" * 400)
WORDS = ("", "AAPL", "NaN", "-1", "0x10", "٣", "0001-01-01", "9999-12-31", "2024-13-45", "1Min", "1Week", "💥", "\x00", "all", "1" * 99)
ASKED = (
    "status",
    "limit",
    "after",
    "until",
    "direction",
    "symbols",
    "page_size",
    "page_token",
    "start",
    "end",
    "timeframe",
    "sort",
    "date",
    "category",
    "name",
    "markets",
    "time",
    "top",
    "qty",
)
PATHS = (
    "/v2/account/activities",
    "/v2/account/configurations",
    "/v2/orders",
    "/v2/orders/ü",
    "/v2/positions/%00",
    "/v2/assets",
    "/v2/calendar",
    "/v3/clock",
    "/v3/calendar/NYSE",
    "/v2/watchlists",
    "/v2/watchlists:by_name",
    "/v2/stocks/bars?symbols=AAPL",
    "/v2/stocks/AAPL/trades",
    "/v1beta3/crypto/us/quotes?symbols=BTC/USD",
    "/v1/corporate-actions",
    "/v1beta1/screener/stocks/movers",
)


@pytest.fixture(scope="module")
def b() -> Iterator[Bench]:
    """An emulator for all of them."""
    with bench() as made:
        yield made


@pytest.mark.parametrize("seed", [1, 2])
def test_nonsense_is_refused_and_never_breaks_the_venue(b: Bench, seed: int) -> None:
    """Below 500, as JSON, with a message where it is refused; and nothing in the evidence that the venue did not know to answer."""
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        method = rng.choice(["GET", "GET", "POST", "POST", "PATCH", "PUT", "DELETE"])
        path = "/v2/orders" if method == "POST" and rng.random() < 0.7 else rng.choice(PATHS)
        body = ORDER | {rng.choice(FIELDS): rng.choice(VALUES) for _ in range(rng.randint(1, 3))}
        query = {rng.choice(ASKED): rng.choice(WORDS) for _ in range(rng.randint(0, 3))}
        data = json.dumps(body) if method in {"POST", "PATCH", "PUT"} else None
        response = b.plain.request(method, b.emulator.url + path, params=query, data=data, timeout=5)
        assert response.status_code < 500, (method, path, query, data)
        assert response.status_code < 400 or "message" in response.json()
    assert [note for note in b.emulator.evidence.after(0) if note["kind"] == "error"] == []


@pytest.mark.parametrize("raw", [b"{", b"[]", b"null", b"\xff\xfe", b"[" * 20_000, b'{"symbol": "\\ud800"}'])
def test_a_body_that_is_no_object_is_refused(b: Bench, raw: bytes) -> None:
    """With 400, whatever it is instead."""
    assert b.plain.post(f"{b.emulator.url}/v2/orders", data=raw, timeout=5).status_code == 400


def test_keys_that_are_no_ascii_do_not_fit(b: Bench) -> None:
    """They are refused like other wrong keys."""
    headers = {"APCA-API-KEY-ID": "é".encode(), "APCA-API-SECRET-KEY": b"x"}
    with bench(key="key", secret="other") as strict:  # noqa: S106 - of an emulator
        assert requests.get(f"{strict.emulator.url}/v2/account", headers=headers, timeout=5).status_code == 401
    assert requests.get(f"{b.emulator.url}/v2/account", timeout=5).status_code == 401


def test_other_methods_are_refused(b: Bench) -> None:
    """In JSON, like everything else."""
    for method in ("OPTIONS", "TRACE"):
        response = b.plain.request(method, f"{b.emulator.url}/v2/account", timeout=5)
        assert (response.status_code, response.json()["message"]) == (405, "method not allowed")


def test_a_page_of_a_long_history_costs_a_page(b: Bench) -> None:
    """Minutes of nine years are asked for; a thousand come, and the next page goes on where they end, both ways."""
    for sort in ("asc", "desc"):
        asked = {"symbols": "AAPL", "timeframe": "1Min", "start": "2015-01-01", "limit": "1000", "sort": sort}
        first = b.call("GET", "/v2/stocks/bars", None, **asked).json()
        second = b.call("GET", "/v2/stocks/bars", None, **asked, page_token=first["next_page_token"]).json()
        times = [bar["t"] for page in (first, second) for bar in page["bars"]["AAPL"]]
        assert (len(times), len(set(times))) == (2000, 2000)
        assert times == sorted(times, reverse=sort == "desc")


def test_prices_of_coins_are_open_to_all(b: Bench) -> None:
    """As at the vendor, whose own library asks for them without a key; a wrong key is wrong all the same, and stocks need one."""
    coins = f"{b.emulator.url}/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD"
    assert requests.get(coins, timeout=5).status_code == 200
    assert requests.get(coins, headers={"APCA-API-KEY-ID": "key"}, timeout=5).status_code == 403
    assert requests.get(f"{b.emulator.url}/v2/stocks/quotes/latest?symbols=AAPL", timeout=5).status_code == 403


ODD_MESSAGES = (
    "{",
    "[" * 9000,
    "💥",
    '{"action": {}}',
    '{"action": "auth", "key": 1, "secret": []}',
    '{"action": "auth", "data": "x"}',
    '{"action": "listen", "data": {"streams": 5}}',
    '{"action": "listen", "data": {"streams": [1, {}]}}',
    '{"action": "subscribe", "quotes": 5}',
    '{"action": "subscribe", "quotes": [1, {}, []]}',
)


@pytest.mark.parametrize("path", ["/stream", "/stream/", "/v2/iex", "/v1beta3/crypto/us"])
def test_a_stream_survives_nonsense(b: Bench, path: str) -> None:
    """After all of it the client still gets in."""
    with connect(b.emulator.url.replace("http", "ws") + path) as socket:
        for message in (*ODD_MESSAGES, '{"action": "auth", "key": "key", "secret": "secret"}'):
            socket.send(message)
        while "authoriz" not in (told := str(socket.recv(timeout=5))) and "authenticated" not in told:
            assert "error" in told or "connected" in told
        socket.send(
            '{"action": "subscribe", "quotes": ["AAPL"]}' if "stream" not in path else '{"action": "listen", "data": {"streams": []}}'
        )
        told = ""
        while "subscription" not in told and "listening" not in told:
            told = str(socket.recv(timeout=5))
