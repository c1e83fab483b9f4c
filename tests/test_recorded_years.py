"""Recorded years through the real desk and the real venue: returns by hand, splits under resting brackets, money to the cent."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from recorded import Run, backtest
from trading_bot import config
from trading_bot.bootstrap.sources import instrument_of
from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.venue_store import MemoryVenueStore
from trading_bot.domain.events import BookedEvent, CashReason, CashUpdate, OrderUpdate
from trading_bot.domain.market import Timeframe
from trading_bot.domain.orders import ApprovedOrder, Leg, OrderClass, OrderRole, OrderSpec, OrderType, Side, TimeInForce
from trading_bot.domain.records import EquityPoint, TaskRun, TaskStatus
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId, Symbol, VerdictId
from trading_bot.execution.clock import SimulatedClock
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource

CORE = ("AAPL", "SPY", "QQQ", "TSLA", "NVDA")
THIRTY = "us_daily_universe30"
RICH = Decimal(10_000_000)
FREE = {"broker.cash": str(RICH), "broker.fees": "none", "broker.slippage_bps": "0", "broker.participation": "1"}


class Holder:
    """The venue without costs, on files, and an order that buys a hundred shares at the opening of `first`."""

    def __init__(self, folder: Path, symbol: str, first: date) -> None:
        settings = config.load(flags=FREE)
        self.symbol = Symbol(symbol)
        self.source = FileSource([FileSettings(path=folder)], partial(instrument_of, settings), open_calendar, Decimal(0))
        self.clock = SimulatedClock(open_calendar("XNYS").hours(first)[0])
        self.broker = PaperBroker(MemoryVenueStore(), self.source, open_calendar, self.clock, settings.broker)

    def buy(self, stop: Decimal | None = None, target: Decimal | None = None) -> Decimal:
        """Buy a hundred at the market and return the price; with exits if `stop` and `target` are given."""
        legs = [
            None if p is None else Leg(client_order_id=ClientOrderId(name), price=p) for name, p in (("stop", stop), ("target", target))
        ]
        spec = OrderSpec(
            client_order_id=ClientOrderId("entry"),
            symbol=self.symbol,
            side=Side.BUY,
            type=OrderType.MARKET,
            order_class=OrderClass.SIMPLE if stop is None else OrderClass.BRACKET,
            quantity=Decimal(100),
            time_in_force=TimeInForce.DAY,
            role=OrderRole.ENTRY,
            stop_loss=legs[0],
            take_profit=legs[1],
        )
        approval = {"verdict_id": VerdictId("v"), "proposal_id": ProposalId("p"), "decision_id": DecisionId("d")}
        return self.broker.submit(ApprovedOrder(spec=spec, digest=ApprovedOrder.digest_of(spec, None), **approval)).average_price

    def at(self, moment: datetime) -> Decimal:
        """Go to `moment` and return the equity."""
        self.clock.sleep_until(moment)
        return self.broker.account().equity

    def price(self, day: date, column: str) -> Decimal:
        """What traded."""
        return _traded(self.source.bars(self.symbol, Timeframe.DAY), day, column)


def _traded(series: BarSeries, day: date, column: str) -> Decimal:
    days = pd.DatetimeIndex(series.frame.index).date
    return Decimal(repr(float(series.frame[column].to_numpy()[days == day][0])))


def _rows(folder: Path, symbol: str, first: date, last: date) -> pd.DataFrame:
    """The vendor's own lines of a period."""
    own = folder / f"{symbol}.csv"
    if own.exists():
        table = pd.read_csv(own)
    else:
        whole = pd.read_parquet(next(folder.glob("*.parquet")))
        table = whole[whole["symbol"] == symbol]
    days = pd.to_datetime(table["date"]).dt.date
    return table[(days >= first) & (days <= last)]


@pytest.mark.parametrize(
    ("folder", "symbol", "year"),
    [
        *(("us_daily_core", s, y) for s in CORE for y in (2022, 2023, 2024)),
        *((THIRTY, s, 2022) for s in ("AMZN", "GOOGL", "KO", "MSFT")),
        *((THIRTY, s, 2024) for s in ("COST", "CVX", "INTC", "WMT")),
        *((THIRTY, s, 2021) for s in ("NVDA", "PFE", "V")),
    ],
)
def test_buy_and_hold_through_the_venue_earns_what_the_vendors_lines_say(shared: Path, folder: str, symbol: str, year: int) -> None:
    """On split-adjusted lines: last close and later dividends over the first open. Splits of the year included."""
    data = shared / "data" / folder
    sessions = open_calendar("XNYS").sessions(date(year, 1, 1), date(year, 12, 31))
    rows = _rows(data, symbol, sessions[0], sessions[-1])
    by_hand = (rows["close"].iloc[-1] + rows["dividend"].iloc[1:].sum()) / rows["open"].iloc[0] - 1
    holder = Holder(data, symbol, sessions[0])
    paid = 100 * holder.buy()
    earned = holder.at(open_calendar("XNYS").hours(sessions[-1])[1]) - RICH
    assert float(earned / paid) == pytest.approx(by_hand, abs=2e-4)


