"""Tables of a desk that goes round the clock, for people. Everything shown comes from the journal, the books or the ledger of calls."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING

from trading_bot.cli.tables import OUT, new_table, plain, show
from trading_bot.cli.times import told
from trading_bot.domain.events import CashReason, CashUpdate
from trading_bot.domain.orders import OrderRole
from trading_bot.domain.records import Anomaly, TaskRun, TaskStatus
from trading_bot.domain.values import ZERO
from trading_bot.orchestrator.closed_trades import ClosedTrade
from trading_bot.orchestrator.round_status import RoundStatus, TradeNow
from trading_bot.orchestrator.scheduler import LOOK
from trading_bot.storage.database import named
from trading_bot.storage.spending import SpendingLedger

if TYPE_CHECKING:
    from trading_bot.bootstrap.desk import Assembly


_BY = {OrderRole.STOP_LOSS: "stop", OrderRole.TAKE_PROFIT: "target", OrderRole.CLOSE: "close", OrderRole.ENTRY: "turned"}


def history_table(found: Sequence[ClosedTrade], zone: tzinfo) -> None:
    """Closed trades, newest first."""
    columns = ("closed", "trade", "entry", "exit", "by", "profit", "Claude", "net")
    rows = new_table(*columns, numbers=frozenset({"entry", "exit", "profit", "Claude", "net"}))
    for t in found:
        money = (f"{t.profit:+,.2f}", f"{t.claude_usd:.4f}", f"{t.net:+,.2f}")
        rows.add_row(_minute(t.closed_at, zone), f"{t.side} {t.symbol}", f"{t.entry:.6g}", f"{t.exit:.6g}", _BY[t.closed_by], *money)
    reasons = [f"{_minute(t.opened_at, zone)} to {_minute(t.closed_at, zone)}: {plain(t.why)}" for t in found]
    total = [f"profit after fees and funding, less what Claude cost: {sum((t.net for t in found), ZERO):+,.2f}"] if found else []
    show("Closed trades, newest first", rows, *reasons, *total)


def _minute(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%m-%d %H:%M}"


def round_rows(found: RoundStatus, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """Rows of a status: the trade that runs, the last looks, failures in a row."""
    if found.trade is None:
        yield "trade", "none"
    else:
        yield from _trade_rows(found.trade, zone)
    for name, look in zip(("last looks", "", ""), found.looks, strict=False):
        yield name, f"{told(look.due, zone)}: {look.status}, {look.reason}"
    yield "failures", f"{found.failures} in a row" if found.failures else "none in a row"


def _trade_rows(now: TradeNow, zone: tzinfo) -> Iterator[tuple[str, str]]:
    trade = now.trade
    yield "trade", f"{trade.side} {trade.quantity:f} {trade.symbol} at {trade.entry:.6g}, since {told(trade.opened_at, zone)}"
    yield "  stop", "NONE" if trade.stop is None else f"{trade.stop}, at first {trade.first_stop or 'unknown'}"
    yield "  mark", "unknown" if now.mark is None else f"{now.mark:.6g}, unrealised {now.unrealised:+,.2f}"
    if now.liquidation is not None:
        away = "" if now.liquidation_distance is None else f", {now.liquidation_distance:.2%} away"
        yield "  liquidation", f"{now.liquidation:.6g}{away}"
    yield "  Claude", f"{now.claude_usd:.4f} USD on it so far"


def round_table(assembly: "Assembly") -> None:
    """What a run came to: looks, trades, money, and what the models cost."""
    journal, ledger = assembly.journal, assembly.desk.engine.ledger
    closed = ledger.trades.closed
    funding = sum((e.amount for e in ledger.events if isinstance(e, CashUpdate) and e.reason is CashReason.FUNDING), ZERO)
    profit = sum((t.profit for t in closed), ZERO)
    with SpendingLedger.open(assembly.home.database) as spent, spent.reading() as page:
        cost = sum((call.counted for call in page.of_days(date.min, date.max)), ZERO)
    rows = new_table("", "")
    rows.show_header = False
    for name, value in (
        ("looks", _looks(journal.all(TaskRun))),
        ("woken", f"{journal.count(Anomaly)} times between two looks"),
        ("trades", f"{len(closed)} closed, {sum(1 for t in closed if t.profit > 0)} of them won; {_held(assembly)}"),
        ("profit", f"{profit:+,.2f} of closed trades, after fees of {ledger.books.fees:,.2f}"),
        ("funding", f"{funding:+,.2f}"),
        ("equity", f"{ledger.equity_newest:,.2f} ({ledger.equity_newest - ledger.deposit:+,.2f} since the start)"),
        ("models", f"{cost:.4f} USD"),
    ):
        rows.add_row(name, value)
    show("What it came to", rows)
    OUT.print(f"journal  {named(assembly.home.database)}\nreports  {assembly.home.reports}", soft_wrap=True)


def _looks(runs: Sequence[TaskRun]) -> str:
    """How many looks there were, and how they ended."""
    ended = Counter(run.status for run in runs if run.status.is_end and run.task.partition("-")[0] in {LOOK, "wake"})
    others = ", ".join(f"{status} {ended[status]}" for status in TaskStatus if ended[status] and status is not TaskStatus.DONE)
    return f"{sum(ended.values())}{f', of them {others}' if others else ''}"


def _held(assembly: "Assembly") -> str:
    held = assembly.desk.engine.ledger.books.positions
    return ", ".join(f"{p.quantity:f} {s} held" for s, p in sorted(held.items())) or "nothing held"
