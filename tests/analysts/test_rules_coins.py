"""The rules' one trade in a coin: opened from its candidates, and watched to its end; every sentence holds for a long and for a short."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coin_market import COIN, START, Coins, Telling, market, turned_over, walk
from trading_bot.analysts.rules import RulesAnalyst
from trading_bot.domain.books import Books, Position
from trading_bot.domain.market import Contract, Timeframe
from trading_bot.domain.orders import Order, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.proposals import Outcome, Proposal, ProposalKind, VerdictOutcome
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import ClientOrderId, DecisionId
from trading_bot.market import coins
from trading_bot.market.view import AsOfView
from trading_bot.ports import Brief
from trading_bot.risk.gate import Exit, rule_on_exit

FLAT = 900
"""Bars of five minutes around 100, before the trade is opened there."""
OPENED = START + FLAT * Timeframe.MINUTE_5.duration
QUIET = 24
"""Bars of two hours in which nothing happens."""
BOTH = pytest.mark.parametrize("side", list(Side))
Moves = Sequence[tuple[int, float]]


def path(moves: Moves, side: Side = Side.BUY) -> pd.DataFrame:
    """Around 100, then by so many bars to each price of a long; of a short, turned over."""
    closes = [100 + 0.02 * (-1) ** n for n in range(FLAT)]
    for count, level in moves:
        closes += np.linspace(closes[-1], level, count + 1)[1:].tolist()
    close = np.array(closes)
    opening = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opening, close) + 0.1, np.minimum(opening, close) - 0.1
    index = pd.date_range(START, periods=len(close), freq="5min")
    frame = pd.DataFrame({"open": opening, "high": high, "low": low, "close": close, "volume": 100.0}, index=index)
    return frame if side is Side.BUY else turned_over(frame, 100.0)


def price(side: Side, of_long: str) -> Decimal:
    """What is `of_long` for a long; for a short its mirror at 100."""
    return Decimal(of_long) if side is Side.BUY else 200 - Decimal(of_long)


def running(side: Side, **changed: Any) -> RunningTrade:  # noqa: ANN401 - fields
    """A trade at 100 with 1 at risk."""
    fields = {
        "id": DecisionId("opened"),
        "symbol": COIN,
        "side": side,
        "quantity": Decimal(1),
        "entry": Decimal(100),
        "opened_at": OPENED,
        "first_stop": price(side, "99"),
        "stop": price(side, "99"),
        "targets": (),
        "confidence": 0.4,
        "thesis": "it rises",
    }
    return RunningTrade.model_validate({**fields, **changed})


def brief_of(source: Coins, trade: RunningTrade | None, moment: datetime, *, paid: bool = False, woken_by: str = "") -> Brief:
    """What the rules are told at `moment`."""
    books = Books()
    if trade is not None:
        held = Position(symbol=COIN, quantity=trade.side.sign * trade.quantity, average_price=trade.entry, opened_at=trade.opened_at)
        books = Books(positions={COIN: held}, paid=(COIN,) if paid else ())
    return Brief(DecisionId("watch"), AsOfView(source, lambda: moment), books, (COIN,), woken_by=woken_by)


def watched(moves: Moves, trade: RunningTrade, *, paid: bool = False, woken_by: str = "", source: Coins | None = None) -> list[Proposal]:
    """What the rules want of the trade at the end of a path."""
    market_of = source or market(path(moves, trade.side))
    moment = OPENED + sum(count for count, _ in moves) * Timeframe.MINUTE_5.duration
    answer = RulesAnalyst().watch_trade(brief_of(market_of, trade, moment, paid=paid, woken_by=woken_by), trade)
    assert answer.outcome is Outcome.ANSWERED
    assert answer.value is not None
    return list(answer.value)


def wanted(proposals: list[Proposal]) -> tuple[ProposalKind, str] | None:
    """Action and reason of the one proposal, None where there is none."""
    assert len(proposals) <= 1
    return (proposals[0].action, proposals[0].thesis) if proposals else None


def atr(moves: Moves, side: Side) -> float:
    """Of the last hour of a path."""
    view = AsOfView(market(path(moves, side)), lambda: OPENED + sum(count for count, _ in moves) * Timeframe.MINUTE_5.duration)
    return float(view.indicators(COIN, coins.TREND)["atr_14"].iloc[-1])


# -- opening ---------------------------------------------------------------------------------------------------------


def test_the_trade_that_is_opened_is_that_of_the_published_rules_and_never_in_a_coin_that_is_held() -> None:
    """What `market/coins.py` finds; nothing where the only coin is held."""
    sources = (market(walk(FLAT, seed, 0.01)) for seed in range(1, 60))
    source = next(s for s in sources if coins.idea(AsOfView(s, lambda: OPENED), (COIN,)).plan is not None)
    answer = RulesAnalyst().open_trade(brief_of(source, None, OPENED))
    assert (answer.outcome, answer.analyst) == (Outcome.ANSWERED, "rules")
    assert answer.value == coins.idea(AsOfView(source, lambda: OPENED), (COIN,))
    held = RulesAnalyst().open_trade(brief_of(source, running(Side.BUY), OPENED)).value
    assert held is not None
    assert held.plan is None


# -- closing ---------------------------------------------------------------------------------------------------------


@BOTH
def test_a_trade_that_goes_as_meant_is_held(side: Side) -> None:
    """1 ahead after four hours, that is 1 R."""
    assert watched([(48, 101.0)], running(side)) == []


@BOTH
def test_a_trade_is_over_after_two_days(side: Side) -> None:
    """Not a bar earlier."""
    assert watched([(575, 101.0)], running(side)) == []
    assert wanted(watched([(576, 101.0)], running(side))) == (ProposalKind.CLOSE, "the horizon is over")


@BOTH
def test_a_trade_whose_trend_is_lost_on_the_last_hour_is_closed(side: Side) -> None:
    """0.8 against it by the end of the first hour."""
    lost = "trend lost: the last hour closed behind its 50-hour average"
    assert watched([(11, 99.2)], running(side)) == []
    assert wanted(watched([(12, 99.2)], running(side))) == (ProposalKind.CLOSE, lost)


@BOTH
def test_an_hour_that_began_before_the_opening_takes_no_reason_away(side: Side) -> None:
    """Opened after the fall: what was seen then cannot be lost by it, until an hour of its own has closed."""
    late = running(
        side, opened_at=OPENED + timedelta(hours=1), entry=price(side, "99.2"), first_stop=price(side, "98"), stop=price(side, "98")
    )
    assert watched([(12, 99.2), (11, 99.2)], late) == []
    assert [found.action for found in watched([(12, 99.2), (12, 99.2)], late)] == [ProposalKind.CLOSE]


@BOTH
@pytest.mark.parametrize(("rate", "closes"), [("0.001", True), ("0.0009", False), ("-0.01", False)])
def test_funding_that_has_turned_hard_against_it_ends_a_trade(side: Side, rate: str, closes: bool) -> None:  # noqa: FBT001 - a parameter
    """A tenth of a per cent each time; what the other side pays is no reason."""
    plain = market(path([(QUIET, 100.2)], side))
    word = Contract(symbol=COIN, mark=Decimal(100), funding_rate=side.sign * Decimal(rate), next_funding_at=OPENED, time=OPENED)
    source = Telling(plain.series, (), plain.quotes, word=word)
    found = wanted(watched([(QUIET, 100.2)], running(side), source=source))
    assert found == ((ProposalKind.CLOSE, "funding has turned hard against it") if closes else None)


@BOTH
@pytest.mark.parametrize(
    ("woken_by", "entry", "quantity", "action", "reason"),
    [
        ("volatility: a move of -4.2 ATR, limit 4 ATR", "100.7", "1", ProposalKind.CLOSE, "the price shakes, and it does not win"),
        ("volatility: a move of +4.2 ATR, limit 4 ATR", "100", "1", ProposalKind.REDUCE, "the price shakes: a part of the gain is taken"),
        ("volatility: a move", "100", "0.001", ProposalKind.CLOSE, "the price shakes, and it is too small to reduce"),
        ("liquidation: 4 % away, limit 5 %", "100", "1", ProposalKind.CLOSE, "it came near liquidation"),
    ],
)
def test_what_woke_the_desk_is_answered_at_once(  # noqa: PLR0913, PLR0917 - what is varied
    side: Side, woken_by: str, entry: str, quantity: str, action: ProposalKind, reason: str
) -> None:
    """A loss that shakes is closed, a gain reduced by half if half can be traded, and what comes near liquidation closed."""
    found = watched([(QUIET, 100.6)], running(side, quantity=quantity, entry=price(side, entry)), woken_by=woken_by)
    assert wanted(found) == (action, reason)
    assert found[0].fraction == (Decimal("0.5") if action is ProposalKind.REDUCE else None)


@BOTH
def test_an_anomaly_that_the_rules_know_nothing_of_changes_nothing(side: Side) -> None:
    """News."""
    assert watched([(QUIET, 100.6)], running(side), woken_by="news: 4 deviations, limit 3 deviations") == []


# -- the stop --------------------------------------------------------------------------------------------------------


@BOTH
def test_once_the_first_target_has_paid_the_stop_goes_to_the_entry(side: Side) -> None:
    """Once: where it stands there already, nothing is proposed."""
    (found,) = watched([(QUIET, 101.0)], running(side), paid=True)
    assert (found.action, found.stop_loss, found.side, found.strategy) == (ProposalKind.MOVE_STOP, Decimal(100), side, "coins")
    assert watched([(QUIET, 101.0)], running(side, stop=Decimal(100)), paid=True) == []


@BOTH
def test_a_price_that_has_come_back_to_where_the_stop_should_stand_ends_the_trade(side: Side) -> None:
    """Paid, and back at the entry before the stop was moved there."""
    trade = running(side, entry=price(side, "100.5"))
    found = wanted(watched([(QUIET, 101.5), (QUIET, 100.52)], trade, paid=True))
    assert found == (ProposalKind.CLOSE, "the first target has paid: stop to the entry price, and the price has come back to there")


@BOTH
def test_once_one_and_a_half_times_the_risk_was_reached_the_stop_follows_the_best_price(side: Side) -> None:
    """Two ATR behind the extreme of 102.1, away from the price to the tick; a quarter of an ATR is the least step."""
    moves = [(48, 102.0)]
    place = 102.1 - 2 * atr(moves, side)
    (found,) = watched(moves, running(side))
    assert found.action is ProposalKind.MOVE_STOP
    assert found.stop_loss is not None
    assert 0 <= (price(side, f"{place:.6f}") - found.stop_loss) * side.sign <= Decimal("0.0101")
    assert watched(moves, running(side, stop=found.stop_loss)) == []
    near = found.stop_loss - side.sign * Decimal(repr(round(0.2 * atr(moves, side), 2)))
    assert watched(moves, running(side, stop=near)) == []


@BOTH
def test_the_stop_follows_the_best_price_since_the_opening_alone(side: Side) -> None:
    """2 R were seen before it was opened, 1 R since."""
    frame = path([(48, 101.0)], side)
    frame.loc[frame.index[FLAT - 1], "high" if side is Side.BUY else "low"] = float(price(side, "104"))
    assert watched([(48, 101.0)], running(side), source=market(frame)) == []


@BOTH
def test_a_trade_without_a_stop_or_a_known_risk_is_not_followed(side: Side) -> None:
    """What is not covered is the engine's to protect; what the desk did not open has no R."""
    assert watched([(48, 102.0)], running(side, stop=None), paid=True) == []
    assert watched([(48, 102.0)], running(side, first_stop=None)) == []


