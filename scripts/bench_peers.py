"""Other engines on the same bars, in their own environment (`scripts/peers.txt`): what `bench_research.py` holds ours against.

    python bench_peers.py ENGINE bars.csv spec.json  ->  one line of JSON: seconds of each run, trades, memory

Promises the same rule everywhere: buy at the next opening after the fast average rose above the slow one, sell after it fell below.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

START = time.perf_counter()
warnings.filterwarnings("ignore")


def frame(path: str) -> Any:  # noqa: ANN401 - a DataFrame of the peers' own pandas
    """The bars, capitalised as peers want them."""
    import pandas as pd

    table = pd.read_csv(path, index_col=0, parse_dates=True)
    return table.rename(columns=str.capitalize)


def vectorbt(path: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A sweep of all pairs at once, on the peer's own kernel."""
    import numpy as np
    import vectorbt as vbt

    bars = frame(path)
    pairs = np.array(spec["pairs"])
    lengths = sorted({int(n) for n in pairs.ravel()})

    def once() -> Any:  # noqa: ANN401 - vectorbt's portfolio
        averages = vbt.MA.run(bars["Close"], window=lengths).ma
        column = {n: number for number, n in enumerate(lengths)}
        table = averages.to_numpy()
        fast, slow = table[:, [column[f] for f, _ in pairs]], table[:, [column[s] for _, s in pairs]]
        above = fast > slow
        before = np.vstack([np.zeros((1, above.shape[1]), bool), above[:-1]])
        entries, exits = above & ~before, ~above & before
        # A signal of one bar is carried out at the next one's opening.
        entries, exits = (np.vstack([np.zeros((1, e.shape[1]), bool), e[:-1]]) for e in (entries, exits))
        costs = {"fees": spec["fees"], "slippage": spec["slippage"], "init_cash": spec["cash"]}
        size = {"size": 0.99, "size_type": "percent", "size_granularity": 1}
        made = vbt.Portfolio.from_signals(bars["Close"], entries, exits, price=bars["Open"].to_numpy()[:, None], freq="1d", **size, **costs)
        # The figures of a cell, which ours has too.
        trades = made.trades
        return [
            part.tolist()
            for part in (
                trades.closed.count(),
                made.final_value(),
                made.total_return(),
                made.sharpe_ratio(),
                made.max_drawdown(),
                trades.closed.win_rate(),
                trades.closed.profit_factor(),
            )
        ]

    seconds, made = timed(once, spec["runs"])
    return {"seconds": seconds, "trades": made[0], "final": made[1]}


def backtesting(path: str, spec: dict[str, Any]) -> dict[str, Any]:
    """One run for each pair."""
    import backtesting as peer
    import numpy as np

    peer.backtesting._tqdm = lambda seq, **_: seq  # noqa: SLF001 - its bar costs time that we do not want to count
    bars = frame(path)

    def average(values: Any, n: int) -> Any:  # noqa: ANN401 - arrays of the peer
        total = np.cumsum(np.insert(np.asarray(values, float), 0, 0.0))
        found = np.full(len(values), np.nan)
        found[n - 1 :] = (total[n:] - total[:-n]) / n
        return found

    class Cross(peer.Strategy):  # type: ignore[misc]  # the peer ships no types
        fast, slow = 50, 200

        def init(self) -> None:
            self.quick = self.I(average, self.data.Close, self.fast)
            self.steady = self.I(average, self.data.Close, self.slow)
            self.above = False

        def next(self) -> None:
            above = self.quick[-1] > self.steady[-1]
            if above and not self.above:
                self.buy(size=0.99)
            elif self.above and not above:
                self.position.close()
            self.above = above

    def once() -> list[Any]:
        options = {"cash": spec["cash"], "commission": spec["fees"], "finalize_trades": False}
        return [peer.Backtest(bars, Cross, **options).run(fast=f, slow=s) for f, s in spec["pairs"]]

    seconds, made = timed(once, spec["runs"])
    return {"seconds": seconds, "trades": [int(one["# Trades"]) for one in made], "final": [float(one["Equity Final [$]"]) for one in made]}


