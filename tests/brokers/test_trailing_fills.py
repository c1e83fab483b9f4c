"""Where a trailing stop stands and at which price it fills, by hand-computed numbers. Spread 0.02, no slippage, no cap."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.venue_kit import A, Desk, Market, Row, approved, at, open_desk, spec
from trading_bot.brokers.venue_store import SqliteVenueStore
from trading_bot.domain.errors import OrderRejectedError
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.market import Split

D = Decimal
FLAT: Row = (100, 100, 100, 100, 1_000)


def trailing(desk: Desk, trail: object = 2, side: str = "sell") -> Desk:
    """A hundred shares, and a stop that trails them."""
    desk.send(spec("e", "buy" if side == "sell" else "sell"))
    desk.send(spec("t", side, trail=trail, role="stop_loss"))
    return desk


def stands(desk: Desk) -> Decimal | None:
    """Where it stands."""
    return next((o.stop_price for o in desk.broker.open_orders() if o.client_order_id == "t"), None)


def test_a_trailing_stop_begins_behind_the_quote() -> None:
    """The middle is 100."""
    assert stands(trailing(open_desk(Market().minutes([FLAT])))) == 98


def test_it_follows_the_best_price_of_a_bar_and_never_goes_back() -> None:
    """A high of 103 brings it to 101; a bar from 102 to 101.50 leaves it there."""
    desk = trailing(open_desk(Market().minutes([(100, 103, 99, 102, 1_000), (102, 102, 101.5, 101.5, 1_000)])))
    assert stands(desk.go("14:35")) == 101
    assert stands(desk.go("14:40")) == 101
    assert desk.held == 100


def test_it_follows_an_opening_price_at_once() -> None:
    """The open is a quote: at 104 it stands at 102 before the bar goes on, and is touched by the bar's low."""
    desk = trailing(open_desk(Market().minutes([FLAT, (104, 104, 101, 103, 1_000)])))
    assert stands(desk.go("14:35")) == 102
    assert desk.go("14:40").fills[1:] == [("t", D(100), D("101.99"), at("14:40"))]


def test_inside_a_bar_the_low_comes_before_the_high() -> None:
    """It stands at 98: a bar from 97.90 to 105 stops it there, before it could rise."""
    desk = trailing(open_desk(Market().minutes([FLAT, (100, 105, 97.9, 105, 1_000)])))
    assert desk.go("14:40").fills[1:] == [("t", D(100), D("97.99"), at("14:40"))]


def test_a_close_beyond_its_new_place_triggers_it() -> None:
    """The high of 105 came before the close of 102.50, and 103 lies between: it trades at the next open."""
    desk = trailing(open_desk(Market().minutes([(100, 105, 100, 102.5, 1_000), (102.4, 103, 102, 103, 1_000)])))
    assert desk.go("14:40").fills[1:] == [("t", D(100), D("102.39"), at("14:35"))]


def test_a_close_beyond_its_new_place_trades_at_the_close_if_no_bar_follows() -> None:
    """With daily bars the close is the last price of the day."""
    desk = trailing(open_desk(Market().days([(100, 105, 100, 102.5, 1_000), FLAT])))
    assert desk.go("21:00").fills[1:] == [("t", D(100), D("102.49"), at("21:00"))]


def test_a_short_is_trailed_from_above() -> None:
    """A low of 97 brings it from 102 to 99, and the rise to 99.50 closes the short at half a spread more."""
    desk = trailing(open_desk(Market().minutes([(100, 100, 97, 97, 1_000), (97, 99.5, 97, 99, 1_000)])), side="buy")
    assert stands(desk.go("14:35")) == 99
    assert desk.go("14:40").fills[1:] == [("t", D(100), D("99.01"), at("14:40"))]


def test_of_the_bar_in_which_it_was_sent_only_the_close_counts_as_later() -> None:
    """The high of 110 may lie before noon; the close of 105 does not."""
    desk = trailing(open_desk(Market().days([(100, 110, 99.5, 105, 1_000), FLAT]), start=at("14:30")), trail=8)
    late = open_desk(Market().days([(100, 110, 99.5, 105, 1_000), FLAT]), start=at("14:30"))
    late.send(spec("e"))
    late.go("17:00").send(spec("t", "sell", trail=8, role="stop_loss"))
    assert (stands(desk.go("21:00")), stands(late.go("21:00"))) == (D(102), D(97))


