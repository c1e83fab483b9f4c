"""Tables for people. Everything shown comes from the journal or a report; nothing is computed here but sums."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_bot.cli.times import NEW_YORK, clock_name, eastern, told
from trading_bot.domain.approvals import ApprovalRequest
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.orders import OrderRole
from trading_bot.domain.proposals import Decision, Effect, Proposal, ProposalKind, Verdict, VerdictOutcome
from trading_bot.domain.records import EquityPoint
from trading_bot.domain.research import Analysis, Screening
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import DecisionId, Symbol
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.protection import guarded
from trading_bot.orchestrator.status import Status
from trading_bot.ports import Journal
from trading_bot.storage.database import named
from trading_bot.storage.home import Home, Owner, Starting

if TYPE_CHECKING:
    from trading_bot.bootstrap.desk import Assembly
    from trading_bot.bootstrap.faulty import Save

OUT = Console(highlight=False, markup=False)
_REASON = 200


def closing_table(assembly: "Assembly", session: date | None) -> None:
    """What a session came to: screened, proposed, vetoed and by which rule, filled, protected, earned."""
    journal, ledger = assembly.journal, assembly.desk.engine.ledger
    if session is not None:
        _research_table(journal, ledger, session)
        OUT.print()
        _trade_table(journal, ledger, session)
    _earned(journal, ledger)
    OUT.print(f"journal  {named(assembly.home.database)}\nreports  {assembly.home.reports}", soft_wrap=True)


def opening_lines(assembly: "Assembly") -> None:
    """What a desk on the real clock is about to do, since it may then be silent for hours."""
    desk, mandate = assembly.desk, assembly.authority.mandate
    ahead, zone = assembly.scheduler.upcoming(desk.clock.now()), desk.calendar.zone
    state, reason = desk.switch.explain()
    data = f"data {assembly.source.name}{' (invented prices)' if assembly.source.name == 'synthetic' else ''}"
    OUT.print(f"{desk.mode} desk in {assembly.home.path}: {len(desk.universe)} symbols, {data}", soft_wrap=True)
    if mandate is not None:
        OUT.print(f"mandate  autonomy {mandate.autonomy}, until {told(mandate.expires_at, zone)}")
    OUT.print(f"state    {state}: {reason}", soft_wrap=True)
    OUT.print(f"next     {'nothing' if ahead is None else f'{ahead.task}, {told(ahead.due, zone)}'}")
    OUT.print("Ctrl-C stops the desk; `halt` from another terminal stops new risk.")


def _research_table(journal: Journal, ledger: Ledger, session: date) -> None:
    table = new_table("symbol", "score", "analysis", "proposal", "gate", "filled", numbers=frozenset({"score", "filled"}))
    filled = _filled(ledger, session)
    decisions = [d for d in journal.all(Decision) if d.task_run.startswith(session.isoformat()) and d.output]
    screening = next((Screening.model_validate_json(d.output) for d in decisions if d.workflow == "screen"), None)
    analyses = {d.subject: Analysis.model_validate_json(d.output) for d in decisions if d.workflow == "analyze"}
    proposals = {p.symbol: p for p in journal.all(Proposal) if p.at.date() == session and p.action is ProposalKind.OPEN}
    verdicts = {v.proposal_id: v for v in journal.all(Verdict)}
    spoken: list[str] = []
    for candidate in screening.candidates if screening is not None else ():
        analysis, proposal = analyses.get(candidate.symbol), proposals.get(candidate.symbol)
        verdict = verdicts.get(proposal.id) if proposal is not None else None
        table.add_row(
            candidate.symbol,
            f"{candidate.score:.0f}",
            "-" if analysis is None else f"{analysis.recommendation} {analysis.score:.0f}",
            "-" if proposal is None else f"{proposal.style} {proposal.entry}, stop {proposal.stop_loss}",
            "-" if verdict is None else _outcome(verdict),
            f"{filled[candidate.symbol]:f}" if candidate.symbol in filled else "-",
        )
        if verdict is not None:
            spoken += [f"{candidate.symbol} {verdict.outcome} by {f.rule}: {f.actual} (limit {f.limit})" for f in verdict.findings]
    reasons = Counter(e.reason.split(":")[0] for e in screening.eliminated) if screening is not None else Counter()
    screened = f"not passed by the screen: {', '.join(f'{reason} {n}' for reason, n in reasons.most_common()) or 'none'}"
    show(f"Session {session}: what was looked at", table, *spoken, screened)


def decisions_table(made: Sequence[Decision], costs: Mapping[DecisionId, Decimal]) -> None:
    """Decisions, oldest first, with what the ledger holds of each."""
    table = new_table("id", "time", "workflow", "subject", "analyst", "outcome", "USD", numbers=frozenset({"USD"}))
    for one in made:
        cost = f"{costs[one.id]:.4f}" if costs[one.id] else "-"
        table.add_row(_short(one.id), f"{one.at:%m-%d %H:%M}", one.workflow, one.subject, one.analyst, one.outcome, cost)
    notes = [f"{_short(one.id)} {one.note}" for one in made if one.note]
    show("Decisions, times in UTC", table, *notes, "`decision ID` shows one with its evidence; ids may be cut short.")


def _short(identity: str) -> str:
    """As much of a decision's id as tells it from others; what a person proposed begins with a word."""
    return identity if "-" in identity else identity[:8]


