"""Closed trades made short, for tests of statistics and reviews."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ClientOrderId, Symbol

START = datetime(2024, 3, 4, 15, 0, tzinfo=UTC)


def _trade(  # noqa: PLR0913 - what tests of trades vary
    profit: str,
    *,
    symbol: str = "AAPL",
    opened: datetime = START,
    hours: float = 1,
    quantity: str = "10",
    role: OrderRole = OrderRole.CLOSE,
) -> RoundTrip:
    return RoundTrip(
        symbol=Symbol(symbol),
        side=Side.BUY,
        quantity=Decimal(quantity),
        entry_price=Decimal(100),
        exit_price=Decimal(100) + Decimal(profit) / Decimal(quantity),
        opened_at=opened,
        closed_at=opened + timedelta(hours=hours),
        profit=Decimal(profit),
        fees=Decimal(0),
        entry_order=ClientOrderId("desk-entry"),
        exit_role=role,
    )


@pytest.fixture(scope="session")
def trade() -> Callable[..., RoundTrip]:
    """Maker of a long round trip in AAPL at 100 with the given profit, 10 shares, one hour from 2024-03-04 15:00 UTC."""
    return _trade
