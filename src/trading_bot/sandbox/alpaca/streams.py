"""The streams of the emulated Alpaca: trade updates in JSON (binary frames), market data in msgpack or JSON.

Promises that a client hears nothing before it has shown its keys and said what it wants.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgpack  # type: ignore[import-untyped]  # ships no types
from starlette.websockets import WebSocket, WebSocketDisconnect

from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.alpaca.data_api import DataApi, bar_json
from trading_bot.sandbox.alpaca.venue import AlpacaVenue

KeysFit = Callable[[str | None, str | None], bool]
_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "orderbooks", "news")
_MINUTE = timedelta(minutes=1)


class Session:
    """One connected client: what it wants, and a queue of what it is to be sent."""

    def __init__(self, socket: WebSocket, *, packed: bool = False, binary: bool = False) -> None:
        self.socket, self.packed, self.binary = socket, packed, binary
        self.wants: dict[str, set[str]] = {}
        self.sent: dict[Symbol, str] = {}
        """Time of the last quote that it was sent, by symbol."""
        self.minute: datetime | None = None
        self._queue: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def send(self, message: object) -> None:
        """Queue a message; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._queue.put_nowait, self._encoded(message))

    def _encoded(self, message: object) -> bytes | str:
        if self.packed:
            packed: bytes = msgpack.packb(_with_times(message), datetime=True)
            return packed
        text = json.dumps(message)
        return text.encode() if self.binary else text

    async def pump(self) -> None:
        """Send what is queued, until the client has gone."""
        while True:
            message = await self._queue.get()
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await (self.socket.send_bytes(message) if isinstance(message, bytes) else self.socket.send_text(message))

    async def hear(self) -> dict[str, Any]:
        """The next message of the client, in any of its spellings; {} for what is none."""
        frame = await self.socket.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        raw = frame.get("text") or frame.get("bytes") or b""
        try:
            found = msgpack.unpackb(raw) if self.packed and isinstance(raw, bytes) else json.loads(raw)
        except (ValueError, RecursionError, msgpack.UnpackException):
            return {}
        return found if isinstance(found, dict) and isinstance(found.get("action"), str) else {}


def _with_times(message: object) -> object:
    """Times as msgpack has them."""
    if isinstance(message, list):
        return [_with_times(m) for m in message]
    if isinstance(message, dict):
        return {k: datetime.fromisoformat(v) if k == "t" and isinstance(v, str) else v for k, v in message.items()}
    return message


class TradeStream:
    """`/stream`: trade updates of the account."""

    def __init__(self, venue: AlpacaVenue, fits: KeysFit) -> None:
        self._venue, self._fits = venue, fits
        self.sessions: list[Session] = []
        venue.outbox.listeners.append(self._tell)

    def _tell(self, message: dict[str, Any]) -> None:
        for session in self.sessions:
            if "trade_updates" in session.wants.get("streams", ()):
                session.send(message)

    async def serve(self, socket: WebSocket) -> None:
        """One client, until it goes."""
        await socket.accept()
        session, known = Session(socket, binary=True), False
        async with _attached(self.sessions, session):
            self._venue.evidence.note("stream", self._venue.clock.now(), what="connected", path="/stream")
            while True:
                said = await session.hear()
                action, data = said.get("action"), _object(said.get("data"))
                if action in {"authenticate", "auth"}:
                    key, secret = data.get("key_id") or said.get("key"), data.get("secret_key") or said.get("secret")
                    known = self._fits(key, secret)
                    session.send(_word("authorization", status="authorized" if known else "unauthorized", action="authenticate"))
                elif not known:
                    session.send(_word("authorization", status="unauthorized", action=action))
                elif action == "listen":
                    session.wants["streams"] = _names(data.get("streams"))
                    self._venue.evidence.note("stream", self._venue.clock.now(), what="subscribed", path="/stream")
                    session.send(_word("listening", streams=sorted(session.wants["streams"])))