def approvals_table(found: Sequence[tuple[ApprovalRequest, Proposal]]) -> None:
    """Proposals that wait for a person."""
    columns = ("id", "symbol", "side", "size", "entry", "stop", "at risk", "until")
    table = new_table(*columns, numbers=frozenset({"size", "entry", "stop", "at risk"}))
    for request, one in found:
        size, prices = f"{request.quantity:f}", (str(one.entry), str(one.stop_loss))
        table.add_row(one.id[:8], one.symbol, one.side, size, *prices, f"{request.risk:,.2f}", eastern(request.expires_at))
    reasons = [f"{one.id[:8]} {one.analyst}: {plain(one.thesis)}" for _, one in found]
    show("Waiting for a person", table, *reasons, "`approve ID` or `deny ID`; who does not answer in time has said no.")


def plain(thesis: str) -> str:
    """The beginning of what somebody else wrote, without what could move the cursor or repaint the terminal."""
    return "".join(c if c.isprintable() else " " for c in thesis[:_REASON])


def _filled(ledger: Ledger, session: date) -> dict[Symbol, Decimal]:
    """Quantity of each symbol that was entered in the session."""
    fills = (e.fill for e in ledger.events if isinstance(e, OrderUpdate) and e.fill is not None and e.at.date() == session)
    entered: dict[Symbol, Decimal] = {}
    for fill in fills:
        if fill.role is OrderRole.ENTRY:
            entered[fill.symbol] = entered.get(fill.symbol, Decimal(0)) + fill.quantity
    return entered


def _outcome(verdict: Verdict) -> str:
    """What the gate said, and to how many; the rules that made it say so stand below the table."""
    if verdict.outcome is VerdictOutcome.REDUCED:
        return f"cut to {verdict.quantity:f}"
    return f"{verdict.outcome} {verdict.quantity:f}" if verdict.quantity else str(verdict.outcome)


