"""The words of `lexicon.yaml` as a table, and texts as words of that table.

Promises that a word is found in each of its regular forms and in the irregular ones that the file lists, and that of several phrases at
one place the longest is taken. Refuses a file in which a section is unknown, with its name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from trading_bot import yaml_text
from trading_bot.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FILE = "lexicon.yaml"
_TOKEN = re.compile(
    r"https?://\S+|[$@][a-z_]\w*|(?<![\w.])[-+]\d[\d.,]*\s?%|\d[\d,]*(?: ?\.\d+)?|[a-z]+(?:['\u2019][a-z]+)?|[-+]%|[.,;:?!|^]"
)
START = "^"
"""Before the first word: what an imperative is known by."""
STOPS = frozenset(".,;:?!|")
NUMBER = frozenset("0123456789")
_YEARS = range(1980, 2045)
_KNOWN_FORMS = 50_000
"""Bound of the memory for words that were met."""
BOOST, DAMP = 1.3, 0.6


@dataclass(frozen=True, slots=True)
class Entry:
    """What a word or phrase does."""

    weight: float = 0.0
    """By itself."""
    move: float = 0.0
    """As a movement: its direction and strength."""
    alone: bool = False
    """Whether a movement without an object moves a price."""
    polarity: float | None = None
    """As what moves: above 0 if more is good, below if more is bad, 0 if it says nothing."""
    role: str = ""
    """not, scale, hedge, turn or than."""
    scale: float = 1.0
    turn: float | None = None
    """Of a word that begins a new thought: how much that one counts."""


_LISTS: Final[Mapping[str, dict[str, Any]]] = {
    "still": {"polarity": 0.0},
    "negators": {"role": "not"},
    "boosters": {"role": "scale", "scale": BOOST},
    "dampeners": {"role": "scale", "scale": DAMP},
    "hedges": {"role": "hedge"},
    "than": {"role": "than"},
}


def _graded(section: str, grade: float) -> dict[str, Any]:
    changes: dict[str, dict[str, Any]] = {
        "rise": {"move": grade, "alone": True},
        "fall": {"move": -grade, "alone": True},
        "raise": {"move": grade},
        "cut": {"move": -grade},
        "good": {"polarity": grade},
        "bad": {"polarity": -grade},
        "weights": {"weight": grade},
        "turns": {"role": "turn", "turn": grade},
    }
    return changes[section]


class Vocabulary:
    """Entries by their words."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._forms = {form: base for base, forms in tree["forms"].items() for form in forms}
        self._units = {unit: float(factor) for unit, factor in tree["units"].items()}
        listed = [(_split(phrase), change) for phrase, change in _listed(tree)]
        self._vocabulary = {words[0] for words, _ in listed if len(words) == 1} | set(self._forms.values())
        self._vocabulary |= {self._base(word) for words, _ in listed for word in words}
        self._bases: dict[str, str] = {}
        entries: dict[tuple[str, ...], Entry] = {}
        for words, change in listed:
            key = tuple(self._base(word) for word in words)
            entries[key] = replace(entries.get(key, Entry()), **change)
        self.size = len(entries)
        self._phrases: dict[str, list[tuple[list[str], Entry | None]]] = defaultdict(list)
        for key in sorted(entries, key=len, reverse=True):
            entry = entries[key]
            self._phrases[key[0]].append((list(key), None if entry == Entry() else entry))

    @classmethod
    @cache
    def shipped(cls) -> Vocabulary:
        """The one that comes with the desk."""
        text = resources.files("trading_bot.news").joinpath(_FILE).read_text("utf-8")
        return cls(yaml_text.read(text, _FILE)[0])

    def tokens(self, text: str) -> list[str]:
        """Return base forms, numbers and stops, in order."""
        bases = self._bases
        return [START, *(bases.get(token) or self._met(token) for token in _split(text))]

    def match(self, words: Sequence[str], place: int) -> tuple[int, Entry | None]:
        """Return how many words are read at `place`, and what they do, if anything."""
        for key, entry in self._phrases.get(words[place], ()):
            if len(key) == 1 or words[place : place + len(key)] == key:
                return len(key), entry
        return 1, None

    def base(self, word: str) -> str:
        """Return the base form of a word, itself if it is unknown."""
        return self._bases.get(word) or self._met(word)

    def knows(self, word: str) -> bool:
        """Whether a base form stands in some entry."""
        return word in self._vocabulary

    def direction(self, word: str) -> int:
        """Return 1 for a word that moves upward, -1 for one that moves downward."""
        move = next((entry.move for key, entry in self._phrases.get(word, ()) if len(key) == 1 and entry is not None), 0.0)
        return (move > 0) - (move < 0)

    def number(self, words: Sequence[str], place: int) -> float:
        """Return a number with its unit; not a number for a year."""
        value = float(words[place].replace(",", "").replace(" ", ""))
        factor = self._units.get(words[place + 1], 1.0) if place + 1 < len(words) else 1.0
        return float("nan") if value in _YEARS and factor == 1 else value * factor

    def _met(self, token: str) -> str:
        if len(self._bases) > _KNOWN_FORMS:
            self._bases.clear()
        found = self._bases[token] = self._base(token)
        return found

    def _base(self, word: str) -> str:
        if word.endswith(("n't", "n\u2019t")):
            return "not"
        bare = word[:-2] if word.endswith(("'s", "\u2019s")) else word
        known = self._vocabulary
        return next((self._forms.get(c, c) for c in _candidates(bare) if c in self._forms or c in known), bare)


def _split(text: str) -> list[str]:
    """Words, numbers and stops; a signed percentage is a movement."""
    found = (token for token in _TOKEN.findall(text.lower()) if token[0] not in "$@" and not token.startswith("http"))
    return [token[0] + "%" if token[0] in "+-" else token for token in found]


def _candidates(word: str) -> Iterator[str]:
    """A word and what it may be a form of."""
    yield word
    for ending, bases in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) > 1:
            stem = word[: -len(ending)]
            yield from (stem + base for base in bases)
            if ending in {"ed", "ing"} and stem[-1] == stem[-2]:
                yield stem[:-1]


_ENDINGS = (("s", ("",)), ("ies", ("y",)), ("es", ("",)), ("ied", ("y",)), ("ed", ("e", "")), ("ing", ("e", "")))


def _listed(tree: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every phrase of the file with what it says of it."""
    for section, content in tree.items():
        if section in _LISTS:
            yield from ((phrase, _LISTS[section]) for phrase in content)
        elif isinstance(content, dict) and section not in {"forms", "units"}:
            yield from ((phrase, _graded(section, float(grade))) for grade, phrases in content.items() for phrase in phrases)
        elif section not in {"forms", "units"}:
            msg = f"{_FILE}: unknown section {section}"
            raise ConfigError(msg)
