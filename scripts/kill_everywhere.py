"""Kill a simulated day at every write point in turn, or at random moments, and compare with a day that was left alone.

    python scripts/kill_everywhere.py [--step N] [--random N] [--seed S]

Exit status 1 if any killed day differs, with the point at which it was killed.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from killing import Day

MOST_POINTS = 5000


def ways(step: int, draws: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield how to kill: every `step`-th write point, or `draws` random moments."""
    if draws:
        drawn = random.Random(seed)  # noqa: S311 - moments to kill at
        yield from ({"kill_after_s": drawn.uniform(0.02, 1.6)} for _ in range(draws))
    else:
        yield from ({"kill_at": point} for point in range(1, MOST_POINTS, step))


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Day(Path(folder), chosen.seed)
        undisturbed.finish()
        expected = undisturbed.exported()
    killed = bad = 0
    for way in ways(chosen.step, chosen.random, chosen.seed):
        with tempfile.TemporaryDirectory() as folder:
            day = Day(Path(folder), chosen.seed)
            starts = day.finish(**way)
            if starts == 1 and day.came_through and not chosen.random:
                break
            killed += 1
            wrong = day.problems() + (["the export differs"] if day.exported() != expected else [])
            if wrong:
                bad += 1
                print(f"{way}: {'; '.join(wrong)}")
    print(f"{killed} days, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
