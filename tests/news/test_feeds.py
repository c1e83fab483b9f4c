"""Feeds: what each vendor says becomes articles, and what cannot be read says why."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from news_kit import APPLE, COIN, NOW, answering, fetcher, http, serving, settings
from trading_bot import plugins
from trading_bot.domain.errors import BrokerKeysError, ConfigError, SourceFailedError
from trading_bot.domain.news import RawArticle
from trading_bot.domain.values import Symbol
from trading_bot.news.feeds import agent, resolved, sources
from trading_bot.news.feeds.newsapi import questions
from trading_bot.news.feeds.rss import articles
from trading_bot.news.fetch import Answer, Validators
from trading_bot.ports.news import NewsSource
from trading_bot.sandbox.news.faults import Rule
from trading_bot.sandbox.news.service import NewsService
from trading_bot.settings_news import FeedSettings

KEYS = {"NEWSAPI_KEY": "n3ws", "ALPHAVANTAGE_API_KEY": "v4nt4ge", "ALPACA_API_KEY": "PKALPACA", "ALPACA_SECRET_KEY": "s3cret"}
UNIVERSE = [Symbol("AAPL"), Symbol("BTC/USD")]


def feed(service: NewsService, kind: str, path: str = "", keys: Mapping[str, str] = KEYS, **more: str) -> NewsSource:
    """A feed of an emulator."""
    made = settings(feeds=[{"name": "mine", "kind": kind, "url": service.url + path} | more])
    (source,) = sources(made, UNIVERSE, keys, fetcher(service.host))
    return source


def read(document: str | bytes, content_type: str = "application/xml") -> tuple[RawArticle, ...]:
    """The articles of a document."""
    body = document.encode() if isinstance(document, str) else document
    return articles(Answer("https://feeds.example/dir/rss", body, content_type, NOW, Validators()), "mine")


def item(inner: str) -> str:
    """A feed with one article."""
    return f"<rss version='2.0'><channel><title>House</title><item>{inner}</item></channel></rss>"


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("cnbc.xml", 30, "Oil surges above $100 a barrel; Trump says 'small price to pay' for defeating Iran"),
        ("seekingalpha.xml", 20, "Wall Street Week Ahead"),
        ("reader_full.rss", 2, "Example entry"),
        ("reader_full.atom", 2, "Atom-Powered Robots Run Amok"),
        ("reader_relative.rss", 1, ""),
        ("reader_empty.rss", 0, None),
    ],
)
def test_every_recorded_feed_is_read(shared: Path, name: str, count: int, first: str | None) -> None:
    """Articles without any words are left out."""
    found = read((shared / "fixtures" / "rss" / name).read_bytes())
    assert (len(found), found[0].title if found else None) == (count, first)


def test_no_recorded_feed_is_forgotten(shared: Path) -> None:
    """A new fixture fails here until the table above has it."""
    assert len(list((shared / "fixtures" / "rss").iterdir())) == 6


def test_a_feed_that_names_tickers_is_taken_at_its_word(shared: Path) -> None:
    """Categories of type symbol, and not those of type author; dates as they stand there."""
    found = read((shared / "fixtures" / "rss" / "seekingalpha.xml").read_bytes())[0]
    symbols = ("ORCL", "ADBE", "DG", "ULTA", "LEN", "DKS", "NVDA", "AAPL", "UBSFY", "LCID", "TRU", "HPE", "BNTX", "BA", "KO", "XOM")
    assert (found.symbols, found.published) == (symbols, "Sun, 08 Mar 2026 07:23:46 -0400")


def test_an_article_is_kept_as_its_feed_gave_it() -> None:
    """HTML, dates and all; relative links become whole, and what is no http address is none."""
    inner = (
        "<title>A &amp; B</title><link>../a?x=1</link><description>&lt;p onclick='x()'&gt;hi&lt;/p&gt;</description><pubDate>soon</pubDate>"
    )
    assert read(item(inner)) == (
        RawArticle(
            feed="mine",
            url="https://feeds.example/a?x=1",
            title="A & B",
            body="<p onclick='x()'>hi</p>",
            published="soon",
            publisher="House",
            received_at=NOW,
        ),
    )
    assert [one.url for one in read(item("<title>x</title><link>javascript:alert(1)</link>"))] == [""]


@pytest.mark.parametrize(("link", "url"), [("#part", "/rss#part"), ("?a=1", "/rss?a=1"), ("b", "/b")])
def test_no_relative_link_takes_a_key_of_its_feed_s_address_along(link: str, url: str) -> None:
    """`#part` alone would be an article at the very address that was asked."""
    document = item(f"<title>x</title><link>{link}</link>").encode()
    found = articles(Answer("https://feeds.example/rss?feed=t0ken", document, "application/xml", NOW, Validators()), "mine")
    assert [one.url for one in found] == [f"https://feeds.example{url}"]


@pytest.mark.parametrize(
    ("document", "content_type", "titles"),
    [
        (item("<title>café</title>").encode("cp1252"), "text/xml; charset=windows-1252", ["café"]),
        (b"<?xml version='1.0' encoding='utf-8'?>" + item("<title>caf\xe9</title>").encode("cp1252"), "text/xml", ["café"]),
        (("\ufeff<?xml version='1.0' encoding='utf-16'?>" + item("<title>café</title>")).encode("utf-16"), "text/xml", ["café"]),
        (item("<title>tail</title>") + "<p>&nbsp;</p>", "text/html", ["tail"]),
        (item("<title>a & b</title>"), "text/xml", ["a & b"]),
        (item("<title>one</title></item><item><title>two</title>")[:-20], "text/xml", ["one", "two"]),
        (item("<title>x\x00y</title>"), "text/xml", ["x\x00y"]),
        (item("<title>&#xD800;&#00;&#x99999999999;&#65;&#x42;</title>"), "text/xml", ["\ufffd\ufffd\ufffdAB"]),
    ],
    ids=["charset", "wrong-encoding", "utf-16", "html-type", "ampersand", "cut", "nul", "no-characters"],
)
def test_what_can_be_read_of_a_broken_document_is_read(document: str | bytes, content_type: str, titles: list[str]) -> None:
    """Encodings that lie, XML that is none, documents that end too early."""
    assert [one.title for one in read(document, content_type)] == titles


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_document_that_declares_entities_is_not_parsed(encoding: str) -> None:
    """In whatever encoding it hides them."""
    laughs = "<!DOCTYPE rss [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>" + item("<title>&b;</title>")
    with pytest.raises(SourceFailedError, match="declares entities"):
        read(f"<?xml version='1.0' encoding='{encoding}'?>{laughs}".encode(encoding))
    with pytest.raises(SourceFailedError, match="declares entities"):
        read("<!DOCTYPE rss [<!entity % a SYSTEM 'file:///etc/passwd'> %a;]>" + item("<title>x</title>"))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("", "cannot be read"),
        ("<!doctype html><html><body>Enable JavaScript.</body></html>", "cannot be read"),
        ("{}", "cannot be read"),
        ("/etc/passwd", "cannot be read"),
        ("http://127.0.0.1:9/", "cannot be read"),
        (b"<?xml version='1.0' encoding='\xea'?><rss/>", r"cannot be read \(UnicodeDecodeError in its parser\)"),
        ("<a>" * 60_000, "more markup than a feed has"),
        (item("<title>x</title><x " + "a='' " * 200_000 + "/>"), "more markup than a feed has"),
    ],
)
def test_what_is_no_feed_says_so(document: str | bytes, told: str) -> None:
    """Names of files and addresses are text like any other."""
    with pytest.raises(SourceFailedError, match=told):
        read(document)


@pytest.mark.timeout(30)
def test_no_document_keeps_the_parser_busy() -> None:
    """An author of a megabyte, a megabyte of blank lines: both took minutes."""
    assert len(read(item(f"<title>x</title><author>{'a.a' * 400_000}</author>"))) == 1
    with pytest.raises(SourceFailedError):
        read("\n" * 4_000_000 + "x")


def test_of_one_answer_a_thousand_articles_are_taken() -> None:
    """Memory has an end."""
    assert len(read(item("<title>x</title></item>" + "<item><title>x</title></item>" * 5000 + "<item>"))) == 1000


def test_a_feed_that_has_not_changed_has_nothing_new() -> None:
    """Asked by its ETag; what could not be read is asked for again in full."""
    with serving(Rule(fault="not_a_feed", times=1)) as service:
        mine = feed(service, "rss", "/rss")
        with pytest.raises(SourceFailedError, match="cannot be read"):
            mine.fetch()
        assert [one.title for one in mine.fetch()] == [APPLE.title, COIN.title]
        assert mine.fetch() == ()
        service.add(APPLE.model_copy(update={"title": "Newer", "published": "2026-03-09T14:20:00+00:00"}))
        assert [one.title for one in mine.fetch()] == ["Newer", APPLE.title, COIN.title]
    assert ["if-none-match" in heard.headers for heard in service.heard] == [False, False, True, True]


EXPECTED = RawArticle(
    feed="mine", url=APPLE.url, title=APPLE.title, body=APPLE.body, publisher=APPLE.publisher, received_at=NOW, published=APPLE.published
)


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("rss", "/rss", {"published": "Mon, 09 Mar 2026 14:00:00 +0000", "symbols": ("AAPL",), "language": "en-us"}),
        ("rss", "/atom", {"language": "en"}),
        ("newsapi", "", {}),
        ("alpha_vantage", "", {"published": "20260309T140000", "symbols": ("AAPL",)}),
        ("alpaca", "", {"symbols": ("AAPL",)}),
    ],
)
def test_every_kind_tells_the_same_story(kind: str, path: str, expected: dict[str, object]) -> None:
    """Each in its vendor's words."""
    with serving() as service:
        found = feed(service, kind, path).fetch()
    assert found[0] == EXPECTED.model_copy(update=expected)
    assert [one.title for one in found] == [APPLE.title, COIN.title]


