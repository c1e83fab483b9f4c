"""Tables of a desk that goes round the clock, for people. Everything shown comes from the journal, the books or the ledger of calls."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, tzinfo
from typing import TYPE_CHECKING

from trading_bot.cli.tables import OUT, new_table, plain, show
from trading_bot.domain.events import CashReason, CashUpdate
from trading_bot.domain.records import Anomaly, TaskRun, TaskStatus
from trading_bot.domain.values import ZERO
from trading_bot.orchestrator.closed_trades import ClosedTrade
from trading_bot.orchestrator.scheduler import LOOK
from trading_bot.storage.database import named
from trading_bot.storage.spending import SpendingLedger

if TYPE_CHECKING:
    from trading_bot.bootstrap.desk import Assembly


def history_table(found: Sequence[ClosedTrade], zone: tzinfo) -> None:
    """Closed trades, newest first."""
    columns = ("opened", "closed", "trade", "entry", "exit", "by", "profit", "Claude", "net")
    rows = new_table(*columns, numbers=frozenset({"entry", "exit", "profit", "Claude", "net"}))
    for t in found:
        times = (f"{moment.astimezone(zone):%m-%d %H:%M}" for moment in (t.opened_at, t.closed_at))
        money = (f"{t.profit:+,.2f}", f"{t.claude_usd:.4f}", f"{t.net:+,.2f}")
        rows.add_row(*times, f"{t.side} {t.symbol}", f"{t.entry:.6g}", f"{t.exit:.6g}", t.closed_by, *money)
    reasons = [f"{t.closed_at.astimezone(zone):%m-%d %H:%M} {plain(t.why)}" for t in found]
    net = sum((t.net for t in found), ZERO)
    show("Closed trades, newest first", rows, *reasons, f"profit after fees and funding, less what Claude cost: {net:+,.2f}")


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
