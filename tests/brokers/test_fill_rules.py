"""At which price and time orders fill, by hand-computed numbers. Spread 0.02, no slippage and no cap unless a test says otherwise."""

from decimal import Decimal

import pytest

from brokers.venue_kit import Market, at, open_desk, spec

D = Decimal
FLAT = (100, 100, 100, 100, 1_000)


def test_a_market_order_fills_at_the_fresh_quote_with_slippage_against_the_trader() -> None:
    """Ask 100.01 plus 1 basis point, 0.010001, rounded up to 0.02."""
    desk = open_desk(Market().minutes([FLAT, FLAT]), slippage_bps="1")
    desk.send(spec("m", quantity=10))
    assert desk.fills == [("m", D(10), D("100.03"), at("14:30"))]


def test_a_market_order_waits_for_the_next_price_if_the_quote_is_older_than_a_minute() -> None:
    """Sent at 14:32 on a quote of 14:30; the next is the open of 14:35."""
    desk = open_desk(Market().minutes([FLAT, (101, 101, 101, 101, 1_000)]), start=at("14:32"))
    assert desk.send(spec("m")).filled_quantity == 0
    assert desk.go("14:36").fills == [("m", D(100), D("101.01"), at("14:35"))]


def test_with_daily_bars_alone_a_late_market_order_takes_the_closing_price() -> None:
    """The close is the next price that is published."""
    desk = open_desk(Market().days([(100, 106, 99, 105, 1_000)]), start=at("16:00"))
    desk.send(spec("m", tif="day"))
    assert desk.go("21:00").fills == [("m", D(100), D("105.01"), at("21:00"))]


def test_an_order_sent_at_night_waits_for_the_opening_though_the_last_close_is_fresh() -> None:
    """The close of 21:00 is known, and the market is closed."""
    desk = open_desk(Market().days([FLAT, (103, 103, 103, 103, 1_000)]), start=at("21:00"))
    desk.send(spec("m", tif="day"))
    assert desk.go("14:30", 5).fills == [("m", D(100), D("103.01"), at("14:30", 5))]


def test_a_marketable_limit_fills_at_the_quote_and_not_at_its_limit() -> None:
    """A buy up to 105 pays the ask of 100.01."""
    desk = open_desk(Market().minutes([FLAT]))
    desk.send(spec("l", limit=105))
    assert desk.fills == [("l", D(100), D("100.01"), at("14:30"))]


@pytest.mark.parametrize(("low", "fills"), [(99.00, 0), (98.99, 1)])
def test_a_resting_limit_fills_only_if_the_bar_trades_through_it(low: float, fills: int) -> None:
    """Touching 99.00 is not enough, 98.99 is; it pays its limit, known at the bar's end."""
    desk = open_desk(Market().minutes([(100, 100, low, 100, 1_000)]))
    desk.send(spec("l", limit=99))
    assert desk.go("14:35").fills == [("l", D(100), D(99), at("14:35"))][:fills]


def test_a_limit_sent_inside_a_bar_is_not_credited_with_what_the_bar_did_before() -> None:
    """The low of the daily bar may lie before noon."""
    desk = open_desk(Market().days([(100, 100, 90, 100, 1_000), (100, 100, 90, 100, 1_000)]), start=at("17:00"))
    desk.send(spec("l", limit=95))
    assert desk.go("21:00").fills == []
    assert desk.go("21:00", 5).fills == [("l", D(100), D(95), at("21:00", 5))]


def test_a_limit_that_the_open_passes_fills_at_the_open() -> None:
    """Resting at 99, the next bar opens at 97: ask 97.01."""
    desk = open_desk(Market().minutes([FLAT, (97, 98, 96, 97, 1_000)]))
    desk.send(spec("l", limit=99))
    assert desk.go("14:35").fills == [("l", D(100), D("97.01"), at("14:35"))]


def test_a_stop_touched_inside_the_bar_pays_half_the_spread_and_slippage() -> None:
    """Stop 98, half spread 0.01, slippage 0.0098 rounded up to 0.01: 97.98, known at the bar's end."""
    desk = open_desk(Market().minutes([FLAT, (100, 100, 97, 99, 1_000)]), slippage_bps="1")
    desk.send(spec("e"))
    desk.send(spec("s", "sell", stop=98, role="stop_loss"))
    assert desk.go("14:39").fills[1:] == []
    assert desk.go("14:40").fills[1:] == [("s", D(100), D("97.98"), at("14:40"))]


def test_a_stop_fills_no_worse_than_the_bar_s_low() -> None:
    """Stop 98 less 0.01 would be 97.99, and nothing traded below 98."""
    desk = open_desk(Market().minutes([FLAT, (100, 100, 98, 99, 1_000)]))
    desk.send(spec("e"))
    desk.send(spec("s", "sell", stop=98, role="stop_loss"))
    assert desk.go("14:40").fills[1:] == [("s", D(100), D(98), at("14:40"))]


def test_a_stop_gapped_through_fills_at_the_open() -> None:
    """Stop 98, open 90: bid 89.99 less 0.009 rounded up to 0.01, at the bar's start."""
    desk = open_desk(Market().minutes([FLAT, (90, 92, 89, 91, 1_000)]), slippage_bps="1")
    desk.send(spec("e"))
    desk.send(spec("s", "sell", stop=98, role="stop_loss"))
    assert desk.go("14:35").fills[1:] == [("s", D(100), D("89.98"), at("14:35"))]


def test_a_buy_stop_enters_above_the_market() -> None:
    """Stop 102 plus half the spread."""
    desk = open_desk(Market().minutes([FLAT, (100, 103, 100, 103, 1_000)]))
    desk.send(spec("b", stop=102))
    assert desk.go("14:40").fills == [("b", D(100), D("102.01"), at("14:40"))]


