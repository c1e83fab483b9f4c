"""The one list of tools: name, toolset, what it does, what goes in, what comes out.

Promises that every server, grant, prompt and test reads this table and no other, and that reading it imports neither pandas nor a
room with numbers in it: implementations are imported at their first call. Refuses to serve what acts to a headless run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.values import Record
from trading_bot.tools import (
    queries,
    queries_backtest,
    queries_news,
    results_backtest,
    results_market,
    results_news,
    results_position,
    results_risk,
)

if TYPE_CHECKING:
    from trading_bot.tools.scope import Scope


_LONGEST_NAME = 64


class Toolset(StrEnum):
    """One stdio server each; the value is the server's name."""

    MARKET_DATA = "market-data"
    POSITION = "position"
    RISK = "risk"
    BACKTEST = "backtest"
    NEWS = "news"
    LOCAL_MODELS = "local-models"


@dataclass(frozen=True)
class Tool:
    """One tool. Its implementation is `trading_bot.tools.<toolset>.<name>(scope, query) -> result`."""

    name: str
    toolset: Toolset
    does: str
    """Told to the model: one sentence, units included."""
    query: type[Record]
    result: type[Record]
    read_only: bool = True

    @property
    def implementation(self) -> "Callable[[Scope, Any], Record]":
        """The function, imported now."""
        module = import_module(f"trading_bot.tools.{self.toolset.name.lower()}")
        function: Callable[[Scope, Any], Record] = getattr(module, self.name)
        return function


_MARKET, _POSITION, _RISK, _BACKTEST, _NEWS, _MODELS = Toolset

