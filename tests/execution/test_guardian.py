"""The guardian beside a paper venue: what it lets pass, what it cures, when it flattens, and that it does each thing once."""

import json
import signal
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.venue_kit import approved, spec
from builders import AAPL, NOW
from guarding import FLAT, Watched, watched
from trading_bot.domain.errors import BrokerUnavailableError, HomeLockedError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.mandate import Cure
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent, OrderRole, OrderType
from trading_bot.domain.proposals import Verdict
from trading_bot.domain.records import Send, SendOutcome
from trading_bot.execution.guardian_intents import GuardianLog, Meant, import_intents, unsettled
from trading_bot.execution.heartbeat import Heartbeat
from trading_bot.risk.halt import write_halt_file
from trading_bot.storage.memory import MemoryJournal

STOP = Decimal(97)


@pytest.fixture
def world(tmp_path: Path) -> Watched:
    """AAPL at 100, its last stop known to be 97, and a mandate that cures for a dead desk and flattens for a loss."""
    return watched(tmp_path, stops={AAPL: STOP})


def test_a_guarded_position_of_a_living_desk_is_left_alone(world: Watched) -> None:
    """Nothing is sent, nobody is killed, nobody is told."""
    world.hold(10, "97")
    guardian = world.guardian()
    with world.desk() as desk:
        for _ in range(5):
            world.beat()
            assert guardian.look() == ()
            world.passes(10)
        assert desk.poll() is None
    assert (world.placed(), world.told.titles) == (["bought", "stopped"], [])


def test_a_naked_position_gets_a_stop_at_its_last_known_price_when_the_desk_does_not_cure_it_in_time(world: Watched) -> None:
    """The desk has its seconds; then it is killed and the home taken, and given back afterwards."""
    world.hold(10)
    guardian = world.guardian()
    with world.desk() as desk:
        world.beat()
        guardian.look()
        assert (desk.poll(), world.resting) == (None, [])
        world.passes(11)
        world.beat()
        guardian.look()
        assert desk.wait(5) == -signal.SIGKILL
    stop = world.resting[0]
    assert (stop.type, stop.stop_price, stop.quantity, stop.role) == (OrderType.STOP, STOP, 10, OrderRole.STOP_LOSS)
    assert world.home.lock_owner() is None
    assert world.told.titles[:2] == ["AAPL has no stop", "The guardian killed the desk"]
    guardian.look()
    assert world.told.titles[-1] == "Over: AAPL has no stop"


def test_a_naked_position_of_a_dead_desk_is_cured_once_its_heartbeat_is_old(world: Watched) -> None:
    """A desk that is just being restarted is not dead yet."""
    world.beat()
    world.hold(10)
    guardian = world.guardian()
    world.passes(5)
    guardian.look()
    assert world.resting == []
    world.passes(30)
    guardian.look()
    assert [o.stop_price for o in world.resting] == [STOP]
    guardian.look()
    assert len(world.resting) == 1


def test_a_hanging_desk_is_killed_though_it_is_stopped(world: Watched) -> None:
    """A process that does not run any more cannot refuse."""
    world.hold(10)
    world.beat()
    guardian = world.guardian()
    with world.desk() as desk:
        desk.send_signal(signal.SIGSTOP)
        world.passes(40)
        guardian.look()
        assert desk.wait(5) == -signal.SIGKILL
    assert [o.quantity for o in world.resting] == [10]


def test_a_busy_desk_is_not_dead(world: Watched) -> None:
    """It said how long its question to a model may take."""
    world.dead_desk = Cure.FLATTEN
    world.hold(10, "97")
    Heartbeat(world.home.heartbeat).beat(world.clock.now(), world.clock.now() + timedelta(minutes=5))
    guardian = world.guardian()
    world.passes(300)
    assert guardian.look() == ()
    world.passes(31)
    assert [c.key for c in guardian.look()] == ["desk"]


def test_a_stop_that_the_price_has_passed_is_a_market_exit(tmp_path: Path) -> None:
    """So is a stop that nobody knows."""
    for stops in ({AAPL: Decimal(105)}, {}):
        world = watched(tmp_path / str(len(stops)), stops=stops)
        world.hold(10)
        guardian = world.guardian()
        guardian.look()
        world.passes(31)
        guardian.look()
        assert (world.held, world.resting) == ({}, [])


