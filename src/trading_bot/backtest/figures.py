"""How figures of a performance are named and written for people, in every report, comparison and table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from trading_bot.backtest.statistics import Performance

UNKNOWN = "not defined"
Number = float | Decimal | int
Write = Callable[[Number], str]


def percent(value: Number) -> str:
    """0.05 as `5.00 %`."""
    return f"{value:.2%}".replace("%", " %")


def number(value: Number) -> str:
    """Two decimals."""
    return f"{value:,.2f}"


def count(value: Number) -> str:
    """A whole number."""
    return f"{value:,.0f}"


@dataclass(frozen=True)
class Form:
    """A field of `Performance`, its name for people, and how it is written. `of_trades`: buy and hold has none."""

    field: str
    name: str
    write: Write
    of_trades: bool = False

    def of(self, performance: Performance) -> Number | None:
        """The figure itself."""
        value: Number | None = getattr(performance, self.field)
        return value

    def told(self, value: Number | None) -> str:
        """The figure in words; `UNKNOWN` where there is none."""
        return UNKNOWN if value is None else self.write(value)


FORMS = (
    Form("total_return", "Total return", percent),
    Form("cagr", "Growth a year (CAGR)", percent),
    Form("volatility", "Volatility a year", percent),
    Form("sharpe", "Sharpe ratio", number),
    Form("sortino", "Sortino ratio", number),
    Form("calmar", "Calmar ratio", number),
    Form("max_drawdown", "Maximum drawdown", percent),
    Form("max_drawdown_sessions", "Its length in sessions", count),
    Form("exposure", "Mean exposure by equity", percent),
    Form("time_in_market", "Time in the market", percent),
    Form("trades", "Closed trades", count, of_trades=True),
    Form("win_rate", "Win rate", percent, of_trades=True),
    Form("profit_factor", "Profit factor", number, of_trades=True),
    Form("expectancy", "Mean profit of a trade", number, of_trades=True),
    Form("average_win", "Mean win", number, of_trades=True),
    Form("average_loss", "Mean loss", number, of_trades=True),
    Form("turnover", "Turnover a year", number, of_trades=True),
    Form("costs", "Fees", number, of_trades=True),
)


def named(symbols: Iterable[str], most: int = 6) -> str:
    """Symbols in a line, the rest of many as a number."""
    every = list(symbols)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
