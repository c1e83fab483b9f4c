"""Every error that the desk raises, in one tree.

    DeskError
    ├── ConfigError               the configuration cannot be used as written
    ├── HomeError                 the desk's home cannot be used
    │   ├── HomeLockedError       another process owns it
    │   └── HomeMismatchError     it belongs to another kind of desk
    ├── StorageError              the journal or the bar store cannot be trusted
    │   ├── JournalConflictError  a key exists with another content
    │   ├── JournalDamagedError   rows were changed, lost or cannot be read
    │   ├── SchemaTooNewError     written by a newer version of this program
    │   ├── DatabaseAwayError     its server, or its disk, does not answer now
    │   └── DiskFullError         nothing more can be made durable
    ├── DataError                 market data is missing or wrong
    │   ├── NoDataError           the source does not have what was asked for
    │   ├── BadBarsError          bars break a rule that may not be repaired
    │   └── SourceFailedError     the source did not answer
    │       └── SourceKeysError   it refuses the keys
    ├── MandateError              nothing allows this desk to take risk
    │   ├── MandateMissingError
    │   ├── MandateUnsignedError
    │   ├── MandateTamperedError
    │   ├── MandateExpiredError
    │   └── MandateMismatchError  signed for another account, mode or configuration
    ├── NotApprovedError          an order does not match a verdict in the journal
    ├── BrokerError
    │   ├── OrderRejectedError    the venue said no; nothing was placed
    │   ├── OrderNotFoundError    the venue does not know the order
    │   ├── OutcomeUnknownError   the order MAY have been placed
    │   ├── BrokerKeysError       keys are missing, wrong, or of another environment
    │   └── BrokerUnavailableError  nothing was sent
    │       └── RateLimitedError  the venue, or our own share of its budget, asks to wait
    ├── IllegalTransitionError    a state machine was asked for a move not in its table
    ├── ModelError                a language model cannot be asked, or not be believed
    │   ├── BudgetError           asking would cost more than is allowed
    │   │   ├── BudgetSpentError  the day's money is spent or reserved
    │   │   ├── CallRateError     too many calls within an hour
    │   │   ├── BreakerOpenError  it failed too often in a row
    │   │   └── UsageLimitError   the vendor's own limit, with its reset time
    │   ├── ModelUnavailableError a server of models does not answer, or lacks the model
    │   ├── BadAnswerError        it answered, and not as it was asked to
    │   ├── ClaudeMissingError    the claude binary is not there, too old, or not logged in
    │   └── ReplayMissError       the cassettes hold no answer to this question
    ├── ResearchError             a run over recorded time cannot be made, or not be believed
    │   ├── StrategyError         the strategy's file, parameters or signals are wrong
    │   ├── LookAheadError        the strategy reads the future
    │   ├── ClusterError          the cluster is not there, or lost its workers
    │   └── CardMismatchError     what a result was made from has changed since
    ├── QueueError                the queue of articles cannot be used now
    │   └── QueueFullError        it holds as much as it may
    ├── ToolFailedError           a tool cannot answer; the message is for who called it
    ├── ClockError                time jumped or went backwards
    └── NotOnTerminalError        a person has to type this at a terminal

Each class says by `code` what happened, by `retryable` whether the same call may succeed later without a
change, and by `requires_human` whether a person has to act. Messages say what may have happened and what to do.
"""

from typing import ClassVar


class DeskError(Exception):
    """Base of all errors of the desk."""

    code: ClassVar[str] = "desk_error"
    retryable: ClassVar[bool] = False
    requires_human: ClassVar[bool] = True


class StoppedError(Exception):
    """The desk was asked to stop while something waited. No error of the desk: nothing failed, and the next start takes it up again."""


class ConfigError(DeskError):
    """The configuration cannot be used; the message names key, file and line."""

    code = "config_invalid"


class HomeError(DeskError):
    """The desk's home cannot be used (missing, read-only, not a folder)."""

    code = "home_unusable"


class HomeLockedError(HomeError):
    """Another process owns the home; the message says which."""

    code = "home_locked"
    retryable = True
    requires_human = False


class HomeMismatchError(HomeError):
    """The home was made by a desk with another clock, seed or account."""

    code = "home_mismatch"


class StorageError(DeskError):
    """The journal or the bar store cannot be trusted."""

    code = "storage_error"


class JournalConflictError(StorageError):
    """The same key was journaled before with another content."""

    code = "journal_conflict"


class JournalDamagedError(StorageError):
    """The journal cannot be read, or its hash chain does not verify."""

    code = "journal_damaged"


class SchemaTooNewError(StorageError):
    """The database was written by a newer version of this program."""

    code = "schema_too_new"


class DatabaseAwayError(StorageError):
    """A server or a disk does not answer, or broke off; what was kept of the last write is seen when it answers again."""

    code = "database_away"
    retryable = True


class DiskFullError(StorageError):
    """Nothing more can be made durable, so nothing more is sent."""

    code = "disk_full"
    retryable = True


class DataError(DeskError):
    """Market data is missing or wrong."""

    code = "data_error"


class NoDataError(DataError):
    """The source has nothing for this symbol, timeframe or date."""

    code = "no_data"


