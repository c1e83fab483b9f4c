"""When two articles tell one story: near duplicates by MinHash, held apart by the facts of their headlines.

Promises the same signature of the same article on every machine and run, and that what a feed does to a headline (`UPDATE 2-`,
` - Reuters`, a cut end) leaves it the same story. Refuses to join headlines of one template about different things: where both name
somebody whom the other does not, give other numbers, or move in opposite directions, they are two stories however alike they are.
"""

from __future__ import annotations

import re
import struct
from functools import cache, partial
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from trading_bot import yaml_text
from trading_bot.news.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from datasketch import MinHash

    Mins = npt.NDArray[np.uint32]

SAME: Final = 0.45
"""Similarity from which on articles whose facts agree tell one story."""
COPIED: Final = 0.8
"""Similarity of first sentences from which on one is a copy, whatever names its headline chose."""
ROWS, TITLE, LEAD = 3, 48, 24
"""Values in a band, and values of each part: two headlines that share half of their words share one of 16 bands in 88 of 100 cases, two
that share 0.7 in 99.8."""
LEAD_WORDS, LEAST_LEAD = 24, 12
"""Words of a text that are compared; fewer than the least are not, as they say too little."""
_SEED: Final = 1
_SCHEME: Final = "affine32"
_EMPTY: Final = np.zeros(0, np.uint32)
_MOST = 400
"""Characters of a headline that are read."""
_LEAST_TITLE = 3
"""Words that have to be left of a headline when its publisher is taken away."""
_LEAST_PLURAL = 5
_FILE = "plain.yaml"
_HEAD = struct.Struct("<BBbBB")
_PREFIX = re.compile(
    r"^\W*(?:(?:update|corrected|correction|refile|rpt|wrapup|breaking(?: news)?|exclusive|brief|factbox|just in|watch|live(?: updates?)?)"
    r"\s*\d*\s*[-:|\u2013\u2014]+\s*)+",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\s(?:[-|\u2013\u2014]|By)\s+[\w.'\u2019&]+(?:\s[\w.'\u2019&]+){0,3}$")
_TICKER = re.compile(r"\((?:[A-Za-z]+: ?)?([A-Z.]{1,6})\)")
_CUT = re.compile(r"\s*\S*(?:\.\.\.|…)\s*$")
_WORD = re.compile(r"\d[\d,.]*\d|\d+|[^\W\d_][\w'\u2019&]*", re.UNICODE)
_ORDINALS = {"first": "q1", "second": "q2", "third": "q3", "fourth": "q4"}


class Signature(NamedTuple):
    """What is kept of an article to know its story again."""

    title: Mins
    lead: Mins
    """Empty where there is too little text."""
    names: frozenset[int]
    """Of the headline: hashes of words that are no common words of the trade."""
    numbers: frozenset[int]
    lean: int
    """1 if the headline speaks of a rise, -1 of a fall, 0 of neither or both."""

    def pack(self) -> bytes:
        """Return it as bytes, the same on every machine."""
        facts = [*sorted(self.names), *sorted(self.numbers)]
        head = _HEAD.pack(len(self.title), len(self.lead), self.lean, len(self.names), len(self.numbers))
        return head + np.concatenate([self.title, self.lead, np.array(facts, np.uint32)]).astype("<u4").tobytes()

    @classmethod
    def unpack(cls, packed: bytes) -> Signature:
        """Read what `pack` wrote."""
        title, lead, lean, names, numbers = _HEAD.unpack_from(packed)
        parts = np.split(np.frombuffer(packed, "<u4", offset=_HEAD.size).astype(np.uint32), np.cumsum([title, lead, names, numbers]))
        return cls(parts[0], parts[1], frozenset(parts[2].tolist()), frozenset(parts[3].tolist()), lean)


def signature(title: str, text: str = "") -> Signature:
    """Return what an article is known by."""
    bare = _bare(title[:_MOST])
    words = _words(bare)
    kept = [word for word in words if word not in _plain()]
    lead = [word.lower() for word in _WORD.findall(text[len(title) if text.startswith(title) else 0 :][:600])][:LEAD_WORDS]
    pairs = [f"{a} {b}" for a, b in pairwise(lead)] if len(lead) >= LEAST_LEAD else []
    numbers = [word for word in kept if word[0].isdigit()]
    return Signature(_mins(kept or words, TITLE), _mins(pairs, LEAD), _facts(_names(bare, kept)), _facts(numbers), _lean(words))


