"""The paper venue ends a perpetual between two looks of the desk: the desk learns of it from the venue's events, and agrees with them."""

from datetime import timedelta
from decimal import Decimal

from builders import AAPL, NOW, mandate, proposal
from desks import Bar, SmallDesk, small_desk
from execution.test_margin_watch import Levered
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.proposals import Verdict
from trading_bot.domain.records import DeskState

FLAT: Bar = (100, 100, 100, 100)
UNDER = mandate(
    liquidation_buffer="0.03", short_selling=True, approval_above="none", position="0.5", risk_per_trade="none", reentry_minutes=60
)


def carried(*bars: Bar, side: Side = Side.BUY, stop: str = "90") -> SmallDesk:
    """A desk that went into the coin at 100, half an hour ago."""
    desk = small_desk([], source=Levered([FLAT, *bars, *[bars[-1]] * 5]), under=UNDER)
    desk.engine.handle(proposal(side=side, stop_loss=Decimal(stop), targets=()))
    desk.go_to(NOW + timedelta(minutes=30))
    return desk


def test_a_gap_beyond_liquidation_is_booked_as_the_venues_own_order() -> None:
    """From 100 to 60 in no time: nothing is held, nothing rests, nothing differs, and the desk sent nothing but its entry."""
    desk = carried((60, 60, 60, 60))
    (trade,) = desk.engine.ledger.trades.closed
    assert (trade.symbol, trade.exit_role, trade.exit_price) == (AAPL, OrderRole.CLOSE, Decimal("59.99"))
    assert trade.profit == trade.quantity * (Decimal("59.99") - Decimal("100.01"))
    books = desk.engine.ledger.books
    assert (books.positions, books.working_orders(), books.cash) == ({}, (), desk.broker.account().cash)
    assert desk.engine.compare() == ()
    assert [i.order.spec.role for i in desk.engine.ledger.intents] == [OrderRole.ENTRY]
    assert desk.switch.state() is DeskState.RUNNING


def test_a_bar_that_passes_stop_and_liquidation_ends_at_the_stop() -> None:
    """Long and short: what the gate let through has its stop nearer."""
    for side, bar, stop in ((Side.BUY, (100, 100, 50, 50), "90"), (Side.SELL, (100, 150, 100, 150), "110")):
        desk = carried(bar, side=side, stop=stop)
        assert [t.exit_role for t in desk.engine.ledger.trades.closed] == [OrderRole.STOP_LOSS]
        assert desk.engine.compare() == ()


def test_after_a_liquidation_the_same_coin_has_to_wait_and_another_desk_reads_the_same() -> None:
    """It was a loss like any other; a desk that starts from the journal finds the same books."""
    desk = carried((60, 60, 60, 60))
    again = proposal(
        id="proposal-2", decision_id="decision-2", entry=Decimal(60), stop_loss=Decimal(58), targets=(), expires_at=desk.clock.now()
    )
    desk.engine.handle(again)
    assert "reentry" in [f.rule for f in desk.journal.all(Verdict)[-1].findings]
    other = small_desk([], source=Levered([FLAT]), under=UNDER, journal=desk.journal, broker=desk.broker, clock=desk.clock)
    assert other.engine.ledger.books == desk.engine.ledger.books
    assert other.engine.ledger.trades.closed == desk.engine.ledger.trades.closed
