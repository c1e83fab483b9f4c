"""Positions on the emulated Bybit: stops that the venue keeps for them, leverage, funding, margin, and what the venue does on its own."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.bybit_house import BTC, House, house, refused
from trading_bot.sandbox.bybit.contracts import Contract, instrument_of
from trading_bot.sandbox.bybit.positions import Position

D = Decimal
HOUR = 3600


@pytest.fixture
def venue() -> Iterator[House]:
    """A venue of its own."""
    with house() as made:
        yield made


def stop(venue: House, **said: Any) -> dict[str, Any]:  # noqa: ANN401 - as the SDK takes it
    """Set a trading stop."""
    return dict(venue.http.set_trading_stop(category="linear", symbol=BTC, tpslMode="Full", positionIdx=0, **said))


def guards(venue: House) -> dict[str, tuple[str, str, str]]:
    """Price, quantity and client id of the position's stops."""
    found = venue.working()
    return {o["stopOrderType"]: (o["triggerPrice"], o["qty"], o["orderLinkId"]) for o in found if o["createType"] != "CreateByUser"}


def test_a_stop_comes_with_its_entry_and_follows_the_position(venue: House) -> None:
    """One order for all of it, without a client's id, from the first fill on."""
    venue.order(qty="0.03", stopLoss="57000", orderLinkId="entry")
    assert guards(venue) == {"StopLoss": ("57000", "0.03", "")}
    venue.trade(qty="0.02")
    assert guards(venue) == {"StopLoss": ("57000", "0.05", "")}
    venue.trade("Sell", "0.04", reduceOnly=True)
    assert (guards(venue), venue.position()["stopLoss"]) == ({"StopLoss": ("57000", "0.01", "")}, "57000")


def test_a_stop_of_a_resting_entry_waits_for_its_first_fill() -> None:
    """And then covers what was filled, no more."""
    with house(size=D("0.01")) as venue:
        venue.order(qty="0.02", price="59000", stopLoss="57000")
        venue.go()
        assert guards(venue) == {}
        venue.price("58900")
        assert guards(venue) == {"StopLoss": ("57000", "0.01", "")}
        stop(venue, stopLoss="58000")
        venue.go(2)
        assert guards(venue) == {"StopLoss": ("58000", "0.02", "")}


def test_a_stop_that_strikes_closes_the_position(venue: House) -> None:
    """Its execution says what it was and names no client."""
    venue.order(qty="0.03", stopLoss="57000", takeProfit="66000", orderLinkId="entry")
    with venue.listening() as (ears, _):
        venue.price("56500")
        ears.wait("position", lambda rows: bool(rows) and rows[-1]["size"] == "0")
        ears.wait("wallet")
        life = [(row["stopOrderType"], row["orderStatus"], row["cancelType"]) for row in ears.rows("order")[-3:]]
    assert life == [
        ("StopLoss", "Triggered", "UNKNOWN"),
        ("StopLoss", "Filled", "UNKNOWN"),
        ("TakeProfit", "Deactivated", "CancelByTpSlTsClear"),
    ]
    last = venue.executions()[-1]
    assert (last["stopOrderType"], last["createType"], last["orderLinkId"], last["execQty"]) == ("StopLoss", "CreateByStopLoss", "", "0.03")
    assert (venue.position()["size"], venue.position()["stopLoss"], venue.working()) == ("0", "", [])


def test_a_stop_that_finds_nobody_to_trade_with_is_spent_and_the_position_shows_it() -> None:
    """The entry has taken all that was offered: what is held is naked, and nothing pretends to guard it."""
    with house(size=D("0.01")) as venue:
        venue.order(qty="0.05", price="60000", stopLoss="57000")
        venue.price("59000")
        assert list(guards(venue)) == ["StopLoss"]
        venue.price("56500")
        venue.go(2)
        assert (D(venue.position()["size"]) > 0, venue.position()["stopLoss"], guards(venue)) == (True, "", {})


