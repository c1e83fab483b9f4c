"""How positions are guarded where venues differ, seen by a real desk at the emulators."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.orders import OrderIntent, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.proposals import EntryStyle, ProposalKind, Target
from trading_bot.domain.records import DeskState
from trading_bot.domain.values import Symbol
from venues import VenueDesk, alpaca_desk, bybit_desk

STOCK = Instrument(symbol=Symbol("AAPL"))
COIN = Instrument(
    symbol=Symbol("BTC/USD"), asset_class=AssetClass.CRYPTO_SPOT, lot_size=Decimal("0.000001"), calendar="24/7", shortable=False
)
PERPETUAL = Instrument(
    symbol=Symbol("SOLUSDT"), asset_class=AssetClass.CRYPTO_PERPETUAL, lot_size=Decimal("0.1"), minimum_notional=Decimal(5),
    calendar="24/7",
)  # fmt: skip
SPOT = PERPETUAL.model_copy(update={"asset_class": AssetClass.CRYPTO_SPOT, "lot_size": Decimal("0.001"), "shortable": False})
HALVES = (Target(price=Decimal(104), fraction=Decimal("0.5")), Target(price=Decimal(108), fraction=Decimal("0.5")))


@pytest.fixture
def stock() -> Iterator[VenueDesk]:
    """A desk that trades a stock at Alpaca."""
    with alpaca_desk(STOCK) as desk:
        yield desk


@pytest.fixture
def coin() -> Iterator[VenueDesk]:
    """A desk that trades a coin at Alpaca."""
    with alpaca_desk(COIN) as desk:
        yield desk


@pytest.fixture
def perpetual() -> Iterator[VenueDesk]:
    """A desk that trades a perpetual at Bybit."""
    with bybit_desk(PERPETUAL, "linear") as desk:
        yield desk


@pytest.fixture
def spot() -> Iterator[VenueDesk]:
    """A desk that trades a coin at Bybit."""
    with bybit_desk(SPOT, "spot") as desk:
        yield desk


# -- stocks at Alpaca --------------------------------------------------------------------------------------------------


def test_one_target_goes_out_as_a_bracket_with_its_stop(stock: VenueDesk) -> None:
    """Good till canceled, so that the legs outlive the day."""
    stock.propose(targets=(Target(price=Decimal(104), fraction=Decimal(1)),))
    (entry,) = [i.order.spec for i in stock.engine.ledger.intents]
    assert (entry.time_in_force, entry.quantity) == (TimeInForce.GTC, stock.held)
    assert stock.stopped == stock.held == 99
    assert stock.is_sound()


def test_two_targets_go_out_with_one_stop_and_become_a_pair_each(stock: VenueDesk) -> None:
    """The stop rests from the fill on; then each half has its target and its stop, which cancel each other."""
    stock.propose(targets=HALVES)
    assert sorted(str(o.limit_price) for o in stock.working(OrderRole.TAKE_PROFIT)) == ["104", "108"]
    assert stock.stopped == stock.held
    assert stock.is_sound()
    stock.move("104.50")
    assert stock.held == 50
    assert stock.stopped == 50
    assert stock.is_sound()


def test_an_entry_that_fills_in_part_is_ended_after_two_seconds_and_what_was_filled_is_guarded(stock: VenueDesk) -> None:
    """No stop may rest beside it, so it may not wait."""
    stock.fault(fault="partial_fill", on="order", fraction=0.4, seconds=3600)
    stock.propose(targets=HALVES)
    stock.wait(2)
    entry = next(i.order.spec for i in stock.engine.ledger.intents)
    found = stock.broker.find(entry.client_order_id)
    assert found is not None
    assert found.state is OrderState.CANCELED
    assert stock.held == 39
    assert stock.stopped == 39
    assert stock.is_sound()


def test_a_close_takes_the_resting_exits_off_first(stock: VenueDesk) -> None:
    """They hold the shares back; afterwards nothing rests and nothing is held."""
    stock.propose(targets=HALVES)
    stock.propose(ProposalKind.CLOSE)
    assert stock.held == 0
    assert stock.engine.ledger.books.working_orders() == ()
    assert stock.is_sound()


def test_after_a_reduction_the_rest_has_its_stop_again(stock: VenueDesk) -> None:
    """At the price where it was."""
    stock.propose(targets=HALVES)
    stock.propose(ProposalKind.REDUCE, fraction=Decimal("0.5"))
    assert stock.held == 50
    assert stock.stopped == 50
    assert {o.stop_price for o in stock.working(OrderRole.STOP_LOSS)} == {Decimal(97)}
    assert stock.is_sound()


def test_a_close_that_cannot_fill_yet_is_not_taken_off_to_guard_the_rest(stock: VenueDesk) -> None:
    """In a halt it waits at the venue, and holds back what it closes; only the rest needs a stop."""
    stock.propose(targets=())
    stock.do("halt", symbol=STOCK.symbol)
    stock.propose(ProposalKind.REDUCE, fraction=Decimal("0.5"))
    stock.wait(10)
    assert [o.remaining for o in stock.working(OrderRole.CLOSE)] == [stock.held - stock.stopped]
    assert stock.stopped == 50
    assert stock.sides().count((Side.SELL, OrderRole.CLOSE)) == 1


def test_a_stop_that_was_passed_before_it_could_rest_is_a_market_exit(stock: VenueDesk) -> None:
    """The price fell through it while the entry was filling."""
    stock.fault(fault="partial_fill", on="order", fraction=0.4, seconds=3600)
    stock.propose(targets=())
    stock.move("96")
    stock.wait(3)
    assert stock.held == 0
    assert stock.is_sound()


def test_a_split_that_exits_do_not_follow_places_the_stop_anew(stock: VenueDesk) -> None:
    """Four for one over night: four times the shares, a quarter of the price."""
    stock.propose(targets=())
    stock.clock.sleep_until(stock.clock.now() + timedelta(hours=12))
    stock.do("split", symbol=stock.symbol, ratio="4")
    stock.hand.prices[stock.symbol] = Decimal(25)
    stock.wait(120)
    assert stock.held == 396
    assert [(o.remaining, o.stop_price) for o in stock.working(OrderRole.STOP_LOSS)] == [(396, Decimal("24.25"))]
    assert stock.is_sound()


def test_a_stop_is_renewed_before_its_ninety_days_are_over(stock: VenueDesk) -> None:
    """By age; the old one is gone, the new one rests at the same price."""
    stock.propose(targets=())
    (old,) = stock.working(OrderRole.STOP_LOSS)
    stock.clock.sleep_until(stock.clock.now() + timedelta(days=81))
    stock.wait(120)
    (new,) = stock.working(OrderRole.STOP_LOSS)
    assert new.client_order_id != old.client_order_id
    assert (new.remaining, new.stop_price) == (old.remaining, old.stop_price)
    assert stock.is_sound()


def test_an_entry_that_nobody_filled_ends_with_its_session(stock: VenueDesk) -> None:
    """It was good till canceled for its legs' sake alone."""
    stock.propose(style=EntryStyle.PULLBACK, entry=Decimal(98), stop_loss=Decimal(95), targets=())
    assert len(stock.working(OrderRole.ENTRY)) == 1
    stock.clock.sleep_until(stock.clock.now() + timedelta(hours=6, minutes=31))
    stock.wait(60)
    assert stock.working(OrderRole.ENTRY) == ()
    assert stock.is_sound()