TOOLS: tuple[Tool, ...] = (
    Tool("get_quote", _MARKET, "Newest bid and ask.", queries.OfSymbol, results_market.QuoteTold),
    Tool(
        "get_historical",
        _MARKET,
        "Last `lookback` closed bars, adjusted for splits and dividends so far; volume in shares; 100 a page.",
        queries.Historical,
        results_market.HistoricalTold,
    ),
    Tool(
        "get_market_status",
        _MARKET,
        "Whether the market is open, and when it opens or closes next.",
        queries.Nothing,
        results_market.StatusTold,
    ),
    Tool(
        "calculate_indicators",
        _MARKET,
        "Indicators at the newest closed bar and, for 1d, the desk's analysis with score (0-100) and stop.",
        queries.Indicators,
        results_market.IndicatorsTold,
    ),
    Tool(
        "scan_momentum",
        _MARKET,
        "Screen the universe: the best by score (0-100: volume 30, technical 40, trend 20, liquidity 10), the others counted by reason.",
        queries.Scan,
        results_market.ScanTold,
    ),
    Tool(
        "detect_regime",
        _MARKET,
        "Regime of the market and of a symbol, from daily bars.",
        queries.OfSymbolOrMarket,
        results_market.RegimeTold,
    ),
    Tool("get_positions", _POSITION, "Open positions with profit, stop and protection.", queries.Page, results_position.PositionsTold),
    Tool(
        "get_position_details",
        _POSITION,
        "One position: its orders, risk to its stop, why it was opened.",
        queries.OfSymbol,
        results_position.DetailsTold,
    ),
    Tool("get_portfolio_summary", _POSITION, "Equity, cash, profit, drawdown.", queries.Nothing, results_position.SummaryTold),
    Tool("get_buying_power", _POSITION, "What may still be spent, by the books.", queries.Nothing, results_position.BuyingPowerTold),
    Tool(
        "get_trade_history",
        _POSITION,
        "Memory: closed trades, past decisions and what came of them; newest first.",
        queries.History,
        results_position.HistoryTold,
    ),
    Tool(
        "calculate_position_risk",
        _RISK,
        "The desk's plan: entry, stop, targets; with prices, what is right or wrong with them.",
        queries.Prices,
        results_risk.PositionRiskTold,
    ),
    Tool("get_portfolio_exposure", _RISK, "Exposure by symbol and sector, and open risk.", queries.Page, results_risk.ExposureTold),
    Tool(
        "check_trade_rules",
        _RISK,
        "What the gate would say to this trade now, with every rule that speaks.",
        queries.Trade,
        results_risk.RulesTold,
    ),
    Tool(
        "calculate_max_position_size",
        _RISK,
        "Quantity that the mandate allows; without prices, of the desk's plan.",
        queries.Size,
        results_risk.SizeTold,
    ),
    Tool(
        "get_risk_metrics",
        _RISK,
        "The last days: performance, open risk, the mandate's limits, the rules' review.",
        queries.Period,
        results_risk.MetricsTold,
    ),
    Tool(
        "propose_trade",
        _RISK,
        "File a proposal in the desk's inbox; the gate decides under the mandate. Expires after 30 minutes.",
        queries.Propose,
        results_risk.ProposalTold,
        read_only=False,
    ),
    Tool(
        "run_backtest",
        _BACKTEST,
        "A shipped strategy after costs on past daily bars, buy and hold beside it, and whether luck explains it.",
        queries_backtest.Run,
        results_backtest.RunTold,
    ),
    Tool(
        "calculate_metrics",
        _BACKTEST,
        "Every figure of a run, with intervals, checks and risks.",
        queries_backtest.OfRun,
        results_backtest.FiguresTold,
    ),
    Tool(
        "compare_strategies",
        _BACKTEST,
        "2 to 5 strategies with their defaults, ranked by Sharpe ratio.",
        queries_backtest.Compare,
        results_backtest.ComparedTold,
    ),
    Tool(
        "generate_equity_curve",
        _BACKTEST,
        "A run's account over time, thinned; highs and lows stay.",
        queries_backtest.Points,
        results_backtest.CurveTold,
    ),
    Tool(
        "test_parameter_sensitivity",
        _BACKTEST,
        "Sharpe ratios over a grid of one or two parameters, and whether the best cell stands alone.",
        queries_backtest.Sensitivity,
        results_backtest.SensitivityTold,
    ),
    Tool("get_news", _NEWS, "Articles, newest first; sentiment from -1 to 1 for a holder.", queries_news.News, results_news.NewsTold),
    Tool(
        "get_sentiment",
        _NEWS,
        "What the news of a symbol come to (-1 to 1); `backed`: of stories that several feeds tell.",
        queries.OfSymbol,
        results_news.SentimentTold,
    ),
    Tool(
        "get_sentiment_anomalies",
        _NEWS,
        "Symbols whose sentiment lies far from its own mean, in deviations.",
        queries.Page,
        results_news.AnomaliesTold,
    ),
    Tool(
        "get_news_impact",
        _NEWS,
        "What the price did after past stories, by tone and horizon.",
        queries_news.Impact,
        results_news.ImpactTold,
    ),
    Tool("list_models", _MODELS, "Local models, and whether they may be asked.", queries.Nothing, results_news.ModelsTold),
    Tool("classify_text", _MODELS, "Have a local model choose a label for a text.", queries_news.Classify, results_news.Labelled),
    Tool("summarize", _MODELS, "Have a local model summarize a text.", queries_news.Summarize, results_news.Summarized),
    Tool("ask_local_model", _MODELS, "Ask a local model, which has no tools.", queries_news.AskModel, results_news.Answered),
    Tool("get_model_health", _MODELS, "How each local model on each server did.", queries.Page, results_news.HealthTold),
)


def tool_named(name: str) -> Tool:
    """Return the tool called `name`. ToolFailedError tells those whose names are near."""
    names = [tool.name for tool in TOOLS]
    if name in names:
        return TOOLS[names.index(name)]
    near = get_close_matches(name[:_LONGEST_NAME], names) or names
    msg = f"there is no such tool; did you mean {', '.join(near)}?"
    raise ToolFailedError(msg)