def test_apple_held_over_2024_makes_the_published_return(shared: Path) -> None:
    """34.34 % from the open of January 2 to the last close, dividends as cash."""
    holder = Holder(shared / "data/us_daily_core", "AAPL", date(2024, 1, 2))
    paid = 100 * holder.buy()
    earned = holder.at(datetime.fromisoformat("2024-12-31T21:00Z")) - RICH
    assert round(100 * earned / paid, 2) == Decimal("34.34")


@pytest.mark.parametrize(
    ("symbol", "ex", "ratio"),
    [
        ("AAPL", "2020-08-31", 4),
        ("TSLA", "2020-08-31", 5),
        ("NVDA", "2021-07-20", 4),
        ("AMZN", "2022-06-06", 20),
        ("GOOGL", "2022-07-18", 20),
        ("TSLA", "2022-08-25", 3),
        ("WMT", "2024-02-26", 3),
        ("NVDA", "2024-06-10", 10),
    ],
)
def test_a_split_under_a_resting_bracket_moves_nothing_but_the_units(shared: Path, symbol: str, ex: str, ratio: int) -> None:
    """Stop, target and shares in new units at the opening; equity moves by the market's own move alone."""
    calendar, day = open_calendar("XNYS"), date.fromisoformat(ex)
    before = calendar.previous_session(day)
    holder = Holder(shared / "data" / THIRTY, symbol, calendar.previous_session(before))
    opening = holder.price(calendar.previous_session(before), "open")
    stop, target = round(opening * Decimal("0.8"), 2), round(opening * Decimal("1.3"), 2)
    holder.buy(stop, target)
    last = holder.at(calendar.hours(before)[1])
    first = holder.at(calendar.hours(day)[0])
    assert [p.quantity for p in holder.broker.positions()] == [100 * ratio]
    assert {o.role: (o.stop_price or o.limit_price, o.remaining) for o in holder.broker.open_orders()} == {
        OrderRole.STOP_LOSS: (round(stop / ratio, 2), Decimal(100 * ratio)),
        OrderRole.TAKE_PROFIT: (round(target / ratio, 2), Decimal(100 * ratio)),
    }
    assert first - last == 100 * ratio * holder.price(day, "open") - 100 * holder.price(before, "close")


def test_a_split_on_a_day_without_a_bar_leaves_equity_and_view_in_one_unit(shared: Path, tmp_path: Path) -> None:
    """NVDA's ten for one with its first day lost: until the next price the last one counts, divided by ten."""
    rows = pd.read_csv(shared / "data/us_daily_core/NVDA.csv")
    rows.loc[rows["date"] == "2024-06-10", ["open", "high", "low", "close"]] = float("nan")
    rows.to_csv(tmp_path / "NVDA.csv", index=False)
    holder = Holder(tmp_path, "NVDA", date(2024, 6, 6))
    view = AsOfView(holder.source, holder.clock.now)
    holder.buy()
    last = holder.at(datetime.fromisoformat("2024-06-07T20:00Z"))
    before = view.quote(holder.symbol)
    assert holder.at(datetime.fromisoformat("2024-06-10T13:30Z")) == pytest.approx(last, abs=5)
    after = view.quote(holder.symbol)
    assert before is not None
    assert after is not None
    assert (before.mid, after.mid, after.time) == (Decimal("1208.88"), Decimal("120.89"), before.time)
    assert holder.broker.account().buying_power == pytest.approx(last - 1000 * after.mid, abs=10)


