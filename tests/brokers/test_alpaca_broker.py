"""The Alpaca adapter at its emulator: whose account it is, what others do there, corporate actions, restarts and silence."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.alpaca_bench import COIN, KEYS, STOCK, Floor, floor, poll
from brokers.alpaca_words import approved, bracket, pair, spec, stop
from trading_bot.brokers.alpaca.broker import AlpacaBroker
from trading_bot.domain.books import Books
from trading_bot.domain.errors import BrokerKeysError, BrokerUnavailableError, OrderNotFoundError, OrderRejectedError
from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate, OrderUpdate, SplitUpdate
from trading_bot.domain.orders import ApprovedOrder, OrderIntent, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.values import ClientOrderId
from trading_bot.execution.clock import SystemWallClock
from trading_bot.sandbox.alpaca.setup import Setup
from trading_bot.settings import AlpacaEnvironment

LIVE = Setup(key=KEYS.key, secret=KEYS.secret, requests_per_minute=100_000, live=True)


def opened(on: Floor, *orders: ApprovedOrder, booked: tuple[BrokerEvent, ...] = ()) -> AlpacaBroker:
    """An adapter that has begun; `orders` were sent before."""
    broker = on.broker()
    broker.open([OrderIntent(at=SystemWallClock().now(), order=o) for o in orders], booked, lambda: None)
    return broker


def books(broker: AlpacaBroker) -> Books:
    """Books of all that it tells."""
    found = Books()
    for event in broker.events(0):
        found = found.apply(event)
    return found


def agrees(broker: AlpacaBroker) -> bool:
    """Whether books and account say the same."""
    ours, account = books(broker), broker.account()
    held = {p.symbol: p.quantity for p in broker.positions()}
    working = {o.client_order_id for o in broker.open_orders()}
    return (
        abs(ours.cash - account.cash) <= broker.cash_tolerance
        and {s: p.quantity for s, p in ours.positions.items()} == held
        and {o.client_order_id for o in ours.working_orders()} == working
    )


def entered(broker: AlpacaBroker) -> None:
    """Ten shares with a stop at 90 and a target at 120."""
    broker.submit(approved(bracket()))
    assert poll(lambda: len(books(broker).working_orders()) == 2, 5)


def test_paper_keys_do_not_open_a_live_account_nor_live_keys_a_paper_one() -> None:
    """The account's own number says what it is, whatever the configuration hopes."""
    with floor(setup=LIVE) as on:
        with pytest.raises(BrokerKeysError, match="open live account"):
            on.broker().account()
        assert on.broker(environment=AlpacaEnvironment.LIVE).account().equity == 100_000
    with floor() as on, pytest.raises(BrokerKeysError, match="open paper account"):
        on.broker(environment=AlpacaEnvironment.LIVE).open((), (), lambda: None)


def test_another_account_than_the_configured_one_is_not_traded() -> None:
    """Keys may have been mixed up."""
    with floor() as on:
        assert on.broker(account=on.emulator.setup.number).account().account_id == on.emulator.setup.number
        with pytest.raises(BrokerKeysError, match=r"broker\.account is PA000"):
            on.broker(account="PA000").open((), (), lambda: None)


def test_nothing_is_sent_before_the_account_is_open() -> None:
    """An order before that is refused without a request."""
    with floor() as on, pytest.raises(BrokerUnavailableError, match="not opened"):
        on.broker().submit(approved(bracket()))


def test_the_account_is_described_in_words() -> None:
    """For a person who checks the connection; nothing is changed by it."""
    with floor() as on:
        told = on.broker().describe()
        requests = [e for e in on.emulator.evidence.after(0) if e["kind"] == "request"]
    assert list(told)[:4] == ["account", "environment", "status", "equity"]
    assert (told["environment"], told["trading blocked"], told["shorting enabled"]) == ("paper", "no", "yes")
    assert {r["method"] for r in requests} == {"GET"}


