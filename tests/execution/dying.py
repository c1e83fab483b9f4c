"""A small desk on a journal on disk that dies before, within and after each of its transactions, one after the other."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, TypeVar

from desks import SmallDesk

T = TypeVar("T")

_LEAST = 6
"""Fewer points than this, and nothing was watched."""


class KilledError(BaseException):
    """Stands for SIGKILL: nobody in the desk catches it."""


def deaths(made: Callable[[], SmallDesk], life: Callable[[SmallDesk], object]) -> Iterator[tuple[int, SmallDesk]]:
    """Lead `life` on new desks, killed at the first, second, third write point; yield what each leaves behind, until one lives on."""
    number = 0
    while True:
        desk = made()
        _kill_at(desk, number + 1)
        try:
            life(desk)
        except KilledError:
            number += 1
        else:
            break
        _revive(desk)
        yield number, desk
    assert number >= _LEAST


def _kill_at(desk: SmallDesk, number: int) -> None:
    passed = [0]

    def point() -> None:
        passed[0] += 1
        if passed[0] == number:
            raise KilledError

    def around(write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:  # noqa: ANN401 - as the write
            point()
            done = write(*arguments)
            point()
            return done

        return counted

    @contextmanager
    def within(transaction: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
        point()
        with transaction() as connection:
            yield connection
            point()
        point()

    database = desk.journal._database  # type: ignore[attr-defined]
    database.writing = partial(within, database.writing)
    desk.broker.submit = around(desk.broker.submit)


def _revive(desk: SmallDesk) -> None:
    """Take the kills away from what outlives the process."""
    del desk.journal._database.writing  # type: ignore[attr-defined]
    del desk.broker.submit
