"""RSS and Atom.

Promises to read what can be read of a document that breaks its own rules, and to say why where nothing can. Refuses documents that declare
entities, before anything parses them: a few lines of those unfold to gigabytes, or name files; and documents with more markup than a feed
has, which would keep a parser busy for minutes. HTML stays as it stood.
"""

import io
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import urljoin

from trading_bot.domain.errors import SourceFailedError
from trading_bot.domain.news import RawArticle
from trading_bot.news.feeds.words import MOST, link, words
from trading_bot.news.fetch import UNKNOWN, Answer, Fetcher
from trading_bot.settings_news import FeedSettings

_ENTITY = re.compile(rb"<!\s*ENTITY", re.IGNORECASE)
_KIND_OF_CATEGORY = re.compile(rb"(<category\s[^<>]{0,200}?)\btype=")
_BLANKS = re.compile(rb"\s{20,}")
"""Runs of blanks, in which feedparser looks for a DOCTYPE again and again."""
_REFERENCE = re.compile(rb"&#(?:[xX]0*([0-9a-fA-F]+)|0*([0-9]+));?")
_SURROGATES = (0xD800, 0xDFFF)
_MOST_MARKS = {b"<": 50_000, b"&": 300_000, b"=": 100_000}
"""A thousand articles of twenty elements have 40,000."""
_SYMBOL = "symbol"
"""Seeking Alpha writes <category type="symbol">AAPL</category>."""


class RssFeed:
    """One feed. `address`: its URL as it is asked, which may hold a key."""

    def __init__(self, feed: FeedSettings, address: str, fetcher: Fetcher, advice: str = "") -> None:
        self.name = feed.name
        self.weight = feed.weight
        self._address = address
        self._fetcher = fetcher
        self._advice = advice
        self._known = UNKNOWN

    def fetch(self) -> Sequence[RawArticle]:
        """What it has; nothing if that has not changed since it was last read."""
        answer = self._fetcher.get(self._address, known=self._known, advice=self._advice)
        if answer is None:
            return ()
        found = articles(answer, self.name)
        self._known = answer.validators
        return found


def articles(answer: Answer, feed: str) -> tuple[RawArticle, ...]:
    """The articles of a document, those without any words left out."""
    parsed = _parsed(answer)
    told = parsed["feed"]
    publisher, language = words(told.get("title")), words(told.get("language"))
    made = (_article(entry, answer, feed, publisher, language) for entry in parsed["entries"][:MOST])
    return tuple(article for article in made if article.title or article.body)


def _parsed(answer: Answer) -> Mapping[str, Any]:
    try:
        parsed = _understood(answer)
    except SourceFailedError:
        raise
    except Exception as error:  # edge: feedparser raises what it likes at what strangers write
        raise SourceFailedError(
            f"the feed cannot be read ({type(error).__name__} in its parser); look at its address in news.feeds"
        ) from error
    if not parsed["entries"] and (parsed.get("bozo") or not parsed.get("version")):
        why = " ".join(words(str(parsed.get("bozo_exception", "it is neither RSS nor Atom"))).split())[:120]
        raise SourceFailedError(f"the feed cannot be read: {why}; look at its address in news.feeds")
    return parsed


def _understood(answer: Answer) -> Mapping[str, Any]:
    feedparser = _library()
    headers = {"content-type": answer.content_type} if answer.content_type else {}
    plain = feedparser.encodings.convert_to_utf8(headers, answer.body, {})
    _demand_harmless(plain, answer.body)
    # feedparser keeps no `type` of a category, and files it where it would file a `domain`.
    marked = _KIND_OF_CATEGORY.sub(rb"\1domain=", _REFERENCE.sub(_referred, _BLANKS.sub(b"\n", plain)))
    # A file object: of a bare string it would open the file or the address of that name.
    parsed: Mapping[str, Any] = feedparser.parse(
        io.BytesIO(marked),
        response_headers={"content-type": "application/xml; charset=utf-8", "content-location": answer.url.partition("?")[0]},
        resolve_relative_uris=False,
        sanitize_html=False,
    )
    return parsed


def _referred(reference: re.Match[bytes]) -> bytes:
    """A reference to a character, or to the mark for a broken one where there is no such character: feedparser would give up."""
    number = int(reference[1][:9], 16) if reference[1] else int(reference[2][:9])
    known = 0 < number < sys.maxunicode and not _SURROGATES[0] <= number <= _SURROGATES[1]
    return reference[0] if known else "\ufffd".encode()


def _demand_harmless(plain: bytes, body: bytes) -> None:
    # Whatever encoding it hides in, and whatever zeros it is written with.
    if any(_ENTITY.search(text.replace(b"\0", b"")) for text in (plain, body)):
        raise SourceFailedError("the feed declares entities, as attacks do; it was not parsed")
    if any(plain.count(mark) > most for mark, most in _MOST_MARKS.items()):
        raise SourceFailedError("the feed has more markup than a feed has; it was not parsed")


@cache
def _library() -> Any:  # noqa: ANN401 - it has no types
    import feedparser  # noqa: PLC0415 - a tenth of a second, only for who reads feeds
    import feedparser.encodings  # noqa: PLC0415 - as above

    # Its search for an e-mail address takes time squared in the length of an author, and nobody here reads authors.
    feedparser.mixin._FeedParserMixin._sync_author_detail = lambda *_: None  # noqa: SLF001 - there is no public way
    return feedparser


def _article(entry: Mapping[str, Any], answer: Answer, feed: str, publisher: str, language: str) -> RawArticle:
    source = entry.get("source") or {}
    bodies = [words(entry.get("summary")), *(words(part.get("value")) for part in entry.get("content", ()))]
    tags = entry.get("tags", ())
    return RawArticle(
        feed=feed,
        # Without what was asked, which may hold a key: `#part` alone would take that along.
        url=link(urljoin(answer.url.partition("?")[0], words(entry.get("link")))) if entry.get("link") else "",
        title=words(entry.get("title")),
        body=max(bodies, key=len),
        published=words(_first(entry, "published", "updated", "created")),
        publisher=words(source.get("title")) or publisher,
        language=language,
        symbols=tuple(words(tag.get("term")).strip() for tag in tags if tag.get("scheme") == _SYMBOL and tag.get("term")),
        received_at=answer.at,
    )


def _first(entry: Mapping[str, Any], *names: str) -> object:
    """The first of these that is there; asked by `in`, for feedparser warns of names that stand for others."""
    return next((entry[name] for name in names if name in entry.keys()), "")  # noqa: SIM118 - `in entry` would find the others
