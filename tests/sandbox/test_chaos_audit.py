"""The auditor of chaos: a clean run passes, and each thing that should not be is named when it is written into the evidence by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate, OrderUpdate
from trading_bot.domain.orders import (
    ApprovedOrder,
    Fill,
    Leg,
    Order,
    OrderClass,
    OrderIntent,
    OrderRole,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId, Symbol, VerdictId
from trading_bot.sandbox.chaos.audit import RULES, Trial, audit
from trading_bot.sandbox.chaos.script import FAULTS_OF, Blow, plan
from trading_bot.sandbox.chaos.telling import Span, read

START = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)
BTC = Symbol("BTCUSDT")
ENTRY, STOP, EXIT = ClientOrderId("d-entry"), ClientOrderId("d-stop"), ClientOrderId("d-exit")
D = Decimal


def at(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


def intent(identity: ClientOrderId, side: Side, role: OrderRole, stop: str | None = None, leg: ClientOrderId | None = None) -> OrderIntent:
    """An intent for 2 at the market, or at a stop."""
    spec = OrderSpec(
        client_order_id=identity,
        symbol=BTC,
        side=side,
        type=OrderType.MARKET if stop is None else OrderType.STOP,
        order_class=OrderClass.SIMPLE if leg is None else OrderClass.BRACKET,
        quantity=D(2),
        stop_price=None if stop is None else D(stop),
        role=role,
        stop_loss=None if leg is None else Leg(client_order_id=leg, price=D(90)),
    )
    ids = {"verdict_id": VerdictId("v"), "proposal_id": ProposalId("p"), "decision_id": DecisionId("d")}
    return OrderIntent(at=START, order=ApprovedOrder.model_validate({"spec": spec, "digest": "0" * 64, **ids}))


@dataclass
class Run:
    """A run as it is written down: what the venue noted, and what the desk booked."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    intents: list[OrderIntent] = field(default_factory=list)
    booked: list[BrokerEvent] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)

    def note(self, kind: str, seconds: float, **fields: object) -> None:
        """One note of the venue."""
        self.notes.append({"n": len(self.notes) + 1, "kind": kind, "at": at(seconds).isoformat(), **fields})

    def order(self, seconds: float, venue: str, client: str, side: str, status: str, **fields: object) -> None:
        """An order's change."""
        plain = {"symbol": BTC, "type": "market", "quantity": "2", "filled": "0", "stop": None, "limit": None, "reduce_only": False}
        self.note("order", seconds, **{**plain, "venue_id": venue, "client_id": client, "side": side, "status": status, **fields})

    def fill(  # noqa: PLR0913 - what an execution is
        self, seconds: float, execution: str, venue: str, client: str, side: str, *, after: str, **fields: object
    ) -> None:
        """An execution of 2 at 100, and the position `after` it."""
        plain = {"symbol": BTC, "quantity": "2", "price": "100", "fee": "0"}
        self.note("fill", seconds, **{**plain, "execution_id": execution, "venue_id": venue, "client_id": client, "side": side, **fields})
        self.note("position", seconds, symbol=BTC, quantity=after)

    def book(
        self, identity: ClientOrderId, side: Side, state: OrderState, execution: str | None = None, role: OrderRole = OrderRole.ENTRY
    ) -> None:
        """One order event of the desk, with an execution of 2 at 100 if one is named."""
        filled = D(2) if execution else D(0)
        order = Order(
            client_order_id=identity,
            venue_order_id=identity,
            symbol=BTC,
            side=side,
            type=OrderType.MARKET,
            role=role,
            quantity=D(2),
            time_in_force=TimeInForce.DAY,
            state=state,
            filled_quantity=filled,
            average_price=filled * 50,
            submitted_at=START,
            updated_at=START,
        )
        fields = {"symbol": BTC, "side": side, "role": role, "quantity": D(2), "price": D(100), "fee": D(0), "at": START}
        fill = None if execution is None else Fill.model_validate({"execution_id": execution, "client_order_id": identity, **fields})
        self.booked.append(OrderUpdate(sequence=len(self.booked) + 1, at=START, order=order, fill=fill))

    def trial(self) -> Trial:
        """The run before its judge."""
        plain = Trial(read(self.notes), self.intents, self.booked, ended=at(100), cash=D(1000))
        return replace(plain, **self.changed)