def test_orders_of_others_are_listed_under_their_own_ids_and_told_in_no_event() -> None:
    """They can be canceled, and are not ours."""
    with floor() as on:
        broker = opened(on)
        on.emulator.do("order_by_hand", symbol="AAPL", side="buy", quantity="3", limit="50")
        (foreign,) = broker.open_orders()
        assert (foreign.role, foreign.quantity) == (OrderRole.ENTRY, Decimal(3))
        assert [e for e in broker.events(0) if isinstance(e, OrderUpdate)] == []
        assert broker.find(foreign.client_order_id) == foreign
        broker.cancel(foreign.client_order_id)
        assert poll(lambda: broker.open_orders() == (), 3)


def test_a_pair_rests_for_what_is_held_and_its_orders_are_ours() -> None:
    """Target and stop of an order that cancels the other, under the ids that we gave them."""
    with floor() as on:
        broker = opened(on)
        broker.submit(approved(spec("desk-plain")))
        assert poll(lambda: books(broker).positions != {}, 5)
        broker.submit(approved(pair()))
        assert poll(lambda: agrees(broker) and len(broker.open_orders()) == 2, 5)
        assert [(o.client_order_id, o.role) for o in broker.open_orders()] == [
            ("desk-stop", OrderRole.STOP_LOSS),
            ("desk-target", OrderRole.TAKE_PROFIT),
        ]
        on.move(Decimal(80))
        assert poll(lambda: agrees(broker) and broker.positions() == (), 5)
        found = broker.find(ClientOrderId("desk-stop"))
        assert found is not None
        assert (found.state, found.filled_quantity) == (OrderState.FILLED, Decimal(10))


def test_a_leg_is_moved_under_an_id_of_ours_and_known_after_a_restart() -> None:
    """The other leg stays linked to it."""
    moved = approved(stop("desk-stop-2").model_copy(update={"stop_price": Decimal(95)}), "desk-stop")
    with floor() as on:
        broker = opened(on)
        entered(broker)
        assert broker.replace(moved).stop_price == 95
        assert poll(lambda: agrees(broker), 5)
        booked = broker.events(0)
        broker.close()
        again = opened(on, approved(bracket()), moved, booked=booked)
        assert [o.client_order_id for o in again.open_orders()] == ["desk-stop-2", "desk-target"]
        assert again.events(len(booked)) == ()
        on.move(Decimal(94))
        assert poll(lambda: again.positions() == () and again.open_orders() == (), 5)
        with pytest.raises(OrderNotFoundError):
            again.replace(approved(stop("desk-stop-3"), "desk-stop-2"))


def test_a_restart_finds_legs_that_woke_while_nobody_was_there() -> None:
    """The journal has the entry alone; the venue has all three."""
    order = approved(bracket().model_copy(update={"type": OrderType.LIMIT, "limit_price": Decimal(95)}))
    with floor() as on:
        broker = opened(on)
        broker.submit(order)
        assert poll(lambda: len(books(broker).working_orders()) == 1, 5)
        booked = broker.events(0)
        broker.close()
        on.move(Decimal(94))
        again = opened(on, order, booked=booked)
        told = {e.order.client_order_id: e.order.state for e in again.events(len(booked)) if isinstance(e, OrderUpdate)}
        wanted = {"desk-entry": OrderState.FILLED, "desk-stop": OrderState.ACCEPTED, "desk-target": OrderState.ACCEPTED}
        assert told == wanted


def test_a_split_changes_the_position_once_and_resting_orders_not() -> None:
    """Alpaca tells it twice, as shares that go and shares that come."""
    with floor() as on:
        broker = opened(on)
        entered(broker)
        on.emulator.do("split", symbol="AAPL", ratio="4")
        again = on.broker()
        again.open([OrderIntent(at=SystemWallClock().now(), order=approved(bracket()))], broker.events(0), lambda: None)
        splits = [e for e in again.events(0) if isinstance(e, SplitUpdate)]
        assert [(s.ratio, s.quantity_after) for s in splits] == [(Decimal(4), Decimal(40))]
        assert {o.client_order_id: o.remaining for o in again.open_orders()} == {"desk-stop": Decimal(10), "desk-target": Decimal(10)}


