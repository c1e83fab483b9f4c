"""Bybit's public stream of best bid and ask (`orderbook.1`) and of perpetuals' tickers, kept alive by a thread of our own.

Promises that it connects anew with jittered patience (the library would try without pause), subscribes again, and ends within
seconds of `close`; that a connection which is open but mute is given up after a minute; and that a message which cannot be read is
counted and skipped. Refuses the library's own book: it copies every message, and one level needs no book.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import websocket
from pybit.unified_trading import WebSocket

from trading_bot.network.backoff import Backoff
from trading_bot.network.watch import Watch
from trading_bot.settings import BybitEnvironment, BybitSettings
from trading_bot.sources import bybit_wire
from trading_bot.sources.bybit_wire import Top, Wire
from trading_bot.sources.live.contracts import RawContract
from trading_bot.sources.live.pulse import Pulse
from trading_bot.sources.live.quote_tape import RawQuote

_LOG = logging.getLogger(__name__)
_BOOK, _TICKER = "orderbook.1.", "tickers."
_AT_ONCE = 10
"""Topics in one request to subscribe, as Bybit's spot stream wants."""
_CONTROL = ("subscribe", "ping", "pong")
_LOOK = 1.0
"""Seconds between two looks at a connection that seems well."""
_MUTE = 60.0
_SOCKET = 10.0
"""Seconds for a handshake, or for the rest of a frame that has begun; the library beneath would wait for ever."""

Listen = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Ears:
    """Who is told what, from the library's thread. `complain`: of what Bybit objects to."""

    quote: Callable[[str, RawQuote], None]
    contract: Callable[[str, RawContract], None]
    complain: Callable[[str], None]


class _Public(WebSocket):  # type: ignore[misc]  # the library ships no types
    """pybit's stream, pointed at `address` if there is one, which ends at an error instead of connecting anew at once."""

    _raw: socket.socket | None = None
    """The connection itself, which the library loses sight of when the other side goes first."""

    def __init__(self, settings: BybitSettings, address: str | None, listen: Listen, ended: threading.Event) -> None:
        self._address = address
        self._ended = ended
        super().__init__(
            settings.category,
            testnet=settings.environment is BybitEnvironment.TESTNET,
            callback_function=listen,
            restart_on_error=False,
            retries=2,  # the library counts an attempt that succeeded as used up
        )

    def _connect(self, url: str) -> None:
        super()._connect(self._address or url)
        self._raw = getattr(self.ws.sock, "sock", None)

    def _on_message(self, message: str) -> None:
        try:
            said = json.loads(message)
        except ValueError:
            said = None
        self.callback(said if isinstance(said, dict) else {})

    def _on_error(self, error: object) -> None:
        _LOG.info("Bybit's stream: %s", type(error).__name__)
        self._ended.set()

    def _on_close(self) -> None:
        self._ended.set()

    def exit(self) -> None:
        """End the connection and the library's thread, which would sleep on a socket that was only closed."""
        self.exited = True
        self._stop_custom_ping_timer()
        self.ws.keep_running = False
        if self._raw is not None:
            with suppress(OSError):
                self._raw.shutdown(socket.SHUT_RDWR)
        self.wst.join(timeout=_SOCKET)
        self.ws.close()
        if self._raw is not None:
            self._raw.close()


class BybitStream:
    """The stream's thread."""

    def __init__(self, settings: BybitSettings, watch: Watch, pulse: Pulse, ears: Ears) -> None:
        self._settings = settings
        self._watch = watch
        self._pulse = pulse
        self._ears = ears
        self._topics = (_BOOK, _TICKER) if settings.category == "linear" else (_BOOK,)
        self._tops: dict[str, Top] = {}
        self._tickers: dict[str, Wire] = {}
        self._wake = threading.Event()
        self._open: _Public | None = None
        self._symbols: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._run, name="bybit-quotes", daemon=True)
        self.unreadable = 0

    def start(self, symbols: Sequence[str]) -> None:
        """Connect and subscribe; returns at once."""
        websocket.setdefaulttimeout(_SOCKET)
        self._symbols = tuple(symbols)
        self._thread.start()

    def close(self) -> None:
        """End the stream and its threads; `pulse.closing` has to be set."""
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * _SOCKET)

    def _run(self) -> None:
        backoff = Backoff(self._pulse.draw)
        while not self._pulse.closing.is_set():
            opened = self._watch.connections
            try:
                self._once()
            except Exception as error:  # noqa: BLE001  # edge: the library raises what it likes; polling goes on meanwhile
                _LOG.info("Bybit's stream: %s", type(error).__name__)
            finally:
                self._watch.lost()
            if self._watch.connections > opened:
                backoff.succeeded()
            self._pulse.pause(backoff.wait())

    def _once(self) -> None:
        """One connection, from its beginning to its end."""
        ended = threading.Event()
        self._wake = ended
        self._tops.clear()
        self._tickers.clear()
        stream = _Public(self._settings, _address(self._settings), self._listen, ended)
        try:
            topics = [topic + symbol for topic in self._topics for symbol in self._symbols]
            for first in range(0, len(topics), _AT_ONCE):
                stream.ws.send(json.dumps({"op": "subscribe", "req_id": str(first), "args": topics[first : first + _AT_ONCE]}))
            self._watch.opened()
            while not (ended.wait(_LOOK) or self._pulse.closing.is_set() or self._mute()):
                pass
        finally:
            stream.exit()

    def _mute(self) -> bool:
        age = self._watch.age
        return self._watch.silent and (age is None or age > _MUTE)

    def _listen(self, message: dict[str, Any]) -> None:
        """Take a message; called from the library's thread."""
        try:
            topic = message.get("topic", "")
            if topic.startswith(_BOOK):
                self._hear_book(message)
            elif topic.startswith(_TICKER):
                self._hear_ticker(message)
            elif message.get("success") is False:
                self._ears.complain(str(message.get("ret_msg")))
            elif message.get("op") not in _CONTROL:
                self.unreadable += 1
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError):
            self.unreadable += 1

    def _hear_book(self, message: dict[str, Any]) -> None:
        symbol = message["data"]["s"]
        now = self._tops[symbol] = bybit_wire.top(self._tops.get(symbol, (None, None)), message)
        quote = bybit_wire.streamed(now, message)
        if quote is not None:
            self._ears.quote(symbol, quote)

    def _hear_ticker(self, message: dict[str, Any]) -> None:
        symbol = message["data"]["symbol"]
        now = self._tickers[symbol] = bybit_wire.ticked(self._tickers.get(symbol, {}), message)
        said = bybit_wire.contract(now, int(message["ts"]))
        if said is not None:
            self._ears.contract(symbol, said)


def _address(settings: BybitSettings) -> str | None:
    """Where an emulator's stream answers, None for Bybit's own."""
    return None if settings.url is None else f"ws://{urlsplit(settings.url).netloc}/v5/public/{settings.category}"
