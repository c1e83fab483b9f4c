"""Figures: how long each tool takes on 128 symbols, through the call that checks, caps and stamps. `make bench`.

The recorded symbols where they are, else invented ones; bars are read before. Cold is the first scan of a view that has computed
nothing; the other calls come at a new minute every second time.
"""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trading_bot.domain.values import Symbol
    from trading_bot.ports import MarketSource
    from trading_bot.tools.registry import Tool
    from trading_bot.tools.scope import Scope

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
ROUNDS = 100


def _market(now: Callable[[], datetime]) -> "Scope":
    """The tests' small desk, looking at the 128 recorded symbols or, without them, at as many invented ones."""
    from builders import mandate
    from tools.scopes import XNYS, scope
    from trading_bot.domain.market import Timeframe
    from trading_bot.market.view import AsOfView

    source, symbols = _recorded() if DATA.is_dir() else _invented()
    for symbol in symbols:
        source.bars(symbol, Timeframe.DAY)
    return scope(view=AsOfView(source, now), universe=symbols, mandate=mandate(universe=symbols), calendar=XNYS, propose=lambda _: "kept")


def _recorded() -> "tuple[MarketSource, tuple[Symbol, ...]]":
    import pandas as pd

    from trading_bot.domain.instrument import Instrument
    from trading_bot.domain.values import Symbol
    from trading_bot.market.calendar import open_calendar
    from trading_bot.settings import FileSettings
    from trading_bot.sources.files import FileSource

    folder = DATA / "us_daily_wide"
    symbols = pd.read_parquet(next(folder.glob("*.parquet")), columns=["symbol"])["symbol"].unique()
    source = FileSource([FileSettings(path=folder)], lambda s: Instrument(symbol=s), open_calendar, Decimal(2))
    return source, tuple(sorted(map(Symbol, symbols)))


def _invented() -> "tuple[MarketSource, tuple[Symbol, ...]]":
    from trading_bot.domain.instrument import Instrument
    from trading_bot.domain.market import Timeframe
    from trading_bot.domain.values import Symbol
    from trading_bot.market.calendar import open_calendar
    from trading_bot.settings import SyntheticSettings
    from trading_bot.sources.synthetic import SyntheticSource

    settings = SyntheticSettings(start=date(2018, 1, 2), timeframe=Timeframe.DAY, annual_volatility=0.28)
    source = SyntheticSource(7, settings, lambda s: Instrument(symbol=s), open_calendar, Decimal(2), lambda: date(2024, 3, 28))
    return source, tuple(Symbol(f"S{n:03d}") for n in range(128))


def _asked(scope: "Scope", tool: "Tool", symbol: "Symbol") -> dict[str, Any]:
    """What a tool is asked: every field that it needs, about `symbol`, at prices of now."""
    quote = scope.view.quote(symbol)
    price = float(quote.mid) if quote is not None else 100.0
    every = {"symbol": symbol, "entry": price, "stop": 0.95 * price, "confidence": 0.5, "thesis": "a figure", "lookback": 100}
    if tool.name in {"get_position_details", "get_trade_history"}:
        every["symbol"] = "HELD"
    return {name: value for name, value in every.items() if name in tool.query.model_fields}


def lines() -> list[str]:
    """One line for each figure: p50 and p95 of each tool while the clock goes on by a minute a call, and the two scans."""
    sys.path.insert(0, str(ROOT / "tests"))
    from builders import NOW
    from trading_bot.tools.calling import answer
    from trading_bot.tools.registry import TOOLS, tool_named

    moment = [NOW]
    scope = _market(lambda: moment[0])
    symbols = scope.universe

    def timed(name: str, arguments: dict[str, Any]) -> float:
        begin = time.perf_counter()
        call = answer(tool_named(name), scope, arguments)
        taken = 1e3 * (time.perf_counter() - begin)
        if call.failed:
            raise RuntimeError(f"{name}: {call.result}")
        return taken

    told = [f"{f'scan_momentum, {len(symbols)} symbols, cold':<44} {timed('scan_momentum', {}):7.1f} ms  (goal under 1,000 ms)"]
    for tool in TOOLS:
        taken = []
        for number in range(ROUNDS):
            moment[0] += timedelta(seconds=60 if number % 2 else 0)
            taken.append(timed(tool.name, _asked(scope, tool, symbols[number % len(symbols)])))
        middle, late = statistics.median(taken), sorted(taken)[int(0.95 * ROUNDS) - 1]
        goal = "goal p95 under 150 ms, warm" if tool.name == "scan_momentum" else "goal p95 under 50 ms"
        told.append(f"{tool.name:<44} p50 {middle:5.1f} ms, p95 {late:5.1f} ms  ({goal})")
    return told


def main() -> None:
    """Print every figure."""
    for line in lines():
        print(line)


if __name__ == "__main__":
    main()
