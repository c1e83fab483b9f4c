"""Figures: what quotes of 500 symbols cost while they stream in, and whether memory grows. `make bench`: a minute a venue; `--minutes 30`.

A process of its own pushes them, four a second for each symbol, in the venue's own words over a real socket; the vendor's library, our
stream and our tape take them in, and all symbols are looked up once a second, as a desk would. Cores are counted in this process alone.
"""

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SYMBOLS = tuple(f"S{number:03d}" for number in range(500))
A_SECOND = 4
"""Quotes of each symbol."""
AT_ONCE = 5
"""Quotes in one of Alpaca's messages; Bybit's hold one."""
WARM_UP = 0.1
"""Share of the time after which memory is measured first."""
_PAST, _STEP = 31 * 60, 1
"""Seconds of quotes that the tape is given before: it keeps half an hour, so that what grows from then on is a leak."""
_PAGE = resource.getpagesize()


# -- the other side ----------------------------------------------------------------------------------------------------


def _alpaca(first: int, at: datetime) -> list[bytes]:
    import msgpack  # type: ignore[import-untyped]

    stamp, price = msgpack.Timestamp.from_datetime(at), 100 + first % 90 / 100
    told = {"T": "q", "bp": price, "ap": price + 0.01, "bs": 5, "as": 6, "ax": "V", "bx": "V", "c": ["R"], "z": "C", "t": stamp}
    return [msgpack.packb([told | {"S": SYMBOLS[(first + more) % len(SYMBOLS)]} for more in range(AT_ONCE)])]


def _bybit(first: int, at: datetime) -> list[str]:
    stamp, price = int(at.timestamp() * 1000), 100 + first % 90 / 100
    names = [SYMBOLS[(first + more) % len(SYMBOLS)] for more in range(AT_ONCE)]
    book = {"b": [[f"{price:.2f}", "5"]], "a": [[f"{price + 0.01:.2f}", "6"]], "u": first + 1, "seq": first + 1}
    return [
        json.dumps({"topic": f"orderbook.1.{s}", "type": "snapshot", "ts": stamp, "data": {"s": s} | book, "cts": stamp}) for s in names
    ]


async def _greet_alpaca(socket: Any) -> None:  # noqa: ANN401 - a connection
    import msgpack

    for word in ("connected", "authenticated"):
        await socket.send(msgpack.packb([{"T": "success", "msg": word}]))
        await socket.recv()


async def _greet_bybit(socket: Any) -> None:  # noqa: ANN401 - a connection
    await socket.recv()


_SIDES: dict[str, tuple[Callable[[Any], Awaitable[None]], Callable[[int, datetime], list[Any]]]] = {
    "alpaca": (_greet_alpaca, _alpaca),
    "bybit": (_greet_bybit, _bybit),
}


async def _read(socket: Any) -> None:  # noqa: ANN401 - a connection
    async for _ in socket:
        pass


async def push(venue: str) -> None:
    """Serve one venue's stream until the process is ended."""
    from websockets.asyncio.server import serve

    greet, words = _SIDES[venue]
    gap = AT_ONCE / (len(SYMBOLS) * A_SECOND)

    async def stream(socket: Any) -> None:  # noqa: ANN401 - a connection
        await greet(socket)
        reading = asyncio.create_task(_read(socket))  # or the socket would stop to answer pings
        first, due = 0, time.monotonic()
        while not reading.done():
            for message in words(first, datetime.now(UTC)):
                await socket.send(message)
            first, due = first + AT_ONCE, due + gap
            await asyncio.sleep(max(due - time.monotonic(), 0))

    async with serve(stream, "127.0.0.1", 0) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()


@contextmanager
def pusher(venue: str) -> Iterator[str]:
    """The address of a process that pushes."""
    command = [sys.executable, str(Path(__file__)), "--push", venue]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this file
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip() if process.stdout else ''}"
        finally:
            process.kill()


# -- our side ----------------------------------------------------------------------------------------------------------


