"""Words of models, servers and strangers, made fit to be shown or read on.

Promises one line without a control, invisible or bidirectional character, no longer than asked for. Refuses to judge what they say.
"""

import re
import unicodedata

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def plain(text: str, most: int) -> str:
    """A model's words, without what some models think aloud, at most `most` characters."""
    return visible(_THOUGHT.sub(" ", text), most)


def visible(text: str, most: int) -> str:
    """`text` as a person would see it, at most `most` characters."""
    line = " ".join("".join(_seen(c) for c in text[: 4 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _seen(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character).startswith("C") else character
