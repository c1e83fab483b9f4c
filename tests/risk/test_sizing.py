"""Sizes: hand-computed, and never beyond any limit whatever the case."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import AAPL, CASH, SPY, case, instrument, mandate, position, proposal, quote, trade
from trading_bot.domain.books import Account, Books
from trading_bot.domain.orders import OrderClass, OrderType, Side
from trading_bot.domain.proposals import Proposal
from trading_bot.domain.research import Judgement, Opinion
from trading_bot.risk.case import Consent
from trading_bot.risk.gate import rule_on_entry
from trading_bot.risk.sizing import size


def test_size_is_cut_to_five_per_cent_where_nobody_approves_more() -> None:
    """Risk allows 2000 / 3.01 = 664, position 15000 / 100.01 = 149; 5 % of 100,000 at 100.01 is 49 shares."""
    sized = size(case())
    assert sized.quantity == 49
    assert [f.rule for f in sized.findings] == ["approval_above"]


def test_risk_decides_where_the_stop_is_far() -> None:
    """Stop at 50: 2 % of 100,000 over 50.01 a share is 39 shares, below the 49 of five per cent."""
    wide = proposal(stop_loss=Decimal(50), targets=())
    assert size(case(wanted=wide)).quantity == 39


@pytest.mark.parametrize(
    ("rule", "expected", "changed"),
    [
        ("position", 29, {"mandate": mandate(position="0.03")}),
        ("sector", 9, {"mandate": mandate(sector="0.11"), "books": Books(cash=Decimal(90_000), positions={SPY: position(SPY)}),
                       "marks": {SPY: Decimal(100)}, "sectors": {AAPL: "one", SPY: "one"}}),
        ("open_risk", 33, {"open_risk": Decimal(5_900)}),
        ("gross_exposure", 9, {"pending": {SPY: Decimal(99_000)}}),
        ("leverage", 19, {"mandate": mandate(gross_exposure="none"), "pending": {SPY: Decimal(98_000)}}),
        ("margin", 33, {"account": Account(account_id="a", cash=CASH, equity=CASH, buying_power=CASH, maintenance_margin=Decimal(78_990))}),
        ("buying_power", 18, {"account": Account(account_id="paper-1", cash=CASH, equity=CASH, buying_power=Decimal(2_000))}),
    ],
)  # fmt: skip
def test_the_tightest_cap_decides(rule: str, expected: int, changed: dict[str, Any]) -> None:
    """Each cap alone, at a price of 100.01 and 3.01 of risk a share."""
    sized = size(case(**changed))
    assert sized.quantity == expected
    assert rule in [f.rule for f in sized.findings] or rule in {"position", "buying_power"}


def test_a_losing_streak_and_low_exposure_make_the_wish_smaller() -> None:
    """Two losses halve what is wanted: 149.98 x 0.5 x 0.4 = 29."""
    modest = proposal(exposure=Decimal("0.4"))
    assert size(case(wanted=modest, history=(trade("-1", symbol=SPY), trade("-1", symbol=SPY)))).quantity == 29


def test_what_is_too_small_for_the_venue_is_rejected() -> None:
    """One lot that cannot be paid is no order, and the verdict names what could not pay for it."""
    ruling = rule_on_entry(case(account=Account(account_id="a", cash=CASH, equity=CASH, buying_power=Decimal(50))), "desk01")
    assert ruling.verdict.outcome == "rejected"
    assert [f.rule for f in ruling.verdict.findings] == ["buying_power", "minimum_size"]


def test_an_entry_is_one_bracket_for_each_target_and_every_share_has_its_stop() -> None:
    """49 shares: 24 for the first target, 25 for the second, each with the stop at 97."""
    orders = rule_on_entry(case(), "desk01").orders
    assert [(o.spec.quantity, o.spec.take_profit.price) for o in orders if o.spec.take_profit] == [
        (24, Decimal("104.5")),
        (25, Decimal("107.5")),
    ]
    assert {o.spec.order_class for o in orders} == {OrderClass.BRACKET}
    assert {o.spec.stop_loss.price for o in orders if o.spec.stop_loss} == {Decimal(97)}
    assert {o.spec.type for o in orders} == {OrderType.MARKET}


def test_a_pullback_rests_as_a_limit_at_its_entry() -> None:
    """The limit is the proposal's own price."""
    orders = rule_on_entry(case(wanted=proposal(style="pullback", entry=Decimal("98.5"))), "desk01").orders
    assert {(o.spec.type, o.spec.limit_price) for o in orders} == {(OrderType.LIMIT, Decimal("98.5"))}