def listening(venue: str, url: str) -> tuple[Any, Any, Callable[[], None]]:
    """Quotes that a stream fills, the list of how many came, and what ends it."""
    from trading_bot.domain.market import Feed
    from trading_bot.network.keys import Keys
    from trading_bot.network.watch import Watch
    from trading_bot.settings import AlpacaSettings, BybitSettings
    from trading_bot.sources import alpaca_stream, alpaca_wire, bybit_stream
    from trading_bot.sources.live.pulse import Pulse
    from trading_bot.sources.live.quoting import LiveQuotes, Origin

    def now() -> datetime:
        return datetime.now(UTC)

    pulse, watch, came = Pulse(now, time.monotonic, random.random), Watch(time.monotonic, 15), [0]
    quotes = LiveQuotes(Origin(venue, Feed.SINGLE_VENUE), watch, tuple, now, random.random)
    quotes.tape.follow(SYMBOLS)  # type: ignore[arg-type]
    _fill(quotes.tape)

    def heard(symbol: str, quote: Any) -> None:  # noqa: ANN401 - a raw quote
        came[0] += 1
        quotes.heard(symbol, quote)

    stream: Any
    if venue == "alpaca":
        alpaca = AlpacaSettings.model_validate({"environment": "paper", "url": url, "feed": "iex", "requests_per_minute": 6000})
        made = alpaca_stream.stocks(alpaca, Keys("key", "secret"))
        stream = alpaca_stream.AlpacaStream(made, watch, lambda told: heard(told["S"], alpaca_wire.streamed(told)), print)
    else:
        plain = {"environment": "demo", "category": "linear", "leverage": "1", "receive_window_ms": 5000, "requests_per_second": 100}
        ears = bybit_stream.Ears(heard, lambda _symbol, _contract: None, print)
        stream = bybit_stream.BybitStream(BybitSettings.model_validate({**plain, "url": url}), watch, pulse, ears)
    stream.start(SYMBOLS)

    def end() -> None:
        pulse.closing.set()
        stream.close()

    return quotes, came, end


def _fill(tape: Any) -> None:  # noqa: ANN401 - a tape
    from trading_bot.sources.live.quote_tape import RawQuote

    now = time.time_ns()
    for ago in range(_PAST, 3, -_STEP):
        for symbol in SYMBOLS:
            tape.put(symbol, RawQuote(now - ago * 10**9, 100 + ago / 1000, 100.01 + ago / 1000, 5.0, 6.0))


def _memory() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE / 2**20


def measure(venue: str, seconds: float) -> str:
    """One line about one venue."""
    with pusher(venue) as url:
        quotes, came, end = listening(venue, url)
        _look(quotes, 3)
        before, began, at_first, sizes = resource.getrusage(resource.RUSAGE_SELF), time.monotonic(), came[0], []
        while (gone := time.monotonic() - began) < seconds:
            _look(quotes, 1)
            if gone >= seconds * WARM_UP:
                sizes.append(_memory())
        after = resource.getrusage(resource.RUSAGE_SELF)
        end()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate, grown = (came[0] - at_first) / gone, sizes[-1] - sizes[0]
    return (
        f"{f'quotes of {len(SYMBOLS)} symbols, {venue}':<44} {used / gone:.2f} cores (goal 0.5 at most) at {rate:,.0f} quotes a second; "
        f"memory {grown:+.1f} MiB (goal: no growth) to {sizes[-1]:.1f} in the last {(1 - WARM_UP) * gone / 60:.1f} min"
    )


def _look(quotes: Any, seconds: int) -> None:  # noqa: ANN401 - quotes of a stream
    """Look every symbol up once a second."""
    for _ in range(seconds):
        time.sleep(1)
        for symbol in SYMBOLS:
            quotes.at(symbol, datetime.now(UTC))


def main() -> None:
    """Print a line for each venue that is asked for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=1.0)
    asked.add_argument("--venue", choices=tuple(_SIDES))
    asked.add_argument("--push", choices=tuple(_SIDES), help=argparse.SUPPRESS)
    said = asked.parse_args()
    if said.push:
        asyncio.run(push(said.push))
        return
    for venue in [said.venue] if said.venue else _SIDES:
        print(measure(venue, 60 * said.minutes), flush=True)


if __name__ == "__main__":
    main()