def new_table(*columns: str, numbers: frozenset[str] = frozenset()) -> Table:
    """A table that stays readable at 80 columns: few lines, numbers to the right."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    return table


def show(title: str, table: Table, *notes: str) -> None:
    """Print a table between its title and notes, which may be wider than it; without a row, say so."""
    OUT.print(title if table.row_count else f"{title}: none", style="bold", soft_wrap=True)
    if table.row_count:
        OUT.print(table)
    for note in notes:
        OUT.print(note)


def _trade_table(journal: Journal, ledger: Ledger, session: date) -> None:
    columns = ("symbol", "quantity", "average price", "stop", "protected")
    table = new_table(*columns, numbers=frozenset(columns[1:]))
    books = ledger.books
    for symbol, position in sorted(books.positions.items()):
        share = guarded(books, symbol) / abs(position.quantity)
        table.add_row(symbol, f"{position.quantity:f}", f"{position.average_price:.2f}", str(books.stops.get(symbol, "-")), f"{share:.0%}")
    closed = [t for t in ledger.trades.closed if t.closed_at.date() == session]
    won = sum((t.profit for t in closed), Decimal(0))
    show("Held at the end", table, f"{len(closed)} trades closed this session, profit {won:.2f}; {_vetoes(journal, session)}")


def _vetoes(journal: Journal, session: date) -> str:
    rejected = [v for v in journal.all(Verdict) if v.at.date() == session and v.outcome is VerdictOutcome.REJECTED]
    rules = Counter(f.rule for v in rejected for f in v.findings if f.effect is Effect.REJECT)
    return f"vetoed: {', '.join(f'{rule} {n}' for rule, n in sorted(rules.items())) or 'none'}"


def _earned(journal: Journal, ledger: Ledger) -> None:
    points = journal.all(EquityPoint)
    if points:
        earned = points[-1].equity - ledger.deposit
        OUT.print(f"equity   {points[-1].equity:,.2f} ({earned:+,.2f} since the start; fees {ledger.books.fees:,.2f})")


def saves_table(found: Sequence["Save"], wrong: Sequence[str]) -> None:
    """What went wrong on a day with faults, what came of it, and what the venue's own log shows to be wrong (`wrong`)."""
    table = new_table("first (ET)", "what went wrong", "times", "what came of it", "", numbers=frozenset({"times"}))
    for save in found:
        when = datetime.fromisoformat(save.at).astimezone(NEW_YORK)
        table.add_row(f"{when:%H:%M:%S}", save.fault, str(save.times), save.outcome, "saved" if save.saved else "NOT SAVED")
    lost = sum(1 for save in found if not save.saved)
    show("What went wrong, and what came of it", table, f"kinds of fault: {len(found)}; saved: {len(found) - lost}; not saved: {lost}")
    for line in wrong or ("The venue's own log agrees: nothing lost, doubled, never meant, or without its stop for 5 s.",):
        OUT.print(line)


def status_table(  # noqa: PLR0913, PLR0917 - all that a status tells of
    found: Status, home: Home, clock: str, owner: Owner | Starting | None, zone: tzinfo, more: Iterable[tuple[str, object]] = ()
) -> None:
    """A desk's state; `owner`: the process that has the home, if one does; `more`: rows of its kind of desk."""
    table = new_table("", "")
    table.show_header = False
    rows: Iterable[tuple[str, object]] = (
        ("run by", owner or "nobody"),
        ("mode", f"{found.mode}, {clock} clock"),
        ("time", told(found.time, zone)),
        ("desk state", f"{found.desk_state} ({found.desk_state_reason})"),
        ("workflow", found.workflow_state),
        ("equity", f"{found.equity:,.2f}, of it cash {found.cash:,.2f}"),
        ("trades today", found.trades_today),
        ("next task", "none" if found.next_task is None else f"{found.next_task.task}, {told(found.next_task.due, zone)}"),
        ("models today", f"{found.daily_cost:.2f} USD, {found.budget_remaining:.2f} left"),
        ("doubtful orders", found.unresolved or "none"),
        ("approvals", f"{len(found.approvals)} waiting, see `approvals`" if found.approvals else "none waiting"),
        ("positions", len(found.positions) or "none"),
    )
    for name, value in rows:
        table.add_row(name, str(value))
    for held in found.positions:
        stop = "NO STOP" if held.stop is None else f"stop {held.stop}"
        share = f"{held.protected / abs(held.quantity):.0%} protected"
        table.add_row(f"  {held.symbol}", f"{held.quantity:f} at {held.average_price:.6g}, {stop}, {share}")
    for name, value in more:
        table.add_row(name, str(value))
    show(f"Desk in {home.path}", table)


