"""A simulated day that is killed anywhere and resumed is the same day."""

import random
from pathlib import Path

import pytest

from killing import Day

SEED = 3
"""A day with two entries, one stopped out."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """A day that was left alone."""
    day = Day(tmp_path_factory.mktemp("undisturbed"), SEED)
    assert day.finish() == 1
    return day


def test_a_day_that_is_left_alone_has_no_problems(undisturbed: Day) -> None:
    """Books equal the venue, the audit chain verifies, nothing is unresolved."""
    assert undisturbed.problems() == []


@pytest.mark.parametrize("point", [3, 20, 60, 110, 140, 155, 160, 163, 166, 170, 175, 181, 195, 215, 250, 290, 320])
def test_a_day_killed_at_a_write_point_and_resumed_exports_the_same_journal(point: int, undisturbed: Day, tmp_path: Path) -> None:
    """SIGKILL before, inside or after a transaction; `scripts/kill_everywhere.py` does every point."""
    day = Day(tmp_path, SEED)
    assert day.finish(kill_at=point) == 2
    assert day.exported() == undisturbed.exported()
    assert day.problems() == []


def test_a_day_killed_at_random_moments_exports_the_same_journal(undisturbed: Day, tmp_path: Path) -> None:
    """Killed by a timer wherever it happens to be, several times in one day."""
    drawn = random.Random(5)
    day = Day(tmp_path, SEED)
    for _ in range(6):
        if not day.is_over():
            day.run(kill_after_s=drawn.uniform(0.2, 1.4))
    if not day.is_over():
        day.finish()
    assert day.exported() == undisturbed.exported()
    assert day.problems() == []
