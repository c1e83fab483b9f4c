"""Which language a text is in.

Promises the feed's own word where it is one (`en-US` is `en`); else a small rule: the script that most letters have, and for Latin letters
the language most of whose commonest words stand there, English where none does. Refuses to be sure: headlines are short.
"""

import re

_TAG = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9-]{1,20})?\Z", re.IGNORECASE)
_SCRIPTS = tuple(
    (language, re.compile(f"[{letters}]"))
    for language, letters in (
        ("ja", "\u3040-\u30ff"),
        ("ko", "\uac00-\ud7af"),
        ("zh", "\u4e00-\u9fff"),
        ("ru", "\u0400-\u04ff"),
        ("ar", "\u0600-\u06ff"),
        ("he", "\u0590-\u05ff"),
        ("el", "\u0370-\u03ff"),
        ("hi", "\u0900-\u097f"),
        ("th", "\u0e00-\u0e7f"),
    )
)
_NOT_LATIN = re.compile("[^\u0000-\u036f\u1e00-\u1eff\u2000-\u22ff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_JAPANESE_SHARE = 0.1
"""Japanese is written in Chinese letters too, Chinese never in kana."""
_ENOUGH = 1000
_COMMON = {
    "en": "the of and to in is for on with at by from as are that this its after over will has says it was be an",
    "de": "der die das und ist nicht von den dem mit für auf im ein eine bei nach aus sich wird zum zur",
    "fr": "le la les des et est une dans pour sur du au par avec qui aux ce sont pas ses",
    "es": "el los las y una del para con por que su al sus más como es se en lo",
    "it": "il di che gli della per con una nel sono alla dei non più ha",
    "pt": "o os as e do da dos das em para com uma não mais ao pela pelo",
    "nl": "het een van en op voor met zijn niet aan door bij naar",
}
_WORDS = {code: frozenset(words.split()) for code, words in _COMMON.items()}
_FEWEST = 2


def language(told: str, text: str) -> str:
    """Return a code of ISO 639: what the feed says, else what `text` looks like."""
    tag = _TAG.match(told.strip())
    if tag is not None:
        return tag[1].lower()
    return _by_script(text) if _NOT_LATIN.search(text) else _latin(text)


def _by_script(text: str) -> str:
    counts = {code: len(letters.findall(text)) for code, letters in _SCRIPTS}
    if counts["ja"] > _JAPANESE_SHARE * counts["zh"]:
        counts["ja"] += counts["zh"]
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] > len(_LATIN.findall(text)) // 2 else _latin(text)


def _latin(text: str) -> str:
    found = frozenset(text[:_ENOUGH].lower().split())
    counts = {code: len(found & words) for code, words in _WORDS.items()}
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] >= max(_FEWEST, counts["en"] + 1) else "en"
