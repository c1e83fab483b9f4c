"""Texts without their disguise: look-alikes, small capitals, digits for letters, backwards, rotated, escaped, encoded.

Promises one folded form for looking (`plain`), other readings where something hints at them (`unmasked`), and whether a text carries a
sentence in a code (`is_encoded`). Refuses to change what is shown: this is for looking only.
"""

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import unquote

from trading_bot.news.clean import folded

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SHAPES = (
    dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True))
    | {chr(first + n): letter for first in (0x1F1E6, 0x1F130, 0x1F150, 0x1F170) for n, letter in enumerate(_LETTERS)}
    | dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'")
    | dict.fromkeys("“”„«»", '"')
    | dict.fromkeys("\u2012\u2013\u2014\u2015", "-")
    | {"…": "..."}
)
_OTHER = re.compile(r"[^\x00-\x7f]")
_ACCENT = re.compile(r"(?<=[a-z])[\u0300-\u036f]+")
_TURNED = str.maketrans("ɐɔǝɟƃɓɥᴉıɾʞʅɯɹʇʌʍʎ", "acefgghiijklmrtvwy")
_TURNED_HINT = re.compile("[ɐɔǝƃɥᴉɯɹʇʎ]")
_LEETS = tuple(str.maketrans("013457@$!|", f"o{one}eastasil") for one in "il")
_LEET_WORD = re.compile(r"(?<![\w@$|!])(?=[\w@$|!]*[a-z][013457@$|!]+[a-z])[\w@$|!]{4,40}")
_LEET_HINT = re.compile(r"[a-z][013457@$|!]+[a-z]")
_FEWEST_LEET = 2
_BACKWARDS = ("snoitcurtsni", "erongi", "tpmorp", "dragersid", "tnatsissa", "redro", "tnemitnes", "egassem")
_ROTATED = ("vafgehpgvba", "vtaber", "cebzcg", "qvfertneq", "nffvfgnag", "beqref", "cerivbhf")
_PERCENT = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
_FEWEST_PERCENT = 3
_ESCAPE = re.compile(r"\\u\{?([0-9a-f]{2,6})\}?|\\x([0-9a-f]{2})|&#x([0-9a-f]{2,6});?|u\+([0-9a-f]{4,5})\b", re.IGNORECASE)
_FEWEST_ESCAPES = 4


def _base64(code: str) -> bytes:
    if code.islower() or code.isupper():
        raise ValueError("words, not base64")
    whole = code.rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


_CODES: tuple[tuple[re.Pattern[str], Callable[[str], bytes]], ...] = (
    (re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}"), _base64),
    (re.compile(r"(?<![A-Z2-7])[A-Z2-7]{24,}={0,6}"), lambda code: base64.b32decode(code.rstrip("=") + "=" * (-len(code.rstrip("=")) % 8))),
    (re.compile(r"(?<![0-9a-fA-F])(?:(?:0x)?[0-9a-fA-F]{2}[ ,:-]?){12,}"), lambda code: bytes.fromhex(re.sub(r"0x|[ ,:-]", "", code))),
    (re.compile(r"(?:[01]{8}[ ,]?){8,}"), lambda code: bytes(int(byte, 2) for byte in re.findall(r"[01]{8}", code))),
    (
        re.compile(r"(?<!\d)(?:(?:3[2-9]|[4-9]\d|1[01]\d|12[0-6])[ ,;]+){11,}\d{2,3}(?!\d)"),
        lambda code: bytes(map(int, re.findall(r"\d+", code))),
    ),
)
_MORSE = re.compile(r"(?:[.•·-]{1,6}[ /|]+){12,}")
_PROSE = re.compile(r"[A-Za-z]{2,}(?:\W+[A-Za-z]+)+")
_PROSE_SHARE = 0.85
_FEWEST_SIGNS, _FEWEST_DIGITS, _SHORTEST_CODE = 20, 22, 16
"""With fewer, or shorter words, a text carries no code."""
_DIGIT = re.compile(r"\d")


def plain(text: str) -> str:
    """Return `text` in small letters without accents and look-alikes."""
    shaped = text if text.isascii() else _OTHER.sub(lambda found: _SHAPES.get(found[0], found[0]), text)
    if shaped.isascii():
        return shaped.lower()
    small = unicodedata.normalize("NFD", folded(shaped).casefold())
    return unicodedata.normalize("NFC", _ACCENT.sub("", small))


def unmasked(text: str, small: str) -> Iterator[str]:
    """Other readings of `text`, each in its folded form; `small` is its own."""
    if len(_LEET_HINT.findall(small)) >= _FEWEST_LEET:
        yield from (_LEET_WORD.sub(partial(_spelled, table), small) for table in _LEETS)
    if any(hint in small for hint in _BACKWARDS):
        yield small[::-1]
        yield " ".join(word[::-1] for word in small.split())
    if any(hint in small for hint in _ROTATED):
        yield codecs.encode(small, "rot13")
    if not text.isascii() and _TURNED_HINT.search(text):
        yield text.translate(_TURNED).lower()
        yield text.translate(_TURNED).lower()[::-1].translate(str.maketrans("bdpqun", "qpdbnu"))
    if "%" in text and len(_PERCENT.findall(text)) >= _FEWEST_PERCENT:
        yield plain(unquote(text.replace("+", " ")))
    if len(_ESCAPE.findall(text)) >= _FEWEST_ESCAPES:
        yield plain(_ESCAPE.sub(_unescaped, text))


def is_encoded(text: str) -> bool:
    """Whether `text` carries a sentence in a code: no journalist does that."""
    if text.count("-") + text.count(".") + text.count("•") + text.count("·") > _FEWEST_SIGNS and _MORSE.search(text) is not None:
        return True
    if len(_DIGIT.findall(text)) < _FEWEST_DIGITS and max(map(len, text.split()), default=0) < _SHORTEST_CODE:
        return False
    return any(_is_prose(decode, found[0]) for pattern, decode in _CODES for found in pattern.finditer(text))


def _is_prose(decode: Callable[[str], bytes], code: str) -> bool:
    try:
        told = decode(code).decode("utf-8")
    except (ValueError, binascii.Error):
        return False
    letters = sum(1 for c in told if c.isalpha() or c == " ")
    return letters >= _PROSE_SHARE * len(told) and (_PROSE.search(told) is not None or not told.isascii())


def _spelled(table: dict[int, int], found: re.Match[str]) -> str:
    return found[0].translate(table)


def _unescaped(found: re.Match[str]) -> str:
    code = int(next(group for group in found.groups() if group), 16)
    return chr(code) if code <= 0x10FFFF else ""  # noqa: PLR2004 - the last of Unicode