def test_what_is_more_than_whole_shares_is_guarded_for_the_day() -> None:
    """And the whole shares until canceled."""
    with alpaca_desk(STOCK.model_copy(update={"lot_size": Decimal("0.01")})) as desk:
        desk.propose(targets=())
        assert desk.held == Decimal("99.99")
        lives = {(o.quantity, o.time_in_force) for o in desk.working(OrderRole.STOP_LOSS)}
        assert lives == {(Decimal(99), TimeInForce.GTC), (Decimal("0.99"), TimeInForce.DAY)}
        assert desk.is_sound()


def test_a_position_that_somebody_else_changed_makes_the_desk_reduce_only_and_is_told(stock: VenueDesk) -> None:
    """And nothing is traded to mend it."""
    stock.propose(targets=())
    before = stock.journal.count(OrderIntent)
    stock.do("position_by_hand", symbol=stock.symbol, quantity="150")
    stock.engine.reconcile()
    assert stock.switch.state() is DeskState.REDUCE_ONLY
    assert stock.told.titles == ["Books and broker differ"]
    assert stock.journal.count(OrderIntent) == before


def test_an_order_that_somebody_else_placed_is_told_and_the_desk_goes_on(stock: VenueDesk) -> None:
    """Once, however often it is seen."""
    stock.do("order_by_hand", symbol=stock.symbol, side="buy", quantity="1", limit="50")
    stock.wait(60)
    for _ in range(3):
        stock.engine.reconcile()
    assert stock.switch.state() is DeskState.RUNNING
    assert stock.told.titles == ["Books and broker differ"]


