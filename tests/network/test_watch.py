"""The watermark of a stream."""

from dataclasses import dataclass

from trading_bot.network.watch import Watch


@dataclass
class Counter:
    """A steady counter that a test moves."""

    seconds: float = 100.0

    def __call__(self) -> float:
        """Read it."""
        return self.seconds


def test_a_stream_is_silent_until_it_is_open_and_when_it_has_been_mute_too_long() -> None:
    """A fresh connection is given its patience; each word renews it."""
    counter = Counter()
    watch = Watch(counter, patience=10)
    assert (watch.silent, watch.connected, watch.age) == (True, False, None)
    watch.opened()
    counter.seconds += 10
    assert not watch.silent
    counter.seconds += 0.1
    assert watch.silent
    watch.heard()
    counter.seconds += 9
    assert (watch.silent, watch.age) == (False, 9)
    watch.lost()
    assert watch.silent


def test_every_connection_leaves_a_gap_until_it_is_filled() -> None:
    """One that comes while the first is being read stays open."""
    watch = Watch(Counter(), patience=10)
    assert watch.gap == 0
    watch.opened()
    first = watch.gap
    watch.lost()
    watch.opened()
    watch.filled(first)
    assert watch.gap == 2
    watch.filled(watch.gap)
    assert (watch.gap, watch.connections) == (0, 2)


def test_a_jump_in_the_streams_own_numbers_is_a_gap() -> None:
    """The next number is none, nor is one that comes again or late; after a reconnection counting begins anew."""
    watch = Watch(Counter(), patience=10)
    watch.opened()
    watch.filled(watch.gap)
    for mark in (7, 8, 8, 7, 9):
        watch.heard(mark)
    assert watch.gap == 0
    watch.heard(11)
    assert watch.gap == 2
    watch.opened()
    watch.filled(watch.gap)
    watch.heard(500)
    assert watch.gap == 0
