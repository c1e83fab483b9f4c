"""Who reads better than the embedded tiers, and what it may cost: local models, DeepSeek, Claude, with the ledger that counts them.

Promises that a tier which is not configured, or has no key, is not there, and that no ledger is opened for what costs nothing.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from trading_bot.bootstrap.claude import build_manager
from trading_bot.bootstrap.news import called, new_nonce, scale_of
from trading_bot.bootstrap.stake import Stakes
from trading_bot.config import Config
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.news import Tier
from trading_bot.domain.values import ZERO
from trading_bot.execution.clock import SystemWallClock
from trading_bot.llm.budget import READING, Budget, ledger_time
from trading_bot.llm.cassette import Shelf
from trading_bot.llm.claude_reading import ClaudeReader
from trading_bot.llm.deepseek import KEY, DeepSeekReader
from trading_bot.llm.metering import MeteredModel
from trading_bot.llm.ollama_pool import OllamaPool
from trading_bot.llm.ollama_reading import OllamaReader
from trading_bot.news.as_of import StoredNews
from trading_bot.news.escalator import Escalator
from trading_bot.news.lexicon import Lexicon
from trading_bot.news.linear import Linear
from trading_bot.news.names import names
from trading_bot.ports import SentimentModel, ToolAccess, ToolGrant
from trading_bot.storage.home import Home
from trading_bot.storage.news import NewsStore
from trading_bot.storage.spending import SpendingLedger

_DAY = timedelta(days=1)


class Readers(ExitStack):
    """Every tier of a home that is there. Use it as a context: the ledger is closed at its end."""

    def __init__(self, config: Config, home: Home, pool: OllamaPool | None, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._config = config
        self._home = home
        self._wall = SystemWallClock()
        self._ledger: SpendingLedger | None = None
        lexicon = Lexicon()
        self.reading: list[SentimentModel] = [lexicon]
        """Who reads every article, cheapest first."""
        if Tier.LINEAR in config.news.tiers and home.sentiment_model.exists():
            self.reading.append(Linear(home.sentiment_model, lexicon))
        self.climbing: dict[Tier, SentimentModel] = {}
        """Who is asked about what climbs."""
        if Tier.OLLAMA in config.news.tiers and pool is not None:
            local = OllamaReader(pool, new_nonce, config.news.escalation.disagreement, beside=lexicon)
            self.reading.append(MeteredModel(local, self._spending(), self._wall, new_nonce))
            self.climbing[Tier.OLLAMA] = self.reading[-1]
        if Tier.DEEPSEEK in config.news.tiers and environment.get(KEY, "").strip():
            budget = Budget(self._spending(), config.budget, self._wall, Tier.DEEPSEEK)
            self.climbing[Tier.DEEPSEEK] = DeepSeekReader(config.deepseek, environment[KEY], budget, new_nonce, time.monotonic)
        if Tier.CLAUDE in config.news.tiers and shutil.which(config.claude.binary):
            manager = build_manager(config, home, _NoTools(), self._spending(), self._wall, Shelf(home.cassettes))
            self.climbing[Tier.CLAUDE] = ClaudeReader(manager, config.claude, self._wall.now, new_nonce)

    def _spending(self) -> SpendingLedger:
        if self._ledger is None:
            self._ledger = self.enter_context(SpendingLedger.open(self._home.database))
        return self._ledger

    def spent(self, tier: Tier) -> Decimal:
        """USD that a tier's readings have cost since yesterday: a call that goes on over midnight counts too.

        Neither the desk's own questions nor what another worker has only set aside.
        """
        if self._ledger is None:
            return ZERO
        with self._ledger.reading() as page:
            today = ledger_time(page, self._wall).date()
            calls = (c for c in page.only(tier).of_days(today - _DAY, today) if c.workflow == READING)
            return sum((c.settlement.cost_usd for c in calls if c.settlement is not None), ZERO)


class _NoTools:
    """A `ToolHost` without a tool: who reads a stranger's text can do nothing."""

    def open(self, grant: ToolGrant) -> AbstractContextManager[ToolAccess]:
        """Refuse."""
        raise ToolFailedError(f"a reader of news has no tools, and was to get {', '.join(grant.tools)}")

    def schemas(self, tools: Sequence[str]) -> Sequence[dict[str, object]]:
        """None, of none."""
        if tools:
            raise ToolFailedError(f"a reader of news has no tools, and was to get {', '.join(tools)}")
        return ()


def build_escalator(config: Config, home: Home, operator: Path, store: NewsStore, readers: Readers) -> Escalator:
    """Return who climbs for a home."""
    wall = SystemWallClock()
    view = StoredNews(store, wall.now, scale_of(config))
    stakes = Stakes(home, operator, wall.now)
    return Escalator(store, view, readers.climbing, stakes.of, readers.spent, called(names()), config.news)
