"""A stranger's HTML or text as one line of plain text.

Promises no markup, no entity, no control, format, bidirectional, zero-width, tag or private character, compatibility forms of letters
and digits in their plain shape, and no more than was asked for; cleaning what is clean changes nothing. Tells what was done to a reader
by characters that a person does not see (`is_veiled`) and by words that no prose has (`is_huge`). Refuses to judge what the text says.
"""

import html
import re
import unicodedata
from functools import lru_cache

import nh3

TITLE, TEXT, PUBLISHER = 300, 4000, 80
"""The most characters of each that are kept."""
MOST_RAW = 40_000
"""So much of a text is parsed: ten times what is kept, for markup. A parser's time may grow with the square of nested tags."""
HUGE_RAW = 200_000
"""No article is longer."""
LONGEST_URL = 2000
_ROUNDS = 4
"""Texts are escaped twice by careless feeds; whoever escapes more often loses `<` and `&`."""
_DROPPED = {"script", "style", "template", "noscript", "iframe", "object", "svg", "math", "textarea", "select", "button"}
"""Elements that are left out with what they contain."""
_APART = re.compile(
    r"(?=</?(?:p|br|hr|div|li|ul|ol|dl|dt|dd|h[1-6]|t[rdh]|table|blockquote|pre|section|article|figure|figcaption)\b)", re.IGNORECASE
)
"""Where a tag ends a word."""
_PLAIN = re.compile(r"[ -~]*\Z")
_OTHER = re.compile(r"[^ -~]")
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\u034f")
"""Letters, marks and symbols without a shape."""
_INVISIBLE = (
    "\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f\u061c\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ue000-\uf8ff\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
"""Without the soft hyphen, at which words may be broken, and it does no harm."""
_VEILED = re.compile(
    rf"(?<=[A-Za-z0-9])[{_INVISIBLE}]+(?=[A-Za-z0-9])"  # within a word; scripts that need joiners there are not meant
    "|[\u202a-\u202e\u2066-\u2069]"  # embeds, overrides, isolates
    "|(?<!\U0001f3f4)(?<![\U000e0020-\U000e007e])[\U000e0020-\U000e007e]"  # tags, but in the flag of a country's part
    f"|[{_INVISIBLE}]{{8,}}"  # a message in what has no shape
    "|(?:(?![\ufe00-\ufe0f])[\u0300-\u036f]){5,}"  # a tower of marks
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_HUGE = re.compile(r"\S{80,}")
_WORD = re.compile(r"[A-Za-z0-9\u00c0-\u05ff]{80}|.{600}")
_MIXED = re.compile(r"[A-Za-z]+[\u0370-\u052f][A-Za-z\u0370-\u052f]*|[\u0370-\u052f]+[A-Za-z][A-Za-z\u0370-\u052f]*")
_LATIN = str.maketrans(
    "АВСЕНІЈКМОРЅТХУІԌҺԚԜаеорсухіјѕԁԛԝһӏҮΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρӀ",
    "ABCEHIJKMOPSTXYIGhQWaeopcyxijsdqwhlYABEZHIKMNOPTYXovpI",
)
"""Cyrillic and Greek letters that look like a Latin one."""


def clean(raw: str, most: int) -> str:
    """Return `raw` as one line of at most `most` characters."""
    text = _line(raw[:MOST_RAW])
    for _ in range(_ROUNDS):
        plainer = _line(_without_markup(text))
        if plainer == text:
            break
        text = plainer
    else:
        text = _line(text.replace("<", " ").replace("&", " "))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def is_veiled(raw: str) -> bool:
    """Whether characters that nobody sees stand within words, reorder them, or are many; written out or as entities."""
    text = html.unescape(raw[:MOST_RAW]) if "&" in raw else raw[:MOST_RAW]
    return (not text.isascii() or _CONTROL.search(text) is not None) and _VEILED.search(text) is not None


def is_huge(raw: str, cleaned: str) -> bool:
    """Whether `raw` is longer than articles are, or a word of `cleaned` longer than words are; addresses are no words."""
    if len(raw) > HUGE_RAW:
        return True
    tokens = (found[0] for found in _HUGE.finditer(cleaned))
    return any(_WORD.search(token) is not None for token in tokens if "://" not in token[:12] or len(token) > LONGEST_URL)


def is_mixed(cleaned: str) -> bool:
    """Whether a word is put together from Latin letters and letters that only look so."""
    return not cleaned.isascii() and any(folded(found[0]).isascii() for found in _MIXED.finditer(cleaned))


def folded(cleaned: str) -> str:
    """Return `cleaned` with the letters of such words made Latin: to look symbols up, never to be shown."""
    return cleaned if cleaned.isascii() else _MIXED.sub(lambda found: found[0].translate(_LATIN), cleaned)


def _without_markup(text: str) -> str:
    if "<" in text:
        text = nh3.clean(_APART.sub(" ", text), tags=set(), clean_content_tags=_DROPPED)
    return html.unescape(text) if "&" in text else text


def _line(text: str) -> str:
    """One line in which every character has a shape."""
    if not _PLAIN.match(text):
        text = unicodedata.normalize("NFC", _OTHER.sub(lambda found: _shaped(found[0]), text))
    return " ".join(text.split())


@lru_cache(maxsize=4096)
def _shaped(character: str) -> str:
    """Its plain form, a space for what separates, nothing for what has no shape. Powers, fractions and signs stay: 10² is not 102."""
    category = unicodedata.category(character)
    if character.isspace() or category in {"Zl", "Zp"}:
        return " "
    if category.startswith("C") or character in _BLANK or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return ""
    plain = unicodedata.normalize("NFKC", character)
    kept = character == "…" or category in {"No", "Sk"} or (category == "So" and not (plain.isascii() and len(plain) == 1))
    if kept:
        return character
    return "".join(" " if c.isspace() else c for c in plain if c not in _BLANK and not unicodedata.category(c).startswith("C"))
