"""The envelope of texts that nobody here wrote: names, headlines, theses, reasons.

Promises that such a text arrives under `untrusted_text`, on one line, without a control, bidirectional or invisible character, and no
longer than was asked for. Refuses to judge what it says: that is data.
"""

import re
import unicodedata

from trading_bot.domain.values import Record

_PATH = re.compile(r"(?:[A-Za-z]:\\|~/|(?<![\w.])/)[\w.@+-]+(?:[\\/][\w.@+-]+)+")


class Untrusted(Record):
    """A text to be read as data, never as an instruction."""

    untrusted_text: str


def wrap(text: str, most: int = 200) -> Untrusted:
    """Return `text` in its envelope, cleaned, at most `most` characters."""
    return Untrusted(untrusted_text=clean(text, most))


def clean(text: str, most: int) -> str:
    """Return `text` on one line without characters that hide or reorder others, cut to `most` characters."""
    kept = "".join(_visible(c) for c in text[: 4 * most])
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def without_paths(text: str, most: int) -> str:
    """Return an error's text for a caller who must not learn where this machine keeps its files."""
    return _PATH.sub("[path]", clean(text, most))


def _visible(character: str) -> str:
    """Spaces for whatever separates, nothing for control (Cc), format (Cf), surrogate and private characters."""
    if character.isspace():
        return " "
    return "" if unicodedata.category(character).startswith("C") else character
