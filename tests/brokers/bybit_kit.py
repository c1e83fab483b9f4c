"""A scripted server that speaks Bybit's HTTP, and makers of settings, orders and brokers for tests against it or the emulator."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.orders import ApprovedOrder, Leg, OrderClass, OrderRole, OrderSpec, OrderType, Side, TimeInForce
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId, Symbol, VerdictId
from trading_bot.network.keys import Keys
from trading_bot.settings import BybitSettings

BTC = Symbol("BTCUSDT")
KEYS = Keys("KEY-0123456789", "SECRET-abcdefghij")
Answer = Callable[["Call"], "Said | None"]


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    method: str
    path: str
    asked: dict[str, Any]


@dataclass(frozen=True)
class Said:
    """What is answered: a body (a result if it is a dict), a status, headers; `cut` bytes of it at most."""

    result: Any = None
    code: int = 0
    message: str = "OK"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: bool = False

    def body(self) -> bytes:
        """The bytes of a whole answer."""
        if self.raw is not None:
            return self.raw
        whole = {"retCode": self.code, "retMsg": self.message, "result": self.result or {}, "retExtInfo": {}, "time": 1700000000000}
        return json.dumps(whole).encode()


class Scripted:
    """Answers by path; None from an answer hangs up without a word. Every request is kept."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.calls: list[Call] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = False
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def say(self, path: str, said: Said | None) -> None:
        """Answer `path` always so."""
        self.answers[path] = lambda _: said

    def sent(self, path: str) -> list[dict[str, Any]]:
        """What was asked of `path`."""
        return [call.asked for call in self.calls if call.path == path]


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Looks the answer up."""

        protocol_version = "HTTP/1.1"
        timeout = 5

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            """A question."""
            self._answer(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            """An act."""
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}"))

        def _answer(self, asked: dict[str, Any]) -> None:
            call = Call(self.command, urlsplit(self.path).path, asked)
            script.calls.append(call)
            answer = script.answers.get(call.path)
            said = Said({"list": []}) if answer is None else answer(call)
            self.close_connection = True
            if said is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            body = said.body()
            self.send_response(said.status)
            for name, value in {**said.headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if said.cut else body)

    return Handler


def settings(url: str | None, **changed: Any) -> BybitSettings:  # noqa: ANN401 - fields
    """The demo environment at this address."""
    fields = {
        "url": url,
        "environment": "demo",
        "category": "linear",
        "leverage": "2",
        "receive_window_ms": 5000,
        "requests_per_second": 100,
    }
    return BybitSettings.model_validate({**fields, **changed})


def perpetual(symbol: Symbol) -> Instrument:
    """A USDT perpetual."""
    fields = {"asset_class": AssetClass.CRYPTO_PERPETUAL, "venue": "BYBIT", "currency": "USDT", "calendar": "24/7"}
    grid = {"tick_size": "0.1", "lot_size": "0.001", "minimum_notional": "5", "leverage_cap": "100"}
    return Instrument.model_validate({"symbol": symbol, **fields, **grid})


def spec(identity: str, side: Side = Side.BUY, quantity: str = "0.01", **changed: Any) -> OrderSpec:  # noqa: ANN401 - fields
    """A market entry, until something is changed."""
    fields = {
        "client_order_id": ClientOrderId(identity),
        "symbol": BTC,
        "side": side,
        "type": OrderType.LIMIT if "limit_price" in changed else OrderType.MARKET,
        "quantity": Decimal(quantity),
        "time_in_force": TimeInForce.GTC,
        "role": OrderRole.ENTRY,
    }
    return OrderSpec.model_validate({**fields, **changed})


def bracket(identity: str, stop: str, **changed: Any) -> OrderSpec:  # noqa: ANN401 - fields
    """An entry with a stop for its position, called after it."""
    leg = Leg(client_order_id=ClientOrderId(f"{identity}-stop"), price=Decimal(stop))
    return spec(identity, order_class=OrderClass.BRACKET, stop_loss=leg, **changed)


def stop(identity: str, price: str, side: Side = Side.SELL, **changed: Any) -> OrderSpec:  # noqa: ANN401 - fields
    """A stop of its own."""
    fields = {"type": OrderType.STOP, "stop_price": Decimal(price), "role": OrderRole.STOP_LOSS}
    return spec(identity, side, **{**fields, **changed})


def approved(wanted: OrderSpec, replaces: str | None = None) -> ApprovedOrder:
    """What the gate would say."""
    old = None if replaces is None else ClientOrderId(replaces)
    return ApprovedOrder(
        spec=wanted,
        digest=ApprovedOrder.digest_of(wanted, old),
        verdict_id=VerdictId("verdict-1"),
        proposal_id=ProposalId("proposal-1"),
        decision_id=DecisionId("decision-1"),
        replaces=old,
    )


def until(holds: Callable[[], bool], seconds: float = 8.0) -> None:
    """Wait for a condition; AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not come"
        pause.wait(0.01)


@contextmanager
def nobody_listening() -> Iterator[str]:
    """An address at which connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
