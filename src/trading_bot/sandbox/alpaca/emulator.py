"""The emulated Alpaca on loopback: REST and streams on one port, with faults, evidence and a hand to move things.

Promises that every request first lets happen what has happened by now, that its answer is what Alpaca's specification says, and that
without a fault rule it is honest. Refuses to listen anywhere but on loopback.
"""

import asyncio
import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Served
from starlette.routing import WebSocketRoute

from trading_bot.domain.errors import DeskError
from trading_bot.sandbox.alpaca.answers import MAINTENANCE, CutShort, error_body, refusal_by
from trading_bot.sandbox.alpaca.data_api import DataApi
from trading_bot.sandbox.alpaca.deeds import Deeds
from trading_bot.sandbox.alpaca.forms import check_form, object_of
from trading_bot.sandbox.alpaca.orders import RefusedError
from trading_bot.sandbox.alpaca.quiet_api import quiet_routes
from trading_bot.sandbox.alpaca.reference_api import ReferenceApi
from trading_bot.sandbox.alpaca.setup import Setup
from trading_bot.sandbox.alpaca.streams import DataStream, TradeStream
from trading_bot.sandbox.alpaca.trading_api import Call, Reply, Route, TradingApi, match
from trading_bot.sandbox.alpaca.venue import AlpacaVenue
from trading_bot.sandbox.alpaca.watchlists import Watchlists
from trading_bot.sandbox.evidence import Evidence
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.serving import Loopback
from trading_bot.sandbox.venue_faults import FaultScript, Rule

_KINDS = {("POST", "orders"): "order", ("PATCH", "orders"): "replace", ("DELETE", "orders"): "cancel", ("DELETE", "positions"): "order"}
_METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE"]
_WINDOW = 60.0
_UNREADABLE = Reply(400, error_body(40010000, "request body format is invalid"))
_FEEDS = (
    *(f"/v2/{name}" for name in ("iex", "sip", "delayed_sip", "boats", "overnight", "test")),
    *(f"/v1beta3/crypto/{place}" for place in ("us", "us-1", "us-2", "eu-1", "bs-1", "global")),
    "/v1beta1/news",
)
"""Streams of market data."""
_DATA_PATHS = ("/v2/stocks", "/v1beta1", "/v1beta3", "/v1/corporate-actions")


