"""Review and report at the close of a day or a week: facts from the journal, a grade from the analyst, a file for people.

Promises that a report names the head of the audit chain at its writing, so that rows cut off later are found. The journal keeps the
digest of what the report says apart from that head: a killed and resumed day has more rows, and says the same.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from trading_bot.backtest.facts import Facts, Material, facts
from trading_bot.backtest.report import Report, daily_name, daily_report, plain, weekly_name, write
from trading_bot.domain.instrument import SESSIONS_PER_YEAR
from trading_bot.domain.proposals import Proposal, Verdict
from trading_bot.domain.records import EquityPoint, ReportMade, TaskRun
from trading_bot.domain.research import Review
from trading_bot.domain.values import canonical_json, derive_digest
from trading_bot.orchestrator.alternatives import Alternative
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.scheduler import Slot

_UNGRADED = "ungraded"


def material(desk: Desk, first: date) -> Material:
    """What a review of the days from `first` on may look at, as of now."""
    journal, ledger = desk.journal, desk.engine.ledger
    begin = bisect_left(ledger.events, datetime.combine(first, time(), desk.calendar.zone), key=lambda event: event.at)
    return Material(
        start=ledger.deposit,
        points=journal.all(EquityPoint),
        trades=tuple(ledger.trades.closed),
        proposals=journal.all(Proposal),
        verdicts=journal.all(Verdict),
        events=ledger.events[begin:],
        books=ledger.books,
    )


@dataclass(frozen=True)
class Reviewed:
    """A period with its facts and what the analyst said of it."""

    inside: Material
    """The period's own records."""
    found: Facts
    review: Review | None

    @property
    def grade(self) -> str:
        """The grade in words."""
        return _UNGRADED if self.review is None else self.review.grade


def review_day(desk: Desk, slot: Slot) -> str:
    """Review one session, write its report, return the grade."""
    reviewed = _review(desk, slot, slot.session, "day")
    _write(desk, slot, daily_name(slot.session), reviewed)
    return reviewed.grade


def review_week(desk: Desk, slot: Slot) -> Reviewed:
    """Review the sessions of the week that ends with the slot's."""
    return _review(desk, slot, slot.session - timedelta(days=slot.session.weekday()), "week")


def report_week(desk: Desk, slot: Slot, reviewed: Reviewed, alternatives: Sequence[Alternative]) -> None:
    """Write the report of a reviewed week, with what was tried."""
    _write(desk, slot, weekly_name(slot.session), reviewed, {"alternatives": plain(alternatives)})


def _review(desk: Desk, slot: Slot, first: date, span: str) -> Reviewed:
    everything = material(desk, first)
    found = facts(everything, first, slot.session, desk.calendar.zone, periods_per_year=SESSIONS_PER_YEAR[desk.calendar.name])
    _, review = desk.decide(slot, "review", span, Review, lambda d: desk.analyst.review(desk.brief(d), found))
    return Reviewed(everything.within(first, slot.session, desk.calendar.zone), found, review)


def _write(desk: Desk, slot: Slot, name: str, reviewed: Reviewed, more: Report | None = None) -> None:
    found, review = reviewed.found, reviewed.review
    if review is None or desk.reports is None or desk.journal.get(ReportMade, name) is not None:
        return
    path = desk.reports / name
    begin = datetime.combine(found.first, time(), desk.calendar.zone)
    tasks = [run for run in desk.journal.since(TaskRun, begin) if found.first <= run.session <= slot.session]
    report = daily_report(desk.header(), found, reviewed.inside, tasks, review) | (more or {})
    said = {key: value for key, value in report.items() if key != "audit"}
    made = ReportMade(at=desk.clock.now(), name=path.name, session=slot.session, digest=derive_digest(canonical_json(said)))
    # The file first: a row without its file could not be told from a report that was removed, and a file without its row is written again.
    write(path, report)
    desk.journal.append(made)
