"""The families of texts that speak to a machine: `hostile.yaml`, compiled.

Promises that a text without the words of a family costs no more than a look at its words. Refuses nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from trading_bot import yaml_text

_FILE = "hostile.yaml"
_WORD = re.compile(r"[a-z]+")
_LETTERS_KNOWN = 7


@dataclass(frozen=True)
class Family:
    """One kind of speech."""

    name: str
    words: frozenset[str]
    """Beginnings of words: a text with none of them, or none of `others` if there are any, is of this kind only if it has a sign."""
    others: frozenset[str]
    signs: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]

    def has(self, text: str, words: AbstractSet[str]) -> bool:
        """Whether `text`, folded, is of this kind; `words` are the beginnings of its words."""
        worded = not self.words.isdisjoint(words) and not (self.others and self.others.isdisjoint(words))
        return (worded or any(sign in text for sign in self.signs)) and any(pattern.search(text) for pattern in self.patterns)


@dataclass(frozen=True)
class Families:
    """All of them."""

    spoken: tuple[Family, ...]
    raw: tuple[re.Pattern[str], ...]
    squeezed: tuple[str, ...]

    def speaks(self, folded: str) -> bool:
        """Whether a folded text speaks to a machine, as it stands or once everything but letters is taken out."""
        words = _WORD.findall(folded)
        beginnings, letters = _beginnings(words), "".join(words)
        return any(family.has(folded, beginnings) for family in self.spoken) or any(phrase in letters for phrase in self.squeezed)

    def forges(self, source: str) -> bool:
        """Whether markup has tags that only models have."""
        return any(pattern.search(source) for pattern in self.raw)

    def of(self, folded: str) -> tuple[str, ...]:
        """Names of the families of a folded text: for people who ask why."""
        words = _beginnings(_WORD.findall(folded))
        return tuple(family.name for family in self.spoken if family.has(folded, words))


def _beginnings(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word[:_LETTERS_KNOWN] for word in words)


def _family(name: str, rows: Mapping[str, Any], compiled: Callable[[str], re.Pattern[str]]) -> Family:
    words, others = (_beginnings(str(rows.get(key, "")).split()) for key in ("words", "with"))
    return Family(name, words, others, tuple(rows.get("signs", ())), tuple(map(compiled, rows["patterns"])))


@cache
def families() -> Families:
    """Return the list as the package carries it."""
    tree: dict[str, Any] = yaml_text.read((resources.files(__package__ or "trading_bot.news") / _FILE).read_text("utf-8"), _FILE)[0]
    groups = {name: group.replace("| ", "|") for name, group in tree["groups"].items()}

    def compiled(pattern: str) -> re.Pattern[str]:
        for name, group in groups.items():
            pattern = pattern.replace("{" + name + "}", group)
        return re.compile(pattern)

    spoken = tuple(_family(name, rows, compiled) for name, rows in tree["text"].items())
    return Families(spoken, tuple(map(compiled, tree["raw"])), tuple(tree["squeezed"]))
