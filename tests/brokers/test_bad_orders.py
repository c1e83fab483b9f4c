"""Orders that a venue does not take: each is refused in words that name the thing, and nothing of it is left."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers import alpaca_words, bybit_kit
from brokers.alpaca_bench import STOCK, Floor, floor, poll
from brokers.bybit_floor import floor as bybit_floor
from trading_bot.brokers.alpaca.broker import AlpacaBroker
from trading_bot.domain.errors import BrokerUnavailableError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.orders import OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.values import Symbol

D = Decimal
LIMIT = {"type": OrderType.LIMIT, "limit_price": D(99)}


def asset(**changed: object) -> Callable[[Floor], None]:
    """Alpaca changes a flag of AAPL."""
    return lambda on: on.emulator.do("asset", symbol="AAPL", **changed)


def account(**changed: object) -> Callable[[Floor], None]:
    """Alpaca changes a flag of the account."""
    return lambda on: on.emulator.do("account", **changed)


ALPACA: dict[str, tuple[Callable[[Floor], None], dict[str, Any], str]] = {
    "unknown": (lambda _: None, {"symbol": Symbol("NOSUCH")}, "NOSUCH"),
    "delisted": (asset(status="inactive"), {}, "AAPL is not active"),
    "not tradable": (asset(tradable=False), {}, "AAPL is not tradable"),
    "not shortable": (asset(easy_to_borrow=False), {"side": Side.SELL}, "cannot be sold short"),
    "shorting not allowed": (account(shorting_enabled=False), {"side": Side.SELL}, "short"),
    "less than a dollar": (
        lambda _: None,
        {"quantity": D("0.01"), **LIMIT, "limit_price": D(50), "time_in_force": TimeInForce.DAY},
        "minimal amount",
    ),
    "more than buying power": (lambda _: None, {"quantity": D(100_000)}, "buying power"),
    "off tick": (lambda _: None, {**LIMIT, "limit_price": D("99.001")}, "sub-penny"),
    "off lot": (lambda _: None, {"quantity": D("1.001"), "time_in_force": TimeInForce.DAY}, "1.001"),
    "a fraction that should rest": (lambda _: None, {"quantity": D("1.5"), **LIMIT}, "fractional"),
    "blocked account": (account(trading_blocked=True), {}, "blocked"),
}


def opened(on: Floor) -> AlpacaBroker:
    """An adapter that has begun."""
    broker = on.broker()
    broker.open((), (), lambda: None)
    return broker


@pytest.mark.parametrize("what", ALPACA)
def test_what_alpaca_does_not_take_is_named(what: str) -> None:
    """Twice alike, and nothing rests."""
    prepare, changed, words = ALPACA[what]
    with floor() as on:
        broker = opened(on)
        prepare(on)
        for _ in range(2):
            with pytest.raises(OrderRejectedError, match="nothing was placed") as refused:
                broker.submit(alpaca_words.approved(alpaca_words.spec("desk-bad", **changed)))
            assert words in str(refused.value)
        assert (broker.open_orders(), broker.positions()) == ((), ())


def test_a_share_that_trades_only_whole_is_not_bought_in_parts() -> None:
    """It is said of which."""
    with floor(STOCK.model_copy(update={"lot_size": D(1)})) as on, pytest.raises(OrderRejectedError, match="is not fractionable"):
        opened(on).submit(alpaca_words.approved(alpaca_words.spec("desk-bad", quantity=D("1.5"), time_in_force=TimeInForce.DAY)))


def test_an_order_for_a_halted_stock_waits_at_alpaca_and_fills_after_it() -> None:
    """It is accepted, as the real one does."""
    with floor() as on:
        broker = opened(on)
        on.emulator.do("halt", symbol="AAPL", seconds=600)
        order = alpaca_words.approved(alpaca_words.spec("desk-a"))
        assert broker.submit(order).state is OrderState.ACCEPTED
        assert broker.positions() == ()
        on.emulator.do("resume", symbol="AAPL")
        on.move(D(100))
        assert poll(lambda: bool(broker.positions()), 5)


def test_maintenance_at_alpaca_leaves_an_order_open_to_doubt_and_a_question_unanswered() -> None:
    """Whether 503 came before or after the order nobody can know; it is found, or absent, afterwards."""
    with floor() as on:
        broker = opened(on)
        on.fault(fault="server_error", status=503, times=2)
        with pytest.raises(OutcomeUnknownError, match="MAY have been carried out"):
            broker.submit(alpaca_words.approved(alpaca_words.spec("desk-a")))
        with pytest.raises(BrokerUnavailableError, match="did not answer"):
            broker.account()
        assert poll(lambda: broker.account().equity > 0, 5)


BYBIT: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "unknown": ({}, {"symbol": Symbol("NOSUCHUSDT")}, "NOSUCHUSDT"),
    "halted": ({"do": "halt", "symbol": "BTCUSDT"}, {}, "nothing was placed"),
    "less than five dollars": ({}, {"quantity": "0.001", "limit_price": D(1000)}, "nothing was placed"),
    "more than the account has": ({}, {"quantity": "90"}, "nothing was placed"),
    "off tick": ({}, {"limit_price": D("49000.01")}, "nothing was placed"),
    "off lot": ({}, {"quantity": "0.0101"}, "nothing was placed"),
}


@pytest.mark.parametrize("what", BYBIT)
def test_what_bybit_does_not_take_is_named(what: str) -> None:
    """At once; nothing rests, nothing is held."""
    deed, changed, words = BYBIT[what]
    with bybit_floor() as venue:
        if deed:
            venue.api.control(**deed)
        with pytest.raises(OrderRejectedError, match="nothing was placed") as refused:
            venue.send(bybit_kit.spec("bad-1", **changed))
        assert words in str(refused.value)
        assert (venue.broker.open_orders(), venue.broker.positions()) == ((), ())


def test_a_leverage_above_the_instrument_s_cap_is_set_to_the_cap() -> None:
    """And is what the venue shows afterwards."""
    with bybit_floor(leverage="150") as venue:
        cap = bybit_kit.perpetual(bybit_kit.BTC).leverage_cap
        venue.send(bybit_kit.spec("a-1"))
        venue.becomes("a-1", OrderState.FILLED)
        row = next(r for r in venue.broker._reader.positions(bybit_kit.BTC) if r["symbol"] == "BTCUSDT")
        assert D(row["leverage"]) == cap < 150
