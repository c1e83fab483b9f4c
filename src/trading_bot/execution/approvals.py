"""Proposals that wait for a person: granted once, denied by a word or by time, and judged again before anything is sent.

Promises that nobody's silence is a yes, that an approved proposal meets every other rule again on fresh prices, and that each ends once.
Refuses a word on what does not wait, and a yes without proof.
"""

from collections.abc import Callable

from trading_bot.domain.approvals import Approval, ApprovalEnded, ApprovalOutcome, ApprovalRequest
from trading_bot.domain.errors import MandateError
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.values import ProposalId
from trading_bot.execution.engine import Engine
from trading_bot.ports import Clock, Journal

APPROVE = "approve"
"""Kind of the operator's statement."""
Authenticate = Callable[[Approval, Proposal], None]
"""Raises MandateError unless the approval carries the operator's proof for this very proposal."""


def approval_fields(desk: str, proposal: Proposal) -> dict[str, str]:
    """Return what a statement to approve is about: this desk and all of this proposal."""
    return {"desk": desk, "proposal": proposal.id, "digest": proposal.fingerprint()}


def waiting(journal: Journal) -> tuple[ApprovalRequest, ...]:
    """Requests that have not ended, oldest first; one whose time is over is among them until the desk looks."""
    ended = {e.key for e in journal.all(ApprovalEnded)}
    return tuple(r for r in journal.all(ApprovalRequest) if r.key not in ended)


class Approvals:
    """The waiting proposals of one desk."""

    def __init__(self, journal: Journal, engine: Engine, clock: Clock, authenticate: Authenticate) -> None:
        self._journal = journal
        self._engine = engine
        self._clock = clock
        self._authenticate = authenticate

    def expire(self) -> None:
        """Deny what has waited too long."""
        now = self._clock.now()
        for request in waiting(self._journal):
            if now > request.expires_at:
                reason = f"nobody answered until {request.expires_at.isoformat()}"
                over = ApprovalEnded(at=now, proposal_id=request.proposal_id, outcome=ApprovalOutcome.TIMED_OUT, by="time", reason=reason)
                self._journal.append(over)

    def decide(self, word: Approval, item: str) -> str:
        """Carry out a person's word, which came with this inbox item; return why not, or nothing."""
        ended = self._journal.get(ApprovalEnded, word.proposal_id)
        if ended is not None and ended.item == item:
            # The desk died between the word's deed and the end of its item.
            self._engine.resolve()
            return ""
        self.expire()
        request = next((r for r in waiting(self._journal) if r.proposal_id == word.proposal_id), None)
        proposal = self._journal.get(Proposal, word.proposal_id)
        if request is None or proposal is None:
            return self._why_not(word.proposal_id)
        outcome = ApprovalOutcome.GRANTED if word.approve else ApprovalOutcome.DENIED
        end = ApprovalEnded(at=self._clock.now(), proposal_id=proposal.id, outcome=outcome, by=word.by, item=item)
        if not word.approve:
            self._journal.append(end)
            return ""
        try:
            self._authenticate(word, proposal)
        except MandateError as error:
            return str(error)
        self._engine.handle_approved(proposal, end)
        return ""

    def _why_not(self, proposal: ProposalId) -> str:
        ended = self._journal.get(ApprovalEnded, proposal)
        if ended is None:
            return f"no proposal {proposal} waits for approval; `approvals` lists those that do"
        return f"proposal {proposal} was {ended.outcome.replace('_', ' ')} by {ended.by} already"
