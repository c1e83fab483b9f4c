"""The emulated news: honest documents, every fault by its name, and `sandbox news` as a process of its own."""

import json
import re
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from alpaca.data.historical.news import NewsClient
from alpaca.data.models.news import NewsSet
from alpaca.data.requests import NewsRequest
from click.testing import CliRunner

from news_kit import APPLE, COIN, NOW, fetcher, serving, settings
from trading_bot.cli.sandboxing import sandbox
from trading_bot.domain.errors import ConfigError, SourceFailedError
from trading_bot.domain.news import RawArticle
from trading_bot.news.feeds import sources
from trading_bot.sandbox.news.faults import FAULTS, Rule, load
from trading_bot.sandbox.news.service import PATHS, NewsService
from trading_bot.sandbox.news.stories import Invented, Story
from trading_bot.sandbox.news.stories import load as load_stories


def fetched(service: NewsService, path: str = "/rss") -> tuple[RawArticle, ...]:
    """What the desk's own reader makes of a feed."""
    made = settings(feeds=[{"name": "mine", "url": service.url + path}])
    (source,) = sources(made, (), {}, fetcher(service.host, timeout_seconds=1))
    return tuple(source.fetch())


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("http_500", "answered 500"),
        ("http_403", "answered 403"),
        ("http_429", "left alone for 60 s"),
        ("down", "cannot be read"),
        ("cut", "cannot be read"),
        ("slow", "in full within 1 s"),
        ("endless", "more than 1,000,000 bytes"),
        ("gzip_bomb", "more than 1,000,000 bytes"),
        ("huge_body", "more than 1,000,000 bytes"),
        ("redirect_private", r"169\.254\.169\.254 is in a private network"),
        ("redirect_loop", "more than 5 times"),
        ("entities", "declares entities"),
        ("not_a_feed", "cannot be read"),
        ("used_up", "cannot be read"),
    ],
)
def test_a_fault_is_an_error_that_says_what_happened(fault: str, told: str) -> None:
    """Once it is over, all is well."""
    with serving(Rule(fault=fault, times=6 if fault == "redirect_loop" else 1)) as service:
        with pytest.raises(SourceFailedError, match=told):
            fetched(service)
        if fault != "down":
            assert [one.title for one in fetched(service)] == [APPLE.title, COIN.title]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("empty_title", {"title": ""}),
        ("undated", {"published": ""}),
        ("future", {"published": "Wed, 08 Apr 2026 14:30:00 +0000"}),
        ("ancient", {"published": "Thu, 01 Jan 1970 14:30:00 +0000"}),
        ("wrong_encoding", {}),
    ],
)
def test_a_fault_of_what_is_told_comes_through_as_it_is(fault: str, expected: dict[str, str]) -> None:
    """It is for who reads articles to judge it."""
    with serving(Rule(fault=fault, times=1)) as service:
        struck, honest = fetched(service), fetched(service)
    assert struck[0] == honest[0].model_copy(update=expected)


@pytest.mark.parametrize("fault", ["bad_xml", "cut_document"])
def test_of_a_broken_document_the_first_story_is_read(fault: str) -> None:
    """The reader falls back to one that forgives."""
    with serving(Rule(fault=fault)) as service:
        assert any(APPLE.title in one.title for one in fetched(service))


def test_a_silent_feed_has_nothing() -> None:
    """Which is no error."""
    with serving(Rule(fault="silent")) as service:
        assert fetched(service) == ()


def test_every_fault_is_tried_here() -> None:
    """A new one fails until a test above has it."""
    source = Path(__file__).read_text("utf-8")
    assert [fault for fault in FAULTS if f'"{fault}"' not in source] == []


def test_a_rule_strikes_its_kind_from_its_turn_on_and_as_often_as_it_says() -> None:
    """Other kinds are honest."""
    with serving(Rule(fault="http_500", on="atom", nth=2, times=2)) as service:
        got = [httpx.get(service.url + path, trust_env=False).status_code for path in ("/atom", "/rss", "/atom", "/atom", "/atom")]
    assert got == [200, 200, 500, 500, 200]


def test_what_was_asked_is_kept_without_its_keys() -> None:
    """And more stories can be handed in."""
    with serving() as service, httpx.Client(base_url=service.url, trust_env=False) as client:
        assert client.post("/__articles", json={"title": "More", "symbols": ["TSLA"]}).json() == {"added": 1}
        assert client.post("/__articles", content=b"{").status_code == 422
        assert client.post("/__articles", json={"titel": "x"}).status_code == 422
        found = client.get("/query", params={"apikey": "s3cret", "tickers": "TSLA"}).json()
        client.get("/v2/everything", headers={"X-Api-Key": "s3cret"})
        evidence = client.get("/__evidence")
    assert [one["title"] for one in found["feed"]] == ["More"]
    assert "s3cret" not in evidence.text
    assert [one["kind"] for one in evidence.json()] == ["alpha_vantage", "newsapi"]


