"""A desk that is killed while a person is asked, or answers: nothing is repeated, nothing lost."""

import uuid
from pathlib import Path

import pytest

from desks import SmallDesk, small_desk
from execution.dying import deaths
from execution.words import FLAT, WANTED, again, asks, post
from killing import Day
from trading_bot import config
from trading_bot.config import Config
from trading_bot.storage.export import export
from trading_bot.storage.journal import SqlJournal


def life_of(approve: bool, desk: SmallDesk) -> None:  # noqa: FBT001 - told apart by the table
    """A person is asked, and answers."""
    desk.engine.handle(WANTED)
    post(desk, approve=approve)
    desk.inbox.serve()


def on_disk(folder: Path) -> SqlJournal:
    """A new journal."""
    return SqlJournal.open(folder / f"{uuid.uuid4().hex}.db", desk="desk01")


@pytest.mark.parametrize("approve", [True, False])
def test_an_approval_killed_anywhere_repeats_nothing_and_loses_nothing(approve: bool, tmp_path: Path) -> None:  # noqa: FBT001 - told apart by the table
    """Before, within and after every transaction, before and after every order: the export of a desk that was left alone."""
    quiet = small_desk(FLAT, under=asks())
    life_of(approve, quiet)
    expected = list(export(quiet.journal))
    for number, desk in deaths(lambda: small_desk(FLAT, under=asks(), journal=on_disk(tmp_path)), lambda desk: life_of(approve, desk)):
        next_desk = again(desk)
        life_of(approve, next_desk)
        next_desk.engine.resolve()
        assert list(export(next_desk.journal)) == expected, f"killed at {number}"


class AskingDay(Day):
    """A simulated day on which nobody answers."""

    @property
    def settings(self) -> Config:
        """A person is asked."""
        return config.load(flags={"seed": self.seed, "risk.autonomy": "confirm"})


def test_a_day_of_unanswered_requests_killed_on_its_way_is_the_same_day(tmp_path: Path) -> None:
    """SIGKILL around the transactions in which requests are made and end."""
    quiet = AskingDay(tmp_path / "quiet", 3)
    quiet.home.mkdir()
    assert quiet.finish() == 1
    assert sum('"kind":"approval"' in line for line in quiet.exported()) == 2
    for point in (150, 158, 164, 184, 188, 192):
        day = AskingDay(tmp_path / str(point), 3)
        day.home.mkdir()
        assert day.finish(kill_at=point) == 2
        assert day.exported() == quiet.exported()
        assert day.problems() == []
