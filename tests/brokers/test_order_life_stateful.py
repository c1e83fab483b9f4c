"""The life of orders on every adapter, as a machine that does anything in any order: what must hold, holds after each step."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from brokers.alpaca_bench import alpaca_bench
from brokers.bybit_bench import bybit_bench
from brokers.honest import bench_of
from brokers.storytellers import Losing
from brokers.weather import weathered_bench
from trading_bot.domain.errors import BrokerUnavailableError, OrderNotFoundError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.orders import TRANSITIONS, ApprovedOrder, Order, OrderState, Side
from trading_bot.domain.values import ZERO, ClientOrderId
from trading_bot.sandbox.conformance import Bench, Trouble
from trading_bot.sandbox.conformance.asking import Wish
from trading_bot.sandbox.conformance.hand import Hand
from trading_bot.sandbox.conformance.report import BrokenError

D = Decimal
_HARMS = (Trouble.LOST_ANSWER, Trouble.SERVER_ERROR, Trouble.RATE_LIMITED, Trouble.LOST_REQUEST)


class OrderLife(RuleBasedStateMachine):
    """Submit, cancel, replace, move the price, lose answers, restart."""

    make: ClassVar[Callable[[], Bench]]
    numbers: ClassVar[list[int]] = [0]

    def __init__(self) -> None:
        super().__init__()
        self.numbers[0] += 1
        self.bench = type(self).make()
        self.hand = Hand(self.bench, f"s{self.numbers[0]:05d}")
        self.price = self.bench.quote().mid
        self.doubtful: list[ApprovedOrder] = []

    @initialize()
    def begins_flat(self) -> None:
        """Nothing is held, nothing rests."""
        assert self.hand.held() is None
        assert self.hand.working() == ()

    # -- acts --------------------------------------------------------------------------------------------------------

    @rule(half=st.booleans(), aims=st.booleans())
    def enters_at_the_market(self, *, half: bool, aims: bool) -> None:
        """Buy, where nothing is doubtful."""
        goal = self.bench.instrument.round_price(self.bench.quote().mid * D("1.05")) if aims else None
        self._sent(self.hand.ask.entry(Wish(self.bench.quantity / (2 if half else 1), target=goal)))

    @rule(part=st.sampled_from([D("0.9"), D("0.97"), D("0.999")]))
    def enters_below(self, part: Decimal) -> None:
        """A resting entry."""
        self._sent(self.hand.ask.entry(Wish(self.bench.quantity, limit=self._at(part))))

    @rule(share=st.sampled_from([None, D("0.5")]))
    def closes(self, share: Decimal | None) -> None:
        """All or a half of what is held, at the market."""
        held = self.hand.held()
        if held is not None and held.side is Side.BUY:
            self._sent(self.hand.ask.close(held, fraction=share))

    @rule(part=st.sampled_from([D("0.9"), D("0.98")]))
    def guards(self, part: Decimal) -> None:
        """One more stop for all that is held; the venue may refuse it."""
        held = self.hand.held()
        if held is not None and held.side is Side.BUY:
            self._sent(self.hand.ask.guard(held, (), self._at(part)))

    @rule(part=st.sampled_from([D("0.95"), D("0.99")]))
    def moves_a_stop(self, part: Decimal) -> None:
        """Nearer to the price."""
        stops, held, wanted = self.hand.stops(), self.hand.held(), self._at(part)
        if stops and held is not None and (stops[0].stop_price or wanted) < wanted < self.bench.quote().bid:
            self._sent(self.hand.ask.moved(held, stops[0], wanted))

    @rule(number=st.integers(0, 30))
    def cancels(self, number: int) -> None:
        """Anything that was ever meant, working or not."""
        ids = sorted(self.hand.ids)
        if ids:
            with suppress(OrderNotFoundError):
                self.hand.cancel(ClientOrderId(ids[number % len(ids)]))

    @rule(number=st.integers(0, 30))
    def sends_again(self, number: int) -> None:
        """Anything that was ever sent."""
        if self.hand.intents:
            order = self.hand.intents[number % len(self.hand.intents)].order
            known = self.hand.broker.find(order.spec.client_order_id)
            if known is not None:
                self._sent(order)

    @precondition(lambda self: self.bench.move is not None)
    @rule(percent=st.integers(-6, 6))
    def moves_the_price(self, percent: int) -> None:
        """Around where it began."""
        if self.bench.move is not None:
            self.bench.move(self._at(1 + D(percent) / 100))

    @rule(trouble=st.sampled_from(_HARMS), far=st.booleans())
    def loses_an_answer(self, trouble: Trouble, *, far: bool) -> None:
        """An entry in bad weather; what is unknown is asked for until it is known."""
        make = self.bench.troubles.get(trouble)
        if make is None:
            return
        order = self.hand.ask.entry(Wish(self.bench.quantity, limit=self._at(D("0.9")) if far else None))
        with make():
            self._sent(order)

    @rule(kept=st.integers(0, 6))
    def restarts(self, kept: int) -> None:
        """A new adapter, and the newest events were not booked yet."""
        whole = tuple(self.hand.booked)
        self.hand.restart(whole[: max(len(whole) - kept, 1)])

    # -- what holds --------------------------------------------------------------------------------------------------

    @invariant()
    def books_are_the_venue(self) -> None:
        """Cash, positions and working orders."""
        self.hand.agree()

    @invariant()
    def no_id_works_twice(self) -> None:
        """Nor does an order work that nobody meant."""
        ids = [o.client_order_id for o in self.hand.working()]
        assert len(ids) == len(set(ids))
        assert set(ids) <= self.hand.ids

    @invariant()
    def fills_add_up_and_states_move_along_the_table(self) -> None:
        """In the whole story as it was booked."""
        filled: dict[str, Decimal] = {}
        states: dict[str, OrderState] = {}
        for event in self.hand.booked:
            if isinstance(event, OrderUpdate):
                order = event.order
                filled[order.client_order_id] = filled.get(order.client_order_id, ZERO) + (event.fill.quantity if event.fill else ZERO)
                assert order.filled_quantity == filled[order.client_order_id]
                before = states.get(order.client_order_id)
                assert before in {None, order.state} or order.state in TRANSITIONS[before or order.state]
                states[order.client_order_id] = order.state

    @invariant()
    def what_was_unknown_is_one_order_or_none(self) -> None:
        """Asked for by its id."""
        for order in self.doubtful:
            found: Order | None = self.hand.broker.find(order.spec.client_order_id)
            assert found is None or found.quantity == order.spec.quantity

    def teardown(self) -> None:
        """Leave the account flat."""
        try:
            self.hand.leave()
        finally:
            self.hand.broker.close()

    def _sent(self, order: ApprovedOrder) -> None:
        try:
            self.hand.send(order)
        except (OrderRejectedError, OrderNotFoundError, BrokerUnavailableError):
            return
        except OutcomeUnknownError:
            self.doubtful.append(order)

    def _at(self, part: Decimal) -> Decimal:
        return self.bench.instrument.round_price(self.price * part)


class PaperLife(OrderLife):
    """On the paper venue, over a network with weather."""

    make = staticmethod(weathered_bench)


TestPaperLife: Any = PaperLife.TestCase
TestPaperLife.settings = settings(max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # an emulator that vanishes leaves sockets to the collector
@pytest.mark.parametrize("venue", [alpaca_bench, bybit_bench], ids=["alpaca", "bybit"])
def test_any_life_of_orders_on_an_emulated_venue(venue: Callable[[], AbstractContextManager[Bench]]) -> None:
    """Over real sockets; one emulator for all lives, each with ids of its own."""
    with venue() as bench:

        class EmulatedLife(OrderLife):
            """On the adapter and its emulator."""

            make = staticmethod(lambda: bench)

        few = settings(max_examples=4, stateful_step_count=10, deadline=None, database=None, phases=[Phase.generate])
        run_state_machine_as_test(EmulatedLife, settings=settings(few, suppress_health_check=list(HealthCheck)))


def test_the_machine_finds_a_liar() -> None:
    """An adapter that loses fills does not come through."""

    class LiarLife(OrderLife):
        """On the paper venue, told by somebody who loses fills."""

        make = staticmethod(lambda: bench_of(Losing))

    with pytest.raises(BrokenError, match="at the venue"):
        run_state_machine_as_test(LiarLife, settings=settings(max_examples=20, deadline=None, database=None, phases=[Phase.generate]))
