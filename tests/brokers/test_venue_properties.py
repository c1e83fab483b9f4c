"""What holds for any market and any orders: books agree, nothing is oversold, step size and store change nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.venue_kit import STEP, A, Desk, Market, Row, approved, at, open_desk, spec
from trading_bot.brokers.venue_store import MemoryVenueStore, SqliteVenueStore, VenueStore
from trading_bot.domain.books import Books
from trading_bot.domain.errors import OrderNotFoundError, OrderRejectedError
from trading_bot.domain.events import BrokerEvent
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import CorporateAction, Dividend, Split
from trading_bot.domain.orders import OrderSpec
from trading_bot.domain.perpetual import liquidation_price
from trading_bot.domain.values import ClientOrderId, Symbol

D = Decimal
B = Symbol("B")

PERPETUAL = Instrument(symbol=A, asset_class=AssetClass.CRYPTO_PERPETUAL, calendar="24/7", leverage_cap=D(20), maintenance_rate=D("0.01"))
COSTS: dict[str, Any] = {"slippage_bps": "3", "participation": "0.1", "fees": "us_equity", "borrow_bps_per_year": "500"}


class Act(NamedTuple):
    """Something done at a minute after the first opening: an order sent (instead of another), or one canceled."""

    minute: int
    order: OrderSpec | None
    target: str | None


_price = st.integers(9_500, 10_500).map(lambda cents: D(cents) / 100)


@st.composite
def _rows(draw: st.DrawFn, bars: int = 24) -> list[Row]:
    rows: list[Row] = []
    for _ in range(bars):
        low, middle, other, high = sorted(draw(st.tuples(*[st.integers(9_400, 10_600)] * 4)))
        first, last = draw(st.sampled_from([(middle, other), (other, middle)]))
        volume = draw(st.sampled_from([0, 3, 200, 1_000, 5_000]))
        rows.append((first / 100, high / 100, low / 100, last / 100, volume))
    return rows


@st.composite
def _market(draw: st.DrawFn) -> Market:
    """A: bars of the end of Monday and the start of Tuesday, maybe a dividend and a split between. B: daily bars.

    Sometimes A is a perpetual at twenty times its margin, which many of these bars bring to liquidation.
    """
    actions: list[CorporateAction] = []
    if draw(st.booleans()):
        actions.append(Dividend(symbol=A, ex=at("14:30", 5), amount=D("0.37")))
    if draw(st.booleans()):
        actions.append(Split(symbol=A, ex=at("14:30", 5), ratio=draw(st.sampled_from([D(2), D("0.5"), D("1.5"), D("0.333333")]))))
    monday, tuesday = draw(_rows()), draw(_rows())
    starts = [at("19:00") + n * STEP for n in range(len(monday))] + [at("14:30", 5) + n * STEP for n in range(len(tuesday))]
    kinds = {A: PERPETUAL} if draw(st.booleans()) else {}
    return Market(events=tuple(actions), instruments=kinds).minutes_at([*monday, *tuesday], starts).days(draw(_rows(2)), symbol=B)


@st.composite
def _orders(draw: st.DrawFn, name: str) -> OrderSpec:
    side, quantity = draw(st.sampled_from(["buy", "sell"])), draw(st.integers(1, 400))
    kind = draw(st.sampled_from(["market", "limit", "stop", "stop_limit", "bracket", "close", "exit", "trail", "follow", "pair"]))
    more: dict[str, object] = {"symbol": draw(st.sampled_from([A, A, B])), "tif": draw(st.sampled_from(["day", "gtc"]))}
    if kind in {"limit", "stop_limit", "pair"}:
        more["limit"] = draw(_price)
    if kind in {"stop", "stop_limit", "exit"}:
        more["stop"] = draw(_price)
    if kind in {"trail", "follow"}:
        more["trail"] = D(draw(st.integers(1, 400))) / 100
    if kind == "bracket":
        near, far = D(draw(st.integers(90, 99))), D(draw(st.integers(101, 110)))
        more["legs"] = (near, far) if side == "buy" else (far, near)
    if kind == "pair":
        more["legs"] = (draw(_price),)
    roles = {"close": "close", "exit": "stop_loss", "trail": "stop_loss", "pair": "take_profit"}
    return spec(name, side, quantity, role=roles.get(kind, "entry"), **more)


@st.composite
def _script(draw: st.DrawFn) -> list[Act]:
    minutes = sorted(draw(st.lists(st.integers(0, 1_500), min_size=1, max_size=8)))
    acts = []
    for number, minute in enumerate(minutes):
        old = draw(st.sampled_from([None, None, *[f"o{n}{leg}" for n in range(number) for leg in ("", "-sl", "-tp")]]))
        order = draw(_orders(f"o{number}")) if old is None or draw(st.booleans()) else None
        acts.append(Act(minute, order, old))
    return acts


def _do(desk: Desk, act: Act) -> None:
    old = None if act.target is None else ClientOrderId(act.target)
    try:
        if act.order is None and old is not None:
            desk.broker.cancel(old)
        elif act.order is not None and old is not None:
            desk.broker.replace(approved(act.order, replaces=old))
        elif act.order is not None:
            desk.send(act.order)
    except (OrderRejectedError, OrderNotFoundError):
        return


def _run(market: Market, script: list[Act], store: VenueStore, step: timedelta | None, *, twice: bool = False) -> Desk:
    """Play `script` and go on to Wednesday; with a `step`, ask the venue so often on the way."""
    desk = open_desk(market, start=at("19:00"), store=store, **COSTS)
    desk.broker.account()
    for act in script:
        _travel(desk, at("19:00") + timedelta(minutes=act.minute), step)
        for _ in range(2 if twice else 1):
            _do(desk, act)
    _travel(desk, at("12:00", 6), step)
    return desk


def _travel(desk: Desk, to: datetime, step: timedelta | None) -> None:
    for moment in _moments(desk.clock.now(), to, step):
        desk.clock.sleep_until(moment)
        desk.broker.next_event_time(moment + STEP)
        desk.broker.events(0)


def _moments(now: datetime, to: datetime, step: timedelta | None) -> Iterator[datetime]:
    while step is not None and now + step < to:
        now += step
        yield now
    yield to


@settings(max_examples=60, deadline=None)
@given(_market(), _script())
def test_many_small_steps_and_one_big_step_tell_the_same_events(market: Market, script: list[Act]) -> None:
    """Every 7 minutes, or not at all between the orders."""
    small = _run(market, script, MemoryVenueStore(), timedelta(minutes=7))
    assert small.broker.events(0) == _run(market, script, MemoryVenueStore(), None).broker.events(0)


@settings(max_examples=60, deadline=None)
@given(_market(), _script())
def test_the_events_add_up_to_the_account(market: Market, script: list[Act]) -> None:
    """Books folded from the events alone hold the venue's cash, positions and orders; sequence has no gap, time never goes back."""
    desk = _run(market, script, MemoryVenueStore(), None)
    events, books = desk.broker.events(0), Books()
    for event in events:
        books = books.apply(event)
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))
    assert [e.at for e in events] == sorted(e.at for e in events)
    assert books.cash == desk.broker.account().cash
    assert {s: p.quantity for s, p in books.positions.items()} == {p.symbol: p.quantity for p in desk.broker.positions()}
    assert {o.client_order_id: o for o in books.working_orders()} == {o.client_order_id: o for o in desk.broker.open_orders()}