def test_a_stop_is_moved_and_taken_away(venue: House) -> None:
    """The newest word counts; the same word again is no change."""
    venue.trade()
    stop(venue, stopLoss="57000")
    stop(venue, stopLoss="58000", takeProfit="66000")
    assert guards(venue) == {"StopLoss": ("58000", "0.01", ""), "TakeProfit": ("66000", "0.01", "")}
    assert refused(stop, venue, stopLoss="58000") == 34040
    stop(venue, stopLoss="0")
    assert guards(venue) == {"TakeProfit": ("66000", "0.01", "")}
    (target,) = venue.working()
    venue.http.amend_order(category="linear", symbol=BTC, orderId=target["orderId"], triggerPrice="65000")
    assert venue.position()["takeProfit"] == "65000"
    venue.http.cancel_order(category="linear", symbol=BTC, orderId=target["orderId"])
    assert (venue.position()["takeProfit"], venue.working()) == ("", [])


def test_a_stop_needs_a_position_and_its_right_side(venue: House) -> None:
    """Else it is refused with the venue's words."""
    assert refused(stop, venue, stopLoss="57000") == 10001
    venue.trade("Sell")
    assert refused(stop, venue, stopLoss="57000") == 10001
    assert refused(stop, venue, takeProfit="61000") == 10001
    stop(venue, stopLoss="61000")
    assert guards(venue) == {"StopLoss": ("61000", "0.01", "")}


def test_a_trailing_stop_follows_the_best_price_once_it_was_woken(venue: House) -> None:
    """It sleeps below its active price, then stays at its distance, and never goes back."""
    venue.trade(qty="0.02")
    stop(venue, trailingStop="500", activePrice="61000")
    venue.price("60200")
    venue.price("59600")
    assert venue.position()["size"] == "0.02"
    venue.price("62000")
    venue.price("61600")
    assert venue.position()["size"] == "0.02"
    venue.price("61400")
    last = venue.executions()[-1]
    assert (venue.position()["size"], last["stopOrderType"], last["createType"]) == ("0", "TrailingStop", "CreateByTrailingStop")


def test_a_position_that_turns_round_leaves_its_stops_behind(venue: House) -> None:
    """What guarded a long would be nonsense for a short; the entry that turned it brings its own."""
    venue.trade(qty="0.01", stopLoss="57000")
    venue.trade("Sell", "0.03", stopLoss="63000")
    assert (venue.position()["side"], venue.position()["size"], guards(venue)) == ("Sell", "0.02", {"StopLoss": ("63000", "0.02", "")})
    venue.trade("Buy", "0.03")
    assert guards(venue) == {}


def test_leverage_is_set_for_each_symbol(venue: House) -> None:
    """It moves the margin of what is held; the same again and too much are refused."""

    def lever(value: str) -> object:
        return venue.http.set_leverage(category="linear", symbol=BTC, buyLeverage=value, sellLeverage=value)

    assert [refused(lever, value) for value in ("10", "101", "0.5")] == [110043, 110013, 10001]
    lever("5")
    venue.trade(qty="0.1")
    assert (venue.position()["leverage"], venue.position()["positionIM"]) == ("5", "1203.3")
    assert refused(venue.order, qty="0.8") == 110007


def test_one_way_is_the_only_mode(venue: House) -> None:
    """It is set already, and the other is not to be had."""
    switch = venue.http.switch_position_mode
    assert refused(switch, category="linear", symbol=BTC, mode=0) == 110025
    assert refused(switch, category="linear", symbol=BTC, mode=3) == 110029


def test_funding_is_paid_every_eight_hours(venue: House) -> None:
    """By longs at a rate above 0; it is an execution and a settlement in the log, and nothing of a trade."""
    venue.trade(qty="0.1")
    before = D(venue.coin()["walletBalance"])
    venue.go(4 * HOUR)
    (paid,) = venue.executions(execType="Funding")
    assert (paid["execFee"], paid["execQty"], paid["side"], paid["orderLinkId"], paid["execTime"]) == (
        "0.6",
        "0.1",
        "Buy",
        "",
        "1741104000000",
    )
    assert D(venue.coin()["walletBalance"]) == before - D("0.6")
    venue.api.control(do="funding_flip", symbol=BTC)
    venue.go(8 * HOUR)
    log = venue.http.get_transaction_log(accountType="UNIFIED", category="linear", type="SETTLEMENT")["result"]["list"]
    assert [(row["funding"], row["change"]) for row in log] == [("0.6", "0.6"), ("-0.6", "-0.6")]