def trades_table(closed: Sequence[RoundTrip], ledger: Ledger, zone: tzinfo) -> None:
    """Closed trades and their sum."""
    columns = (f"closed ({clock_name(zone)})", "symbol", "side", "quantity", "entry", "exit", "by", "profit")
    table = new_table(*columns, numbers=frozenset({"quantity", "entry", "exit", "profit"}))
    for t in closed:
        when, prices = t.closed_at.astimezone(zone), (f"{t.entry_price:.6g}", f"{t.exit_price:.6g}")
        table.add_row(f"{when:%Y-%m-%d %H:%M}", t.symbol, t.side, f"{t.quantity:f}", *prices, t.exit_role, f"{t.profit:,.2f}")
    profit = sum((t.profit for t in closed), Decimal(0))
    show("Closed trades", table, f"profit of these {profit:,.2f}; open positions: {len(ledger.books.positions)}")


def report_table(content: Mapping[str, Any], path: Path) -> None:
    """The heart of a daily report."""
    table = new_table("", "")
    table.show_header = False
    money = {name: f"{Decimal(value):,.2f}" for name, value in (("profit", content["profit"]), ("equity", content["equity"]["end"]))}
    for name, value in (*money.items(), ("summary", content["review"]["summary"])):
        table.add_row(name, str(value))
    for observation in content["review"]["observations"]:
        table.add_row("seen", observation)
    for recommendation in content["review"]["recommendations"]:
        table.add_row("look at", recommendation)
    show(f"{content['session']}: {content['review']['grade']}", table)
    OUT.print(str(path), soft_wrap=True)


_FIGURES = (
    ("total return", "total_return", "{:.2%}"),
    ("CAGR", "cagr", "{:.2%}"),
    ("Sharpe", "sharpe", "{:.2f}"),
    ("Sortino", "sortino", "{:.2f}"),
    ("maximum drawdown", "max_drawdown", "{:.2%}"),
    ("win rate", "win_rate", "{:.1%}"),
    ("profit factor", "profit_factor", "{:.2f}"),
    ("trades", "trades", "{}"),
    ("exposure", "exposure", "{:.1%}"),
    ("turnover a year", "turnover", "{:.2f}"),
    ("costs", "costs", "{:,.2f}"),
)


def _formed(form: str, value: Any) -> str:  # noqa: ANN401 - a figure of a report; money is text in JSON
    return "-" if value is None else form.format(Decimal(value) if isinstance(value, str) else value)


def backtest_table(report: Mapping[str, Any], path: Path, journal: Path) -> None:
    """Figures of a run, buy and hold beside them."""
    period, ours, theirs = report["period"], report["performance"], report["benchmark"]["performance"]
    title = f"{period['first']} to {period['last']}, {period['sessions']} sessions"
    table = new_table("", "desk", "buy and hold", numbers=frozenset({"desk", "buy and hold"}))
    for name, key, form in _FIGURES:
        held = theirs[key] if key not in {"win_rate", "profit_factor", "trades", "turnover", "costs"} else None
        table.add_row(name, *(_formed(form, value) for value in (ours[key], held)))
    marks = sorted({f"{d['symbol']} {d['timeframe']}" for d in report["data"] if d["prices"] != "as traded"})
    show(title, table, f"NOT AS TRADED: {', '.join(marks)}" if marks else "prices as traded")
    for status, reasons in report["tasks_skipped"].items():
        for reason, count in reasons.items():
            OUT.print(f"{count} tasks {status}: {reason}")
    OUT.print(f"report   {path}\njournal  {journal}", soft_wrap=True)