def test_cash_that_comes_and_goes_is_booked_once_with_its_reason() -> None:
    """Payments from before the books began are in the opening balance."""
    with floor() as on:
        booked = opened(on).events(0)
        on.emulator.do("cash", amount="-250", reason="CSW")
        on.emulator.do("cash", amount="12.5", reason="DIV")
        told = [*booked, *opened(on, booked=booked).events(len(booked))]
        assert {(e.reason, e.amount) for e in told if isinstance(e, CashUpdate)} == {
            (CashReason.DEPOSIT, Decimal(100_000)),
            (CashReason.DEPOSIT, Decimal(-250)),
            (CashReason.DIVIDEND, Decimal("12.5")),
        }
        assert opened(on, booked=tuple(told)).events(len(told)) == ()


def test_cash_that_the_stream_says_nothing_of_is_read_when_the_account_shows_it() -> None:
    """Nobody waits for the next turn of reading to learn why cash differs."""
    with floor() as on:
        broker = opened(on)
        assert poll(lambda: agrees(broker), 3)
        on.emulator.do("cash", amount="-250", reason="CSW")
        assert poll(lambda: agrees(broker), 4)
        assert books(broker).cash == 99_750


def test_a_replacement_of_another_type_is_refused_without_a_request() -> None:
    """Alpaca would keep the old type and say nothing."""
    with floor() as on:
        broker = opened(on)
        entered(broker)
        other = spec("desk-x", side=Side.SELL, role=OrderRole.STOP_LOSS, type=OrderType.TRAILING_STOP, trail="5")
        with pytest.raises(OrderRejectedError, match="keeps symbol, side and type"):
            broker.replace(approved(other, "desk-stop"))


def test_the_fee_of_bought_coins_is_booked_with_the_stream_and_without() -> None:
    """From the message's position, or from the account's when the stream is mute."""
    for mute in (False, True):
        with floor(COIN) as on:
            broker = opened(on)
            if mute:
                on.fault(fault="mute_stream", seconds=5)
            for n in range(2):
                wanted = spec(f"desk-{n}", symbol=COIN.symbol, quantity=Decimal("0.02"), time_in_force=TimeInForce.GTC)
                broker.submit(approved(wanted))
            assert poll(lambda on_=broker: agrees(on_) and bool(books(on_).positions), 6)  # type: ignore[misc] # a default binds it
            assert books(broker).positions[COIN.symbol].quantity < Decimal("0.04")


def test_coins_bought_while_the_account_is_read_do_not_hide_the_fee_of_others() -> None:
    """Executions and position are two questions: what is bought between them is in one answer and not in the other."""
    with floor(COIN) as on:
        broker = opened(on)
        on.fault(fault="mute_stream", seconds=5)
        wanted = [spec(f"desk-{n}", symbol=COIN.symbol, quantity=Decimal("0.02"), time_in_force=TimeInForce.GTC) for n in range(2)]
        broker.submit(approved(wanted[0]))
        assert broker._opened is not None
        reading = broker._opened.reading
        ask = reading._activities

        def then_buy() -> list[dict[str, Any]]:
            found = ask()
            if found and len(wanted) == 2:
                broker.submit(approved(wanted.pop()))
            return found

        reading._activities = then_buy  # type: ignore[method-assign] # nothing else comes between two questions
        assert poll(lambda: agrees(broker) and len(wanted) == 1, 8)
        assert Decimal("0.039") < books(broker).positions[COIN.symbol].quantity < Decimal("0.04")


def test_a_stream_that_is_dropped_comes_back_and_nothing_is_lost() -> None:
    """What happened meanwhile is read."""
    with floor() as on:
        broker = opened(on)
        entered(broker)
        on.emulator.do("drop_stream")
        on.move(Decimal(85))
        assert poll(lambda: agrees(broker) and books(broker).positions == {}, 8)
        streams = [e for e in on.emulator.evidence.after(0) if e["kind"] == "stream" and e["what"] == "connected"]
        assert len(streams) >= 2


def test_wrong_keys_open_nothing_and_say_so() -> None:
    """Without the keys in the message."""
    with floor() as on:
        on.fault(fault="expired_token", seconds=5)
        with pytest.raises(BrokerKeysError) as caught:
            on.broker().open((), (), lambda: None)
        assert KEYS.secret not in str(caught.value)
    assert STOCK.symbol == "AAPL"
