"""An emulated venue in a process of its own for the figures, its prices still until a hand moves them: `bench_emulator.py VENUE SYMBOLS`.

Prints its address. A line on its input is answered with when each execution was told on the stream: execution id to nanoseconds of the
machine's clock, taken just before the message is given to the socket.
"""

import json
import re
import sys
import time
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any
from unittest import mock

from starlette.websockets import WebSocket

from trading_bot.domain.instrument import Instrument
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.path import RandomWalk

_CASH = Decimal(100_000_000)
_PRICE = Decimal(100)
_TICK_NS = 50_000_000
_WALL = SystemWallClock()
_EXECUTION = re.compile(r'"exec(?:ution_id|Id)": ?"([^"]+)"')


def _market(instruments: list[Instrument]) -> EmulatedMarket:
    traded = {instrument.symbol: instrument for instrument in instruments}
    path = RandomWalk(1, traded, dict.fromkeys(traded, _PRICE), tick_ns=_TICK_NS, volatility_bps=0)
    return EmulatedMarket(path, open_calendar, always_open=True, tick_ns=_TICK_NS)


def alpaca(symbols: list[Symbol]) -> AbstractContextManager[Any]:
    """Stocks."""
    from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator
    from trading_bot.sandbox.alpaca.setup import Setup

    market = _market([Instrument(symbol=symbol) for symbol in symbols])
    return AlpacaEmulator(market, EmulatedClock.running(_WALL), Setup(cash=_CASH, requests_per_minute=10_000_000))


def bybit(symbols: list[Symbol]) -> AbstractContextManager[Any]:
    """Linear perpetuals."""
    from trading_bot.sandbox.bybit.api import BybitApi
    from trading_bot.sandbox.bybit.contracts import instrument_of
    from trading_bot.sandbox.bybit.service import Setup

    market = _market([instrument_of(symbol, "linear") for symbol in symbols])
    return BybitApi(Setup({"linear": market}, EmulatedClock.running(_WALL), _WALL, cash=_CASH))


def timed(told: dict[str, int]) -> None:
    """Have the server note when it gives an execution to a socket."""
    send = WebSocket.send

    async def noted(socket: Any, message: Any) -> None:  # noqa: ANN401 - as Starlette has them
        text = message.get("text") or (message.get("bytes") or b"").decode(errors="replace")
        for execution in _EXECUTION.findall(text):
            told.setdefault(execution, time.time_ns())
        await send(socket, message)

    mock.patch.object(WebSocket, "send", noted).start()


def main() -> None:
    """Serve until the input ends."""
    venue, count = sys.argv[1], int(sys.argv[2])
    names = [Symbol(f"S{number:03d}{'USDT' if venue == 'bybit' else ''}") for number in range(count)]
    told: dict[str, int] = {}
    timed(told)
    with {"alpaca": alpaca, "bybit": bybit}[venue](names) as emulator:
        print(emulator.url, flush=True)
        for _ in sys.stdin:
            print(json.dumps(dict(told)), flush=True)


if __name__ == "__main__":
    main()