def test_a_query_takes_the_universe_s_place() -> None:
    """At each kind that can be asked."""
    with serving() as service:
        got = {
            kind: feed(service, kind, query=query).fetch()
            for kind, query in [("newsapi", "bitcoin"), ("alpha_vantage", "CRYPTO:BTC"), ("alpaca", "BTCUSD")]
        }
    assert {kind: [one.title for one in found] for kind, found in got.items()} == {kind: [COIN.title] for kind in got}


def test_coins_are_asked_for_as_each_vendor_names_them() -> None:
    """Alpaca's without a slash, NewsAPI's by the coin."""
    with serving() as service:
        feed(service, "alpaca").fetch()
        feed(service, "newsapi").fetch()
    assert service.heard[0].query["symbols"] == "AAPL,BTCUSD"
    assert service.heard[1].query["q"] == '"AAPL" OR "BTC"'


def test_a_universe_too_large_for_one_question_is_asked_for_in_turn() -> None:
    """No symbol is left out, no question too long."""
    universe = [Symbol(f"SYM{n}") for n in range(100)]
    asked = questions(universe)
    assert (len(asked), max(map(len, asked)) <= 500) == (3, True)
    assert " OR ".join(asked) == " OR ".join(f'"{symbol}"' for symbol in universe)


def test_alpaca_pages_and_begins_where_it_ended() -> None:
    """Ten pages at most; the second fetch asks for the last quarter of an hour again."""
    many = [APPLE.model_copy(update={"url": f"https://news.example/{n}"}) for n in range(620)]
    with serving(stories=many) as service:
        mine = feed(service, "alpaca")
        assert (len(mine.fetch()), len(service.heard)) == (500, 10)
        mine.fetch()
    assert [service.heard[n].query["start"] for n in (0, 10)] == ["2026-03-09T02:30:00+00:00", "2026-03-09T14:15:00+00:00"]


