"""Each rule speaks exactly when its limit is passed, with the limit and the actual value."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from builders import AAPL, NOW, SPY, case, instrument, mandate, position, proposal, quote, situation, trade
from trading_bot.domain.books import Books
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import Effect
from trading_bot.domain.records import DeskState
from trading_bot.risk.case import Case
from trading_bot.risk.gate import rule_on_entry
from trading_bot.risk.rules import RULES

HELD = Books(cash=Decimal(90_000), positions={AAPL: position()})
STALE = quote(at=NOW - timedelta(seconds=91))
LOSSES = (trade("-50"), trade("-50"), trade("-50"))
SMALL = Books(cash=Decimal(24_000))


def spoken(judged: Case) -> list[str]:
    """Names of the rules that spoke."""
    return [f.rule for f in (rule(judged) for rule in RULES) if f is not None]


def test_no_rule_speaks_against_a_sound_proposal() -> None:
    """The default case passes, so that every other test changes one thing only."""
    assert spoken(case()) == []


@pytest.mark.parametrize(
    ("rule", "judged"),
    [
        ("desk_state", case(desk_state=DeskState.HALTED)),
        ("desk_state", case(desk_state=DeskState.REDUCE_ONLY)),
        ("mandate_expiry", case(mandate_expired=True)),
        ("autonomy", case(mandate=mandate(autonomy="observe"))),
        ("universe", case(mandate=mandate(universe=(SPY,)))),
        ("proposal_expiry", case(wanted=proposal(expires_at=NOW - timedelta(seconds=1)))),
        ("session", case(session=None)),
        ("quote_age", Case(proposal(), situation(), instrument(), STALE)),
        ("max_spread", case(at_quote=quote(bid="99.70", ask="100.30"))),
        ("price_collar", case(wanted=proposal(entry=Decimal("103.50"), targets=()))),
        ("stop_side", case(at_quote=quote(bid="96.97", ask="96.99"), wanted=proposal(entry=Decimal(98)))),
        ("target_ahead", case(wanted=proposal(entry=Decimal("99.5"), targets=({"price": "100", "fraction": "1"},)))),
        ("short_selling", case(wanted=proposal(side=Side.SELL, stop_loss=Decimal(103), targets=()))),
        ("one_position", case(books=HELD, marks={AAPL: Decimal(100)})),
        ("one_position", case(pending={AAPL: Decimal(100)})),
        ("open_positions", case(mandate=mandate(open_positions=1), pending={SPY: Decimal(100)})),
        ("trades_per_day", case(entries_today=10)),
        ("orders_per_minute", case(orders_last_minute=19)),
        ("orders_per_minute", case(orders_last_minute=20, wanted=proposal(targets=()))),
        ("daily_loss", case(equity_last_close=Decimal(104_000))),
        ("drawdown", case(equity_high=Decimal(118_000))),
        ("cooldown", case(history=LOSSES)),
        ("reentry", case(history=(trade("-1"),))),
        ("strategy_suspended", case(suspended=frozenset({"momentum"}))),
        ("pattern_day_trader", case(books=SMALL, day_trades=3, equity_high=Decimal(24_000), equity_last_close=Decimal(24_000))),
    ],
)
def test_a_rule_rejects_what_passes_its_limit_and_no_order_results(rule: str, judged: Case) -> None:
    """The verdict is a rejection that names the rule, and allows nothing."""
    ruling = rule_on_entry(judged, "desk01")
    assert rule in spoken(judged)
    assert ruling.verdict.outcome == "rejected"
    assert rule in [f.rule for f in ruling.verdict.findings]
    assert ruling.orders == ()
    assert ruling.verdict.digests == ()


@pytest.mark.parametrize(
    ("limit", "judged"),
    [
        ("quote_age_seconds", Case(proposal(), situation(mandate=mandate(quote_age_seconds="none")), instrument(), STALE)),
        ("max_spread", case(mandate=mandate(max_spread="none"), at_quote=quote(bid="99.70", ask="100.30"))),
        ("trades_per_day", case(mandate=mandate(trades_per_day="none"), entries_today=10_000)),
        ("daily_loss", case(mandate=mandate(daily_loss="none"), equity_last_close=Decimal(104_000))),
    ],
)
def test_a_limit_of_none_does_not_speak(limit: str, judged: Case) -> None:
    """`none` is the only way to say that there is no limit."""
    assert spoken(judged) == [], limit


def test_no_quote_is_never_fresh_even_without_a_limit_on_age() -> None:
    """Missing is not empty: no quote, no order."""
    assert "quote_age" in spoken(Case(proposal(), situation(mandate=mandate(quote_age_seconds="none")), instrument(), None))


def test_confirm_waits_for_a_person_and_sends_nothing() -> None:
    """A desk in `confirm` asks."""
    ruling = rule_on_entry(case(mandate=mandate(autonomy="confirm")), "desk01")
    assert ruling.verdict.outcome == "needs_approval"
    assert [f.effect for f in ruling.verdict.findings] == [Effect.NEEDS_APPROVAL]
    assert ruling.orders == ()


@pytest.mark.parametrize(
    ("day", "speaks"), [(datetime(2026, 6, 3, 14, 30, tzinfo=UTC), True), (datetime(2026, 6, 4, 14, 30, tzinfo=UTC), False)]
)
def test_the_pattern_day_trader_rule_ends_on_its_day(day: datetime, *, speaks: bool) -> None:
    """FINRA Regulatory Notice 26-10: in force through 2026-06-03, gone on 2026-06-04."""
    judged = case(books=SMALL, day_trades=3, equity_high=Decimal(24_000), equity_last_close=Decimal(24_000), now=day)
    assert ("pattern_day_trader" in spoken(judged)) is speaks


def test_a_cooldown_ends_and_a_profit_ends_the_streak() -> None:
    """Three losses rest the desk for a day; a profit after them ends it."""
    assert "cooldown" not in spoken(case(history=LOSSES, now=NOW + timedelta(minutes=1436)))
    assert "cooldown" not in spoken(case(history=(*LOSSES, trade("5", symbol=SPY))))