def backtrader(path: str, spec: dict[str, Any]) -> dict[str, Any]:
    """One run, bar by bar."""
    import backtrader as bt

    bars = frame(path)
    closed: list[int] = []

    class Cross(bt.Strategy):  # type: ignore[misc]  # the peer ships no types
        def __init__(self) -> None:
            fast, slow = spec["pairs"][0]
            self.quick, self.steady = bt.ind.SMA(period=fast), bt.ind.SMA(period=slow)
            self.above = False

        def next(self) -> None:
            above = self.quick[0] > self.steady[0]
            if above and not self.above:
                self.buy()
            elif self.above and not above:
                self.close()
            self.above = above

        def notify_trade(self, trade: Any) -> None:  # noqa: ANN401 - the peer's trade
            if trade.isclosed:
                closed.append(1)

    def once() -> None:
        closed.clear()
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(bt.feeds.PandasData(dataname=bars))
        cerebro.addstrategy(Cross)
        cerebro.addsizer(bt.sizers.AllInSizerInt, percents=99)
        cerebro.broker.setcash(spec["cash"])
        cerebro.run()

    seconds, _ = timed(once, spec["runs"])
    return {"seconds": seconds, "trades": [len(closed)]}


def nautilus(path: str, spec: dict[str, Any]) -> dict[str, Any]:
    """One run, bar by bar."""
    from collections import deque

    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model import BarType, Money, Quantity, Venue
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    instrument = TestInstrumentProvider.equity(symbol="AAPL", venue="XNYS")
    kind = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    table = frame(path).rename(columns=str.lower)
    table.index = table.index.tz_localize("UTC") if table.index.tz is None else table.index
    bars = BarDataWrangler(kind, instrument).process(table.round(2))
    fast, slow = spec["pairs"][0]

    class Cross(Strategy):  # type: ignore[misc]  # the peer ships no types
        def on_start(self) -> None:
            self.closes: deque[float] = deque(maxlen=slow)
            self.totals = [0.0, 0.0]
            self.above = False
            self.subscribe_bars(kind)

        def on_bar(self, bar: Any) -> None:  # noqa: ANN401 - the peer's bar
            close = float(bar.close)
            if len(self.closes) == slow:
                self.totals[1] -= self.closes[0]
            if len(self.closes) >= fast:
                self.totals[0] -= self.closes[-fast]
            self.closes.append(close)
            self.totals[0] += close
            self.totals[1] += close
            if len(self.closes) < slow:
                return
            above = self.totals[0] / fast > self.totals[1] / slow
            if above != self.above:
                side = OrderSide.BUY if above else OrderSide.SELL
                self.submit_order(self.order_factory.market(instrument.id, side, Quantity.from_int(100)))
            self.above = above

    trades: list[int] = []

    def once() -> None:
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(Venue("XNYS"), OmsType.NETTING, AccountType.CASH, [Money(spec["cash"], USD)], base_currency=USD)
        engine.add_instrument(instrument)
        engine.add_data(bars)
        engine.add_strategy(Cross())
        engine.run()
        trades.append(engine.cache.orders_closed_count() // 2)
        engine.dispose()

    seconds, _ = timed(once, spec["runs"])
    return {"seconds": seconds, "trades": [trades[-1]]}


def timed(work: Callable[[], Any], runs: int) -> tuple[list[float], Any]:
    """Seconds of each of `runs` runs after a first, cold one that stands at the front, and what the last gave."""
    seconds, made = [], None
    for _ in range(runs + 1):
        began = time.perf_counter()
        made = work()
        seconds.append(time.perf_counter() - began)
    return seconds, made


ENGINES = {"vectorbt": vectorbt, "backtesting": backtesting, "backtrader": backtrader, "nautilus": nautilus}


def main() -> None:
    """Run one engine's task and print what it took."""
    engine, path, spec = sys.argv[1:]
    found = ENGINES[engine](path, json.loads(Path(spec).read_text("utf-8")))
    found["cold"] = time.perf_counter() - START - sum(found["seconds"][1:])
    found["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    main()
