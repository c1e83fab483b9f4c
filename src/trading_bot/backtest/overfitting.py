"""Whether choosing the best of many trials chose luck: probability of backtest overfitting, and splits that do not leak.

Promises that both halves of every comparison are equally long, and that no label of a training sample touches the test's time.
Refuses matrices with NaN, with fewer than two trials, or with fewer periods than groups.

D. H. Bailey, J. M. Borwein, M. Lopez de Prado and Q. J. Zhu, "The Probability of Backtest Overfitting" (2015);
M. Lopez de Prado, "Advances in Financial Machine Learning" (2018), chapter 7.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.statistics import Floats
from trading_bot.domain.errors import ResearchError

GROUPS = 16
"""Parts of the periods, as the paper has it: 12,870 ways to choose half of them."""
_CHUNK = 4_000_000
"""Numbers held at once."""
_NOISE = 1e-24
"""A variance below this is rounding error of equal returns."""


@dataclass(frozen=True, eq=False)
class Overfitting:
    """What symmetric cross-validation found. Arrays have one value for each way to choose the half that trials are picked in."""

    pbo: float
    """Share of ways in which the trial that was best in one half was not above the median in the other."""
    logits: Floats
    """`log(rank / (1 - rank))` of that trial's relative rank in the other half; 0 is the median."""
    inside: Floats
    """Its performance (mean by deviation of one period) in the half that it was picked in."""
    outside: Floats
    """And in the other one."""
    slope: float | None
    """Of `outside` on `inside`: below 0, the better it looked the worse it did. None if all picks looked alike."""
    loss: float
    """Share of ways in which it lost money in the other half."""


def overfitting(trials: npt.ArrayLike, groups: int = GROUPS) -> Overfitting:
    """Combinatorially symmetric cross-validation of `trials` [periods x trials], returns of each; judged by Sharpe ratio.

    `groups`: an even number of equally long parts; the first periods that do not fill a part are left out. Raises ResearchError if the
    matrix is not one of finite numbers with two trials, and two periods for each group.
    """
    matrix = _checked(np.asarray(trials, dtype=np.float64), groups)
    length = len(matrix) // groups
    parts = matrix[len(matrix) - length * groups :].reshape(groups, length, -1)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    chosen = np.zeros((sum(1 for _ in combinations(range(groups), groups // 2)), groups))
    for row, half in enumerate(combinations(range(groups), groups // 2)):
        chosen[row, half] = 1
    step = max(1, _CHUNK // matrix.shape[1])
    found = [_compare(part, sums, squares, length * groups // 2) for part in np.split(chosen, range(step, len(chosen), step))]
    inside, outside, ranks, lost = (np.concatenate(column) for column in zip(*found, strict=True))
    logits = np.log(ranks / (1 - ranks))
    return Overfitting(float(np.mean(logits <= 0)), logits, inside, outside, _slope(inside, outside), float(np.mean(lost)))


def _checked(matrix: Floats, groups: int) -> Floats:
    if groups < 2 or groups % 2:  # noqa: PLR2004 - two halves
        raise ResearchError(f"{groups} groups cannot be halved; take an even number, {GROUPS} if in doubt")
    if matrix.ndim != 2 or matrix.shape[1] < 2 or len(matrix) < 2 * groups:  # noqa: PLR2004 - rows and columns, two of each
        raise ResearchError(
            f"the trials' returns have the shape {matrix.shape}; overfitting needs [periods x trials] with two trials or more "
            f"and {2 * groups} periods or more ({groups} groups): run more trials, a longer period, or ask for fewer groups"
        )
    if not np.isfinite(matrix).all():
        raise ResearchError(
            "the trials' returns have gaps (NaN or infinity); give each trial a return in every period, 0 out of the market"
        )
    return matrix


def _compare(chosen: Floats, sums: Floats, squares: Floats, size: int) -> tuple[Floats, Floats, Floats, Floats]:
    """For each row of `chosen`: the best trial's performance in its half and in the other, its rank there, and whether it lost."""
    within = _ratios(chosen @ sums, chosen @ squares, size)
    beyond = _ratios((1 - chosen) @ sums, (1 - chosen) @ squares, size)
    rows, best = np.arange(len(chosen)), within.argmax(axis=1)
    outside = beyond[rows, best]
    below, equal = (beyond < outside[:, None]).sum(axis=1), (beyond == outside[:, None]).sum(axis=1)
    # The middle of equal ones: a trial that ties with all others is the median, neither best nor worst.
    rank = (below + (equal + 1) / 2) / (beyond.shape[1] + 1)
    return within[rows, best], outside, rank, (outside < 0).astype(np.float64)


def _ratios(sums: Floats, squares: Floats, size: int) -> Floats:
    """Mean by deviation; 0 for a trial that did not move."""
    means = sums / size
    variance = (squares - size * means**2) / (size - 1)
    still = variance <= _NOISE
    return np.where(still, 0.0, means / np.sqrt(np.where(still, 1.0, variance)))


def _slope(inside: Floats, outside: Floats) -> float | None:
    moves = inside - inside.mean()
    variance = float(np.sum(moves**2))
    return float(np.sum(moves * outside)) / variance if variance > _NOISE else None


def purged_splits(
    starts: Sequence[datetime], ends: Sequence[datetime], folds: int, embargo: timedelta = timedelta()
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Positions (train, test) for each of `folds` runs of samples that follow each other; every sample is tested once.

    `starts`, `ends`: the first and last moment that each sample's label knows of. A sample is left out of training if its span touches
    the test's (purged), or begins within `embargo` after it. Raises ResearchError if samples cannot be split so.
    """
    if len(starts) != len(ends) or any(end < start for start, end in zip(starts, ends, strict=True)):
        raise ResearchError("each sample needs one start and one end, the end not before the start")
    if not 2 <= folds <= len(starts):  # noqa: PLR2004 - one to test, one to train
        raise ResearchError(f"{len(starts)} samples cannot make {folds} folds; ask for 2 folds or more, and no more than samples")
    order = sorted(range(len(starts)), key=lambda n: (starts[n], ends[n]))
    for part in np.array_split(np.array(order), folds):
        test = sorted(part.tolist())
        first, last = min(starts[n] for n in test), max(ends[n] for n in test)
        train = [n for n in range(len(starts)) if ends[n] < first or starts[n] > last + embargo]
        yield np.array(train, dtype=np.int64), np.array(test, dtype=np.int64)