def bands(signature: Signature) -> tuple[int, ...]:
    """Return keys of which articles of one story share at least one, almost always; positive and below 2**63."""
    width = 4 * ROWS
    parts = [(kind, mins.astype("<u4").tobytes()) for kind, mins in enumerate((signature.title, signature.lead))]
    return tuple(
        (kind << 6 | place // width) << 55 | crc32(part[place : place + width]) << 23 | crc32(part[place : place + width], 1) >> 9
        for kind, part in parts
        for place in range(0, len(part), width)
    )


def similarity(a: Signature, b: Signature) -> float:
    """Return how alike their words are, from 0 to 1: of headlines or of first sentences, whichever is more."""
    return max(_alike(a.title, b.title), _alike(a.lead, b.lead))


def contradict(a: Signature, b: Signature) -> bool:
    """Return whether their headlines cannot be about one thing."""
    if a.lean * b.lean < 0:
        return True
    return _apart(a.names, b.names) or (_apart(a.numbers, b.numbers) and a.numbers.isdisjoint(b.numbers))


def is_same_story(a: Signature, b: Signature) -> bool:
    """Return whether they tell one story."""
    if _alike(a.lead, b.lead) >= COPIED:
        return a.lean * b.lean >= 0
    return similarity(a, b) >= SAME and not contradict(a, b)


def novelty(fresh: Signature, told: Iterable[Signature]) -> float:
    """Return how new a telling is: 1 for the first, near 0 for a copy."""
    return 1 - max((similarity(fresh, other) for other in told if is_same_story(fresh, other)), default=0.0)


def _alike(a: Mins, b: Mins) -> float:
    return float(np.mean(a == b)) if len(a) and len(a) == len(b) else 0.0


def _apart(a: frozenset[int], b: frozenset[int]) -> bool:
    return not (a <= b or b <= a)


def _facts(words: list[str]) -> frozenset[int]:
    return frozenset(sorted({crc32(word.encode()) for word in words})[:255])


def _names(title: str, kept: list[str]) -> list[str]:
    """Return what may be a name: a ticker in brackets, `q2`, or no common word of the trade, with a capital where there are small words."""
    given = [found.lower() for found in _TICKER.findall(title)]
    given += [word for word in kept if word[0].isalpha() and word[-1].isdigit()]
    rare = [word for word in kept if not word[0].isdigit() and not _vocabulary().knows(word)]
    capital = {base for word in title.split() if not word[:2].islower() for base in _words(word)}
    mixed = bool(capital) and not capital.issuperset(kept)
    return [*given, *(word for word in rare if not mixed or word in capital)]


def _bare(title: str) -> str:
    """Strip what feeds put around a headline, unless little would be left."""
    bare = _CUT.sub("", _PREFIX.sub("", title.strip()))
    short = _SUFFIX.sub("", bare)
    return short if short.count(" ") + 1 >= _LEAST_TITLE else bare


def _words(text: str) -> list[str]:
    """Return base forms in order; `second-quarter` is q2, and a possessive is its owner."""
    found = [word.removesuffix("'s").removesuffix("\u2019s").lower() for word in _WORD.findall(text)]
    joined = [_ORDINALS[a] if a in _ORDINALS and b == "quarter" else a for a, b in pairwise([*found, ""])]
    return [_base(word) for word in joined if word]


@cache
def _plain() -> frozenset[str]:
    text = resources.files("trading_bot.news").joinpath(_FILE).read_text("utf-8")
    return frozenset(yaml_text.read(text, _FILE)[0]["plain"])


@cache
def _vocabulary() -> Vocabulary:
    return Vocabulary.shipped()


def _base(word: str) -> str:
    known = _vocabulary().base(word)
    return known if known != word or len(word) < _LEAST_PLURAL or not word.endswith("s") or word.endswith("ss") else word[:-1]


def _lean(words: list[str]) -> int:
    total = sum(_vocabulary().direction(word) for word in words)
    return (total > 0) - (total < 0)


@cache
def _hasher(size: int) -> Callable[[], MinHash]:
    from datasketch import MinHash  # noqa: PLC0415 - slow to import, and only who compares articles needs it

    kind = partial(MinHash, size, seed=_SEED, hashfunc=crc32, scheme=_SCHEME)
    return partial(kind, permutations=kind().permutations)


def _mins(things: list[str], size: int) -> Mins:
    if not things:
        return _EMPTY
    hashed = _hasher(size)()
    hashed.update_batch({thing.encode() for thing in things})
    return np.asarray(hashed.hashvalues, np.uint32)
