"""Stories in the words of each vendor: RSS, Atom, NewsAPI, Alpha Vantage and Alpaca.

Promises documents as their vendors' own documentation shows them, with the fields that a reader may look for. Does no I/O.
"""

import html
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from trading_bot.sandbox.news.stories import Story

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def rss(stories: Iterable[Story]) -> str:
    """RSS 2.0, tickers as Seeking Alpha names them."""
    items = "".join(
        f"<item><title>{_xml(s.title)}</title><link>{_xml(s.url)}</link><guid>{_xml(s.url)}</guid>"
        f"<description>{_xml(s.body)}</description><pubDate>{_xml(_mail_date(s))}</pubDate><source url='https://news.example'>{_xml(s.publisher)}</source>"
        + "".join(f'<category type="symbol">{_xml(symbol)}</category>' for symbol in s.symbols)
        + "</item>"
        for s in stories
    )
    head = "<title>Emulated news</title><link>https://news.example/</link><language>en-us</language>"
    return f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel>{head}{items}</channel></rss>'


def atom(stories: Iterable[Story]) -> str:
    """Atom 1.0."""
    entries = "".join(
        f"<entry><id>{_xml(s.url)}</id><title>{_xml(s.title)}</title><link href='{_xml(s.url)}'/><published>{_xml(s.published)}</published>"
        f"<updated>{_xml(s.published)}</updated><content type='html'>{_xml(s.body)}</content>"
        f"<source><title>{_xml(s.publisher)}</title></source></entry>"
        for s in stories
    )
    head = "<title>Emulated news</title><id>urn:emulated</id>"
    return f'<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">{head}{entries}</feed>'


def newsapi(stories: Sequence[Story], query: Mapping[str, str]) -> dict[str, Any]:
    """`/v2/everything`. Of its query language, words and phrases with OR between them."""
    wanted = [word.strip().strip('"+()').casefold() for word in query.get("q", "").split(" OR ")]
    found = [s for s in stories if any(word in f"{s.title} {s.body} {' '.join(s.symbols)}".casefold() for word in wanted)]
    size, page = _whole(query.get("pageSize"), 100, 100), _whole(query.get("page"), 1, 1000)
    return {
        "status": "ok",
        "totalResults": len(found),
        "articles": [
            {
                "source": {"id": None, "name": s.publisher},
                "author": None,
                "title": s.title,
                "description": s.body,
                "url": s.url,
                "urlToImage": None,
                "publishedAt": s.published,
                "content": f"{s.body[:200]}… [+{len(s.body)} chars]",
            }
            for s in found[(page - 1) * size : page * size]
        ],
    }


def alpha_vantage(stories: Sequence[Story], query: Mapping[str, str]) -> dict[str, Any]:
    """`NEWS_SENTIMENT`. Several tickers: stories that name all of them."""
    wanted = {ticker for ticker in query.get("tickers", "").split(",") if ticker}
    found = [s for s in stories if wanted <= {_ticker(symbol) for symbol in s.symbols}][: _whole(query.get("limit"), 50, 1000)]
    return {
        "items": str(len(found)),
        "sentiment_score_definition": "x <= -0.35: Bearish; -0.35 < x <= -0.15: Somewhat-Bearish; -0.15 < x < 0.15: Neutral; ...",
        "relevance_score_definition": "0 < x <= 1, with a higher score indicating higher relevance.",
        "feed": [
            {
                "title": s.title,
                "url": s.url,
                "time_published": s.moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S") if s.moment else s.published,
                "authors": [],
                "summary": s.body,
                "banner_image": None,
                "source": s.publisher,
                "category_within_source": "News",
                "source_domain": "news.example",
                "topics": [],
                "overall_sentiment_score": 0.0,
                "overall_sentiment_label": "Neutral",
                "ticker_sentiment": [
                    {
                        "ticker": _ticker(symbol),
                        "relevance_score": "0.9",
                        "ticker_sentiment_score": "0",
                        "ticker_sentiment_label": "Neutral",
                    }
                    for symbol in s.symbols
                ],
            }
            for s in found
        ],
    }


def alpaca(stories: Sequence[Story], query: Mapping[str, str]) -> dict[str, Any]:
    """`/v1beta1/news`, in pages of 50 at most. Several symbols: stories that name any of them. Coins stand there without a slash."""
    wanted = {symbol for symbol in query.get("symbols", "").split(",") if symbol}
    start, end = _bound(query.get("start")), _bound(query.get("end"))
    found = [
        s
        for s in stories
        if (not wanted or wanted & {symbol.replace("/", "") for symbol in s.symbols})
        and (s.moment is None or ((start is None or s.moment >= start) and (end is None or s.moment <= end)))
    ]
    first, size = _whole(query.get("page_token"), 0, 1_000_000), _whole(query.get("limit"), 10, 50)
    content = query.get("include_content") in {"true", "True"}
    return {
        "news": [_alpaca_story(s, content=content) for s in found[first : first + size]],
        "next_page_token": str(first + size) if first + size < len(found) else None,
    }


def _alpaca_story(story: Story, *, content: bool) -> dict[str, Any]:
    return {
        "id": zlib.crc32(story.url.encode()),
        "headline": story.title,
        "author": "Emulated",
        "created_at": story.published,
        "updated_at": story.published,
        "summary": story.body[:200],
        "content": story.body if content else "",
        "url": story.url,
        "images": [],
        "symbols": [symbol.replace("/", "") for symbol in story.symbols],
        "source": story.publisher,
    }


def _xml(text: str) -> str:
    return html.escape(_NO_XML.sub("", text))


def _mail_date(story: Story) -> str:
    return format_datetime(story.moment) if story.moment else story.published


def _ticker(symbol: str) -> str:
    return f"CRYPTO:{symbol.partition('/')[0]}" if "/" in symbol else symbol


def _whole(told: str | None, default: int, most: int) -> int:
    return min(int(told), most) if told and told.isdecimal() else default


def _bound(told: str | None) -> datetime | None:
    try:
        made = datetime.fromisoformat(told or "")
    except ValueError:
        return None
    return made if made.tzinfo else made.replace(tzinfo=UTC)
