"""Every kind of record that a journal keeps, by its name in the `kind` column."""

from trading_bot.domain.events import BookedEvent
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Decision, Proposal, Verdict
from trading_bot.domain.records import (
    DeskStart,
    DeskStateChange,
    Doubt,
    Drift,
    EquityPoint,
    MandateInForce,
    ReportMade,
    Send,
    StrategySuspension,
    TaskRun,
    Transition,
)
from trading_bot.domain.values import Journaled

RECORDS: tuple[type[Journaled], ...] = (
    BookedEvent,
    Decision,
    DeskStart,
    DeskStateChange,
    Doubt,
    Drift,
    EquityPoint,
    MandateInForce,
    OrderIntent,
    Proposal,
    ReportMade,
    Send,
    StrategySuspension,
    TaskRun,
    Transition,
    Verdict,
)
KINDS: dict[str, type[Journaled]] = {record.kind: record for record in RECORDS}
