"""The door of the emulated Bybit: who is let in, how often, what streams answer, and what auditors and hands are told."""

import hashlib
import hmac
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from pybit.exceptions import InvalidRequestError
from websockets.sync.client import ClientConnection, connect

from sandbox.bybit_house import BTC, KEYS, START, House, house, refused
from trading_bot.execution.clock import SystemWallClock
from trading_bot.sandbox.bybit.signing import Credentials
from trading_bot.sandbox.exchange.clock import EmulatedClock

ACCOUNT = "/v5/account/info"
WRONG = {"secret": "another"}


def signed(secret: str, key: str, payload: str, stamp: int, window: int = 5000) -> dict[str, str]:
    """Headers of a request, made without the SDK."""
    signature = hmac.new(secret.encode(), f"{stamp}{key}{window}{payload}".encode(), hashlib.sha256).hexdigest()
    return {"X-BAPI-API-KEY": key, "X-BAPI-TIMESTAMP": str(stamp), "X-BAPI-SIGN": signature, "X-BAPI-RECV-WINDOW": str(window)}


def now(shift: int = 0) -> int:
    """The machine's time in ms."""
    return int(SystemWallClock().now().timestamp() * 1000) + shift


def get(venue: House, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of `signed`
    """Ask for the account with headers of our own."""
    said: dict[str, Any] = {"secret": KEYS.secret, "key": str(KEYS.key), "stamp": now()} | more
    return dict(requests.get(venue.api.url + ACCOUNT, headers=signed(payload="", **said), timeout=10).json())


def test_who_is_not_the_owner_is_refused() -> None:
    """Key, time, signature, each with its code; HTTP says 200, as the venue does."""
    with house() as venue:
        assert get(venue)["retCode"] == 0
        assert get(venue, key="another")["retCode"] == 10003
        assert get(venue, **WRONG)["retCode"] == 10004
        assert get(venue, stamp=now(-6000))["retCode"] == 10002
        assert get(venue, stamp=now(-6000), window=20_000)["retCode"] == 0
        assert get(venue, stamp=now(+5000))["retCode"] == 10002
        bare = requests.get(venue.api.url + ACCOUNT, timeout=10)
        assert (bare.status_code, bare.json()["retCode"]) == (200, 10001)
        assert requests.get(venue.api.url + "/v5/nothing", timeout=10).json()["retCode"] == 10017
        assert get(venue, stamp=int(START.timestamp() * 1000) + 2500)["retCode"] == 0


def test_a_tampered_request_is_refused() -> None:
    """The signature covers the body to the last byte."""
    with house() as venue:
        body = json.dumps({"category": "linear", "symbol": BTC, "side": "Buy", "orderType": "Market", "qty": "0.01"})
        headers = signed(KEYS.secret, str(KEYS.key), body, now())
        answer = requests.post(venue.api.url + "/v5/order/create", data=body.replace("0.01", "0.09"), headers=headers, timeout=10).json()
        assert (answer["retCode"], venue.working()) == (10004, [])
        assert requests.post(venue.api.url + "/v5/order/create", data=body, headers=headers, timeout=10).json()["retCode"] == 0


def test_a_key_that_may_only_read_does_not_trade() -> None:
    """And says so of itself."""
    with house(credentials=Credentials(KEYS.key, KEYS.secret, read_only=True)) as venue:
        assert refused(venue.order) == 10005
        told = venue.http.get_api_key_information()["result"]
        assert (told["readOnly"], told["uta"], told["permissions"]["ContractTrade"]) == (1, 1, [])


def test_too_many_calls_are_refused_until_the_second_is_over() -> None:
    """Each endpoint for itself; headers say what is left and when to come again."""
    with house(per_second=3) as venue:
        client = venue.client(return_response_headers=True)
        left = [client.get_account_info()[2]["X-Bapi-Limit-Status"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        with pytest.raises(InvalidRequestError) as caught:
            client.get_account_info()
        assert caught.value.status_code == 10006
        headers = caught.value.resp_headers
        assert 0 < int(headers["X-Bapi-Limit-Reset-Timestamp"]) - now() <= 1000
        assert client.get_fee_rates(category="linear")[0]["retCode"] == 0
        venue.until(lambda: now() >= int(headers["X-Bapi-Limit-Reset-Timestamp"]))
        assert client.get_account_info()[0]["retCode"] == 0
        client.client.close()


def ask(stream: ClientConnection, **message: Any) -> dict[str, Any]:  # noqa: ANN401 - any message
    """Say something to a stream and read what it says next."""
    stream.send(json.dumps(message))
    return dict(json.loads(stream.recv(timeout=10)))


def authorise(stream: ClientConnection, secret: str = KEYS.secret, ahead: int = 5000) -> dict[str, Any]:
    """Authorise a stream, made without the SDK."""
    expires = now(ahead)
    signature = hmac.new(secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
    return ask(stream, op="auth", args=[KEYS.key, expires, signature])


def test_a_private_stream_says_nothing_before_it_is_authorised() -> None:
    """A wrong signature or one that has run out ends it."""
    with house() as venue:
        with connect(venue.api.stream_url + "/v5/private") as stream:
            assert ask(stream, op="subscribe", args=["order"])["success"] is False
            assert authorise(stream)["success"] is True
            assert ask(stream, op="subscribe", req_id="7", args=["order", "execution.linear"]) == {
                "success": True,
                "ret_msg": "",
                "op": "subscribe",
                "conn_id": "stream-000001",
                "req_id": "7",
            }
            assert ask(stream, op="subscribe", args=["nothing"])["success"] is False
            assert ask(stream, op="ping")["op"] == "pong"
            venue.order()
            venue.go()
            topics = [json.loads(stream.recv(timeout=10))["topic"] for _ in range(3)]
            assert topics == ["order", "execution.linear", "order"]
        wrongs: tuple[dict[str, Any], ...] = (WRONG, {"ahead": -1})
        for wrong in wrongs:
            with connect(venue.api.stream_url + "/v5/private") as stream:
                assert authorise(stream, **wrong)["success"] is False


def test_public_streams_tell_what_is_new() -> None:
    """A ticker whole and then what changed; one bad topic spoils a request."""
    with house() as venue, connect(venue.api.stream_url + "/v5/public/linear") as stream:
        assert ask(stream, op="subscribe", args=["tickers.BTCUSDT", "tickers.NOPE"])["success"] is False
        assert ask(stream, op="subscribe", args=["tickers.BTCUSDT"])["success"] is True
        whole = json.loads(stream.recv(timeout=10))
        venue.price("61000")
        changed = json.loads(stream.recv(timeout=10))
        assert (whole["type"], whole["data"]["lastPrice"], changed["type"], changed["data"]["lastPrice"]) == (
            "snapshot",
            "60000.0",
            "delta",
            "61000.0",
        )
        assert "fundingRate" not in changed["data"]
        assert ask(stream, op="ping", req_id="1")["ret_msg"] == "pong"


def test_candles_end_where_time_is() -> None:
    """The newest is in progress, and none is of the future."""
    with house() as venue:
        rows = venue.http.get_kline(category="linear", symbol=BTC, interval="60", limit=5)["result"]["list"]
        assert [int(row[0]) for row in rows] == [int((START - timedelta(hours=n)).timestamp() * 1000) for n in range(5)]
        later = int((START + timedelta(days=1)).timestamp() * 1000)
        assert venue.http.get_kline(category="linear", symbol=BTC, interval="D", end=later)["result"]["list"][0][0] <= rows[0][0]
        assert refused(venue.http.get_kline, category="linear", symbol=BTC, interval="7") == 10001


def test_auditors_are_told_what_really_happened(tmp_path: Path) -> None:
    """By HTTP and in a file: calls, orders, fills, positions and cash, with no secret in it."""
    with house(log=tmp_path / "log.jsonl") as venue:
        venue.trade(orderLinkId="mine")
        notes = requests.get(venue.api.url + "/__evidence?after=0", timeout=10).json()
        state = requests.get(venue.api.url + "/__state", timeout=10).json()
    assert {"request", "order", "fill", "position", "cash"} <= {note["kind"] for note in notes}
    assert [n["status"] for n in notes if n["kind"] == "order" and n["client_id"] == "mine"] == ["New", "Filled"]
    assert [n["quantity"] for n in notes if n["kind"] == "fill"] == ["0.01"]
    assert state["positions"] == {"BTCUSDT": "0.01"}
    assert KEYS.secret not in json.dumps(notes)
    kept = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert kept[: len(notes)] == notes


def test_hands_say_what_is_wrong_with_their_words() -> None:
    """Instead of doing something else."""
    with house() as venue:

        def told(**said: object) -> int:
            return requests.post(venue.api.url + "/__control", json=said, timeout=10).status_code

        assert told(do="quote", symbol=BTC, bid="1", ask="2") == 200
        assert [told(do="dance"), told(do="fault", rule={"fault": "unheard"}), told(do="adl", symbol="NOPE")] == [400, 400, 400]


def test_a_halted_symbol_takes_no_orders() -> None:
    """And fills none that rest; then it goes on."""
    with house() as venue:
        venue.order(price="59000")
        venue.go()
        venue.api.control(do="halt", symbol=BTC)
        venue.price("58000")
        assert refused(venue.order) == 110066
        assert [o["orderStatus"] for o in venue.working()] == ["New"]
        status = venue.http.get_instruments_info(category="linear", symbol=BTC)["result"]["list"][0]["status"]
        venue.api.control(do="resume", symbol=BTC)
        venue.go(1)
        assert (status, venue.working(), venue.position()["size"]) == ("Closed", [], "0.01")


def test_a_clock_that_runs_by_itself_needs_nobody() -> None:
    """Orders are accepted and told while the client does nothing."""
    clock = EmulatedClock.running(SystemWallClock(), START, speed=60)
    with house(clock=clock, cash=Decimal(5000)) as venue, venue.listening() as (ears, _):
        venue.order(orderLinkId="alone")
        ears.wait("execution")
        venue.until(lambda: ears.statuses("alone") == ["New", "Filled"])