def test_each_place_is_told_so_that_books_know_it() -> None:
    """Three bars, two of them with a new best price: two updates."""
    rows: list[Row] = [(100, 101, 100, 101, 1_000), (101, 101, 100.5, 101, 1_000), (101, 103, 101, 103, 1_000)]
    desk = trailing(open_desk(Market().minutes(rows))).go("14:45")
    told = [e.order.stop_price for e in desk.broker.events(0) if isinstance(e, OrderUpdate) and e.order.client_order_id == "t"]
    assert told == [98, 99, 101]
    assert desk.broker.events(0)[-1].at == at("14:45")


def test_a_bar_that_moves_it_is_announced() -> None:
    """Who sleeps until the next event wakes for it, and for no bar that changes nothing."""
    desk = trailing(open_desk(Market().minutes([FLAT, FLAT, (100, 101, 100, 101, 1_000)])))
    assert desk.broker.next_event_time(at("15:00")) == at("14:45")


def test_a_split_scales_its_distance_too() -> None:
    """Two for one: from 98 and 2 to 49 and 1; a high of 52 brings it to 51."""
    market = Market(events=(Split(symbol=A, ex=at("14:30", 5), ratio=D(2)),)).days([FLAT, (50, 52, 50, 51.5, 1_000)])
    desk = trailing(open_desk(market))
    assert stands(desk.go("14:30", 5)) == 49
    assert stands(desk.go("21:00", 5)) == 51


def test_it_takes_the_place_of_a_stop_and_is_replaced_by_one() -> None:
    """In one turn each."""
    desk = open_desk(Market().minutes([FLAT]))
    desk.send(spec("e", legs=(95,)))
    desk.broker.replace(approved(spec("t", "sell", trail=2, role="stop_loss"), replaces="e-sl"))
    assert (desk.resting(), stands(desk)) == ({"t": D(100)}, D(98))
    desk.broker.replace(approved(spec("s", "sell", stop=99, role="stop_loss"), replaces="t"))
    assert desk.resting() == {"s": D(100)}


@pytest.mark.parametrize(("trail", "why"), [("2.005", "not a multiple of the tick_size"), ("100", "a trail of 100 reaches below zero")])
def test_a_distance_that_makes_no_sense_is_refused(trail: str, why: str) -> None:
    """With the reason."""
    with pytest.raises(OrderRejectedError, match=why):
        trailing(open_desk(Market().minutes([FLAT])), trail)


def test_extended_hours_are_refused() -> None:
    """With the way out."""
    order = spec("e", limit=100).model_copy(update={"extended_hours": True})
    with pytest.raises(OrderRejectedError, match="regular session only: send it without extended hours; nothing was placed"):
        open_desk(Market().minutes([FLAT])).send(order)


def test_it_goes_on_trailing_after_a_restart(tmp_path: Path) -> None:
    """From the venue's file."""
    market = Market().minutes([FLAT, (100, 103, 100, 103, 1_000)])
    first = SqliteVenueStore(tmp_path / "venue.db")
    trailing(open_desk(market, store=first))
    first.close()
    second = SqliteVenueStore(tmp_path / "venue.db")
    assert stands(open_desk(market, store=second, start=at("14:40"))) == 101
    second.close()


def test_a_file_from_before_trailing_stops_is_still_read(tmp_path: Path) -> None:
    """Its orders rest as they did, and new ones may trail."""
    market, path = Market().minutes([FLAT]), tmp_path / "venue.db"
    old = SqliteVenueStore(path)
    open_desk(market, store=old).send(spec("e", legs=(95,)))
    old.close()
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE orders DROP COLUMN trail")
        database.execute("PRAGMA user_version=1")
    database.close()
    store = SqliteVenueStore(path)
    desk = open_desk(market, store=store)
    assert desk.resting() == {"e-sl": D(100)}
    desk.send(spec("t", "sell", trail=2, role="stop_loss"))
    store.close()
    again = SqliteVenueStore(path)
    assert stands(open_desk(market, store=again)) == 98
    again.close()