class DataStream:
    """`/v2/iex`, `/v2/sip`, `/v1beta3/crypto/us`: quotes, trades and minute bars of the symbols that a client wants."""

    def __init__(self, venue: AlpacaVenue, data: DataApi, fits: KeysFit) -> None:
        self._venue, self._data, self._fits = venue, data, fits
        self.sessions: list[Session] = []

    async def serve(self, socket: WebSocket) -> None:
        """One client, until it goes."""
        await socket.accept()
        packed = "msgpack" in socket.headers.get("content-type", "")
        session, known = Session(socket, packed=packed), False
        session.send([{"T": "success", "msg": "connected"}])
        async with _attached(self.sessions, session):
            while True:
                said = await session.hear()
                action = said.get("action")
                if action == "auth":
                    known = self._fits(said.get("key"), said.get("secret"))
                    session.send([{"T": "success", "msg": "authenticated"} if known else _error(402, "auth failed")])
                elif not known:
                    session.send([_error(401, "not authenticated")])
                elif action in {"subscribe", "unsubscribe"}:
                    _change(session.wants, said, adds=action == "subscribe")
                    session.send([{"T": "subscription"} | {c: sorted(session.wants.get(c, ())) for c in _CHANNELS}])
                else:
                    session.send([_error(400, "invalid syntax")])

    def push(self) -> None:
        """Send each client what is new since the last time."""
        if self.sessions and self._venue.script.active("mute_stream", self._venue.clock.now()) is None:
            for session in self.sessions:
                news = list(self._news(session))
                if news:
                    session.send(news)

    def _news(self, session: Session) -> Iterator[dict[str, Any]]:
        for symbol in self._wanted(session, "quotes", "trades"):
            quote = self._data.quote(symbol)
            if quote is None or session.sent.get(symbol) == quote["t"]:
                continue
            session.sent[symbol] = quote["t"]
            if _wants(session, "quotes", symbol):
                yield {"T": "q", "S": symbol} | quote
            if _wants(session, "trades", symbol):
                yield {"T": "t", "S": symbol} | (self._data.trade(symbol) or {})
        yield from self._bars(session)

    def _bars(self, session: Session) -> Iterator[dict[str, Any]]:
        minute = self._venue.clock.now().replace(second=0, microsecond=0)
        before, session.minute = session.minute, minute
        if before is None or before >= minute:
            return
        for symbol in self._wanted(session, "bars"):
            for bar in self._venue.market.bars(symbol, Timeframe.MINUTE, max(before, minute - 5 * _MINUTE), minute):
                yield {"T": "b", "S": symbol} | bar_json(bar)

    def _wanted(self, session: Session, *channels: str) -> list[Symbol]:
        names = set().union(*(session.wants.get(c, set()) for c in channels))
        return [s for s in self._venue.market.symbols if "*" in names or s in names]


def _wants(session: Session, channel: str, symbol: str) -> bool:
    return bool({"*", symbol} & session.wants.get(channel, set()))


def _change(wants: dict[str, set[str]], said: dict[str, Any], *, adds: bool) -> None:
    for channel in _CHANNELS:
        names, known = _names(said.get(channel)), wants.setdefault(channel, set())
        wants[channel] = known | names if adds else known - names


def _names(told: object) -> set[str]:
    """Names in a list; whatever else is told is none."""
    return {name for name in told if isinstance(name, str)} if isinstance(told, list) else set()


def _object(told: object) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _word(stream: str, **data: object) -> dict[str, Any]:
    return {"stream": stream, "data": data}


def _error(code: int, message: str) -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": message}


@contextlib.asynccontextmanager
async def _attached(sessions: list[Session], session: Session) -> AsyncIterator[None]:
    """Keep a session among `sessions`, and its queue flowing, while the client is there."""
    sessions.append(session)
    flowing = asyncio.create_task(session.pump())
    try:
        yield
    except WebSocketDisconnect:
        pass
    finally:
        sessions.remove(session)
        flowing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flowing
