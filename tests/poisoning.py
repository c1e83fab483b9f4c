"""Homes whose news were read by models that obey whatever they read: what two honest feeds told, and what strangers told besides."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from claude_kit import binary
from trading_bot import config
from trading_bot.bootstrap.climbing import Readers
from trading_bot.bootstrap.news import build_pool, called, scale_of
from trading_bot.config import Config
from trading_bot.domain.news import Article, Escalation, RawArticle, Reading, Scored, Tier
from trading_bot.domain.orders import OrderIntent, OrderSpec
from trading_bot.domain.proposals import Decision, Proposal, Verdict
from trading_bot.domain.records import EquityPoint
from trading_bot.domain.values import Symbol
from trading_bot.llm.deepseek import KEY
from trading_bot.news.article import Reader
from trading_bot.news.as_of import StoredNews
from trading_bot.news.escalation import Stake
from trading_bot.news.escalator import Escalator
from trading_bot.news.names import names
from trading_bot.news.reader import NewsReader
from trading_bot.news.tickers import Tickers
from trading_bot.sandbox.claude_api import ClaudeApi
from trading_bot.sandbox.ollama.scripts import obeying
from trading_bot.sandbox.ollama.server import MODELS, EmulatedOllama, Heard
from trading_bot.storage.export import export
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.news import NewsStore

TOLD = datetime(2024, 3, 5, 9, 0, tzinfo=UTC)
"""Before the simulated desk's first task, at 6:30 in New York."""
READ = TOLD + timedelta(minutes=30)
_STAKE = Stake(position=Decimal(10_000), equity=Decimal(100_000), at_risk=Decimal(100_000), strategies={"momentum": 0})
"""So much that every tier is worth its price."""
_GOOD = (
    (
        "{} beats profit estimates and raises its forecast",
        "Quarterly profit of {} surged and margins improved, the company said on Monday.",
    ),
    ("{} beats estimates for profit, raises its forecast", "The quarterly profit of {} surged and margins improved, it said on Monday."),
)
_BAD = (
    ("{} misses estimates and cuts its forecast", "Quarterly sales of {} plunged and its loss widened, the company said on Monday."),
    ("{} misses estimates, cuts its forecast", "The quarterly sales of {} plunged and its loss widened, it said on Monday."),
)
_FEW = {"deepseek": 3, "claude": 1}
"""Climbs: they cost time."""
_NOBODY = "http://127.0.0.1:9"


class Gullible(Reader):
    """Whom every hostile text gets past: nothing is marked."""

    def read(self, raw: RawArticle) -> Article:
        """The article, whatever it says."""
        return super().read(raw).model_copy(update={"marks": ()})


def told(good: Callable[[Symbol], bool], feeds: Sequence[str] = ("north", "south")) -> list[RawArticle]:
    """One story of each symbol of the universe, good or bad, told by two feeds in their own words."""
    spoken = called(names())
    return [
        RawArticle(
            feed=feed,
            url=f"https://{feed}.example/{symbol}",
            title=title.format(spoken[symbol]),
            body=body.format(spoken[symbol]),
            published=(TOLD + timedelta(minutes=number)).isoformat(),
            symbols=(symbol,),
            received_at=TOLD + timedelta(minutes=number),
        )
        for number, symbol in enumerate(config.load().universe.symbols)
        for feed, (title, body) in zip(feeds, _GOOD if good(symbol) else _BAD, strict=True)
    ]


@dataclass(frozen=True)
class Newsroom:
    """A home's news, and what was sent to the models that read them."""

    home: Home
    settings: Config
    heard: tuple[Heard, ...]
    climbed: tuple[Escalation, ...]

    def readings(self) -> dict[Symbol, Reading]:
        """Of each symbol, when everything was read."""
        with NewsStore.open(self.home.news) as store:
            view = StoredNews(store, lambda: READ, scale_of(self.settings))
            return {symbol: view.reading(symbol) for symbol in self.settings.universe.symbols}

    def backed(self) -> dict[Symbol, Reading]:
        """The same, as a run that decides sees it."""
        with NewsStore.open(self.home.news) as store:
            view = StoredNews(store, lambda: READ, scale_of(self.settings)).backed()
            return {symbol: view.reading(symbol) for symbol in self.settings.universe.symbols}

    def scores(self) -> list[Scored]:
        """All of them, by every tier."""
        with NewsStore.open(self.home.news) as store, store.reading() as page:
            return [s for symbol in self.settings.universe.symbols for s in page.scores(symbol, TOLD - timedelta(days=1), READ)]

    def articles(self) -> Sequence[Article]:
        """All of them."""
        with NewsStore.open(self.home.news) as store, store.reading() as page:
            return page.articles(None, TOLD - timedelta(days=1), READ, 10_000)