@pytest.mark.parametrize(("kind", "status"), [("newsapi", 401), ("alpha_vantage", 200), ("alpaca", 401), ("rss", 200)])
def test_vendors_demand_a_key(kind: str, status: int) -> None:
    """In their own way; feeds do not."""
    with serving() as service:
        got = httpx.get(service.url + PATHS[kind], trust_env=False)
    assert (got.status_code, "apple" in got.text.lower()) == (status, kind == "rss")


def test_alpaca_s_own_library_reads_it() -> None:
    """With its own models, page by page."""
    many = [APPLE.model_copy(update={"url": f"https://news.example/{n}"}) for n in range(60)]
    with serving(stories=many) as service:
        client = NewsClient("PK", "offline", url_override=service.url)
        got = client.get_news(NewsRequest(symbols="AAPL", start=NOW - timedelta(days=1), limit=55))
        client._session.close()
    assert isinstance(got, NewsSet)
    assert (len(got.data["news"]), got.data["news"][0].headline) == (55, APPLE.title)


def test_invented_stories_are_the_seed_s_and_come_with_time() -> None:
    """A quarter of them tell the one before again, under a name and an address of its own."""
    told = Invented(7, ["AAPL", "MSFT"], NOW, timedelta(seconds=10))
    first, later = told(NOW), told(NOW + timedelta(seconds=25))
    assert list(Invented(7, ["AAPL", "MSFT"], NOW, timedelta(seconds=10))(NOW)) == list(first)
    assert (len(first), later[2:] == list(first[:98]), later[0].published) == (100, True, (NOW + timedelta(seconds=20)).isoformat())
    again = [one.title == two.title for one, two in pairwise(first)]
    assert 10 < sum(again) < 60
    assert len({one.url for one in first}) == 100


def test_stories_are_read_from_a_file(tmp_path: Path) -> None:
    """CSV with a header, or a YAML list; symbols are words."""
    (tmp_path / "a.csv").write_text('title,published,symbols\n"One, two",2026-03-09T14:00:00Z,AAPL BTC/USD\nThree,,\n')
    (tmp_path / "a.yaml").write_text("- {title: 'One, two', published: 2026-03-09T14:00:00Z, symbols: [AAPL, BTC/USD]}\n- {title: Three}\n")
    one = Story(title="One, two", published="2026-03-09T14:00:00Z", symbols=("AAPL", "BTC/USD"))
    assert load_stories(tmp_path / "a.csv") == load_stories(tmp_path / "a.yaml") == (one, Story(title="Three"))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "titel\nx\n", "a.csv, line 2: titel"),
        ("a.csv", "title\nx,y\n", "a.csv, line 2"),
        ("a.yaml", "- {titel: x}", "a.yaml, line 1: titel"),
        ("a.yaml", "title: x", "a list of stories is wanted"),
        ("a.yaml", "- x: [", "not valid YAML"),
    ],
)
def test_a_file_of_stories_that_cannot_be_read_says_where(tmp_path: Path, name: str, text: str, told: str) -> None:
    """File, line and key."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=told):
        load_stories(tmp_path / name)


def test_a_fault_that_is_not_known_is_refused(tmp_path: Path) -> None:
    """With those that are."""
    (tmp_path / "faults.yaml").write_text("- {fault: http_500, on: rss}\n- {fault: nonsense}\n")
    with pytest.raises(ConfigError, match=r"line 2: fault nonsense is not known; known are empty_title"):
        load(tmp_path / "faults.yaml")


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """What it prints is enough to configure a desk."""
    articles = tmp_path / "a.yaml"
    articles.write_text("- {title: From a file, published: 2026-03-09T14:00:00Z}\n")
    command = [sys.executable, "-m", "trading_bot", "sandbox", "news", "--port", "0", "--articles", str(articles)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        told = "".join(process.stdout.readline() for _ in range(9))
        try:
            found = re.search(r"url: '(http://127\.0\.0\.1:\d+)/rss'", told)
            assert found is not None, told
            assert "From a file" in httpx.get(f"{found[1]}/rss", trust_env=False).text
            assert json.loads(httpx.get(f"{found[1]}/__evidence", trust_env=False).text)[0]["kind"] == "rss"
        finally:
            process.send_signal(signal.SIGINT)
            ended = process.wait(20)
    assert ended == 0


@pytest.mark.parametrize(
    ("options", "told"), [(["--symbols", ","], "--symbols"), (["--every", "0"], "--every"), (["--faults", "no"], "--faults")]
)
def test_wrong_options_are_told(options: list[str], told: str) -> None:
    """And nothing is served."""
    result = CliRunner().invoke(sandbox, ["news", "--port", "0", *options])
    assert (result.exit_code, told in result.output) == (2, True)