def test_an_account_that_cannot_carry_its_positions_is_liquidated() -> None:
    """In the venue's own name; resting orders go first, and the stop ends with the position."""
    with house(cash=D(700)) as venue:
        venue.trade(qty="0.1", stopLoss="40000", orderLinkId="entry")
        venue.trade(price="50000", qty="0.001", orderLinkId="rests")
        venue.price("53100")
        last = venue.executions()[-1]
        assert (last["execType"], last["orderLinkId"], last["execQty"], last["side"]) == ("BustTrade", "", "0.1", "Sell")
        assert (venue.position()["size"], venue.working()) == ("0", [])
        rests = venue.http.get_order_history(category="linear", orderLinkId="rests")["result"]["list"][0]
        assert rests["cancelType"] == "CancelAllBeforeLiq"
        assert D(venue.coin()["walletBalance"]) < D(20)


def test_the_venue_may_take_some_of_a_position_away(venue: House) -> None:
    """Auto-deleveraging: no client's id, no fee, and the stop covers what is left."""
    venue.trade(qty="0.03", stopLoss="57000")
    venue.api.control(do="adl", symbol=BTC, quantity="0.01")
    last = venue.executions()[-1]
    assert (last["execType"], last["orderLinkId"], last["execFee"], last["createType"]) == ("AdlTrade", "", "0", "CreateByAdl_PassThrough")
    assert guards(venue) == {"StopLoss": ("57000", "0.02", "")}


def test_what_a_hand_does_carries_no_id(venue: House) -> None:
    """Positions and orders that nobody here has asked for."""
    venue.api.control(do="position_by_hand", symbol=BTC, quantity="-0.02")
    venue.api.control(do="order_by_hand", symbol=BTC, side="buy", quantity="0.01", limit="50000")
    venue.go()
    assert (venue.position()["side"], venue.position()["size"]) == ("Sell", "0.02")
    assert [(o["orderLinkId"], o["price"]) for o in venue.working()] == [("", "50000.0")]


def test_every_balance_is_the_sum_of_its_log(venue: House) -> None:
    """Trades of both kinds, funding, transfers and liquidations: nothing moves money outside the log."""
    venue.trade(qty="0.05", stopLoss="57000")
    venue.trade(category="spot", marketUnit="baseCoin")
    venue.go(4 * HOUR)
    venue.api.control(do="deposit", amount="-250.5")
    venue.price("56000")
    venue.trade("Sell", "0.004", category="spot")
    rows = [row for _, row in venue.api.service.engine.ledger.log]
    for coin in ("USDT", "BTC"):
        assert sum(D(row["change"]) for row in rows if row["currency"] == coin) == D(venue.coin(coin)["walletBalance"])


def test_one_long_step_tells_the_same_as_many_short_ones() -> None:
    """Fills, stops and funding do not depend on who looked when."""

    def told(steps: int) -> list[tuple[str, str, str, str]]:
        with house() as venue:
            venue.api.control(do="let_go", symbol=BTC)
            venue.trade(qty="0.03")
            mark = D(venue.position()["markPrice"])
            stop(venue, stopLoss=str(mark - 40), takeProfit=str(mark + 900))
            venue.order("Buy", "0.02", price=str(mark - 25))
            for _ in range(steps):
                venue.go(6 * HOUR / steps)
            return [(e["execType"], e["execTime"], e["execQty"], e["execPrice"]) for e in venue.executions()]

    assert told(1) == told(45)


@given(fills=st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(1, 50), st.integers(50_000, 70_000)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_realised_and_unrealised_profit_are_what_came_in_and_went_out(fills: list[tuple[int, int, int]]) -> None:
    """Whatever the order of fills: cash flow plus value equals profit, within roundings of the mean price."""
    position = Position(Contract(instrument_of(BTC, "linear"), "linear"))
    flow, realised = D(0), D(0)
    for side, lots, price in fills:
        quantity = D(lots) / 1000
        realised += position.book(side, quantity, D(price)).pnl
        flow -= side * quantity * price
    mark = D(60_000)
    assert abs(flow + position.size * mark - realised - position.unrealised(mark)) < D("1e-8")
    assert position.cost >= 0
