"""Fees in coins: read off the position, shared among the purchases, and never more than a fee can be."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading_bot.brokers.alpaca.coins import coin_fee, less_fees
from trading_bot.domain.orders import Fill, OrderRole, Side
from trading_bot.domain.values import ClientOrderId, Symbol

COIN, SHARE = Symbol("BTC/USD"), Symbol("AAPL")
PARTS = st.decimals("0.001", "5", places=3)


def fill(number: int, quantity: Decimal, side: Side = Side.BUY, symbol: Symbol = COIN) -> Fill:
    """An execution without its fee."""
    return Fill(
        execution_id=f"x-{number}",
        client_order_id=ClientOrderId("desk-a"),
        symbol=symbol,
        side=side,
        role=OrderRole.ENTRY,
        quantity=quantity,
        price=Decimal(50_000),
        fee=Decimal(0),
        at=datetime(2026, 3, 2, tzinfo=UTC),
    )


def test_a_fee_is_what_is_missing_and_never_more_than_a_hundredth() -> None:
    """More is not a fee, but something that somebody did by hand; and nobody is given coins."""
    assert coin_fee(Decimal(1), Decimal(2), Decimal("2.995")) == Decimal("0.005")
    assert coin_fee(Decimal(1), Decimal(2), Decimal(2)) == 0
    assert coin_fee(Decimal(1), Decimal(2), Decimal(4)) == 0


@given(st.lists(st.tuples(PARTS, st.sampled_from(Side)), min_size=1, max_size=6), st.decimals("0", "0.0025", places=4))
def test_books_hold_what_the_venue_holds_after_all_fees(parts: list[tuple[Decimal, Side]], rate: Decimal) -> None:
    """However many purchases and sales are read at once."""
    fills = [fill(n, quantity, side) for n, (quantity, side) in enumerate(parts)] + [fill(99, Decimal(1), symbol=SHARE)]
    bought = sum(q for q, side in parts if side is Side.BUY)
    held = Decimal(100)
    after = held + sum(q * side.sign for q, side in parts) - bought * rate
    told = less_fees(fills, {COIN: held}, {COIN: after, SHARE: Decimal("0.5")})
    assert held + sum(f.quantity * f.side.sign - f.fee_quantity for f in told if f.symbol == COIN) == after
    assert [f.model_copy(update={"fee_quantity": Decimal(0)}) for f in told] == fills
    assert told[-1].fee_quantity == 0
