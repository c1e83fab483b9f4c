"""A desk that waits for a person's word on one proposal, and words on it."""

from typing import Any

from builders import NOW, mandate, proposal
from desks import Bar, SmallDesk, small_desk
from trading_bot.domain.approvals import Approval, ApprovalEnded, InboxDone
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.proposals import VerdictOutcome
from trading_bot.domain.values import ProposalId
from trading_bot.ports import InboxItem

FLAT: list[Bar] = [(100, 100.2, 99.8, 100)] * 60
WANTED = proposal()


def asks(**limits: Any) -> Mandate:  # noqa: ANN401 - values of limits
    """A mandate under which a person is asked."""
    return mandate(autonomy="confirm", **limits)


def asked(bars: list[Bar] = FLAT, under: Mandate | None = None, **parts: Any) -> SmallDesk:  # noqa: ANN401 - parts of the desk
    """A desk that waits for a person's word on AAPL."""
    desk = small_desk(bars, under=under or asks(), **parts)
    verdict = desk.engine.handle(WANTED)
    assert verdict is not None
    assert verdict.outcome is VerdictOutcome.NEEDS_APPROVAL
    return desk


def again(desk: SmallDesk, bars: list[Bar] = FLAT, **parts: Any) -> SmallDesk:  # noqa: ANN401 - parts of the desk
    """The next process on the same journal, venue and clock."""
    return small_desk(bars, **{"under": asks(), **parts}, journal=desk.journal, broker=desk.broker, clock=desk.clock)


def post(desk: SmallDesk, *, approve: bool = True, item: str = "word-1", of: str = WANTED.id, proof: str = "") -> None:
    """Put a person's word into the inbox."""
    body = Approval(proposal_id=ProposalId(of), approve=approve, by="operator", proof=proof).canonical()
    desk.journal.post(InboxItem(item, "approval", body, NOW))


def say(desk: SmallDesk, **word: Any) -> str:  # noqa: ANN401 - as `post`
    """Put a person's word into the inbox, have it served, return why it was refused."""
    post(desk, **word)
    desk.inbox.serve()
    done = desk.journal.get(InboxDone, word.get("item", "word-1"))
    assert done is not None
    return done.refused


def ends(desk: SmallDesk) -> list[tuple[str, str]]:
    """How each waiting ended, and by whom."""
    return [(e.outcome, e.by) for e in desk.journal.all(ApprovalEnded)]
