"""Perpetuals at the gate: the stop comes before liquidation, at the venue too, and the margin stays between its limits."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.venue_kit import A, Market, at, open_desk
from builders import CASH, NOW, case, instrument, mandate, proposal, quote
from trading_bot import config
from trading_bot.domain.books import Account
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.orders import ApprovedOrder, Side
from trading_bot.domain.perpetual import liquidation_price, liquidation_share
from trading_bot.domain.proposals import Effect, Finding
from trading_bot.risk.case import Case
from trading_bot.risk.gate import Ruling, rule_on_entry

D = Decimal
FREE = dict.fromkeys(
    ("risk_per_trade", "position", "approval_above", "sector", "open_risk", "gross_exposure", "leverage", "price_collar", "max_spread"),
    "none",
) | {"buying_power_reserve": D(0), "margin_reserve": D(0), "short_selling": True}  # fmt: skip
MARGINS = {"margin_per_trade": "0.25", "least_margin": "0.05", "liquidation_buffer": "0.03"}


def coin(**changed: Any) -> Instrument:  # noqa: ANN401 - fields
    """A perpetual at four times its margin: liquidation at 80 % of a long's price, 120 % of a short's."""
    fields = {"asset_class": AssetClass.CRYPTO_PERPETUAL, "calendar": "24/7", "leverage_cap": "4", "maintenance_rate": "0.05"}
    return instrument(A, **{**fields, "lot_size": "0.001", "minimum_notional": "5", **changed})


def judged(stop: str, side: Side = Side.BUY, of: Instrument | None = None, mark: str | None = None, **limits: Any) -> Case:  # noqa: ANN401 - limits
    """A proposal in the coin, quoted at 99.99 and 100.01, before a mandate with these limits and few others."""
    entry = D("100.01") if side is Side.BUY else D("99.99")
    wanted = proposal(symbol=A, side=side, entry=entry, stop_loss=D(stop), targets=(), exposure=limits.pop("exposure", D(1)))
    allowed = mandate(universe=(A,), **{**FREE, **MARGINS, **limits})
    plain = case(wanted=wanted, of=of or coin(), at_quote=quote(A), mandate=allowed, sectors={A: "coins"})
    return replace(plain, mark=None if mark is None else D(mark))


def ruling(one: Case) -> Ruling:
    """What the gate says."""
    return rule_on_entry(one, "desk01")


def rules(one: Case) -> list[str]:
    """Names of the rules that spoke."""
    return [f.rule for f in ruling(one).verdict.findings]


@pytest.mark.parametrize(
    ("side", "stop", "buffer", "passes"),
    [
        (Side.BUY, "80.00", "none", False),
        (Side.BUY, "80.01", "none", True),
        (Side.BUY, "83.00", "0.03", False),
        (Side.BUY, "83.01", "0.03", True),
        (Side.SELL, "119.99", "none", False),
        (Side.SELL, "119.98", "none", True),
        (Side.SELL, "116.99", "0.03", False),
        (Side.SELL, "116.98", "0.03", True),
    ],
)
def test_the_stop_comes_before_liquidation_by_the_buffer(side: Side, stop: str, buffer: str, *, passes: bool) -> None:
    """80 % of 100.01 is 80.008, 120 % of 99.99 is 119.988; without a buffer the rule holds all the same."""
    found = ruling(judged(stop, side, liquidation_buffer=buffer))
    assert ("liquidation" not in [f.rule for f in found.verdict.findings]) is passes
    assert bool(found.orders) is passes


def test_the_rule_says_where_liquidation_lies() -> None:
    """In words, with the limit and the stop."""
    (spoken,) = ruling(judged("82")).verdict.findings
    assert spoken == Finding(rule="liquidation", effect=Effect.REJECT, limit="a stop 3.00 % of the price before 80.008", actual="82")


def test_a_mark_price_that_lies_nearer_brings_liquidation_nearer() -> None:
    """Two dollars below the quote it takes two dollars of the room; above it, it gives none."""
    assert rules(judged("84", mark="98")) == ["liquidation"]
    assert rules(judged("86", mark="98")) == []
    assert rules(judged("83", mark="110")) == ["liquidation"]


def test_leverage_that_leaves_no_room_is_refused_whatever_the_stop() -> None:
    """At twenty times 5 % maintenance is all of the margin: the entry is its own liquidation."""
    assert rules(judged("99", of=coin(leverage_cap="20"), liquidation_buffer="none")) == ["liquidation"]


def test_the_rule_leaves_stocks_alone() -> None:
    """Nobody ends them."""
    stock = instrument(A, leverage_cap="4", maintenance_rate="0.05")
    assert rules(judged("50", of=stock)) == []


def test_margin_is_the_share_that_exposure_and_mandate_give() -> None:
    """25 % of 100,000 four times over at 100.01 is 999.900 coins; a fifth of it 199.980."""
    assert ruling(judged("97")).verdict.quantity == D("999.900")
    assert ruling(judged("97", exposure=D("0.2"))).verdict.quantity == D("199.980")
    assert ruling(judged("103", Side.SELL)).verdict.quantity == D("1000.1")


def test_a_margin_below_the_least_is_not_worth_its_costs() -> None:
    """10 % of what 25 % allows are 2,500 of the 5,000 that 5 % would be."""
    (spoken,) = ruling(judged("97", exposure=D("0.1"))).verdict.findings
    assert (spoken.rule, spoken.limit, spoken.actual) == (
        "least_margin", "5.00 % of 100000.00 USD", "2500.00; 2500.00 USD are missing",
    )  # fmt: skip
    assert ruling(judged("97", exposure=D("0.1"), least_margin="none")).orders


def test_a_cap_that_leaves_less_than_the_least_margin_is_told_with_it() -> None:
    """Risk of 0.05 % over a stop 4.01 away leaves 12 coins, 311 of margin."""
    found = ruling(judged("96", risk_per_trade="0.0005"))
    assert [f.rule for f in found.verdict.findings] == ["least_margin"]


def test_a_balance_too_small_for_the_least_order_says_what_that_would_cost() -> None:
    """100 times four at a quarter buy 0.99 of a coin that is sold by tens."""
    poor = Account(account_id="paper-1", cash=CASH, equity=CASH, buying_power=D(100))
    plain = judged("97", of=coin(lot_size="10"))
    spoken = ruling(replace(plain, situation=replace(plain.situation, account=poor))).verdict.findings[-1]
    assert (spoken.rule, spoken.limit, spoken.actual) == ("minimum_size", "5 USD", "0 units; the least order is 10 units, 1000.10 USD")


def test_the_traders_own_mandate_takes_a_quarter_of_the_balance_at_most() -> None:
    """By its preset: three times a quarter of 100,000 at 100.01, where the risk allows it."""
    preset = config.load(flags={"desk": "coins"}).risk.limits.model_dump()
    found = ruling(judged("99", of=coin(leverage_cap="3", maintenance_rate="0.01"), **preset))
    assert found.verdict.quantity == D("749.925")


amount = st.decimals
exposures = amount(min_value="0.05", max_value=1, places=2)


@settings(max_examples=80, deadline=None)
@given(
    side=st.sampled_from(Side),
    leverage=amount(min_value=1, max_value=40, places=1),
    maintenance=amount(min_value="0.004", max_value="0.2", places=3),
    away=amount(min_value="0.002", max_value="0.9", places=3),
    buffer=st.none() | amount(min_value="0.001", max_value="0.1", places=3),
    basis=st.none() | amount(min_value="-0.02", max_value="0.02", places=3),
    exposure=exposures,
)
def test_no_stop_that_the_gate_lets_through_is_passed_by_liquidation_first(  # noqa: PLR0913, PLR0917 - drawn
    side: Side, leverage: Decimal, maintenance: Decimal, away: Decimal, buffer: Decimal | None, basis: Decimal | None, exposure: Decimal
) -> None:
    """Its price lies before liquidation, by the buffer, whatever the mark; at the venue a bar that passes both ends it at the stop."""
    perpetual = coin(leverage_cap=leverage, maintenance_rate=maintenance)
    stop = (100 * (1 - away * side.sign)).quantize(D("0.01"))
    mark = None if basis is None else str(100 * (1 + basis))
    wide = "none" if buffer is None else buffer
    one = judged(str(stop), side, perpetual, mark, liquidation_buffer=wide, least_margin="none", exposure=exposure)
    found = ruling(one)
    margin = found.verdict.quantity * one.price / leverage
    assert margin <= CASH * D("0.25") * exposure
    if not found.orders:
        return
    end = liquidation_price(side, one.price, perpetual)
    if end is not None:
        behind = 0 if mark is None else max((100 - D(mark)) * side.sign, D(0))
        assert (stop - end) * side.sign - behind > 0
        assert (stop - end) * side.sign - behind >= (buffer or 0) * one.price
    assert _ended_by(perpetual, found.orders, side) == ["stop_loss"]


def _ended_by(perpetual: Instrument, orders: tuple[ApprovedOrder, ...], side: Side) -> list[str]:
    """Roles of what closes the position when a bar runs from 100 through the stop and through liquidation."""
    run = (100, 100, 0.02, 0.02, 10**9) if side is Side.BUY else (100, 300, 100, 300, 10**9)
    desk = open_desk(Market(instruments={A: perpetual}).minutes([(100, 100, 100, 100, 10**9), run], first=NOW), start=NOW)
    for order in orders:
        desk.broker.submit(order)
    desk.clock.sleep_until(at("15:00", 5))
    told = [getattr(event, "fill", None) for event in desk.broker.events(0)]
    return [fill.role for fill in told if fill is not None and not fill.role.adds_risk]


@given(
    side=st.sampled_from(Side),
    leverage=amount(min_value=1, max_value=125, places=1),
    maintenance=amount(min_value="0.001", max_value="0.5", places=3),
    entry=amount(min_value="0.01", max_value=100_000, places=2),
)
def test_at_liquidation_the_margin_is_lost_but_for_the_maintenance(
    side: Side, leverage: Decimal, maintenance: Decimal, entry: Decimal
) -> None:
    """One coin's margin and what it lost come to its maintenance, both of the entry's value; the mirror price of the other side."""
    perpetual = coin(leverage_cap=leverage, maintenance_rate=maintenance)
    share = liquidation_share(side, perpetual)
    assert float(1 / leverage) + float(share - 1) * side.sign == pytest.approx(float(maintenance))
    assert share + liquidation_share(side.opposite, perpetual) == 2
    price = liquidation_price(side, entry, perpetual)
    assert (price is None) is (share <= 0)
    assert price is None or float(price) == pytest.approx(float(entry) * float(share), abs=1e-9)
