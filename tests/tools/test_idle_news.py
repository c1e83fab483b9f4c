"""The news of a home that no desk runs on: shown to a person's session with headlines, and never in the way of anything else."""

from datetime import timedelta
from pathlib import Path

import pytest

from tools.written_news import WRITTEN
from trading_bot.bootstrap.tools import open_desk
from trading_bot.storage.home import Home
from trading_bot.storage.news import NewsStore
from trading_bot.tools.calling import answer
from trading_bot.tools.registry import tool_named

YEARS = timedelta(days=36_500)


def test_a_home_shows_its_news_to_a_persons_session(tmp_path: Path) -> None:
    """Whoever wrote them there."""
    home = Home(tmp_path)
    with NewsStore.open(home.news) as store, store.writing() as page:
        page.add([article.kept() for article in WRITTEN])
    with open_desk(home, tmp_path) as desk:
        seen = desk.scope()
        assert (seen.headlines, seen.models) == (True, None)
        assert seen.news is not None
        assert len(seen.news.articles(None, YEARS, 99)) == len(WRITTEN)
        assert not answer(tool_named("get_news"), seen, {}).failed


def test_a_home_without_news_is_left_without(tmp_path: Path) -> None:
    """To look makes no store."""
    with open_desk(Home(tmp_path), tmp_path) as desk:
        assert desk.scope().news is None
    assert list(tmp_path.iterdir()) == []


def test_news_that_cannot_be_read_hide_no_position(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says what is wrong with them."""
    (tmp_path / "news.db").write_text("this is no database\n" * 100, "utf-8")
    with open_desk(Home(tmp_path), tmp_path) as desk:
        seen = desk.scope()
        assert not answer(tool_named("get_positions"), seen, {}).failed
        assert answer(tool_named("get_news"), seen, {}).failed
    assert "the news cannot be read" in caplog.text
