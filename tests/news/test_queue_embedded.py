"""The embedded queue where its file or the machine's clock is the trouble."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from news.queueing import AT_ONCE, SETTINGS, FilePlace, numbers, raw, raws
from trading_bot.domain.errors import DiskFullError, HomeError, QueueError
from trading_bot.ports.news import QueueState
from trading_bot.storage.news_queue import EmbeddedQueue


def test_a_full_disk_is_told_and_what_was_put_before_is_given_once_there_is_room(tmp_path: Path) -> None:
    """Nothing of the write that did not fit is there."""
    place = FilePlace(tmp_path / "queue.db")
    queue = cast("EmbeddedQueue", place.open())
    queue.put(raws(1))
    driver = queue._database.driver
    driver.execute(f"PRAGMA max_page_count = {driver.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(DiskFullError, match="free some space"):
        queue.put([raw(2, body="x" * 100_000)])
    driver.execute("PRAGMA max_page_count = 100000")
    assert queue.state() == QueueState(waiting=1, held=0, dead=0, oldest=raw(1).received_at)
    queue.put([raw(2, body="x" * 100_000)])
    assert numbers(queue.take("a", 9, AT_ONCE)) == [(1, 1), (2, 1)]
    place.close()


def test_a_file_that_another_keeps_locked_can_be_used_later(tmp_path: Path) -> None:
    """That is an error which the same call may overcome."""
    place = FilePlace(tmp_path / "queue.db")
    queue = cast("EmbeddedQueue", place.open())
    queue._database.driver.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(place.path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(QueueError, match="try again") as caught:
        queue.put(raws(1))
    assert caught.value.retryable
    other.close()
    queue.put(raws(1))
    assert numbers(queue.take("a", 9, AT_ONCE)) == [(1, 1)]
    place.close()


def test_a_clock_that_was_put_back_keeps_nothing_from_the_living(tmp_path: Path) -> None:
    """What a dead worker holds since tomorrow is given out today."""
    place = FilePlace(tmp_path / "queue.db")
    queue = place.open()
    queue.put(raws(1))
    queue.take("dead", 1, AT_ONCE)
    place.wall.at -= timedelta(days=1)
    assert numbers(queue.take("b", 1, AT_ONCE)) == [(1, 2)]
    place.close()


def test_who_waits_looks_as_often_as_its_patience_lasts(tmp_path: Path) -> None:
    """And goes as soon as there is something."""
    place = FilePlace(tmp_path / "queue.db")
    looks: list[float] = []
    queue = EmbeddedQueue.open(place.path, SETTINGS, place.wall, looks.append)
    assert not queue.take("a", 1, timedelta(seconds=1))
    assert sum(looks) == pytest.approx(1)
    queue.put(raws(1))
    assert numbers(queue.take("a", 1, timedelta(seconds=1))) == [(1, 1)]
    assert sum(looks) == pytest.approx(1)
    queue.close()


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    """With what to do about it."""
    with pytest.raises(HomeError, match="its folder must exist"):
        EmbeddedQueue.open(tmp_path / "none" / "queue.db", SETTINGS, FilePlace(tmp_path).wall)
