"""Figures: what an order, a fill and a comparison cost at the emulated venues. `make bench`; a venue is a process of its own.

The desk is a real one: gate, engine, journal on disk, adapter, and for fills the loop on the machine's clock, woken by its bell. Ours and
the bare SDK are asked in turn in one run. Other work on the machine shows in the spread of each time.
"""

import math
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import requests
from bench_desk import ENTRY, KEYS, STOP, Desk, Venue, desk_at, emulated, until

from trading_bot.domain.reconciliation import Difference
from trading_bot.domain.values import Symbol

VENUES = ("alpaca", "bybit")
ORDERS, ROUNDS, POSITIONS, WORKING, COMPARISONS = 20, 3, 200, 1000, 5
_FILL_AT = Decimal("97.5")
_TARGETS, _EXITS = {"alpaca": 1, "bybit": 4}, {"alpaca": 2, "bybit": 5}
"""Of a position, and the orders that rest for it then: its stop counts. What is missing of the working orders is made up by entries."""
_BREAK = 0.15
"""Between two orders, so that the desk's own budget of calls does not hold one up."""


@dataclass
class Wire:
    """Seconds that calls of the venue took, and how many there were: `requests` is what both SDKs send by."""

    seconds: float = 0.0
    calls: int = 0

    def __post_init__(self) -> None:
        send = requests.Session.send

        def timed(session: requests.Session, *request: Any, **options: Any) -> requests.Response:  # noqa: ANN401 - as it is
            begun = time.perf_counter()
            try:
                return send(session, *request, **options)
            finally:
                self.seconds, self.calls = self.seconds + time.perf_counter() - begun, self.calls + 1

        mock.patch.object(requests.Session, "send", timed).start()


def order_cost(name: str, folder: Path) -> None:
    """Print what an order costs through the desk and through the SDK alone, in the best of a few rounds."""
    wire, rounds = Wire(), []
    with emulated(name, ORDERS) as venue, desk_at(venue, folder) as desk:
        bare, sends = bare_sdk(venue, desk), _watched(desk.broker, wire)
        for number in range(ROUNDS + 1):
            pairs = [
                (_ours(desk, symbol, wire, sends), _alone(bare, f"{number}-{symbol}".lower(), symbol, wire)) for symbol in venue.symbols
            ]
            rounds.append(pairs)
    best = min(rounds[1:], key=lambda pairs: statistics.median(ours.own for ours, _ in pairs))

    def middle(of: Callable[[Taken, Taken], float]) -> float:
        return 1e3 * statistics.median(of(ours, alone) for ours, alone in best)

    calls = statistics.median_low(ours.calls for ours, _ in best)
    own, sending = middle(lambda o, a: o.own - a.own), middle(lambda o, a: o.sending - a.whole)
    _say(
        f"an order at {name}, our own cost",
        f"{own:.1f} ms over the bare SDK (goal 5 at most), judged, journaled and sent, without the venue; {sending:+.1f} the sending",
    )
    _say(
        "the same, from proposal to accepted order",
        f"{middle(lambda o, _: o.whole):.1f} ms in {calls} calls, of which the venue took {middle(lambda o, _: o.waited):.1f}; "
        f"the bare SDK {middle(lambda _, a: a.whole):.1f} in one",
    )


@dataclass(frozen=True)
class Taken:
    """Seconds that one order took: in all, waiting for the venue, and from the durable intent to its acceptance."""

    whole: float
    waited: float
    calls: int
    sending: float = 0.0

    @property
    def own(self) -> float:
        """Without what the venue took."""
        return self.whole - self.waited


def _watched(broker: Any, wire: Wire) -> list[tuple[float, float, float, int]]:  # noqa: ANN401 - one of its calls is exchanged
    """What `submit` took: begin, end, and the wire's counters at the end."""
    submit, sends = broker.submit, []

    def timed(order: Any) -> Any:  # noqa: ANN401 - an order
        begun = time.perf_counter()
        answer = submit(order)
        sends.append((begun, time.perf_counter(), wire.seconds, wire.calls))
        return answer

    broker.submit = timed
    return sends


def _ours(desk: Desk, symbol: Symbol, wire: Wire, sends: list[tuple[float, float, float, int]]) -> Taken:
    time.sleep(_BREAK)
    wanted, seconds, calls = desk.wanted(symbol), wire.seconds, wire.calls
    begun = time.perf_counter()
    desk.open(wanted)
    sent, accepted, waited, called = sends[-1]
    desk.wait(lambda: bool(desk.engine.ledger.books.working_orders(symbol)))
    for order in desk.engine.ledger.books.working_orders(symbol):
        desk.engine.cancel(order.client_order_id)
    desk.wait(lambda: not desk.engine.ledger.books.orders)
    return Taken(accepted - begun, waited - seconds, called - calls, accepted - sent)


def _alone(bare: Callable[[str, Symbol], Callable[[], object]], name: str, symbol: Symbol, wire: Wire) -> Taken:
    begun, seconds = time.perf_counter(), wire.seconds
    cancel = bare(name, symbol)
    taken = Taken(time.perf_counter() - begun, wire.seconds - seconds, 1)
    cancel()
    return taken