def clean() -> Run:
    """An entry with a stop, an exit: nothing went wrong."""
    run = Run()
    run.intents = [intent(ENTRY, Side.BUY, OrderRole.ENTRY, leg=STOP), intent(EXIT, Side.SELL, OrderRole.CLOSE)]
    run.booked.append(CashUpdate(sequence=1, at=START, reason=CashReason.DEPOSIT, amount=D(1000)))
    run.order(0, "v1", ENTRY, "buy", "new")
    run.fill(1, "e1", "v1", ENTRY, "buy", after="2")
    run.order(1, "v1", ENTRY, "buy", "filled", filled="2")
    run.order(1, "v2", STOP, "sell", "Untriggered", stop="90", reduce_only=True)
    run.order(50, "v3", EXIT, "sell", "new", reduce_only=True)
    run.fill(50, "e2", "v3", EXIT, "sell", after="0")
    run.order(50, "v3", EXIT, "sell", "filled", filled="2", reduce_only=True)
    run.order(50, "v2", STOP, "sell", "Deactivated", stop="90", reduce_only=True)
    run.book(ENTRY, Side.BUY, OrderState.FILLED, "e1")
    run.book(EXIT, Side.SELL, OrderState.FILLED, "e2", OrderRole.CLOSE)
    return run


def held() -> Run:
    """The first half of it: a position and its stop."""
    run = clean()
    del run.notes[5:], run.booked[2:]
    run.changed["cash"] = D(800)
    run.book(STOP, Side.SELL, OrderState.ACCEPTED, role=OrderRole.STOP_LOSS)
    return run


def rules(run: Run) -> set[str]:
    """Names of all violations."""
    return {v.rule for v in audit(run.trial())}


def test_a_clean_run_passes() -> None:
    """In a position, and flat again."""
    assert audit(clean().trial()) == ()
    assert audit(held().trial()) == ()


def _twice_sent(run: Run) -> None:
    run.order(60, "v9", EXIT, "sell", "Rejected", reduce_only=True)


def _not_intended(run: Run) -> None:
    run.order(60, "v9", "d-nobody", "buy", "Rejected")


def _no_id(run: Run) -> None:
    run.order(60, "v9", "", "buy", "Rejected")


def _overfilled(run: Run) -> None:
    run.fill(60, "e3", "v1", ENTRY, "buy", after="2")
    run.book(ENTRY, Side.BUY, OrderState.FILLED, "e3")


def _lost(run: Run) -> None:
    del run.booked[-1]


def _booked_twice(run: Run) -> None:
    run.book(EXIT, Side.SELL, OrderState.FILLED, "e2", OrderRole.CLOSE)


def _changed(run: Run) -> None:
    run.notes[1]["price"] = "101"


def _invented(run: Run) -> None:
    run.book(EXIT, Side.SELL, OrderState.FILLED, "e9", OrderRole.CLOSE)


def _cash(run: Run) -> None:
    run.changed["cash"] = D("1000.01")


def _gap(run: Run) -> None:
    run.booked[-1] = run.booked[-1].model_copy(update={"sequence": 9})


def _chain(run: Run) -> None:
    run.changed["chain_verifies"] = False


def _after_halt(run: Run) -> None:
    run.intents.append(intent(ClientOrderId("d-more"), Side.BUY, OrderRole.ENTRY))
    run.order(30, "v9", "d-more", "buy", "Rejected")
    run.changed["halts"] = [Span(at(20))]


CRIMES: dict[Callable[[Run], None], str] = {
    _twice_sent: "two_orders",
    _not_intended: "not_intended",
    _no_id: "not_intended",
    _overfilled: "overfilled",
    _lost: "fill_lost",
    _booked_twice: "fill_twice",
    _changed: "fill_changed",
    _invented: "fill_invented",
    _cash: "books_differ",
    _gap: "books_broken",
    _chain: "chain",
    _after_halt: "sent_after_halt",
}


@pytest.mark.parametrize("crime", CRIMES, ids=lambda crime: crime.__name__.strip("_"))
def test_each_crime_is_named(crime: Callable[[Run], None]) -> None:
    """In a run that is clean but for it."""
    run = clean()
    crime(run)
    assert CRIMES[crime] in rules(run)


def test_a_position_that_the_books_do_not_know_is_named() -> None:
    """And a stop that rests at the venue alone, or in the books alone."""
    run = held()
    del run.booked[1:]
    found = {(v.rule, v.subject) for v in audit(run.trial())}
    assert {("books_differ", BTC), ("books_differ", STOP), ("fill_lost", "e1")} <= found
    gone = held()
    gone.order(3, "v2", STOP, "sell", "Cancelled", stop="90")
    assert ("books_differ", STOP) in {(v.rule, v.subject) for v in audit(gone.trial())}


@pytest.mark.parametrize(("seconds", "named"), [(4.9, False), (5.1, True)])
def test_a_position_without_its_stop_is_named_after_five_seconds(*, seconds: float, named: bool) -> None:
    """Counted from the moment at which its guard was gone."""
    run = clean()
    run.notes[4]["at"] = at(1 + seconds).isoformat()
    assert ("naked" in rules(run)) is named


def test_a_position_that_stays_naked_to_the_end_is_named() -> None:
    """Though no later note tells of it."""
    run = held()
    del run.notes[4:], run.booked[2:]
    assert rules(run) == {"naked"}


