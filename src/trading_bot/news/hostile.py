"""What in an article speaks to a machine, was hidden from people, or is no prose.

Promises the same marks for the same text: INSTRUCTION by the families of `hostile.yaml`, in the clear, spelled with look-alikes, digits or
gaps, backwards, or encoded; HIDDEN for characters and markup that a person does not see; HUGE for words and bodies that nobody writes.
Refuses to know lies: a false halt in good prose passes here, and is held by asking how many independent feeds tell it.
"""

import html
import re

from trading_bot.domain.news import Mark
from trading_bot.news import clean
from trading_bot.news.disguise import is_encoded, plain, unmasked
from trading_bot.news.families import families

_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_TOOLS_OF_FEEDS = re.compile(r"\s*(?:\[if\b|wp:|/wp:|addthis\b|google_ad|sc_o|more\b)", re.IGNORECASE)
_WORDS = re.compile(r"[^\W\d_]{2,}")
_MANY_WORDS = 6
_UNSEEN = re.compile(
    r"""<(?!img|br|hr|input|iframe|link|meta|script|style)(\w+)\b[^<>]*?
        (?:style\s*=\s*["'][^"'<>]*?(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0*(?:\.\d+|[01](?:\.\d+)?)?(?:px|pt|em|rem|%)?\s*[;"'!]
            |opacity\s*:\s*0?(?:\.0\d*)?\s*[;"'!]|(?<![-\w])color\s*:\s*(?:\#fff(?:fff)?\b|white\b|transparent\b|rgba?\(\s*255\s*,\s*255\s*,\s*255)
            |(?:left|top|text-indent)\s*:\s*-\d{3,}|(?:max-)?(?:height|width)\s*:\s*0(?:px)?\s*[;"'!]|clip\s*:\s*rect\(\s*0|mso-hide\s*:\s*all)
        |\shidden(?=[\s>=/])|\saria-hidden\s*=\s*["']?true|\scolor\s*=\s*["']?(?:\#fff(?:fff)?|white)\b|\sclass\s*=\s*["'][^"']*\b(?:sr-only|visually-hidden)\b)
        [^<>]*>(?P<inside>[^<]{0,2000})""",
    re.IGNORECASE | re.VERBOSE,
)
_SPOKEN = re.compile(
    r"""\s(?:alt|title|aria-label|placeholder|content|data-[\w-]+|summary|value)\s*=\s*(?:"([^"<>]{12,})"|'([^'<>]{12,})')""", re.IGNORECASE
)
_SEEN_LETTERS = 8
"""Fewer letters that are not shown say nothing: a bullet, an arrow."""


def marks(raw_title: str, raw_body: str, clean_title: str, clean_text: str) -> tuple[Mark, ...]:
    """Return what is wrong with an article, from what its feed sent and what was made of it."""
    raw = f"{raw_title} {raw_body[: clean.MOST_RAW]}"
    found = {
        Mark.INSTRUCTION: is_instruction(f"{clean_title}\n{clean_text}") or (_has_markup(raw) and _is_spoken_in_markup(raw)),
        Mark.HIDDEN: _is_hidden(raw) or clean.is_mixed(f"{clean_title} {clean_text}"),
        Mark.HUGE: clean.is_huge(raw_title, clean_title) or clean.is_huge(raw_body, clean_text),
    }
    return tuple(mark for mark, holds in found.items() if holds)


def is_instruction(text: str) -> bool:
    """Whether a clean text speaks to a machine, in whatever disguise."""
    folded = plain(text)
    known = families()
    return known.speaks(folded) or is_encoded(text) or any(map(known.speaks, unmasked(text, folded)))


def _has_markup(raw: str) -> bool:
    return "<" in raw or "&lt" in raw or "&#" in raw


def _is_spoken_in_markup(raw: str) -> bool:
    """Tags that only models have, and what stands in comments and attributes: no reader sees it, some parser might."""
    source = html.unescape(raw)
    spoken = [found[1] for found in _COMMENT.finditer(source)] + [found[1] or found[2] for found in _SPOKEN.finditer(source)]
    return families().forges(source.casefold()) or any(is_instruction(text[: clean.TEXT]) for text in spoken)


def _is_hidden(raw: str) -> bool:
    if clean.is_veiled(raw):
        return True
    if not _has_markup(raw):
        return False
    source = html.unescape(raw)
    comments = (found[1] for found in _COMMENT.finditer(source))
    unseen = (found["inside"] for found in _UNSEEN.finditer(source))
    return any(_is_telling(text) for text in comments) or any(len("".join(_WORDS.findall(text))) >= _SEEN_LETTERS for text in unseen)


def _is_telling(comment: str) -> bool:
    """Whether a comment is a text: what feeds' own tools leave there is not."""
    return len(_WORDS.findall(comment)) >= _MANY_WORDS and _TOOLS_OF_FEEDS.match(comment) is None
