"""What companies, funds and coins are called: `names.yaml`, as the desk looks it up.

Promises names as tuples of words: `Coca-Cola` and `Coca Cola`, `Lowe's` with either apostrophe, are one. Refuses nothing: a symbol that
is not in the list is known by its ticker.
"""

import re
from functools import cache
from importlib import resources

from trading_bot import yaml_text
from trading_bot.domain.values import Record

Phrase = tuple[str, ...]
WORD = re.compile(r"[^\W_]+")
_FILE = "names.yaml"
_LEAST_SHOUTED = 4
"""A name in capitals is the same name if it has so many letters."""


class Names(Record):
    """The list. A name that begins with `~` is an ordinary word too."""

    companies: dict[str, tuple[str, ...]]
    funds: dict[str, tuple[str, ...]]
    coins: dict[str, tuple[str, ...]]
    nobody: tuple[str, ...]
    shouted: frozenset[str]
    """No tickers unless in parentheses."""
    written: frozenset[str]
    """No tickers even there."""
    nouns: frozenset[str]
    """After a word that is no company's name alone, these say that it is one."""
    verbs: frozenset[str]
    """These too, after names; not after tickers."""


def phrases(name: str) -> tuple[bool, tuple[Phrase, ...]]:
    """Whether `name` needs support by its neighbours, and the words that it may be written as."""
    weak = name.startswith("~")
    words = tuple(WORD.findall(name))
    shouted = tuple(word.upper() for word in words)
    both = not weak and sum(map(len, words)) >= _LEAST_SHOUTED and shouted != words
    return weak, (words, shouted) if both else (words,)


@cache
def names() -> Names:
    """Return the list as the package carries it."""
    tree = yaml_text.read((resources.files(__package__ or "trading_bot.news") / _FILE).read_text("utf-8"), _FILE)[0]
    return Names.model_validate(tree | {words: frozenset(tree[words].split()) for words in ("shouted", "written", "nouns", "verbs")})
