"""Does a strategy read the future? It is asked about bars that agree up to a moment and differ later; its signals up to there must agree.

Three ways: the frame is cut short, its future is turned round, bars are added behind its end. Moments are chosen where it matters: right
behind entries and exits, at the end, and spread over the frame; of a long frame two windows, and a glance at the whole. Promises no
false alarm for signals that are made from rows up to their own, and about fifty questions. Refuses to promise the reverse:
`docs/strategies.md` says what it cannot see.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.another_future import another_future
from trading_bot.backtest.asking import answer
from trading_bot.backtest.strategy import Signals, Strategy, Values
from trading_bot.domain.errors import LookAheadError, StrategyError
from trading_bot.market.frame import IndicatorFrame

COLUMNS = ("entry", "exit", "stop", "target")
PIECE = 2_500
"""Rows of a frame that are looked at whole, and of a window in a longer one."""
_ENTRIES, _EXITS, _SPREAD, _LATE = 20, 6, 9, (1, 2, 5, 20)
"""How many moments are chosen of each sort; bars before the end."""
_GROWN = 8
"""How often a frame is asked about while it grows."""
_MOST = 4.0
"""A short frame is asked about up to so many times as often: each question costs less."""
_SEARCHED = 60
"""Further moments that are asked once something was found, to name the first bar."""


class Method(StrEnum):
    """What was done to the future."""

    CUT = "the bars from {} on were taken away"
    TURNED = "the bars from {} on were replaced by others"
    ADDED = "bars were added after {}"


_MILD, _WILD = 2.0, 12.0
_WAYS = ((Method.TURNED, _WILD), (Method.CUT, _MILD), (Method.TURNED, -_WILD))
_ROUNDING = 1e-9
"""Relative difference of prices that is none."""


@dataclass(frozen=True)
class Finding:
    """The first signal that was seen to change with its future."""

    bar: datetime
    """Start of the bar whose signal it is."""
    column: str
    was: str
    became: str
    method: Method
    moment: datetime
    """Start of the first bar that was changed; of the last one where bars were added."""

    def __str__(self) -> str:
        how = self.method.format(f"{self.moment:%Y-%m-%d %H:%M}")
        return f"{self.column} of the bar of {self.bar:%Y-%m-%d %H:%M} UTC was {self.was} and became {self.became} when {how}"


def demand_no_look_ahead(strategy: Strategy, frame: IndicatorFrame, values: Values, seed: int) -> None:
    """Raise LookAheadError if `find_look_ahead` finds one."""
    found = find_look_ahead(strategy, frame, values, seed)
    if found is not None:
        told = ", ".join(f"{name}={value:g}" for name, value in strategy.values(values).items())
        who = f"{strategy.name} ({told})" if told else strategy.name
        raise LookAheadError(f"strategy {who} reads the future: {found}. A signal may use rows up to its own alone")


def find_look_ahead(strategy: Strategy, frame: IndicatorFrame, values: Values, seed: int) -> Finding | None:
    """The earliest signal that was seen to depend on later bars, None if none was.

    StrategyError if the strategy cannot answer, or answers the same question in two ways.
    """
    draw = np.random.default_rng(seed)
    asker = _Asker(strategy, values, draw)
    if len(frame) <= PIECE:
        return asker.look(frame, min(_MOST, PIECE / max(len(frame), 1)))
    start = int(draw.integers(0, len(frame) - PIECE))
    windows = (frame.between(start, start + PIECE), frame.between(len(frame) - PIECE, len(frame)))
    # The windows first: who keeps the longest history that it was asked about would know their future from the whole.
    return _earliest((*(asker.look(window, 0.5) for window in windows), asker.glance(frame)))


class _Asker:
    """Puts questions to one strategy."""

    def __init__(self, strategy: Strategy, values: Values, draw: np.random.Generator) -> None:
        self._strategy, self._values, self._draw = strategy, values, draw

    def look(self, frame: IndicatorFrame, share: float) -> Finding | None:
        """The earliest finding in `frame`. `share`: of the usual number of moments."""
        if len(frame) < 2:  # noqa: PLR2004 - nothing has a future
            return None
        early = self._early(frame)
        said = answer(self._strategy, frame, self._values)
        if _difference(said, self._ask(frame.until(len(frame))), len(frame)):
            raise StrategyError(
                f"strategy {self._strategy.name} answers the same question in two ways: it reads the time, chance or what it kept;"
                " make its signals from the frame and its parameters alone"
            )
        found = _earliest(
            (
                *(_finding(frame, said, then, Method.CUT, len(then.entry)) for then in early),
                *(self._question(frame, said, *moment) for moment in _moments(said, self._draw, share)),
            )
        )
        if found is None:
            return None
        before = int(frame.time.searchsorted(found.bar))
        return _earliest((found, *(self._question(frame, said, row, Method.TURNED) for row in _searched(said, before))))

    def glance(self, frame: IndicatorFrame) -> Finding | None:
        """Only whether the first half of a long frame hangs together with the second."""
        half = len(frame) // 2
        other = another_future(frame, half, self._draw, _WILD)
        return _finding(frame, self._ask(frame.until(half)), self._ask(other), Method.TURNED, half)

    def _question(self, frame: IndicatorFrame, said: Signals, cut: int, method: Method, strength: float = _MILD) -> Finding | None:
        """Change what comes after the first `cut` rows, and compare what is said of these."""
        other = frame.until(cut) if method is Method.CUT else another_future(frame, cut, self._draw, strength)
        return _finding(frame, said, self._ask(other), Method.ADDED if cut == len(frame) else method, cut)

    def _early(self, frame: IndicatorFrame) -> list[Signals]:
        """What it says of a frame that grows, before it has seen the rest, should it keep what it sees."""
        counts = sorted({max(1, len(frame) * part // (_GROWN + 1)) for part in range(1, _GROWN + 1)})
        try:
            return [self._ask(frame.until(count)) for count in counts]
        except StrategyError:
            answer(self._strategy, frame, self._values)  # one that cannot answer at all is told so
            raise

    def _ask(self, frame: IndicatorFrame) -> Signals:
        try:
            return answer(self._strategy, frame, self._values)
        except StrategyError as error:
            asked = f"{len(frame)} bars that end on {frame.time[-1]:%Y-%m-%d %H:%M} UTC"
            raise StrategyError(f"{error}. It was asked about {asked}, and has to answer any number of bars") from error


def _moments(said: Signals, draw: np.random.Generator, share: float) -> Iterator[tuple[int, Method, float]]:
    """Numbers of rows to keep, and what to do to the others."""
    count = len(said.entry)
    for number, row in enumerate(_some(np.flatnonzero(said.entry), _ENTRIES * share, draw)):
        yield row + 1, Method.TURNED, _MILD
        if number % 2 and row + 1 < count:
            yield row + 1, Method.CUT, _MILD
    for row in _some(_turns(said.exit), _EXITS * share, draw):
        yield row + 1, Method.TURNED, _MILD
    for number, row in enumerate(_some(np.arange(count - 1), _SPREAD * share, draw)):
        yield row + 1, *_WAYS[number % len(_WAYS)]
    for late in _LATE[: max(1, round(len(_LATE) * share))]:
        if late < count:
            yield count - late, Method.CUT, _MILD
    yield count, Method.ADDED, _MILD


def _searched(said: Signals, before: int) -> list[int]:
    """Numbers of rows to keep so that an earlier signal may show itself: behind signals, and evenly."""
    signals = np.union1d(np.flatnonzero(said.entry), _turns(said.exit))
    evenly = np.linspace(1, max(before, 1), _SEARCHED // 2).astype(np.int64)
    return sorted({*(signals[signals < before][: _SEARCHED // 2] + 1).tolist(), *evenly.tolist()})


def _turns(state: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.flatnonzero(state & ~np.append(False, state[:-1]))


def _some(rows: npt.NDArray[np.int64], count: float, draw: np.random.Generator) -> list[int]:
    """At most `count` of `rows`, in order, the first and the last among them."""
    wanted = max(2, round(count))
    if len(rows) <= wanted:
        return [int(row) for row in rows]
    inner = draw.choice(rows[1:-1], wanted - 2, replace=False)
    return sorted({int(rows[0]), int(rows[-1]), *(int(row) for row in inner)})


def _finding(frame: IndicatorFrame, said: Signals, other: Signals, method: Method, cut: int) -> Finding | None:
    changed = _difference(said, other, cut)
    if changed is None:
        return None
    row, column = changed
    was, became = (_told(getattr(signals, column)[row].item()) for signals in (said, other))
    starts = frame.time
    return Finding(starts[row].to_pydatetime(), column, was, became, method, starts[min(cut, len(frame) - 1)].to_pydatetime())


def _difference(said: Signals, other: Signals, count: int) -> tuple[int, str] | None:
    """The first of the first `count` rows that differs, and its column."""
    found = []
    for number, column in enumerate(COLUMNS):
        one, two = getattr(said, column)[:count], getattr(other, column)[:count]
        if np.array_equal(one, two, equal_nan=number > 1):
            continue
        same = one == two if number <= 1 else np.isclose(one, two, rtol=_ROUNDING, atol=0.0, equal_nan=True)
        if not same.all():
            found.append((int(np.argmin(same)), number))
    if not found:
        return None
    row, number = min(found)
    return row, COLUMNS[number]


def _earliest(findings: Iterable[Finding | None]) -> Finding | None:
    return min((found for found in findings if found is not None), key=lambda found: found.bar, default=None)


def _told(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if math.isnan(value) else f"{value:g}"
