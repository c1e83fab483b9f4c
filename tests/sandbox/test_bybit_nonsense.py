"""Nonsense said to the emulated Bybit: whatever comes, the answer is one of the venue's, and nothing else changes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import connect

from sandbox.bybit_house import BTC, House, house
from trading_bot.sandbox.bybit.routes import ROUTES
from trading_bot.sandbox.bybit.service import Call
from trading_bot.sandbox.bybit.signing import ANYONE

NAMES = ("qty", "price", "triggerPrice", "stopLoss", "takeProfit", "trailingStop", "activePrice", "limit", "cursor", "startTime", "endTime")
WORDS = ("symbol", "side", "orderType", "orderLinkId", "orderId", "request", "start", "end", "interval", "positionIdx", "triggerDirection")
ODD = st.sampled_from(["", "-1", "0", "0.01", "1e400", "NaN", "Infinity", "9" * 40, "½", "x", BTC, "Buy", "Market", "Limit", "D", "5"])
VALUES = st.one_of(ODD, st.none(), st.booleans(), st.integers(), st.lists(ODD, max_size=2), st.dictionaries(ODD, ODD, max_size=2))
BODIES = st.dictionaries(st.sampled_from((*NAMES, *WORDS, "reduceOnly", "closeOnTrigger", "marketUnit")), VALUES, max_size=6)
KEYED = {"x-bapi-api-key": "any", "x-bapi-sign": "any"}


@pytest.fixture(scope="module")
def venue() -> Iterator[House]:
    """A venue that lets anyone in."""
    with house(credentials=ANYONE) as made:
        made.trade(stopLoss="50000")
        yield made


def say(venue: House, method: str, path: str, said: dict[str, Any]) -> dict[str, Any]:
    """Say something at the door, without a socket."""
    stamp = str(int(venue.api.service.now.timestamp() * 1000))
    query = "&".join(f"{name}={value}" for name, value in said.items()) if method == "GET" else ""
    body = b"" if method == "GET" else json.dumps(said).encode()
    return dict(venue.api.service.answer(Call(method, path, query, body, KEYED | {"x-bapi-timestamp": stamp})).content)


@given(
    route=st.sampled_from(sorted(ROUTES)), said=BODIES, category=st.sampled_from(["linear", "spot", "inverse", "?"]), right=st.booleans()
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_has_an_answer(venue: House, route: tuple[str, str], said: dict[str, Any], category: str, right: bool) -> None:  # noqa: FBT001 - drawn
    """Yes or no, with a code; half of the requests have their first fields right."""
    wanted = (
        said | {"category": category} | ({"symbol": BTC, "side": "Buy", "orderType": "Limit", "accountType": "UNIFIED"} if right else {})
    )
    answer = say(venue, *route, wanted)
    assert isinstance(answer["retCode"], int)
    assert isinstance(answer["retMsg"], str)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'"x"', b"\xff\xfe"])
def test_a_body_that_is_no_object_is_refused(venue: House, body: bytes) -> None:
    """Or taken as empty, which is refused too."""
    stamp = str(int(venue.api.service.now.timestamp() * 1000))
    answer = venue.api.service.answer(Call("POST", "/v5/order/create", "", body, KEYED | {"x-bapi-timestamp": stamp}))
    assert answer.content["retCode"] == 10001


def test_a_stream_survives_any_message(venue: House) -> None:
    """Each has an answer that says no, and the next ping is heard."""
    odd = [
        "{",
        "[]",
        "7",
        '{"op": 1}',
        '{"op": "subscribe", "args": 5}',
        '{"op": "subscribe", "args": ["tickers", 7, null]}',
        '{"op":"auth"}',
    ]
    with connect(venue.api.stream_url + "/v5/public/linear") as stream:
        for text in odd:
            stream.send(text)
            assert "success" in json.loads(stream.recv(timeout=10))
        stream.send('{"op": "ping"}')
        assert json.loads(stream.recv(timeout=10))["ret_msg"] == "pong"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_that_there_are_not_are_no_route(venue: House, method: str) -> None:
    """In JSON, like every other refusal."""
    assert requests.request(method, f"{venue.api.url}/v5/order/create", timeout=5).json()["retCode"] == 10017


def test_a_body_that_is_too_deep_is_no_json(venue: House) -> None:
    """It is refused, and the next call is answered."""
    told = requests.post(f"{venue.api.url}/v5/order/create", data="[" * 20_000, headers=KEYED, timeout=5)
    assert (told.status_code, told.json()["retCode"]) != (500, 10016)