@pytest.mark.parametrize("fault", ["http_500", "http_403", "not_a_feed", "cut", "redirect_private"])
def test_a_failure_is_an_error_and_shows_no_key(fault: str) -> None:
    """Never the same as having nothing, at no kind of feed."""
    with serving(Rule(fault=fault)) as service:
        for kind, path in (("rss", "/rss"), ("newsapi", ""), ("alpha_vantage", ""), ("alpaca", "")):
            with pytest.raises(SourceFailedError) as raised:
                feed(service, kind, path).fetch()
            assert not any(key in str(raised.value) for key in KEYS.values())


@pytest.mark.parametrize(
    ("kind", "variable", "status"),
    [("newsapi", "NEWSAPI_KEY", b"401 Unauthorized"), ("alpha_vantage", "ALPHAVANTAGE_API_KEY", b"403 Forbidden")],
)
def test_a_refused_key_is_named_by_its_variable(kind: str, variable: str, status: bytes) -> None:
    """So that one knows what to look at."""
    with answering(http(b"{}", status=status.decode())) as (door, _):
        made = settings(feeds=[{"name": "mine", "kind": kind, "url": f"http://{door}"}])
        (source,) = sources(made, UNIVERSE, KEYS, fetcher(door))
        with pytest.raises(SourceFailedError, match=f"look at {variable}"):
            source.fetch()