class AlpacaEmulator:
    """The emulator; use it as a context, then `url` answers until the block ends."""

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self,
        market: EmulatedMarket,
        clock: EmulatedClock,
        setup: Setup | None = None,
        faults: Sequence[Rule] = (),
        *,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self.setup = setup or Setup()
        self.evidence = Evidence(log)
        self.script = FaultScript(faults, self.setup.seed, market.symbols)
        self.venue = AlpacaVenue(market, clock, self.setup, self.script, self.evidence)
        self._lock = threading.RLock()
        data = DataApi(self.venue)
        self._routes = (*quiet_routes(self.venue, data), *TradingApi(self.venue).routes, *_routes(self.venue), *data.routes)
        self._trades, self._data = TradeStream(self.venue, self._fits), DataStream(self.venue, data, self._fits)
        self._spent: tuple[float, int] = (0.0, 0)
        """Begin of the minute that requests are counted in, and how many there were."""
        self._server = Loopback(self._app(), port=port, pump=None if clock.driven else self._pump, name="alpaca")
        self._deeds = Deeds(self.venue, self._drop_streams, self._vanish)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        """Base of the trading and the market-data API."""
        return self._server.url

    @property
    def stream_url(self) -> str:
        """Of the trade updates."""
        return f"ws://127.0.0.1:{self._server.port}/stream"

    def data_stream_url(self, feed: str = "v2/iex") -> str:
        """Of a market-data stream."""
        return f"ws://127.0.0.1:{self._server.port}/{feed}"

    def do(self, name: str, **told: object) -> None:
        """Move something by hand, as `POST /__control` does."""
        with self._lock:
            self._deeds.do(name, told)
            self._data.push()

    def advance(self) -> None:
        """Let happen what has happened by now; with a driven clock somebody has to ask."""
        with self._lock:
            self._pump()

    # -- serving -----------------------------------------------------------------------------------------------------------

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                *(WebSocketRoute(path, self._trades.serve) for path in ("/stream", "/stream/")),
                *(WebSocketRoute(path, self._data.serve) for path in _FEEDS),
                Served("/__evidence", self._told_evidence),
                Served("/__control", self._control, methods=["POST"]),
                Served("/{path:path}", self._answer, methods=_METHODS),
            ]
        )

    async def _told_evidence(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        return JSONResponse(self.evidence.after(int(after) if after.isdecimal() else 0))

    async def _control(self, request: Request) -> Response:
        told = object_of(await request.body()) or {}
        try:
            self.do(str(told.get("do")), **{k: v for k, v in told.items() if k != "do"})
        except (ValueError, KeyError, DeskError, RefusedError) as error:
            return JSONResponse({"message": str(error)}, 422)
        return JSONResponse({"now": self.venue.clock.now().isoformat()})

    async def _answer(self, request: Request) -> Response:
        raw = await request.body()
        body = object_of(raw) if raw else {}
        asked = request.query_params
        call = Call(request.method, request.url.path, {k: ",".join(asked.getlist(k)) for k in asked}, body or {})
        with self._lock:
            try:
                reply, rules = (_UNREADABLE, ()) if body is None else self._reply(call, request)
            except Exception as error:  # noqa: BLE001  # edge: the venue answers and goes on, and the evidence says what it did not know
                self.evidence.note("error", self.venue.clock.now(), path=call.path, problem=repr(error)[:500])
                reply, rules = Reply(500, error_body(50010000, "internal server error occurred")), ()
        headers = self._limits()
        return await self._sent(request, reply, rules, headers)

    def _reply(self, call: Call, request: Request) -> tuple[Reply, tuple[Rule, ...]]:
        """What is answered, and the rules that disturb it."""
        self._pump()
        now, kind, symbol = self.venue.clock.now(), _kind(call), self._symbol(call)
        early = self._barred(call, request)
        if early is not None:
            return early, ()
        rules = self.script.strikes(kind, symbol, now)
        for rule in rules:
            self.evidence.note("fault", now, rule=rule.fault, hit=kind, client_id=_client(call), seconds=rule.seconds)
            self._deeds.strike(rule)
        refusal = refusal_by(rules)
        reply = refusal or self._carried_out(Call(call.method, call.path, call.query, call.body, rules))
        self.evidence.note("request", now, method=call.method, path=call.path, call=kind, client_id=_client(call), outcome=reply.status)
        return reply, rules

    def _carried_out(self, call: Call) -> Reply:
        try:
            check_form(call.body)
            reply = match(self._routes, call)
        except RefusedError as error:
            return Reply(error.status, dict(error.body))
        body = json.loads(json.dumps(reply.body))
        reply.then()
        self._data.push()
        return Reply(reply.status, body)

    async def _sent(self, request: Request, reply: Reply, rules: tuple[Rule, ...], headers: Mapping[str, str]) -> Response:
        faults = {rule.fault: rule for rule in rules}
        if "slow" in faults:
            await asyncio.sleep(faults["slow"].seconds)
        if "server_error" in faults:
            reply = Reply(faults["server_error"].status, error_body(50010000, "internal server error occurred"))
        if "rate_limited" in faults and not faults["rate_limited"].reset:
            headers = {}
        if "lost_answer" in faults or self.script.active("unreachable", self.venue.clock.now()):
            self._server.cut(request.client)
            await asyncio.sleep(0.01)
        if isinstance(reply.body, str):
            return Response(reply.body, reply.status, media_type="text/html", headers=dict(headers))
        answer = (
            Response(status_code=204, headers=dict(headers))
            if reply.body is None
            else JSONResponse(reply.body, reply.status, headers=dict(headers))
        )
        return CutShort(answer, lambda: self._server.cut(request.client)) if "cut_body" in faults else answer

    def _barred(self, call: Call, request: Request) -> Reply | None:
        """What is answered to those who do not get in."""
        now = self.venue.clock.now()
        if self.script.active("maintenance", now):
            return Reply(503, MAINTENANCE)
        key, secret = request.headers.get("apca-api-key-id"), request.headers.get("apca-api-secret-key")
        open_to_all = call.path.startswith("/v1beta3/crypto") and key is None and secret is None
        if self.script.active("expired_token", now) or not (open_to_all or self._fits(key, secret)):
            is_data = call.path.startswith(_DATA_PATHS)
            return Reply(403, {"message": "forbidden."}) if is_data else Reply(401, error_body(40110000, "request is not authorized"))
        return Reply(429, error_body(42910000, "rate limit exceeded")) if self._over_limit() else None

    def _fits(self, key: str | None, secret: str | None) -> bool:
        told = key, secret
        if self.script.active("expired_token", self.venue.clock.now()) or not all(isinstance(word, str) and word for word in told):
            return False
        wanted = self.setup.key or key, self.setup.secret or secret
        return all(secrets.compare_digest(str(ours).encode(), str(theirs).encode()) for ours, theirs in zip(told, wanted, strict=True))

    def _over_limit(self) -> bool:
        began, count = self._spent
        now = self._time()
        began, count = (now, 0) if now - began >= _WINDOW or not count else (began, count)
        self._spent = (began, count + 1)
        return count >= self.setup.requests_per_minute

    def _limits(self) -> dict[str, str]:
        began, count = self._spent
        most = self.setup.requests_per_minute
        reset = int(self.venue.now().timestamp() + max(_WINDOW - (self._time() - began), 0)) + 1
        told = {"limit": most, "remaining": max(most - count, 0), "reset": reset}
        return {f"x-ratelimit-{name}": str(value) for name, value in told.items()}

    def _time(self) -> float:
        return 0.0 if self._server.loop is None else self._server.loop.time()

    # -- what happens by itself ----------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        with self._lock:
            now = self.venue.clock.now()
            for rule in self.script.due(now):
                self.evidence.note("fault", now, rule=rule.fault, hit="time", symbol=rule.symbol, seconds=rule.seconds)
                self._deeds.strike(rule)
            self.venue.advance()
            self._data.push()

    def _drop_streams(self) -> None:
        self.evidence.note("stream", self.venue.clock.now(), what="dropped")
        for session in [*self._trades.sessions, *self._data.sessions]:
            self._in_loop(self._server.cut, session.socket.client)

    def _vanish(self, seconds: float) -> None:
        self.evidence.note("stream", self.venue.clock.now(), what="dropped", seconds=seconds)
        if not self.venue.clock.driven:  # whoever drives the clock is cut off call by call: a closed port would count the machine's seconds
            self._in_loop(self._server.vanish, seconds)

    def _in_loop(self, call: Any, *arguments: object) -> None:  # noqa: ANN401 - any function
        if self._server.loop is not None:
            self._server.loop.call_soon_threadsafe(call, *arguments)

    def _symbol(self, call: Call) -> str | None:
        told = call.body.get("symbol")
        parts = call.path.rsplit("/", 1)
        order = self.venue.orders.get(parts[-1])
        return str(told) if told else (order.symbol if order is not None else None)


def _routes(venue: AlpacaVenue) -> tuple[Route, ...]:
    """What has nothing to do with orders."""
    return (*ReferenceApi(venue).routes, *Watchlists(venue).routes)


def _client(call: Call) -> str | None:
    """The client's id that a call names."""
    told = call.body.get("client_order_id") or call.query.get("client_order_id")
    return told[:200] if isinstance(told, str) else None


def _kind(call: Call) -> str:
    head = call.path.removeprefix("/v2/").split("/")[0].split(":")[0]
    return _KINDS.get((call.method, head), "read")
