"""A perpetual carried with leverage: what it takes, and where the venue ends it by itself, by hand-computed numbers.

Four times the margin and 5 % maintenance: a long of 100.01 is ended at 80 % of that, 80.00 on the tick, a short of 99.99 at 120 %, 119.99.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.venue_kit import A, Desk, Market, Row, at, open_desk, spec
from trading_bot.domain.books import Books
from trading_bot.domain.errors import OrderRejectedError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.orders import OrderRole, OrderState, OrderType, Side
from trading_bot.domain.perpetual import MarginState
from trading_bot.ports import Margined

D = Decimal
FLAT: Row = (100, 100, 100, 100, 1_000)
FALL: Row = (100, 100, 70, 75, 1_000)
RISE: Row = (100, 130, 100, 125, 1_000)
BUST = "venue-2"
COIN = Instrument(
    symbol=A,
    asset_class=AssetClass.CRYPTO_PERPETUAL,
    calendar="24/7",
    leverage_cap=D(4),
    maintenance_rate=D("0.05"),
)


def desk_on(*bars: Row, **changed: Any) -> Desk:  # noqa: ANN401 - settings
    """A desk before these 5-minute bars of the coin."""
    return open_desk(Market(instruments={A: COIN}).minutes(list(bars)), **changed)


def agrees(desk: Desk) -> bool:
    """Whether books folded from the events hold the venue's cash and positions, and no order works on."""
    books = Books()
    for event in desk.broker.events(0):
        books = books.apply(event)
    held = {p.symbol: p.quantity for p in desk.broker.positions()}
    return books.cash == desk.broker.account().cash and {s: p.quantity for s, p in books.positions.items()} == held


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_either_side_takes_its_value_over_its_leverage_and_must_keep_its_maintenance(side: str) -> None:
    """1,000 at 100: 25,000 of 100,000 taken, 5,000 to be kept; the spread cost 10."""
    desk = desk_on(FLAT)
    desk.send(spec("e", side, 1_000))
    account = desk.broker.account()
    assert (account.equity, account.buying_power, account.maintenance_margin) == (D(99_990), D(74_990), D(5_000))


def test_a_position_can_be_worth_its_leverage_times_the_balance_and_no_more() -> None:
    """3,999 at 100.01 take 99,985; 4,000 would take 100,010."""
    assert desk_on(FLAT).send(spec("e", quantity=3_999)).state is OrderState.PARTIALLY_FILLED
    with pytest.raises(OrderRejectedError, match="buying power is 100000"):
        desk_on(FLAT).send(spec("e", quantity=4_000))


@pytest.mark.parametrize(("side", "bar", "price"), [("buy", FALL, "79.99"), ("sell", RISE, "120.00")])
def test_the_venue_closes_what_the_bar_brought_to_liquidation(side: str, bar: Row, price: str) -> None:
    """Half the spread worse than that price, at the bar's end, all of it however thin the bar is, for a taker's fee."""
    desk = desk_on(FLAT, bar, participation="0.5", fees="us_equity")
    desk.send(spec("e", side, 500))
    before = desk.broker.account().cash
    assert desk.go("14:40").fills[1:] == [(BUST, D(500), D(price), at("14:40"))]
    closing = desk.broker.find(BUST)  # type: ignore[arg-type]  # an id
    assert closing is not None
    assert (closing.role, closing.type, closing.side, closing.reason) == (
        OrderRole.CLOSE, OrderType.MARKET, Side(side).opposite, "liquidated by the venue",
    )  # fmt: skip
    value = 500 * D(price)
    assert desk.broker.account().cash == before + closing.side.sign * -value - value * D("0.00055")
    assert desk.held == 0
    assert agrees(desk)


def test_one_tick_before_nothing_happens() -> None:
    """A low of 80.01 lies before 80.00."""
    desk = desk_on(FLAT, (100, 100, 80.01, 90, 1_000))
    desk.send(spec("e"))
    assert desk.go("14:45").held == 100