# -- coins at Alpaca ---------------------------------------------------------------------------------------------------


def test_a_coin_gets_a_stop_limit_when_its_entry_is_filled(coin: VenueDesk) -> None:
    """Coins know no other stop."""
    coin.propose(targets=())
    (stop,) = coin.working(OrderRole.STOP_LOSS)
    assert (stop.type, stop.stop_price) == (OrderType.STOP_LIMIT, Decimal(97))
    assert stop.remaining == coin.held
    assert coin.is_sound()


def test_a_price_that_jumps_over_a_stop_limit_is_followed_by_a_market_exit(coin: VenueDesk) -> None:
    """The watcher does what the resting order cannot."""
    coin.propose(targets=())
    coin.move("90")
    coin.wait(3)
    assert coin.held < Decimal("0.01")
    assert coin.working(OrderRole.STOP_LOSS) == ()


def test_a_target_that_cannot_rest_is_watched(coin: VenueDesk) -> None:
    """Half is sold at the market when it is reached, the rest keeps a stop of its own size."""
    coin.propose(targets=HALVES)
    before = coin.held
    coin.move("104.50")
    coin.wait(3)
    assert coin.held == pytest.approx(before / 2, rel=Decimal("0.01"))
    assert coin.stopped == coin.held
    assert coin.is_sound()
    coin.move("108.50")
    coin.wait(3)
    assert coin.held < Decimal("0.001"), "and the rest at the second"


# -- Bybit -------------------------------------------------------------------------------------------------------------


def test_a_perpetual_has_its_stop_on_the_position_and_its_targets_beside_it(perpetual: VenueDesk) -> None:
    """One entry; the stop follows what is left after the first target."""
    perpetual.propose(targets=HALVES)
    assert perpetual.stopped == perpetual.held > 0
    assert len(perpetual.working(OrderRole.TAKE_PROFIT)) == 2
    assert perpetual.is_sound()
    whole = perpetual.held
    perpetual.move("104.50")
    assert 0 < perpetual.held < whole
    assert perpetual.stopped == perpetual.held
    assert perpetual.is_sound()


def test_a_position_stop_is_moved_and_ends_with_its_position(perpetual: VenueDesk) -> None:
    """To less risk, and away when all is closed."""
    perpetual.propose(targets=HALVES)
    perpetual.propose(ProposalKind.MOVE_STOP, stop_loss=Decimal(98))
    assert [o.stop_price for o in perpetual.working(OrderRole.STOP_LOSS)] == [Decimal(98)]
    perpetual.propose(ProposalKind.CLOSE)
    assert perpetual.held == 0
    assert perpetual.engine.ledger.books.working_orders() == ()
    assert perpetual.is_sound()


def test_a_spot_stop_follows_a_partial_close_and_ends_with_the_position(spot: VenueDesk) -> None:
    """The venue would let it rest, and sell what is not there."""
    spot.propose(targets=())
    whole = spot.held
    assert 0 < spot.stopped == SPOT.round_quantity(whole) < whole, "the fee was taken in coins"
    spot.propose(ProposalKind.REDUCE, fraction=Decimal("0.5"))
    assert spot.stopped == SPOT.round_quantity(spot.held) < whole / 2 + 1
    assert spot.is_sound()
    spot.propose(ProposalKind.CLOSE)
    spot.wait(3)
    assert spot.working(OrderRole.STOP_LOSS) == ()
