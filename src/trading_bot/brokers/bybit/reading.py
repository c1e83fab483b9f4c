"""What can be asked of Bybit, as rows: orders, executions, positions, the wallet, the log of cash.

Promises every page of a list, and every window where Bybit answers for a limited time only. Understands nothing of it.
"""

from collections.abc import Iterator

from trading_bot.brokers.bybit.connection import Connection, Row
from trading_bot.brokers.bybit.wire import SETTLE_COIN
from trading_bot.domain.values import ClientOrderId, Symbol

_DAY = 86_400_000
_EXECUTIONS_WINDOW, _LOG_WINDOW = 7 * _DAY, _DAY
"""With a start alone, Bybit answers for so long after it."""
VENUE = "venue-"
"""Prefix of the ids that we give to orders which carry none."""


class Reader:
    """Questions about one category of one account."""

    def __init__(self, connection: Connection, category: str) -> None:
        self._line = connection
        self._category = category

    @property
    def milliseconds(self) -> int:
        """Bybit's own time in its last answer."""
        return self._line.milliseconds

    def user(self) -> Row:
        """Whose keys these are, and what they may do."""
        return self._line.read("get_api_key_information")

    def account(self) -> Row:
        """Margin mode and the like."""
        return self._line.read("get_account_info")

    def wallet(self) -> Row:
        """The unified account with its coins."""
        rows = self._line.read("get_wallet_balance", accountType="UNIFIED").get("list") or [{}]
        found: Row = rows[0]
        return found

    def positions(self, symbol: Symbol | None = None) -> tuple[Row, ...]:
        """Positions of perpetuals; with a symbol, its row even where nothing is held."""
        which = {"settleCoin": SETTLE_COIN, "limit": 200} if symbol is None else {"symbol": symbol}
        return tuple(self._line.pages("get_positions", category="linear", **which))

    def open_orders(self) -> tuple[Row, ...]:
        """Working orders, conditional ones included."""
        which = {"settleCoin": SETTLE_COIN} if self._category == "linear" else {}
        return tuple(self._line.pages("get_open_orders", category=self._category, openOnly=0, limit=50, **which))

    def order(self, identity: ClientOrderId) -> Row | None:
        """An order, working or closed; None if both lists say that there is none."""
        which = self._by(identity)
        for method in ("get_open_orders", "get_order_history"):
            rows = self._line.read(method, category=self._category, **which).get("list") or []
            if rows:
                found: Row = rows[0]
                return found
        return None

    def executions_of(self, identity: ClientOrderId) -> tuple[Row, ...]:
        """Executions of one order, oldest first."""
        return _oldest_first(self._line.pages("get_executions", category=self._category, limit=100, **self._by(identity)), "execTime")

    def executions(self, since: int) -> Iterator[tuple[tuple[Row, ...], int]]:
        """Executions since then, oldest first, window by window, with the time up to which each window goes."""
        for start, end in self._windows(since, _EXECUTIONS_WINDOW):
            pages = self._line.pages("get_executions", category=self._category, startTime=start, limit=100)
            yield _oldest_first(pages, "execTime"), end

    def cash_log(self, since: int) -> Iterator[tuple[tuple[Row, ...], int]]:
        """The log of the desk's money since then, as the executions."""
        for start, end in self._windows(since, _LOG_WINDOW):
            pages = self._line.pages("get_transaction_log", accountType="UNIFIED", currency=SETTLE_COIN, startTime=start, limit=50)
            yield _oldest_first(pages, "transactionTime"), end

    def _windows(self, since: int, width: int) -> Iterator[tuple[int, int]]:
        start = since
        while True:
            now = self._line.milliseconds
            yield start, min(start + width, max(now, start))
            start += width
            if start >= now:
                return

    def _by(self, identity: ClientOrderId) -> Row:
        return {"orderId": identity.removeprefix(VENUE)} if identity.startswith(VENUE) else {"orderLinkId": identity}


def _oldest_first(rows: Iterator[Row], time: str) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: int(row[time])))
