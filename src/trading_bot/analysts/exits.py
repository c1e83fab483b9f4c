"""What an analyst wants done about a position that is held, as the proposal that the gate will judge.

Promises one id for each decision, symbol and action, so that a look which is run again proposes nothing new.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import Proposal, ProposalKind
from trading_bot.domain.values import ONE, ProposalId, Symbol, derive_id
from trading_bot.ports import Brief

_TTL = timedelta(minutes=30)


@dataclass(frozen=True)
class Exit:
    """Close, reduce, or move the stop of one position."""

    symbol: Symbol
    side: Side
    """Of the position."""
    strategy: str
    action: ProposalKind
    reason: str
    stop: Decimal | None = None
    fraction: Decimal | None = None


def proposed(brief: Brief, analyst: str, wanted: Exit) -> Proposal:
    """The proposal of `analyst`."""
    now = brief.view.now()
    return Proposal(
        at=now,
        id=ProposalId(derive_id("proposal", brief.decision_id, wanted.symbol, wanted.action)),
        decision_id=brief.decision_id,
        action=wanted.action,
        symbol=wanted.symbol,
        side=wanted.side,
        strategy=wanted.strategy,
        stop_loss=wanted.stop,
        fraction=wanted.fraction,
        exposure=ONE,
        confidence=1.0,
        horizon_days=1,
        thesis=wanted.reason,
        analyst=analyst,
        expires_at=now + _TTL,
    )