def test_a_used_up_plan_is_left_alone_for_an_hour() -> None:
    """Alpha Vantage says it with status 200, and repeats the key in it."""
    with serving(Rule(fault="used_up", times=1)) as service:
        mine = feed(service, "alpha_vantage")
        with pytest.raises(SourceFailedError, match="questions are used up") as raised:
            mine.fetch()
        with pytest.raises(SourceFailedError, match=r"left alone for 3(600|599) s more"):
            mine.fetch()
    assert len(service.heard) == 1
    assert KEYS["ALPHAVANTAGE_API_KEY"] not in str(raised.value)


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"[" * 100_000, b'{"status": "error"}', b'{"feed": 3}x', b"\xff\xfe"])
@pytest.mark.parametrize("kind", ["newsapi", "alpha_vantage"])
def test_json_of_another_form_is_refused(kind: str, body: bytes) -> None:
    """Whatever it is."""
    with answering(http(body)) as (door, _):
        made = settings(feeds=[{"name": "mine", "kind": kind, "url": f"http://{door}"}])
        (source,) = sources(made, UNIVERSE, KEYS, fetcher(door))
        with pytest.raises(SourceFailedError):
            source.fetch()


def test_json_with_fields_of_other_kinds_gives_what_it_has() -> None:
    """Halves of characters become one that can be stored."""
    body = (
        b'{"status": "ok", "articles": [7, {"title": "a\\ud800b", "url": 3, "source": "x", "description": null}, {"title": "[Removed]"}]}'
    )
    with answering(http(body)) as (door, _):
        made = settings(feeds=[{"name": "mine", "kind": "newsapi", "url": f"http://{door}"}])
        (source,) = sources(made, UNIVERSE, KEYS, fetcher(door))
        assert source.fetch() == (RawArticle(feed="mine", title="a?b", received_at=NOW),)


def test_every_preset_can_be_built() -> None:
    """With names, weights and intervals of its own; one house is one feed."""
    names = ["cnbc", "reuters", "bloomberg", "reddit", "sec", "yahoo", "marketwatch", "coindesk", "alpaca", "newsapi", "alpha_vantage"]
    made = settings(feeds=names)
    built = sources(made, UNIVERSE, KEYS, fetcher())
    assert [source.name for source in built] == names == [one.name for one in resolved(made)]
    assert {one.name: one.every_seconds for one in resolved(made)}["alpha_vantage"] == 3600
    assert all(0 < source.weight <= 1 for source in built)


def test_a_preset_is_changed_by_naming_it() -> None:
    """What is not named stays."""
    (plain,) = resolved(settings(feeds=["cnbc"]))
    (own,) = resolved(settings(feeds=[{"name": "cnbc", "weight": 0.1}]))
    assert own == plain.model_copy(update={"weight": 0.1})