def test_only_the_naked_part_is_guarded(world: Watched) -> None:
    """A stop for some of it stays."""
    world.hold(10)
    world.broker.submit(approved(spec("part", "sell", 4, symbol=AAPL, stop="97", role="stop_loss")))
    guardian = world.guardian()
    guardian.look()
    world.passes(31)
    guardian.look()
    assert sorted(o.quantity for o in world.resting) == [4, 6]


def test_a_dead_desk_is_flattened_if_the_mandate_says_so(world: Watched) -> None:
    """Entries are canceled, all is closed, HALT is left for a person to look, and it is told once."""
    world.dead_desk = Cure.FLATTEN
    world.hold(10, "97")
    world.rest_entry()
    guardian = world.guardian()
    guardian.look()
    world.passes(31)
    guardian.look()
    assert (world.held, world.resting) == ({}, [])
    assert json.loads(world.home.halt_file.read_text())["by"] == "guardian"
    before = len(world.placed())
    for _ in range(3):
        world.passes(10)
        guardian.look()
    assert len(world.placed()) == before
    assert world.told.titles == [
        "The desk does not answer",
        "The guardian acted (flatten): done",
        "Over: The desk does not answer",
    ]


def _lossy(tmp_path: Path) -> Watched:
    """Bought at 100 with a far stop, now at 95: 4.5 % of yesterday's equity lost, and 3 % allowed."""
    world = watched(tmp_path, bars=(*FLAT[:1], *((95, 96, 94, 95),) * 60))
    world.guardian().look()
    memory = world.home.guardian_memory
    memory.write_text(memory.read_text().replace('"at":"2024-03-05', '"at":"2024-03-04'))
    world.hold(900, "80")
    world.passes(300)
    return world


def test_the_days_loss_flattens_though_the_desk_lives(tmp_path: Path) -> None:
    """Measured from the account's equity as last seen on an earlier day; two looks have to agree."""
    world = _lossy(tmp_path)
    guardian = world.guardian()
    with world.desk() as desk:
        world.beat()
        guardian.look()
        assert desk.poll() is None
        world.passes(1)
        world.beat()
        guardian.look()
        assert desk.wait(5) == -signal.SIGKILL
    assert (world.held, world.resting) == ({}, [])


def test_a_person_who_halted_decides_about_the_days_loss(tmp_path: Path) -> None:
    """It is told, and nothing is closed while the desk lives."""
    world = _lossy(tmp_path)
    write_halt_file(world.home.halt_file, "op", "test", world.clock.now())
    guardian = world.guardian()
    for _ in range(3):
        world.beat()
        guardian.look()
        world.passes(1)
    assert world.held == {"AAPL": 900}
    assert world.told.titles == ["The day's loss limit is passed"]


def test_while_halt_is_there_and_the_desk_lives_it_only_watches(world: Watched) -> None:
    """Entries that rest all the same are told; a desk that is dead has them canceled for it."""
    write_halt_file(world.home.halt_file, "op", "test", NOW)
    world.hold(10, "97")
    world.rest_entry()
    guardian = world.guardian()
    for _ in range(3):
        world.beat()
        guardian.look()
        world.passes(6)
    assert world.told.titles == ["Entries rest while the desk is halted"]
    assert len(world.resting) == 2
    world.passes(40)
    guardian.look()
    assert [o.client_order_id for o in world.resting] == ["stopped"]
    assert world.held == {"AAPL": 10}


class LosesAnswers:
    """A venue in front of which the line breaks after the order went through, or before."""

    def __init__(self, world: Watched, *, arrives: bool) -> None:
        self._venue, self.arrives, self.broken = world.broker, arrives, True

    def __getattr__(self, name: str) -> object:
        return getattr(self._venue, name)

    def submit(self, order: ApprovedOrder) -> Order:
        """Break once."""
        if self.broken:
            self.broken = False
            if self.arrives:
                self._venue.submit(order)
                raise OutcomeUnknownError("no answer; the order MAY have been placed")
            raise BrokerUnavailableError("no line")
        return self._venue.submit(order)


@pytest.mark.parametrize("arrives", [True, False])
def test_a_send_without_an_answer_ends_in_one_order(world: Watched, *, arrives: bool) -> None:
    """It is asked for by its id, and sent again under the same one only if the venue does not have it."""
    world.hold(10)
    world.broker = LosesAnswers(world, arrives=arrives)  # type: ignore[assignment]
    guardian = world.guardian()
    guardian.look()
    world.passes(31)
    guardian.look()
    assert [o.quantity for o in world.resting] == [10]
    meant = [e for e in GuardianLog(world.home.guardian_log).entries() if isinstance(e, Meant)]
    assert len(meant) == 1
    assert unsettled(GuardianLog(world.home.guardian_log).entries()) == ()


