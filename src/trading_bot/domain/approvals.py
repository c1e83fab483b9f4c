"""What waits for a person, a person's word on it, and what became of the inbox's other items."""

from enum import StrEnum
from typing import ClassVar

from trading_bot.domain.values import Journaled, NonNegative, ProposalId, Record, Symbol, UtcTime


class ApprovalRequest(Journaled):
    """A proposal waits for a person, until `expires_at` (trading time)."""

    kind: ClassVar[str] = "approval_request"

    proposal_id: ProposalId
    symbol: Symbol
    quantity: NonNegative
    """What would be entered if it were approved at once."""
    risk: NonNegative
    """Money lost at the stop of that much."""
    expires_at: UtcTime

    @property
    def key(self) -> str:
        """The proposal id."""
        return self.proposal_id


class ApprovalOutcome(StrEnum):
    """How the waiting ended."""

    GRANTED = "granted"
    DENIED = "denied"
    TIMED_OUT = "timed_out"
    """Nobody answered in time; that is a no."""


class ApprovalEnded(Journaled):
    """A proposal waits no more."""

    kind: ClassVar[str] = "approval"

    proposal_id: ProposalId
    outcome: ApprovalOutcome
    by: str
    item: str = ""
    """Id of the inbox item with the person's word; empty where nobody said one."""
    reason: str = ""

    @property
    def key(self) -> str:
        """The proposal id."""
        return self.proposal_id


class Approval(Record):
    """An inbox item of kind `approval`: a person's word on one proposal."""

    proposal_id: ProposalId
    approve: bool
    by: str
    proof: str = ""
    """For a yes: the operator's signed statement."""


class InboxDone(Journaled):
    """A proposal or an approval from the inbox was taken in, or refused."""

    kind: ClassVar[str] = "inbox"

    item: str
    what: str
    """Kind of the item."""
    refused: str = ""
    """Why nothing came of it; empty if something did."""

    @property
    def key(self) -> str:
        """The item's id."""
        return self.item