@pytest.fixture(scope="module")
def three_years(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """2022 to 2024 of the five."""
    return backtest(tmp_path_factory.mktemp("home"), [shared / "data/us_daily_core"], CORE, date(2022, 1, 3), date(2024, 12, 31))


def _events(run: Run) -> list[OrderUpdate | CashUpdate]:
    events = [row.event for row in run.assembly.journal.all(BookedEvent)]
    return [e for e in events if isinstance(e, OrderUpdate | CashUpdate)]


def _value(run: Run, quantities: dict[Symbol, Decimal], day: date) -> Decimal:
    """What is held, at the closes that traded."""
    bars = run.assembly.source.bars
    return sum((q * _traded(bars(s, Timeframe.DAY), day, "close") for s, q in quantities.items()), Decimal(0))


def test_every_close_is_cash_and_shares_at_what_traded(three_years: Run) -> None:
    """Cash is the fold of fills, fees and dividends, equity adds the shares at the close, half a spread and a tick of doubt each."""
    points = [p for p in three_years.assembly.journal.all(EquityPoint) if p.label == "close"]
    events, cash, held = iter([*_events(three_years), None]), Decimal(0), dict[Symbol, Decimal]()
    event = next(events)
    for point in points:
        while event is not None and event.at <= point.at:
            if isinstance(event, CashUpdate):
                cash += event.amount
            elif (fill := event.fill) is not None:
                cash -= fill.side.sign * fill.quantity * fill.price + fill.fee
                held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + fill.side.sign * fill.quantity
            event = next(events)
        assert point.cash == cash
        assert point.cash > 0
        assert abs(point.equity - cash - _value(three_years, held, point.session)) <= sum(held.values()) * Decimal("0.01")
    assert len(points) == 753


def test_the_change_of_equity_is_what_trades_shares_and_income_made(three_years: Run) -> None:
    """Profit of closed trades (after fees), of what is still open, and dividends: to the cent."""
    ledger = three_years.assembly.desk.engine.ledger
    points = [p for p in three_years.assembly.journal.all(EquityPoint) if p.label == "close"]
    fills = [e.fill for e in _events(three_years) if isinstance(e, OrderUpdate) and e.fill is not None]
    income = sum(e.amount for e in _events(three_years) if isinstance(e, CashUpdate) and e.reason is not CashReason.DEPOSIT)
    closed = sum(trade.profit for trade in ledger.trades.closed)
    last = {t.symbol: t.closed_at for t in ledger.trades.closed}
    running = [f for f in fills if f.symbol in ledger.books.positions and (f.symbol not in last or f.at > last[f.symbol])]
    still_open = _marked(three_years) - sum(f.side.sign * f.quantity * f.price + f.fee for f in running)
    assert len(ledger.trades.closed) > 100
    assert income > 0
    assert points[-1].equity - ledger.deposit == closed + still_open + income


def _marked(run: Run) -> Decimal:
    engine = run.assembly.desk.engine
    marks = engine.marks()
    return sum((p.market_value(marks[s]) for s, p in engine.ledger.books.positions.items()), Decimal(0))


def test_no_task_of_three_years_fails_and_no_share_is_without_its_stop(three_years: Run) -> None:
    """No failure, no drift, and every open position in the report is protected."""
    runs = three_years.assembly.journal.all(TaskRun)
    assert [r.reason for r in runs if r.status is TaskStatus.FAILED] == []
    assert all(p["protected"] for p in three_years.report()["open_positions"])


def test_prices_that_cannot_be_brought_back_are_marked_in_the_report(shared: Path, tmp_path: Path) -> None:
    """Fully adjusted files say so for every symbol."""
    run = backtest(tmp_path, [shared / "data/us_daily_wide"], ("AAPL", "A", "ACN"), date(2023, 1, 3), date(2023, 3, 31))
    assert {row["prices"] for row in run.report()["data"]} == {"not as traded"}


def _command(home: Path, folder: Path, *arguments: str, seed: str) -> bytes:
    """Standard output of a command in its own process, with its own hash seed, working directory and home."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "TRADING_BOT_HOME": str(home), "PYTHONHASHSEED": seed}
    command = [sys.executable, "-m", "trading_bot", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True).stdout  # noqa: S603 - our own command


def test_the_same_run_twice_gives_the_same_bytes(shared: Path, tmp_path: Path) -> None:
    """Report and export, under other hash seeds, from other folders, into other homes."""
    made = []
    for seed in ("0", "4711"):
        home, folder = tmp_path / f"home{seed}", tmp_path / f"cwd{seed}"
        arguments: Sequence[str] = ("--source", "files", "--data", str(shared / "data/us_daily_core"), "--symbols", ",".join(CORE))
        period = ("--start", "2024-05-01", "--end", "2024-06-28")
        _command(home, folder, "orchestrator", "--orchestrator-mode", "backtest", *arguments, *period, seed=seed)
        (report,) = (home / "logs/reports").glob("backtest_*.json")
        made.append((report.name, report.read_bytes(), _command(home, folder, "journal", "export", seed=seed)))
    assert made[0] == made[1]
    assert json.loads(made[0][1])["trades"]
