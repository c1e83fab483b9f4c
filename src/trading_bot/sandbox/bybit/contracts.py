"""What can be traded: the instrument filters of spot pairs and linear perpetuals, their fees and margin rates.

Promises that an order on the grid and above the least is let through, and that any other is refused with the venue's code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.bybit.wire import Refused, fixed, text

SPOT, LINEAR = "spot", "linear"
_QUOTES = ("USDT", "USDC", "USD")
_LARGEST = 1_000_000
"""Largest order in lots."""
_CEILING = 10_000_000
"""Highest price in ticks beyond which no order may ask."""
MAINTENANCE = Decimal("0.005")
"""Maintenance margin as a share of a position's value, in the lowest risk tier."""
RISK_LIMIT = Decimal(2_000_000)
FUNDING_HOURS = 8
_D = Decimal


@dataclass(frozen=True)
class Fees:
    """Shares of an execution's value."""

    maker: Decimal
    taker: Decimal


FEES: Mapping[str, Fees] = {SPOT: Fees(_D("0.001"), _D("0.001")), LINEAR: Fees(_D("0.0002"), _D("0.00055"))}
GRIDS: Mapping[str, tuple[str, str, str, str, str]] = {
    "BTCUSDT": ("60000", "0.1", "0.001", "0.01", "0.000001"),
    "ETHUSDT": ("3000", "0.01", "0.01", "0.01", "0.00001"),
    "SOLUSDT": ("150", "0.01", "0.1", "0.01", "0.001"),
    "XRPUSDT": ("0.5", "0.0001", "1", "0.0001", "0.01"),
}
"""Where a walk begins; tick and step of the perpetual; tick and step of the spot pair."""
_OTHER = ("100", "0.01", "0.01", "0.01", "0.0001")


def instrument_of(symbol: Symbol, category: str) -> Instrument:
    """The venue's own grid for a symbol that nobody described."""
    _, tick, step, spot_tick, spot_step = GRIDS.get(symbol, _OTHER)
    perpetual = category == LINEAR
    return Instrument(
        symbol=symbol,
        asset_class=AssetClass.CRYPTO_PERPETUAL if perpetual else AssetClass.CRYPTO_SPOT,
        venue="bybit",
        currency="USDT",
        tick_size=_D(tick if perpetual else spot_tick),
        lot_size=_D(step if perpetual else spot_step),
        minimum_notional=_D(5),
        calendar="24/7",
        shortable=perpetual,
        leverage_cap=_D(100) if perpetual else _D(1),
        maintenance_rate=MAINTENANCE,
    )


def start_price(symbol: Symbol) -> Decimal:
    """Where an invented market begins."""
    return _D(GRIDS.get(symbol, _OTHER)[0])


@dataclass(frozen=True)
class Contract:
    """One tradable thing in one category."""

    instrument: Instrument
    category: str

    @property
    def symbol(self) -> Symbol:
        """Its name."""
        return self.instrument.symbol

    @property
    def quote_coin(self) -> str:
        """What it is paid in."""
        return next((coin for coin in _QUOTES if self.symbol.endswith(coin)), "USDT")

    @property
    def base_coin(self) -> str:
        """What is bought."""
        return str(self.symbol).removesuffix(self.quote_coin)

    @property
    def tick(self) -> Decimal:
        """Step of prices."""
        return self.instrument.tick_size

    @property
    def step(self) -> Decimal:
        """Step of quantities."""
        return self.instrument.lot_size

    @property
    def fees(self) -> Fees:
        """What trading costs."""
        return FEES[self.category]

    @property
    def ceiling(self) -> Decimal:
        """Highest price that an order may ask."""
        return self.tick * _CEILING

    @property
    def most(self) -> Decimal:
        """Largest order."""
        return self.step * _LARGEST

    def check_price(self, price: Decimal, what: str = "price") -> None:
        """Refuse a price off the tick or out of range."""
        if price % self.tick:
            raise Refused("spot_price") if self.category == SPOT else Refused("parameter", f"{what} invalid")
        if not self.tick <= price <= self.ceiling:
            raise Refused("price_range")

    def check_quantity(self, quantity: Decimal) -> None:
        """Refuse a quantity off the step, below the least or above the most."""
        if quantity % self.step:
            raise Refused("spot_quantity") if self.category == SPOT else Refused("parameter", "Qty invalid")
        if quantity < self.step:
            raise Refused("spot_small") if self.category == SPOT else Refused("parameter", "The number of contracts is below the minimum")
        if quantity > self.most:
            raise Refused("parameter", "The number of contracts exceeds maximum limit allowed")

    def check_value(self, value: Decimal) -> None:
        """Refuse an order that is worth too little."""
        least = self.instrument.minimum_notional
        if value < least:
            raise Refused("spot_notional") if self.category == SPOT else Refused("notional", text(least))

    def told(self, *, trading: bool) -> dict[str, Any]:
        """The entry of `instruments-info`."""
        common = {
            "symbol": self.symbol,
            "status": "Trading" if trading else "Closed",
            "baseCoin": self.base_coin,
            "quoteCoin": self.quote_coin,
            "symbolType": "",
            "riskParameters": {"priceLimitRatioX": "0.05", "priceLimitRatioY": "0.1"},
        }
        return common | (self._linear() if self.category == LINEAR else self._spot())

    def _linear(self) -> dict[str, Any]:
        most = text(self.most)
        cap = fixed(self.instrument.leverage_cap, _D("0.01"))
        return {
            "contractType": "LinearPerpetual",
            "launchTime": "1585526400000",
            "deliveryTime": "0",
            "deliveryFeeRate": "",
            "priceScale": str(len(fixed(self.tick, self.tick).partition(".")[2])),
            "leverageFilter": {"minLeverage": "1", "maxLeverage": cap, "leverageStep": "0.01"},
            "priceFilter": {"minPrice": text(self.tick), "maxPrice": text(self.ceiling), "tickSize": text(self.tick)},
            "lotSizeFilter": {
                "maxOrderQty": most,
                "minOrderQty": text(self.step),
                "qtyStep": text(self.step),
                "postOnlyMaxOrderQty": most,
                "maxMktOrderQty": most,
                "minNotionalValue": text(self.instrument.minimum_notional),
            },
            "unifiedMarginTrade": True,
            "fundingInterval": FUNDING_HOURS * 60,
            "settleCoin": self.quote_coin,
            "copyTrading": "both",
            "upperFundingRate": "0.005",
            "lowerFundingRate": "-0.005",
            "isPreListing": False,
            "preListingInfo": None,
            "displayName": "",
        }

    def _spot(self) -> dict[str, Any]:
        most = text(self.most)
        return {
            "symbolId": sum(map(ord, self.symbol)),
            "innovation": "0",
            "marginTrading": "none",
            "stTag": "0",
            "lotSizeFilter": {
                "basePrecision": text(self.step),
                "quotePrecision": "0.00000001",
                "minOrderQty": text(self.step),
                "maxOrderQty": most,
                "minOrderAmt": text(self.instrument.minimum_notional),
                "maxOrderAmt": "8000000",
                "maxLimitOrderQty": most,
                "maxMarketOrderQty": most,
                "postOnlyMaxLimitOrderSize": most,
            },
            "priceFilter": {"tickSize": text(self.tick)},
        }