def test_a_trade_that_the_books_do_not_know_is_nobodys_to_watch() -> None:
    """Flat, or the other side: it is over."""
    source = market(path([(QUIET, 100.0)]))
    for trade in (None, running(Side.SELL)):
        answer = RulesAnalyst().watch_trade(brief_of(source, trade, OPENED), running(Side.BUY))
        assert (answer.value, answer.outcome, answer.note) == (None, Outcome.ABSTAINED, "the buy of BTCUSDT is over")


def _resting(trade: RunningTrade) -> Order:
    """Its stop at the venue."""
    return Order(
        client_order_id=ClientOrderId("desk-stop"),
        venue_order_id="1",
        symbol=COIN,
        side=trade.side.opposite,
        type=OrderType.STOP,
        role=OrderRole.STOP_LOSS,
        quantity=trade.quantity,
        stop_price=trade.stop,
        time_in_force=TimeInForce.GTC,
        state=OrderState.ACCEPTED,
        filled_quantity=Decimal(0),
        average_price=Decimal(0),
        submitted_at=OPENED,
        updated_at=OPENED,
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(1, 500),
    side=st.sampled_from(list(Side)),
    hours=st.integers(1, 20),
    risk=st.sampled_from(["0.3", "1", "3"]),
    offset=st.integers(-10, 10).map(lambda n: Decimal(n) / 5),
    paid=st.booleans(),
    woken_by=st.sampled_from(["", "volatility: much"]),
)
def test_the_gate_lets_pass_whatever_the_rules_want(  # noqa: PLR0913, PLR0917 - what is varied
    seed: int,
    side: Side,
    hours: int,
    risk: str,
    offset: Decimal,
    paid: bool,  # noqa: FBT001 - a parameter
    woken_by: str,
) -> None:
    """A stop only moves to less risk, on the tick, behind the quote; nothing asked for is rejected."""
    frame = walk(FLAT + hours * 12, seed, 0.01 * side.sign)
    source, moment = market(frame), OPENED + timedelta(hours=hours)
    entry = Decimal(repr(round(float(frame["close"].iloc[FLAT - 1]), 2)))
    first = entry - side.sign * Decimal(risk)
    trade = running(side, entry=entry, first_stop=first, stop=first + offset)
    answer = RulesAnalyst().watch_trade(brief_of(source, trade, moment, paid=paid, woken_by=woken_by), trade)
    for found in answer.value or ():
        view = AsOfView(source, lambda: moment)
        quote, instrument = view.quote(COIN), view.instrument(COIN)
        assert quote is not None
        held = Position(symbol=COIN, quantity=side.sign * trade.quantity, average_price=entry, opened_at=OPENED)
        case = Exit("desk", moment, instrument, held, [_resting(trade)], quote.mid)
        ruling = rule_on_exit(found, case)
        assert ruling.verdict.outcome is VerdictOutcome.APPROVED
        if found.action is ProposalKind.MOVE_STOP:
            assert found.stop_loss is not None
            assert trade.stop is not None
            out = quote.bid if side is Side.BUY else quote.ask
            assert (found.stop_loss - trade.stop) * side.sign > 0
            assert (out - found.stop_loss) * side.sign > 0
            assert found.stop_loss % instrument.tick_size == 0
            assert [order.spec.type for order in ruling.orders] != [OrderType.MARKET]
