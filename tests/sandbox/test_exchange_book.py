"""The core under the emulators: prices are a function of time, and orders trade the same however time is cut up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from trading_bot.brokers.units import SECOND, stamp
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Timeframe
from trading_bot.domain.orders import OrderType
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.exchange.book import Exchange
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket, Phase
from trading_bot.sandbox.exchange.path import RandomWalk
from trading_bot.sandbox.exchange.tickets import Executed, Happening, Lapsed, Moved, Ticket, Triggered

COIN, SHARE = Symbol("BTC/USD"), Symbol("AAPL")
START = datetime(2024, 3, 5, 15, 0, tzinfo=UTC)
NOW = stamp(START)


def made_market(size: Decimal = Decimal(1000)) -> EmulatedMarket:
    """A coin that trades always and a share with sessions."""
    coin = Instrument(symbol=COIN, asset_class=AssetClass.CRYPTO_SPOT, calendar="24/7", lot_size=Decimal("0.0001"))
    both = {COIN: coin, SHARE: Instrument(symbol=SHARE)}
    path = RandomWalk(7, both, {COIN: Decimal(50_000), SHARE: Decimal(180)}, size=size, volatility_bps=3)
    return EmulatedMarket(path, open_calendar)


def made(market: EmulatedMarket | None = None) -> tuple[Exchange, list[Happening]]:
    """An exchange, advanced to the start, and what it tells."""
    told: list[Happening] = []
    exchange = Exchange(market or made_market(), told.append)
    exchange.advance(NOW)
    return exchange, told


def ticket(side: int, kind: OrderType = OrderType.MARKET, quantity: str = "1", symbol: Symbol = COIN, **more: object) -> Ticket:
    """An order for the coin."""
    return Ticket(symbol=symbol, side=side, kind=kind, quantity=Decimal(quantity), **more)  # type: ignore[arg-type]


def test_a_quote_is_a_function_of_its_time() -> None:
    """Another market of the same seed says the same, and the walk agrees with single questions."""
    one, other = made_market(), made_market()
    walked = list(one.walk(COIN, NOW, NOW + 100 * SECOND))
    assert [w.quote for w in walked] == [other.quote(COIN, w.quote.time) for w in walked]
    assert len(walked) == 100
    assert all(w.quote.bid < w.quote.ask for w in walked)


def test_a_walk_moves_but_does_not_explode() -> None:
    """A day of a coin moves by more than its spread and by less than half."""
    mids = np.array([made_market().quote(COIN, NOW + n * 600 * SECOND).bid for n in range(144)])  # type: ignore[union-attr]
    assert 0.001 < mids.std() / mids.mean() < 0.5


@pytest.mark.parametrize("step", [1, 7, 600])
def test_one_long_step_tells_what_many_short_ones_tell(step: int) -> None:
    """Limits, stops and trailing stops of both sides, over ten minutes."""

    def run(stride: int) -> list[tuple[object, ...]]:
        exchange, told = made()
        mid = exchange.market.price(COIN, NOW) or Decimal(0)
        for side in (1, -1):
            for distance in (10, 30, 60):
                exchange.place(ticket(side, OrderType.LIMIT, limit=mid - side * distance), NOW)
                exchange.place(ticket(side, OrderType.STOP, stop=mid + side * distance), NOW)
                exchange.place(ticket(side, OrderType.TRAILING_STOP, trail=Decimal(distance)), NOW)
        for at in range(NOW, NOW + 600 * SECOND + 1, stride * SECOND):
            exchange.advance(at)
        return [(h.order.number, h.at, h.order.filled, h.order.stop) for h in told if not isinstance(h, Moved)]

    assert run(step) == run(600)
    assert len(run(600)) > 5


def test_a_market_order_takes_the_ask_and_a_limit_rests_until_it_is_reached() -> None:
    """The taker pays the quote, the maker gets its limit."""
    exchange, told = made()
    exchange.market.set_quote(COIN, Decimal(100), Decimal(101), NOW)
    exchange.place(ticket(1), NOW)
    resting = exchange.place(ticket(-1, OrderType.LIMIT, limit=Decimal(105)), NOW)
    exchange.advance(NOW)
    assert [(h.price, h.maker) for h in told if isinstance(h, Executed)] == [(Decimal(101), False)]
    exchange.advance(NOW + SECOND)
    exchange.market.set_quote(COIN, Decimal(106), Decimal(107), NOW + SECOND)
    exchange.advance(NOW + 3 * SECOND)
    assert [(h.order.number, h.price, h.maker) for h in told[1:] if isinstance(h, Executed)] == [(resting.number, Decimal(105), True)]


def test_a_stop_triggers_at_the_middle_and_pays_the_market() -> None:
    """A stop is no promise of its price."""
    exchange, told = made()
    exchange.market.set_quote(COIN, Decimal(100), Decimal(101), NOW)
    exchange.place(ticket(-1, OrderType.STOP, stop=Decimal(95)), NOW)
    exchange.advance(NOW)
    assert not told
    exchange.market.set_quote(COIN, Decimal(90), Decimal(91), NOW)
    exchange.advance(NOW + 2 * SECOND)
    assert [type(h) for h in told] == [Triggered, Executed]
    assert isinstance(told[1], Executed)
    assert told[1].price == Decimal(90)


def test_what_the_listener_cancels_does_not_trade_with_the_same_quote() -> None:
    """So a venue can let one order of a pair end the other."""
    market = made_market()
    told: list[Happening] = []

    def listen(happening: Happening) -> None:
        told.append(happening)
        if isinstance(happening, Executed):
            for other in exchange.orders():
                exchange.cancel(other.number)

    exchange = Exchange(market, listen)
    market.set_quote(COIN, Decimal(100), Decimal(101), NOW)
    exchange.advance(NOW)
    exchange.place(ticket(1, OrderType.LIMIT, limit=Decimal(101)), NOW)
    exchange.place(ticket(1, OrderType.LIMIT, limit=Decimal(102)), NOW)
    exchange.advance(NOW + SECOND)
    assert sum(isinstance(h, Executed) for h in told) == 1


def test_an_order_larger_than_the_quote_is_filled_in_parts() -> None:
    """Each quote gives its size once."""
    exchange, told = made(made_market(size=Decimal("0.4")))
    exchange.place(ticket(1), NOW)
    exchange.advance(NOW + 10 * SECOND)
    assert [h.quantity for h in told if isinstance(h, Executed)] == [Decimal("0.4"), Decimal("0.4"), Decimal("0.2")]


def test_a_hand_can_fill_a_part_and_hold_the_rest_back() -> None:
    """For the fault that leaves a partial fill standing."""
    exchange, told = made()
    order = exchange.place(ticket(1), NOW)
    exchange.fill_next(order.number, Decimal("0.3"), 5 * SECOND)
    exchange.advance(NOW + 4 * SECOND)
    assert [h.quantity for h in told if isinstance(h, Executed)] == [Decimal("0.3")]
    exchange.advance(NOW + 6 * SECOND)
    assert [h.quantity for h in told if isinstance(h, Executed)] == [Decimal("0.3"), Decimal("0.7")]


def test_shares_trade_in_their_session_and_a_halt_stops_all() -> None:
    """Early, an order waits; in extended hours only one that says so trades."""
    early = stamp(datetime(2024, 3, 5, 12, 0, tzinfo=UTC))
    told: list[Happening] = []
    exchange = Exchange(made_market(), told.append)
    exchange.advance(early)
    assert exchange.market.phase(SHARE, early) is Phase.EXTENDED
    exchange.place(ticket(1, symbol=SHARE), early)
    exchange.place(ticket(1, OrderType.LIMIT, limit=Decimal(900), symbol=SHARE, extended=True), early)
    exchange.advance(early + SECOND)
    assert [h.order.number for h in told] == [2]
    exchange.market.halt(SHARE, stamp(datetime(2024, 3, 5, 15, 0, tzinfo=UTC)))
    exchange.advance(stamp(datetime(2024, 3, 5, 15, 30, tzinfo=UTC)))
    assert [h.order.number for h in told] == [2, 1]
    assert told[1].at > stamp(datetime(2024, 3, 5, 15, 0, tzinfo=UTC))


def test_what_must_trade_at_once_lapses_if_it_cannot() -> None:
    """An immediate limit away from the market, and a post-only one inside it."""
    exchange, told = made()
    exchange.place(ticket(1, OrderType.LIMIT, limit=Decimal(1), immediate=True), NOW)
    exchange.place(ticket(1, OrderType.LIMIT, limit=Decimal(90_000), post_only=True), NOW)
    exchange.advance(NOW)
    assert [type(h) for h in told] == [Lapsed, Lapsed]
    assert not exchange.orders()


def test_a_trailing_stop_follows_and_never_goes_back() -> None:
    """Up with the best price, by distance or by percent."""
    exchange, _ = made()
    market = exchange.market
    market.set_quote(COIN, Decimal(99), Decimal(101), NOW)
    number = exchange.place(ticket(-1, OrderType.TRAILING_STOP, trail_percent=Decimal(10)), NOW).number
    exchange.advance(NOW)
    seen = []
    for seconds, price in enumerate((110, 105, 120), start=1):
        market.set_quote(COIN, Decimal(price - 1), Decimal(price + 1), NOW + seconds * SECOND)
        exchange.advance(NOW + seconds * SECOND)
        order = exchange.order(number)
        assert order is not None
        seen.append(order.units.price(order.stop or 0))
    assert seen == [Decimal(99), Decimal(99), Decimal(108)]


def test_bars_are_closed_and_inside_the_session() -> None:
    """Minutes of a share: none before the opening, none that still runs."""
    bars = made_market().bars(SHARE, Timeframe.MINUTE, START - timedelta(hours=6), START + timedelta(seconds=30))
    assert (bars[0].start, bars[-1].end) == (datetime(2024, 3, 5, 14, 30, tzinfo=UTC), START)
    assert all(b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high for b in bars)


def test_an_unknown_symbol_has_no_data() -> None:
    """It says so."""
    with pytest.raises(NoDataError):
        made_market().instrument(Symbol("NOPE"))


def test_time_is_real_faster_or_driven_and_never_goes_back() -> None:
    """One minute of the machine is an hour at sixty times its speed."""

    class Wall:
        moment = START

        def now(self) -> datetime:
            return self.moment

    wall = Wall()
    fast, driven = EmulatedClock.running(wall, datetime(2024, 1, 1, tzinfo=UTC), 60), EmulatedClock.following(wall.now)
    wall.moment += timedelta(minutes=1)
    assert fast.now() == datetime(2024, 1, 1, 1, tzinfo=UTC)
    assert driven.now() == wall.moment
    wall.moment = START
    assert driven.now() == START + timedelta(minutes=1)
    assert EmulatedClock.standing(START).hand(timedelta(hours=1)) == START + timedelta(hours=1)
