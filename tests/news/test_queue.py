"""What every queue of articles promises, kept by the embedded one and by Redis alike."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule, run_state_machine_as_test

from news.queueing import AT_ONCE, LEASE, SETTINGS, Place, numbers, raw, raws
from trading_bot.domain.errors import QueueFullError
from trading_bot.domain.news import RawArticle
from trading_bot.ports.news import Delivery, QueueState


def test_articles_are_given_in_order_and_are_gone_when_done(place: Place) -> None:
    """What is held stands in the numbers until it is done."""
    queue = place.open()
    queue.put(raws(1, 2, 3))
    first = queue.take("a", 2, AT_ONCE)
    assert [(d.raw, d.attempt) for d in first] == [(raw(1), 1), (raw(2), 1)]
    assert queue.state() == QueueState(waiting=1, held=2, dead=0, oldest=raw(1).received_at)
    queue.done(first)
    assert numbers(queue.take("b", 9, AT_ONCE)) == [(3, 1)]
    assert queue.state() == QueueState(waiting=0, held=1, dead=0, oldest=raw(3).received_at)


def test_an_article_comes_out_as_it_was_put_whatever_is_in_it(place: Place) -> None:
    """Bytes of zero, line separators, emoji, quotes, and tens of kilobytes."""
    odd = raw(1, body="a\x00b\u2028\N{PILE OF POO}'\"{}\r\n" * 1000, url="https://e.x/?q=%00", publisher="\u202e")
    place.open().put([odd])
    assert [d.raw for d in place.open().take("a", 1, AT_ONCE)] == [odd]


def test_an_empty_queue_answers_at_once_without_patience(place: Place) -> None:
    """Nothing is nothing, and no error."""
    queue = place.open()
    queue.put([])
    queue.done([])
    assert not queue.take("a", 5, AT_ONCE)
    assert queue.state() == QueueState(waiting=0, held=0, dead=0, oldest=None)
    assert list(queue.dead(5)) == []
    assert queue.revive() == 0


def test_who_waits_is_given_what_another_puts_meanwhile(place: Place) -> None:
    """In another thread and by another connection."""
    given: list[Delivery] = []
    patient = place.open()
    waiting = Thread(target=lambda: given.extend(patient.take("a", 5, timedelta(seconds=4))))
    waiting.start()
    place.open().put(raws(1))
    waiting.join()
    assert numbers(given) == [(1, 1)]


def test_what_is_held_is_given_to_nobody_else_until_its_lease_is_over_and_then_alone(place: Place) -> None:
    """One of them may have killed its reader, and takes nothing along the next time."""
    ours, theirs = place.open(), place.open()
    ours.put(raws(1, 2, 3, 4))
    ours.take("dead", 3, AT_ONCE)
    assert numbers(theirs.take("b", 9, AT_ONCE)) == [(4, 1)]
    place.pass_time(LEASE - 10)
    assert not theirs.take("b", 9, AT_ONCE)
    place.pass_time(11)
    assert theirs.state() == QueueState(waiting=4, held=0, dead=0, oldest=raw(1).received_at)
    assert [numbers(theirs.take("b", 9, AT_ONCE)) for _ in range(5)] == [[(1, 2)], [(2, 2)], [(3, 2)], [(4, 2)], []]


def test_done_is_done_whoever_says_so_and_however_often(place: Place) -> None:
    """A slow worker whose lease was over has done the work all the same."""
    queue = place.open()
    queue.put(raws(1))
    slow = queue.take("slow", 1, AT_ONCE)
    place.pass_time(LEASE + 1)
    again = queue.take("b", 1, AT_ONCE)
    queue.done(slow)
    queue.done(again)
    queue.failed(again[0], "too late")
    place.pass_time(LEASE + 1)
    assert not queue.take("c", 1, AT_ONCE)
    assert queue.state() == QueueState(waiting=0, held=0, dead=0, oldest=None)


def test_one_that_fails_is_given_again_and_ends_among_the_dead_with_its_reason(place: Place) -> None:
    """The newest reason; the others go on."""
    queue = place.open()
    queue.put(raws(1, 2))
    for attempt in (1, 2, 3):
        delivery = queue.take("a", 1, AT_ONCE)[0]
        assert numbers([delivery]) == [(1, attempt)]
        queue.failed(delivery, f"reason {attempt}")
    assert numbers(queue.take("a", 9, AT_ONCE)) == [(2, 1)]
    assert list(queue.dead(9)) == [(raw(1), "reason 3")]
    assert queue.state() == QueueState(waiting=0, held=1, dead=1, oldest=raw(2).received_at)


def test_one_that_none_of_its_readers_survives_ends_among_the_dead(place: Place) -> None:
    """Nobody was left to say why."""
    queue = place.open()
    queue.put(raws(1))
    for attempt in (1, 2, 3):
        assert numbers(queue.take(f"worker {attempt}", 9, AT_ONCE)) == [(1, attempt)]
        place.pass_time(LEASE + 1)
    assert not queue.take("d", 9, AT_ONCE)
    assert list(queue.dead(9)) == [(raw(1), "not done within 60 s, 3 times; last held by worker 3")]


def test_who_fails_with_what_another_holds_by_now_changes_nothing(place: Place) -> None:
    """The lease was over, and its attempt is counted already."""
    queue = place.open()
    queue.put(raws(1))
    outdated = queue.take("slow", 1, AT_ONCE)[0]
    place.pass_time(LEASE + 1)
    queue.take("b", 1, AT_ONCE)
    queue.failed(outdated, "mine")
    assert not queue.take("c", 1, AT_ONCE)
    assert queue.state().held == 1


def test_a_full_queue_takes_all_or_nothing_and_loses_nothing(place: Place) -> None:
    """What is held needs its room too."""
    queue = place.open()
    queue.put(raws(1, 2, 3, 4))
    held = queue.take("a", 1, AT_ONCE)
    with pytest.raises(QueueFullError, match=r"no room for 3 more .*capacity is 6.*nothing was added"):
        queue.put(raws(5, 6, 7))
    queue.put(raws(5, 6))
    queue.done(held)
    queue.put(raws(7))
    assert numbers(queue.take("b", 9, AT_ONCE)) == [(2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1)]


def test_the_newest_of_the_dead_are_kept_and_come_back_as_far_as_there_is_room(place: Place) -> None:
    """A feed that only sends poison fills no disk."""
    queue = place.open()
    for number in range(1, 9):
        queue.put(raws(number))
        for _ in range(SETTINGS.attempts):
            queue.failed(queue.take("a", 1, AT_ONCE)[0], f"reason {number}")
    assert [why for _, why in queue.dead(2)] == ["reason 8", "reason 7"]
    assert queue.state().dead == SETTINGS.capacity
    queue.put(raws(9, 10))
    assert queue.revive() == 4
    assert queue.revive() == 0
    assert numbers(queue.take("a", 9, AT_ONCE)) == [(n, 1) for n in (9, 10, 3, 4, 5, 6)]
    assert [why for _, why in queue.dead(9)] == ["reason 8", "reason 7"]


def test_what_another_version_of_the_program_wrote_holds_up_nobody_and_ends_among_the_dead(place: Place) -> None:
    """A worker of that version could still have taken it."""
    queue = place.open()
    queue.put(raws(1, 2))
    place.spoil("Title 1")
    queue.done(queue.take("a", 9, AT_ONCE))
    for _ in range(SETTINGS.attempts):
        assert queue.state().waiting + queue.state().held == 1
        place.pass_time(LEASE + 1)
        assert not queue.take("a", 9, AT_ONCE)
    assert queue.state() == QueueState(waiting=0, held=0, dead=1, oldest=None)


class Life(RuleBasedStateMachine):
    """Everything that can happen to a queue, beside a model of what has to come of it."""

    places: Callable[[], Place]
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.place = self.places()
        self.queue = self.place.open()
        self.count = 0
        self.open: dict[int, int] = {}
        """Attempts of each that is neither done nor dead."""
        self.holding: dict[int, int] = {}
        """Seconds for which each is held."""
        self.buried: list[int] = []

    @rule(many=st.integers(1, 4))
    def put(self, many: int) -> None:
        """All, or none."""
        fresh = range(self.count, self.count + many)
        if len(self.open) + many > SETTINGS.capacity:
            with pytest.raises(QueueFullError):
                self.queue.put(raws(*fresh))
            return
        self.queue.put(raws(*fresh))
        self.open |= dict.fromkeys(fresh, 0)
        self.count += many

    @rule(target=held, most=st.integers(1, 4))
    def take(self, most: int) -> "multiple":  # type: ignore[valid-type]
        """The first that is late, or those that nobody has had."""
        late = [n for n, age in self.holding.items() if age >= LEASE]
        for number in [n for n in late if self.open[n] == SETTINGS.attempts]:
            self.bury(number)
        late = sorted(n for n in late if n in self.open)
        expected = late[:1] or sorted(n for n in self.open if n not in self.holding)[:most]
        for number in expected:
            self.open[number] += 1
            self.holding[number] = 0
        given = self.queue.take("w", most, AT_ONCE)
        assert numbers(given) == [(n, self.open[n]) for n in expected]
        return multiple(*given)

    @rule(delivery=held)
    def done(self, delivery: Delivery) -> None:
        """Whoever holds it, now or before."""
        self.queue.done([delivery])
        number = numbers([delivery])[0][0]
        self.open.pop(number, None)
        self.holding.pop(number, None)

    @rule(delivery=consumes(held))
    def failed(self, delivery: Delivery) -> None:
        """By who holds it, or held it."""
        self.queue.failed(delivery, "why")
        ((number, attempt),) = numbers([delivery])
        if self.open.get(number) == attempt:
            if attempt == SETTINGS.attempts:
                self.bury(number)
            else:
                self.holding[number] = LEASE

    @rule(seconds=st.sampled_from([10, LEASE + 1]))
    def time_passes(self, seconds: int) -> None:
        """Leases grow older."""
        self.place.pass_time(seconds)
        self.holding = {n: age + seconds for n, age in self.holding.items()}

    @rule()
    def the_process_dies_and_another_comes(self) -> None:
        """What it held is held on."""
        self.queue.close()
        self.queue = self.place.open()

    @invariant()
    def its_numbers_are_right(self) -> None:
        """After every step."""
        state = self.queue.state()
        held = sum(age < LEASE for age in self.holding.values())
        oldest = raw(min(self.open)).received_at if self.open else None
        assert state == QueueState(len(self.open) - held, held, min(len(self.buried), SETTINGS.capacity), oldest)

    def bury(self, number: int) -> None:
        """It is dead."""
        self.open.pop(number)
        self.holding.pop(number)
        self.buried.append(number)

    def teardown(self) -> None:
        """Everything that is not done or dead is still given."""
        self.place.pass_time(LEASE + 1)
        left: set[RawArticle] = set()
        while given := self.queue.take("last", 9, AT_ONCE):
            left |= {d.raw for d in given}
            self.queue.done(given)
        assert left == {raw(n) for n, attempts in self.open.items() if attempts < SETTINGS.attempts}
        self.place.close()


def test_whatever_happens_each_article_is_given_until_it_is_done_or_dead(places: Callable[[], Place]) -> None:
    """Any order of puts, takes, ends, failures, deaths and hours."""
    life = type("Life", (Life,), {"places": staticmethod(places)})
    run_state_machine_as_test(life, settings=effort(max_examples=20, stateful_step_count=25, deadline=None))
