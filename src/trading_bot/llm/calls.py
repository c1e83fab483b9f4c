"""What is asked of a model and what came of it: the words between analysts, the manager, the cassettes and the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType, Protocol

from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import DecisionId
from trading_bot.ports import ToolGrant

CallId = NewType("CallId", str)


class Ending(StrEnum):
    """How one call ended. Only `ANSWERED` carries an output that was proven: nonce, expected tools, schema."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """The model declined. Respected: never asked again for the same thing."""
    TOOL_MISSING = "tool_missing"
    """A server did not start, or has not just the tools that were granted."""
    UNKNOWN_COMMAND = "unknown_command"
    OVER_BUDGET = "over_budget"
    """Our own cap of the call, or no reservation could be had."""
    TURN_LIMIT = "turn_limit"
    USAGE_LIMIT = "usage_limit"
    """The vendor's limit, with its reset time."""
    API_ERROR = "api_error"
    SILENT = "silent"
    """Not a word within the first deadline."""
    STALLED = "stalled"
    """It stopped talking, or took too long in all."""
    NO_WORK = "no_work"
    """Exit 0, and nothing done."""
    NO_PROOF = "no_proof"
    """The nonce is missing or wrong."""
    UNPARSEABLE = "unparseable"
    CRASHED = "crashed"
    """It ended by a signal or without a result."""
    FORBIDDEN = "forbidden"
    """It tried a tool that was not granted; what it said beside that is not believed."""
    TOO_LONG = "too_long"
    """More output than any honest call has."""
    STOPPED = "stopped"
    """The desk was asked to stop; its next start puts the question again."""
    NOT_STARTED = "not_started"
    """The binary is not there."""
    NO_LOGIN = "no_login"
    """Nobody pays: no login, or one that the vendor does not take."""
    LOST = "lost"
    """The conversation that it should have gone on with is not there, or cannot be read; nothing was sent."""


@dataclass(frozen=True)
class NoTools:
    """In a grant's place where a question needs no tool and no market: no server is shown, and nothing can be called."""

    decision_id: DecisionId
    as_of: datetime
    tools: tuple[str, ...] = ()


@dataclass(frozen=True)
class Session:
    """The conversation that a question belongs to: one for each trade, from its opening on.

    Which words a model remembers of it is the manager's to see to: a conversation that is lost, or has grown too dear, is begun anew.
    """

    trade: DecisionId
    """Whose conversation, and whose purse: `budget.claude_usd_per_trade`."""
    briefing: str = ""
    """What a fresh conversation is told of the trade so far, as data; empty where the question opens it."""


@dataclass(frozen=True)
class Question:
    """One step's question: the slash command of `workflow` with `arguments`, to be answered by `schema`."""

    workflow: str
    """One of `prompts.WORKFLOWS`."""
    arguments: str
    schema: Mapping[str, Any]
    """JSON schema of the answer without its nonce."""
    grant: ToolGrant | NoTools
    grounds: str = ""
    """Canonical JSON of what the answer will be checked against; kept beside it, so that a replay can check without a market."""
    complaint: str = ""
    """What was wrong with the answer before; makes this question its one repair."""
    mask: str = ""
    """Canonical JSON of the mask that the model looks through, empty for none."""
    session: Session | None = None
    """None: a conversation of its own, forgotten at its end."""

    @property
    def decision_id(self) -> DecisionId:
        """What it is asked for."""
        return self.grant.decision_id if isinstance(self.grant, NoTools) else self.grant.brief.decision_id

    @property
    def as_of(self) -> datetime:
        """Time at which the model is."""
        return self.grant.as_of if isinstance(self.grant, NoTools) else self.grant.brief.view.now()


@dataclass(frozen=True)
class Reply:
    """What came of a question."""

    call_id: CallId
    ending: Ending
    output: Mapping[str, Any] | None
    """The structured answer without its nonce, if answered."""
    calls: tuple[ToolCall, ...]
    model: str
    note: str = ""
    """Why there is no answer; the same for the same answer."""


class Asker(Protocol):
    """Who puts questions to a model: the manager, live; a cassette player, from records."""

    def ask(self, question: Question) -> Reply:
        """Return what came of it; a model that fails is a reply, not an error. ReplayMissError from a player without a record."""
