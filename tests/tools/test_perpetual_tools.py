"""What the tools tell of a perpetual beside a share: mark price, funding, and where the venue would end it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import NOW, position
from tools.scopes import HELD, RISE, WrittenSource, material, scope
from trading_bot.domain.events import CashReason, CashUpdate
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Contract
from trading_bot.domain.orders import OrderRole, OrderType
from trading_bot.domain.values import Symbol
from trading_bot.llm.masking import KINDS, Kind
from trading_bot.market.view import AsOfView
from trading_bot.tools.calling import answer, payload
from trading_bot.tools.registry import tool_named
from trading_bot.tools.scope import Scope


class Perpetuals(WrittenSource):
    """The written market, whose symbols are perpetuals carried five times."""

    def instrument(self, symbol: Symbol) -> Instrument:
        """The same prices."""
        changed = {"asset_class": AssetClass.CRYPTO_PERPETUAL, "leverage_cap": Decimal(5), "maintenance_rate": Decimal("0.01")}
        return super().instrument(symbol).model_copy(update=changed)

    def contract(self, symbol: Symbol, at: Any) -> Contract:  # noqa: ANN401, ARG002 - the port's signature
        """One word for all."""
        return Contract(
            symbol=symbol, mark=Decimal("130.004"), funding_rate=Decimal("-0.000125"), next_funding_at=NOW + timedelta(hours=2), time=NOW
        )


def funding(number: int, amount: str, days: float, symbol: Symbol = HELD) -> CashUpdate:
    """A payment, some days ago."""
    at = NOW - timedelta(days=days)
    return CashUpdate(sequence=number, at=at, reason=CashReason.FUNDING, amount=Decimal(amount), symbol=symbol)


@pytest.fixture
def coins() -> Scope:
    """A desk that holds 100 HELD at 120 since yesterday, and was funded before, since, and for something else."""
    paid = [funding(1, "-9", 2), funding(2, "-1.50", 0.5), funding(3, "0.25", 0.1), funding(4, "-7", 0.1, RISE)]
    return scope(view=AsOfView(Perpetuals(), lambda: NOW), material=replace(material(), events=paid))


def told(of: Scope, tool: str, *names: str, **asked: object) -> dict[str, Any]:
    """These fields of an answer, those that are there."""
    found = payload(answer(tool_named(tool), of, asked))
    return {name: found[name] for name in names if name in found}


QUOTED = ("mark_price", "funding_rate_percent", "next_funding_at")
DETAILED = ("leverage", "mark_price", "liquidation_price", "liquidation_distance_percent", "funding_usd")


def test_a_quote_tells_the_mark_and_the_next_funding(coins: Scope) -> None:
    """On the tick, in per cent, with its time."""
    assert told(coins, "get_quote", *QUOTED, symbol=RISE) == {
        "mark_price": 130, "funding_rate_percent": -0.0125, "next_funding_at": "2024-03-05T16:30:00Z",
    }  # fmt: skip


def test_a_position_tells_how_far_its_liquidation_is_and_what_funding_cost(coins: Scope) -> None:
    """A long at 120, five times, 1 %: 120 x (1 - 0.2 + 0.01) = 97.20, which is 25.23 % below the mark; 1.25 paid since it was opened."""
    assert told(coins, "get_position_details", *DETAILED, symbol=HELD) == {
        "leverage": 5, "mark_price": 130, "liquidation_price": 97.2, "liquidation_distance_percent": 25.23, "funding_usd": -1.25,
    }  # fmt: skip


def test_a_shorts_liquidation_lies_above(coins: Scope) -> None:
    """120 x (1 + 0.2 - 0.01) = 142.80; at once for a plan, too."""
    held = coins.material.books.model_copy(update={"positions": {HELD: position(HELD, "-100", "120")}})
    short = replace(coins, material=replace(coins.material, books=held))
    assert told(short, "get_position_details", "liquidation_price", symbol=HELD) == {"liquidation_price": 142.8}
    plan = told(coins, "calculate_position_risk", "liquidation_price", "entry", symbol=RISE, side="sell", entry=130, stop=136)
    assert plan == {"entry": 130, "liquidation_price": 154.7}


@pytest.mark.parametrize(("quantity", "cash", "left"), [("100", 88_000, 98_368.8), ("-100", 102_000, 85_946.8)])
def test_either_side_takes_its_value_over_its_leverage(coins: Scope, quantity: str, cash: int, left: float) -> None:
    """13,211 of HELD take 2,642.20 of the equity, long or short; 10 more at 100, which rest, are 1,000 and take 200."""
    resting = next(iter(coins.material.books.orders.values())).model_copy(
        update={"role": OrderRole.ENTRY, "type": OrderType.LIMIT, "limit_price": Decimal(100), "stop_price": None, "quantity": Decimal(10)}
    )
    held = {"cash": Decimal(cash), "positions": {HELD: position(HELD, quantity, "120")}, "orders": {resting.client_order_id: resting}}
    of = replace(coins, material=replace(coins.material, books=coins.material.books.model_copy(update=held)))
    names = ("buying_power_usd", "reserved_by_orders_usd")
    assert told(of, "get_buying_power", *names) == {"buying_power_usd": left, "reserved_by_orders_usd": 200}


def test_of_a_share_nothing_of_this_is_told() -> None:
    """It is left out, not null."""
    plain = scope()
    assert told(plain, "get_quote", *QUOTED, symbol=RISE) == {}
    assert told(plain, "get_position_details", *DETAILED, symbol=HELD) == {}
    assert told(plain, "calculate_position_risk", "liquidation_price", symbol=RISE) == {}


def test_a_blind_model_sees_prices_through_its_mask() -> None:
    """Prices are scaled, times moved; shares in per cent say nothing of which coin it is."""
    assert {KINDS[name] for name in ("mark_price", "liquidation_price")} == {Kind.PRICE}
    assert KINDS["next_funding_at"] is Kind.DATE
    assert {KINDS[name] for name in ("funding_rate_percent", "liquidation_distance_percent", "leverage", "funding_usd")} == {Kind.PLAIN}