def test_a_stop_that_lies_nearer_goes_first_and_the_venue_takes_what_it_leaves() -> None:
    """Half of a bar's 100 lots is the stop's, 50 at 90; the other 50 go at 80."""
    desk = desk_on(FLAT, (100, 100, 70, 75, 100), participation="0.5")
    desk.send(spec("e", quantity=100, legs=(90,)))
    fills = desk.go("14:40").fills[1:]
    assert [(identity, quantity, price) for identity, quantity, price, _ in fills] == [
        ("e-sl", D(50), D("89.99")),
        ("venue-3", D(50), D("79.99")),
    ]
    assert desk.log[-1] == ("e-sl", "canceled", "position closed")
    assert agrees(desk)


def test_a_stop_beyond_liquidation_never_trades() -> None:
    """The gate lets none through; the venue would not ask it."""
    desk = desk_on(FLAT, FALL)
    desk.send(spec("e", legs=(78,)))
    assert [f[0] for f in desk.go("14:40").fills] == ["e", "venue-3"]
    assert desk.log[-1] == ("e-sl", "canceled", "position closed")


def test_a_gap_through_stop_and_liquidation_pays_the_gap() -> None:
    """The next bar opens at 60: its bid, all at once, at that moment."""
    desk = desk_on(FLAT, (60, 61, 59, 60, 10))
    desk.send(spec("e", legs=(90,)))
    assert desk.go("14:40").fills[1:] == [("venue-3", D(100), D("59.99"), at("14:35"))]
    assert agrees(desk)


def test_entries_that_rest_end_with_the_position() -> None:
    """Nothing opens again what was just ended."""
    desk = desk_on(FLAT, FALL)
    desk.send(spec("e"))
    desk.send(spec("more", limit=75))
    assert [f[0] for f in desk.go("14:45").fills] == ["e", "venue-3"]
    assert ("more", "canceled", "liquidated by the venue") in desk.log


def test_an_entry_filled_inside_a_bar_can_be_ended_by_the_same_bar() -> None:
    """Bought at 95 on the way down to 70: the worst order of events."""
    desk = desk_on(FLAT, FALL)
    desk.send(spec("l", limit=95))
    assert [(f[0], f[2]) for f in desk.go("14:40").fills] == [("l", D(95)), (BUST, D("75.99"))]


def test_liquidation_is_foreseen() -> None:
    """Asked at once, without a stop at the venue: the end of the bar that brings it, or the open that gaps."""
    for bar, clock in ((FALL, "14:40"), ((60, 61, 59, 60, 10), "14:35")):
        desk = desk_on(FLAT, bar)
        desk.send(spec("e"))
        assert desk.broker.next_event_time(at("15:00")) == at(clock)
        desk.clock.sleep_until(at(clock) - timedelta(microseconds=1))
        assert desk.held == 100
        assert desk.go(clock).held == 0


def test_the_venue_says_how_what_it_carries_stands() -> None:
    """Mark and liquidation of perpetuals; of a stock nothing."""
    desk = desk_on(FLAT, (101, 101, 101, 101, 1_000))
    assert isinstance(desk.broker, Margined)
    assert desk.broker.standing() == {}
    desk.send(spec("e"))
    assert desk.go("14:35").broker.standing() == {A: MarginState(symbol=A, mark=D(101), liquidation=D(80))}
    share = open_desk(Market().minutes([FLAT]))
    share.send(spec("s", "sell"))
    assert share.broker.standing() == {}


def test_a_short_stock_is_the_desks_business() -> None:
    """It may cost three times what was got for it: a margin call is not carried out here."""
    desk = open_desk(Market().minutes([FLAT, (300, 400, 300, 400, 1_000)]))
    desk.send(spec("s", "sell", 1_000))
    assert desk.go("14:45").held == -1_000
