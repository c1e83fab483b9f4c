"""Alpaca's stream of quotes, in a thread of its own.

Promises that it connects anew by itself, with jitter, and subscribes again; that a connection which is open but mute is given up
after a minute; that one message which cannot be read is counted and skipped; and that `close` returns within seconds with the
thread ended. Refuses models and handlers per message: a quote goes to `hear` as it came.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from alpaca.data.enums import DataFeed
from alpaca.data.live.crypto import CryptoDataStream
from alpaca.data.live.stock import StockDataStream
from alpaca.data.live.websocket import DataStream

from trading_bot.domain.values import Symbol
from trading_bot.network.keys import Keys
from trading_bot.network.watch import Watch
from trading_bot.settings import AlpacaSettings
from trading_bot.sources.alpaca_client import Wire, stream_address

_LOG = logging.getLogger(__name__)
# The library writes a page for each reconnection; what matters of it is in the source's notes and in its watermark.
logging.getLogger(DataStream.__module__).setLevel(logging.CRITICAL)
_HANDSHAKE = 10.0
"""Seconds for connecting and authenticating."""
_MUTE = 60.0
_SOCKET = {"ping_interval": 10, "ping_timeout": 20, "max_queue": 1024, "close_timeout": 1}
_FIRST_WAIT = 0.5


class _Direct(DataStream):
    """The library's stream with quotes taken by hand, its watermark kept, and its handshake bounded."""

    watch: Watch
    hear: Callable[[Wire], None]
    complain: Callable[[str], None]
    unreadable = 0

    async def _auth(self) -> None:
        try:
            await super()._auth()
        except ValueError as error:
            self.complain(str(error))
            raise

    async def _start_ws(self) -> None:
        await asyncio.wait_for(super()._start_ws(), _HANDSHAKE)

    async def _send_subscribe_msg(self) -> None:
        await super()._send_subscribe_msg()
        self.watch.opened()

    async def close(self) -> None:
        self.watch.lost()
        await super().close()

    async def _dispatch(self, msg: dict[str, Any]) -> None:
        kind = msg.get("T")
        if kind == "q":
            try:
                self.hear(msg)
            except (KeyError, TypeError, ValueError, AttributeError):
                self.unreadable += 1
        elif kind == "error":
            self.complain(f"{msg.get('msg')} ({msg.get('code')})")


class _Stocks(_Direct, StockDataStream):
    """Stocks."""


class _Coins(_Direct, CryptoDataStream):
    """Coins."""


def stocks(settings: AlpacaSettings, keys: Keys) -> _Direct:
    """Return an unconnected stream of stocks, of the feed that the settings name."""
    feed = DataFeed(settings.feed)
    address = stream_address(settings, f"/v2/{settings.feed}")
    return _Stocks(
        keys.key, keys.secret, raw_data=True, feed=feed, websocket_params=dict(_SOCKET), url_override=address, data_timeout=_MUTE
    )


def coins(settings: AlpacaSettings, keys: Keys) -> _Direct:
    """Return an unconnected stream of coins."""
    address = stream_address(settings, "/v1beta3/crypto/us")
    return _Coins(keys.key, keys.secret, raw_data=True, websocket_params=dict(_SOCKET), url_override=address, data_timeout=_MUTE)


async def _nothing(_: object) -> None:
    """What the library wants to call with each quote; they never come so far."""


class AlpacaStream:
    """The stream's thread; `hear` is called from it with every quote, `complain` with what Alpaca objects to."""

    def __init__(self, stream: _Direct, watch: Watch, hear: Callable[[Wire], None], complain: Callable[[str], None]) -> None:
        stream.watch, stream.hear, stream.complain = watch, hear, complain
        stream._reconnect_min_backoff = _FIRST_WAIT  # noqa: SLF001 - the constructor does not take it
        self._stream = stream
        self._thread: threading.Thread | None = None
        self._loop = asyncio.new_event_loop()

    @property
    def unreadable(self) -> int:
        """Messages that could not be read."""
        return self._stream.unreadable

    def start(self, symbols: Sequence[Symbol]) -> None:
        """Connect and subscribe; returns at once."""
        self._stream._handlers["quotes"].update(dict.fromkeys(symbols, _nothing))  # noqa: SLF001 - `subscribe_quotes` of both kinds does this
        self._thread = threading.Thread(target=self._run, name="alpaca-quotes", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._stream._run_forever())  # noqa: SLF001 - `run` makes a loop that cannot be stopped at once
        except Exception as error:  # noqa: BLE001  # edge: the library's thread; polling goes on without it
            _LOG.warning("the stream of quotes ended: %s", type(error).__name__)
        finally:
            self._stream.watch.lost()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    def close(self) -> None:
        """End the stream and its thread."""
        if self._thread is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop)
            self._thread.join(timeout=_HANDSHAKE)
        if self._thread is None or not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        await self._stream.stop_ws()
        await self._stream.close()
