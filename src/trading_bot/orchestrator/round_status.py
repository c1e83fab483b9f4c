"""What a desk that goes round the clock is at: its trade as it stands now, its last looks, and how many failed in a row.

The same answer from inside the running desk and from any other process. Promises that what cannot be known now (no price, no venue) is None
and keeps nothing else from being told.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.domain.errors import ConfigError, DataError
from trading_bot.domain.perpetual import is_leveraged, liquidation_price
from trading_bot.domain.records import TaskRun, TaskStatus
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import Amount, DecisionId, NonNegative, Positive, Record, UtcTime, divided
from trading_bot.execution.ledger import Ledger
from trading_bot.orchestrator.running import Streak, TradeLog
from trading_bot.orchestrator.scheduler import LOOK
from trading_bot.ports import Journal, View

_REMEMBERED = timedelta(days=3)
_TOLD = 3
_WAKE = "wake"


class TradeNow(Record):
    """A running trade and how it stands. Prices are None where none is known now."""

    trade: RunningTrade
    mark: Positive | None
    unrealised: Amount | None
    """Before fees and funding."""
    liquidation: Positive | None
    liquidation_distance: Amount | None
    """Of the mark from liquidation, as a share of the mark."""
    claude_usd: NonNegative
    """What all calls about it have cost so far."""


class LookTold(Record):
    """How one look ended."""

    due: UtcTime
    task: str
    status: TaskStatus
    reason: str


class RoundStatus(Record):
    """What such a desk is at."""

    trade: TradeNow | None
    looks: tuple[LookTold, ...]
    """The last three, newest first."""
    failures: int
    """Looks that failed in a row, up to now."""


def round_status(
    journal: Journal, ledger: Ledger, now: datetime, view: Callable[[], View], cost_of: Callable[[DecisionId], Decimal]
) -> RoundStatus:
    """Return what the desk that keeps `journal` is at. `view` is opened only if there is a trade; `cost_of`: USD of the calls about it."""
    since = now - _REMEMBERED
    trade = TradeLog(journal, ledger, since).trade()
    ended = [run for run in journal.since(TaskRun, since) if run.status.is_end and run.task.partition("-")[0] in {LOOK, _WAKE}]
    looks = (LookTold(due=run.due, task=run.task, status=run.status, reason=run.reason) for run in reversed(ended[-_TOLD:]))
    return RoundStatus(
        trade=None if trade is None else _now(trade, view, cost_of(trade.id)),
        looks=tuple(looks),
        failures=Streak(journal, since).number,
    )


def _now(trade: RunningTrade, view: Callable[[], View], cost: Decimal) -> TradeNow:
    try:
        mark, liquidation = _prices(trade, view())
    except (DataError, ConfigError):
        mark = liquidation = None
    away = None if mark is None or liquidation is None else divided((mark - liquidation) * trade.side.sign, mark)
    return TradeNow(
        trade=trade,
        mark=mark,
        unrealised=None if mark is None else (mark - trade.entry) * trade.quantity * trade.side.sign,
        liquidation=liquidation,
        liquidation_distance=away,
        claude_usd=cost,
    )


def _prices(trade: RunningTrade, view: View) -> tuple[Decimal | None, Decimal | None]:
    """Mark price, and where the venue would end the position."""
    contract, instrument = view.contract(trade.symbol), view.instrument(trade.symbol)
    end = liquidation_price(trade.side, trade.entry, instrument) if is_leveraged(instrument) else None
    return None if contract is None else contract.mark, end