def test_a_stop_limit_rests_as_a_limit_from_the_end_of_the_bar_that_touched_it() -> None:
    """Touched at 98 in the second bar; the third opens at 97.50, above the limit of 97: bid 97.49."""
    desk = open_desk(Market().minutes([FLAT, (100, 100, 97.6, 98, 1_000), (97.5, 98, 97, 98, 1_000)]))
    desk.send(spec("e"))
    desk.send(spec("s", "sell", stop=98, limit=97, role="stop_loss"))
    assert desk.go("14:40").fills[1:] == [("s", D(100), D("97.49"), at("14:40"))]


def test_a_stop_limit_gapped_through_beyond_its_limit_does_not_fill_there() -> None:
    """Open 90 is below the limit of 97: it rests until the price comes back through 97."""
    desk = open_desk(Market().minutes([FLAT, (90, 97, 89, 95, 1_000), (95, 97.01, 95, 97, 1_000)]))
    desk.send(spec("e"))
    desk.send(spec("s", "sell", stop=98, limit=97, role="stop_loss"))
    assert desk.go("14:40").fills[1:] == []
    assert desk.go("14:45").fills[1:] == [("s", D(100), D(97), at("14:45"))]


def test_if_stop_and_target_lie_in_one_bar_the_stop_is_assumed() -> None:
    """From 95 to 105 in one bar."""
    desk = open_desk(Market().minutes([FLAT, (100, 106, 94, 100, 1_000)]))
    desk.send(spec("e", legs=(95, 105)))
    assert desk.go("14:40").fills[1:] == [("e-sl", D(100), D("94.99"), at("14:40"))]
    assert desk.log[-1] == ("e-tp", "canceled", "the other leg filled")


def test_an_entry_filled_at_the_open_may_reach_its_target_in_that_bar() -> None:
    """In at 100.01, out at 105 in the same bar."""
    desk = open_desk(Market().minutes([(100, 105.01, 99, 105, 1_000)]))
    desk.send(spec("e", legs=(95, 105)))
    assert desk.go("14:35").fills[1:] == [("e-tp", D(100), D(105), at("14:35"))]


def test_an_entry_filled_inside_a_bar_is_not_credited_with_its_target_in_that_bar() -> None:
    """The high of 106 may lie before the low of 98; the next bar's counts."""
    desk = open_desk(Market().minutes([FLAT, (100, 106, 98, 100, 1_000), (100, 106, 100, 100, 1_000)]))
    desk.send(spec("e", limit=99, legs=(95, 105)))
    assert desk.go("14:44").fills == [("e", D(100), D(99), at("14:40"))]
    assert desk.go("14:45").fills[1:] == [("e-tp", D(100), D(105), at("14:45"))]


def test_an_entry_filled_inside_a_bar_may_be_stopped_in_that_bar() -> None:
    """In at 99 and out at 94.99, both known at the bar's end."""
    desk = open_desk(Market().minutes([FLAT, (100, 106, 94, 100, 1_000)]))
    desk.send(spec("e", limit=99, legs=(95, 105)))
    assert desk.go("14:40").fills == [("e", D(100), D(99), at("14:40")), ("e-sl", D(100), D("94.99"), at("14:40"))]


def test_an_order_takes_at_most_its_share_of_a_bar() -> None:
    """At the opening 10 % of the first bar's own 1,000 for want of an earlier one, then of the last closed bar's 500."""
    rows = [(100, 100, 100, 100, 1_000), (101, 101, 101, 101, 500), (102, 102, 102, 102, 500), (103, 103, 103, 103, 9)]
    desk = open_desk(Market().minutes(rows), participation="0.1", cash=10**6)
    desk.send(spec("m", quantity=280))
    assert [(q, p) for _, q, p, _ in desk.go("14:50").fills] == [
        (D(100), D("100.01")),
        (D(100), D("101.01")),
        (D(50), D("102.01")),
        (D(30), D("103.01")),
    ]


def test_what_filled_at_the_open_counts_against_the_bar_s_share() -> None:
    """100 of the first bar's 100 are gone at the open: the limit finds nothing more inside it, 20 in the next."""
    desk = open_desk(Market().minutes([(100, 100, 98, 100, 1_000), (101, 101, 98, 99, 200)]), participation="0.1")
    desk.send(spec("l", quantity=150, limit="100.01"))
    assert desk.go("14:36").fills == [("l", D(100), D("100.01"), at("14:30"))]
    assert desk.go("14:40").fills[1:] == [("l", D(20), D("100.01"), at("14:40"))]


def test_a_bar_without_volume_fills_nothing_and_one_with_a_little_at_least_a_lot() -> None:
    """5 % of 3 is less than a share; one is filled."""
    desk = open_desk(Market().minutes([FLAT, (90, 90, 90, 90, 0), (100, 100, 90, 100, 3)]), participation="0.05")
    desk.send(spec("l", limit=95))
    assert desk.go("14:45").fills == [("l", D(1), D(95), at("14:45"))]


def test_intraday_bars_count_where_there_are_any_and_daily_ones_elsewhere() -> None:
    """Monday has 5-minute bars (and no dip), Tuesday only a daily one."""
    market = Market().days([(100, 100, 90, 100, 1_000), (100, 100, 90, 100, 1_000)]).minutes([FLAT, FLAT])
    desk = open_desk(market)
    desk.send(spec("l", limit=95))
    assert desk.go("21:00").fills == []
    assert desk.go("21:00", 5).fills == [("l", D(100), D(95), at("21:00", 5))]