class BadBarsError(DataError):
    """Bars break a rule that may not be repaired."""

    code = "bad_bars"


class SourceFailedError(DataError):
    """The source did not answer; this is not the same as having nothing."""

    code = "source_failed"
    retryable = True
    requires_human = False


class SourceKeysError(SourceFailedError):
    """The source refuses the keys, or what they may read: asking again helps nothing."""

    code = "source_keys"
    retryable = False
    requires_human = True


class MandateError(DeskError):
    """Nothing allows this desk to take risk."""

    code = "mandate_invalid"


class MandateMissingError(MandateError):
    """There is no mandate; `mandate sign` makes one."""

    code = "mandate_missing"


class MandateUnsignedError(MandateError):
    """The mandate has no signature, or none by the pinned operator key."""

    code = "mandate_unsigned"


class MandateTamperedError(MandateError):
    """The mandate was edited after it was signed."""

    code = "mandate_tampered"


class MandateExpiredError(MandateError):
    """The mandate's time is over."""

    code = "mandate_expired"


class MandateMismatchError(MandateError):
    """The mandate was signed for another account, mode or configuration."""

    code = "mandate_mismatch"


class NotApprovedError(DeskError):
    """The order does not match a verdict in the journal; it was not sent."""

    code = "not_approved"


class BrokerError(DeskError):
    """Something went wrong between desk and venue."""

    code = "broker_error"


class OrderRejectedError(BrokerError):
    """The venue refused; nothing was placed."""

    code = "order_rejected"
    requires_human = False


class OrderNotFoundError(BrokerError):
    """The venue does not know this order."""

    code = "order_not_found"
    requires_human = False


class OutcomeUnknownError(BrokerError):
    """The call did not answer; the order MAY have been placed. Ask by its client order id, never resend under another."""

    code = "outcome_unknown"
    requires_human = False


class BrokerUnavailableError(BrokerError):
    """The venue could not be reached; nothing was sent."""

    code = "broker_unavailable"
    retryable = True
    requires_human = False


class RateLimitedError(BrokerUnavailableError):
    """Too many calls; nothing was sent. The message says how long to wait."""

    code = "rate_limited"


class BrokerKeysError(BrokerError):
    """The venue's keys are missing, wrong, without permission, or belong to another account or environment than configured."""

    code = "broker_keys"


class IllegalTransitionError(DeskError):
    """A state machine was asked for a move that its table does not have."""

    code = "illegal_transition"


class ClockError(DeskError):
    """Time jumped or went backwards by more than is tolerated."""

    code = "clock_jump"
    retryable = True


class NotOnTerminalError(DeskError):
    """A person has to type this at a terminal; a pipe or a program is refused."""

    code = "not_on_terminal"


class ModelError(DeskError):
    """A language model cannot be asked, or its answer not be believed. Nothing was traded."""

    code = "model_error"
    requires_human = False


class BudgetError(ModelError):
    """Asking would cost more than is allowed; nothing was asked."""

    code = "budget"
    retryable = True


class BudgetSpentError(BudgetError):
    """The day's money is spent, or reserved by calls that have not ended."""

    code = "budget_spent"


class CallRateError(BudgetError):
    """Too many calls within an hour."""

    code = "call_rate"


class BreakerOpenError(BudgetError):
    """The model failed too often in a row and is left alone for a while."""

    code = "breaker_open"


class UsageLimitError(BudgetError):
    """The vendor's usage limit is reached; the message says until when."""

    code = "usage_limit"


class ModelUnavailableError(ModelError):
    """A server of models does not answer, is out of memory, or does not have the model."""

    code = "model_unavailable"
    retryable = True


class BadAnswerError(ModelError):
    """A model answered, and not as it was asked to, after one repair."""

    code = "bad_answer"


class ClaudeMissingError(ModelError):
    """The claude binary is not there, is too old, or has no login."""

    code = "claude_missing"
    requires_human = True


class ReplayMissError(ModelError):
    """The cassettes hold no answer to this very question; the message shows how the nearest one differs."""

    code = "replay_miss"
    requires_human = True


class ResearchError(DeskError):
    """A run over recorded time cannot be made, or not be believed."""

    code = "research_failed"


class StrategyError(ResearchError):
    """The strategy's file, its parameters or its signals are wrong; the message names what, and where."""

    code = "strategy_invalid"


class LookAheadError(ResearchError):
    """The strategy reads the future; the message names the first bar and the column."""

    code = "look_ahead"


class ClusterError(ResearchError):
    """The cluster is not there, or lost its workers. What was reckoned so far is kept where the command says so."""

    code = "cluster_missing"
    retryable = True


class CardMismatchError(ResearchError):
    """Data, code, configuration or prompts are not those of the run card any more."""

    code = "card_mismatch"


class QueueError(DeskError):
    """The queue of articles cannot be used now; what was put into it before is still there."""

    code = "queue_unusable"
    retryable = True


class QueueFullError(QueueError):
    """The queue holds as much as it may; nothing was added. Workers have to catch up first."""

    code = "queue_full"
    requires_human = False


class ToolFailedError(DeskError):
    """A tool cannot answer; the message says to its caller, a person or a model, what to do instead."""

    code = "tool_failed"
    requires_human = False
