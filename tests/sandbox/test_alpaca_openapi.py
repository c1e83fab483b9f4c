"""Every answer of the emulated Alpaca is what Alpaca's own specification says: a session through all endpoints, each body validated."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from sandbox.alpaca_kit import Bench, bench

SPECS = ("trading-api.json", "market-data-api.json")


class Specification:
    """Alpaca's two specifications, and which of their answers a body is meant to be."""

    def __init__(self, folder: Path) -> None:
        self.documents = [json.loads((folder / name).read_text("utf-8")) for name in SPECS]
        self.seen: set[tuple[str, str]] = set()

    def check(self, method: str, response: requests.Response) -> None:
        """Fail if the body is not what the specification says of path, method and status."""
        path = response.request.path_url.split("?")[0].replace("%2F", "/")
        for document in self.documents:
            for template, item in document["paths"].items():
                pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
                if re.fullmatch(pattern, path) and method.lower() in item:
                    self.seen.add((method, template))
                    self._validate(document, item[method.lower()]["responses"], response)
                    return
        pytest.fail(f"the specification has no {method} {path}")

    @staticmethod
    def _validate(document: dict[str, Any], answers: dict[str, Any], response: requests.Response) -> None:
        answer = answers.get(str(response.status_code))
        assert answer is not None, f"{response.request.method} {response.url} answered {response.status_code}, known are {sorted(answers)}"
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return
        registry: Registry[Any] = Registry().with_resource("urn:spec", Resource.from_contents(document, default_specification=DRAFT202012))
        # Its `oneOf` of trading and other activities names two shapes that do not exclude each other: no answer could be exactly one.
        whole = json.loads(json.dumps(schema).replace('"#/', '"urn:spec#/').replace('"oneOf"', '"anyOf"'))
        errors = [
            f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
            for e in OAS30Validator(whole, registry=registry).iter_errors(response.json())
        ]
        assert not errors, f"{response.url}: {errors[:5]}"


@pytest.fixture(scope="module")
def specification() -> Specification:
    """Alpaca's, from the shared fixtures."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "alpaca" / "openapi"
    if not folder.is_dir():
        pytest.skip("Alpaca's specifications are not here (../shared/fixtures/alpaca/openapi)")
    return Specification(folder)


@pytest.fixture(scope="module")
def traded() -> Iterator[Bench]:
    """An account with a history: fills, a bracket, a short, a coin, a dividend's worth of activities, something open."""
    with bench() as b:
        b.price(50_000, "BTC/USD")
        b.buy()
        b.buy(1, "BTC/USD")
        b.post(symbol="MSFT", side="sell", qty="2")
        b.emulator.do("split", symbol="AAPL", ratio="2")
        b.post(client_order_id="open", type="limit", limit_price="20", qty="1")
        b.wait(minutes=3)
        yield b


READS = (
    "/v2/account",
    "/v2/account/configurations",
    "/v2/account/portfolio/history",
    "/v2/account/activities",
    "/v2/account/activities/FILL",
    "/v2/orders?status=all&nested=true",
    "/v2/orders:by_client_order_id?client_order_id=open",
    "/v2/positions",
    "/v2/positions/AAPL",
    "/v2/positions/BTCUSD",
    "/v2/assets",
    "/v2/assets/AAPL",
    "/v2/clock",
    "/v2/calendar?start=2024-03-01&end=2024-03-10",
    "/v2/stocks/bars?symbols=AAPL,MSFT&timeframe=1Min&limit=3",
    "/v2/stocks/bars/latest?symbols=AAPL",
    "/v2/stocks/quotes?symbols=AAPL&limit=3",
    "/v2/stocks/quotes/latest?symbols=AAPL,MSFT",
    "/v2/stocks/trades?symbols=AAPL&limit=3",
    "/v2/stocks/trades/latest?symbols=AAPL",
    "/v2/stocks/snapshots?symbols=AAPL,MSFT",
    "/v2/stocks/AAPL/bars?timeframe=1Min&limit=2",
    "/v2/stocks/AAPL/bars/latest",
    "/v2/stocks/AAPL/quotes?limit=2",
    "/v2/stocks/AAPL/quotes/latest",
    "/v2/stocks/AAPL/trades?limit=2",
    "/v2/stocks/AAPL/trades/latest",
    "/v2/stocks/AAPL/snapshot",
    "/v1beta3/crypto/us/bars?symbols=BTC/USD&timeframe=1Min&limit=3",
    "/v1beta3/crypto/us/quotes?symbols=BTC/USD&limit=3",
    "/v1beta3/crypto/us/trades?symbols=BTC/USD&limit=3",
    "/v1beta3/crypto/us/latest/bars?symbols=BTC/USD",
    "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD",
    "/v1beta3/crypto/us/latest/trades?symbols=BTC/USD",
    "/v1beta3/crypto/us/latest/orderbooks?symbols=BTC/USD",
    "/v1beta3/crypto/us/snapshots?symbols=BTC/USD",
    "/v1/corporate-actions?symbols=AAPL",
    "/v3/clock?markets=NYSE,NASDAQ",
    "/v3/calendar/NYSE?start=2024-03-01&end=2024-03-10",
    "/v1beta1/news?symbols=AAPL",
    "/v1beta1/options/bars?symbols=AAPL240315C00100000&timeframe=1Day",
    "/v1beta1/options/quotes/latest?symbols=AAPL240315C00100000",
    "/v1beta1/options/snapshots?symbols=AAPL240315C00100000",
    "/v1beta1/options/snapshots/AAPL",
    "/v1beta1/options/trades?symbols=AAPL240315C00100000",
    "/v1beta1/options/meta/exchanges",
    "/v1beta1/screener/stocks/movers?top=5",
    "/v1beta1/screener/crypto/movers",
    "/v1beta1/screener/stocks/most-actives?by=trades",
    "/v1beta1/forex/latest/rates?currency_pairs=USDJPY",
    "/v1beta1/indices/latest/values?symbols=SPX",
    "/v1beta1/fixed_income/latest/quotes?isins=US912797KJ59",
    "/v2/options/contracts?underlying_symbols=AAPL",
    "/v2/stocks/auctions?symbols=AAPL",
    "/v2/stocks/AAPL/auctions",
    "/v2/stocks/meta/exchanges",
    "/v2/stocks/meta/conditions/trade?tape=C",
    "/v2/assets/fixed_income/us_treasuries",
    "/v1/locates",
)