def share(least: str, most: str) -> st.SearchStrategy[Decimal]:
    """A share of equity."""
    return st.decimals(min_value=least, max_value=most, places=2)


NO_CAP = {"approval_above": "none", "gross_exposure": "none", "leverage": "none", "short_selling": True}


@given(
    side=st.sampled_from(Side),
    price=st.decimals(min_value=2, max_value=900, places=2),
    stop_share=st.decimals(min_value="0.005", max_value="0.5", places=3),
    cash=st.decimals(min_value=5_000, max_value=1_000_000, places=2),
    there=st.tuples(share("0.05", "2"), share("0", "0.3"), share("0", "0.04"), share("0", "0.7")),
    bounds=st.tuples(share("0.01", "0.1"), share("0.02", "1"), share("0.2", "1"), share("0.03", "0.3")),
    usual=st.booleans(),
)
def test_no_approved_entry_passes_any_limit(  # noqa: PLR0913, PLR0917 - drawn
    side: Side,
    price: Decimal,
    stop_share: Decimal,
    cash: Decimal,
    there: tuple[Decimal, ...],
    bounds: tuple[Decimal, ...],
    usual: bool,  # noqa: FBT001 - drawn
) -> None:
    """Whatever is drawn, long or short: what the gate allows, together with what is there already, keeps every limit."""
    buying_power, pending, at_risk, maintenance = (cash * one for one in there)
    risk, most, sector, open_risk = bounds
    stop = (price * (1 - stop_share * side.sign)).quantize(Decimal("0.01"))
    bid, ask = price, price + Decimal("0.01")
    limits = {"risk_per_trade": risk, "position": most, "sector": sector, "open_risk": open_risk, "short_selling": True}
    mine = mandate(**limits) if usual else mandate(**{**limits, **NO_CAP})
    account = Account(account_id="a", cash=cash, equity=cash, buying_power=buying_power, maintenance_margin=maintenance)
    drawn = case(
        wanted=proposal(side=side, entry=price, stop_loss=stop, targets=()),
        at_quote=quote(bid=str(bid), ask=str(ask)),
        of=instrument(),
        mandate=mine,
        books=Books(cash=cash),
        account=account,
        pending={SPY: pending},
        sectors={AAPL: "one", SPY: "one"},
        open_risk=at_risk,
        equity_high=cash,
        equity_last_close=cash,
    )
    ruling = rule_on_entry(drawn, "desk01")
    quantity = ruling.verdict.quantity
    assert sum((o.spec.quantity for o in ruling.orders), Decimal(0)) == quantity
    if not quantity:
        return
    paid = ask if side is Side.BUY else bid
    value, at_stop = quantity * paid, quantity * abs(paid - stop)
    assert at_stop <= cash * risk
    assert at_stop + at_risk <= cash * open_risk
    assert value <= cash * most
    assert value + pending <= cash * sector
    assert value * (1 if side is Side.BUY else Decimal("0.5")) <= buying_power * Decimal("0.95")
    assert (value * Decimal("0.3") + maintenance) * Decimal("1.25") <= cash
    assert not usual or value <= cash * Decimal("0.05")
    assert not usual or value + pending <= cash


TAINTED = proposal(taint=("news of AAPL",))
FREE = {"approval_above": "none", "tainted_position": "0.01"}


@pytest.mark.parametrize("wanted", [TAINTED, proposal(analyst="interactive")], ids=["news", "a person's session"])
def test_what_may_owe_something_to_a_text_from_outside_stays_small(wanted: Proposal) -> None:
    """1 % of 100,000 at 100.01 is 9 shares, where the same proposal without a taint gets 149."""
    sized = size(case(wanted=wanted, mandate=mandate(**FREE)))
    assert (sized.quantity, [f.rule for f in sized.findings]) == (9, ["tainted_position"])
    assert size(case(mandate=mandate(**FREE))).quantity == 149


def test_no_model_lifts_the_cap_of_tainted_positions_and_a_person_does() -> None:
    """A second judge's approval is a model's word: it may have read the same text."""
    approval = Consent(opinion=Opinion(judgement=Judgement.APPROVE, reason="it says so in the news"))
    assert size(replace(case(wanted=TAINTED, mandate=mandate(**FREE)), consent=approval)).quantity == 9
    assert size(replace(case(wanted=TAINTED, mandate=mandate(**FREE)), consent=Consent(person=True))).quantity == 149
