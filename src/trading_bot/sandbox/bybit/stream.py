"""Streams: who is connected, what they asked for, and what they are told; and what a fault makes of it.

Promises that a private stream says nothing before it is authorised, that each message goes out in the order in which things happened
unless a fault turns it round, and that a slow reader holds up nobody.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from trading_bot.sandbox.bybit import candles
from trading_bot.sandbox.bybit import routes_market as market
from trading_bot.sandbox.bybit.contracts import Contract
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.wire import CATEGORIES, Refused

PRIVATE = ("order", "execution", "position", "wallet", "greeks", "dcp")
_QUIET = ("allLiquidation", "liquidation")
"""Topics that may be asked for and say nothing, as nobody else is here who could be liquidated."""
_SYMBOLED = ("tickers", "orderbook", "publicTrade", "kline", *_QUIET)
Message = dict[str, Any]


@dataclass(eq=False)
class Connection:
    """One client's stream."""

    id: str
    category: str
    """Empty for the private one."""
    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[str | None]"
    authorised: bool = False
    topics: dict[str, Message | None] = field(default_factory=dict)
    """What was asked for, with what was told last of it."""

    def send(self, message: Message) -> None:
        """Put a message on its way, from any thread."""
        self._put(json.dumps(message, separators=(",", ":")))

    def close(self) -> None:
        """Cut it off."""
        self._put(None)

    def _put(self, text: str | None) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.queue.put_nowait, text)


class Hub:
    """All connections. Guarded by the server's lock, like the engine."""

    def __init__(self, spoil: Callable[[Message], Sequence[Message]]) -> None:
        self._spoil = spoil
        """What a fault makes of a private message: none, the same, or more."""
        self._connections: list[Connection] = []
        self._sent = 0

    def join(self, connection: Connection) -> None:
        """A client has connected."""
        self._connections.append(connection)

    def leave(self, connection: Connection) -> None:
        """A client is gone."""
        if connection in self._connections:
            self._connections.remove(connection)

    def drop(self, *, private_only: bool = False) -> int:
        """Cut everybody off; returns how many."""
        dropped = [c for c in self._connections if not (private_only and c.category)]
        for connection in dropped:
            connection.close()
        return len(dropped)

    def tell(self, engine: Engine, topic: str, row: Message) -> None:
        """A private message to all who asked for its topic."""
        if not any(connection.authorised and not connection.category for connection in self._connections):
            return
        self._sent += 1
        message = {"id": f"{self._sent:012d}", "topic": topic, "creationTime": engine.clock // 1_000_000, "data": [row]}
        for spoiled in self._spoil(message):
            names = {spoiled["topic"], f"{spoiled['topic']}.{spoiled['data'][0].get('category', '')}"}
            for connection in self._connections:
                for name in names & set(connection.topics) if connection.authorised else ():
                    connection.send(spoiled | {"topic": name})

    def publish(self, engine: Engine) -> None:
        """Tell public streams what is new."""
        for connection in self._connections:
            for topic in connection.topics if connection.category else ():
                self.refresh(engine, connection, topic)

    def refresh(self, engine: Engine, connection: Connection, topic: str) -> None:
        """Tell one client the newest of a topic, if it is new."""
        before = connection.topics[topic]
        message = news(engine, connection.category, topic, before)
        if message is not None and (before is None or message["data"] != before["data"]):
            connection.topics[topic] = message
            connection.send(_delta(before, message))


def _delta(before: Message | None, message: Message) -> Message:
    """Of a linear ticker: after the first, what has changed alone."""
    if before is None or not message["topic"].startswith("tickers.") or "fundingRate" not in message["data"]:
        return message
    changed = {name: value for name, value in message["data"].items() if before["data"].get(name) != value}
    return message | {"type": "delta", "data": {"symbol": message["data"]["symbol"]} | changed}


def topic_of(engine: Engine, category: str, topic: str) -> tuple[str, str, Contract]:
    """Kind, parameter and contract of a public topic, or a refusal."""
    kind, *middle, symbol = topic.split(".") if "." in topic else (topic, "")
    if kind not in _SYMBOLED or len(middle) != (kind in {"orderbook", "kline"}):
        raise Refused("parameter", f"handler not found,topic:{topic}")
    parameter = middle[0] if middle else ""
    if (kind == "kline" and parameter not in candles.INTERVALS) or (kind == "orderbook" and not parameter.isdigit()):
        raise Refused("parameter", f"Invalid topic: [{topic}]")
    return kind, parameter, engine.contract(category, symbol)


def news(engine: Engine, category: str, topic: str, before: Message | None) -> Message | None:
    """The newest message of a public topic."""
    kind, parameter, contract = topic_of(engine, category, topic)
    if kind in _QUIET:
        return None
    told = engine.clock // 1_000_000
    head: Message = {"topic": topic, "ts": told, "type": "snapshot"}
    if kind == "tickers":
        return head | {"cs": told, "data": market.ticker(engine, contract)}
    if kind == "orderbook":
        data = market.book(engine, contract, int(parameter))
        same = before is not None and (before["data"]["b"], before["data"]["a"]) == (data["b"], data["a"])
        fresh = same and before is not None and told - before["ts"] < _SILENCE
        return None if fresh else head | {"cts": told, "data": data}
    if kind == "kline":
        return head | {"data": [candles.candle(engine, contract, parameter)]}
    row = market.trade(engine, contract, engine.clock // _SECOND * _SECOND)
    names = {"T": "time", "s": "symbol", "S": "side", "v": "size", "p": "price", "i": "execId", "BT": "isBlockTrade", "RPI": "isRPITrade"}
    trades = [{ours: row[theirs] for ours, theirs in names.items()} | {"T": int(row["time"]), "L": "ZeroPlusTick"}]
    return head | {"data": trades}


_SECOND = 1_000_000_000
_SILENCE = 3000
"""A book that does not change is told again after so many ms."""


def category_of(path: str) -> str | None:
    """The category of a stream's path, empty for the private one; None for a path that there is not."""
    if path == "/v5/private":
        return ""
    name = path.removeprefix("/v5/public/")
    return name if name in CATEGORIES else None


def pong(connection: Connection, asked: Message, at: int) -> Message:
    """The answer to a ping; the private stream has a shape of its own."""
    if not connection.category:
        return {"req_id": asked.get("req_id", ""), "op": "pong", "args": [str(at)], "conn_id": connection.id}
    return {"success": True, "ret_msg": "pong", "conn_id": connection.id, "req_id": asked.get("req_id", ""), "op": "ping"}


def answer(connection: Connection, asked: Message, problem: str = "") -> Message:
    """The answer to `auth`, `subscribe` and `unsubscribe`."""
    told = {"success": not problem, "ret_msg": problem, "op": asked.get("op", ""), "conn_id": connection.id}
    return told | ({"req_id": asked["req_id"]} if "req_id" in asked else {})


def subscribe(engine: Engine, connection: Connection, topics: Sequence[str]) -> str:
    """Note what a client wants to hear; returns what is wrong with it. One bad topic spoils the request."""
    unknown = [topic for topic in topics if topic.split(".")[0] not in PRIVATE]
    if unknown and not connection.category:
        return f"error:handler not found,topic:{unknown[0]}"
    try:
        for topic in topics if connection.category else ():
            topic_of(engine, connection.category, topic)
    except Refused as refused:
        return f"error:{refused.message.removeprefix('params error: ')}"
    doubled = [topic for topic in topics if topic in connection.topics]
    if doubled:
        return f"error:already subscribed,topic:{doubled[0]}"
    connection.topics.update(dict.fromkeys(topics))
    return ""
