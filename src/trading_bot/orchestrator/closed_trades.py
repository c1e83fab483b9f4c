"""Closed trades of a desk that goes round the clock, each with all that it earned and cost.

Promises that funding belongs to the trade that was held when it was paid, and that what Claude cost is every call about the trade, the one
that opened it included. Refuses to guess why a position ended: the order that closed it says, and the proposal behind that order.
"""

from collections.abc import Callable
from decimal import Decimal

from trading_bot.domain.events import CashReason, CashUpdate, OrderUpdate
from trading_bot.domain.orders import OrderIntent, OrderRole, Side
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ZERO, Amount, DecisionId, NonNegative, Positive, Record, Symbol, UtcTime
from trading_bot.execution.ledger import Ledger
from trading_bot.ports import Journal

_BY_ROLE = {
    OrderRole.STOP_LOSS: "its stop was hit",
    OrderRole.TAKE_PROFIT: "its target was reached",
    OrderRole.CLOSE: "closed without a proposal: by the engine, a person or the venue",
    OrderRole.ENTRY: "an order of the other side turned it",
}


class ClosedTrade(Record):
    """One trade from flat to flat. Money is in the account's currency, Claude's in USD."""

    id: DecisionId | None
    """Of the decision that opened it; None if the desk did not."""
    symbol: Symbol
    side: Side
    quantity: Positive
    opened_at: UtcTime
    closed_at: UtcTime
    entry: Positive
    exit: Positive
    closed_by: OrderRole
    why: str
    fees: Amount
    funding: Amount
    """Received; below 0: paid."""
    profit: Amount
    """After fees and funding."""
    claude_usd: NonNegative
    net: Amount
    """Profit less what Claude cost."""


def closed_trades(journal: Journal, ledger: Ledger, count: int, cost_of: Callable[[DecisionId], Decimal]) -> tuple[ClosedTrade, ...]:
    """Return the `count` trades that were closed last, newest first. `cost_of`: USD of all calls about the trade with this id."""
    return tuple(_closed(journal, ledger, trade, cost_of) for trade in reversed(ledger.trades.closed[-count:]))


def funding_of(ledger: Ledger, trade: RoundTrip) -> Decimal:
    """What `trade` received in funding, below 0 if it paid."""
    paid = (e for e in ledger.events if isinstance(e, CashUpdate) and e.reason is CashReason.FUNDING and e.symbol == trade.symbol)
    return sum((e.amount for e in paid if trade.opened_at < e.at <= trade.closed_at), ZERO)


def _closed(journal: Journal, ledger: Ledger, trade: RoundTrip, cost_of: Callable[[DecisionId], Decimal]) -> ClosedTrade:
    entry = journal.get(OrderIntent, trade.entry_order)
    identity = None if entry is None else entry.order.decision_id
    funding = funding_of(ledger, trade)
    cost = ZERO if identity is None else cost_of(identity)
    return ClosedTrade(
        id=identity,
        symbol=trade.symbol,
        side=trade.side,
        quantity=trade.quantity,
        opened_at=trade.opened_at,
        closed_at=trade.closed_at,
        entry=trade.entry_price,
        exit=trade.exit_price,
        closed_by=trade.exit_role,
        why=_why(journal, ledger, trade),
        fees=trade.fees,
        funding=funding,
        profit=trade.profit + funding,
        claude_usd=cost,
        net=trade.profit + funding - cost,
    )


def _why(journal: Journal, ledger: Ledger, trade: RoundTrip) -> str:
    """What the proposal says that closed it, else what its last order was for."""
    fills = (e for e in reversed(ledger.events) if isinstance(e, OrderUpdate) and e.fill is not None)
    last = next((e.order for e in fills if e.order.symbol == trade.symbol and e.at <= trade.closed_at), None)
    intent = None if last is None or last.role is not OrderRole.CLOSE else journal.get(OrderIntent, last.client_order_id)
    proposal = None if intent is None else journal.get(Proposal, intent.order.proposal_id)
    return _BY_ROLE[trade.exit_role] if proposal is None else f"{proposal.analyst}: {proposal.thesis}"