def bare_sdk(venue: Venue, desk: Desk) -> Callable[[str, Symbol], Callable[[], object]]:
    """The same order by the SDK alone; what it returns cancels it again."""
    quantity = str(int(Decimal(100_000) / ENTRY))
    if venue.name == "alpaca":
        from alpaca.trading.client import TradingClient
        from alpaca.trading.enums import OrderClass, OrderSide, TimeInForce
        from alpaca.trading.requests import LimitOrderRequest, StopLossRequest

        client = TradingClient(KEYS["ALPACA_API_KEY"], KEYS["ALPACA_SECRET_KEY"], paper=True, url_override=venue.url)

        def send(name: str, symbol: Symbol) -> Callable[[], object]:
            asked = LimitOrderRequest(
                symbol=symbol,
                qty=float(quantity),
                side=OrderSide.BUY,
                time_in_force=TimeInForce.GTC,
                limit_price=float(ENTRY),
                order_class=OrderClass.OTO,
                stop_loss=StopLossRequest(stop_price=float(STOP)),
                client_order_id=f"bare-{name}",
            )
            placed: Any = client.submit_order(asked)
            return lambda: client.cancel_order_by_id(placed.id)

        return send
    from trading_bot.brokers.bybit.connection import session
    from trading_bot.network.keys import Keys

    http = session(desk.config.bybit, Keys(KEYS["BYBIT_API_KEY"], KEYS["BYBIT_API_SECRET"]), 5.0)

    def place(name: str, symbol: Symbol) -> Callable[[], object]:
        what = {"category": "linear", "symbol": symbol, "side": "Buy", "orderType": "Limit", "qty": quantity, "price": str(ENTRY)}
        http.place_order(**what, stopLoss=str(STOP), tpslMode="Full", slOrderType="Market", orderLinkId=f"bare-{name}")
        return lambda: http.cancel_order(category="linear", symbol=symbol, orderLinkId=f"bare-{name}")

    return place


def fills(venue: Venue, desk: Desk, loop: threading.Thread) -> list[float]:
    """Milliseconds that fills take from the venue's socket to the desk's books, each at a desk that waits for its bell."""
    draw = random.Random(1)  # noqa: S311 - the same again
    first = venue.symbols[:POSITIONS]
    mock.patch.object(desk.engine, "reconcile", tuple).start()  # what precedes each entry is measured by itself
    for symbol in first:
        desk.open(desk.wanted(symbol, _TARGETS[venue.name]))
    desk.wait(lambda: len(desk.engine.ledger.books.working_orders()) >= POSITIONS)
    loop.start()
    for symbol in first:
        time.sleep(draw.uniform(0.1, 0.3))
        venue.move(symbol, _FILL_AT)
        until(lambda: len(desk.engine.ledger.books.working_orders(symbol)) >= _EXITS[venue.name])  # noqa: B023 - asked here alone
    told = venue.told()
    return [(at - told[execution]) / 1e6 for execution, at in desk.booked.items()]


def comparison(venue: Venue, desk: Desk) -> tuple[int, int, list[float]]:
    """Working orders, differences, and seconds that books and venue take to be compared."""
    for symbol in venue.symbols[POSITIONS:]:
        if len(desk.engine.ledger.books.working_orders()) < WORKING:
            desk.open(desk.wanted(symbol))
            desk.wait(lambda: bool(desk.engine.ledger.books.working_orders(symbol)))  # noqa: B023 - asked here alone
    taken: list[float] = []
    found: tuple[Difference, ...] = ()
    for _ in range(COMPARISONS):
        begun = time.perf_counter()
        found = desk.engine.compare()
        taken.append(time.perf_counter() - begun)
    return len(desk.engine.ledger.books.working_orders()), len(found), taken


def _say(name: str, text: str) -> None:
    print(f"{name:<44} {text}", flush=True)


def _late(taken: Sequence[float]) -> float:
    """The one beyond which 1 % are."""
    return sorted(taken)[math.ceil(len(taken) * 0.99) - 1]


def large_desk(name: str, folder: Path) -> None:
    """Print what fills and comparisons take on a desk that grows to so many positions and working orders."""
    more = WORKING - _EXITS[name] * POSITIONS
    with emulated(name, POSITIONS + more) as venue, desk_at(venue, folder) as desk:
        loop = threading.Thread(target=desk.session.run, args=(desk,))
        taken = fills(venue, desk, loop)
        half = len(taken) // 2
        _say(
            f"a fill at {name}, from socket to books",
            f"p50 {statistics.median(taken):.1f} ms, p99 {_late(taken):.1f} (goal under 20), worst {max(taken):.1f}; "
            f"{len(taken)} fills, while a desk grows to {_EXITS[name] * len(taken)} orders; the first half's p99 {_late(taken[:half]):.1f}",
        )
        with desk.session.turn:
            working, differ, compared = comparison(venue, desk)
            held = len(desk.engine.ledger.books.positions)
        _say(
            f"books and {name} compared, all read",
            f"{min(compared):.2f} to {max(compared):.2f} s (goal 2 at most): "
            f"{working} working orders, {held} positions, {differ} differences",
        )
        desk.stop.set()
        loop.join()


def main() -> None:
    """Print every figure."""
    os.environ.update(KEYS)
    _say("load of the machine", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; the times below hold for an idle one")
    for name in sys.argv[1:] or VENUES:
        for figure in (order_cost, large_desk):
            with tempfile.TemporaryDirectory() as folder:
                figure(name, Path(folder))


if __name__ == "__main__":
    main()