def test_half_a_guard_is_none() -> None:
    """A stop for less than is held leaves the rest naked."""
    run = held()
    run.notes[-1]["quantity"] = "1"
    assert "naked" in rules(run)


def test_a_leg_that_sleeps_guards_nothing() -> None:
    """`held` at the venue is not protection."""
    run = held()
    run.notes[-1]["status"] = "held"
    assert "naked" in rules(run)


def test_time_counts_from_the_end_of_the_entry() -> None:
    """While it works on, a partial fill may wait for its stop; a target is no stop."""
    run = held()
    run.notes[3] |= {"status": "partially_filled"}
    run.notes[4] |= {"stop": None, "type": "limit"}
    assert "naked" not in rules(run)
    run.order(41, "v1", ENTRY, "buy", "canceled", filled="2")
    assert "naked" in rules(run)


def test_a_venue_that_cannot_be_reached_excuses() -> None:
    """For as long as that lasts, and five seconds more."""
    run = clean()
    run.notes[4]["at"] = at(20).isoformat()
    assert "naked" in rules(run)
    run.note("fault", 2, rule={"fault": "unreachable", "seconds": 15}, hit="order")
    assert "naked" not in rules(run)
    run.notes[-1]["rule"] = {"fault": "unreachable", "seconds": 12}
    assert "naked" in rules(run)
    run.notes[-1]["rule"] = {"fault": "reject", "seconds": 15}
    assert "naked" in rules(run)
    run.notes[-1]["rule"] = {"fault": "slow", "seconds": 15}
    assert "naked" not in rules(run), "it sat on a call"


def test_what_closes_may_be_sent_after_halt() -> None:
    """An exit for what is held, a stop, and what was on its way; an exit for more is not one."""
    run = clean()
    run.changed["halts"] = [Span(at(20))]
    assert audit(run.trial()) == ()
    for note in run.notes:
        note["reduce_only"] = False
    assert audit(run.trial()) == ()
    run.notes[5]["quantity"] = "3"
    assert "sent_after_halt" in rules(run)
    late = clean()
    late.changed["halts"] = [Span(at(-0.5))]
    assert "sent_after_halt" not in rules(late)


def test_what_other_people_do_is_not_ours() -> None:
    """Their orders need no intent, their fills no booking, their positions no stop of ours."""
    run = clean()
    run.order(60, "h1", "", "buy", "new", by_hand=True)
    run.fill(60, "h-e1", "h1", "", "buy", after="2")
    run.order(60, "h1", "", "buy", "filled", filled="2", by_hand=True)
    run.note("action", 61, what="position_by_hand", symbol=BTC, quantity="7")
    run.note("position", 61, symbol=BTC, quantity="7")
    assert audit(run.trial()) == ()


def test_what_the_venue_takes_by_itself_has_to_be_booked() -> None:
    """A liquidation has no id of ours; its order needs no intent, its fill does need booking."""
    run = held()
    run.fill(30, "e5", "liq", "", "sell", after="0", exec_type="BustTrade")
    run.order(30, "liq", "", "sell", "filled", filled="2")
    run.order(30, "v2", STOP, "sell", "Deactivated", stop="90")
    assert "fill_lost" in rules(run)
    assert "not_intended" not in rules(run)


def test_a_status_that_nobody_knows_stops_the_audit() -> None:
    """An auditor does not guess whether an order rests."""
    run = clean()
    run.notes[0]["status"] = "levitating"
    with pytest.raises(ValueError, match="levitating"):
        run.trial()


def test_every_rule_has_its_crime() -> None:
    """No rule is without a test that sees it speak."""
    named = {"naked", *CRIMES.values()}
    assert len(RULES) == 8
    assert named >= {"two_orders", "not_intended", "overfilled", "fill_lost", "books_differ", "naked", "sent_after_halt", "chain"}


@pytest.mark.parametrize("venue", FAULTS_OF)
def test_a_seed_is_a_plan(venue: str) -> None:
    """The same seed gives the same plan, another one another; a plan is data that can be kept."""
    made = plan(venue, 7, 20, (BTC,))
    assert plan(venue, 7, 20, (BTC,)) == made
    assert plan(venue, 8, 20, (BTC,)) != made
    assert type(made).model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize("venue", FAULTS_OF)
def test_many_seeds_draw_everything(venue: str) -> None:
    """Every fault of the venue, every blow, and every write point in turn."""
    plans = [plan(venue, seed, 20, (BTC,), writes=60) for seed in range(400)]
    assert {rule.fault for p in plans for rule in p.faults} == set(FAULTS_OF[venue])
    assert {strike.blow for p in plans for strike in p.strikes} == set(Blow)
    assert {s.write for p in plans for s in p.strikes if s.blow is Blow.KILL_AT_WRITE} >= set(range(1, 61))
