"""Review and report at the close of a day or a week: facts from the journal, a grade from the analyst, a file for people.

Promises that a report names the head of the audit chain at its writing, so that rows cut off later are found. The journal keeps the
digest of what the report says apart from that head: a killed and resumed day has more rows, and says the same.
"""

from bisect import bisect_left
from datetime import date, datetime, time, timedelta
from pathlib import Path

from trading_bot.backtest.facts import Facts, Material, facts
from trading_bot.backtest.report import daily_name, daily_report, weekly_name, write
from trading_bot.domain.proposals import Proposal, Verdict
from trading_bot.domain.records import EquityPoint, ReportMade, TaskRun
from trading_bot.domain.research import Review
from trading_bot.domain.values import canonical_json, derive_digest
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.scheduler import NEW_YORK, Slot

_UNGRADED = "ungraded"


def material(desk: Desk, first: date) -> Material:
    """What a review of the days from `first` on may look at, as of now."""
    journal, ledger = desk.journal, desk.engine.ledger
    begin = bisect_left(ledger.events, datetime.combine(first, time(), NEW_YORK), key=lambda event: event.at)
    return Material(
        start=ledger.deposit,
        points=journal.all(EquityPoint),
        trades=tuple(ledger.trades.closed),
        proposals=journal.all(Proposal),
        verdicts=journal.all(Verdict),
        events=ledger.events[begin:],
        books=ledger.books,
    )


def review_day(desk: Desk, slot: Slot) -> str:
    """Review one session, write its report, return the grade."""
    return _review(desk, slot, slot.session, "day", daily_name(slot.session))


def review_week(desk: Desk, slot: Slot) -> str:
    """Review the sessions of the week that ends with the slot's, write the report, return the grade."""
    first = slot.session - timedelta(days=slot.session.weekday())
    return _review(desk, slot, first, "week", weekly_name(slot.session))


def _review(desk: Desk, slot: Slot, first: date, span: str, name: str) -> str:
    everything = material(desk, first)
    found = facts(everything, first, slot.session, NEW_YORK)
    _, review = desk.decide(slot, "review", span, Review, lambda d: desk.analyst.review(desk.brief(d), found))
    if review is None:
        return _UNGRADED
    if desk.reports is not None:
        _write(desk, slot, desk.reports / name, everything, found, review)
    return review.grade


def _write(desk: Desk, slot: Slot, path: Path, everything: Material, found: Facts, review: Review) -> None:  # noqa: PLR0913, PLR0917 - what a report tells of
    tasks = [run for run in desk.journal.all(TaskRun) if found.first <= run.session <= slot.session]
    inside = everything.within(found.first, slot.session, NEW_YORK)
    if desk.journal.get(ReportMade, path.name) is not None:
        return
    report = daily_report(desk.header(), found, inside, tasks, review)
    said = {key: value for key, value in report.items() if key != "audit"}
    made = ReportMade(at=desk.clock.now(), name=path.name, session=slot.session, digest=derive_digest(canonical_json(said)))
    # The file first: a row without its file could not be told from a report that was removed, and a file without its row is written again.
    write(path, report)
    desk.journal.append(made)
