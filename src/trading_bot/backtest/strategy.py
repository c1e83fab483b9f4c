"""What a strategy is: declared parameters, and signals from an indicator frame. A strategy file holds one `STRATEGY`.

    def signals(frame, fast, slow):
        above = frame.sma(fast) > frame.sma(slow)
        return Signals.of(frame, entry=turned(above), exit=turned(~above))

    STRATEGY = Strategy("my_cross", "A fast average above a slow.", (Parameter("fast", 20, 5, 50), Parameter("slow", 50, 9, 99)), signals)

Promises that a signal of bar n is acted on at the opening of bar n + 1, by every engine, and never earlier. Refuses to size, to send
and to know an account: how much is the gate's business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from trading_bot.domain.errors import StrategyError
from trading_bot.market.frame import IndicatorFrame

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Values = Mapping[str, float]
"""A value for each parameter; whole numbers are `int`."""

LONG, SHORT = 1, -1


@dataclass(frozen=True)
class Parameter:
    """A number that a strategy may be tuned by. Whole if its default is an `int`. `least` and `most` are both allowed."""

    name: str
    default: float
    least: float
    most: float
    does: str = ""

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense."""
        return isinstance(self.default, int)


@dataclass(frozen=True, eq=False)
class Signals:
    """What is wanted at each bar's close: one row for each row of the frame.

    `entry`: int8, 1 to open a long, -1 a short, 0 nothing. `exit`: whether what is held should be closed. `stop`, `target`: float64,
    prices on the frame's scale at which a position entered by this row is given up, or has paid; NaN where there is none. An entry
    without a stop gets one at the last tick: under a limit of risk it is sized as if all of it could be lost. Where entry and exit meet,
    the exit goes first.
    """

    entry: npt.NDArray[np.int8]
    exit: Booleans
    stop: Floats
    target: Floats

    @classmethod
    def of(  # noqa: PLR0913 - what signals are made of
        cls,
        frame: IndicatorFrame,
        *,
        entry: Booleans,
        exit: Booleans,  # noqa: A002 - the word of the trade
        short: Booleans | None = None,
        stop: Floats | None = None,
        target: Floats | None = None,
    ) -> Self:
        """Signals from truth arrays of the frame's length. `short`: where a short is opened instead."""
        wanted = np.asarray(entry, dtype=bool).view(np.int8)
        if short is not None:
            wanted = np.where(short & ~entry, np.int8(SHORT), wanted)
        return cls(wanted, np.asarray(exit), frame.nothing if stop is None else stop, frame.nothing if target is None else target)


@dataclass(frozen=True)
class Strategy:
    """A named rule with its parameters. `signals(frame, **values)` is pure: the same rows give the same signals."""

    name: str
    does: str
    """One sentence for a person who chooses."""
    parameters: tuple[Parameter, ...]
    signals: Callable[..., Signals]

    def __post_init__(self) -> None:
        """Refuse two parameters of one name."""
        names = [p.name for p in self.parameters]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise StrategyError(f"strategy {self.name} has two parameters called {twice}: rename one")

    def values(self, given: Values) -> dict[str, float]:
        """Defaults with `given` on top. StrategyError names an unknown parameter, or one outside its bounds."""
        known = {p.name: p for p in self.parameters}
        unknown = sorted(given.keys() - known.keys())
        if unknown:
            have = ", ".join(known) or "none"
            raise StrategyError(f"strategy {self.name} has no parameter {', '.join(unknown)}; it has {have}")
        return {name: _checked(self.name, p, given.get(name, p.default)) for name, p in known.items()}


def _checked(strategy: str, parameter: Parameter, value: float) -> float:
    if not parameter.least <= value <= parameter.most or (parameter.whole and value != int(value)):
        kind = "a whole number" if parameter.whole else "a number"
        wanted = f"{kind} from {parameter.least:g} to {parameter.most:g}"
        raise StrategyError(f"{strategy}: {parameter.name} is {value:g}; it has to be {wanted}")
    return int(value) if parameter.whole else float(value)


def turned(state: Booleans) -> Booleans:
    """Where `state` holds and did not hold the bar before; never in the first row."""
    found = np.zeros(len(state), dtype=bool)
    np.greater(state[1:], state[:-1], out=found[1:])
    return found
