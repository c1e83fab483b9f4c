"""What is carried with leverage is closed before its venue does, without any model; seen by a real desk at an emulated Bybit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import NOW, mandate, proposal
from desks import ScriptedSource, small_desk
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.proposals import Verdict
from trading_bot.domain.records import DeskState
from trading_bot.domain.values import Symbol
from trading_bot.ports import Broker
from venues import VenueDesk, bybit_desk

COIN = Instrument(
    symbol=Symbol("SOLUSDT"), asset_class=AssetClass.CRYPTO_PERPETUAL, lot_size=Decimal("0.1"), minimum_notional=Decimal(5),
    calendar="24/7", maintenance_rate=Decimal("0.01"),
)  # fmt: skip
NEAR = "A position came near its liquidation"


@contextmanager
def desk(
    instrument: Instrument = COIN,
    veil: Callable[[Broker], Broker] = lambda broker: broker,
    **limits: Any,  # noqa: ANN401 - values of limits
) -> Iterator[VenueDesk]:
    """One that holds a long of about 10,000 in 100,000, with a stop at 97."""
    with bybit_desk(instrument, "linear", veil, **limits) as made:
        made.propose(targets=())
        assert made.stopped == made.held > 90
        yield made


class Mute:
    """An adapter whose venue says nothing of margins."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it has
        if name == "standing":
            raise AttributeError(name)
        return getattr(self._broker, name)


def take_out(desk: VenueDesk, leave: str) -> None:
    """Somebody takes money out of the account, until so much is left as a share of what is held."""
    value = desk.held * desk.hand.prices[desk.symbol]
    desk.do("deposit", amount=str(value * Decimal(leave) - desk.broker.account().equity))


def rulings(desk: VenueDesk) -> list[Verdict]:
    """Those of the margin watch."""
    return [v for v in desk.journal.all(Verdict) if any(f.rule == "margin" for f in v.findings)]


@pytest.mark.parametrize(
    ("limits", "leave", "said"),
    [
        ({"liquidation_buffer": "0.03"}, "0.03", "from liquidation at"),
        ({"liquidation_buffer": "none"}, "0.0065", "is less than the maintenance margin of"),
    ],
)
def test_a_position_is_closed_before_its_venue_closes_it(limits: dict[str, Any], leave: str, said: str) -> None:
    """By a ruling of the gate, at the market; no new risk is taken then, and a person is told, once."""
    with desk(**limits) as made:
        assert rulings(made) == []
        take_out(made, leave)
        made.wait(70)
        assert made.sides() == [(Side.BUY, OrderRole.ENTRY), (Side.SELL, OrderRole.CLOSE)]
        assert len(rulings(made)) == 1
        assert (made.held, made.told.titles) == (0, [NEAR])
        state, why = made.switch.explain()
        assert (state, said in why) == (DeskState.REDUCE_ONLY, True)
        assert made.is_sound()


def test_a_halt_does_not_hold_it_up_and_a_refusal_is_tried_again() -> None:
    """A person is told once all the same."""
    with desk(liquidation_buffer="0.03") as made:
        made.switch.halt("a person", "by hand", made.clock.now())
        made.fault(fault="reject", on="order", times=2)
        take_out(made, "0.03")
        made.wait(5)
        assert (made.held, made.told.titles) == (0, [NEAR])
        assert len(rulings(made)) == 3
        assert made.switch.state() is DeskState.HALTED


def test_a_venue_that_says_nothing_of_margins_is_reckoned_for() -> None:
    """By the newest mark and the average price, as if nothing else of the account stood behind it: liquidation at 95.75."""
    levered = COIN.model_copy(update={"leverage_cap": Decimal(19)})
    with desk(levered, Mute, liquidation_buffer="0.01") as made:
        made.hand.prices[made.symbol] = Decimal("97.10")
        made.wait(1)
        assert (rulings(made), made.stopped) == ([], made.held)
        made.hand.prices[made.symbol] = Decimal("96.60")
        made.wait(2)
        assert (made.held, len(rulings(made))) == (0, 1)


def test_what_the_venue_liquidates_between_two_looks_is_booked_told_and_not_bought_again() -> None:
    """Nothing differs, nothing rests, and the same coin has to wait after a loss."""
    with desk(liquidation_buffer="0.03", reentry_minutes=60) as made:
        made.do("liquidation", symbol=made.symbol)
        made.wait(30)
        assert (made.held, made.told.titles) == (0, ["The venue closed a position by itself"])
        assert made.is_sound()
        assert made.engine.ledger.books.working_orders() == ()
        made.propose(targets=())
        assert [f.rule for f in made.journal.all(Verdict)[-1].findings] == ["reentry"]
        assert made.sides() == [(Side.BUY, OrderRole.ENTRY)]


def test_a_venue_that_cannot_be_asked_closes_nothing_and_holds_up_nothing() -> None:
    """The look is made again when it answers."""
    with desk(liquidation_buffer="0.03") as made:
        take_out(made, "0.03")
        made.fault(fault="unreachable", seconds=5)
        made.wait(2)
        assert (made.held > 90, rulings(made)) == (True, [])
        made.wait(10)
        assert made.held == 0


class Levered(ScriptedSource):
    """The script's symbol as a perpetual carried five times: bought at 100, it is liquidated at 81."""

    def instrument(self, symbol: Symbol) -> Instrument:
        """On the same grid."""
        changed = {"asset_class": AssetClass.CRYPTO_PERPETUAL, "leverage_cap": Decimal(5), "maintenance_rate": Decimal("0.01")}
        return super().instrument(symbol).model_copy(update=changed)


def test_in_simulated_time_it_is_closed_on_paper_at_the_moment_at_which_the_desk_looks() -> None:
    """However often the desk was started in between; a mandate signed since then with a wider buffer holds for what is held."""
    source = Levered([(100, 100, 100, 100), (100, 100, 83, 83), *[(83.0, 83.0, 83.0, 83.0)] * 4])
    first = small_desk([], source=source, under=mandate(liquidation_buffer="none", price_collar="none"))
    first.engine.handle(proposal(stop_loss=Decimal(82), targets=()))
    first.go_to(NOW + timedelta(minutes=9))
    assert first.engine.ledger.books.positions
    for _ in range(3):
        again = small_desk(
            [], source=source, under=mandate(liquidation_buffer="0.03"), journal=first.journal, broker=first.broker, clock=first.clock
        )
        again.go_to(again.clock.now() + timedelta(minutes=1))
    closes = [i.order.spec for i in again.engine.ledger.intents if i.order.spec.role is OrderRole.CLOSE]
    found = [v for v in first.journal.all(Verdict) if any(f.rule == "margin" for f in v.findings)]
    assert (len(closes), len(found), found[0].at) == (1, 1, NOW + timedelta(minutes=10))
    assert (again.engine.ledger.books.positions, again.switch.state()) == ({}, DeskState.REDUCE_ONLY)
