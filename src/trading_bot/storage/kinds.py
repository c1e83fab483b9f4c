"""Every kind of record that a journal keeps; a test fails if one is added to the domain and not here."""

from trading_bot.domain.approvals import ApprovalEnded, ApprovalRequest, InboxDone
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Decision, Proposal, Shadow, Verdict
from trading_bot.domain.records import (
    Anomaly,
    CommandDone,
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
    Trouble,
)
from trading_bot.domain.values import Journaled

RECORDS: tuple[type[Journaled], ...] = (
    Anomaly,
    ApprovalEnded,
    ApprovalRequest,
    BookedEvent,
    CommandDone,
    Decision,
    DeskStart,
    DeskStateChange,
    Doubt,
    Drift,
    EquityPoint,
    InboxDone,
    MandateInForce,
    OrderIntent,
    Proposal,
    ReportMade,
    Send,
    Shadow,
    StrategySuspension,
    TaskRun,
    Transition,
    Trouble,
    Verdict,
)
