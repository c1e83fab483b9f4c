"""Words of models and servers, made fit to be shown.

Promises no control, invisible or bidirectional character, and no more than was asked for. Refuses to judge what they say.
"""

import re
import unicodedata

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def plain(text: str, most: int) -> str:
    """`text` on one line, without what some models think aloud, at most `most` characters."""
    spoken = _THOUGHT.sub(" ", text[: 8 * most])
    line = " ".join("".join(_visible(c) for c in spoken).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character).startswith("C") else character