def test_reddit_is_asked_with_the_account_s_feed_token() -> None:
    """It goes to Reddit's own host, whatever the feed is called, and to no other."""
    looks: list[str] = []

    def resolving(host: str, _port: int) -> tuple[str, ...]:
        looks.append(host)
        return ("10.0.0.1",)

    keys = {"REDDIT_FEED": "t0ken", "REDDIT_USER": "me"}
    made = settings(
        feeds=["reddit", {"name": "mine", "url": "https://www.reddit.com/r/x/.rss"}, {"name": "other", "url": "https://other.example/"}]
    )
    for source in sources(made, UNIVERSE, keys, fetcher(resolving=resolving)):
        with pytest.raises(SourceFailedError) as raised:
            source.fetch()
        assert "t0ken" not in str(raised.value)
    with answering(http(item("<title>x</title>").encode())) as (door, heard):
        (own,) = sources(settings(feeds=[{"name": "reddit", "url": f"http://{door}/"}]), UNIVERSE, keys, fetcher(door))
        own.fetch()
    assert looks == ["www.reddit.com", "www.reddit.com", "other.example"]
    assert b"t0ken" not in heard[0]


@pytest.mark.parametrize(
    ("feeds", "told"),
    [
        (["rueters"], r"no preset is called 'rueters'; they are alpaca, .*reuters"),
        ([{"name": "mine"}], "mine: url is missing"),
        (
            [{"name": "mine", "kind": "telepathy"}],
            r"news\.feeds: 'telepathy' cannot be used: known are alpaca, alpha_vantage, newsapi, rss",
        ),
        (["cnbc", {"name": "cnbc", "url": "https://x.example/"}], "cnbc is given twice"),
        (["newsapi"], "newsapi needs a key: export NEWSAPI_KEY"),
        (["alpha_vantage"], "alpha_vantage needs a key: export ALPHAVANTAGE_API_KEY"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_fetched(feeds: list[object], told: str) -> None:
    """In the configuration's words."""
    with pytest.raises(ConfigError, match=told):
        sources(settings(feeds=feeds), UNIVERSE, {}, fetcher())


def test_missing_alpaca_keys_are_named() -> None:
    """As everywhere else where Alpaca's keys are needed."""
    with pytest.raises(BrokerKeysError, match="ALPACA_API_KEY and ALPACA_SECRET_KEY are not set"):
        sources(settings(feeds=["alpaca"]), UNIVERSE, {}, fetcher())


def test_a_key_that_no_header_can_carry_is_refused_unseen() -> None:
    """The message does not repeat it."""
    with pytest.raises(ConfigError, match="NEWSAPI_KEY holds characters") as raised:
        sources(settings(feeds=["newsapi"]), UNIVERSE, {"NEWSAPI_KEY": "k€y"}, fetcher())
    assert "k€y" not in str(raised.value)


def test_a_feed_of_another_package_is_made_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets what the built-in kinds get."""
    monkeypatch.setattr(plugins, "entry_points", lambda group: [EntryPoint("mine", "test_feeds:Brought", group)])
    (source,) = sources(settings(feeds=[{"name": "theirs", "kind": "mine"}]), UNIVERSE, {"A": "b"}, fetcher())
    assert (source.name, source.weight, source.fetch()) == ("theirs", 1.0, ())


class Brought:
    """A feed of another package."""

    def __init__(self, feed: FeedSettings, universe: list[Symbol], environment: Mapping[str, str], _: object) -> None:
        assert (universe, environment) == (UNIVERSE, {"A": "b"})
        self.name = feed.name
        self.weight = feed.weight

    def fetch(self) -> tuple[RawArticle, ...]:
        """Nothing."""
        return ()


def test_who_asks_says_whom_to_write_to() -> None:
    """Where the environment names somebody."""
    assert agent({}) == "trading-bot/0.1"
    assert agent({"NEWS_CONTACT": "me@example.com"}) == "trading-bot/0.1 (me@example.com)"
    assert agent({"NEWS_CONTACT": "me\r\nx: y"}) == "trading-bot/0.1"
