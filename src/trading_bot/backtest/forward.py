"""A forward test: what a paper desk did over its first sessions, from its own journal, good and bad alike.

Promises that a session counts once its close is marked, that every failure which the journal knows is told, and that too few sessions
are said to be too few. Refuses to leave out: whatever the desk did in these sessions is in the figures.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal

from trading_bot.backtest.facts import Facts, Material, facts
from trading_bot.backtest.statistics import closes
from trading_bot.domain.mandate import Mode
from trading_bot.domain.proposals import Decision, Outcome
from trading_bot.domain.records import DeskState, DeskStateChange, Drift, Send, SendOutcome, TaskRun, TaskStatus
from trading_bot.domain.values import NonNegative, Record

SESSIONS = 15


@dataclass(frozen=True)
class Kept:
    """What a desk's journal holds of its failures and of who decided."""

    tasks: Sequence[TaskRun]
    decisions: Sequence[Decision]
    sends: Sequence[Send]
    drifts: Sequence[Drift]
    states: Sequence[DeskStateChange]


class Told(Record):
    """Where the figures come from."""

    mode: Mode
    simulated: bool
    source: str
    version: str


class Forward(Record):
    """A forward test so far."""

    told: Told
    wanted: int
    sessions: int
    facts: Facts | None
    """None before the first session's close."""
    answered: dict[str, int]
    """Decisions that were answered, by analyst."""
    unanswered: dict[str, int]
    """Those that were not, by outcome."""
    cost: NonNegative
    """USD that models cost in the time of the test."""
    errors: tuple[str, ...]
    """What went wrong, a phrase each."""

    @property
    def is_whole(self) -> bool:
        """Whether as many sessions as wanted have closed."""
        return self.sessions >= self.wanted


def forward(material: Material, kept: Kept, told: Told, cost: Decimal, wanted: int, zone: tzinfo) -> Forward:  # noqa: PLR0913, PLR0917 - what it is made from
    """The first `wanted` sessions that have closed."""
    days = [point.session for point in closes(material.points)][:wanted]
    inside = (min(days), max(days)) if days else (date.max, date.min)
    made = [d for d in kept.decisions if inside[0] <= d.at.astimezone(zone).date() <= inside[1]]
    return Forward(
        told=told,
        wanted=wanted,
        sessions=len(days),
        facts=facts(material, *inside, zone) if days else None,
        answered=dict(Counter(d.analyst for d in made if d.outcome is Outcome.ANSWERED)),
        unanswered=dict(Counter(str(d.outcome) for d in made if d.outcome is not Outcome.ANSWERED)),
        cost=cost,
        errors=tuple(_errors(kept, inside, zone)),
    )


def _errors(kept: Kept, inside: tuple[date, date], zone: tzinfo) -> Iterable[str]:
    """Failures of these sessions, by day."""

    def day(moment: datetime) -> date:
        return moment.astimezone(zone).date()

    failed, lost = {TaskStatus.FAILED, TaskStatus.MISSED}, [s for s in kept.sends if s.outcome is not SendOutcome.ACKNOWLEDGED]
    found = [
        *((r.session, f"{r.task} {r.status}: {r.reason}") for r in kept.tasks if r.status in failed),
        *((day(s.at), f"order {s.client_order_id} {s.outcome}: {s.reason}") for s in lost),
        *((day(d.at), f"books and broker differed: {'; '.join(d.differences)}") for d in kept.drifts),
        *((day(c.at), f"{c.state} by {c.by}: {c.reason}") for c in kept.states if c.state is not DeskState.RUNNING),
    ]
    return [f"{at} {told}" for at, told in sorted(found, key=lambda pair: pair[0]) if inside[0] <= at <= inside[1]]


def page(found: Forward, command: str) -> str:
    """The test as a page of Markdown."""
    told, facts_ = found.told, found.facts
    clock = "a simulated clock and invented prices" if told.simulated else "the real clock"
    lines = [
        "# Forward test",
        "",
        f"{found.sessions} of {found.wanted} sessions in {told.mode} mode on {clock}.",
        f"Market data: `{told.source}`; version {told.version}.",
        "What the desk did in these sessions is all here; nothing was left out, and nothing here promises a profit.",
        *(["", "Simulated sessions test the desk, not the market: their profit means nothing."] if told.simulated else []),
        *([] if found.is_whole else ["", f"**Not whole yet: {found.wanted - found.sessions} sessions are missing.**"]),
        "",
        "```sh",
        command,
        "```",
        "",
    ]
    if facts_ is not None:
        lines += [f"{facts_.first} to {facts_.last}.", "", "| what | figure |", "|---|---|", *_rows(found, facts_), ""]
    lines += ["## What went wrong", "", *([f"- {error}" for error in found.errors] or ["Nothing that the journal knows of."]), ""]
    return "\n".join(lines)


def _rows(found: Forward, facts_: Facts) -> Iterable[str]:
    performance = facts_.performance
    figures: tuple[tuple[str, object], ...] = (
        ("profit", f"{performance.profit:,.2f}"),
        ("return", _share(performance.total_return)),
        ("greatest drawdown", _share(performance.max_drawdown)),
        ("closed trades", performance.trades),
        ("accuracy: trades that won", _share(performance.win_rate)),
        ("profit factor", "-" if performance.profit_factor is None else f"{performance.profit_factor:.2f}"),
        ("fees", f"{performance.costs:,.2f}"),
        ("proposals; verdicts that refused", f"{facts_.adherence.proposals}; {sum(facts_.adherence.vetoes.values())} rules spoke"),
        ("decisions answered", _counted(found.answered)),
        ("decisions not answered", _counted(found.unanswered)),
        ("cost of models, USD", f"{found.cost:.4f}"),
        ("errors", len(found.errors)),
    )
    return (f"| {name} | {value} |" for name, value in figures)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "0"
