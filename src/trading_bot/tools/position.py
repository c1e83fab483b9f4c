"""The position tools: what is held, what it is worth, what may still be spent, what was done and thought before.

Promises the desk's own books at the newest visible prices, each with its time and source. Refuses to ask a broker: no tool has one.
"""

from decimal import Decimal
from typing import Any

from trading_bot.backtest.facts import Protection, protections
from trading_bot.backtest.statistics import closes
from trading_bot.domain.books import Position
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.events import CashReason, CashUpdate
from trading_bot.domain.orders import Order
from trading_bot.domain.proposals import Proposal, ProposalKind
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.execution.margin import reckoned
from trading_bot.tools import queries
from trading_bot.tools import results_position as results
from trading_bot.tools.envelope import wrap
from trading_bot.tools.looking import Worth, journal_age, level, on_tick, past, percent, worth
from trading_bot.tools.memory import history
from trading_bot.tools.scope import Scope

_PAGE = 25
_DAY_SECONDS = 86_400


def get_positions(scope: Scope, query: queries.Page) -> results.PositionsTold:
    """Every open position, by symbol."""
    found = worth(scope)
    held = protections(found.books)
    page = held[query.offset : query.offset + _PAGE]
    after = query.offset + len(page)
    return results.PositionsTold(
        as_of=scope.view.now(),
        journal_age_seconds=journal_age(scope),
        positions=tuple(_told(found, one) for one in page),
        total=len(held),
        next_offset=after if after < len(held) else None,
    )


def _told(found: Worth, held: Protection) -> results.PositionTold:
    position, mark = found.books.positions[held.symbol], found.marks[held.symbol]
    cost = abs(position.quantity) * position.average_price
    profit = (mark.price - position.average_price) * position.quantity
    return results.PositionTold(
        symbol=held.symbol,
        side=position.side,
        quantity=abs(position.quantity),
        average_price=round(position.average_price, 4),
        opened_at=position.opened_at,
        mark=mark,
        value_usd=position.market_value(mark.price),
        profit_usd=profit,
        profit_percent=percent(profit, cost),
        stop=found.books.stops.get(held.symbol),
        protected=held.protected,
    )


def get_position_details(scope: Scope, query: queries.OfSymbol) -> results.DetailsTold:
    """One position with its working orders and the proposal that opened it."""
    found = worth(scope)
    held = next((one for one in protections(found.books) if one.symbol == query.symbol), None)
    if held is None:
        msg = f"there is no position in {query.symbol}; held: {', '.join(sorted(found.books.positions)) or 'nothing'}"
        raise ToolFailedError(msg)
    position, mark = found.books.positions[query.symbol], found.marks[query.symbol]
    stop, cause = found.books.stops.get(query.symbol), _cause(scope, position)
    distance = None if stop is None else (mark.price - stop) * position.side.sign
    return results.DetailsTold(
        as_of=scope.view.now(),
        journal_age_seconds=journal_age(scope),
        position=_told(found, held),
        days_held=(scope.view.now() - position.opened_at).total_seconds() / _DAY_SECONDS,
        risk_to_stop_usd=None if distance is None else distance * abs(position.quantity),
        stop_distance_percent=None if distance is None else percent(distance, mark.price),
        orders=tuple(_order(order) for order in found.books.working_orders(query.symbol)),
        **_margin(scope, position),
        confidence=None if cause is None else cause.confidence,
        analyst=None if cause is None else cause.analyst,
        thesis=None if cause is None else wrap(cause.thesis),
    )


def _margin(scope: Scope, position: Position) -> dict[str, Any]:
    """How far a perpetual is from its liquidation, reckoned from its average price, and what funding has cost; nothing of anything else."""
    state, instrument = reckoned(scope.view, position), scope.view.instrument(position.symbol)
    if state is None:
        return {}
    liquidation = state.liquidation
    distance = None if liquidation is None else (state.mark - liquidation) * position.side.sign
    return {
        "leverage": float(instrument.leverage_cap),
        "mark_price": level(instrument, state.mark),
        "liquidation_price": on_tick(instrument, liquidation),
        "liquidation_distance_percent": None if distance is None else percent(distance, state.mark),
        "funding_usd": _funding(scope, position),
    }


def _funding(scope: Scope, position: Position) -> Decimal:
    """Funding of a symbol since its position was opened."""
    cash = (e for e in past(scope).material.events if isinstance(e, CashUpdate) and e.reason is CashReason.FUNDING)
    return sum((e.amount for e in cash if e.symbol == position.symbol and e.at >= position.opened_at), ZERO)


def _cause(scope: Scope, position: Position) -> Proposal | None:
    """The last proposal to open the symbol before the position was there."""
    opening = [
        p
        for p in past(scope).material.proposals
        if p.symbol == position.symbol and p.action is ProposalKind.OPEN and p.at <= position.opened_at
    ]
    return opening[-1] if opening else None


def _order(order: Order) -> results.OrderTold:
    return results.OrderTold(
        role=order.role, side=order.side, quantity=order.remaining, price=order.limit_price or order.stop_price, state=order.state
    )


def get_portfolio_summary(scope: Scope, query: queries.Nothing) -> results.SummaryTold:  # noqa: ARG001 - every tool is asked something
    """Equity and where it comes from."""
    found, material, now = worth(scope), past(scope).material, scope.view.now()
    ends = closes(material.points)
    before = [point for point in ends if point.at.date() < now.date()]
    high = max([material.start, found.equity, *(point.equity for point in ends)])
    return results.SummaryTold(
        as_of=now,
        journal_age_seconds=journal_age(scope),
        equity_usd=found.equity,
        cash_usd=found.books.cash,
        positions=len(found.books.positions),
        gross_usd=found.gross,
        net_usd=found.net,
        unrealized_usd=found.unrealized,
        realized_usd=found.books.realized,
        fees_usd=found.books.fees,
        income_usd=found.books.income,
        total_return_percent=percent(found.equity - material.start, material.start),
        today_usd=found.equity - (before[-1].equity if before else material.start),
        drawdown_percent=percent(high - found.equity, high),
        oldest_mark=min((mark.time for mark in found.marks.values()), default=None),
    )


def get_buying_power(scope: Scope, query: queries.Nothing) -> results.BuyingPowerTold:  # noqa: ARG001 - every tool is asked something
    """Buying power by the books, and what the mandate leaves of it."""
    found, mandate = worth(scope), scope.mandate
    reserve = None if mandate is None else found.buying_power * mandate.limits.buying_power_reserve
    taken: set[Symbol] = {*found.books.positions, *found.entering}
    most = "none" if mandate is None else mandate.limits.open_positions
    return results.BuyingPowerTold(
        as_of=scope.view.now(),
        journal_age_seconds=journal_age(scope),
        cash_usd=found.books.cash,
        equity_usd=found.equity,
        buying_power_usd=found.buying_power,
        reserve_usd=reserve,
        usable_usd=None if reserve is None else found.buying_power - reserve,
        reserved_by_orders_usd=found.reserved,
        positions_left=None if most == "none" else max(most - len(taken), 0),
    )


def get_trade_history(scope: Scope, query: queries.History) -> results.HistoryTold:
    """Closed trades and past decisions, newest first."""
    return history(scope, query)