@pytest.mark.parametrize("path", READS)
def test_what_is_read_is_as_specified(specification: Specification, traded: Bench, path: str) -> None:
    """Each with something in it."""
    response = traded.call("GET", path)
    assert response.status_code == 200
    assert response.json() not in ([], {})
    specification.check("GET", response)


def test_what_is_done_is_as_specified(specification: Specification) -> None:
    """Orders of every class, replaced and canceled; positions closed one by one and all at once."""
    pair = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}
    with bench() as b:
        orders = [
            b.post(order_class="bracket", **pair),
            b.post(symbol="MSFT", order_class="oto", stop_loss={"stop_price": "1"}),
            b.post(symbol="BTC/USD", qty="0.01", time_in_force="gtc"),
            b.post(qty=None, notional="50", symbol="MSFT", side="buy"),
            b.post(symbol="BTC/USD", qty="0.01", side="sell", type="stop_limit", stop_price="2", limit_price="1", time_in_force="gtc"),
        ]
        told = [(r.status_code, r.text) for r in orders if r.status_code != 200]
        assert len(told) == 2, told
        limit = b.post(symbol="AAPL", type="limit", limit_price="80")
        for response in [*orders, limit]:
            specification.check("POST", response)
        changes: list[tuple[str, str, dict[str, Any] | None]] = [
            ("PATCH", "/v2/account/configurations", {"no_shorting": False}),
            ("DELETE", "/v2/orders", None),
            ("DELETE", "/v2/positions/MSFT", None),
            ("DELETE", "/v2/positions", None),
        ]
        for method, path, body in changes:
            specification.check(method, b.call(method, path, body))


def test_watchlists_are_as_specified(specification: Specification) -> None:
    """Made, renamed, filled, emptied and gone, by id and by name; a second one of the same name is refused."""
    with bench() as b:
        made = b.call("POST", "/v2/watchlists", {"name": "mine", "symbols": ["AAPL"]})
        path = f"/v2/watchlists/{made.json()['id']}"
        changes: list[tuple[str, str, dict[str, Any] | None, list[str]]] = [
            ("GET", path, None, ["AAPL"]),
            ("POST", path, {"symbol": "BTC/USD"}, ["AAPL", "BTC/USD"]),
            ("POST", "/v2/watchlists:by_name?name=mine", {"symbol": "MSFT"}, ["AAPL", "BTC/USD", "MSFT"]),
            ("DELETE", f"{path}/BTC%2FUSD", None, ["AAPL", "MSFT"]),
            ("PUT", path, {"name": "ours", "symbols": ["MSFT"]}, ["MSFT"]),
        ]
        specification.check("POST", made)
        for method, where, body, symbols in changes:
            response = b.call(method, where, body)
            specification.check(method, response) if "%" not in where else None
            assert [a["symbol"] for a in response.json()["assets"]] == symbols
        specification.check("GET", b.call("GET", "/v2/watchlists"))
        assert b.call("POST", "/v2/watchlists", {"name": "ours"}).status_code == 422
        assert b.call("POST", "/v2/watchlists", {"name": "new", "symbols": ["NOPE"]}).status_code == 422
        assert (b.call("DELETE", path).status_code, b.call("GET", path).status_code) == (204, 404)


def test_refusals_have_a_code_and_a_message(traded: Bench) -> None:
    """404 for what there is not, 405 for what cannot be done, 422 for what makes no sense."""
    asked = {
        "/v2/orders/none": 404,
        "/v2/positions/MSFTX": 404,
        "/v2/assets/NOPE": 404,
        "/v2/nothing": 404,
        "/v2/account/activities?after=never": 422,
    }
    for path, status in asked.items():
        response = traded.call("GET", path)
        assert response.status_code == status
        assert {"code", "message"} <= set(response.json())
    assert traded.call("PUT", "/v2/account").status_code == 405
    assert traded.call("GET", "/v2/stocks/bars?symbols=AAPL&timeframe=2Day").status_code == 400
    assert traded.plain.post(f"{traded.emulator.url}/v2/orders", data="{", timeout=5).status_code == 400
