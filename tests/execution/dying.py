"""A small desk that dies before and after each of its writes, one after the other."""

from collections.abc import Callable, Iterator
from typing import Any

from desks import SmallDesk

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


def _writes(desk: SmallDesk) -> list[tuple[Any, str]]:
    return [(desk.journal, "append"), (desk.journal, "consume"), (desk.broker, "submit")]


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

    for owner, name in _writes(desk):
        setattr(owner, name, around(getattr(owner, name)))


def _revive(desk: SmallDesk) -> None:
    """Take the kills away from what outlives the process."""
    for owner, name in _writes(desk):
        delattr(owner, name)