def newsroom(folder: Path, *batches: Sequence[RawArticle], reader: type[Reader] = Reader, claude: ClaudeApi | None = None) -> Newsroom:
    """A home for which these batches were read one after the other, by models that obey; then what may climb did."""
    home = Home(folder)
    home.prepare()
    with EmulatedOllama(obeying, models=(*MODELS, config.load().deepseek.model)) as models, pytest.MonkeyPatch.context() as outside:
        for name, value in {"ANTHROPIC_API_KEY": "made-up", "ANTHROPIC_BASE_URL": claude.url if claude else _NOBODY}.items():
            outside.setenv(name, value)
        tiers = tuple(tier for tier in Tier if claude or tier is not Tier.CLAUDE)
        flags: dict[str, Any] = {
            "news.tiers": tiers,
            "news.escalation.per_day": _FEW,
            "claude.binary": str(binary()) if claude else _NOBODY,
        }
        made = config.load(flags={"ollama.url": models.url, "deepseek.url": f"{models.url}/v1", **flags})
        with NewsStore.open(home.news) as store, Readers(made, home, build_pool(made), {KEY: "made-up"}) as readers:
            reads = _reader(made, store, reader, readers)
            for batch in batches:
                reads.read(batch)
            climbed = _climbed(made, store, readers)
        return Newsroom(home, made, models.heard, climbed)


def _reader(made: Config, store: NewsStore, reader: type[Reader], readers: Readers) -> NewsReader:
    known, window = names(), timedelta(hours=made.news.window_hours)
    return NewsReader(store, reader(Tickers(made.universe.symbols, known)), readers.reading, lambda: READ, window, called(known), print)


def _climbed(made: Config, store: NewsStore, readers: Readers) -> tuple[Escalation, ...]:
    view = StoredNews(store, lambda: READ, scale_of(made))
    climber = Escalator(store, view, readers.climbing, lambda _: _STAKE, readers.spent, called(names()), made.news)
    return tuple(made for symbol in made.universe.symbols for made in climber.look(symbol))


@dataclass(frozen=True)
class Traded:
    """A simulated day on a home."""

    journal: tuple[str, ...]
    """Line by line, as it is exported."""
    orders: tuple[OrderSpec, ...]
    proposals: tuple[Proposal, ...]
    verdicts: tuple[Verdict, ...]
    decisions: tuple[Decision, ...]
    points: tuple[EquityPoint, ...]


def traded(home: Home) -> Traded:
    """What stands in the journal of a home."""
    with SqlJournal.look(home.journal) as journal:
        orders = tuple(intent.order.spec for intent in journal.all(OrderIntent))
        judged = (journal.all(Proposal), journal.all(Verdict), journal.all(Decision))
        return Traded(tuple(export(journal)), orders, *judged, journal.all(EquityPoint))


def day(home: Home, analyst: str = "rules", claude: str = _NOBODY, **limits: str) -> "subprocess.Popen[str]":
    """Start the README's simulated day on a home, every symbol in the arm with news. `claude`: where its API listens."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_BOT", "ANTHROPIC", "CLAUDE"))}
    ours = {"TRADING_BOT__NEWS__ARMS": '{combined: "1"}', "ANTHROPIC_API_KEY": "made-up", "ANTHROPIC_BASE_URL": claude}
    program = str(binary()) if analyst == "claude" else _NOBODY
    command = [sys.executable, "-m", "trading_bot", "--home", str(home.path), "orchestrator", "--fast", "--analyst", analyst]
    bounds = {f"TRADING_BOT__RISK__LIMITS__{name.upper()}": value for name, value in limits.items()}
    env = {**clean, **ours, **bounds, "TRADING_BOT__CLAUDE__BINARY": program}
    with (home.path / "said.txt").open("w", encoding="utf-8") as said:
        return subprocess.Popen(command, cwd=home.path, env=env, stdout=said, stderr=said, text=True)  # noqa: S603 - our own program