@settings(max_examples=60, deadline=None)
@given(_market(), _script())
def test_exits_never_open_or_turn_a_position(market: Market, script: list[Act]) -> None:
    """After each fill of an exit the position is nearer to flat, on the same side."""
    books = Books()
    for event in _run(market, script, MemoryVenueStore(), None).broker.events(0):
        before, books = books, books.apply(event)
        fill = getattr(event, "fill", None)
        if fill is not None and not fill.role.adds_risk:
            old = before.positions[fill.symbol].quantity
            new = books.positions[fill.symbol].quantity if fill.symbol in books.positions else D(0)
            assert abs(new) < abs(old)
            assert old * new >= 0


@settings(max_examples=60, deadline=None)
@given(_market(), _script())
def test_a_liquidation_ends_the_position_at_its_price_or_worse_and_costs_what_its_fill_says(market: Market, script: list[Act]) -> None:
    """Reckoned at the fill's own price, the account is worth its fee less afterwards."""
    books = Books()
    for event in _run(market, script, MemoryVenueStore(), None).broker.events(0):
        before, books = books, books.apply(event)
        fill = getattr(event, "fill", None)
        if fill is not None and fill.client_order_id.startswith("venue-"):
            held = before.positions[A]
            end = liquidation_price(held.side, held.average_price, PERPETUAL)
            assert end is not None
            assert (fill.price - end) * held.side.sign <= 0
            assert A not in books.positions
            assert books.equity({A: fill.price, B: D(1)}) == before.equity({A: fill.price, B: D(1)}) - fill.fee


