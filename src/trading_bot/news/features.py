"""What the linear model sees of a passage: hashed words, pairs of words and runs of letters, and what the lexicon found.

Promises the same numbers for the same passage on every machine and run; training and reading share this one way. Whom the passage is about
is masked, so that a model learns words and not companies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trading_bot.news.lexicon import Evidence
    from trading_bot.ports.news import Passage

BUCKETS: Final = 1 << 18
DENSE: Final = 7
"""Features of the lexicon."""
MOST = 600
"""Characters that are read."""
SHORTEST, LONGEST = 3, 4
"""Letters in a run."""
_MASK = "_who_"
_NOISE = re.compile(r"https?://\S+|[$@][a-z_]\w*")
_WORD = re.compile(r"_who_|\d[\d,.]*|[a-z]+(?:['\u2019][a-z]+)?|[%$!?;:,.+-]")
_STOPS = frozenset(".,;:!?")
_PRIME, _SPREAD = np.uint32(1_000_003), np.uint32(2_654_435_761)


class Features(NamedTuple):
    """Two groups of buckets, each normalised by its size, and the lexicon's numbers."""

    words: npt.NDArray[np.int64]
    letters: npt.NDArray[np.int64]
    dense: npt.NDArray[np.float32]


def features(passage: Passage, evidence: Evidence) -> Features:
    """Return what the model sees."""
    text = _NOISE.sub(" ", passage.text[:MOST].lower())
    text = text.replace(passage.name.lower(), f" {_MASK} ") if passage.name else text
    return Features(_words(text), _letters(text), _dense(evidence))


def _words(text: str) -> npt.NDArray[np.int64]:
    return np.fromiter((crc32(term.encode()) % BUCKETS for term in _terms(text)), np.int64)


def _terms(text: str) -> Iterator[str]:
    """Words, pairs of neighbours, and once more the words of each clause that names whom the passage is about."""
    clause: list[str] = []
    before = "^"
    for word in [*_WORD.findall(text), "."]:
        yield word
        yield f"{before} {word}"
        before = word
        clause.append(word)
        if word in _STOPS:
            yield from (f"near {near}" for near in clause if _MASK in clause)
            clause = []


def _letters(text: str) -> npt.NDArray[np.int64]:
    """Runs of letters by a rolling hash."""
    codes = np.frombuffer(f" {text} ".encode(), np.uint8).astype(np.uint32)
    runs, found = codes, []
    for length in range(2, LONGEST + 1):
        runs = runs[:-1] * _PRIME + codes[length - 1 :]
        if length >= SHORTEST:
            found.append((runs * _SPREAD + np.uint32(length)) >> np.uint32(14))
    return np.concatenate(found).astype(np.int64)


def _dense(evidence: Evidence) -> npt.NDArray[np.float32]:
    good, bad, total = evidence.good, evidence.bad, evidence.total
    silent = good == bad == 0
    return np.array(
        [min(good, 3), min(bad, 3), total / (total * total + 1) ** 0.5, silent, evidence.question, evidence.hedged, abs(total) < 1],
        np.float32,
    )