class DiesBeforeSending:
    """A guardian that is killed between its intent and its order."""

    def __init__(self, world: Watched) -> None:
        self._venue = world.broker

    def __getattr__(self, name: str) -> object:
        return getattr(self._venue, name)

    def submit(self, order: ApprovedOrder) -> Order:
        """Die."""
        raise KeyboardInterrupt(order.spec.client_order_id)


def test_a_guardian_that_dies_between_intent_and_order_sends_it_once_under_its_own_id(world: Watched) -> None:
    """The next one finds the intent, asks the venue, and sends what never arrived."""
    world.hold(10)
    real = world.broker
    world.broker = DiesBeforeSending(world)  # type: ignore[assignment]
    guardian = world.guardian()
    guardian.look()
    world.passes(31)
    with pytest.raises(KeyboardInterrupt) as died:
        guardian.look()
    world.broker = real
    assert world.resting == []
    world.guardian().look()
    assert [o.client_order_id for o in world.resting] == [str(died.value)]
    world.passes(31)
    world.guardian().look()
    assert len(world.resting) == 1


class Refuses:
    """A venue that takes no stops, or nothing at all."""

    def __init__(self, world: Watched, *, everything: bool) -> None:
        self._venue, self._everything = world.broker, everything

    def __getattr__(self, name: str) -> object:
        return getattr(self._venue, name)

    def submit(self, order: ApprovedOrder) -> Order:
        """Refuse."""
        if self._everything or order.spec.type is OrderType.STOP:
            raise OrderRejectedError("not here")
        return self._venue.submit(order)


def test_where_the_venue_takes_no_stop_the_naked_part_is_closed(world: Watched) -> None:
    """At the market."""
    world.hold(10)
    world.broker = Refuses(world, everything=False)  # type: ignore[assignment]
    guardian = world.guardian()
    guardian.look()
    world.passes(31)
    guardian.look()
    assert world.held == {}


def test_it_kills_nobody_that_it_cannot_prove_to_own_the_home(world: Watched) -> None:
    """A lock file that names another process than the kernel does is a person's business."""
    world.hold(10)
    guardian = world.guardian()
    guardian.look()
    world.passes(31)
    elsewhere = watched(world.home.path / "elsewhere")
    with world.desk() as desk, elsewhere.desk() as other:
        text = json.loads(world.home.lock_file.read_text())
        world.home.lock_file.write_text(json.dumps({**text, "pid": other.pid}))
        world.passes(31)
        guardian.look()
        assert (desk.poll(), other.poll(), world.resting) == (None, None, [])
    assert any("could not cure" in title for title in world.told.titles)


def test_two_guardians_place_one_stop(world: Watched) -> None:
    """Who holds the home acts; the other looks again and finds nothing to do."""
    world.hold(10)
    first, second = world.guardian(), world.guardian()
    for guardian in (first, second):
        guardian.look()
    world.passes(31)
    with world.home.lock("guardian", world.clock.now()), pytest.raises(HomeLockedError), world.home.lock("other", NOW):
        pass
    for guardian in (first, second):
        guardian.look()
    assert [o.quantity for o in world.resting] == [10]


def test_a_desk_imports_what_the_guardian_sent_and_can_do_so_again(world: Watched) -> None:
    """Verdict, intent and end stand in its journal; a second import changes nothing."""
    world.hold(10)
    guardian = world.guardian()
    guardian.look()
    world.passes(31)
    guardian.look()
    journal = MemoryJournal("desk01")
    assert import_intents(world.home.guardian_log, journal) == 0, "what the desk never meant to open does not come into its books"
    journal.append(OrderIntent(at=NOW, order=approved(spec("bought", quantity=10, symbol=AAPL))))
    assert import_intents(world.home.guardian_log, journal) == 1
    assert import_intents(world.home.guardian_log, journal) == 0
    intent, send = journal.all(OrderIntent)[1], journal.all(Send)[0]
    assert intent.order.spec.client_order_id == world.resting[0].client_order_id == send.client_order_id
    assert send.outcome is SendOutcome.ACKNOWLEDGED
    verdict = journal.get(Verdict, intent.order.verdict_id)
    assert verdict is not None
    assert intent.order.digest in verdict.digests