@settings(max_examples=30, deadline=None)
@given(_market(), _script())
def test_repeating_every_call_changes_nothing(market: Market, script: list[Act]) -> None:
    """An order, a replacement, a cancel: the second time the venue already knows."""
    once = _run(market, script, MemoryVenueStore(), None)
    assert _run(market, script, MemoryVenueStore(), None, twice=True).broker.events(0) == once.broker.events(0)


@settings(max_examples=20, deadline=None)
@given(_market(), _script())
def test_a_file_and_memory_tell_the_same_events(market: Market, script: list[Act]) -> None:
    """And a venue opened again from its file is the venue that was closed."""
    with TemporaryDirectory() as folder:
        store = SqliteVenueStore(Path(folder) / "venue.db")
        desk = _run(market, script, store, None)
        told, resting = desk.broker.events(0), desk.broker.open_orders()
        store.close()
        again = SqliteVenueStore(Path(folder) / "venue.db")
        reopened = open_desk(market, start=desk.clock.now(), store=again, **COSTS)
        assert (reopened.broker.events(0), reopened.broker.open_orders()) == (told, resting)
        again.close()
    assert told == _run(market, script, MemoryVenueStore(), None).broker.events(0)


@settings(max_examples=40, deadline=None)
@given(_market(), _script())
def test_the_next_event_comes_when_it_was_announced(market: Market, script: list[Act]) -> None:
    """One microsecond before there is nothing new, at that time there is."""
    desk = open_desk(market, start=at("19:00"), **COSTS)
    for act in script:
        desk.clock.sleep_until(at("19:00") + timedelta(minutes=act.minute))
        _do(desk, act)
    while (announced := desk.broker.next_event_time(at("12:00", 6))) is not None:
        known = len(desk.broker.events(0))
        desk.clock.sleep_until(announced - timedelta(microseconds=1))
        assert len(desk.broker.events(0)) == known
        desk.clock.sleep_until(announced)
        assert desk.broker.events(known)[0].at == announced


_VICTIM = """
import sys
from datetime import timedelta
from pathlib import Path
from brokers.venue_kit import Market, at, open_desk, spec
from trading_bot.brokers.venue_store import SqliteVenueStore
rows = [(100, 101, 99, 100, 1000)] * 78
desk = open_desk(Market().minutes(rows), store=SqliteVenueStore(Path(sys.argv[1])), cash=10**9)
print("ready", flush=True)
for number in range(10**6):
    desk.send(spec(f"e{number}", quantity=1, limit="99.50", legs=(90, "100.50")))
    desk.clock.sleep_until(min(desk.clock.now() + timedelta(seconds=20), at("20:59")))
"""


def test_a_venue_killed_in_the_middle_of_its_calls_stays_consistent(tmp_path: Path) -> None:
    """SIGKILL at several moments; each time the file holds whole turns, and the next process goes on from them."""
    path = tmp_path / "venue.db"
    folder = str(Path(__file__).resolve().parents[1])
    for pause in (0.0, 0.03, 0.08, 0.15):
        victim = subprocess.Popen(  # noqa: S603 - our own interpreter and text
            [sys.executable, "-c", _VICTIM, str(path)], env={**os.environ, "PYTHONPATH": folder}, stdout=subprocess.PIPE
        )
        assert victim.stdout is not None
        victim.stdout.readline()
        time.sleep(pause)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        victim.stdout.close()
        _is_consistent(path)


def _is_consistent(path: Path) -> None:
    store = SqliteVenueStore(path)
    desk = open_desk(Market().minutes([(100, 101, 99, 100, 1_000)] * 78), start=at("14:30"), store=store, cash=10**9)
    books = Books()
    events: tuple[BrokerEvent, ...] = desk.broker.events(0)
    for event in events:
        books = books.apply(event)
    assert books.cash == desk.broker.account().cash
    assert {o.client_order_id: o for o in books.working_orders()} == {o.client_order_id: o for o in desk.broker.open_orders()}
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
