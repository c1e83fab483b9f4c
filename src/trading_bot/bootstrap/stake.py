"""What hangs on a symbol, from the desk's own journal: read-only, whether the desk runs or not.

Promises numbers of the desk's books and of its mandate alone; no article has a say in them. Where no desk has come up nothing hangs on
anything, so that nothing is worth a call that costs money.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from trading_bot.bootstrap.tools import IdleDesk, open_desk
from trading_bot.domain.mandate import Limits
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.values import ZERO, Symbol, divided
from trading_bot.news.escalation import Stake
from trading_bot.storage.home import Home

_FRESH = timedelta(seconds=30)
"""The journal is looked at again after so long."""
_NOBODY = Stake()


@dataclass(frozen=True)
class _Seen:
    """One look at the desk."""

    at: datetime
    stakes: dict[Symbol, Stake]


class Stakes:
    """What hangs on each symbol of the universe, looked up anew once a look is too old."""

    def __init__(self, home: Home, operator: Path, now: Callable[[], datetime]) -> None:
        self._home = home
        self._operator = operator
        self._now = now
        self._seen: _Seen | None = None

    def of(self, symbol: Symbol) -> Stake:
        """What hangs on `symbol`; nothing where no desk knows it. HomeError or StorageError if its journal cannot be read."""
        now = self._now()
        if self._seen is None or now - self._seen.at > _FRESH:
            self._seen = _Seen(now, self._look())
        return self._seen.stakes.get(symbol, _NOBODY)

    def _look(self) -> dict[Symbol, Stake]:
        if not self._home.has_journal:
            return {}
        with open_desk(self._home, self._operator) as desk:
            return {symbol: stake_of(desk, symbol) for symbol in desk.universe}


def stake_of(desk: IdleDesk, symbol: Symbol) -> Stake:
    """What hangs on one symbol. Held, that is its loss at the stop (all of it without one); else what one trade may lose."""
    ledger, mandate = desk.bench.ledger, desk.bench.authority.mandate
    marks = desk.bench.judge.marks()
    equity = max(ledger.books.equity(marks), ZERO)
    position, stop = ledger.books.positions.get(symbol), ledger.books.stops.get(symbol)
    value = abs(position.market_value(marks[symbol])) if position is not None else ZERO
    limits = None if mandate is None else mandate.limits
    at_risk = equity * _share(limits.risk_per_trade) if limits is not None else ZERO
    if position is not None:
        at_risk = value if stop is None else abs(position.quantity * (marks[symbol] - stop))
    closed = [ledger.strategy_of(trade) for trade in ledger.trades.closed]
    trading = {p.strategy for p in desk.bench.journal.all(Proposal) if p.symbol == symbol}
    return Stake(
        position=value,
        equity=equity,
        at_risk=at_risk,
        strategies={name: closed.count(name) for name in sorted(trading)},
        limits=_used(desk, limits, equity, value),
    )


def _used(desk: IdleDesk, limits: Limits | None, equity: Decimal, value: Decimal) -> dict[str, Decimal]:
    """Share of each limit that is used."""
    if limits is None or not equity:
        return {}
    ledger = desk.bench.ledger
    used = {
        "position": (value / equity, limits.position),
        "daily_loss": (_loss(equity, ledger.equity_last_close), limits.daily_loss),
        "drawdown": (_loss(equity, ledger.equity_high), limits.drawdown),
    }
    return {name: divided(share, limit) for name, (share, limit) in used.items() if limit != "none"}


def _loss(equity: Decimal, since: Decimal) -> Decimal:
    return max(1 - equity / since, ZERO) if since > 0 else ZERO


def _share(limit: Decimal | str) -> Decimal:
    return limit if isinstance(limit, Decimal) else ZERO
